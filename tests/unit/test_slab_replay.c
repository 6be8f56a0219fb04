/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include <faultline/kernel_slab.h>

#include "slab_trace.h"

/* Without events of pages: one object of A; all 21 of B: a new slab; three of C: an old one, it seems. */
static void slab_handed_out_whole_is_new(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, INFO("42 42", "2 2", "0 0", "0 0"));
    fill(&r, 0, 0, SLAB_A, 1);
    fill(&r, 0, 0, SLAB_B, 21);
    fill(&r, 0, 0, SLAB_C, 3);
    snapshot(&r, FL_SNAPSHOT_END, INFO("63 63", "3 3", "0 0", "0 0"));
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *d = row(&out, "dentry");
    assert_ptr_equal(d, out.rows); /* the busiest comes first */
    assert_int_equal(d->allocs, 25);
    assert_int_equal(d->slabs_new, 1);
    assert_int_equal(d->predicted.slabs, 3);
    assert_int_equal(d->predicted.objects, 63); /* free objects of a CPU's slab count as in use */
    assert_true(out.has_end);
    assert_int_equal(d->end.slabs, 3);
    assert_int_equal(row(&out, "filp")->object_bytes, 192); /* not seen: its size alone is known */
    fl_slab_replay_free(&out);
}

/* Eight slabs whose pages come and are filled: that tells where the kernel sees its pages. */
static void eight_slabs(struct rec *r)
{
    for (uint64_t i = 0; i < 8; i++) {
        take_page(r, 0, SLAB_A + i * 4096, 0);
        fill(r, 0, 0, SLAB_A + i * 4096, 21);
    }
}

static void pages_tell_what_is_new_and_what_is_gone(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, INFO("42 42", "2 2", "0 0", "0 0"));
    eight_slabs(&r);
    take_page(&r, 0, NEXT, 1); /* a program's */
    fill(&r, 0, 0, NEXT, 1);   /* so this is an old slab */
    take_page(&r, 0, NEXT + 4096, 0);
    fill(&r, 0, 0, NEXT + 4096, 3);
    for (uint64_t i = 0; i < 21; i++)
        put(&r, 0, 0, SLAB_A + i * 192);
    give_page(&r, 0, SLAB_A); /* though the rules would keep it */
    for (uint64_t i = 0; i < 21; i++)
        put(&r, 0, 0, SLAB_B + i * 192); /* empty, and kept */
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *d = row(&out, "dentry");
    assert_int_equal(d->slabs_new, 9);
    assert_int_equal(d->slabs_given_back, 1);
    assert_int_equal(d->predicted.slabs, 2 + 9 - 1);
    assert_int_equal(d->unseen_allocs, 0);
    fl_slab_replay_free(&out);
}

/*
 * Forty slabs are filled on one CPU and emptied by the other. The rules give back what is over the limit: of dentry, where the
 * pages would have gone at once, none went; filp's pages wait for RCU.
 */
static uint64_t emptied(int64_t name)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    begin(&r, INFO("0 0", "0 0", "0 0", "0 0"));
    for (uint64_t i = 0; i < 40; i++) {
        take_page(&r, 0, SLAB_A + i * 4096, 0);
        fill(&r, 0, name, SLAB_A + i * 4096, 21);
    }
    for (uint64_t i = 0; i < 40 * 21; i++)
        put(&r, 1, name, SLAB_A + i / 21 * 4096 + i % 21 * 192);
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    uint64_t slabs = row(&out, name ? "filp" : "dentry")->predicted.slabs;
    fl_slab_replay_free(&out);
    return slabs;
}

static void empty_slabs_are_gone_when_their_pages_are_or_wait_for_rcu(void **state)
{
    (void)state;
    assert_int_equal(emptied(0), 40);
    assert_int_equal(emptied(1), 5 + 3 + 1);
}

/*
 * Three slabs with ten free objects each. CPU 0 takes one of A, which lay on the node's list and brings the others along; or
 * A was its own, as the lists say.
 */
static uint64_t active_after_one(const char *lists)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    begin(&r, NULL);
    if (lists)
        snapshot(&r, FL_SNAPSHOT_START, lists);
    snapshot(&r, FL_SNAPSHOT_START,
             lists ? INFO("43 63", "3 3", "0 0", "0 0") : INFO("33 63", "3 3", "0 0", "0 0"));
    get(&r, 0, 0, NEXT);
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    uint64_t active = row(&out, "dentry")->predicted.objects;
    assert_int_equal(row(&out, "dentry")->predicted.slabs, 3);
    fl_slab_replay_free(&out);
    return active;
}

