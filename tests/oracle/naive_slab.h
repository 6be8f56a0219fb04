/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * naive_slab.h - slow twin of the slab allocator, from docs/slab.md: every list an array of slabs that
 * is searched and shifted, every slab with its objects one by one.
 */
#ifndef ORACLE_NAIVE_SLAB_H
#define ORACLE_NAIVE_SLAB_H

#include "slab_layout.h"

#define NAIVE_SLABS 4096
#define NAIVE_CPUS 4
#define NAIVE_FLYING 64
#define NAIVE_NONE UINT32_MAX

struct naive_slab_list {
    uint32_t at[NAIVE_SLABS], n; /* at[0]: the head */
};

struct naive_sheaf {
    uint32_t at[SLAB_SHEAF_OBJECTS], n;
};

struct naive_slab_world {
    struct slab_layout l;
    uint32_t n_slabs; /* slabs ever made: they are numbered in that order */
    struct {
        bool gone;
        uint32_t used, on_cpu_list, objects; /* on_cpu_list: free ones that only its CPU sees */
        uint32_t owner;                      /* whose current one it is; NAIVE_NONE */
    } slab[NAIVE_SLABS];
    struct naive_slab_list node, cpu[NAIVE_CPUS];
    uint32_t current[NAIVE_CPUS];
    struct naive_sheaf main[NAIVE_CPUS], spare[NAIVE_CPUS], full[10];
    struct naive_sheaf lent[NAIVE_CPUS], rcu[NAIVE_CPUS];
    bool has_spare[NAIVE_CPUS], has_lent[NAIVE_CPUS], has_rcu[NAIVE_CPUS];
    uint32_t n_full, n_empty;
    struct {
        struct naive_sheaf sheaf;
        uint64_t since_ns;
        uint32_t cpu;
    } flying[NAIVE_FLYING];
    uint32_t n_flying;
};

void naive_slab_init(struct naive_slab_world *w, const struct slab_layout *l);
/** naive_slab_alloc - the number of the slab that the object is from. */
uint32_t naive_slab_alloc(struct naive_slab_world *w, uint32_t cpu);
void naive_slab_free(struct naive_slab_world *w, uint32_t cpu, uint32_t slab);
/* As slab.h has them. */
void naive_slab_lend(struct naive_slab_world *w, uint32_t cpu);
void naive_slab_return(struct naive_slab_world *w, uint32_t cpu);
void naive_slab_free_bulk(struct naive_slab_world *w, uint32_t cpu, uint32_t slab);
void naive_slab_free_rcu(struct naive_slab_world *w, uint32_t cpu, uint32_t slab, uint64_t now_ns);
void naive_slab_rcu_run(struct naive_slab_world *w, uint64_t now_ns);
void naive_slab_flush(struct naive_slab_world *w, uint32_t cpu);
void naive_slab_shrink(struct naive_slab_world *w, uint32_t cpus);

#endif
