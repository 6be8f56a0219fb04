/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * evcodec.c - event records. One table of fields per kind serves both directions,
 * so that what is written and what is read cannot drift apart.
 */
#include <string.h>

#include "wire.h"

enum slot_type {
    SLOT_U32,
    SLOT_U64,
    SLOT_I32,     /* zigzag */
    SLOT_I64,     /* zigzag */
    SLOT_ID,      /* u32 whose UINT32_MAX means none: stored + 1, none as 0 */
    SLOT_LATE_ID, /* an ID that was added to a kind later: left out at the record's end when none */
    SLOT_TEXT,
};

struct slot {
    enum slot_type type;
    void *at;
};

#define SLOTS_MAX (4 + FL_HIT_VALUES)

/* Fields of @ev in the order of docs/trace-format.md; 0 with *known false: foreign kind. */
static size_t event_slots(struct fl_event *ev, struct slot s[SLOTS_MAX], bool *known)
{
    size_t n = 0;
#define ADD(slot_kind, field) (s[n++] = (struct slot){ SLOT_##slot_kind, &(field) })
    *known = true;
    switch (ev->kind) {
    case FL_EV_PROCESS:
        ADD(U32, ev->process.pid), ADD(U32, ev->process.ppid), ADD(U32, ev->process.mm);
        ADD(ID, ev->process.copied_mm), ADD(I32, ev->process.oom_score_adj);
        ADD(TEXT, ev->process.comm);
        break;
    case FL_EV_THREAD: ADD(U32, ev->thread_start.pid), ADD(U32, ev->thread_start.tid); break;
    case FL_EV_THREAD_EXIT: break;
    case FL_EV_EXEC: ADD(U32, ev->exec.pid), ADD(U32, ev->exec.mm), ADD(TEXT, ev->exec.path); break;
    case FL_EV_EXIT: ADD(U32, ev->exit.pid), ADD(I32, ev->exit.status); break;
    case FL_EV_COMM:
        ADD(U32, ev->comm.pid), ADD(U32, ev->comm.tid), ADD(TEXT, ev->comm.comm);
        break;
    case FL_EV_OOM_ADJ: ADD(U32, ev->oom_adj.pid), ADD(I32, ev->oom_adj.oom_score_adj); break;
    case FL_EV_FILE:
        ADD(U32, ev->file.file), ADD(U64, ev->file.dev), ADD(U64, ev->file.ino);
        ADD(U64, ev->file.size_bytes), ADD(TEXT, ev->file.path);
        break;
    case FL_EV_MAP:
        ADD(U32, ev->map.mm), ADD(U32, ev->map.prot), ADD(U32, ev->map.flags);
        ADD(ID, ev->map.file), ADD(U64, ev->map.start), ADD(U64, ev->map.length);
        ADD(U64, ev->map.offset);
        break;
    case FL_EV_UNMAP:
        ADD(U32, ev->unmap.mm), ADD(U64, ev->unmap.start), ADD(U64, ev->unmap.length);
        break;
    case FL_EV_PROTECT:
        ADD(U32, ev->protect.mm), ADD(U32, ev->protect.prot), ADD(U64, ev->protect.start);
        ADD(U64, ev->protect.length);
        break;
    case FL_EV_REMAP:
        ADD(U32, ev->remap.mm), ADD(U64, ev->remap.old_start), ADD(U64, ev->remap.old_length);
        ADD(U64, ev->remap.new_start), ADD(U64, ev->remap.new_length);
        break;
    case FL_EV_ADVISE:
        ADD(U32, ev->advise.mm), ADD(U32, ev->advise.advice), ADD(U64, ev->advise.start);
        ADD(U64, ev->advise.length);
        break;
    case FL_EV_SIGNAL: ADD(U32, ev->signal.signo), ADD(U64, ev->signal.address); break;
    case FL_EV_FAULT:
        ADD(U64, ev->fault.address), ADD(U64, ev->fault.ip), ADD(U32, ev->fault.flags);
        ADD(LATE_ID, ev->fault.code), ADD(LATE_ID, ev->fault.stack);
        break;
    case FL_EV_LOST: ADD(U64, ev->lost.count); break;
    case FL_EV_FILE_IO:
        ADD(U32, ev->file_io.file), ADD(U32, ev->file_io.op), ADD(U32, ev->file_io.flags);
        ADD(U64, ev->file_io.offset), ADD(U64, ev->file_io.length);
        break;
    case FL_EV_RESIDENT:
        ADD(U32, ev->resident.file), ADD(U32, ev->resident.read_ahead_pages);
        ADD(U64, ev->resident.offset), ADD(U64, ev->resident.length);
        break;
    case FL_EV_LOCK:
        ADD(U32, ev->lock.mm), ADD(U32, ev->lock.mode), ADD(U64, ev->lock.start);
        ADD(U64, ev->lock.length);
        break;
    case FL_EV_CODE:
        ADD(U32, ev->code.code), ADD(ID, ev->code.file), ADD(U64, ev->code.offset);
        ADD(TEXT, ev->code.name);
        break;
    case FL_EV_NAME: ADD(U32, ev->name.name), ADD(TEXT, ev->name.text); break;
    case FL_EV_PROBE: ADD(U32, ev->probe.probe), ADD(TEXT, ev->probe.signature); break;
    case FL_EV_HIT: /* and its values, whose number is the last of these */
        ADD(U32, ev->hit.probe), ADD(U32, ev->hit.cpu), ADD(U32, ev->hit.tid);
        ADD(U32, ev->hit.n_values);
        break;
    case FL_EV_SNAPSHOT:
        ADD(U32, ev->snapshot.pid), ADD(U32, ev->snapshot.moment), ADD(TEXT, ev->snapshot.text);
        break;
    case FL_EV_PRESENT:
        ADD(U32, ev->present.mm), ADD(U32, ev->present.state), ADD(U64, ev->present.start);
        ADD(U64, ev->present.length);
        break;
    case FL_EV_STACK:
        ADD(U32, ev->stack.stack), ADD(ID, ev->stack.parent), ADD(U32, ev->stack.code);
        break;
    case FL_EV_SAMPLE:
        ADD(U32, ev->sample.event), ADD(U32, ev->sample.flags), ADD(U64, ev->sample.address);
        ADD(U64, ev->sample.ip), ADD(U64, ev->sample.period), ADD(U64, ev->sample.data_source);
        ADD(U64, ev->sample.weight), ADD(U64, ev->sample.physical), ADD(ID, ev->sample.code);
        ADD(ID, ev->sample.stack);
        break;
    default: *known = false;
    }
#undef ADD
    return n;
}

