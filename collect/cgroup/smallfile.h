/* SPDX-License-Identifier: GPL-2.0-or-later */
/** smallfile.h - the small text files of /proc, /sys and control groups; and the undo steps. */
#ifndef CGROUP_SMALLFILE_H
#define CGROUP_SMALLFILE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/guard.h>

/** smallfile_read - all of @path, malloc'ed and ended by NUL; NULL with errno set. */
char *smallfile_read(const char *path);
/** smallfile_read_at - the same of @dir/@name. */
char *smallfile_read_at(const char *dir, const char *name);
/** smallfile_number_at - the number @dir/@name starts with; @otherwise when there is none. */
uint64_t smallfile_number_at(const char *dir, const char *name, uint64_t otherwise);
/** smallfile_write - @text to an existing file in one write. Returns 0, or an errno. */
int smallfile_write(const char *path, const char *text);
int smallfile_write_at(const char *dir, const char *name, const char *text);

/** undo_step - undo one step, see guard.h. Returns 0, or an errno when something is left. */
int undo_step(enum fl_undo what, const char *path);

#endif
