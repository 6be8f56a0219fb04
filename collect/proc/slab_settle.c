/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Object caches that the kernel has just shrunk: all that is free lies on the node's list then, and what is there can be told. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include <faultline/proc.h>
#include <faultline/slab_peek.h>

#include "proc_text.h"
#include "slab_folder.h"

#define TRIES 4
/* callbacks of RCU run so soon after its grace period, when there are few */
#define SOON_NS 5000000
#define ROUNDS 8

/* A folder, and what is written of it. */
struct settled {
    char *folder;
    char *line;   /* for each of its names; NULL: its numbers cannot be read */
    char *slabs;  /* for the cache's own name; NULL: they are not told */
    size_t cache; /* that one's number in settling.peek */
};

struct settling {
    int at;
    uint32_t moment;
    uint64_t start_ns;
    struct fl_slab_peek *peek; /* NULL: the kernel's memory is not to be read */
    char **folders;            /* of each of its caches */
    size_t n_folders;
    struct settled *v;
    size_t n, room;
    bool slow; /* those with sheaves have their turn */
    bool any_slow;
    unsigned long long in_use; /* objects of these, this time */
};

/* ---- one cache -------------------------------------------------------------------------- */

static uint64_t now_ns(const struct settling *s)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec - s->start_ns;
}

static char *settled_line(const struct slab_values *v, uint64_t from_ns, uint64_t to_ns)
{
    char *lists = slab_values_line(v), *line = NULL;
    if (lists && asprintf(&line, "%s settled %" PRIu64 " %" PRIu64 " %llu %llu %llu", lists,
                          from_ns, to_ns, slab_values_sum(v, SLAB_SLABS),
                          slab_values_sum(v, SLAB_TOTAL), slab_values_sum(v, SLAB_ACTIVE)) < 0)
        line = NULL;
    free(lists);
    return line;
}

/* " AT=FREE AT=FREE"; NULL: no memory. */
static char *slabs_line(const struct fl_slab_peek_list *list)
{
    struct text_lines l;
    text_lines_open(&l);
    for (uint32_t i = 0; l.out && i < list->n; i++)
        fprintf(l.out, " %" PRIx64 "=%" PRIu32, list->v[i].at,
                list->v[i].objects - list->v[i].in_use);
    if (l.out && fclose(l.out) != 0) {
        free(l.text);
        return NULL;
    }
    return l.out ? l.text : NULL;
}

/* Nothing moved while it was read if it has as many free objects as the cache's numbers say. */
static bool is_right(const struct fl_slab_peek_list *list, const struct slab_values *v)
{
    uint64_t free = 0, all = slab_values_sum(v, SLAB_TOTAL) - slab_values_sum(v, SLAB_ACTIVE);
    for (uint32_t i = 0; i < list->n; i++)
        free += list->v[i].objects - list->v[i].in_use;
    return list->whole ? free == all && list->n == slab_values_sum(v, SLAB_PARTIAL) : free < all;
}

/* Until nothing was handed out between shrinking and reading, or a few times. */
static bool settle_folder(struct settling *s, const struct slab_folder *f, struct settled *out)
{
    struct fl_slab_peek_list list;
    struct slab_values v;
    uint64_t from = 0;
    bool peek = out->cache < s->n_folders, told = true, peeked = false, idle = false;
    for (int i = 0; i < TRIES && told && !idle; i++) {
        if (!slab_folder_shrink(f, out->folder))
            return i > 0;
        from = now_ns(s);
        peeked = peek && fl_slab_peek_read(s->peek, out->cache, &list);
        told = slab_folder_read(f, &v);
        peeked = peeked && told && is_right(&list, &v);
        idle = told && slab_values_idle(&v) && peeked == peek;
    }
    out->line = told ? settled_line(&v, from, now_ns(s)) : NULL;
    s->in_use += told && f->sheaves ? slab_values_sum(&v, SLAB_ACTIVE) : 0;
    out->slabs = idle && peeked && list.n ? slabs_line(&list) : NULL;
    return true;
}

/* ---- all of them ------------------------------------------------------------------------- */

static void free_settled(struct settled *x)
{
    free(x->folder);
    free(x->line);
    free(x->slabs);
}

/* The last time counts. */
static int keep(struct settling *s, struct settled *x, struct fl_err *err)
{
    for (size_t i = 0; s->slow && i < s->n; i++)
        if (strcmp(s->v[i].folder, x->folder) == 0) {
            free_settled(&s->v[i]);
            s->v[i] = *x;
            return FL_OK;
        }
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        struct settled *v = reallocarray(s->v, room, sizeof *v);
        if (!v) {
            free_settled(x);
            return fl_nomem(err, "object caches");
        }
        s->v = v;
        s->room = room;
    }
    s->v[s->n++] = *x;
    return FL_OK;
}

/* Caches with sheaves are shrunk once more at least, when what goes back by way of RCU is back. */
static int settle_cache(struct settling *s, const char *name, struct fl_err *err)
{
    struct slab_folder f = slab_folder_open(s->at, name);
    struct settled x = { .folder = strdup(name) };
    bool done = false;
    if (!x.folder) {
        slab_folder_close(&f);
        return fl_nomem(err, "object caches");
    }
    while (x.cache < s->n_folders && strcmp(s->folders[x.cache], name) != 0)
        x.cache++;
    if (f.sheaves == s->slow)
        done = settle_folder(s, &f, &x);
    else if (f.sheaves)
        s->any_slow |= slab_folder_shrink(&f, name);
    slab_folder_close(&f);
    if (done)
        return keep(s, &x, err);
    free_settled(&x);
    return FL_OK;
}

