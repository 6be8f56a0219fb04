/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <faultline/proc.h>
#include <faultline/units.h>

#include "proc_file.h"
#include "proc_text.h"

static const char deleted[] = " (deleted)";

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

/* ---- a line ---------------------------------------------------------------------------- */

static bool take(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    ++*p;
    return true;
}

/* "rwxp", "---s". */
static bool take_mode(const char **p, const char *end, struct fl_proc_map *m)
{
    static const struct {
        char letter;
        uint32_t bit;
    } bits[] = { { 'r', FL_PROT_READ }, { 'w', FL_PROT_WRITE }, { 'x', FL_PROT_EXEC } };
    for (size_t i = 0; i < FL_COUNT(bits); i++)
        if (take(p, end, bits[i].letter))
            m->prot |= bits[i].bit;
        else if (!take(p, end, '-'))
            return false;
    if (take(p, end, 's'))
        m->flags |= FL_MAP_SHARED;
    else if (!take(p, end, 'p'))
        return false;
    return true;
}

/* Everything before the name; *@p is left at it. */
static bool parse_numbers(const char **p, const char *end, struct fl_proc_map *m)
{
    uint64_t major, minor;
    bool ok = text_number(p, end, 16, &m->start) && take(p, end, '-') &&
              text_number(p, end, 16, &m->end) && take(p, end, ' ') && take_mode(p, end, m) &&
              take(p, end, ' ') && text_number(p, end, 16, &m->offset) && take(p, end, ' ') &&
              text_number(p, end, 16, &major) && take(p, end, ':') &&
              text_number(p, end, 16, &minor) && take(p, end, ' ') &&
              text_number(p, end, 10, &m->ino);
    if (!ok || m->start >= m->end || ((m->start | m->end) & (FL_PAGE_BYTES - 1)) ||
        major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    m->dev = makedev((unsigned)major, (unsigned)minor);
    if (*p != end && **p != ' ')
        return false;
    while (take(p, end, ' '))
        continue;
    return true;
}

/* @name: room for what is in the line, and a NUL. */
static void decode_name(const char *p, const char *end, char *name)
{
    while (p < end) {
        if (end - p >= 4 && memcmp(p, "\\012", 4) == 0) {
            *name++ = '\n';
            p += 4;
        } else {
            *name++ = *p ? *p : '?';
            p++;
        }
    }
    *name = 0;
}

/* The kernel's own names for memory that is no file's. */
static const struct {
    const char *prefix;
    uint32_t flags;
} kernel_names[] = {
    { "/dev/zero (deleted)", FL_MAP_ANON }, /* shared anonymous memory */
    { "/anon_hugepage (deleted)", FL_MAP_ANON | FL_MAP_HUGETLB },
    { "[heap]", FL_MAP_ANON | FL_MAP_HEAP },
    { "[stack", FL_MAP_ANON | FL_MAP_STACK },
    { "[vdso", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[vvar", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[vsyscall]", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[uprobes]", FL_MAP_ANON | FL_MAP_SPECIAL },
    { "[", FL_MAP_ANON },
};

static void classify(char *name, struct fl_proc_map *m)
{
    m->name = name;
    m->has_file = *name != 0;
    if (!*name)
        m->flags |= FL_MAP_ANON;
    for (size_t i = 0; i < FL_COUNT(kernel_names); i++)
        if (starts(name, kernel_names[i].prefix)) {
            m->flags |= kernel_names[i].flags;
            m->has_file = false;
            return;
        }
    m->is_deleted = ends(name, deleted);
    if (starts(name, "/memfd:")) { /* a file without a place: its name is not a path */
        m->name = name + 1;
        m->is_deleted = false;
        if (ends(name, deleted))
            name[strlen(name) - strlen(deleted)] = 0;
    }
}

/* ---- a file ------------------------------------------------------------------------------- */

static char *line_room(char **name, size_t *room, size_t need)
{
    if (need <= *room)
        return *name;
    char *more = realloc(*name, need * 2);
    if (more)
        *name = more, *room = need * 2;
    return more;
}

/* What the mappings before have covered goes. Returns: false when nothing is left. */
static bool clip(struct fl_proc_map *m, uint64_t from)
{
    if (m->start >= from)
        return true;
    if (m->end <= from)
        return false;
    m->offset += m->has_file ? from - m->start : 0;
    m->start = from;
    return true;
}

int fl_proc_maps_parse(const char *text, size_t len, fl_proc_map_fn *fn, void *ctx,
                       size_t *malformed, struct fl_err *err)
{
    const char *end = text + len;
    char *name = NULL;
    size_t room = 0, bad = 0;
    uint64_t covered = 0;
    int rc = FL_OK;
    for (const char *p = text, *next; p < end && rc == FL_OK; p = next) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;
        next = newline ? newline + 1 : end;
        struct fl_proc_map m = { 0 };
        if (!newline || !parse_numbers(&p, stop, &m)) { /* a line without an end is cut short */
            bad++;
            continue;
        }
        if (!line_room(&name, &room, (size_t)(stop - p) + 1)) {
            rc = fl_nomem(err, "reading mappings");
            break;
        }
        decode_name(p, stop, name);
        classify(name, &m);
        if (!clip(&m, covered)) {
            bad++;
            continue;
        }
        covered = m.end;
        rc = fn(ctx, &m, err);
    }
    free(name);
    if (malformed)
        *malformed = bad;
    return rc;
}

int fl_proc_maps(const char *root, uint32_t pid, fl_proc_map_fn *fn, void *ctx, size_t *malformed,
                 struct fl_err *err)
{
    size_t len;
    char *text = proc_read((struct proc_at){ root, pid, 0, "maps" }, PROC_LARGE_BYTES, &len);
    if (malformed)
        *malformed = 0;
    if (!text)
        return proc_fail(err, pid, errno);
    int rc = fl_proc_maps_parse(text, len, fn, ctx, malformed, err);
    free(text);
    return rc;
}

/* ---- as people know them --------------------------------------------------------------------- */

char *fl_proc_map_label(const struct fl_proc_map *map, const struct fl_proc_stacks *stacks,
                        char *buf, size_t cap)
{
    uint32_t tid = fl_proc_stack_tid(map, stacks);
    uint64_t key = 0;
    const char *p = map->name + strlen("/SYSV");
    if (tid)
        snprintf(buf, cap, "[stack:%" PRIu32 "]", tid);
    else if (!*map->name)
        snprintf(buf, cap, "[anon]");
    else if (map->flags & FL_MAP_ANON && starts(map->name, "/dev/zero"))
        snprintf(buf, cap, "[shared anon]");
    else if (map->flags & FL_MAP_ANON && starts(map->name, "/anon_hugepage"))
        snprintf(buf, cap, "[anon huge]");
    else if (starts(map->name, "/SYSV") && text_number(&p, p + strlen(p), 16, &key))
        snprintf(buf, cap, "[sysv 0x%" PRIx64 "]", key);
    else
        snprintf(buf, cap, "%s", map->name);
    return buf;
}
