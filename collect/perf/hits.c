/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define TABLE_ROOM (4 * FL_HITS_NAMES) /* a power of two; at most a quarter is in use */
#define INDEX_MAX 65535u
#define NONE UINT32_MAX

struct name {
    uint64_t hash;
    uint32_t at, len; /* in the text of all */
};

struct seen {
    uint32_t id;    /* in the trace; NONE before the first hit */
    bool redacted;  /* its texts are left out */
    uint64_t count; /* of hits */
};

struct fl_hits {
    int (*emit)(void *ctx, const struct fl_event *ev, struct fl_err *err);
    void *ctx;
    bool redact;
    struct seen *seen; /* by the caller's index */
    uint32_t n_seen, n_probes;
    uint32_t *table; /* hash -> name + 1 */
    struct name *names;
    uint32_t n_names, room_names;
    char *text; /* of all names, each with a 0 */
    uint32_t text_bytes, text_room;
    struct fl_hits_counts counts;
};

struct fl_hits *fl_hits_new(int (*emit)(void *ctx, const struct fl_event *ev, struct fl_err *err),
                            void *ctx, bool redact)
{
    struct fl_hits *h = malloc(sizeof *h);
    if (!h)
        return NULL;
    *h = (struct fl_hits){ .emit = emit, .ctx = ctx, .redact = redact };
    h->table = calloc(TABLE_ROOM, sizeof *h->table);
    if (!h->table) {
        free(h);
        return NULL;
    }
    return h;
}

void fl_hits_free(struct fl_hits *h)
{
    if (!h)
        return;
    free(h->seen);
    free(h->table);
    free(h->names);
    free(h->text);
    free(h);
}

/* ---- names ------------------------------------------------------------------------ */

static uint32_t *slot_of(struct fl_hits *h, uint64_t hash, const char *text, size_t len)
{
    uint32_t i = (uint32_t)hash & (TABLE_ROOM - 1);
    for (; h->table[i]; i = (i + 1) & (TABLE_ROOM - 1)) {
        const struct name *n = &h->names[h->table[i] - 1];
        if (n->hash == hash && n->len == len && memcmp(h->text + n->at, text, len) == 0)
            break;
    }
    return &h->table[i];
}

static bool room_for_name(struct fl_hits *h, size_t len)
{
    if (h->n_names == h->room_names) {
        uint32_t want = h->room_names ? h->room_names * 2 : 256;
        struct name *grown = reallocarray(h->names, want, sizeof *grown);
        if (!grown)
            return false;
        h->names = grown;
        h->room_names = want;
    }
    while (len + 1 > h->text_room - h->text_bytes) {
        uint32_t want = h->text_room ? h->text_room * 2 : 65536;
        char *grown = realloc(h->text, want);
        if (!grown)
            return false;
        h->text = grown;
        h->text_room = want;
    }
    return true;
}

static int define_name(struct fl_hits *h, uint32_t *slot, uint64_t hash, const char *text,
                       size_t len, uint64_t time_ns, struct fl_err *err)
{
    if (!room_for_name(h, len))
        return fl_nomem(err, "names of kernel events");
    struct fl_event ev = { .kind = FL_EV_NAME, .thread = FL_NO_THREAD, .time_ns = time_ns };
    h->names[h->n_names] = (struct name){ hash, h->text_bytes, (uint32_t)len };
    memcpy(h->text + h->text_bytes, text, len);
    h->text[h->text_bytes + len] = 0;
    ev.name.name = h->n_names;
    ev.name.text = h->text + h->text_bytes;
    h->text_bytes += (uint32_t)len + 1;
    *slot = ++h->n_names;
    return h->emit(h->ctx, &ev, err);
}

static int intern(struct fl_hits *h, const char *text, size_t len, uint64_t time_ns, uint32_t *id,
                  struct fl_err *err)
{
    static const char more[] = "(more names)";
    uint64_t hash = XXH3_64bits(text, len);
    uint32_t *slot = slot_of(h, hash, text, len);
    int rc = FL_OK;
    if (!*slot && h->n_names < FL_HITS_NAMES - 1 &&
        len + sizeof more < FL_HITS_NAME_BYTES - h->text_bytes) {
        rc = define_name(h, slot, hash, text, len, time_ns, err);
    } else if (!*slot) {
        h->counts.other_names++;
        hash = XXH3_64bits(more, sizeof more - 1);
        slot = slot_of(h, hash, more, sizeof more - 1);
        if (!*slot)
            rc = define_name(h, slot, hash, more, sizeof more - 1, time_ns, err);
    }
    *id = *slot - 1;
    return rc;
}