static void lists_tell_whose_a_slab_was(void **state)
{
    (void)state;
    assert_int_equal(active_after_one(NULL), 63);
    assert_int_equal(active_after_one("slab_lists\ndentry 2 1 C9=1(1)\nnothing\n"), 43);
}

/* 8 new slabs of 21, all freed again by another CPU: its list takes 12 of them before it is emptied,
   so none goes back; 40 slabs: three times 12 go to the node, which keeps 5 of the empty ones. */
static uint64_t slabs_after(uint32_t n)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    begin(&r, INFO("0 0", "0 0", "0 0", "0 0"));
    for (uint64_t i = 0; i < 21 * n; i++)
        get(&r, 0, 1, SLAB_A + i / 21 * 4096 + i % 21 * 192);
    for (uint64_t i = 0; i < 21 * n; i++)
        put(&r, 1, 1, SLAB_A + i / 21 * 4096 + i % 21 * 192);
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *f = row(&out, "filp");
    uint64_t slabs = f->predicted.slabs;
    assert_int_equal(f->slabs_new, n);
    assert_int_equal(f->slabs_new - f->slabs_given_back, slabs);
    assert_int_equal(f->object_bytes, 184);
    assert_false(out.has_end);
    fl_slab_replay_free(&out);
    return slabs;
}

static void empty_slabs_go_back_beyond_what_is_kept(void **state)
{
    (void)state;
    assert_int_equal(slabs_after(8), 8);
    /* 39 of 40 leave CPU 0; 36 are drained, 5 of them kept; 3 wait; CPU 0 has the last */
    assert_int_equal(slabs_after(40), 5 + 3 + 1);
}

/* The pages of an old slab turn up in another cache: it has been given back unseen. */
static void pages_that_change_hands_end_a_slab(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, INFO("42 42", "2 2", "0 0", "0 0"));
    put(&r, 0, 0, SLAB_A);
    get(&r, 0, 1, SLAB_A + 384);
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    assert_int_equal(row(&out, "dentry")->predicted.slabs, 1);
    assert_int_equal(row(&out, "filp")->predicted.slabs, 1);
    fl_slab_replay_free(&out);
}

static void what_is_not_traced_is_counted(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, INFO("21 21", "1 1", "0 0", "0 0"));
    get(&r, 0, 0, SLAB_A);
    get(&r, 0, 0, SLAB_A); /* handed out again: freed unseen */
    put(&r, 0, 0, SLAB_A);
    put(&r, 0, 0, SLAB_A); /* freed again: handed out unseen */
    hit(&r, KFREE, 0, 1, (const int64_t[]){ (int64_t)SLAB_C });
    hit(&r, KMALLOC, 0, 4, (const int64_t[]){ (int64_t)SLAB_C, 9000, 12288, 0xcc0 });
    hit(&r, KMALLOC, 0, 4, (const int64_t[]){ (int64_t)SLAB_C, 9, 16, 0xcc0 }); /* no such row */
    hit(&r, KMALLOC, 0, 4, (const int64_t[]){ (int64_t)SLAB_B, 40, 64, 0xcc0 });
    hit(&r, KMALLOC, 0, 1, (const int64_t[]){ (int64_t)SLAB_B }); /* a record that ended early */
    hit(&r, KFREE, 1, 1, (const int64_t[]){ (int64_t)SLAB_B });
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    assert_int_equal(row(&out, "dentry")->unseen_frees, 1);
    assert_int_equal(row(&out, "dentry")->unseen_allocs, 1);
    assert_int_equal(out.unknown_frees, 1);
    assert_int_equal(out.unknown_cache, 1);
    assert_int_equal(out.large, 2);
    const struct fl_slab_row *k = row(&out, "kmalloc-64");
    assert_int_equal(k->allocs, 1);
    assert_int_equal(k->frees, 1);
    assert_int_equal(k->requested_bytes, 40);
    assert_int_equal(k->given_bytes, 64);

    json_t *doc = json_object(), *slab;
    assert_int_equal(fl_slab_replay_json(&out, doc, &err), FL_OK);
    slab = json_object_get(doc, "slab");
    assert_int_equal(json_array_size(json_object_get(slab, "caches")), 3);
    json_t *first = json_array_get(json_object_get(slab, "caches"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "dentry");
    assert_int_equal(json_integer_value(json_object_get(first, "slabs")), 1);
    json_decref(doc);
    fl_slab_replay_free(&out);
}

