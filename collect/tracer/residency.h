/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * residency.h - who a file is, and which of its pages are in the page cache.
 *
 * Compiled twice: into the recorder, and into the tracer, which has no libc. So it
 * makes its system calls itself, and needs nothing else.
 */
#ifndef FAULTLINE_RESIDENCY_H
#define FAULTLINE_RESIDENCY_H

#define FLR_RANGES 1024 /* most ranges a file is described by */
#define FLR_PATH 4096

struct flr_range {
    unsigned long long offset, length; /* bytes, whole pages */
};

struct flr_identity {
    unsigned long long dev, ino;
    unsigned long long birth_ns; /* tells files that had the same number in turn; 0: not known */
    unsigned long long size_bytes;
    unsigned owner, n_links;
    unsigned is_regular;
    unsigned dev_major, dev_minor;
};

/* 0, or a negative error number. @path "": @dirfd itself. A link at the end is followed if asked. */
int flr_identify(int dirfd, const char *path, int follow, struct flr_identity *id);

/*
 * The file's pages that are cached now, as ranges in ascending order that do not touch.
 * Exact up to FLR_RANGES pages; of a larger file that is cached in part, each 1/1024th
 * (rounded up to a power of two) is judged by its number of cached pages, which are
 * taken to be its first. Returns their number, or -1: the kernel does not tell.
 * Cost: one cachestat(2) for a file that is cached whole or not at all, at most 1025.
 */
int flr_residency(int fd, const struct flr_identity *id, struct flr_range ranges[FLR_RANGES]);

struct flr_device {
    unsigned read_ahead_pages; /* 0: none, or not known */
    int is_cached;             /* its files have pages in the cache; false: procfs and the like */
};

/* About the filesystem that @fd's file is on. */
void flr_device(int fd, const struct flr_identity *id, struct flr_device *device);

/* Open @path for a look at it only: never waits, changes nothing. Negative: an error. */
int flr_open(int dirfd, const char *path);
void flr_close(int fd);
/* The name by which @fd was opened, as the kernel has it; "" when it has none. */
void flr_path_of(int fd, char path[FLR_PATH]);

/* What else execve(2) opens to run @fd: a script's or an ELF file's interpreter. False: nothing. */
int flr_interpreter(int fd, char path[FLR_PATH]);

#endif
