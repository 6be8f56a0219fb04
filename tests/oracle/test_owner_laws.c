/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold of the owners of faults and of refaults, whatever the trace and the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/attribution.h>
#include <faultline/lru_timeline.h>
#include <faultline/thrash.h>
#include <faultline/units.h>

#include "compare.h"
#include "random_trace.h"

#define SEEDS 60u
#define LARGE_AT UINT64_C(0x4000) /* a multiple of 2 MiB */
#define LARGE_PAGES UINT64_C(2048)

/* Of what was mapped last, by thread 0: pages brought in by an event, or given up. */
static void add_populate(struct item_list *list, uint64_t rng)
{
    struct item_list with = { 0 };
    struct fl_event ev = { .kind = FL_EV_ADVISE };
    for (size_t i = 0; i < list->n; i++) {
        const struct naive_item *item = &list->at[i];
        if (item->is_run)
            item_list_run(&with, item);
        else
            item_list_event(&with, &item->event);
        if (!item->is_run && item->event.kind == FL_EV_MAP) {
            ev.advise.mm = item->event.map.mm;
            ev.advise.start = item->event.map.start;
            ev.advise.length = item->event.map.length;
        }
        if (!ev.advise.length || random_below(&rng, 16))
            continue;
        ev.advise.advice = random_below(&rng, 4) ? 23 /* MADV_POPULATE_WRITE */ : 8 /* MADV_FREE */;
        item_list_event(&with, &ev);
    }
    item_list_free(list);
    *list = with;
}

static void start(struct item_list *list, uint32_t mm, uint32_t copied_mm)
{
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = 10 + mm;
    ev.process.mm = mm;
    ev.process.copied_mm = copied_mm;
    ev.process.comm = "huge";
    item_list_event(list, &ev);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = mm };
    ev.thread_start.pid = ev.thread_start.tid = 10 + mm;
    item_list_event(list, &ev);
}

/* A process and its children on four times 2 MiB, of which bits are unmapped. */
static void large_mapping(uint64_t rng, struct item_list *list)
{
    struct fl_event ev = { .kind = FL_EV_MAP, .thread = FL_NO_THREAD };
    uint32_t n = 1;
    *list = (struct item_list){ 0 };
    start(list, 0, FL_NO_MM);
    ev.map.start = LARGE_AT << 12;
    ev.map.length = LARGE_PAGES << 12;
    ev.map.prot = FL_PROT_READ | FL_PROT_WRITE;
    ev.map.flags = FL_MAP_ANON;
    ev.map.file = FL_NO_FILE;
    item_list_event(list, &ev);
    for (int i = 0; i < 3000; i++) {
        uint32_t mm = (uint32_t)random_below(&rng, n);
        struct naive_item run = { .thread = mm, .mm = mm };
        run.vpn = LARGE_AT + random_below(&rng, LARGE_PAGES);
        *(random_below(&rng, 2) ? &run.reads : &run.writes) = 1;
        item_list_run(list, &run);
        if (n < 4 && random_below(&rng, 300) == 0)
            start(list, n++, mm);
        if (random_below(&rng, 300))
            continue;
        ev = (struct fl_event){ .kind = FL_EV_UNMAP, .thread = FL_NO_THREAD };
        ev.unmap.mm = mm;
        ev.unmap.start = run.vpn << 12;
        ev.unmap.length = 1 << 12;
        item_list_event(list, &ev);
    }
}

