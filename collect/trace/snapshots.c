/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshots.c - files of /proc, joined from their pieces. */
#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>

#define TEXT_MAX_BYTES (UINT64_C(1) << 30)

struct entry {
    uint32_t pid, moment;
    uint64_t time_ns;
    size_t name, text, bytes; /* places in the text of all */
};

struct fl_snapshots {
    struct entry *entries;
    size_t n, room;
    char *text; /* name 0 contents 0 name 0 contents 0 ... */
    size_t text_bytes, text_room;
};

struct fl_snapshots *fl_snapshots_new(void)
{
    return calloc(1, sizeof(struct fl_snapshots));
}

void fl_snapshots_free(struct fl_snapshots *s)
{
    if (!s)
        return;
    free(s->entries);
    free(s->text);
    free(s);
}

static int reserve(struct fl_snapshots *s, size_t bytes, struct fl_err *err)
{
    if (bytes > TEXT_MAX_BYTES - s->text_bytes)
        return fl_fail(err, FL_EFORMAT, "snapshots of more than 1 GiB: no recorder writes that");
    size_t room = s->text_room ? s->text_room : 65536;
    while (room < s->text_bytes + bytes)
        room *= 2;
    if (room != s->text_room) {
        char *grown = realloc(s->text, room);
        if (!grown)
            return fl_nomem(err, "snapshots");
        s->text = grown;
        s->text_room = room;
    }
    if (s->n == s->room) {
        size_t want = s->room ? s->room * 2 : 32;
        struct entry *grown = reallocarray(s->entries, want, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "snapshots");
        s->entries = grown;
        s->room = want;
    }
    return FL_OK;
}

/* @len bytes and a 0 behind the text. Returns where they begin. */
static size_t append(struct fl_snapshots *s, const char *text, size_t len)
{
    size_t at = s->text_bytes;
    memcpy(s->text + at, text, len);
    s->text[at + len] = 0;
    s->text_bytes += len + 1;
    return at;
}

/* Is the piece named [@name, @name + @len) of the file before it? */
static bool goes_on(const struct fl_snapshots *s, const struct fl_event *ev, const char *name,
                    size_t len)
{
    const struct entry *last = s->n ? &s->entries[s->n - 1] : NULL;
    return last && last->pid == ev->snapshot.pid && last->moment == ev->snapshot.moment &&
           last->text - last->name == len + 1 && memcmp(s->text + last->name, name, len) == 0;
}

int fl_snapshots_event(struct fl_snapshots *s, const struct fl_event *ev, struct fl_err *err)
{
    if (ev->kind != FL_EV_SNAPSHOT)
        return FL_OK;
    const char *piece = ev->snapshot.text;
    size_t name_len = strcspn(piece, "\n");
    const char *body = piece + name_len + (piece[name_len] == '\n');
    size_t body_len = strlen(body);
    int rc = reserve(s, name_len + body_len + 2, err);
    if (rc != FL_OK)
        return rc;
    if (goes_on(s, ev, piece, name_len)) {
        s->text_bytes--; /* the 0 of the piece before */
        append(s, body, body_len);
        s->entries[s->n - 1].bytes += body_len;
        return FL_OK;
    }
    struct entry *e = &s->entries[s->n++];
    *e = (struct entry){ .pid = ev->snapshot.pid,
                         .moment = ev->snapshot.moment,
                         .time_ns = ev->time_ns,
                         .bytes = body_len };
    e->name = append(s, piece, name_len);
    e->text = append(s, body, body_len);
    return FL_OK;
}

size_t fl_snapshots_count(const struct fl_snapshots *s)
{
    return s->n;
}

struct fl_snapshot fl_snapshots_at(const struct fl_snapshots *s, size_t i)
{
    const struct entry *e = &s->entries[i];
    return (struct fl_snapshot){
        e->pid, e->moment, e->time_ns, s->text + e->name, s->text + e->text, e->bytes
    };
}

bool fl_snapshots_find(const struct fl_snapshots *s, uint32_t pid, uint32_t moment,
                       const char *name, struct fl_snapshot *out)
{
    for (size_t i = 0; i < s->n; i++) {
        *out = fl_snapshots_at(s, i);
        if (out->pid == pid && out->moment == moment && strcmp(out->name, name) == 0)
            return true;
    }
    *out = (struct fl_snapshot){ 0 };
    return false;
}
