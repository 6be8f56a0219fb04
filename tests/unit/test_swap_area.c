/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slot comes next. Expected numbers are worked out from the rules of mm/swapfile.c.
   Those marked [seen] are also what Linux 6.18.44 gave a program that paged itself out
   (MADV_PAGEOUT) to a swap file of that size and read its slots in /proc/PID/pagemap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "linux/swap_area.h"

/* An area whose cached pages can be dropped, but for those that are locked. */
struct fix {
    struct swap_area area;
    uint32_t locked; /* a slot whose page stays; 0: none */
    unsigned asked;
};

static int drop(void *arg, uint32_t slot)
{
    struct fix *f = arg;
    f->asked++;
    assert_true(swap_slot_cached(&f->area, slot));
    assert_int_equal(swap_slot_maps(&f->area, slot), 0);
    if (slot == f->locked)
        return -1;
    assert_true(swap_slot_cache_del(&f->area, slot));
    return 1;
}

static void start(struct fix *f, uint32_t n_slots)
{
    struct swap_area_config config = {
        .n_slots = n_slots, .kind = SWAP_SSD, .reclaim = drop, .reclaim_arg = f
    };
    *f = (struct fix){ 0 };
    assert_int_equal(swap_area_init(&f->area, &config, NULL), FL_OK);
    assert_true(swap_area_check(&f->area));
}

static void stop(struct fix *f)
{
    assert_true(swap_area_check(&f->area));
    assert_false(f->area.out_of_memory);
    swap_area_fini(&f->area);
}

/* A page swapped out and gone: a table entry holds the slot, the cache does not. */
static uint32_t out(struct fix *f)
{
    uint32_t slot = swap_slot_alloc(&f->area, 7);
    if (slot != SWAP_NO_SLOT) {
        swap_slot_dup(&f->area, slot);
        assert_false(swap_slot_cache_del(&f->area, slot));
    }
    return slot;
}

/* @first, @first + 1, ... @last are handed out, in that order. */
static void assert_next(struct fix *f, uint32_t first, uint32_t last)
{
    for (uint32_t slot = first; slot <= last; slot++)
        assert_int_equal(out(f), slot);
}

static void fill(struct fix *f)
{
    while (out(f) != SWAP_NO_SLOT)
        ;
    assert_int_equal(f->area.used, swap_area_usable(&f->area));
}

/* Cluster 0 is short of its header, so it is on the nonfull list, which comes first.
   [seen] */
static void swap_area_of_whole_clusters_fills_upwards_from_slot_one(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 4 * 512);
    assert_next(&f, 1, 2047);
    assert_int_equal(out(&f), SWAP_NO_SLOT);
    assert_int_equal(f.area.used_peak, 2047);
    stop(&f);
}

/* 1300 slots: clusters 0-511, 512-1023, and 1024-1299, which is short too and so also
   on the nonfull list: it is taken before the one free cluster. [seen] */
static void swap_area_with_a_short_last_cluster_uses_it_second(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 1300);
    assert_next(&f, 1, 511);
    assert_next(&f, 1024, 1299);
    assert_next(&f, 512, 1023);
    assert_int_equal(out(&f), SWAP_NO_SLOT);
    stop(&f);
}

static void swap_area_of_two_slots_has_one(void **state)
{
    struct fix f;
    struct fl_err err;
    struct swap_area_config config = { .n_slots = 1 };
    (void)state;
    start(&f, 2);
    assert_int_equal(out(&f), 1);
    assert_int_equal(out(&f), SWAP_NO_SLOT);
    swap_slot_free(&f.area, 1);
    assert_int_equal(out(&f), 1);
    stop(&f);
    assert_int_equal(swap_area_init(&f.area, &config, &err), FL_EUSAGE);
}

/* Slots freed behind the search are not looked at until the cluster has been left. */
static void swap_area_freed_slot_behind_the_search_waits(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 4 * 512);
    assert_next(&f, 1, 100);
    swap_slot_free(&f.area, 50);
    assert_next(&f, 101, 511);
    /* A slot freed put cluster 0 on the nonfull list; the next allocation in it took
       it to the frag list, which comes after the free one. */
    assert_next(&f, 512, 2047);
    assert_int_equal(out(&f), 50);
    assert_int_equal(out(&f), SWAP_NO_SLOT);
    stop(&f);
}

