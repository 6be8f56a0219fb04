/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings in which the kernel shrank its caches: each starts from what it had then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "slab_trace.h"

/*
 * dentry is settled at 100 ns: two slabs, A and B, with five and four free objects, all on the node's list, which CPU 0 then takes
 * along. What came before only tells which: A came new, and C has gone since; slabinfo's numbers are older.
 */
static void settled_cache_starts_when_it_was(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, NULL);
    snapshot(&r, FL_SNAPSHOT_START, "slab_lists\ndentry 2 0 settled 100 120 2 42 33\n");
    snapshot(&r, FL_SNAPSHOT_START, INFO("63 63", "3 3", "0 0", "0 0"));
    fill(&r, 0, 0, SLAB_A, 18);
    put(&r, 0, 0, SLAB_A); /* free at 100: 19, 20, 21 and this */
    put(&r, 0, 0, SLAB_C);
    put(&r, 1, 0, SLAB_A + 192);
    r.time_ns = 100;
    get(&r, 0, 0, SLAB_B);
    put(&r, 0, 0, SLAB_A + 384);
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *d = row(&out, "dentry");
    assert_int_equal(d->allocs, 1);
    assert_int_equal(d->frees, 1);
    assert_int_equal(d->start.slabs, 2);
    assert_int_equal(d->start.objects, 33);
    assert_int_equal(d->predicted.slabs, 2);
    assert_int_equal(d->predicted.objects, 42); /* CPU 0 has both slabs */
    assert_int_equal(d->unseen_frees, 0);
    assert_int_equal(d->unseen_allocs, 0);
    fl_slab_replay_free(&out);
}

/*
 * Five partly used slabs that no event is of, on the node's list in another order than by use; CPU 0 takes the first, and along with it
 * as many as the rules say: four stay, or three. A kfree finds its slab, though nothing else is known of it.
 */
static uint64_t active_of_listed(const char *list, uint64_t *unknown_frees)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    begin(&r, NULL);
    snapshot(&r, FL_SNAPSHOT_START,
             "slab_lists\nkmalloc-4k 5 0 settled 100 120 6 48 33\nodd 1 0 settled 1 2 1 1 1\n");
    snapshot(&r, FL_SNAPSHOT_START, list);
    snapshot(&r, FL_SNAPSHOT_START,
             "slabinfo\nkmalloc-4k 40 48 4096 8 8 : tunables 0 0 0 : slabdata 6 6 0\n");
    r.time_ns = 200;
    hit(&r, KMALLOC, 0, 4, (const int64_t[]){ (int64_t)(SLAB_A + 4096), 4096, 4096, 0xcc0 });
    hit(&r, KFREE, 0, 1, (const int64_t[]){ (int64_t)(SLAB_A + 0x20000 + 7 * 4096) });
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    uint64_t active = row(&out, "kmalloc-4k")->predicted.objects;
    *unknown_frees = out.unknown_frees;
    fl_slab_replay_free(&out);
    return active;
}

static void listed_slabs_are_taken_in_their_order(void **state)
{
    uint64_t unknown;
    (void)state;
    /* 7 + 1 + 3 go to CPU 0; 2 + 2 are left, and one more object of the last slab */
    assert_int_equal(
        active_of_listed("slab_partial\nkmalloc-4k ffff888100000000=7 ffff888100008000=1 "
                         "ffff888100010000=3 ffff888100018000=2 ffff888100020000=2\n"
                         "nothing 1=1\nkmalloc-4k 1=1\n",
                         &unknown),
        48 - 2 - 2 - 1);
    assert_int_equal(unknown, 0);
    /* as far as it was told; what is left is shared out */
    assert_int_equal(
        active_of_listed("slab_partial\nkmalloc-4k ffff888100000000=7 ffff888100008000=5 "
                         "ffff888100010000=1 ffff888100018000=9\n",
                         &unknown),
        48 - 2);
    assert_int_equal(unknown, 1);
}

