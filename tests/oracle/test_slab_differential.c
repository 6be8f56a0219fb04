/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random allocations and frees on several CPUs: the slab model against its slow twin, and laws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "naive_slab.h"
#include "slab.h"

#define OBJECTS 20000

struct fix {
    struct slab_sys *sys;
    struct naive_slab_world *naive;
    uint64_t made, named, given_back;
    uint32_t id_of[NAIVE_SLABS]; /* the model's id of each slab ever made */
    uint32_t object[OBJECTS], n; /* slab, by its number, of each object in use */
    uint64_t seed, now_ns;
    bool sheaves;
};

static uint32_t rnd(struct fix *f, uint32_t below)
{
    f->seed = f->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(f->seed >> 33) % below;
}

static bool make(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    struct fix *f = arg;
    (void)cache, (void)order;
    *pages = f->made++;
    return true;
}

static void give_back(void *arg, uint32_t cache, uint32_t order, uint64_t pages)
{
    struct fix *f = arg;
    (void)cache, (void)order, (void)pages;
    f->given_back++;
}

static uint32_t listed(const struct naive_slab_world *w, uint32_t cpus, uint64_t *on_cpus)
{
    *on_cpus = 0;
    for (uint32_t i = 0; i < cpus; i++)
        *on_cpus += w->cpu[i].n;
    return w->node.n;
}

static void compare(struct fix *f, uint32_t cpus)
{
    const struct naive_slab_world *w = f->naive;
    struct slab_counts n = slab_counts(f->sys, 0);
    uint64_t slabs = 0, used = 0, on_cpus;
    char why[128];
    for (uint32_t i = 0; i < w->n_slabs; i++) {
        if (w->slab[i].gone)
            continue;
        struct slab_view v = slab_view(f->sys, f->id_of[i]);
        slabs++;
        used += w->slab[i].used;
        assert_int_equal(v.pages, i);
        assert_int_equal(v.objects - v.free, w->slab[i].used);
    }
    if (!slab_check(f->sys, why))
        fail_msg("%s", why);
    assert_int_equal(n.slabs, slabs);
    assert_int_equal(n.slabs, f->made - f->given_back);
    assert_int_equal(n.live, f->n);
    assert_int_equal(n.live + n.in_sheaves, used);
    assert_int_equal(n.place[SLAB_NODE_PARTIAL], listed(w, cpus, &on_cpus));
    assert_int_equal(n.place[SLAB_CPU_PARTIAL], on_cpus);
}

static void name_new(struct fix *f)
{
    for (; f->named < f->made; f->named++)
        for (uint32_t k = 0; k < slab_ids(f->sys); k++)
            if (slab_view(f->sys, k).place != SLAB_GONE && slab_view(f->sys, k).pages == f->named)
                f->id_of[f->named] = k;
}

static void one_alloc(struct fix *f, uint32_t cpu)
{
    uint32_t id, want;
    struct fl_err err;
    want = naive_slab_alloc(f->naive, cpu);
    assert_int_equal(slab_alloc(f->sys, 0, cpu, &id, &err), FL_OK);
    name_new(f);
    assert_int_equal(slab_view(f->sys, id).pages, want);
    f->object[f->n++] = want;
}

static void one_free(struct fix *f, uint32_t cpu)
{
    uint32_t i = rnd(f, 4) ? rnd(f, f->n) : f->n - 1;
    uint32_t slab = f->object[i];
    struct fl_err err;
    f->object[i] = f->object[--f->n];
    uint32_t way = f->sheaves ? rnd(f, 4) : 0;
    if (way == 2) {
        naive_slab_free_bulk(f->naive, cpu, slab);
        slab_free_bulk(f->sys, cpu, f->id_of[slab]);
    } else if (way == 3 && f->naive->n_flying < NAIVE_FLYING) {
        naive_slab_free_rcu(f->naive, cpu, slab, f->now_ns);
        assert_int_equal(slab_free_rcu(f->sys, cpu, f->id_of[slab], f->now_ns, &err), FL_OK);
    } else {
        naive_slab_free(f->naive, cpu, slab);
        assert_int_equal(slab_free(f->sys, cpu, f->id_of[slab], &err), FL_OK);
    }
}

/* Time goes on; a sheaf is lent for some allocations, or comes back. */
static void meanwhile(struct fix *f, uint32_t cpu)
{
    struct fl_err err;
    f->now_ns += rnd(f, 1000000);
    naive_slab_rcu_run(f->naive, f->now_ns);
    assert_int_equal(slab_rcu_run(f->sys, 0, f->now_ns, &err), FL_OK);
    if (f->naive->has_lent[cpu] && (rnd(f, 3) == 0 || !f->naive->lent[cpu].n)) {
        naive_slab_return(f->naive, cpu);
        assert_int_equal(slab_return(f->sys, 0, cpu, &err), FL_OK);
    } else if (rnd(f, 20) == 0) {
        naive_slab_lend(f->naive, cpu);
        assert_int_equal(slab_lend(f->sys, 0, cpu, &err), FL_OK);
    }
    name_new(f);
}

