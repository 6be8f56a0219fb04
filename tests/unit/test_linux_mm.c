/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small scenes under the Linux model, worked out by hand from docs/model-linux.md. */
#include "linux_drive.h"
#include "scene.h"

#define NEVER UINT64_MAX
#define FIRST 1024u /* page number of the mapping */

/* One process that writes pages 1 to @n of its mapping of 256, in order. */
static void write_upwards(struct scene *s, uint32_t n)
{
    process(s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(s, 0, FIRST, 256);
    for (uint32_t i = 1; i <= n; i++)
        writes(s, 0, 0, FIRST + i);
}

/* What such a process has charged besides its pages. */
static uint64_t kernel_pages(void)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = linux_drive_opts(100000, 0, SWAP_SYNCHRONOUS, NEVER);
    write_upwards(&s, 1);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, NEVER);
    uint64_t n = d.lm.kernel_pages;
    linux_drive_close(&d);
    return n;
}

/* Room for @pages besides what the kernel takes. Swappiness 200: anonymous pages only. */
static struct linux_opts room_for(uint64_t pages, enum swap_kind kind)
{
    struct linux_opts opts = linux_drive_opts(kernel_pages() + pages, 1000, kind, NEVER);
    opts.swappiness = 200;
    return opts;
}

static uint32_t contents_of(const struct linux_drive *d, uint32_t i)
{
    return d->vm.contents[linux_drive_page(d, 0, FIRST + i)];
}

static const struct folio *folio_of(const struct linux_drive *d, uint32_t i)
{
    return &d->lm.folio[contents_of(d, i)];
}

/*
 * 128 pages fill the group; 124 are on the list, the last four in the batch. Page 129: every page is
 * young, so it is kept once. Taken at priority 6: 124 >> 6 = 1; then of 128: 4, 8, 16, 32, 64 at
 * priorities 5 to 1, in all 125. At priority 0 a first batch of 32 keeps pages 126 to 128 and frees 1 to
 * 29; 29 are not enough, so a second one frees 30 to 61.
 */
static void the_first_page_beyond_the_limit_walks_the_list_once(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = room_for(128, SWAP_SYNCHRONOUS);
    (void)state;
    write_upwards(&s, 129);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, 128);
    assert_int_equal(d.lm.usage, opts.limit_pages);
    assert_int_equal(d.lm.stock, 0);
    assert_int_equal(d.lm.n_batch, 4);
    assert_int_equal(d.lm.direct_reclaims, 0);
    linux_drive_run(&d, 129);
    assert_int_equal(d.lm.direct_reclaims, 1);
    assert_int_equal(d.lm.scanned, 125 + 64);
    assert_int_equal(d.lm.evictions, 61);
    assert_int_equal(d.lm.pages_out, 61);
    assert_int_equal(d.lm.usage, opts.limit_pages - 61 + 1);
    assert_int_equal(d.lm.lru[LRU_INACTIVE_ANON].n, 67);
    assert_int_equal(d.lm.lru[LRU_ACTIVE_ANON].n, 0);
    assert_false(folio_of(&d, 61)->flags & FOLIO_RESIDENT);
    assert_true(folio_of(&d, 62)->flags & FOLIO_RESIDENT);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 129);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

static void touched_between_two_scans(struct scene *s)
{
    write_upwards(s, 129);
    reads(s, 0, 0, FIRST + 62);
    for (uint32_t i = 130; i <= 190; i++)
        writes(s, 0, 0, FIRST + i);
}

/*
 * Goes on from there: the list is 62 to 128, all referenced, and 129 in the batch. Page 62 is touched
 * again. 60 more pages fill the group: 98 on the list, 30 in the batch. Page 190: priority 6 takes
 * one, page 62, which becomes active; then of 127, 124, 117, 103 left: 3, 7, 14, 25 are freed.
 */
static void a_page_touched_between_two_scans_becomes_active(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = room_for(128, SWAP_SYNCHRONOUS);
    (void)state;
    touched_between_two_scans(&s);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.direct_reclaims, 2);
    assert_int_equal(d.lm.activated, 1);
    assert_int_equal(folio_of(&d, 62)->list, LRU_ACTIVE_ANON);
    assert_int_equal(d.lm.evictions, 61 + 3 + 7 + 14 + 25);
    assert_false(folio_of(&d, 63)->flags & FOLIO_RESIDENT);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 0);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

