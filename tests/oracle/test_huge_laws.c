/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages under everything that can happen to them: linux_check() holds all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "linux_drive.h"

#define AT UINT64_C(0x100000) /* aligned to 2 MiB */
#define PAGES UINT64_C(2048)  /* four of them */
#define SPACES_MAX 12u

static void start(struct item_list *list, uint32_t mm, uint32_t from)
{
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = 10 + mm;
    ev.process.ppid = from == FL_NO_MM ? 1 : 10 + from;
    ev.process.mm = mm;
    ev.process.copied_mm = from;
    ev.process.comm = "huge";
    item_list_event(list, &ev);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = mm };
    ev.thread_start.pid = ev.thread_start.tid = 10 + mm;
    item_list_event(list, &ev);
}

static void map(struct item_list *list, uint32_t mm, uint64_t vpn, uint64_t n)
{
    struct fl_event ev = { .kind = FL_EV_MAP, .thread = FL_NO_THREAD };
    ev.map.mm = mm;
    ev.map.start = vpn << 12;
    ev.map.length = n << 12;
    ev.map.prot = FL_PROT_READ | FL_PROT_WRITE;
    ev.map.flags = FL_MAP_ANON;
    ev.map.file = FL_NO_FILE;
    item_list_event(list, &ev);
}

/* A range of which half the ends are aligned. */
static void range(uint64_t *rng, uint64_t *vpn, uint64_t *n)
{
    uint64_t from = random_below(rng, PAGES), to = random_below(rng, PAGES + 1);
    if (random_below(rng, 2))
        from &= ~UINT64_C(511);
    if (random_below(rng, 2))
        to &= ~UINT64_C(511);
    *vpn = AT + (from < to ? from : to);
    *n = from < to ? to - from : from - to;
}

static void change(struct item_list *list, uint64_t *rng, uint32_t mm)
{
    struct fl_event ev = { .thread = FL_NO_THREAD };
    uint64_t vpn, n;
    range(rng, &vpn, &n);
    switch (random_below(rng, 5)) {
    case 0:
        ev.kind = FL_EV_UNMAP;
        ev.unmap.mm = mm;
        ev.unmap.start = vpn << 12;
        ev.unmap.length = n << 12;
        break;
    case 1:
        ev.kind = FL_EV_PROTECT;
        ev.protect.mm = mm;
        ev.protect.start = vpn << 12;
        ev.protect.length = n << 12;
        ev.protect.prot = FL_PROT_READ | (random_below(rng, 3) ? FL_PROT_WRITE : 0);
        break;
    case 2:
        ev.kind = FL_EV_ADVISE;
        ev.advise.mm = mm;
        ev.advise.start = vpn << 12;
        ev.advise.length = n << 12;
        ev.advise.advice = random_below(rng, 2) ? 4 : 14; /* DONTNEED, HUGEPAGE */
        break;
    case 3:
        ev.kind = FL_EV_REMAP;
        ev.remap.mm = mm;
        ev.remap.old_start = vpn << 12;
        ev.remap.old_length = ev.remap.new_length = n << 12;
        ev.remap.new_start = (vpn + (random_below(rng, 2) ? 2 * PAGES : 2 * PAGES + 7)) << 12;
        break;
    default: map(list, mm, vpn, n); return;
    }
    if (n)
        item_list_event(list, &ev);
}

static void make(uint64_t seed, struct item_list *list)
{
    uint64_t rng = seed * 77 + 1;
    bool alive[SPACES_MAX] = { true };
    uint32_t n = 1;
    *list = (struct item_list){ 0 };
    start(list, 0, FL_NO_MM);
    map(list, 0, AT, PAGES);
    for (int i = 0; i < 900; i++) {
        uint32_t mm = (uint32_t)random_below(&rng, n);
        uint64_t what = random_below(&rng, 100);
        struct naive_item run = { .thread = mm, .mm = mm };
        if (!alive[mm])
            continue;
        if (what < 6) {
            change(list, &rng, mm);
        } else if (what < 7 && n < SPACES_MAX) {
            alive[n] = true;
            start(list, n++, mm);
        } else if (what < 8 && mm) {
            struct fl_event ev = { .kind = FL_EV_EXIT, .thread = FL_NO_THREAD };
            ev.exit.pid = 10 + mm;
            alive[mm] = false;
            item_list_event(list, &ev);
        } else {
            run.vpn = AT + random_below(&rng, PAGES) + (random_below(&rng, 6) ? 0 : 2 * PAGES);
            *(random_below(&rng, 2) ? &run.reads : &run.writes) = 1;
            item_list_run(list, &run);
        }
    }
}

static void invariants_hold(void **state)
{
    static const enum swap_kind kinds[] = { SWAP_SYNCHRONOUS, SWAP_SSD, SWAP_ROTATIONAL };
    static const uint64_t swap[] = { 0, 100, 3000, UINT64_MAX };
    uint64_t faults = 0, splits = 0, swapouts = 0, fallbacks = 0, collapses = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 90; seed++) {
        struct item_list list;
        struct linux_drive d;
        struct linux_opts opts = linux_drive_opts(300 + seed * 37 % 3000, swap[seed % 4],
                                                  kinds[seed % 3], seed % 4 * 2000000);
        opts.thp = seed % 5 ? FL_THP_ALWAYS : FL_THP_MADVISE;
        opts.machine = seed % 7 == 3;
        if (opts.machine)
            opts.limit_pages = UINT64_MAX / 2;
        opts.zones = (struct zones_config){ .ram_pages = opts.machine ? 4096
                                                         : seed % 3   ? 0
                                                                      : 8192,
                                            .base_pages = 1000,
                                            .min_free_kbytes = 64,
                                            .scale_factor = 10 };
        opts.group_v2 = seed % 2;
        linux_drive_tlb(&opts, seed / 2);
        make(seed, &list);
        linux_drive_open(&d, &list, &opts);
        d.check_every = 1 + seed % 5;
        for (uint64_t stop = 50; !d.broken && !d.stuck && stop < 1200; stop += 50) {
            linux_drive_run(&d, stop);
            d.lm.now_ps += UINT64_C(10000000000000); /* khugepaged's turn */
            if (!d.stuck)
                khugepaged_run(&d.lm);
            d.broken |= !d.stuck && !linux_check(&d.lm);
        }
        if (d.broken)
            fail_msg("seed %llu: broken after %llu references", (unsigned long long)seed,
                     (unsigned long long)d.references);
        faults += d.lm.thp.faults;
        splits += d.lm.thp.splits;
        swapouts += d.lm.thp.swapouts;
        fallbacks += d.lm.thp.fallbacks;
        collapses += d.lm.thp.collapses;
        linux_drive_close(&d);
    }
    assert_true(faults && splits && swapouts && fallbacks && collapses);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(invariants_hold) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
