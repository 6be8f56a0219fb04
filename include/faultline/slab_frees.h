/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * slab_frees.h - objects that the kernel frees without passing a tracepoint: told by perf events all the same.
 *
 * kvfree_call_rcu() takes an object that RCU may still read (kfree_rcu), kmem_cache_free_bulk() many at once. A small BPF program at
 * the begin of each writes what it is given into the buffer of a perf event, in order with the tracepoints'.
 */
#ifndef FAULTLINE_SLAB_FREES_H
#define FAULTLINE_SLAB_FREES_H

#include <stdbool.h>
#include <stdint.h>

enum fl_slab_frees_kind {
    FL_SLAB_FREES_RCU,  /* a record: the object's address, 8 bytes */
    FL_SLAB_FREES_BULK, /* the cache's name, then as many addresses as the record has room for; a call has one record for so many of its objects */
    FL_SLAB_FREES_KINDS
};

#define FL_SLAB_FREES_NAME_BYTES 32 /* of the cache's name, cut there; empty: they are of several */
#define FL_SLAB_FREES_OBJECTS 15    /* in a record */

struct fl_slab_frees;

/**
 * fl_slab_frees_open - watch both functions; what they are given goes nowhere yet.
 * Returns: NULL when this kernel does not let us (no BTF, BPF or function tracer, no such function, no root).
 * Cost: 30 ms; then a record a call, or for each 15 objects of one.
 */
struct fl_slab_frees *fl_slab_frees_open(void);
void fl_slab_frees_close(struct fl_slab_frees *f); /* NULL is fine */

/**
 * fl_slab_frees_to - what CPU @cpu gives to the function @kind goes to the perf event @fd on that CPU: of type
 * PERF_COUNT_SW_BPF_OUTPUT, as the raw bytes of a sample. False: that failed.
 */
bool fl_slab_frees_to(struct fl_slab_frees *f, enum fl_slab_frees_kind kind, int cpu, int fd);

/**
 * fl_slab_frees_missed - calls that are not told: another of the same function was being told on that CPU, whose task
 * was stopped meanwhile. Since fl_slab_frees_open().
 */
uint64_t fl_slab_frees_missed(const struct fl_slab_frees *f);

#endif
