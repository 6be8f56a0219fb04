/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allocator runs by itself, and somebody else is told its events alone, and how its lists stood at one moment: he must end with
 * as many slabs and objects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "slab_follow.h"
#include "slab_priv.h"

#define CPUS 2
#define BASE UINT64_C(0xffff888100000000)
#define EVENTS 20000
#define SLABS 20000
#define OBJECTS_MAX 128

struct told {
    enum { GOT, GAVE, TAKEN, GIVEN } kind;
    uint32_t cpu;
    uint64_t at;
};

struct world {
    struct slab_sys *sys;
    struct slab_info_row row;
    uint32_t cpu;
    uint64_t made; /* slabs, each at an address of its own */
    bool used[SLABS][OBJECTS_MAX];
    struct told told[EVENTS];
    uint32_t n_told;
    struct {
        uint32_t id;
        uint64_t at;
    } object[EVENTS];
    uint32_t n_objects;
    uint64_t seed;
};

static uint32_t rnd(struct world *w, uint32_t below)
{
    w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w->seed >> 33) % below;
}

static uint64_t slab_at(const struct world *w, uint64_t slab)
{
    return BASE + slab * (UINT64_C(4096) << w->row.order);
}

static void tell(struct world *w, int kind, uint32_t cpu, uint64_t at)
{
    assert_true(w->n_told < EVENTS);
    w->told[w->n_told++] = (struct told){ kind, cpu, at };
}

static bool make(void *arg, uint32_t cache, uint32_t order, uint64_t *pages)
{
    struct world *w = arg;
    (void)cache, (void)order;
    assert_true(w->made < SLABS);
    *pages = w->made++;
    tell(w, TAKEN, w->cpu, slab_at(w, *pages));
    return true;
}

static void give_back(void *arg, uint32_t cache, uint32_t order, uint64_t pages)
{
    struct world *w = arg;
    (void)cache, (void)order;
    tell(w, GIVEN, 0, slab_at(w, pages));
}

/* ---- the allocator ------------------------------------------------------------------------ */

static void get(struct world *w, uint32_t cpu)
{
    uint32_t id, i;
    struct fl_err err;
    w->cpu = cpu;
    assert_int_equal(slab_alloc(w->sys, 0, cpu, &id, &err), FL_OK);
    uint64_t slab = slab_view(w->sys, id).pages;
    do
        i = rnd(w, w->row.objects);
    while (w->used[slab][i]);
    w->used[slab][i] = true;
    w->object[w->n_objects].id = id;
    w->object[w->n_objects].at = slab_at(w, slab) + (uint64_t)i * w->row.size;
    tell(w, GOT, cpu, w->object[w->n_objects++].at);
}

static void give(struct world *w, uint32_t cpu)
{
    uint32_t k = rnd(w, w->n_objects), id = w->object[k].id;
    uint64_t at = w->object[k].at, slab = slab_view(w->sys, id).pages;
    struct fl_err err;
    w->used[slab][(at - slab_at(w, slab)) / w->row.size] = false;
    w->object[k] = w->object[--w->n_objects];
    tell(w, GAVE, cpu, at);
    assert_int_equal(slab_free(w->sys, cpu, id, &err), FL_OK);
}

static void steps(struct world *w, uint32_t n, uint32_t target)
{
    for (uint32_t i = 0; i < n; i++) {
        bool more = w->n_objects < target ? rnd(w, 8) != 0 : rnd(w, 8) == 0;
        if (more || !w->n_objects)
            get(w, rnd(w, CPUS));
        else
            give(w, rnd(w, CPUS));
    }
}

/* As the kernel shrinks: all to the node, no empty slab; then what its list holds is told. */
static void settle(struct world *w)
{
    const struct slab_cache *c = &w->sys->caches[0];
    slab_shrink(w->sys, 0);
    struct slab_counts n = slab_counts(w->sys, 0);
    assert_int_equal(n.place[SLAB_CURRENT] + n.place[SLAB_CPU_PARTIAL] + n.in_sheaves, 0);
    w->row.state =
        (struct fl_slab_state){ n.objects - n.free[SLAB_NODE_PARTIAL], n.slabs, n.objects };
    w->row.partial = c->node.n;
    w->row.since_ns = w->n_told + 1;
    w->row.waiting = calloc(CPUS, sizeof *w->row.waiting);
    w->row.list = calloc(c->node.n + 1, sizeof *w->row.list);
    for (uint32_t id = c->node.head; id != SLAB_NONE; id = w->sys->slabs[id].next)
        w->row.list[w->row.n_list++] =
            (struct slab_listed){ slab_at(w, slab_view(w->sys, id).pages) + w->row.size,
                                  slab_view(w->sys, id).free };
}

/* ---- who is told ---------------------------------------------------------------------------- */