/* Nothing comes after it: what was read is what is left. Numbers that cannot be are not taken. */
static void settled_cache_without_events_stays(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, NULL);
    snapshot(&r, FL_SNAPSHOT_START,
             "slab_lists\ndentry 2 0 settled 100 120 2 42 33\nfilp 1 0 settled 0 9 1 21 22\n");
    snapshot(&r, FL_SNAPSHOT_START, INFO("63 63", "3 3", "21 21", "1 1"));
    get(&r, 0, 0, SLAB_A);
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    assert_int_equal(row(&out, "dentry")->predicted.slabs, 2);
    assert_int_equal(row(&out, "dentry")->predicted.objects, 33);
    assert_int_equal(row(&out, "filp")->start.objects, 21);
    fl_slab_replay_free(&out);
}

/*
 * Twice 21 dentries, of A all given back, of B all but three, though the CPU has both slabs; that is how slabinfo was read. Then the
 * caches are shrunk: dentry at 200 ns, when one more has gone; filp's numbers cannot be; what comes later is not theirs.
 */
static void caches_settled_at_the_end_are_predicted_too(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, INFO("0 0", "0 0", "5 21", "1 1"));
    fill(&r, 0, 0, SLAB_A, 21);
    fill(&r, 0, 0, SLAB_B, 21);
    for (uint64_t i = 0; i < 39; i++)
        put(&r, 0, 0, SLAB_A + i / 21 * 4096 + i % 21 * 192);
    snapshot(&r, FL_SNAPSHOT_END, INFO("42 42", "2 2", "5 21", "1 1"));
    put(&r, 0, 0, SLAB_B + 18 * 192);
    r.time_ns = 300;
    get(&r, 0, 0, SLAB_B);
    snapshot(&r, FL_SNAPSHOT_END,
             "slab_lists\ndentry 1 0 settled 200 220 1 21 2\nfilp 1 0 settled 210 220 1 21 22\n"
             "odd 1 0 settled 200 220 1 1 1\n");
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *d = row(&out, "dentry");
    assert_int_equal(d->allocs, 42); /* as slabinfo was read */
    assert_int_equal(d->frees, 39);
    assert_int_equal(d->predicted.slabs, 2);
    assert_int_equal(d->predicted.objects, 42);
    assert_int_equal(d->end.objects, 42);
    assert_true(out.has_settled && d->has_settled);
    assert_int_equal(d->settled.slabs, 1);
    assert_int_equal(d->settled.objects, 2);
    assert_int_equal(d->predicted_settled.slabs, 1);
    assert_int_equal(d->predicted_settled.all_objects, 21);
    assert_int_equal(d->predicted_settled.objects, 2);
    assert_false(row(&out, "filp")->has_settled);
    json_t *doc = json_object();
    assert_int_equal(fl_slab_replay_json(&out, doc, &err), FL_OK);
    json_t *first = json_array_get(json_object_get(json_object_get(doc, "slab"), "caches"), 0);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(first, "settled"), "slabs")), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(first, "recorded_settled"), "objects")),
        2);
    json_decref(doc);
    fl_slab_replay_free(&out);
}

/* ---- frees without a tracepoint ------------------------------------------------------------------- */

enum { FREE_RCU = 6, FREE_BULK }; /* probes, after those of begin() */

#define NODES UINT64_C(0xffff888300000000)
#define SMALL UINT64_C(0xffff888400000000)

#define TABLE(nodes, small, slabs)                                               \
    "slabinfo\nmaple_node " nodes " 256 16 1 : tunables 0 0 0 : slabdata " slabs \
    " 0\nkmalloc-64 " small " 64 64 1 : tunables 0 0 0 : slabdata " slabs " 0\n"

