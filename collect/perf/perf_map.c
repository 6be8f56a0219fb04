/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_map.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <faultline/event.h>
#include <faultline/units.h>

uint64_t fl_map_dev(const struct fl_perf_rec *rec)
{
    return makedev(rec->mmap.dev_major, rec->mmap.dev_minor);
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The kernel's own names for memory that is no file's. */
static const struct {
    const char *prefix;
    uint32_t flags;
} kernel_names[] = {
    { "//anon", FL_MAP_ANON },
    { "/dev/zero (deleted)", FL_MAP_ANON }, /* shared anonymous memory */
    { "/anon_hugepage (deleted)", FL_MAP_ANON | FL_MAP_HUGETLB },
    { "[heap]", FL_MAP_ANON | FL_MAP_HEAP },
    { "[stack", FL_MAP_ANON | FL_MAP_STACK }, /* "[stack:TID]": ours, for a thread's */
    { "[vdso]", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[vvar", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[vsyscall]", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[uprobes]", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[", FL_MAP_ANON },
};

void fl_map_classify(const struct fl_perf_rec *rec, char name[FL_MAP_NAME_BYTES],
                     struct fl_map_view *out)
{
    static const char deleted[] = " (deleted)";
    const char *path = rec->mmap.path;
    *out = (struct fl_map_view){ .path = path, .has_file = true };
    for (size_t i = 0; i < FL_COUNT(kernel_names); i++)
        if (starts(path, kernel_names[i].prefix)) {
            out->flags = kernel_names[i].flags;
            out->has_file = false;
            break;
        }
    if (starts(path, "/memfd:")) { /* a file without a place: its name is not a path */
        size_t n = strlen(path + 1), tail = sizeof deleted - 1;
        if (n > tail && strcmp(path + 1 + n - tail, deleted) == 0)
            n -= tail;
        if (n >= FL_MAP_NAME_BYTES)
            n = FL_MAP_NAME_BYTES - 1;
        memcpy(name, path + 1, n);
        name[n] = 0;
        out->path = name;
    }
    if (rec->mmap.flags & MAP_SHARED)
        out->flags |= FL_MAP_SHARED;
    if (rec->mmap.flags & MAP_LOCKED)
        out->flags |= FL_MAP_LOCKED;
    if (rec->mmap.flags & MAP_HUGETLB)
        out->flags |= FL_MAP_HUGETLB;
}
