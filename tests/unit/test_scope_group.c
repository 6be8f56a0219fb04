/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where memory groups of cgroup v1 and v2 differ, and what a recording says of its kernel. */
#include <string.h>

#include "kernel_opts.h"
#include "linux/linux_mm.h"
#include "scene.h"

struct group {
    struct vm vm;
    struct linux_mm lm;
};

static void group_open(struct group *g, bool v2, uint64_t swap_pages)
{
    struct linux_opts opts = { .limit_pages = 1000,
                               .swap_pages = swap_pages,
                               .swap_kind = SWAP_ROTATIONAL,
                               .swappiness = 60,
                               .group_v2 = v2,
                               .costs = fl_costs_default() };
    struct fl_err err = { .msg = "" };
    *g = (struct group){ 0 };
    if (linux_init(&g->lm, &opts, &g->vm, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

static void group_close(struct group *g)
{
    linux_fini(&g->lm);
    contents_fini(&g->vm.cs);
}

static uint32_t new_folio(struct group *g, enum contents_kind kind)
{
    uint32_t c = contents_new(&g->vm.cs, kind);
    assert_int_not_equal(c, NO_CONTENTS);
    assert_int_equal(linux_room(&g->lm, 0, c + 1, NULL), FL_OK);
    assert_true(take_page(&g->lm));
    folio_resident(&g->lm, c);
    return c;
}

/* v1: the device has 100 slots. v2: the group may use 100 of a larger one, and gives cached ones
   up from 50 on. */
static void swap_is_the_devices_or_the_groups(void **state)
{
    (void)state;
    for (int v2 = 0; v2 < 2; v2++) {
        struct group g;
        group_open(&g, v2, 100);
        assert_int_equal(swap_area_usable(&g.lm.swap) == 100, !v2);
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(swap_full(&g.lm), i > 50 || (v2 && i == 50));
            assert_true(swap_available(&g.lm));
            uint32_t c = new_folio(&g, CONTENTS_ANON);
            assert_true(swap_cache_enter(&g.lm, c));
            swap_slot_dup(&g.lm.swap, g.lm.folio[c].slot); /* not only cached: it stays */
        }
        assert_false(swap_available(&g.lm));
        assert_false(swap_cache_enter(&g.lm, new_folio(&g, CONTENTS_ANON)));
        assert_int_equal(g.lm.swap.used, 100);
        group_close(&g);
    }
}

static void no_swap_is_none_in_either(void **state)
{
    (void)state;
    for (int v2 = 0; v2 < 2; v2++) {
        struct group g;
        group_open(&g, v2, 0);
        assert_false(swap_available(&g.lm));
        assert_false(swap_cache_enter(&g.lm, new_folio(&g, CONTENTS_ANON)));
        group_close(&g);
    }
}

/* v1 waits for the page that is being written, v2 passes it by. */
static void only_v1_waits_for_writes(void **state)
{
    (void)state;
    for (int v2 = 0; v2 < 2; v2++) {
        struct group g;
        struct batch batch = { 0 };
        group_open(&g, v2, UINT64_MAX);
        uint32_t c = new_folio(&g, CONTENTS_ANON);
        assert_true(swap_cache_enter(&g.lm, c));
        g.lm.folio[c].flags |= FOLIO_WRITEBACK | FOLIO_RECLAIM;
        assert_int_equal(shrink_folio(&g.lm, c, &batch), v2 ? ACTIVATE : FREED);
        assert_int_equal(g.lm.evictions, !v2);
        group_close(&g);
    }
}

/* All that a batch met was dirty pages of files: v1 waits until they are written, v2 goes on. */
static void only_v1_waits_for_the_flusher(void **state)
{
    (void)state;
    for (int v2 = 0; v2 < 2; v2++) {
        struct group g;
        struct scan_control sc = { .want = 32 };
        group_open(&g, v2, UINT64_MAX);
        uint32_t c = new_folio(&g, CONTENTS_FILE);
        kernel_memory_of_file_page(&g.lm, c, false);
        g.lm.folio[c].flags |= FOLIO_DIRTY;
        lru_add_new(&g.lm, c, LRU_INACTIVE_FILE);
        assert_int_equal(shrink_inactive(&g.lm, &sc, LRU_INACTIVE_FILE, 1), 0);
        assert_int_equal(g.lm.file_pages_written, !v2);
        sc.priority = 12;
        shrink_node(&g.lm, &sc); /* a pass later they are written */
        assert_int_equal(g.lm.file_pages_written, 1);
        group_close(&g);
    }
}

/* ---- what the recording says --------------------------------------------------------------- */

static struct fl_kernel_opts from_host(const char *const (*pairs)[2])
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    struct fl_meta *meta = fl_meta_new();
    struct fl_err err = { .msg = "" };
    for (; (*pairs)[0]; pairs++)
        assert_int_equal(fl_meta_set(meta, (*pairs)[0], (*pairs)[1], &err), FL_OK);
    kernel_from_meta(meta, &kernel);
    fl_meta_free(meta);
    return kernel;
}

static void a_recording_that_says_nothing_changes_nothing(void **state)
{
    static const char *const pairs[][2] = { { "host.kernel", "6.18" }, { NULL, NULL } };
    struct fl_kernel_opts kernel = from_host(pairs);
    (void)state;
    assert_memory_equal(&kernel, fl_kernel_defaults(), sizeof kernel);
    assert_int_equal(kernel.memcg, FL_MEMCG_V2);
}

static void the_recording_tells_groups_and_huge_pages(void **state)
{
    static const char *const v1[][2] = { { "host.memcg", "v1" },
                                         { "host.thp", "always [madvise] never" },
                                         { "host.watermark_scale_factor", "200" },
                                         { NULL, NULL } };
    static const char *const none[][2] = { { "host.memcg", "none" },
                                           { "host.thp", "always madvise [never]" },
                                           { "host.watermark_scale_factor", "0" },
                                           { NULL, NULL } };
    (void)state;
    struct fl_kernel_opts kernel = from_host(v1);
    assert_int_equal(kernel.memcg, FL_MEMCG_V1);
    assert_true(kernel.khugepaged);
    assert_int_equal(kernel.watermark_scale_factor, 200);
    kernel = from_host(none);
    assert_int_equal(kernel.memcg, FL_MEMCG_NONE);
    assert_false(kernel.khugepaged);
    assert_int_equal(kernel.watermark_scale_factor, 10);
}

/* 67584 is what a 24 GiB machine computes with huge pages on: not to be carried to other sizes. */
static void only_a_min_free_kbytes_that_was_set_is_kept(void **state)
{
    static const char *const computed[][2] = { { "host.ram_bytes", "25276063744" },
                                               { "host.min_free_kbytes", "67584" },
                                               { "host.thp", "always [madvise] never" },
                                               { NULL, NULL } };
    static const char *const set[][2] = { { "host.ram_bytes", "25276063744" },
                                          { "host.min_free_kbytes", "262144" },
                                          { "host.thp", "always [madvise] never" },
                                          { NULL, NULL } };
    (void)state;
    assert_int_equal(from_host(computed).min_free_kbytes, 0);
    assert_int_equal(from_host(set).min_free_kbytes, 262144);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_is_the_devices_or_the_groups),
        cmocka_unit_test(no_swap_is_none_in_either),
        cmocka_unit_test(only_v1_waits_for_writes),
        cmocka_unit_test(only_v1_waits_for_the_flusher),
        cmocka_unit_test(a_recording_that_says_nothing_changes_nothing),
        cmocka_unit_test(the_recording_tells_groups_and_huge_pages),
        cmocka_unit_test(only_a_min_free_kbytes_that_was_set_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