int fl_hits_name(struct fl_hits *h, const char *text, uint64_t time_ns, uint32_t *id,
                 struct fl_err *err)
{
    return intern(h, text, strlen(text), time_ns, id, err);
}

/* ---- hits ------------------------------------------------------------------------- */

static int define_probe(struct fl_hits *h, struct seen *seen, const struct fl_tp_event *tp,
                        uint64_t time_ns, struct fl_err *err)
{
    char signature[FL_PROBE_NAME_BYTES + FL_HIT_VALUES * (FL_PROBE_FIELD_BYTES + 3)];
    int at = snprintf(signature, sizeof signature, "%s", tp->name);
    for (uint32_t i = 0; i < tp->n_fields; i++)
        at += snprintf(signature + at, sizeof signature - (size_t)at, " %s:%c", tp->fields[i].name,
                       tp->fields[i].type);
    struct fl_event ev = { .kind = FL_EV_PROBE, .thread = FL_NO_THREAD, .time_ns = time_ns };
    ev.probe.probe = seen->id = h->n_probes++;
    ev.probe.signature = signature;
    /* Names in kmem are those of slab caches and zones. */
    seen->redacted = h->redact && strncmp(tp->name, "kmem:", 5) != 0;
    return h->emit(h->ctx, &ev, err);
}

static int see(struct fl_hits *h, const struct fl_tp_event *tp, uint32_t index, uint64_t time_ns,
               struct fl_err *err)
{
    if (index > INDEX_MAX)
        return fl_fail(err, FL_EINTERNAL, "tracepoint %s has index %u", tp->name, index);
    if (index >= h->n_seen) {
        uint32_t want = index + 1 > 2 * h->n_seen ? index + 1 : 2 * h->n_seen;
        struct seen *grown = reallocarray(h->seen, want, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "kernel events");
        h->seen = grown;
        for (; h->n_seen < want; h->n_seen++)
            grown[h->n_seen] = (struct seen){ .id = NONE };
    }
    return h->seen[index].id == NONE ? define_probe(h, &h->seen[index], tp, time_ns, err) : FL_OK;
}

/* The fields of @hit as values of @ev, up to the first that the record does not hold. */
static int read_values(struct fl_hits *h, const struct fl_tp_event *tp, bool redacted,
                       const struct fl_raw_hit *hit, struct fl_event *ev, struct fl_err *err)
{
    for (uint32_t i = 0; i < tp->n_fields; i++) {
        const struct fl_tp_value *field = &tp->fields[i];
        const char *text;
        size_t len;
        uint32_t name;
        if (field->type != 's') {
            if (!fl_tp_number(hit->raw, hit->raw_bytes, field, &ev->hit.values[i]))
                break;
        } else {
            if (!fl_tp_text(hit->raw, hit->raw_bytes, field, &text, &len))
                break;
            int rc = intern(h, text, redacted ? 0 : len, hit->time_ns, &name, err);
            if (rc != FL_OK)
                return rc;
            ev->hit.values[i] = name;
        }
        ev->hit.n_values = i + 1;
    }
    return FL_OK;
}

int fl_hits_push(struct fl_hits *h, const struct fl_tp_event *tp, uint32_t index,
                 const struct fl_raw_hit *hit, struct fl_err *err)
{
    int rc = index < h->n_seen && h->seen[index].id != NONE ? FL_OK
                                                            : see(h, tp, index, hit->time_ns, err);
    if (rc != FL_OK)
        return rc;
    struct seen *seen = &h->seen[index];
    struct fl_event ev = { .kind = FL_EV_HIT, .thread = hit->thread, .time_ns = hit->time_ns };
    ev.hit.probe = seen->id;
    ev.hit.cpu = hit->cpu;
    ev.hit.tid = hit->tid;
    ev.hit.n_values = 0;
    rc = read_values(h, tp, seen->redacted, hit, &ev, err);
    if (rc != FL_OK)
        return rc;
    seen->count++;
    h->counts.hits++;
    h->counts.cut += tp->id != FL_TP_ID_BPF && ev.hit.n_values < tp->n_fields;
    return h->emit(h->ctx, &ev, err);
}

uint64_t fl_hits_count(const struct fl_hits *h, uint32_t index)
{
    return index < h->n_seen ? h->seen[index].count : 0;
}

struct fl_hits_counts fl_hits_counts(const struct fl_hits *h)
{
    return h->counts;
}
