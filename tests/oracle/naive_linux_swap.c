/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, sections 11, 13, and the read-ahead of 16. */
#include "naive_linux_world.h"

#define MANY_SLOTS 4095 /* more than twice what any trace uses */

/* ---- slots ------------------------------------------------------------------------------ */

static uint32_t used(const struct world *w)
{
    return naive_swap_used(&w->k->swap);
}

static bool is_v2(const struct world *w)
{
    return w->k->opts->kernel.memcg == FL_MEMCG_V2;
}

bool naive_linux_swap_available(const struct world *w)
{
    if (w->k->opts->swap_pages == 0)
        return false;
    if (is_v2(w) && used(w) >= w->k->opts->swap_pages)
        return false;
    return used(w) < w->k->swap.n_slots - 1;
}

bool naive_linux_swap_half_used(const struct world *w)
{
    if (is_v2(w) && w->k->opts->swap_pages != UINT64_MAX && used(w) * 2 >= w->k->opts->swap_pages)
        return true;
    return used(w) > w->k->swap.n_slots - 1 - used(w);
}

bool naive_linux_cached(const struct world *w, int c)
{
    return FOLIO(w, c)->slot && w->k->swap.slot[FOLIO(w, c)->slot].cached;
}

static void released(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    naive_swap_released(&w->k->swap, f->slot);
    if (!naive_swap_in_use(&w->k->swap, f->slot))
        f->slot = 0;
}

void naive_linux_put_slot(struct world *w, int c)
{
    w->k->swap.slot[FOLIO(w, c)->slot].maps--;
    released(w, c);
}

static void leave_cache(struct world *w, int c)
{
    w->k->swap.slot[FOLIO(w, c)->slot].cached = false;
    released(w, c);
    FOLIO(w, c)->dirty = true;
}

void naive_linux_let_go(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    if (naive_linux_cached(w, c) && !w->k->swap.slot[f->slot].maps && !f->writeback)
        leave_cache(w, c);
}

/* Section 16: a search finds a slot that only the swap cache holds. */
static int drop(void *arg, uint32_t slot)
{
    struct world *w = arg;
    int c = (int)w->k->swap.slot[slot].owner;
    if (FOLIO(w, c)->busy || FOLIO(w, c)->writeback || w->k->swap.slot[slot].maps)
        return -1;
    leave_cache(w, c);
    return 1;
}

void naive_linux_swap_start(struct world *w)
{
    uint64_t n = w->k->opts->swap_pages;
    if (is_v2(w) || n > MANY_SLOTS)
        n = MANY_SLOTS;
    naive_swap_start(&w->k->swap, (uint32_t)n + 1);
    w->k->swap.drop = drop;
    w->k->swap.arg = w;
}

bool naive_linux_take_slot(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    if (!naive_linux_swap_available(w))
        return false;
    uint32_t slot = naive_swap_alloc(&w->k->swap, (uint32_t)c);
    if (!slot)
        return false;
    f->slot = slot;
    if (w->contents.at[c].object != NONE)
        w->k->swap.slot[slot].maps++; /* shared memory: one reference, whoever maps it */
    if (used(w) > w->res->swap_peak_pages)
        w->res->swap_peak_pages = used(w);
    f->busy++;
    naive_swap_worker(&w->k->swap);
    f->busy--;
    return true;
}

/* ---- section 13 --------------------------------------------------------------------------- */

/* The requests that the writes held back make up; @last: pages of the latest. */
static size_t requests_held(const struct world *w, size_t *last)
{
    size_t n = 0;
    *last = 0;
    for (size_t i = 0; i < w->k->writes.n; i++) {
        const struct swap_write *at = &w->k->writes.at[i];
        if (at->submitted)
            continue;
        if (*last > 0 && *last < 254 && at->slot == at[-1].slot + 1) {
            ++*last;
        } else {
            n++;
            *last = 1;
        }
    }
    return n;
}

void naive_linux_submit_writes(struct world *w)
{
    struct kernel *k = w->k;
    const uint64_t *ps = k->opts->costs->ps;
    size_t held = 0;
    for (size_t i = 0; i < k->writes.n; i++)
        held += !k->writes.at[i].submitted;
    if (held == 0)
        return;
    if (k->disk_done_ps < k->now_ps)
        k->disk_done_ps = k->now_ps;
    k->disk_done_ps += ps[FL_COST_SWAP_IN_DISK] + (held - 1) * ps[FL_COST_FILE_READAHEAD];
    for (size_t i = 0; i < k->writes.n; i++)
        if (!k->writes.at[i].submitted) {
            k->writes.at[i].submitted = true;
            k->writes.at[i].done_ps = k->disk_done_ps;
        }
}