static void trace_without_slabinfo_is_refused(void **state)
{
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, NULL);
    get(&r, 0, 0, SLAB_A);
    assert_int_equal(replay(&r, &out, &err), FL_EDATA);
    assert_non_null(strstr(err.msg, "--kernel-groups slab"));
    begin(&r, "slabinfo\nnothing\n");
    get(&r, 0, 0, SLAB_A);
    assert_int_equal(replay(&r, &out, &err), FL_EFORMAT);
}

/* ---- nodes that go with their address space ---------------------------------------------------- */

enum { TASK_STRUCT = 2, PID, MM_STRUCT, MAPLE_NODE }; /* names, after dentry and filp */

#define OWNERS                                                     \
    "slabinfo\n"                                                   \
    "task_struct 0 0 5888 5 8 : tunables 0 0 0 : slabdata 0 0 0\n" \
    "pid 0 0 192 21 1 : tunables 0 0 0 : slabdata 0 0 0\n"         \
    "mm_struct 0 0 1600 20 8 : tunables 0 0 0 : slabdata 0 0 0\n"  \
    "maple_node 0 0 256 16 1 : tunables 0 0 0 : slabdata 0 0 0\n"

static void by_task(struct rec *r, uint32_t probe, uint32_t tid, int64_t name, uint64_t ptr)
{
    struct fl_event ev = { .kind = FL_EV_HIT, .thread = FL_NO_THREAD };
    ev.hit.probe = probe;
    ev.hit.tid = tid;
    ev.hit.n_values = 2;
    ev.hit.values[0] = (int64_t)ptr;
    ev.hit.values[1] = name;
    emit(r, &ev);
}

/*
 * Task 7 runs a program: one node. It forks: two for the child, then one more of its own. The child's address space ends: two are
 * free. One of these is task 7's by then; when its own ends, that one goes with it, and its two.
 */
static void nodes_go_with_their_address_space(void **state)
{
    static const char *const names[] = { "task_struct", "pid", "mm_struct", "maple_node" };
    const uint64_t mm = UINT64_C(0xffff888200000000), node = UINT64_C(0xffff888300000000);
    struct rec r;
    struct fl_slab_replay out;
    struct fl_err err;
    (void)state;
    begin(&r, OWNERS);
    for (uint32_t i = 0; i < 4; i++) {
        struct fl_event ev = { .kind = FL_EV_NAME, .thread = FL_NO_THREAD };
        ev.name.name = TASK_STRUCT + i;
        ev.name.text = names[i];
        emit(&r, &ev);
    }
    by_task(&r, CACHE_ALLOC, 7, MM_STRUCT, mm);
    by_task(&r, CACHE_ALLOC, 7, MAPLE_NODE, node);
    by_task(&r, CACHE_ALLOC, 7, TASK_STRUCT, UINT64_C(0xffff888100000000));
    by_task(&r, CACHE_ALLOC, 7, PID, SLAB_A); /* credentials are of the same cache */
    by_task(&r, CACHE_ALLOC, 7, MM_STRUCT, mm + 1600);
    by_task(&r, CACHE_ALLOC, 7, MAPLE_NODE, node + 256);
    by_task(&r, CACHE_ALLOC, 7, MAPLE_NODE, node + 512);
    by_task(&r, CACHE_ALLOC, 7, PID, SLAB_A + 192);
    by_task(&r, CACHE_ALLOC, 7, MAPLE_NODE, node + 768);
    by_task(&r, CACHE_FREE, 8, MM_STRUCT, mm + 1600);
    by_task(&r, CACHE_ALLOC, 7, MAPLE_NODE, node + 512);
    by_task(&r, CACHE_ALLOC, 9, MAPLE_NODE, node + 1024); /* whose, nobody knows */
    by_task(&r, CACHE_FREE, 7, MM_STRUCT, mm);
    by_task(&r, CACHE_FREE, 7, MM_STRUCT, mm); /* twice: nothing is left */
    assert_int_equal(replay(&r, &out, &err), FL_OK);
    const struct fl_slab_row *nodes = row(&out, "maple_node");
    assert_int_equal(nodes->allocs, 6);
    assert_int_equal(nodes->frees, 0);
    assert_int_equal(nodes->inferred_frees, 2 + 3);
    assert_int_equal(nodes->unseen_frees, 0);
    assert_int_equal(nodes->unseen_allocs, 0);
    fl_slab_replay_free(&out);
}

