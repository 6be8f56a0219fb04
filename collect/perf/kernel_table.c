/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of tracepoints that --kernel records. */
#include "kernel_table.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

/* In the order of --help. */
static const struct group {
    const char *name;
    bool plain; /* --kernel alone takes it */
} groups_of_kernel[] = {
    { "alloc", true }, { "slab", true },  { "reclaim", true },     { "readahead", true },
    { "lru", true },   { "files", true }, { "tlb", true },         { "oom", true },
    { "sched", true }, { "rss", false },  { "compaction", false }, { "all", false },
};

/*
 * Left out on purpose: kmem:mm_page_free_batched, which comes besides mm_page_free and would count
 * a page twice; migrate:*_migration_pte, one a page table entry, which mm_migrate_pages sums up.
 */
static const struct row {
    const char *group, *event; /* "system/event", or "system/" and a star for all of a system */
    bool older;                /* only older kernels have it, under this name: not missed */
    const char *why;
} rows[] = {
    { "alloc", "kmem/mm_page_alloc", false, "every allocation of pages: order, gfp, type" },
    { "alloc", "kmem/mm_page_free", false, "every free, those in batches too" },
    { "alloc", "kmem/mm_page_alloc_zone_locked", false, "the per-CPU lists did not have it" },
    { "alloc", "kmem/mm_page_pcpu_drain", false, "pages go back from the per-CPU lists" },
    { "alloc", "kmem/mm_page_alloc_extfrag", false, "taken from blocks of another type" },
    { "alloc", "kmem/mm_setup_per_zone_wmarks", false, "watermarks, when they change" },
    { "alloc", "kmem/mm_setup_per_zone_lowmem_reserve", false, "reserves, when they change" },
    { "alloc", "kmem/mm_calculate_totalreserve_pages", false, "their sum" },
    { "slab", "kmem/kmem_cache_alloc", false, "cache, bytes wanted and given" },
    { "slab", "kmem/kmem_cache_free", false, "its end" },
    { "slab", "kmem/kmalloc", false, "bytes wanted and given" },
    { "slab", "kmem/kfree", false, "its end" },
    { "slab", "kmem/mm_page_alloc", false, "pages for a new slab" },
    { "slab", "kmem/mm_page_free", false, "a slab's end" },
    { "slab", "kmem/kmem_cache_alloc_node", true, "kmem_cache_alloc before 6.1, on a node" },
    { "slab", "kmem/kmalloc_node", true, "kmalloc before 6.1, on a node" },
    { "reclaim", "vmscan/*", false, "kswapd, direct reclaim, scans, shrinkers, writes to swap" },
    { "reclaim", "writeback/folio_wait_writeback", false, "somebody waits for a page's I/O" },
    { "reclaim", "writeback/wait_on_page_writeback", true, "the same before 5.16" },
    { "readahead", "readahead/*", false, "read-ahead of files: where, how far" },
    { "lru", "pagemap/mm_lru_insertion", false, "a page enters a list: which, with what flags" },
    { "lru", "pagemap/mm_lru_activate", false, "a page moves to the active list" },
    { "files", "filemap/*", false, "the page cache: in, out, faults, reads" },
    { "tlb", "tlb/tlb_flush", false, "why and how many pages" },
    { "oom", "oom/*", false, "victims with their sizes, score changes, retries before" },
    { "sched", "sched/sched_switch", false, "who runs where; waits" },
    { "rss", "kmem/rss_stat", false, "a counter of resident or swapped pages changed" },
    { "compaction", "compaction/*", false, "what is scanned and moved for large pages" },
    { "compaction", "migrate/mm_migrate_pages_start", false, "why pages move" },
    { "compaction", "migrate/mm_migrate_pages", false, "how many did, how many did not" },
};

const char *fl_kernel_group_name(size_t i)
{
    return i < FL_COUNT(groups_of_kernel) ? groups_of_kernel[i].name : NULL;
}

/* ---- a list under construction ------------------------------------------------------ */

struct list {
    const char *root;
    struct fl_kernel_events *out;
    size_t room, missing_len;
};

/* Note that @event is not there. */
static int note_missing(struct list *l, const char *event, struct fl_err *err)
{
    size_t len = strlen(event);
    char *grown = realloc(l->out->missing, l->missing_len + len + 3);
    if (!grown)
        return fl_nomem(err, "kernel events");
    l->out->missing = grown;
    int n = sprintf(grown + l->missing_len, "%s%s", l->missing_len ? ", " : "", event);
    char *slash = strchr(grown + l->missing_len, '/');
    if (slash)
        *slash = ':';
    l->missing_len += (size_t)n;
    return FL_OK;
}

/* Has another group taken "system/event" already? */
static bool has(const struct fl_kernel_events *events, const char *event)
{
    size_t system = strcspn(event, "/");
    for (size_t i = 0; i < events->n; i++)
        if (strncmp(events->v[i].name, event, system) == 0 &&
            strcmp(events->v[i].name + system + 1, event + system + 1) == 0)
            return true;
    return false;
}