static int settle_all(struct settling *s, DIR *caches, struct fl_err *err)
{
    struct dirent *d;
    int rc = FL_OK;
    rewinddir(caches);
    while (rc == FL_OK && (d = readdir(caches)))
        if (d->d_name[0] != '.' && d->d_type != DT_LNK)
            rc = settle_cache(s, d->d_name, err);
    return rc;
}

static void wait_for_rcu(void)
{
    const struct timespec soon = { 0, SOON_NS };
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    nanosleep(&soon, NULL);
}

/* Until nothing more came back: on a busy machine callbacks of RCU have to wait. */
static int settle_slow(struct settling *s, DIR *caches, struct fl_err *err)
{
    unsigned long long before = ULLONG_MAX;
    int rc = FL_OK;
    s->slow = true;
    for (int i = 0; i < ROUNDS && rc == FL_OK && s->in_use < before; i++) {
        before = i ? s->in_use : ULLONG_MAX;
        s->in_use = 0;
        wait_for_rcu();
        rc = settle_all(s, caches, err);
    }
    return rc;
}

/* The folder that @name is, or is a link to. NULL: no memory. */
static char *folder_of(int at, const char *name)
{
    char to[NAME_MAX + 1];
    ssize_t n = readlinkat(at, name, to, NAME_MAX);
    to[n > 0 ? n : 0] = 0;
    const char *slash = strrchr(to, '/');
    return strdup(slash ? slash + 1 : n > 0 ? to : name);
}

/* Lists are read of the machine's own caches alone, and where a replay begins with them. */
static void prepare_peek(struct settling *s, const char *root)
{
    bool wanted = s->moment == FL_SNAPSHOT_START && strcmp(root, FL_SLAB_ROOT) == 0;
    s->peek = wanted ? fl_slab_peek_open() : NULL;
    size_t n = s->peek ? fl_slab_peek_caches(s->peek) : 0;
    s->folders = calloc(n + 1, sizeof *s->folders);
    while (s->folders && s->n_folders < n &&
           (s->folders[s->n_folders] = folder_of(s->at, fl_slab_peek_name(s->peek, s->n_folders))))
        s->n_folders++;
}

/* ---- what is told ------------------------------------------------------------------------- */

static void put_lines(const struct settling *s, const char *name, FILE *out)
{
    char *folder = folder_of(s->at, name);
    for (size_t i = 0; folder && i < s->n; i++)
        if (s->v[i].line && strcmp(s->v[i].folder, folder) == 0)
            fprintf(out, "%s %s\n", name, s->v[i].line);
    free(folder);
}

static int emit_lists(const struct settling *s, DIR *caches, fl_proc_emit_fn *emit, void *ctx,
                      struct fl_err *err)
{
    struct dirent *d;
    struct text_lines l;
    text_lines_open(&l);
    rewinddir(caches);
    while (l.out && (d = readdir(caches)))
        if (slab_folder_named(d->d_name))
            put_lines(s, d->d_name, l.out);
    return text_lines_emit(&l, "slab_lists", s->moment, emit, ctx, err);
}

static int emit_slabs(const struct settling *s, fl_proc_emit_fn *emit, void *ctx,
                      struct fl_err *err)
{
    struct text_lines l;
    text_lines_open(&l);
    for (size_t i = 0; l.out && i < s->n; i++)
        if (s->v[i].slabs)
            fprintf(l.out, "%s%s\n", fl_slab_peek_name(s->peek, s->v[i].cache), s->v[i].slabs);
    return text_lines_emit(&l, "slab_partial", s->moment, emit, ctx, err);
}

static void forget(struct settling *s)
{
    for (size_t i = 0; i < s->n; i++)
        free_settled(&s->v[i]);
    for (size_t i = 0; i < s->n_folders; i++)
        free(s->folders[i]);
    free(s->v);
    free(s->folders);
    fl_slab_peek_close(s->peek);
}

int fl_slab_settle(const char *root, uint64_t start_ns, uint32_t moment, fl_proc_emit_fn *emit,
                   void *ctx, struct fl_err *err)
{
    DIR *caches = opendir(root);
    if (!caches)
        return fl_fail(err, FL_EMACHINE,
                       "%s is not there: the kernel has no SLUB_DEBUG; leave out --settle-slabs",
                       root);
    struct settling s = { .at = dirfd(caches), .moment = moment, .start_ns = start_ns };
    prepare_peek(&s, root);
    int rc = settle_all(&s, caches, err);
    if (rc == FL_OK && s.any_slow)
        rc = settle_slow(&s, caches, err);
    if (rc == FL_OK && !s.n)
        rc = fl_fail(err, FL_EMACHINE, "caches in %s cannot be shrunk; run as root", root);
    if (rc == FL_OK)
        rc = emit_lists(&s, caches, emit, ctx, err);
    if (rc == FL_OK)
        rc = emit_slabs(&s, emit, ctx, err);
    closedir(caches);
    forget(&s);
    return rc;
}