/* ---- implied ------------------------------------------------------------------------------- */

static void map(struct rec *r, uint32_t prot, uint64_t start)
{
    struct fl_event ev = { .kind = FL_EV_MAP, .thread = FL_NO_THREAD };
    ev.map.prot = prot;
    ev.map.flags = FL_MAP_ANON;
    ev.map.file = FL_NO_FILE;
    ev.map.start = start;
    ev.map.length = 4096;
    emit(r, &ev);
}

static uint64_t peak(const struct fl_slab_implied *x, const char *name, uint64_t *end)
{
    for (size_t i = 0; i < x->n_rows; i++)
        if (strcmp(x->rows[i].name, name) == 0)
            return *end = x->rows[i].objects_end, x->rows[i].objects_peak;
    fail_msg("no row %s", name);
    return 0;
}

/* A process with two threads and three mappings, one of them read-only; it ends. */
static void processes_imply_their_objects(void **state)
{
    struct rec r = { 0 };
    struct fl_err err;
    struct fl_slab_implied out;
    struct fl_reader *reader;
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    void *bytes;
    size_t len;
    uint64_t end;
    (void)state;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &r.w, &err), FL_OK);
    ev.process.pid = 10;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.comm = "a";
    emit(&r, &ev);
    for (uint32_t i = 0; i < 2; i++) {
        struct fl_event t = { .kind = FL_EV_THREAD, .thread = i };
        t.thread_start.pid = 10;
        t.thread_start.tid = 10 + i;
        emit(&r, &t);
    }
    map(&r, FL_PROT_READ, 0x10000);
    map(&r, FL_PROT_READ | FL_PROT_WRITE, 0x20000);
    map(&r, FL_PROT_READ | FL_PROT_WRITE, 0x40000);
    map(&r, FL_PROT_EXEC, UINT64_C(0xffffffffff600000)); /* [vsyscall]: no mapping of its own */
    for (uint32_t i = 0; i < 2; i++) {
        struct fl_event t = { .kind = FL_EV_THREAD_EXIT, .thread = i };
        emit(&r, &t);
    }
    struct fl_event gone = { .kind = FL_EV_EXIT, .thread = FL_NO_THREAD };
    gone.exit.pid = 10;
    emit(&r, &gone);
    assert_int_equal(fl_writer_close(r.w, &bytes, &len, &err), FL_OK);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &reader, &err), FL_OK);
    assert_int_equal(fl_slab_implied(reader, 2, &out, &err), FL_OK);
    static const struct {
        const char *name;
        uint64_t peak;
    } want[] = { { "task_struct", 2 }, { "pid", 2 },         { "cred", 1 },
                 { "mm_struct", 1 },   { "files_cache", 1 }, { "vm_area_struct", 3 },
                 { "anon_vma", 2 },    { "filp", 0 } };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_int_equal(peak(&out, want[i].name, &end), want[i].peak);
        assert_int_equal(end, 0);
    }
    assert_int_equal(out.stack_pages, 8);
    json_t *doc = json_object();
    assert_int_equal(fl_slab_implied_json(&out, doc, &err), FL_OK);
    json_decref(doc);
    fl_slab_implied_free(&out);
    fl_reader_free(reader);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slab_handed_out_whole_is_new),
        cmocka_unit_test(pages_tell_what_is_new_and_what_is_gone),
        cmocka_unit_test(empty_slabs_are_gone_when_their_pages_are_or_wait_for_rcu),
        cmocka_unit_test(lists_tell_whose_a_slab_was),
        cmocka_unit_test(empty_slabs_go_back_beyond_what_is_kept),
        cmocka_unit_test(pages_that_change_hands_end_a_slab),
        cmocka_unit_test(what_is_not_traced_is_counted),
        cmocka_unit_test(trace_without_slabinfo_is_refused),
        cmocka_unit_test(nodes_go_with_their_address_space),
        cmocka_unit_test(processes_imply_their_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