static struct fl_reader *random_reader(uint64_t seed, void **bytes)
{
    struct item_list list;
    struct fl_reader *reader = NULL;
    struct fl_err err;
    size_t len = 0;
    if (seed % 7 == 0)
        large_mapping(seed, &list);
    else if (seed % 3 == 0)
        random_pages(seed, (enum random_pattern)(seed / 3 % RANDOM_PATTERNS), 2500, 160, &list);
    else
        random_processes(seed, 600, &list);
    if (seed % 3 == 1 && seed % 7)
        random_file_io(seed, &list);
    if (seed % 2)
        random_bursts(seed, &list);
    if (seed % 5 == 0)
        add_populate(&list, seed);
    if (item_list_trace(&list, bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(*bytes, len, 0, &reader, &err) != FL_OK)
        fail_msg("%s", err.msg);
    item_list_free(&list);
    return reader;
}

struct sums {
    uint64_t minor, major, refaults, in_rows, in_shares, in_before;
};

static struct sums sums_of(const struct fl_result *r)
{
    const struct fl_attribution *a = r->attribution;
    struct sums s = { 0 };
    for (size_t i = 0; i < a->n_owners; i++) {
        s.minor += a->owners[i].minor;
        s.major += a->owners[i].major;
        s.refaults += a->owners[i].refaults;
    }
    for (size_t i = 0; i < a->n_shares; i++)
        s.in_shares += a->shares[i].refaults;
    for (size_t i = 0; i < a->n_rows * (FL_TIMELINE_ROWS_MAX + 1); i++)
        s.in_before += a->before[i];
    for (size_t i = 0; i < a->n_rows; i++)
        s.in_rows += a->rows[i].refaults;
    return s;
}

static void rows_are_sane(const struct fl_result *r)
{
    const struct fl_attribution *a = r->attribution;
    uint64_t at = 0;
    assert_int_equal(a->n_rows, r->n_rows);
    for (size_t i = 0; i < a->n_rows; i++) {
        const struct fl_refault_row *row = &a->rows[i];
        uint64_t faults = 0;
        for (int c = 0; c < FL_CAUSE_COUNT; c++)
            faults += r->rows[i].faults[c];
        assert_true(row->refaults <= faults && row->near <= row->refaults);
        if (row->refaults)
            assert_true(row->first >= at && row->first <= row->last &&
                        row->last <= at + r->rows[i].accesses);
        at += r->rows[i].accesses;
    }
}

static void laws_hold(const struct fl_result *r, const char *where)
{
    struct sums s = sums_of(r);
    bool kernel = r->opts.policy->needs & FL_IS_KERNEL;
    if (s.minor != r->minor || s.major != r->major)
        fail_msg("%s: owners have %llu + %llu faults of %llu + %llu", where,
                 (unsigned long long)s.minor, (unsigned long long)s.major,
                 (unsigned long long)r->minor, (unsigned long long)r->major);
    if (s.refaults != s.in_rows || s.refaults != s.in_shares || s.refaults != s.in_before)
        fail_msg("%s: %llu refaults of owners, %llu of rows", where, (unsigned long long)s.refaults,
                 (unsigned long long)s.in_rows);
    if (!kernel && s.refaults != r->major)
        fail_msg("%s: %llu refaults, %llu major faults", where, (unsigned long long)s.refaults,
                 (unsigned long long)r->major);
    rows_are_sane(r);
}

struct totals {
    uint64_t refaults, kills, huge, intervals;
};

static void replay_it(struct fl_reader *reader, const struct fl_replay_opts *opts,
                      struct totals *totals)
{
    struct fl_result *r = NULL;
    struct fl_thrash *t = NULL;
    struct fl_err err;
    char where[80];
    snprintf(where, sizeof where, "seed %llu, %s", (unsigned long long)opts->seed,
             opts->policy->name);
    if (fl_replay(reader, opts, &r, &err) != FL_OK) {
        if (err.code != FL_EDATA) /* nobody may be killed */
            fail_msg("%s: %s", where, err.msg);
        return;
    }
    laws_hold(r, where);
    assert_int_equal(fl_thrash_of(reader, r, NULL, NULL, &t, &err), FL_OK);
    totals->refaults += sums_of(r).refaults;
    totals->kills += r->n_oom_kills;
    totals->huge += r->thp.faults;
    totals->intervals += t->n_intervals;
    fl_thrash_free(t);
    fl_result_free(r);
}

static void owners_add_up_whatever_the_policy(void **state)
{
    static const enum fl_swap_kind kinds[] = { FL_SWAP_ZRAM, FL_SWAP_SSD, FL_SWAP_DISK };
    static const uint64_t swaps[] = { UINT64_MAX, 20, 0 };
    struct totals totals = { 0 };
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        void *bytes;
        struct fl_reader *reader = random_reader(seed, &bytes);
        struct fl_kernel_opts kernel = *fl_kernel_defaults();
        kernel.swap_kind = kinds[seed / 2 % FL_COUNT(kinds)];
        kernel.thp = seed % 4 ? FL_THP_ALWAYS : FL_THP_NEVER;
        kernel.memcg = FL_MEMCG_V1;
        for (size_t p = 0; fl_policy_at(p); p++) {
            struct fl_replay_opts opts = { .frames = (uint32_t)(2 + seed * 7 % 60),
                                           .swap_pages = swaps[seed % FL_COUNT(swaps)],
                                           .policy = fl_policy_at(p),
                                           .kernel = &kernel,
                                           .seed = seed };
            if (opts.policy->needs & FL_IS_KERNEL)
                opts.frames += seed % 7 ? 20 : 1900;
            replay_it(reader, &opts, &totals);
        }
        fl_reader_free(reader);
        free(bytes);
    }
    assert_true(totals.refaults > 10000 && totals.kills > 10 && totals.huge > 5 &&
                totals.intervals > 10);
}

/* Among processes too, and with files: test_lru_timeline.c has one mapping. */
static void the_timeline_equals_replays_of_lru(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        void *bytes;
        struct fl_reader *reader = random_reader(seed, &bytes);
        struct fl_lru_timeline *t = NULL;
        struct fl_err err;
        assert_int_equal(fl_lru_timeline_new(reader, 0, NULL, 0, NULL, NULL, &t, &err), FL_OK);
        for (uint32_t frames = 1; frames <= 64; frames += 9) {
            struct fl_replay_opts opts = { .frames = frames,
                                           .swap_pages = UINT64_MAX,
                                           .policy = fl_policy_find("lru") };
            struct fl_result *r = NULL;
            assert_int_equal(fl_replay(reader, &opts, &r, &err), FL_OK);
            uint64_t major = fl_lru_timeline_between(t, frames - 1, 0, UINT64_MAX).major;
            if (major != r->major)
                fail_msg("seed %llu, %u frames: %llu, not %llu major faults",
                         (unsigned long long)seed, frames, (unsigned long long)major,
                         (unsigned long long)r->major);
            fl_result_free(r);
        }
        fl_lru_timeline_free(t);
        fl_reader_free(reader);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_add_up_whatever_the_policy),
        cmocka_unit_test(the_timeline_equals_replays_of_lru),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
