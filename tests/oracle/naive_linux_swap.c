/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, sections 11, 13, and the read-ahead of 16. */
#include "naive_linux_world.h"

#define WINDOW_PS UINT64_C(100000000000)
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

static uint64_t disk_begins_ps(const struct world *w)
{
    const uint64_t *ps = w->k->opts->costs->ps;
    uint64_t processor_ps = ps[FL_COST_FAULT_SWAP_CACHE] + ps[FL_COST_SWAP_READAHEAD];
    return ps[FL_COST_SWAP_IN_DISK] > processor_ps ? ps[FL_COST_SWAP_IN_DISK] - processor_ps : 0;
}

/* All that is held back goes to the disk, one request after the other. One that was idle takes as long
   to begin as a read does; each request takes its time and that of its pages. */
void naive_linux_submit_writes(struct world *w)
{
    struct kernel *k = w->k;
    const uint64_t *ps = k->opts->costs->ps;
    bool first = true;
    k->held.n = 0;
    for (size_t i = 0; i < k->writes.n; i++) {
        if (k->writes.at[i].sent)
            continue;
        if (first && k->disk_done_ps <= k->now_ps)
            k->disk_done_ps = k->now_ps + disk_begins_ps(w);
        if (k->writes.at[i].begins)
            k->disk_done_ps += ps[FL_COST_DISK_REQUEST];
        k->disk_done_ps += ps[FL_COST_DISK_PAGE];
        first = false;
        k->writes.at[i].sent = true;
        /* a request is done when its last page is */
        for (size_t j = i + 1; j-- > 0;) {
            k->writes.at[j].done_ps = k->disk_done_ps;
            if (k->writes.at[j].begins)
                break;
        }
    }
    /* or, told together, when the last of all is */
    for (size_t i = 0; !k->opts->costs->disk_singly && i < k->writes.n; i++)
        if (k->writes.at[i].sent && k->writes.at[i].done_ps > k->now_ps)
            k->writes.at[i].done_ps = k->disk_done_ps;
}

static size_t requests_held(const struct world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->k->held.n; i++)
        n += w->k->held.at[i].begins;
    return n;
}

static size_t pages_of_first(const struct world *w)
{
    size_t n = w->k->held.n > 0;
    while (n > 0 && n < w->k->held.n && !w->k->held.at[n].begins)
        n++;
    return n;
}

static size_t pages_of_last(const struct world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->k->held.n; i++)
        n = w->k->held.at[i].begins ? 1 : n + 1;
    return n;
}

static bool joins(const struct world *w, uint64_t slot, bool reads)
{
    if (w->k->held.n == 0 || pages_of_last(w) >= 254)
        return false;
    const struct held_page *last = &w->k->held.at[w->k->held.n - 1];
    return last->reads == reads && slot == last->slot + 1;
}

static void hold(struct world *w, uint64_t slot, bool reads, bool joined)
{
    if (!joined && (requests_held(w) >= 32 || pages_of_first(w) >= 32))
        naive_linux_submit_writes(w);
    LIST_ADD(&w->k->held, ((struct held_page){ .slot = slot, .reads = reads, .begins = !joined }));
}

static void windows_end(struct world *w)
{
    struct kernel *k = w->k;
    bool unsent = k->writes.n > 0 && !k->writes.at[k->writes.n - 1].sent;
    while (k->window_end_ps && k->window_end_ps <= k->now_ps) {
        bool wrote = unsent || k->disk_done_ps + WINDOW_PS > k->window_end_ps;
        k->window_end_ps += WINDOW_PS;
        if (wrote && k->steps < 4) {
            k->steps++;
            k->idle_windows = 0;
        }
        if (wrote)
            continue;
        if (k->steps == 0) {
            k->window_end_ps = 0;
        } else if (++k->idle_windows >= 5) {
            k->steps--;
            k->idle_windows = 0;
        }
    }
}

static void throttle(struct world *w)
{
    static const size_t most[] = { 16, 31, 61, 121, 192 };
    struct kernel *k = w->k;
    size_t under_way = 0;
    naive_linux_complete_writes(w);
    windows_end(w);
    if (!k->window_end_ps)
        k->window_end_ps = k->now_ps + WINDOW_PS;
    for (size_t i = 0; i < k->writes.n; i++)
        under_way += k->writes.at[i].begins;
    if (under_way < most[k->steps])
        return;
    naive_linux_submit_writes(w);
    if (k->now_ps < k->disk_done_ps)
        k->now_ps = k->disk_done_ps;
    naive_linux_complete_writes(w);
}

void naive_linux_begin_write(struct world *w, int c)
{
    uint64_t slot = FOLIO(w, c)->slot;
    bool joined = joins(w, slot, false);
    if (!joined)
        throttle(w);
    hold(w, slot, false, joined);
    LIST_ADD(&w->k->writes, ((struct swap_write){ .c = c, .begins = !joined }));
}

static void complete(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    bool reclaim = f->mark;
    if (!f->writeback)
        return; /* it was waited for */
    f->writeback = f->mark = false;
    if (reclaim && f->place < LISTS && !f->dirty) {
        int list = f->place == AA || f->place == AF ? f->place - 1 : f->place;
        naive_linux_off_lists(w, c);
        naive_linux_to_list(w, c, list, true);
    }
}

void naive_linux_complete_writes(struct world *w)
{
    while (w->k->writes.n > 0 && w->k->writes.at[0].sent &&
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

/* Who has read @pages finds done what the disk had taken: 256 segments, two more a request. */
static void wait_for_taken(struct world *w, uint64_t pages)
{
    struct kernel *k = w->k;
    uint64_t segments = pages + 2, until_ps = k->now_ps, begins_ps = disk_begins_ps(w);
    for (size_t i = 0, end; i < k->writes.n && k->writes.at[i].sent; i = end) {
        for (end = i + 1; end < k->writes.n && !k->writes.at[end].begins; end++)
            ;
        segments += end - i + 2;
        if (segments > 256)
            break;
        until_ps = k->writes.at[i].done_ps;
    }
    if (k->now_ps + begins_ps < until_ps)
        k->now_ps = until_ps - begins_ps;
    naive_linux_complete_writes(w);
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
    bool marked = f->mark;
    f->mark = false;
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
    w->k->reading_ahead = s.end - s.first > 1;
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
        if (w->k->reading_ahead)
            hold(w, FOLIO(w, c)->slot, true, joins(w, FOLIO(w, c)->slot, true));
        if (c == wanted) {
            FOLIO(w, c)->busy++;
            continue;
        }
        FOLIO(w, c)->mark = true;
        w->k->out->readahead_pages++;
        naive_linux_tick(w, FL_COST_SWAP_READAHEAD, 1);
    }
    if (w->k->reading_ahead)
        naive_linux_submit_writes(w);
    w->k->reading_ahead = false;
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
    uint64_t before = w->res->pages_in;
    bool ok = read_window(w, c);
    if (w->res->pages_in > before)
        wait_for_taken(w, w->res->pages_in - before);
    return ok;
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
    naive_linux_dirty(w, c);
    return true;
}