/*
 * The same with a TLB that keeps page 62's translation over the first reclaim: the touch leaves no mark, and
 * page 62 is the first to go. 190 is taken in with a list of 98: 1, 3, 7, 14 and 25 are freed.
 */
static void a_touch_by_a_translation_that_is_still_there_leaves_no_mark(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = room_for(128, SWAP_SYNCHRONOUS);
    struct fl_costs costs = *fl_costs_default();
    (void)state;
    costs.tlb = (struct fl_tlb_kept){ .entries = 1u << 20 };
    opts.costs = &costs;
    touched_between_two_scans(&s);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.direct_reclaims, 2);
    assert_int_equal(d.lm.activated, 0);
    assert_false(folio_of(&d, 62)->flags & FOLIO_RESIDENT);
    assert_int_equal(d.lm.evictions, 61 + 1 + 3 + 7 + 14 + 25);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

/*
 * On an SSD that takes no time, priority 0 of the same scene writes 125 pages (1 to 125, to slots 1 to 125) and frees none; as the writes complete, each goes to the old
 * end, 125 last. The second round frees from there: of 128, 127, 126, 123, 116, 102 at priorities 7 to 2:
 * 1, 1, 3, 7, 14, 25, that is 125 down to 75. 1 to 74 are in the swap cache.
 */
static void a_page_still_in_the_swap_cache_is_a_minor_fault(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = room_for(128, SWAP_SSD);
    struct fl_costs costs = *fl_costs_default();
    (void)state;
    costs.ps[FL_COST_SWAP_IN_DISK] = 0;
    costs.ps[FL_COST_DISK_REQUEST] = costs.ps[FL_COST_DISK_PAGE] = 0;
    opts.costs = &costs;
    write_upwards(&s, 129);
    reads(&s, 0, 0, FIRST + 74);
    reads(&s, 0, 0, FIRST + 125); /* a window of 8 around it: 122 to 125 are on swap */
    reads(&s, 0, 0, FIRST + 124);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, 129);
    assert_int_equal(d.lm.pages_out, 125);
    assert_int_equal(d.lm.evictions, 51);
    assert_int_equal(folio_of(&d, 1)->slot, 1);
    assert_int_equal(folio_of(&d, 125)->slot, 125);
    linux_drive_run(&d, 130);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_CACHE], 1);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 0);
    linux_drive_run(&d, 131);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_IN], 1);
    assert_int_equal(d.lm.pages_in, 4);
    assert_int_equal(d.lm.readahead_pages, 3);
    linux_drive_run(&d, 132);
    assert_int_equal(d.lm.faults[FL_CAUSE_SWAP_CACHE], 2);
    assert_int_equal(d.lm.readahead_hits, 1);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

/* ---- writes to a disk ----------------------------------------------------------------- */

static void written(struct linux_drive *d, uint32_t c, uint32_t slot)
{
    struct folio *f = &d->lm.folio[c];
    f->slot = slot;
    f->flags |= FOLIO_WRITEBACK | FOLIO_RECLAIM;
    assert_true(swap_write_begin(&d->lm, c));
}

struct disk {
    struct linux_drive d;
    struct scene s;
    struct fl_costs costs;
    uint32_t first; /* contents of the first of 600 pages */
};

/* 1 us to begin, 100 ns for a request, 10 ns for each of its pages; each is told as it is done. */
static void open_disk(struct disk *k)
{
    struct linux_opts opts = room_for(1000, SWAP_ROTATIONAL);
    *k = (struct disk){ .costs.ps = { [FL_COST_SWAP_IN_DISK] = 1003000,
                                      [FL_COST_FAULT_SWAP_CACHE] = 1000,
                                      [FL_COST_SWAP_READAHEAD] = 2000,
                                      [FL_COST_DISK_REQUEST] = 100000,
                                      [FL_COST_DISK_PAGE] = 10000 },
                        .costs.disk_singly = true };
    opts.costs = &k->costs;
    write_upwards(&k->s, 600);
    linux_drive_open(&k->d, &k->s.list, &opts);
    linux_drive_run(&k->d, NEVER);
    k->first = contents_of(&k->d, 1);
}

static bool in_flight(const struct linux_drive *d, uint32_t c)
{
    return d->lm.folio[c].flags & FOLIO_WRITEBACK;
}

