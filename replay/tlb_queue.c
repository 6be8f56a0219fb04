/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups that wait until there are many, then are done in two passes: all first levels, and what
 * the later levels make of what those missed. Each pass knows its next pages long before it needs
 * them. Nothing asks the TLB what it holds, so that nobody notices.
 *
 * Of two look-ups of one page in a row by one level, the second never gets here.
 */
#include "tlb.h"

#define AHEAD 12u /* look-ups that a page is fetched from memory before its own */

/* What the first levels missed, and the drops, stay in the queue. */
static void ask_first_levels(struct tlb *tlb)
{
    uint32_t n = 0, last = tlb->n_queue - 1;
    for (uint32_t i = 0; i < tlb->n_queue; i++) {
        struct tlb_waiting now = tlb->queue[i];
        uint32_t ahead = tlb->queue[i + AHEAD < last ? i + AHEAD : last].page;
        __builtin_prefetch(&tlb->page[ahead]);
        tlb->queue[n] = now;
        if (__builtin_expect(now.side == TLB_SIDES, 0)) {
            tlb_drop_page(tlb, now.page, tlb->first_bits, false);
            n++;
            continue;
        }
        const struct tlb_chain *chain = &tlb->chain[now.side][now.size];
        struct tlb_wanted w = tlb_wanted(tlb, chain, now.page);
        n += !tlb_level_use(chain->level[0], &w);
    }
    tlb->n_queue = n;
}

void tlb_settle(struct tlb *tlb)
{
    if (!tlb->n_queue)
        return;
    ask_first_levels(tlb);
    for (uint32_t i = 0; i < tlb->n_queue; i++) {
        struct tlb_waiting now = tlb->queue[i];
        if (__builtin_expect(now.side == TLB_SIDES, 0)) {
            tlb_drop_page(tlb, now.page, (uint16_t)~tlb->first_bits, true);
            continue;
        }
        const struct tlb_chain *chain = &tlb->chain[now.side][now.size];
        struct tlb_wanted w = tlb_wanted(tlb, chain, now.page);
        tlb_later_levels(tlb, chain, &w, (enum fl_page_size)now.size);
    }
    tlb->n_queue = 0;
}

static inline void push(struct tlb *tlb, uint32_t page, int side, enum fl_page_size size)
{
    tlb->queue[tlb->n_queue++] =
        (struct tlb_waiting){ .page = page, .side = (uint8_t)side, .size = (uint8_t)size };
    if (tlb->n_queue == TLB_QUEUE)
        tlb_settle(tlb);
}

void tlb_drop_later(struct tlb *tlb, uint32_t page)
{
    for (uint32_t i = 0; i < tlb->n_levels; i++)
        if (tlb->level[i].latest == page)
            tlb->level[i].latest = TLB_NO_KEY;
    push(tlb, page, TLB_SIDES, FL_PAGE_4K);
}

static inline void ask(struct tlb *tlb, enum tlb_side side, uint32_t page, enum fl_page_size size,
                       uint64_t k)
{
    const struct tlb_chain *chain = &tlb->chain[side][size];
    struct tlb_level *first = chain->level[0];
    uint32_t key = chain->held_as == FL_PAGE_4K ? page : tlb_wanted(tlb, chain, page).key;
    first->lookups += k;
    if (first->latest == key)
        return;
    first->latest = key;
    push(tlb, page, side, size);
}

void tlb_run(struct tlb *tlb, uint32_t page, enum fl_page_size size, uint64_t fetches,
             uint64_t reads, uint64_t writes)
{
    if (__builtin_expect(size >= tlb->queue_sizes, 0)) {
        tlb_settle(tlb);
        tlb_run_now(tlb, page, size, fetches, reads, writes);
        return;
    }
    if (fetches)
        ask(tlb, TLB_SIDE_FETCH, page, size, fetches);
    if (__builtin_expect(!tlb->split_data[size], 1)) {
        if (reads + writes)
            ask(tlb, TLB_SIDE_LOAD, page, size, reads + writes);
        return;
    }
    if (reads)
        ask(tlb, TLB_SIDE_LOAD, page, size, reads);
    if (writes)
        ask(tlb, TLB_SIDE_STORE, page, size, writes);
}

/* Data by one chain. */
static void batch_of_two(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to)
{
    struct tlb_level *code = tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K].level[0],
                     *data = tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K].level[0];
    uint64_t fetches = 0, touches = 0;
    uint32_t in_code = code->latest, in_data = data->latest, n = tlb->n_queue;
    for (size_t i = from; i < to; i++) {
        uint32_t page = runs->page[i], f = runs->fetches[i];
        uint64_t k = (uint64_t)runs->reads[i] + runs->writes[i];
        fetches += f;
        touches += k;
        tlb->queue[n] = (struct tlb_waiting){ .page = page, .side = TLB_SIDE_FETCH };
        n += f && page != in_code;
        in_code = f ? page : in_code;
        tlb->queue[n] = (struct tlb_waiting){ .page = page, .side = TLB_SIDE_LOAD };
        n += k && page != in_data;
        in_data = k ? page : in_data;
    }
    tlb->n_queue = n;
    code->latest = in_code;
    data->latest = in_data;
    code->lookups += fetches;
    data->lookups += touches;
}

void tlb_batch(struct tlb *tlb, const struct fl_runs *runs, size_t from, size_t to)
{
    if (tlb->queue_sizes && !tlb->split_data[FL_PAGE_4K] &&
        tlb->chain[TLB_SIDE_FETCH][FL_PAGE_4K].level[0] !=
            tlb->chain[TLB_SIDE_LOAD][FL_PAGE_4K].level[0]) {
        for (size_t end; from < to; from = end) {
            if (tlb->n_queue + 2 > TLB_QUEUE - 1)
                tlb_settle(tlb);
            size_t room = (TLB_QUEUE - 1 - tlb->n_queue) / 2;
            end = to - from < room ? to : from + room;
            batch_of_two(tlb, runs, from, end);
        }
        return;
    }
    for (; from < to; from++)
        tlb_run(tlb, runs->page[from], FL_PAGE_4K, runs->fetches[from], runs->reads[from],
                runs->writes[from]);
}
