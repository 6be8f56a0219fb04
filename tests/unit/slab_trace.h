/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Traces of slab events, written by hand. Behind cmocka.h. */
#ifndef TESTS_SLAB_TRACE_H
#define TESTS_SLAB_TRACE_H

#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_slab.h>

/* Names are 0 dentry, 1 filp; probes as below. */
struct rec {
    struct fl_writer *w;
    uint64_t time_ns;
};

enum { CACHE_ALLOC, CACHE_FREE, KMALLOC, KFREE, PAGE_ALLOC, PAGE_FREE };

#define SLAB_A UINT64_C(0xffff888100000000)
#define SLAB_B UINT64_C(0xffff888100001000)
#define SLAB_C UINT64_C(0xffff888100002000)

static inline void emit(struct rec *r, const struct fl_event *ev)
{
    struct fl_err err;
    struct fl_event at = *ev;
    at.time_ns = r->time_ns++;
    assert_int_equal(fl_writer_event(r->w, &at, &err), FL_OK);
}

static inline void snapshot(struct rec *r, uint32_t moment, const char *text)
{
    struct fl_event ev = { .kind = FL_EV_SNAPSHOT, .thread = FL_NO_THREAD };
    ev.snapshot.moment = moment;
    ev.snapshot.text = text;
    emit(r, &ev);
}

static inline void hit(struct rec *r, uint32_t probe, uint32_t cpu, uint32_t n,
                       const int64_t *values)
{
    struct fl_event ev = { .kind = FL_EV_HIT, .thread = FL_NO_THREAD };
    ev.hit.probe = probe;
    ev.hit.cpu = cpu;
    ev.hit.n_values = n;
    memcpy(ev.hit.values, values, n * sizeof *values);
    emit(r, &ev);
}

static inline void get(struct rec *r, uint32_t cpu, int64_t name, uint64_t ptr)
{
    hit(r, CACHE_ALLOC, cpu, 4, (const int64_t[]){ (int64_t)ptr, name, name ? 184 : 192, 192 });
}

static inline void put(struct rec *r, uint32_t cpu, int64_t name, uint64_t ptr)
{
    hit(r, CACHE_FREE, cpu, 2, (const int64_t[]){ (int64_t)ptr, name });
}

#define MAP UINT64_C(0xffff888000000000) /* where page frame 0 is seen */

static inline void take_page(struct rec *r, uint32_t cpu, uint64_t at, int64_t type)
{
    hit(r, PAGE_ALLOC, cpu, 4, (const int64_t[]){ (int64_t)((at - MAP) >> 12), 0, 0x52cc0, type });
}

static inline void give_page(struct rec *r, uint32_t cpu, uint64_t at)
{
    hit(r, PAGE_FREE, cpu, 2, (const int64_t[]){ (int64_t)((at - MAP) >> 12), 0 });
}

#define INFO(dentries, dslabs, filps, fslabs)                                 \
    "slabinfo\n# name\n"                                                      \
    "dentry " dentries " 192 21 1 : tunables 0 0 0 : slabdata " dslabs " 0\n" \
    "filp " filps " 192 21 1 : tunables 0 0 0 : slabdata " fslabs " 0\n"      \
    "kmalloc-64 0 0 64 64 1 : tunables 0 0 0 : slabdata 0 0 0\n"

static inline void begin(struct rec *r, const char *info)
{
    static const char *const signatures[] = {
        "kmem:kmem_cache_alloc ptr:u name:s bytes_req:u bytes_alloc:u",
        "kmem:kmem_cache_free ptr:u name:s",
        "kmem:kmalloc ptr:u bytes_req:u bytes_alloc:u gfp_flags:u",
        "kmem:kfree ptr:u",
        "kmem:mm_page_alloc pfn:u order:u gfp_flags:u migratetype:i",
        "kmem:mm_page_free pfn:u order:u",
    };
    struct fl_meta *meta = fl_meta_new();
    struct fl_err err;
    r->time_ns = 0;
    assert_int_equal(fl_meta_set(meta, "host.cpus", "2", &err), FL_OK);
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, meta, NULL, &r->w, &err), FL_OK);
    fl_meta_free(meta);
    if (info)
        snapshot(r, FL_SNAPSHOT_START, info);
    for (uint32_t i = 0; i < 2; i++) {
        struct fl_event ev = { .kind = FL_EV_NAME, .thread = FL_NO_THREAD };
        ev.name.name = i;
        ev.name.text = i ? "filp" : "dentry";
        emit(r, &ev);
    }
    for (uint32_t i = 0; i < 6; i++) {
        struct fl_event ev = { .kind = FL_EV_PROBE, .thread = FL_NO_THREAD };
        ev.probe.probe = i;
        ev.probe.signature = signatures[i];
        emit(r, &ev);
    }
}

static inline int replay(struct rec *r, struct fl_slab_replay *out, struct fl_err *err)
{
    void *bytes;
    size_t len;
    struct fl_reader *reader;
    assert_int_equal(fl_writer_close(r->w, &bytes, &len, err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &reader, err), FL_OK);
    int rc = fl_slab_replay(reader, out, err);
    fl_reader_free(reader);
    free(bytes);
    return rc;
}

static inline const struct fl_slab_row *row(const struct fl_slab_replay *x, const char *name)
{
    for (size_t i = 0; i < x->n_rows; i++)
        if (strcmp(x->rows[i].name, name) == 0)
            return &x->rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static inline void fill(struct rec *r, uint32_t cpu, int64_t name, uint64_t slab, uint32_t n)
{
    for (uint64_t i = 0; i < n; i++)
        get(r, cpu, name, slab + i * 192);
}

#define NEXT (SLAB_A + UINT64_C(8) * 4096)

#endif