/* Neighbouring slots are one request of 254 pages; the next one sends it off. */
static void writes_are_held_until_a_request_is_full(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    for (uint32_t i = 0; i < 254; i++)
        written(&k.d, k.first + i, 100 + i);
    assert_int_equal(k.d.lm.writes.n_sent, 0);
    written(&k.d, k.first + 254, 354);
    assert_int_equal(k.d.lm.writes.n_sent, 1);
    assert_int_equal(k.d.lm.writes.disk_ps, k.d.lm.now_ps + 1100000 + 254 * 10000);
    swap_write_arrive(&k.d.lm);
    assert_true(in_flight(&k.d, k.first));
    k.d.lm.now_ps = k.d.lm.writes.disk_ps;
    swap_write_arrive(&k.d.lm);
    assert_false(in_flight(&k.d, k.first) || in_flight(&k.d, k.first + 253));
    assert_true(in_flight(&k.d, k.first + 254)); /* held, with nothing to send it off */
    swap_write_submit(&k.d.lm);
    assert_int_equal(k.d.lm.writes.disk_ps, k.d.lm.now_ps + 1110000);
    linux_drive_close(&k.d);
}

/* Only the first request is looked at: behind a small one, large ones stay. Each is done by itself. */
static void a_small_first_request_holds_large_ones(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    written(&k.d, k.first, 50);
    for (uint32_t i = 1; i < 256; i++)
        written(&k.d, k.first + i, 100 + i);
    assert_int_equal(k.d.lm.writes.n_requests, 3);
    assert_int_equal(k.d.lm.writes.n_sent, 0);
    swap_write_submit(&k.d.lm);
    assert_int_equal(k.d.lm.writes.request[0].done_ps, k.d.lm.now_ps + 1110000);
    assert_int_equal(k.d.lm.writes.request[1].done_ps, k.d.lm.now_ps + 1200000 + 255 * 10000);
    k.d.lm.now_ps += 1110000;
    swap_write_arrive(&k.d.lm);
    assert_false(in_flight(&k.d, k.first));
    assert_true(in_flight(&k.d, k.first + 1));
    linux_drive_close(&k.d);
}

/* Slots apart are a request each; 16 may be under way, then all have to be done. */
static void sixteen_writes_may_be_under_way(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    uint64_t before_ps = k.d.lm.now_ps;
    for (uint32_t i = 0; i < 16; i++)
        written(&k.d, k.first + i, 100 + 2 * i);
    assert_int_equal(k.d.lm.writes.n_sent, 0);
    written(&k.d, k.first + 16, 200);
    assert_int_equal(k.d.lm.now_ps, before_ps + 1000000 + 16 * 110000);
    assert_false(in_flight(&k.d, k.first) || in_flight(&k.d, k.first + 15));
    assert_int_equal(k.d.lm.writes.n_requests, 1);
    linux_drive_close(&k.d);
}

/* The scattered writes of @n pages from @from on; how many requests are under way after. */
static uint32_t scattered(struct disk *k, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        written(&k->d, k->first + from + i, 100 + 2 * (from + i));
    return k->d.lm.writes.n_requests - k->d.lm.writes.requests_done;
}

/* A window of 100 ms with writes lets nearly twice as many be; five without take that back. The
   33rd request sends 32 off. */
static void more_may_be_under_way_while_there_are_writes(void **state)
{
    struct disk k;
    const uint64_t window_ps = UINT64_C(100000000000);
    (void)state;
    open_disk(&k);
    scattered(&k, 0, 1);
    swap_write_submit(&k.d.lm);
    k.d.lm.now_ps += window_ps;
    assert_int_equal(scattered(&k, 1, 31), 31);
    assert_int_equal(scattered(&k, 32, 1), 1); /* the 32nd has waited for all of them */
    swap_write_submit(&k.d.lm);
    k.d.lm.now_ps += window_ps;
    assert_int_equal(scattered(&k, 33, 33), 33); /* 61 may */
    assert_int_equal(k.d.lm.writes.n_sent, 32);
    swap_write_submit(&k.d.lm);
    k.d.lm.now_ps += 12 * window_ps; /* one with writes, then twice five without, and one more */
    assert_int_equal(scattered(&k, 66, 31), 31);
    assert_int_equal(scattered(&k, 97, 1), 1);
    linux_drive_close(&k.d);
}

