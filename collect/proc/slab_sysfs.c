/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /sys/kernel/slab: a folder for each object cache, and links to it by the names of those that share it. */
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

#include "proc_text.h"
#include "slab_folder.h"

#define TRIES 4
#define SOON_NS 5000000 /* callbacks of RCU run so soon after its grace period */

/* ---- where slabs wait ------------------------------------------------------------------ */

static bool has_own_name(const char *name)
{
    return name[0] != '.' && name[0] != ':'; /* these have links of their names */
}

static void put_line(FILE *out, int at, const char *cache)
{
    struct slab_folder f = slab_folder_open(at, cache);
    struct slab_values v;
    char *line = slab_folder_read(&f, &v) ? slab_values_line(&v) : NULL;
    if (line)
        fprintf(out, "%s %s\n", cache, line);
    free(line);
    slab_folder_close(&f);
}

/* To the trace what @out has gathered. */
static int emit_lines(FILE *out, char **text, const size_t *len, uint32_t moment,
                      fl_proc_emit_fn *emit, void *ctx, struct fl_err *err)
{
    int rc = FL_OK;
    if (!out || fclose(out) != 0)
        rc = fl_nomem(err, "a snapshot of " FL_SLAB_ROOT);
    else if (*len)
        rc = text_pieces("slab_lists", *text, *len, 0, moment, emit, ctx, err);
    free(*text);
    return rc;
}

int fl_slab_lists(const char *root, uint32_t moment, fl_proc_emit_fn *emit, void *ctx,
                  struct fl_err *err)
{
    DIR *caches = opendir(root);
    struct dirent *d;
    char *text = NULL;
    size_t len = 0;
    if (!caches)
        return FL_OK;
    FILE *out = open_memstream(&text, &len);
    while (out && (d = readdir(caches)))
        if (has_own_name(d->d_name))
            put_line(out, dirfd(caches), d->d_name);
    closedir(caches);
    return emit_lines(out, &text, &len, moment, emit, ctx, err);
}

/* ---- settling -------------------------------------------------------------------------- */

/* Folders, and the lines that are written for each of their names. */
struct settled {
    char *folder, *line; /* line: NULL: its numbers cannot be read */
};

struct settling {
    int at;
    uint64_t start_ns;
    struct settled *v;
    size_t n, room, done;
    bool slow; /* those with sheaves have their turn */
    bool any_slow;
};

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

/* Until nothing was handed out between shrinking and reading, or a few times. */
static bool settle_folder(struct settling *s, const struct slab_folder *f, const char *name,
                          char **line)
{
    struct slab_values v;
    uint64_t from = 0;
    bool told = true, idle = false;
    for (int i = 0; i < TRIES && told && !idle; i++) {
        if (!slab_folder_shrink(f, name))
            return i > 0;
        from = now_ns(s);
        told = slab_folder_read(f, &v);
        idle = told && slab_values_idle(&v);
    }
    *line = told ? settled_line(&v, from, now_ns(s)) : NULL;
    return true;
}

static int keep(struct settling *s, const char *folder, char *line, struct fl_err *err)
{
    char *name = strdup(folder);
    if (name && s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        struct settled *v = reallocarray(s->v, room, sizeof *v);
        s->v = v ? v : s->v;
        s->room = v ? room : s->room;
    }
    if (!name || s->n == s->room) {
        free(name);
        free(line);
        return fl_nomem(err, "object caches");
    }
    s->v[s->n++] = (struct settled){ name, line };
    return FL_OK;
}

/* Caches with sheaves are shrunk twice, so that what goes back by way of RCU is back the second time. */
static int settle_cache(struct settling *s, const char *name, struct fl_err *err)
{
    struct slab_folder f = slab_folder_open(s->at, name);
    char *line = NULL;
    bool done = false;
    if (f.sheaves == s->slow)
        done = settle_folder(s, &f, name, &line);
    else if (f.sheaves)
        s->any_slow |= slab_folder_shrink(&f, name);
    slab_folder_close(&f);
    s->done += done;
    return done ? keep(s, name, line, err) : FL_OK;
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

static void put_settled(const struct settling *s, const char *name, FILE *out)
{
    char to[NAME_MAX + 1];
    ssize_t n = readlinkat(s->at, name, to, NAME_MAX);
    to[n > 0 ? n : 0] = 0;
    const char *slash = strrchr(to, '/'), *folder = slash ? slash + 1 : n > 0 ? to : name;
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].line && strcmp(s->v[i].folder, folder) == 0)
            fprintf(out, "%s %s\n", name, s->v[i].line);
}

static void wait_for_rcu(void)
{
    const struct timespec soon = { 0, SOON_NS };
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    nanosleep(&soon, NULL);
}

static void forget(struct settling *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].folder);
        free(s->v[i].line);
    }
    free(s->v);
}

int fl_slab_settle(const char *root, uint64_t start_ns, fl_proc_emit_fn *emit, void *ctx,
                   struct fl_err *err)
{
    DIR *caches = opendir(root);
    struct dirent *d;
    char *text = NULL;
    size_t len = 0;
    if (!caches)
        return fl_fail(err, FL_EMACHINE,
                       "%s is not there: the kernel has no SLUB_DEBUG; leave out --settle-slabs",
                       root);
    struct settling s = { .at = dirfd(caches), .start_ns = start_ns };
    int rc = settle_all(&s, caches, err);
    if (rc == FL_OK && s.any_slow) {
        wait_for_rcu();
        s.slow = true;
        rc = settle_all(&s, caches, err);
    }
    if (rc == FL_OK && !s.done)
        rc = fl_fail(err, FL_EMACHINE, "caches in %s cannot be shrunk; run as root", root);
    FILE *out = rc == FL_OK ? open_memstream(&text, &len) : NULL;
    rewinddir(caches);
    while (out && (d = readdir(caches)))
        if (has_own_name(d->d_name))
            put_settled(&s, d->d_name, out);
    closedir(caches);
    forget(&s);
    return rc == FL_OK ? emit_lines(out, &text, &len, FL_SNAPSHOT_START, emit, ctx, err) : rc;
}