static struct slab_past look_back(const struct world *w, const struct slab_info *info)
{
    struct slab_past_pass *p = slab_past_begin(info, CPUS, true);
    struct fl_err err;
    for (uint32_t i = 0; i < w->n_told; i++) {
        const struct told *t = &w->told[i];
        slab_past_time(p, i + 1);
        if (t->kind == GOT)
            assert_int_equal(slab_past_alloc(p, 0, t->cpu, t->at, &err), FL_OK);
        else if (t->kind == GAVE)
            assert_int_equal(slab_past_release(p, 0, t->at, &err), FL_OK);
        else
            assert_int_equal(slab_past_pages(p, t->at, t->kind == TAKEN, &err), FL_OK);
    }
    return slab_past_end(p);
}

/* All that is told; after the first @until, what there is, and what there is when it has been shrunk, which pages told of. */
static void follow(const struct world *w, uint32_t until, struct fl_slab_row *out)
{
    struct slab_info_row row = w->row;
    struct slab_info info = { &row, 1 };
    struct slab_past past = look_back(w, &info);
    struct slab_follow *f = slab_follow_new(&info, &past, CPUS, true);
    struct fl_err err;
    for (uint32_t i = 0; i < w->n_told; i++) {
        const struct told *t = &w->told[i];
        uint32_t cache = 0;
        bool known;
        if (i == until)
            slab_follow_look(f, 0, out);
        assert_int_equal(slab_follow_time(f, i + 1, &err), FL_OK);
        if (t->kind == GOT && slab_follow_begun(f, 0))
            assert_int_equal(slab_follow_alloc(f, 0, t->cpu, t->at, &err), FL_OK);
        else if (t->kind == GAVE)
            assert_int_equal(slab_follow_release(f, &cache, t->cpu, t->at, &known, &err), FL_OK);
        else if (t->kind == GIVEN)
            slab_follow_pages(f, t->at);
        else if (t->kind == TAKEN)
            slab_follow_taken(f, t->cpu, t->at, w->row.order, true);
    }
    if (until == w->n_told)
        slab_follow_look(f, 0, out);
    assert_int_equal(slab_follow_settle(f, 0, &out->predicted_settled, &err), FL_OK);
    slab_follow_free(f);
    slab_past_free(&past);
}

/* Returns: whether all is the same; else it is not far from it. */
static bool run(uint64_t seed, const char *name, uint32_t size, uint32_t order)
{
    struct world *w = calloc(1, sizeof *w);
    const struct slab_pages pages = { make, give_back, w, false };
    struct fl_slab_row row = { 0 };
    struct fl_err err;
    uint32_t cache;
    struct slab_layout l = slab_layout_sized(size, order, slab_objects(order, size));
    l.flags |= strcmp(name, "maple_node") == 0 ? SLAB_SHEAVES : 0;
    w->seed = seed;
    w->row = (struct slab_info_row){ .size = size, .order = order, .objects = l.objects };
    strcpy(w->row.name, name);
    w->sys = slab_sys_new(CPUS, &pages);
    assert_int_equal(slab_cache_add(w->sys, &l, &cache, &err), FL_OK);
    steps(w, 1500, 300 + rnd(w, 400));
    steps(w, 800, 200);
    w->n_told = 0; /* here the recording begins, */
    steps(w, rnd(w, 600), 250);
    settle(w); /* and here it is known how all stands */
    steps(w, 1000 + rnd(w, 3000), 100 + rnd(w, 900));
    steps(w, rnd(w, 3000), rnd(w, 500));
    struct slab_counts n = slab_counts(w->sys, 0);
    uint32_t until = w->n_told;
    slab_shrink(w->sys, 0);
    follow(w, until, &row);
    assert_int_equal(row.unseen_allocs, 0);
    assert_int_equal(row.unseen_frees, 0);
    uint64_t active = n.objects - n.free[SLAB_NODE_PARTIAL];
    bool same = row.predicted.slabs == n.slabs && row.predicted.objects == active;
    assert_in_range(row.predicted.slabs + 1, n.slabs, n.slabs + 2);
    assert_in_range(row.predicted.objects + l.objects, active, active + 2 * l.objects);
    assert_int_equal(row.predicted_settled.slabs, slab_counts(w->sys, 0).slabs);
    assert_int_equal(row.predicted_settled.objects, w->n_objects);
    free(w->row.list);
    free(w->row.waiting);
    slab_sys_free(w->sys);
    free(w);
    return same;
}

static void who_is_told_events_alone_ends_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        assert_true(run(seed, "dentry", 192, 0));
        assert_true(run(seed, "kmalloc-4k", 4096, 3));
        assert_true(run(seed, "lsm_file_cache", 32, 0));
    }
}

/* Of which slab the objects are that a sheaf was filled with shows when they are handed out: on another CPU, it may be too late. */
static void sheaves_are_followed_too(void **state)
{
    uint32_t same = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        same += run(seed, "maple_node", 256, 0);
    }
    assert_true(same == 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_told_events_alone_ends_the_same),
        cmocka_unit_test(sheaves_are_followed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
