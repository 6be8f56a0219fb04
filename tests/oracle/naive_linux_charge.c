/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, section 4. All charges are of one page. */
#include "naive_linux_world.h"

#define CHARGE_BATCH 64
#define RETRIES 16

static void note_usage(struct kernel *k)
{
    if (k->usage > k->out->usage_peak)
        k->out->usage_peak = k->usage;
}

bool naive_linux_charge(struct world *w, bool gives_up_early)
{
    struct kernel *k = w->k;
    uint64_t limit = k->opts->limit;
    bool stock_given_back = false;
    for (int retries = RETRIES;;) {
        if (k->stock >= 1) { /* 1 */
            k->stock--;
            return true;
        }
        if (k->usage + CHARGE_BATCH <= limit) { /* 2 */
            k->usage += CHARGE_BATCH;
            k->stock += CHARGE_BATCH - 1;
            note_usage(k);
            return true;
        }
        if (k->usage + 1 <= limit) {
            k->usage++;
            note_usage(k);
            return true;
        }
        bool freed = naive_linux_reclaim(w, 32) > 0; /* 3 */
        if (k->usage + 1 <= limit)                   /* 4 */
            continue;
        if (!stock_given_back) {
            k->usage -= k->stock;
            k->stock = 0;
            stock_given_back = true;
            continue;
        }
        if (gives_up_early) /* 5 */
            return false;
        if (freed) /* 6 */
            continue;
        if (retries > 0) { /* 7 */
            retries--;
            continue;
        }
        naive_linux_see_statistics(w); /* 8 */
        if (!naive_process_kill_one(w))
            w->res->stuck = true;
        if (naive_linux_dead(w))
            return false;
        retries = RETRIES;
    }
}

void naive_linux_uncharge(struct world *w)
{
    w->k->usage--;
}

/* The sum that the kernel's own objects come to. */
static uint64_t needed(const struct world *w)
{
    uint64_t threads = 0, processes = 0, file_pages = 0, by_write = 0;
    for (size_t i = 0; i < w->threads.n; i++)
        threads += !w->threads.at[i].exited && w->processes.at[w->threads.at[i].process].alive;
    for (size_t i = 0; i < w->processes.n; i++)
        processes += w->processes.at[i].alive;
    for (size_t c = 0; c < w->contents.n; c++) {
        const struct folio *f = FOLIO(w, c);
        if (!f->resident || !f->charged || naive_linux_is_anon(w, (int)c))
            continue;
        file_pages++;
        by_write += f->by_write;
    }
    threads -= threads > 0;
    processes -= processes > 0;
    uint64_t bytes =
        6272 * threads + 4032 * processes + 8224 * w->spaces.n + 9 * file_pages + 104 * by_write;
    return w->tables.n + w->spaces.n + 4 * threads + (bytes + 4095) / 4096;
}

void naive_linux_kernel_pages(struct world *w)
{
    struct kernel *k = w->k;
    while (k->kernel_pages < needed(w)) {
        if (!naive_linux_charge(w, false))
            break;
        k->kernel_pages++;
        if (k->kernel_pages > k->out->kernel_pages_peak)
            k->out->kernel_pages_peak = k->kernel_pages;
    }
    while (k->kernel_pages > needed(w)) {
        naive_linux_uncharge(w);
        k->kernel_pages--;
    }
}