/* The values of a hit, whose number is known by now. */
static size_t hit_slots(struct fl_event *ev, struct slot s[SLOTS_MAX], size_t n)
{
    for (uint32_t i = 0; i < ev->hit.n_values && i < FL_HIT_VALUES; i++)
        s[n++] = (struct slot){ SLOT_I64, &ev->hit.values[i] };
    return n;
}

const char *fl_event_name(enum fl_event_kind kind)
{
    static const char *const names[] = {
        [FL_EV_PROCESS] = "process",
        [FL_EV_THREAD] = "thread",
        [FL_EV_THREAD_EXIT] = "thread-exit",
        [FL_EV_EXEC] = "exec",
        [FL_EV_EXIT] = "exit",
        [FL_EV_COMM] = "comm",
        [FL_EV_OOM_ADJ] = "oom-adj",
        [FL_EV_FILE] = "file",
        [FL_EV_MAP] = "map",
        [FL_EV_UNMAP] = "unmap",
        [FL_EV_PROTECT] = "protect",
        [FL_EV_REMAP] = "remap",
        [FL_EV_ADVISE] = "advise",
        [FL_EV_SIGNAL] = "signal",
        [FL_EV_FAULT] = "fault",
        [FL_EV_LOST] = "lost",
        [FL_EV_FILE_IO] = "file-io",
        [FL_EV_RESIDENT] = "resident",
        [FL_EV_LOCK] = "lock",
        [FL_EV_CODE] = "code",
        [FL_EV_NAME] = "name",
        [FL_EV_PROBE] = "probe",
        [FL_EV_HIT] = "hit",
        [FL_EV_SNAPSHOT] = "snapshot",
        [FL_EV_PRESENT] = "present",
        [FL_EV_STACK] = "stack",
        [FL_EV_SAMPLE] = "sample",
    };
    size_t i = (size_t)kind;
    return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}

static size_t varint_len(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7)
        n++;
    return n;
}

static uint64_t slot_value(const struct slot *s)
{
    if (s->type == SLOT_U64)
        return *(const uint64_t *)s->at;
    if (s->type == SLOT_I32)
        return fl_zigzag(*(const int32_t *)s->at);
    if (s->type == SLOT_I64)
        return fl_zigzag(*(const int64_t *)s->at);
    uint32_t v = *(const uint32_t *)s->at;
    return s->type == SLOT_ID || s->type == SLOT_LATE_ID ? (uint32_t)(v + 1) : v;
}