void naive_linux_begin_write(struct world *w, int c)
{
    size_t last, requests = requests_held(w, &last);
    uint64_t slot = FOLIO(w, c)->slot;
    bool joins = requests > 0 && last < 254 && slot == w->k->writes.at[w->k->writes.n - 1].slot + 1;
    if (!joins && (requests >= 32 || last >= 32))
        naive_linux_submit_writes(w);
    LIST_ADD(&w->k->writes, ((struct swap_write){ .c = c, .slot = slot }));
}

static void complete(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    bool reclaim = f->reclaim;
    if (!f->writeback)
        return; /* it was waited for */
    f->writeback = f->reclaim = false;
    if (reclaim && f->place < LISTS && !f->dirty) {
        int list = f->place == AA || f->place == AF ? f->place - 1 : f->place;
        naive_linux_off_lists(w, c);
        naive_linux_to_list(w, c, list, true);
    }
}

void naive_linux_complete_writes(struct world *w)
{
    while (w->k->writes.n > 0 && w->k->writes.at[0].submitted &&
           w->k->writes.at[0].done_ps <= w->k->now_ps) {
        int c = w->k->writes.at[0].c;
        LIST_DROP(&w->k->writes, 0);
        if (c >= 0)
            complete(w, c);
    }
}

void naive_linux_wait_for_write(struct world *w, int c)
{
    naive_linux_submit_writes(w);
    naive_linux_complete_writes(w);
    while (FOLIO(w, c)->writeback) {
        w->k->now_ps = w->k->writes.at[0].done_ps;
        naive_linux_complete_writes(w);
    }
}

/* ---- section 16, read-ahead -------------------------------------------------------------- */

static uint64_t window(uint64_t hits, bool next_to, uint64_t most, uint64_t before)
{
    uint64_t pages = hits + 2;
    if (hits == 0) {
        pages = next_to ? 2 : 1;
    } else {
        uint64_t power = 4;
        while (power < pages)
            power *= 2;
        pages = power;
    }
    if (pages > most)
        pages = most;
    return pages < before / 2 ? before / 2 : pages;
}

static bool by_slot(const struct world *w, int c)
{
    return w->k->opts->kernel.swap_kind == FL_SWAP_DISK || w->contents.at[c].object != NONE;
}

static void hit(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    bool marked = f->readahead;
    f->readahead = false;
    w->k->out->readahead_hits += marked;
    if (by_slot(w, c)) {
        w->k->ra_hits += marked;
        return;
    }
    struct mapping *m = naive_vm_mapping_at(w, w->k->run->mm, w->k->run->vpn);
    m->ra_place = w->k->run->vpn;
    m->ra_hits += marked;
}

/* Slots [first, end). */
static struct span slots_around(struct world *w, uint32_t slot)
{
    struct kernel *k = w->k;
    uint64_t most = UINT64_C(1) << k->opts->kernel.page_cluster;
    if (most == 1)
        return (struct span){ slot, slot + 1 };
    bool next_to = slot == k->ra_place + 1 || slot + 1 == k->ra_place;
    uint64_t n = window(k->ra_hits, next_to, most, k->ra_window);
    if (k->ra_hits == 0)
        k->ra_place = slot;
    k->ra_hits = 0;
    k->ra_window = n;
    struct span s = { slot & ~(n - 1), (slot | (n - 1)) + 1 };
    if (n > 1 && s.first == 0)
        s.first = 1;
    if (s.end > k->swap.n_slots)
        s.end = k->swap.n_slots;
    return s;
}

/* Virtual pages [first, end). */
static struct span pages_around(struct world *w, uint64_t vpn)
{
    struct mapping *m = naive_vm_mapping_at(w, w->k->run->mm, vpn);
    uint64_t most = UINT64_C(1) << w->k->opts->kernel.page_cluster;
    if (most > 32)
        most = 32;
    if (most == 1)
        return (struct span){ vpn, vpn + 1 };
    bool up = vpn == m->ra_place + 1, down = vpn + 1 == m->ra_place;
    uint64_t n = window(m->ra_hits, up || down, most, m->ra_window);
    m->ra_place = vpn;
    m->ra_window = n;
    m->ra_hits = 0;
    uint64_t before = up ? 0 : down ? n - 1 : (n - 1) / 2;
    struct span s = { before > vpn ? 0 : vpn - before, vpn - before + n };
    uint64_t table = vpn & ~UINT64_C(511);
    if (n == 1)
        return (struct span){ vpn, vpn + 1 };
    if (s.first < m->start)
        s.first = m->start;
    if (s.first < table)
        s.first = table;
    if (s.end > m->end)
        s.end = m->end;
    if (s.end > table + 512)
        s.end = table + 512;
    return s;
}

