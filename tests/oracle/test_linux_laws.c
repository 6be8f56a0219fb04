/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold in the Linux model at any time, whatever processes do: linux_check(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "linux_drive.h"

#define NEVER UINT64_MAX

static const enum swap_kind kinds[] = { SWAP_SYNCHRONOUS, SWAP_SSD, SWAP_ROTATIONAL };

/* Files that lie on the disk in part, read and written by system calls between the other items. */
static void add_file_io(struct item_list *list, uint64_t seed)
{
    struct item_list with = { 0 };
    uint64_t rng = seed;
    for (size_t i = 0; i < list->n; i++) {
        const struct fl_event *ev = &list->at[i].event;
        if (list->at[i].is_run)
            item_list_run(&with, &list->at[i]);
        else
            item_list_event(&with, ev);
        if (!list->at[i].is_run && ev->kind == FL_EV_FILE) {
            struct fl_event resident = { .kind = FL_EV_RESIDENT, .thread = FL_NO_THREAD };
            resident.resident.file = ev->file.file;
            resident.resident.read_ahead_pages = (uint32_t)random_below(&rng, 20);
            resident.resident.offset = random_below(&rng, 8) << 12;
            resident.resident.length = random_below(&rng, 20) << 12;
            item_list_event(&with, &resident);
        } else if (i > 10 && random_below(&rng, 6) == 0) {
            struct fl_event io = { .kind = FL_EV_FILE_IO, .thread = 0 };
            io.file_io.file = (uint32_t)random_below(&rng, 7);
            io.file_io.op = (uint32_t)(1 + random_below(&rng, 10));
            io.file_io.flags = random_below(&rng, 4) ? 0 : FL_IO_DURABLE;
            io.file_io.offset = random_below(&rng, 60) << 11;
            io.file_io.length = random_below(&rng, 9) ? random_below(&rng, 90000) : FL_IO_TO_END;
            if (io.file_io.op <= FL_IO_WRITE && io.file_io.length == FL_IO_TO_END)
                io.file_io.length = 4096;
            item_list_event(&with, &io);
        }
    }
    item_list_free(list);
    *list = with;
}

/* Advice and locks between the other items. */
static void add_advice(struct item_list *list, uint64_t seed)
{
    static const uint32_t advice[] = { 3, 8, 8, 20, 21, 21, 22, 23, 23 };
    struct item_list with = { 0 };
    uint64_t rng = seed, start = 0, length = 0;
    uint32_t mm = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct naive_item *item = &list->at[i];
        if (item->is_run) {
            item_list_run(&with, item);
        } else {
            if (item->event.kind == FL_EV_MAP) {
                mm = item->event.map.mm;
                start = item->event.map.start;
                length = item->event.map.length;
                if (random_below(&rng, 6) == 0)
                    item->event.map.flags |= FL_MAP_LOCKED;
            }
            item_list_event(&with, &item->event);
        }
        if (!length || random_below(&rng, 12))
            continue;
        struct fl_event ev = { .kind = FL_EV_ADVISE, .thread = 0 };
        uint64_t from = random_below(&rng, (length >> 12) + 1) << 12;
        if (random_below(&rng, 3)) {
            ev.advise.mm = mm;
            ev.advise.advice = advice[random_below(&rng, FL_COUNT(advice))];
            ev.advise.start = start + from;
            ev.advise.length = random_below(&rng, length) + 1;
        } else {
            ev.kind = FL_EV_LOCK;
            ev.lock.mm = mm;
            ev.lock.mode = (uint32_t)random_below(&rng, 3);
            ev.lock.start = random_below(&rng, 9) ? start + from : 0;
            ev.lock.length = ev.lock.start ? random_below(&rng, length) + 1 : FL_LOCK_ALL;
        }
        item_list_event(&with, &ev);
    }
    item_list_free(list);
    *list = with;
}

