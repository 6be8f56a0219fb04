/* SPDX-License-Identifier: GPL-2.0-or-later */
/** oom_file.h - small files, and where control groups are mounted. */
#ifndef OOM_OOM_FILE_H
#define OOM_OOM_FILE_H

#include <stdbool.h>

/** oom_file - all of @dir/@name, malloc'ed and NUL behind; NULL: it cannot be read. */
char *oom_file(const char *dir, const char *name);

/** oom_file_is - is there @base@dir/@name? */
bool oom_file_is(const char *base, const char *dir, const char *name);

struct oom_mounts {
    char v1[256]; /* the memory hierarchy of version 1; "": none */
    char v2[256]; /* of version 2, with or without the memory controller */
};

/** oom_mounts - from @root/self/mountinfo. Source: proc_pid_mountinfo(5). */
void oom_mounts(const char *root, struct oom_mounts *out);

#endif