/* What a reclaim writes within a read-ahead goes when that ends, behind what is read. */
static void a_read_ahead_holds_the_writes_of_a_reclaim(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    swap_read_plug(&k.d.lm);
    swap_read_begin(&k.d.lm, 10);
    swap_read_begin(&k.d.lm, 11);
    written(&k.d, k.first, 12);
    assert_int_equal(k.d.lm.writes.plug.requests, 2);
    assert_int_equal(k.d.lm.writes.plug.first_pages, 2);
    swap_write_plugged(&k.d.lm, false);
    assert_int_equal(k.d.lm.writes.n_sent, 0);
    swap_read_unplug(&k.d.lm);
    assert_int_equal(k.d.lm.writes.n_sent, 1);
    written(&k.d, k.first + 1, 20);
    swap_write_plugged(&k.d.lm, false);
    assert_int_equal(k.d.lm.writes.n_sent, 2);
    linux_drive_close(&k.d);
}

/* Waiting moves the clock to the write's end; a page that goes first is not touched again. */
static void a_write_is_waited_for_and_a_gone_page_forgotten(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    uint64_t before_ps = k.d.lm.now_ps;
    written(&k.d, k.first, 100);
    written(&k.d, k.first + 1, 101);
    swap_write_forget(&k.d.lm, k.first);
    swap_write_wait(&k.d.lm, k.first + 1);
    assert_int_equal(k.d.lm.now_ps, before_ps + 1120000);
    assert_false(in_flight(&k.d, k.first + 1));
    assert_true(in_flight(&k.d, k.first)); /* nobody told it */
    assert_int_equal(k.d.lm.writes.n, 0);
    linux_drive_close(&k.d);
}

/* Who reads waits for what the disk has taken: as many segments as its queue holds. */
static void a_read_goes_before_writes_not_taken(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    uint64_t before_ps = k.d.lm.now_ps;
    for (uint32_t i = 0; i < 100; i++)
        written(&k.d, k.first + i, 100 + i);
    for (uint32_t i = 100; i < 250; i++)
        written(&k.d, k.first + i, 101 + i);
    swap_write_submit(&k.d.lm);
    swap_read_wait(&k.d.lm, 1); /* 3, 102 and 152 segments; the disk has begun already */
    assert_int_equal(k.d.lm.now_ps, before_ps + 100000 + 100 * 10000);
    k.d.lm.now_ps += 1000000;
    swap_write_arrive(&k.d.lm);
    assert_false(in_flight(&k.d, k.first));
    assert_true(in_flight(&k.d, k.first + 100));
    swap_read_wait(&k.d.lm, 8);
    assert_int_equal(k.d.lm.now_ps, before_ps + 200000 + 250 * 10000);
    linux_drive_close(&k.d);
}

/* A disk that tells of its work when it has no more: what comes meanwhile puts all off. */
static void a_disk_may_tell_of_all_at_once(void **state)
{
    struct disk k;
    (void)state;
    open_disk(&k);
    k.costs.disk_singly = false;
    uint64_t before_ps = k.d.lm.now_ps;
    written(&k.d, k.first, 100);
    swap_write_submit(&k.d.lm);
    k.d.lm.now_ps += 500000;
    written(&k.d, k.first + 1, 200);
    swap_write_submit(&k.d.lm);
    k.d.lm.now_ps = before_ps + 1219999;
    swap_write_arrive(&k.d.lm);
    assert_true(in_flight(&k.d, k.first) && in_flight(&k.d, k.first + 1));
    k.d.lm.now_ps++;
    written(&k.d, k.first + 2, 300); /* sees both done */
    assert_false(in_flight(&k.d, k.first) || in_flight(&k.d, k.first + 1));
    swap_write_submit(&k.d.lm);
    assert_int_equal(k.d.lm.writes.disk_ps, k.d.lm.now_ps + 1110000);
    linux_drive_close(&k.d);
}

/* The child's write copies; the parent's then finds itself alone and takes a fault all the same. */
static void a_fork_shares_pages_until_one_side_writes(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = linux_drive_opts(1000, 1000, SWAP_SYNCHRONOUS, NEVER);
    (void)state;
    write_upwards(&s, 2);
    process(&s, 11, 10, 1, 0, 1);
    reads(&s, 1, 1, FIRST + 1);
    reads(&s, 1, 1, FIRST + 2);
    writes(&s, 1, 1, FIRST + 1);
    writes(&s, 0, 0, FIRST + 1);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, 3);
    assert_int_equal(folio_of(&d, 1)->mapped, 2);
    assert_int_equal(d.lm.resident, 2);
    assert_int_equal(d.lm.faults[FL_CAUSE_COW], 0);
    linux_drive_run(&d, 5);
    assert_int_equal(d.lm.faults[FL_CAUSE_COW], 1);
    assert_int_equal(d.lm.resident, 3);
    assert_int_equal(folio_of(&d, 1)->mapped, 1);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_COW], 2);
    assert_int_equal(folio_of(&d, 2)->mapped, 2);
    assert_true(linux_check(&d.lm));
    linux_drive_close(&d);
}

