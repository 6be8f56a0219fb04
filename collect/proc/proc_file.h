/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * proc_file.h - files and folders of proc.
 */
#ifndef FL_PROC_FILE_H
#define FL_PROC_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

#define PROC_PATH_BYTES 512
#define PROC_SMALL_BYTES (UINT64_C(1) << 20)
#define PROC_LARGE_BYTES (UINT64_C(1) << 28) /* maps of a process that has all it may have */

/* Path of a file: root, pid (0: none), tid (0: none), name. Returns: false when too long. */
struct proc_at {
    const char *root;
    uint32_t pid, tid;
    const char *name; /* "" for the folder */
};

/** proc_open - a descriptor for reading; -1 with errno. @flags: beyond O_RDONLY and O_CLOEXEC. */
int proc_open(struct proc_at at, int flags);

/**
 * proc_read - all of a file, malloc'ed and NUL behind its @len bytes (may be NULL).
 * Returns: NULL with errno; EFBIG when it has more than @max bytes.
 */
char *proc_read(struct proc_at at, size_t max, size_t *len);

/**
 * proc_numbers - the names in a folder that are pids, ascending, malloc'ed; @n of them.
 * Returns: 0, or an errno.
 */
int proc_numbers(struct proc_at at, uint32_t **out, size_t *n);

/** proc_fail - the error that @number means for looking at process @pid. */
int proc_fail(struct fl_err *err, uint32_t pid, int number);

#endif
