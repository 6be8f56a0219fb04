/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oom_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 65536u
#define PROCS_MAX (UINT64_C(1) << 24) /* cgroup.procs of a group that has all processes */

char *oom_file(const char *dir, const char *name)
{
    char path[1024];
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = len > 0 && (size_t)len < sizeof path ? fopen(path, "re") : NULL;
    size_t room = FILE_MAX, n = 0;
    char *text = f ? malloc(room) : NULL;
    while (text) {
        size_t got = fread(text + n, 1, room - 1 - n, f);
        n += got;
        if (got == 0 || n + 1 < room || room >= PROCS_MAX)
            break;
        char *more = realloc(text, room *= 2);
        if (!more) {
            free(text);
            text = NULL;
        } else
            text = more;
    }
    if (text && ferror(f)) {
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    if (text)
        text[n] = 0;
    return text;
}

bool oom_file_is(const char *base, const char *dir, const char *name)
{
    char path[1024];
    int len = snprintf(path, sizeof path, "%s%s/%s", base, dir, name);
    return len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0;
}

/* "36 35 98:0 /root /mount/point options - type source superoptions" */
static void take_line(char *line, struct oom_mounts *out)
{
    char *save = NULL, *point = NULL, *sep = strstr(line, " - ");
    if (!sep)
        return;
    *sep = 0;
    char *word = strtok_r(line, " ", &save);
    for (int i = 0; word && i < 4; i++)
        word = strtok_r(NULL, " ", &save);
    point = word;
    char *type = strtok_r(sep + 3, " ", &save);
    char *source = type ? strtok_r(NULL, " ", &save) : NULL;
    char *super = source ? strtok_r(NULL, " ", &save) : NULL;
    if (!point || !super)
        return;
    if (!strcmp(type, "cgroup2") && !*out->v2)
        snprintf(out->v2, sizeof out->v2, "%s", point);
    if (strcmp(type, "cgroup") != 0 || *out->v1)
        return;
    for (char *o = strtok_r(super, ",", &save); o; o = strtok_r(NULL, ",", &save))
        if (!strcmp(o, "memory"))
            snprintf(out->v1, sizeof out->v1, "%s", point);
}

void oom_mounts(const char *root, struct oom_mounts *out)
{
    char *text = oom_file(root, "self/mountinfo"), *save = NULL;
    *out = (struct oom_mounts){ "", "" };
    if (!text)
        return;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        take_line(line, out);
    free(text);
}