static void begin_with_frees(struct rec *r)
{
    static const char *const signatures[] = {
        "kmem:kvfree_call_rcu ptr:u", "kmem:kmem_cache_free_bulk name:s ptr0:u ptr1:u ptr2:u"
    };
    static const char *const names[] = { "maple_node", "" };
    begin(r, TABLE("0 0", "0 0", "0 0"));
    for (uint32_t i = 0; i < 2; i++) {
        struct fl_event name = { .kind = FL_EV_NAME, .thread = FL_NO_THREAD };
        struct fl_event probe = { .kind = FL_EV_PROBE, .thread = FL_NO_THREAD };
        name.name.name = 2 + i;
        name.name.text = names[i];
        emit(r, &name);
        probe.probe.probe = FREE_RCU + i;
        probe.probe.signature = signatures[i];
        emit(r, &probe);
    }
}

/*
 * All sixteen nodes of a slab are taken: one goes by RCU, two in bulk, of which the event names the cache. Of 64 small objects two go
 * by RCU; one of them has been let go, together with a node that is free already. A last one is of nothing that is known.
 */
static void frees_without_a_tracepoint_are_taken_where_told(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    const int64_t nodes = (int64_t)NODES, small = (int64_t)SMALL;
    (void)state;
    begin_with_frees(&r);
    for (int64_t i = 0; i < 16; i++)
        hit(&r, CACHE_ALLOC, 0, 4, (const int64_t[]){ nodes + i * 256, 2, 256, 256 });
    for (int64_t i = 0; i < 64; i++)
        hit(&r, KMALLOC, 0, 4, (const int64_t[]){ small + i * 64, 64, 64, 0xcc0 });
    hit(&r, FREE_RCU, 0, 1, (const int64_t[]){ nodes });
    hit(&r, FREE_BULK, 0, 3, (const int64_t[]){ 2, nodes + 256, nodes + 512 });
    hit(&r, FREE_RCU, 0, 1, (const int64_t[]){ small });
    hit(&r, FREE_RCU, 1, 1, (const int64_t[]){ small + 64 });
    hit(&r, FREE_BULK, 1, 4, (const int64_t[]){ 3, small, nodes, (int64_t)SLAB_A });
    hit(&r, FREE_BULK, 1, 1, (const int64_t[]){ 3 });
    snapshot(&r, FL_SNAPSHOT_END, TABLE("16 16", "64 64", "1 1"));
    snapshot(&r, FL_SNAPSHOT_END,
             "slab_lists\nmaple_node 1 0 settled 300 310 1 16 13\n"
             "kmalloc-64 1 0 settled 320 330 1 64 63\n");
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *n = row(&out, "maple_node"), *k = row(&out, "kmalloc-64");
    assert_int_equal(n->frees, 3);
    assert_int_equal(n->inferred_frees, 0);
    assert_int_equal(n->predicted_settled.objects, 13);
    assert_int_equal(k->frees, 1);
    assert_int_equal(k->predicted_settled.objects, 63);
    assert_int_equal(out.unknown_frees, 1);
    fl_slab_replay_free(&out);
}

/* Nobody had them shrunk: what follows the last slabinfo is not asked for. */
static void without_settled_numbers_slabinfo_is_the_end(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, INFO("0 0", "0 0", "0 0", "0 0"));
    fill(&r, 0, 0, SLAB_A, 21);
    snapshot(&r, FL_SNAPSHOT_END, INFO("21 21", "1 1", "0 0", "0 0"));
    fill(&r, 0, 0, SLAB_B, 21);
    snapshot(&r, FL_SNAPSHOT_END, "slab_lists\ndentry 1 0\n");
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    assert_int_equal(row(&out, "dentry")->predicted.slabs, 1);
    assert_int_equal(out.events, 21);
    assert_false(out.has_settled);
    fl_slab_replay_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settled_cache_starts_when_it_was),
        cmocka_unit_test(settled_cache_without_events_stays),
        cmocka_unit_test(listed_slabs_are_taken_in_their_order),
        cmocka_unit_test(caches_settled_at_the_end_are_predicted_too),
        cmocka_unit_test(frees_without_a_tracepoint_are_taken_where_told),
        cmocka_unit_test(without_settled_numbers_slabinfo_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
