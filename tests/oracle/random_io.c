/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "random_trace.h"

#define FILES 7

/* What the page cache held of a file that was just defined. */
static void add_resident(struct item_list *out, uint32_t file, uint64_t *rng)
{
    struct fl_event ev = { .kind = FL_EV_RESIDENT, .thread = FL_NO_THREAD };
    ev.resident.file = file;
    ev.resident.read_ahead_pages = (uint32_t)random_below(rng, 40);
    ev.resident.offset = random_below(rng, 8) << 12;
    ev.resident.length = random_below(rng, 20) << 12;
    item_list_event(out, &ev);
}

static void add_io(struct item_list *out, uint32_t thread, uint64_t *rng)
{
    struct fl_event ev = { .kind = FL_EV_FILE_IO, .thread = thread };
    uint64_t what = random_below(rng, 16);
    ev.file_io.file = (uint32_t)random_below(rng, FILES);
    ev.file_io.op = what < 10 ? (uint32_t)(1 + what) : FL_IO_READ + (uint32_t)(what % 2);
    ev.file_io.flags = random_below(rng, 4) ? 0 : FL_IO_DURABLE;
    if (random_below(rng, 12) == 0)
        ev.file_io.flags |= FL_IO_DIRECT;
    ev.file_io.offset = random_below(rng, 60) << 11;
    ev.file_io.length = random_below(rng, 9) ? random_below(rng, 90000) : FL_IO_TO_END;
    if (ev.file_io.op <= FL_IO_WRITE && ev.file_io.length == FL_IO_TO_END)
        ev.file_io.length = 4096;
    if (ev.file_io.op == FL_IO_TRUNCATE || ev.file_io.op >= FL_IO_NORMAL)
        ev.file_io.length = 0;
    if (ev.file_io.op == FL_IO_TRUNCATE && random_below(rng, 3))
        ev.file_io.offset += 1 << 17; /* mostly little goes, or none */
    item_list_event(out, &ev);
}

/* Advice on the pages around one that was just used. */
static void add_advice(struct item_list *out, const struct naive_item *run, uint64_t *rng)
{
    struct fl_event ev = { .kind = FL_EV_ADVISE, .thread = run->thread };
    uint64_t before = random_below(rng, 4);
    ev.advise.mm = run->mm;
    ev.advise.advice = (uint32_t)random_below(rng, 3);
    ev.advise.start = (run->vpn - before) << 12;
    ev.advise.length = (before + 1 + random_below(rng, 4)) << 12;
    item_list_event(out, &ev);
}

void random_file_io(uint64_t seed, struct item_list *list)
{
    struct item_list with = { 0 };
    uint64_t rng = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    bool cold = random_below(&rng, 4) > 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct naive_item *it = &list->at[i];
        if (it->is_run) {
            item_list_run(&with, it);
            if (random_below(&rng, 8) == 0)
                add_io(&with, it->thread, &rng);
            else if (random_below(&rng, 30) == 0)
                add_advice(&with, it, &rng);
            continue;
        }
        item_list_event(&with, &it->event);
        if (it->event.kind == FL_EV_FILE && cold && random_below(&rng, 6))
            add_resident(&with, it->event.file.file, &rng);
    }
    item_list_free(list);
    *list = with;
}