int fl_event_encode(struct fl_buf *out, const struct fl_event *event, uint64_t last_time_ns,
                    struct fl_err *err)
{
    struct fl_event ev = *event;
    struct slot slots[SLOTS_MAX];
    uint64_t values[SLOTS_MAX] = { 0 };
    bool known;
    size_t n = event_slots(&ev, slots, &known);
    if (!known)
        return fl_fail(err, FL_EUSAGE, "event kind %u is not one of event.h", (unsigned)ev.kind);
    if (ev.kind == FL_EV_HIT) {
        if (ev.hit.n_values > FL_HIT_VALUES)
            return fl_fail(err, FL_EUSAGE, "a hit of %u values; the limit is %u", ev.hit.n_values,
                           FL_HIT_VALUES);
        n = hit_slots(&ev, slots, n);
    }
    while (n && slots[n - 1].type == SLOT_LATE_ID && *(uint32_t *)slots[n - 1].at == UINT32_MAX)
        n--;
    uint64_t delta = ev.time_ns - last_time_ns;
    uint32_t thread = ev.thread + 1; /* FL_NO_THREAD wraps to 0 */
    size_t size = varint_len(delta) + varint_len(thread), text_len = 0;
    const char *text = NULL;
    for (size_t i = 0; i < n; i++) {
        if (slots[i].type != SLOT_TEXT) {
            values[i] = slot_value(&slots[i]);
        } else {
            text = *(const char *const *)slots[i].at;
            text_len = text ? strlen(text) : 0;
            if (text_len > FL_STRING_MAX)
                return fl_fail(err, FL_EUSAGE, "a name of %zu bytes in a %s event; the limit is %u",
                               text_len, fl_event_name(ev.kind), FL_STRING_MAX);
            values[i] = text_len;
            size += text_len;
        }
        size += varint_len(values[i]);
    }
    fl_buf_put_u8(out, (uint8_t)ev.kind);
    fl_buf_put_varint(out, size);
    fl_buf_put_varint(out, delta);
    fl_buf_put_varint(out, thread);
    for (size_t i = 0; i < n; i++) {
        fl_buf_put_varint(out, values[i]);
        if (slots[i].type == SLOT_TEXT)
            fl_buf_put(out, text, text_len);
    }
    return out->oom ? fl_nomem(err, "trace block") : FL_OK;
}

static void read_slot(struct fl_cur *c, const struct slot *s, char *text)
{
    if (s->type == SLOT_TEXT) {
        uint64_t len = fl_cur_varint(c);
        const uint8_t *p = len <= FL_STRING_MAX ? fl_cur_bytes(c, (size_t)len) : NULL;
        if (!p || memchr(p, 0, (size_t)len)) {
            c->bad = true;
            len = 0;
        } else {
            memcpy(text, p, (size_t)len);
        }
        text[len] = '\0';
        *(const char **)s->at = text;
    } else if (s->type == SLOT_U64) {
        *(uint64_t *)s->at = fl_cur_varint(c);
    } else if (s->type == SLOT_I32) {
        int64_t v = fl_unzigzag(fl_cur_varint(c));
        if (v < INT32_MIN || v > INT32_MAX)
            c->bad = true;
        *(int32_t *)s->at = (int32_t)v;
    } else if (s->type == SLOT_I64) {
        *(int64_t *)s->at = fl_unzigzag(fl_cur_varint(c));
    } else if (s->type == SLOT_LATE_ID) {
        *(uint32_t *)s->at = fl_cur_left(c) ? fl_cur_varint32(c) - 1 : UINT32_MAX;
    } else {
        uint32_t v = fl_cur_varint32(c);
        *(uint32_t *)s->at = s->type == SLOT_ID ? v - 1 : v;
    }
}

int fl_event_decode(struct fl_cur *c, struct fl_event *ev, uint64_t last_time_ns, char *text,
                    struct fl_err *err)
{
    struct slot slots[SLOTS_MAX];
    bool known;
    const uint8_t *kind = fl_cur_bytes(c, 1);
    uint64_t size = fl_cur_varint(c);
    const uint8_t *body = size <= fl_cur_left(c) ? fl_cur_bytes(c, (size_t)size) : NULL;
    if (!kind || !body)
        return fl_fail(err, FL_EFORMAT, "an event record is cut off");
    struct fl_cur in = { .p = body, .end = body + size };
    *ev = (struct fl_event){ .kind = (enum fl_event_kind) * kind };
    uint64_t delta = fl_cur_varint(&in);
    ev->thread = fl_cur_varint32(&in) - 1;
    ev->time_ns = last_time_ns + delta;
    if (in.bad || ev->time_ns < last_time_ns)
        return fl_fail(err, FL_EFORMAT, "malformed event record");
    size_t n = event_slots(ev, slots, &known);
    for (size_t i = 0; i < n; i++)
        read_slot(&in, &slots[i], text);
    if (ev->kind == FL_EV_HIT && ev->hit.n_values <= FL_HIT_VALUES)
        for (size_t all = hit_slots(ev, slots, n); n < all; n++)
            read_slot(&in, &slots[n], text);
    else if (ev->kind == FL_EV_HIT)
        in.bad = true;
    if (in.bad)
        return fl_fail(err, FL_EFORMAT, "malformed %s event", fl_event_name(ev->kind));
    return known ? 1 : 0; /* bytes left over are fields of a later version */
}
