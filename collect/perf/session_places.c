/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_places.c - the functions and call chains that faults and samples come from. */
#include <string.h>

#include "perf_map.h"
#include "session.h"

#define CHAIN_MAX 128u

static int emit_now(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct session *s = ctx;
    struct fl_event timed = *ev;
    timed.time_ns = fl_tree_now(s->tree);
    return fl_session_emit(s, &timed, err);
}

int fl_session_places_open(struct session *s, struct fl_err *err)
{
    const struct fl_places_opts opts = { .emit = emit_now, .ctx = s, .redact = s->opts->redact };
    if (s->opts->no_locations)
        return FL_OK;
    s->places = fl_places_new(&opts);
    return s->places ? FL_OK : fl_nomem(err, "symbols");
}

static int on_space(void *ctx, uint32_t pid, uint32_t mm, uint32_t from, struct fl_err *err)
{
    struct session *s = ctx;
    int rc = FL_OK;
    if (from == mm)
        rc = fl_places_share(s->places, mm, err);
    else if (from != FL_NO_MM)
        rc = fl_places_fork(s->places, mm, from, err);
    return rc == FL_OK ? fl_places_process(s->places, mm, pid, err) : rc;
}

static void on_space_left(void *ctx, uint32_t mm)
{
    struct session *s = ctx;
    fl_places_drop(s->places, mm);
}

static int on_mapped(void *ctx, const struct fl_event *map, const struct fl_perf_rec *rec,
                     struct fl_err *err)
{
    struct session *s = ctx;
    const struct fl_place_map place = {
        .space = map->map.mm,
        .file = map->map.file,
        .start = map->map.start,
        .length = map->map.length,
        .offset = map->map.offset,
        .path = rec->mmap.path,
        .dev = fl_map_dev(rec),
        .ino = rec->mmap.ino,
    };
    return fl_places_map(s->places, &place, err);
}

/* Addresses of the chain without the marks between kernel's and user's. The kernel's own part is
   left out of it when it is asked for; where it was is one frame. */
static size_t plain_chain(const struct fl_perf_rec *rec, uint64_t ips[CHAIN_MAX])
{
    size_t n = 0;
    if (rec->access.n_chain && fl_perf_in_kernel(rec))
        ips[n++] = rec->access.ip;
    for (uint64_t i = 0; i < rec->access.n_chain && n < CHAIN_MAX; i++) {
        uint64_t ip;
        memcpy(&ip, rec->access.chain + 8 * i, sizeof ip);
        if (ip < PERF_CONTEXT_MAX)
            ips[n++] = ip;
    }
    return n;
}

static int on_place(void *ctx, uint32_t mm, uint32_t thread, const struct fl_perf_rec *rec,
                    uint32_t *code, uint32_t *stack, struct fl_err *err)
{
    struct session *s = ctx;
    uint64_t ips[CHAIN_MAX];
    size_t n = plain_chain(rec, ips);
    if (n) {
        struct fl_place place;
        int rc = fl_places_chain(s->places, mm, ips, n, thread, &place, err);
        if (rc == FL_OK) {
            *code = place.code;
            *stack = place.stack;
        }
        return rc;
    }
    if (!rec->access.ip)
        return FL_OK;
    return fl_places_code(s->places, fl_places_find(s->places, mm, rec->access.ip), thread, code,
                          err);
}

void fl_session_places_io(struct session *s, struct fl_tree_io *io)
{
    if (!s->places)
        return;
    io->space = on_space;
    io->space_left = on_space_left;
    io->mapped = on_mapped;
    io->place = on_place;
}