static int add(struct list *l, const char *event, bool older, struct fl_err *err)
{
    struct fl_kernel_events *out = l->out;
    struct fl_err why = { 0 };
    if (has(out, event))
        return FL_OK;
    char *format = fl_tp_read_format_at(l->root, event, &why);
    if (!format && (why.code != FL_EMACHINE || why.sys_errno != ENOENT)) {
        *err = why;
        return why.code;
    }
    if (!format)
        return older ? FL_OK : note_missing(l, event, err);
    if (out->n == l->room) {
        size_t want = l->room ? 2 * l->room : 32;
        struct fl_tp_event *grown = reallocarray(out->v, want, sizeof *grown);
        if (!grown) {
            free(format);
            return fl_nomem(err, "kernel events");
        }
        out->v = grown;
        l->room = want;
    }
    bool good = fl_tp_parse(event, format, &out->v[out->n]);
    free(format);
    if (!good)
        return note_missing(l, event, err);
    out->n++;
    return FL_OK;
}

static int is_event(const struct dirent *d)
{
    return d->d_name[0] != '.' && d->d_type != DT_REG; /* files there: enable, filter */
}

/* All of @system, by name. */
static int add_system(struct list *l, const char *pattern, struct fl_err *err)
{
    char system[64], path[4096];
    struct dirent **found;
    snprintf(system, sizeof system, "%.*s", (int)strcspn(pattern, "/"), pattern);
    snprintf(path, sizeof path, "%s/events/%s", l->root, system);
    int n = scandir(path, &found, is_event, alphasort), rc = FL_OK;
    if (n < 0 && errno == ENOENT)
        return note_missing(l, pattern, err);
    if (n < 0)
        return fl_fail(err, FL_EMACHINE, "%s is not readable; run as root", path);
    if (n == 0)
        rc = note_missing(l, pattern, err);
    for (int i = 0; i < n; i++) {
        char event[sizeof system + sizeof found[i]->d_name];
        snprintf(event, sizeof event, "%s/%s", system, found[i]->d_name);
        if (rc == FL_OK)
            rc = add(l, event, false, err);
        free(found[i]);
    }
    free(found);
    return rc;
}

/* ---- groups ------------------------------------------------------------------------- */

static bool among(const char *group, const char *list)
{
    size_t len = strlen(group);
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, group, n) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

static int check_groups(const char *list, struct fl_err *err)
{
    char names[256] = "";
    for (size_t i = 0, at = 0; fl_kernel_group_name(i); i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                               fl_kernel_group_name(i));
    for (const char *at = list; *at || at == list;) {
        size_t n = strcspn(at, ","), i = 0;
        while (i < FL_COUNT(groups_of_kernel) && (strlen(groups_of_kernel[i].name) != n ||
                                                  memcmp(groups_of_kernel[i].name, at, n) != 0))
            i++;
        if (i == FL_COUNT(groups_of_kernel))
            return fl_fail(err, FL_EUSAGE, "kernel events '%.*s' are not one of %s", (int)n, at,
                           names);
        at += n + (at[n] == ',');
    }
    return FL_OK;
}

static bool wanted(const struct group *group, const char *list)
{
    if (strcmp(group->name, "all") == 0)
        return false; /* it has no rows of its own */
    return list ? among("all", list) || among(group->name, list) : group->plain;
}

static int add_group(struct list *l, const struct group *group, struct fl_err *err)
{
    char *names = l->out->groups;
    size_t len = strlen(names);
    int rc = FL_OK;
    snprintf(names + len, sizeof l->out->groups - len, "%s%s", len ? "," : "", group->name);
    for (size_t i = 0; i < FL_COUNT(rows) && rc == FL_OK; i++)
        if (strcmp(rows[i].group, group->name) == 0)
            rc = strchr(rows[i].event, '*') ? add_system(l, rows[i].event, err)
                                            : add(l, rows[i].event, rows[i].older, err);
    return rc;
}

int fl_kernel_events(const char *root, const char *groups, struct fl_kernel_events *out,
                     struct fl_err *err)
{
    struct list l = { .root = root, .out = out };
    *out = (struct fl_kernel_events){ 0 };
    int rc = groups ? check_groups(groups, err) : FL_OK;
    if (rc == FL_OK && root)
        rc = fl_tp_root_ok(root, err);
    else if (rc == FL_OK && !(l.root = fl_tp_root(err)))
        rc = FL_EMACHINE;
    if (rc == FL_OK && !(out->missing = calloc(1, 1)))
        rc = fl_nomem(err, "kernel events");
    for (size_t i = 0; i < FL_COUNT(groups_of_kernel) && rc == FL_OK; i++)
        if (wanted(&groups_of_kernel[i], groups))
            rc = add_group(&l, &groups_of_kernel[i], err);
    if (rc == FL_OK && out->n == 0)
        rc = fl_fail(err, FL_EMACHINE, "this kernel has none of these events: %s; name others",
                     out->missing);
    if (rc != FL_OK)
        fl_kernel_events_free(out);
    return rc;
}

int fl_kernel_events_add(struct fl_kernel_events *events, const struct fl_tp_event *event,
                         struct fl_err *err)
{
    struct fl_tp_event *grown = reallocarray(events->v, events->n + 1, sizeof *grown);
    if (!grown)
        return fl_nomem(err, "kernel events");
    events->v = grown;
    events->v[events->n++] = *event;
    return FL_OK;
}

void fl_kernel_events_free(struct fl_kernel_events *events)
{
    free(events->v);
    free(events->missing);
    *events = (struct fl_kernel_events){ 0 };
}