static void invariants_hold(uint64_t seed, bool pages, const struct linux_opts *opts,
                            uint64_t *kills)
{
    struct item_list list;
    struct linux_drive d;
    if (pages)
        random_pages(seed, (enum random_pattern)(seed % RANDOM_PATTERNS), 2500, 160, &list);
    else
        random_processes(seed, 700, &list);
    if (!pages && seed % 2)
        add_file_io(&list, seed);
    if (seed % 3 == 0)
        add_advice(&list, seed);
    linux_drive_open(&d, &list, opts);
    d.check_every = 1 + seed % 7;
    linux_drive_run(&d, UINT64_MAX);
    if (d.broken || (!d.stuck && !linux_check(&d.lm)))
        fail_msg("seed %llu, limit %llu, swap %llu of kind %d: broken after %llu references",
                 (unsigned long long)seed, (unsigned long long)opts->limit_pages,
                 (unsigned long long)opts->swap_pages, (int)opts->swap_kind,
                 (unsigned long long)d.references);
    *kills += d.lm.kills;
    linux_drive_close(&d);
}

/* Limits from too small for one process's page tables to nearly enough for all. */
static void invariants_hold_among_processes(void **state)
{
    uint64_t kills = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 240; seed++) {
        static const uint64_t swap[] = { 0, 1, 9, 40, NEVER };
        struct linux_opts opts = linux_drive_opts(6 + seed * 7 % 90, swap[seed % FL_COUNT(swap)],
                                                  kinds[seed / 5 % FL_COUNT(kinds)],
                                                  seed % 4 * 2000000);
        opts.mglru = seed > 120;
        opts.no_groups = seed % 5 == 3;
        opts.group_v2 = opts.swap_pages < 100 && seed % 4 < 2;
        linux_drive_tlb(&opts, seed);
        invariants_hold(seed, false, &opts, &kills);
    }
    assert_true(kills > 0);
}

/* A machine of 16 MiB, most of it in use by others: watermarks of 16, 20 and 24 pages. */
static void invariants_hold_on_a_machine(void **state)
{
    uint64_t kills = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 160; seed++) {
        struct linux_opts opts = linux_drive_opts(
            NEVER / 2, seed % 3 * 100, kinds[seed / 5 % FL_COUNT(kinds)], seed % 4 * 2000000);
        opts.machine = true;
        opts.zones = (struct zones_config){ .ram_pages = 4096,
                                            .base_pages = 4096 - 60 - seed * 7 % 120,
                                            .min_free_kbytes = 64,
                                            .scale_factor = 10 };
        opts.mglru = seed % 2;
        invariants_hold(seed / 2, seed % 7 == 0, &opts, &kills);
    }
    assert_true(kills > 0);
}

/* A group on a machine that has room for its limit: the counts are those without the machine. */
static void frames_of_a_group_are_conserved(void **state)
{
    uint64_t kills = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        struct linux_opts opts = linux_drive_opts(6 + seed * 7 % 90, seed % 3 * 100,
                                                  kinds[seed / 5 % FL_COUNT(kinds)],
                                                  seed % 4 * 2000000);
        opts.zones = (struct zones_config){
            .ram_pages = 4096, .base_pages = 3800, .min_free_kbytes = 64, .scale_factor = 10
        };
        opts.mglru = seed % 2;
        invariants_hold(seed / 2, seed % 7 == 0, &opts, &kills);
    }
    assert_true(kills > 0);
}

/* One process that swaps all the time; statistics flushed every so often. */
static void invariants_hold_under_swapping(void **state)
{
    uint64_t kills = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 96; seed++) {
        struct linux_opts opts = linux_drive_opts(
            50 + seed * 5 % 80, 1000, kinds[seed % FL_COUNT(kinds)], seed % 4 * 2000000);
        opts.mglru = seed > 48;
        linux_drive_tlb(&opts, seed);
        invariants_hold(seed, true, &opts, &kills);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invariants_hold_among_processes),
        cmocka_unit_test(invariants_hold_on_a_machine),
        cmocka_unit_test(frames_of_a_group_are_conserved),
        cmocka_unit_test(invariants_hold_under_swapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
