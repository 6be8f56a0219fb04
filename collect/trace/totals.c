/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

static const char *const field_names[FL_TOTALS_FIELDS] = {
    "reads",       "writes",         "fetches",      "syscall_reads", "syscall_writes",
    "runs",        "events",         "faults_minor", "faults_major",  "faults_unknown",
    "lost_events", "distinct_pages", "processes",    "threads",       "address_spaces",
    "files",       "duration_ns",
};

/* In the order of docs/trace-format.md, "END block". */
static void to_fields(uint64_t f[FL_TOTALS_FIELDS], const struct fl_totals *t)
{
    const uint64_t v[FL_TOTALS_FIELDS] = {
        t->reads,       t->writes,         t->fetches,      t->syscall_reads, t->syscall_writes,
        t->runs,        t->events,         t->faults_minor, t->faults_major,  t->faults_unknown,
        t->lost_events, t->distinct_pages, t->processes,    t->threads,       t->address_spaces,
        t->files,       t->duration_ns,
    };
    for (size_t i = 0; i < FL_TOTALS_FIELDS; i++)
        f[i] = v[i];
}

void fl_end_encode(struct fl_buf *out, uint32_t blocks, const struct fl_totals *totals,
                   const struct fl_meta *meta)
{
    uint64_t f[FL_TOTALS_FIELDS];
    to_fields(f, totals);
    fl_buf_put_le(out, blocks, 4);
    fl_buf_put_le(out, FL_TOTALS_FIELDS, 4);
    for (size_t i = 0; i < FL_TOTALS_FIELDS; i++)
        fl_buf_put_le(out, f[i], 8);
    fl_meta_encode(out, meta);
}

int fl_end_decode(const uint8_t *p, size_t len, uint32_t *blocks, struct fl_totals *t,
                  struct fl_meta *meta, struct fl_err *err)
{
    struct fl_cur c = { .p = p, .end = p + len };
    uint64_t f[FL_TOTALS_FIELDS];
    *blocks = (uint32_t)fl_cur_le(&c, 4);
    uint64_t n = fl_cur_le(&c, 4);
    if (n < FL_TOTALS_FIELDS || n > 1024)
        return fl_fail(err, FL_EFORMAT, "malformed END block");
    for (size_t i = 0; i < FL_TOTALS_FIELDS; i++)
        f[i] = fl_cur_le(&c, 8);
    fl_cur_bytes(&c, (size_t)(n - FL_TOTALS_FIELDS) * 8); /* totals of later versions */
    if (c.bad || f[12] > UINT32_MAX || f[13] > UINT32_MAX || f[14] > UINT32_MAX ||
        f[15] > UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "malformed END block");
    *t = (struct fl_totals){
        .reads = f[0],
        .writes = f[1],
        .fetches = f[2],
        .syscall_reads = f[3],
        .syscall_writes = f[4],
        .runs = f[5],
        .events = f[6],
        .faults_minor = f[7],
        .faults_major = f[8],
        .faults_unknown = f[9],
        .lost_events = f[10],
        .distinct_pages = f[11],
        .processes = (uint32_t)f[12],
        .threads = (uint32_t)f[13],
        .address_spaces = (uint32_t)f[14],
        .files = (uint32_t)f[15],
        .duration_ns = f[16],
    };
    return meta ? fl_meta_decode(&c, meta, err) : FL_OK;
}

const char *fl_totals_differ(const struct fl_totals *a, const struct fl_totals *b,
                             uint64_t *value_a, uint64_t *value_b)
{
    uint64_t fa[FL_TOTALS_FIELDS], fb[FL_TOTALS_FIELDS];
    to_fields(fa, a);
    to_fields(fb, b);
    for (size_t i = 0; i < FL_TOTALS_FIELDS; i++) {
        if (fa[i] == fb[i])
            continue;
        *value_a = fa[i];
        *value_b = fb[i];
        return field_names[i];
    }
    return NULL;
}

void fl_totals_event(struct fl_totals *t, const struct fl_event *ev)
{
    t->events++;
    t->duration_ns = ev->time_ns;
    if (ev->kind == FL_EV_PROCESS)
        t->processes++;
    else if (ev->kind == FL_EV_LOST)
        t->lost_events += ev->lost.count;
    else if (ev->kind == FL_EV_FAULT && (ev->fault.flags & FL_FAULT_MAJOR))
        t->faults_major++;
    else if (ev->kind == FL_EV_FAULT && (ev->fault.flags & FL_FAULT_MINOR))
        t->faults_minor++;
    else if (ev->kind == FL_EV_FAULT)
        t->faults_unknown++;
}

uint64_t fl_totals_runs(struct fl_totals *t, const struct fl_runs *runs)
{
    uint64_t r = 0, w = 0, f = 0;
    for (size_t i = 0; i < runs->n; i++) {
        r += runs->reads[i];
        w += runs->writes[i];
        f += runs->fetches[i];
    }
    t->runs += runs->n;
    if (runs->actor == FL_ACTOR_KERNEL) {
        t->syscall_reads += r;
        t->syscall_writes += w;
        return 0;
    }
    t->reads += r;
    t->writes += w;
    t->fetches += f;
    return r + w + f;
}