/* What lies at a place of the window and is to be read, or NONE. */
static int at_place(struct world *w, bool slots, uint64_t place)
{
    int c = NONE;
    if (slots) {
        if (place < w->k->swap.n_slots && w->k->swap.slot[place].maps)
            c = (int)w->k->swap.slot[place].owner;
    } else {
        const struct vpage *v = naive_linux_entry(w, w->k->run->mm, place);
        if (v && !v->entry.present && w->contents.at[v->contents].object == NONE)
            c = v->contents;
    }
    return c == NONE || FOLIO(w, c)->resident || !FOLIO(w, c)->slot ? NONE : c;
}

/* ---- section 11 ---------------------------------------------------------------------------- */

static void come_in(struct world *w, int c, bool cached)
{
    w->res->pages_in++;
    if (cached)
        w->k->swap.slot[FOLIO(w, c)->slot].cached = true;
    naive_linux_new_folio(w, c, naive_linux_refault(w, c));
}

static bool read_window(struct world *w, int wanted)
{
    bool slots = by_slot(w, wanted), ok = true;
    struct span s = slots ? slots_around(w, FOLIO(w, wanted)->slot)
                          : pages_around(w, w->k->run->vpn);
    for (uint64_t place = s.first; place < s.end; place++) {
        int c = at_place(w, slots, place);
        if (c == NONE)
            continue;
        ok = naive_linux_charge(w, false);
        if (!ok)
            break;
        if (at_place(w, slots, place) != c) { /* it went meanwhile */
            naive_linux_uncharge(w);
            continue;
        }
        come_in(w, c, true);
        if (c == wanted) {
            FOLIO(w, c)->busy++;
            continue;
        }
        FOLIO(w, c)->readahead = true;
        w->k->out->readahead_pages++;
        naive_linux_tick(w, FL_COST_SWAP_READAHEAD, 1);
    }
    if (ok && s.end - s.first > 1)
        naive_linux_drain(w);
    FOLIO(w, wanted)->busy = 0;
    return ok;
}

/* Rules 1 to 3. False: the process was killed. */
static bool bring_in(struct world *w, int c, enum fl_cause *cause)
{
    struct folio *f = FOLIO(w, c);
    if (f->resident) {
        *cause = FL_CAUSE_SWAP_CACHE;
        if (naive_linux_cached(w, c))
            hit(w, c);
        return true;
    }
    *cause = FL_CAUSE_SWAP_IN;
    if (w->k->opts->kernel.swap_kind == FL_SWAP_ZRAM && w->k->swap.slot[f->slot].maps == 1) {
        if (!naive_linux_charge(w, false))
            return false;
        come_in(w, c, false);
        return true;
    }
    return read_window(w, c);
}

bool naive_linux_swap_in(struct world *w, int c, bool writes, enum fl_cause *cause)
{
    struct folio *f = FOLIO(w, c);
    if (!bring_in(w, c, cause))
        return false;
    if (writes && naive_linux_cached(w, c) && f->place == BATCH)
        naive_linux_drain(w);
    naive_linux_put_slot(w, c);
    size_t others = 0;
    for (size_t i = 0; i < w->vpages.n; i++)
        others += w->vpages.at[i].contents == c && w->vpages.at[i].entry.present;
    if (naive_linux_swap_half_used(w) || (writes && others == 0))
        naive_linux_let_go(w, c);
    naive_linux_entry(w, w->k->run->mm, w->k->run->vpn)->entry =
        (struct entry){ .present = true,
                        .accessed = true,
                        .writable = writes || naive_vm_mappers(w, c) == 1,
                        .dirty = writes };
    return true;
}

/* Shared memory, resident or on swap, for a fault or a system call: it leaves the swap. */
bool naive_linux_shared_in(struct world *w, int c, enum fl_cause *cause)
{
    if (!bring_in(w, c, cause))
        return false;
    if (*cause == FL_CAUSE_SWAP_CACHE)
        *cause = FL_CAUSE_SHMEM;
    if (!FOLIO(w, c)->slot)
        return true;
    w->k->swap.slot[FOLIO(w, c)->slot].maps--;
    if (FOLIO(w, c)->writeback)
        naive_linux_wait_for_write(w, c);
    leave_cache(w, c);
    return true;
}