/* A full cluster that loses a slot goes to the nonfull list, before any free cluster. [seen] */
static void swap_area_hole_in_a_full_cluster_is_filled_before_a_free_one(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 4 * 512);
    assert_next(&f, 1, 1023);
    swap_slot_free(&f.area, 700);
    swap_slot_free(&f.area, 30);
    swap_slot_free(&f.area, 20);
    /* nonfull: cluster 1, cluster 0 */
    assert_next(&f, 700, 700);
    assert_next(&f, 20, 20);
    assert_next(&f, 30, 30);
    assert_next(&f, 1024, 1024);
    stop(&f);
}

/* A cluster that empties goes behind the free clusters that were never used, and is
   not gone on with, although the search was in the middle of it. [seen] */
static void swap_area_emptied_cluster_goes_behind_the_free_ones(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 4 * 512);
    assert_next(&f, 1, 511);
    assert_next(&f, 512, 600);
    for (uint32_t slot = 512; slot <= 600; slot++)
        swap_slot_free(&f.area, slot);
    assert_next(&f, 1024, 2047);
    assert_next(&f, 512, 1023);
    stop(&f);
}

/* Cached pages keep their slots while at most half is used: 512 of 1023 is the first
   number above. */
static void swap_area_up_to_half_used_cached_slots_are_kept(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 2 * 512);
    for (uint32_t slot = 1; slot <= 511; slot++)
        assert_int_equal(swap_slot_alloc(&f.area, slot), slot);
    assert_false(swap_area_full(&f.area));
    assert_next(&f, 512, 512);
    assert_true(swap_area_full(&f.area));
    assert_next(&f, 513, 1023);
    assert_int_equal(f.asked, 0); /* no cluster with such a slot was searched */
    /* Full: the worker drops the cached pages of every full cluster. */
    assert_int_equal(out(&f), SWAP_NO_SLOT);
    assert_true(f.area.reclaim_due);
    f.locked = 3;
    swap_area_reclaim_full(&f.area);
    assert_int_equal(f.asked, 511);
    assert_int_equal(f.area.used, 513);
    assert_int_equal(out(&f), 1);
    assert_int_equal(out(&f), 2);
    assert_int_equal(out(&f), 4);
    stop(&f);
}

/* More than half used, a hole before and one after slots that only the cache holds:
   on its way the search drops what it can. */
static void swap_area_more_than_half_used_search_drops_cached_pages(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 2 * 512);
    fill(&f);
    for (uint32_t slot = 600; slot <= 604; slot++) {
        swap_slot_cache_add(&f.area, slot);
        assert_true(swap_slot_put(&f.area, slot));
    }
    swap_slot_free(&f.area, 605);
    f.locked = 601;
    assert_next(&f, 600, 600);
    assert_next(&f, 602, 605);
    assert_int_equal(f.asked, 5);
    assert_int_equal(out(&f), SWAP_NO_SLOT); /* full: the search is not started */
    assert_int_equal(f.asked, 5);
    stop(&f);
}

static uint32_t out_huge(struct fix *f, const uint32_t owners[512])
{
    uint32_t first = swap_slot_alloc_cluster(&f->area, owners);
    for (uint32_t i = 0; i < 512 && first != SWAP_NO_SLOT; i++) {
        swap_slot_dup(&f->area, first + i);
        assert_false(swap_slot_cache_del(&f->area, first + i));
    }
    return first;
}

static void swap_area_huge_page_gets_a_free_cluster_or_nothing(void **state)
{
    struct fix f;
    uint32_t owners[512];
    (void)state;
    start(&f, 4 * 512);
    for (uint32_t i = 0; i < 512; i++)
        owners[i] = 1000 + i;
    assert_int_equal(out(&f), 1);
    assert_int_equal(out_huge(&f, owners), 512);
    assert_int_equal(swap_slot_owner(&f.area, 512), 1000);
    assert_int_equal(swap_slot_owner(&f.area, 1023), 1511);
    assert_int_equal(out_huge(&f, owners), 1024);
    assert_next(&f, 2, 511);
    assert_next(&f, 1536, 1536);
    assert_int_equal(out_huge(&f, owners), SWAP_NO_SLOT);
    /* Holes in huge pages' clusters are the very last to be used. */
    swap_slot_free(&f.area, 1024 + 9);
    assert_next(&f, 1537, 2047);
    assert_next(&f, 1024 + 9, 1024 + 9);
    assert_int_equal(out(&f), SWAP_NO_SLOT);
    stop(&f);
}

