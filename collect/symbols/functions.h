/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * functions.h - a table of a file's functions: filled by elf_functions.c, from the file that
 * mapped_file.c finds and from the separate debug file that debug_file.c finds; sorted,
 * then searched.
 */
#ifndef FL_SYMBOLS_FUNCTIONS_H
#define FL_SYMBOLS_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <libelf.h>

#define NO_FUNCTION UINT32_MAX

struct function {
    uint64_t start, end; /* in the file; while it is filled, end is start for an unknown size */
    uint64_t limit;      /* the section's end: no function without a size goes beyond */
    uint32_t name;       /* in names */
    uint32_t outer;      /* the innermost one around it, or NO_FUNCTION */
    uint8_t rank;        /* of several names the one with the smallest rank is taken */
};

struct functions {
    struct function *at;
    size_t n, cap;
    char *names;
    size_t names_len, names_cap;
};

/* functions_add - false: out of memory. What is empty or too large is left out. */
bool functions_add(struct functions *f, const struct function *what, const char *name,
                   const char *suffix);
/* functions_sort - one function a place, ends and nesting settled. */
void functions_sort(struct functions *f);
/* functions_find - index of the innermost function around @offset, or NO_FUNCTION. */
uint32_t functions_find(const struct functions *f, uint64_t offset);
void functions_free(struct functions *f);

/*
 * functions_read - the functions of the file at @fd, which was at @path. functions_read_memory -
 * of an ELF image that stays where it is for as long. Anything but want of memory gives a
 * table, empty if need be.
 */
bool functions_read(struct functions *f, int fd, const char *path, const char *debug_root);
bool functions_read_memory(struct functions *f, char *image, size_t bytes, const char *debug_root);

/* A file as the kernel knows it. */
struct file_id {
    uint64_t dev, ino;
};

/* mapped_file_open - the regular file @id, at @path or with process @pid (0: none); -1: no. */
int mapped_file_open(const char *path, const struct file_id *id, uint32_t pid, struct stat *st);
/* file_id_is - is @st that file? */
bool file_id_is(const struct file_id *id, const struct stat *st);

/* vdso_image - a copy of our vdso, or NULL: there is none, or no memory. Free it. */
char *vdso_image(size_t *bytes);

/*
 * debug_file_open - the separate debug file of @elf at @path: an ELF descriptor and
 * *@fd, or NULL.
 */
Elf *debug_file_open(Elf *elf, const char *path, const char *debug_root, int *fd);

#endif