/* Nothing is taken after it: in which order the node's list is then is not said. */
static void shrink(struct fix *f, uint32_t cpus)
{
    slab_shrink(f->sys, 0);
    naive_slab_shrink(f->naive, cpus);
    compare(f, cpus);
    struct slab_counts n = slab_counts(f->sys, 0);
    assert_int_equal(n.in_sheaves, 0);
    assert_int_equal(n.place[SLAB_CURRENT] + n.place[SLAB_CPU_PARTIAL], 0);
    assert_int_equal(n.objects - n.free[SLAB_NODE_PARTIAL], f->n);
    for (uint32_t id = 0; id < slab_ids(f->sys); id++) {
        struct slab_view v = slab_view(f->sys, id);
        assert_true(v.place == SLAB_GONE || v.free < v.objects);
    }
}

static void sequence(uint64_t seed, uint32_t bytes, unsigned flags)
{
    struct fix *f = calloc(1, sizeof *f);
    const struct slab_pages pages = { make, give_back, f, false };
    struct slab_spec spec = { "x", bytes, 0, flags };
    struct slab_layout l;
    struct fl_err err;
    uint32_t cache, cpus = 1 + (uint32_t)(seed % NAIVE_CPUS), target = 0;
    f->seed = seed;
    f->sheaves = flags & SLAB_SHEAVES;
    f->naive = calloc(1, sizeof *f->naive);
    f->sys = slab_sys_new(cpus, &pages);
    assert_int_equal(slab_layout_of(&spec, cpus, &l, &err), FL_OK);
    assert_int_equal(slab_cache_add(f->sys, &l, &cache, &err), FL_OK);
    naive_slab_init(f->naive, &l);
    for (int step = 0; step < 6000 && f->naive->n_slabs < NAIVE_SLABS - 200; step++) {
        uint32_t cpu = rnd(f, cpus);
        if (f->sheaves)
            meanwhile(f, cpu);
        if (step % 500 == 0)
            target = rnd(f, l.objects * 60 + 1000);
        bool more = f->n < target ? rnd(f, 8) != 0 : rnd(f, 8) == 0;
        if ((more || !f->n) && f->n < OBJECTS)
            one_alloc(f, cpu);
        else
            one_free(f, cpu);
        if (rnd(f, 700) == 0) {
            slab_flush(f->sys, 0, cpu);
            naive_slab_flush(f->naive, cpu);
        }
        if (step % 50 == 0)
            compare(f, cpus);
    }
    if (seed % 2)
        shrink(f, cpus);
    while (f->n)
        one_free(f, rnd(f, cpus));
    compare(f, cpus);
    for (uint32_t i = 0; i < cpus; i++) {
        slab_flush(f->sys, 0, i);
        naive_slab_flush(f->naive, i);
    }
    for (uint32_t i = 0; i < cpus; i++) /* what one CPU's sheaves gave to another's slabs */
        slab_flush(f->sys, 0, i), naive_slab_flush(f->naive, i);
    compare(f, cpus);
    if (!(flags & SLAB_SHEAVES)) /* all is free: the node keeps what it may, and nothing else */
        assert_true(slab_counts(f->sys, 0).slabs <= l.min_partial);
    shrink(f, cpus);
    assert_int_equal(slab_counts(f->sys, 0).slabs, 0);
    slab_sys_free(f->sys);
    free(f->naive);
    free(f);
}

static void random_sequences_agree_with_the_twin(void **state)
{
    static const uint32_t sizes[] = { 40, 64, 192, 256, 1120, 2112, 5840 };
    (void)state;
    for (uint64_t seed = 1; seed <= 28; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        sequence(seed, sizes[seed % 7], seed % 3 ? 0 : SLAB_SHEAVES);
    }
}

static bool refuse_large(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    (void)arg, (void)cache;
    *pages = 7;
    return order == 0;
}

static bool refuse(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    (void)arg, (void)cache, (void)order, (void)pages;
    return false;
}

static void no_large_pages_gives_the_smallest_slab(void **state)
{
    struct fix f = { 0 };
    struct slab_pages pages = { refuse_large, give_back, &f, false };
    struct slab_layout l;
    struct fl_err err;
    struct slab_spec spec = { "x", 1000, 0, 0 };
    uint32_t cache, id;
    (void)state;
    assert_int_equal(slab_layout_of(&spec, 2, &l, &err), FL_OK);
    assert_int_not_equal(l.order, 0);
    struct slab_sys *s = slab_sys_new(1, &pages);
    assert_int_equal(slab_cache_add(s, &l, &cache, &err), FL_OK);
    assert_int_equal(slab_alloc(s, cache, 0, &id, &err), FL_OK);
    assert_int_equal(slab_view(s, id).objects, 4);
    slab_sys_free(s);
    pages.alloc = refuse;
    s = slab_sys_new(1, &pages);
    assert_int_equal(slab_cache_add(s, &l, &cache, &err), FL_OK);
    assert_int_equal(slab_alloc(s, cache, 0, &id, &err), FL_OK);
    assert_int_equal(id, SLAB_NONE);
    slab_sys_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences_agree_with_the_twin),
        cmocka_unit_test(no_large_pages_gives_the_smallest_slab),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