static void swap_area_in_a_file_has_no_room_for_huge_pages(void **state)
{
    struct swap_area_config config = { .n_slots = 4 * 512, .is_file = true };
    struct swap_area area;
    uint32_t owners[512] = { 0 };
    (void)state;
    assert_int_equal(swap_area_init(&area, &config, NULL), FL_OK);
    assert_int_equal(swap_slot_alloc_cluster(&area, owners), SWAP_NO_SLOT);
    assert_int_equal(area.used, 0);
    swap_area_fini(&area);
}

static void swap_slot_is_freed_by_the_last_that_holds_it(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 512);
    uint32_t slot = swap_slot_alloc(&f.area, 42);
    assert_int_equal(swap_slot_owner(&f.area, slot), 42);
    assert_true(swap_slot_cached(&f.area, slot));
    assert_int_equal(swap_slot_maps(&f.area, slot), 0);
    swap_slot_dup(&f.area, slot); /* unmapped */
    swap_slot_dup(&f.area, slot); /* a fork */
    assert_false(swap_slot_cache_del(&f.area, slot));
    assert_false(swap_slot_put(&f.area, slot)); /* the other still has it */
    assert_int_equal(swap_slot_maps(&f.area, slot), 1);
    swap_slot_cache_add(&f.area, slot);
    assert_true(swap_slot_put(&f.area, slot)); /* now only the cache */
    assert_int_equal(f.area.used, 1);
    assert_true(swap_slot_cache_del(&f.area, slot));
    assert_false(swap_slot_in_use(&f.area, slot));
    assert_int_equal(swap_slot_owner(&f.area, slot), SWAP_NO_OWNER);
    assert_int_equal(f.area.used, 0);
    assert_false(swap_slot_in_use(&f.area, 0));
    stop(&f);
}

/* The largest area there is: only what is used takes memory. */
static void swap_area_of_sixteen_tebibytes_is_made_at_once(void **state)
{
    struct fix f;
    (void)state;
    start(&f, UINT32_MAX / 512 * 512);
    assert_next(&f, 1, 3000);
    assert_int_equal(f.area.fresh, 6);
    stop(&f);
}

static void swap_area_check_sees_a_wrong_count(void **state)
{
    struct fix f;
    (void)state;
    start(&f, 1024);
    assert_next(&f, 1, 3);
    f.area.used++;
    assert_false(swap_area_check(&f.area));
    f.area.used--;
    f.area.clusters[0].count--;
    assert_false(swap_area_check(&f.area));
    f.area.clusters[0].count++;
    f.area.clusters[0].table->slot[3].maps = 0;
    assert_false(swap_area_check(&f.area));
    f.area.clusters[0].table->slot[3].maps = 1;
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_area_of_whole_clusters_fills_upwards_from_slot_one),
        cmocka_unit_test(swap_area_with_a_short_last_cluster_uses_it_second),
        cmocka_unit_test(swap_area_of_two_slots_has_one),
        cmocka_unit_test(swap_area_freed_slot_behind_the_search_waits),
        cmocka_unit_test(swap_area_hole_in_a_full_cluster_is_filled_before_a_free_one),
        cmocka_unit_test(swap_area_emptied_cluster_goes_behind_the_free_ones),
        cmocka_unit_test(swap_area_up_to_half_used_cached_slots_are_kept),
        cmocka_unit_test(swap_area_more_than_half_used_search_drops_cached_pages),
        cmocka_unit_test(swap_area_huge_page_gets_a_free_cluster_or_nothing),
        cmocka_unit_test(swap_area_in_a_file_has_no_room_for_huge_pages),
        cmocka_unit_test(swap_slot_is_freed_by_the_last_that_holds_it),
        cmocka_unit_test(swap_area_of_sixteen_tebibytes_is_made_at_once),
        cmocka_unit_test(swap_area_check_sees_a_wrong_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