static void reading_then_writing_a_new_page_are_two_faults(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = linux_drive_opts(1000, 1000, SWAP_SYNCHRONOUS, NEVER);
    (void)state;
    write_upwards(&s, 1);
    reads(&s, 0, 0, FIRST + 2);
    reads(&s, 0, 0, FIRST + 1);
    writes(&s, 0, 0, FIRST + 2);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, 2);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_ZERO], 1);
    assert_int_equal(d.lm.resident, 1);
    linux_drive_run(&d, NEVER);
    assert_int_equal(d.lm.faults[FL_CAUSE_ANON_WRITE], 2);
    assert_int_equal(d.lm.resident, 2);
    linux_drive_close(&d);
}

/* Evicted at age 0, back at age 1. The active list holds one page, but reclaim does not know yet. */
static void a_refault_activates_by_flushed_statistics_only(void **state)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = linux_drive_opts(1000, 1000, SWAP_SYNCHRONOUS, NEVER);
    (void)state;
    write_upwards(&s, 1);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, NEVER);
    uint32_t c = contents_of(&d, 1);
    d.lm.stat.size[LRU_ACTIVE_ANON] = 1;
    workingset_evicted(&d.lm, c);
    assert_false(workingset_refault(&d.lm, c));
    d.lm.next_flush_ps = d.lm.now_ps;
    vmstat_flush_if_due(&d.lm);
    workingset_evicted(&d.lm, c);
    assert_true(workingset_refault(&d.lm, c));
    assert_int_equal(d.lm.stat.activate[0], 1);
    assert_int_equal(d.lm.refaults, 2);
    linux_drive_close(&d);
}

/* All pages active, in truth or also as far as reclaim knows: @flushed. */
static uint64_t kills_when_all_is_active(bool flushed)
{
    struct scene s = { 0 };
    struct linux_drive d;
    struct linux_opts opts = room_for(128, SWAP_SYNCHRONOUS);
    write_upwards(&s, 129);
    linux_drive_open(&d, &s.list, &opts);
    linux_drive_run(&d, 128);
    lru_add_drain(&d.lm);
    for (uint32_t i = 1; i <= 128; i++) {
        lru_remove(&d.lm, contents_of(&d, i));
        lru_add(&d.lm, contents_of(&d, i), LRU_ACTIVE_ANON);
    }
    if (flushed)
        d.lm.seen = d.lm.stat;
    linux_drive_run(&d, 129);
    assert_true(linux_check(&d.lm));
    uint64_t kills = d.lm.kills;
    assert_int_equal(d.lm.direct_reclaims, kills ? 18 : 1);
    linux_drive_close(&d);
    return kills;
}

static void all_active_and_not_known_is_an_oom_kill_with_swap_free(void **state)
{
    (void)state;
    assert_int_equal(kills_when_all_is_active(false), 1);
    assert_int_equal(kills_when_all_is_active(true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_page_beyond_the_limit_walks_the_list_once),
        cmocka_unit_test(a_page_touched_between_two_scans_becomes_active),
        cmocka_unit_test(a_touch_by_a_translation_that_is_still_there_leaves_no_mark),
        cmocka_unit_test(a_page_still_in_the_swap_cache_is_a_minor_fault),
        cmocka_unit_test(writes_are_held_until_a_request_is_full),
        cmocka_unit_test(a_small_first_request_holds_large_ones),
        cmocka_unit_test(sixteen_writes_may_be_under_way),
        cmocka_unit_test(more_may_be_under_way_while_there_are_writes),
        cmocka_unit_test(a_read_ahead_holds_the_writes_of_a_reclaim),
        cmocka_unit_test(a_read_goes_before_writes_not_taken),
        cmocka_unit_test(a_disk_may_tell_of_all_at_once),
        cmocka_unit_test(a_write_is_waited_for_and_a_gone_page_forgotten),
        cmocka_unit_test(a_fork_shares_pages_until_one_side_writes),
        cmocka_unit_test(reading_then_writing_a_new_page_are_two_faults),
        cmocka_unit_test(a_refault_activates_by_flushed_statistics_only),
        cmocka_unit_test(all_active_and_not_known_is_an_oom_kill_with_swap_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
