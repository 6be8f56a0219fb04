/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A memory control group: its limit, its processes, and what of its memory is what. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <faultline/oom_live.h>
#include <faultline/units.h>

#include "oom_file.h"

/* Everything a group without a limit says is more than this: LONG_MAX in pages, or "max". */
#define NO_LIMIT_BYTES (UINT64_C(1) << 62)

static uint64_t size_at(const char *dir, const char *name)
{
    char *text = oom_file(dir, name), *end;
    uint64_t n = FL_SIZE_MAX_BYTES;
    if (text && strncmp(text, "max", 3) != 0) {
        errno = 0;
        unsigned long long v = strtoull(text, &end, 10);
        if (end != text && errno == 0 && v < NO_LIMIT_BYTES)
            n = v;
    }
    free(text);
    return n;
}

static uint64_t number_at(const char *dir, const char *name, uint64_t otherwise)
{
    uint64_t n = size_at(dir, name);
    return n == FL_SIZE_MAX_BYTES ? otherwise : n;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t stat_bytes(const char *stat, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = stat; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, n) && line[n] == ' ')
            return strtoull(line + n + 1, NULL, 10);
    }
    return 0;
}

static void take_stat(struct fl_oom_group *g)
{
    static const char *const names[2][4] = {
        { "total_inactive_file", "total_active_file", "total_inactive_anon", "total_active_anon" },
        { "inactive_file", "active_file", "inactive_anon", "active_anon" }
    };
    char *stat = oom_file(g->dir, "memory.stat");
    const char *const *name = names[g->version - 1];
    if (!stat)
        return;
    g->file_bytes = stat_bytes(stat, name[0]) + stat_bytes(stat, name[1]);
    g->anon_bytes = stat_bytes(stat, name[2]) + stat_bytes(stat, name[3]);
    free(stat);
}

/* mem_cgroup_get_max(): with a swappiness of 0 swap does not count. */
static void take_limits_v1(struct fl_oom_group *g, uint64_t swap)
{
    uint64_t both = size_at(g->dir, "memory.memsw.limit_in_bytes");
    uint64_t both_used = number_at(g->dir, "memory.memsw.usage_in_bytes", 0);
    g->limit_bytes = size_at(g->dir, "memory.limit_in_bytes");
    g->usage_bytes = number_at(g->dir, "memory.usage_in_bytes", 0);
    g->swap_used_bytes = both_used > g->usage_bytes ? both_used - g->usage_bytes : 0;
    g->swap_bytes = both != FL_SIZE_MAX_BYTES && g->limit_bytes <= both
                        ? least(both - g->limit_bytes, swap)
                        : swap;
    if (number_at(g->dir, "memory.swappiness", 60) == 0)
        g->swap_bytes = 0;
}

static void take_limits_v2(const char *root, struct fl_oom_group *g, uint64_t swap)
{
    g->limit_bytes = size_at(g->dir, "memory.max");
    g->usage_bytes = number_at(g->dir, "memory.current", 0);
    g->swap_used_bytes = number_at(g->dir, "memory.swap.current", 0);
    g->swap_bytes = least(size_at(g->dir, "memory.swap.max"), swap);
    g->kills_all = number_at(g->dir, "memory.oom.group", 0) == 1;
    if (number_at(root, "sys/vm/swappiness", 60) == 0)
        g->swap_bytes = 0;
}

/* ---- its processes ---------------------------------------------------------------------------- */

static _Thread_local struct fl_oom_group *walked; /* nftw() has no argument for it */
static _Thread_local bool walk_failed;

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int take_procs(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)where;
    if (kind != FTW_D)
        return 0;
    char *text = oom_file(path, "cgroup.procs");
    for (char *p = text, *end; p; p = end) {
        unsigned long pid = strtoul(p, &end, 10);
        if (end == p)
            break;
        if (!pid || pid > FL_PROC_PID_MAX)
            continue; /* 0: of another process namespace */
        uint32_t *more = reallocarray(walked->pids, walked->n_pids + 1, sizeof *more);
        if (!more) {
            walk_failed = true;
            break;
        }
        walked->pids = more;
        walked->pids[walked->n_pids++] = (uint32_t)pid;
    }
    free(text);
    return walk_failed;
}

static int take_pids(struct fl_oom_group *g, struct fl_err *err)
{
    walked = g;
    walk_failed = false;
    nftw(g->dir, take_procs, 16, FTW_PHYS);
    if (walk_failed)
        return fl_nomem(err, "processes");
    if (g->n_pids)
        qsort(g->pids, g->n_pids, sizeof *g->pids, ascending);
    return FL_OK;
}

/* ---- which it is -------------------------------------------------------------------------------- */

static bool is_group(struct fl_oom_group *g)
{
    g->version = oom_file_is("", g->dir, "memory.limit_in_bytes") ? 1
                 : oom_file_is("", g->dir, "cgroup.controllers") &&
                         oom_file_is("", g->dir, "memory.current")
                     ? 2
                     : 0;
    return g->version > 0;
}

static bool set_dir(struct fl_oom_group *g, const char *base, const char *path)
{
    int n = snprintf(g->dir, sizeof g->dir, "%s%s%s", base, *base && *path != '/' ? "/" : "", path);
    return n > 0 && (size_t)n < sizeof g->dir && is_group(g);
}

/* A folder, or below where a hierarchy is mounted. */
static bool find(const char *root, const char *path, struct fl_oom_group *g)
{
    struct oom_mounts mounts;
    if (set_dir(g, "", path))
        return true;
    oom_mounts(root, &mounts);
    return (*mounts.v1 && set_dir(g, mounts.v1, path)) ||
           (*mounts.v2 && set_dir(g, mounts.v2, path));
}

int fl_oom_group_open(const char *root, const char *path, const struct fl_meminfo *info,
                      struct fl_oom_group *out, struct fl_err *err)
{
    *out = (struct fl_oom_group){ .version = 0 };
    if (!find(root, path, out))
        return fl_fail(err, FL_EUSAGE,
                       "'%s' is no memory control group below its root; give its folder, or its "
                       "path as /proc/PID/cgroup has it",
                       path);
    if (out->version == 1)
        take_limits_v1(out, info->swap_bytes);
    else
        take_limits_v2(root, out, info->swap_bytes);
    out->has_limit = out->limit_bytes < info->ram_bytes;
    take_stat(out);
    int rc = take_pids(out, err);
    if (rc != FL_OK)
        fl_oom_group_close(out);
    return rc;
}

void fl_oom_group_close(struct fl_oom_group *group)
{
    free(group->pids);
    *group = (struct fl_oom_group){ .version = 0 };
}
