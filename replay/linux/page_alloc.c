/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames from a machine's zones: all of them in scope machine, what a group may have in scope memcg; linux/mm/page_alloc.c, __alloc_pages. */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"
#include "mglru.h"

#define MAX_RECLAIM_RETRIES 16u
#define COSTLY_ORDER 3u /* PAGE_ALLOC_COSTLY_ORDER */

#define FREE_STEP 64u
#define DECAY_PS UINT64_C(1000000000000) /* vmstat_update, every second */

_Static_assert(FL_ORDERS == BUDDY_ORDERS, "the public constant is the allocator's");

/* Nobody reclaims the machine's memory for the group: it has to have enough. */
static int check_room(const struct linux_mm *lm, struct fl_err *err)
{
    uint64_t room = 0;
    for (int i = 0; i < ZONES; i++) {
        const struct zone *zone = &lm->frames->zones.zone[i];
        uint64_t kept = zone->mark[WMARK_MIN] + zone->reserve + 1;
        room += zone->free > kept ? zone->free - kept : 0;
    }
    if (lm->opts.limit_pages <= room)
        return FL_OK;
    char has[FL_FORMAT_BYTES];
    return fl_fail(err, FL_EUSAGE,
                   "the machine around the group has %s to give, less than the group's limit: more "
                   "--host-ram, a smaller --base or --ram, or --scope machine",
                   fl_format_bytes(has, room * FL_PAGE_BYTES));
}

int machine_init(struct linux_mm *lm, struct fl_err *err)
{
    uint32_t cpus = lm->opts.cpus ? lm->opts.cpus : 1;
    int rc = buddy_zones_new(&lm->opts.zones, cpus < BUDDY_CPUS_MAX ? cpus : BUDDY_CPUS_MAX,
                             &lm->frames, err);
    for (int i = 0; i < ZONES && rc == FL_OK; i++)
        lm->frames->buddy[i]->high_mark = 0; /* no boosts: kswapd here does not know them */
    lm->least_free = UINT64_MAX - FREE_STEP;
    return rc == FL_OK && !lm->opts.machine ? check_room(lm, err) : rc;
}

void machine_fini(struct linux_mm *lm)
{
    for (int use = 0; use < PAGE_USES; use++)
        free(lm->held[use].pfn);
    free(lm->frame_of);
    buddy_zones_free(lm->frames);
}

/* ---- what it tells ------------------------------------------------------------------- */

void machine_free_blocks(const struct linux_mm *lm, uint64_t blocks[FL_ORDERS])
{
    memset(blocks, 0, FL_ORDERS * sizeof *blocks);
    for (int i = 0; i < ZONES; i++) {
        int64_t of_zone[BUDDY_ORDERS];
        buddy_blocks(lm->frames->buddy[i], of_zone);
        for (uint32_t o = 0; o < FL_ORDERS; o++)
            blocks[o] += (uint64_t)of_zone[o];
    }
}

void machine_counts(const struct linux_mm *lm, struct fl_buddy_counts *counts)
{
    *counts = (struct fl_buddy_counts){ .is_there = true,
                                        .failed = lm->frames->failed,
                                        .no_large = lm->frames->no_large };
    machine_free_blocks(lm, counts->free);
    memcpy(counts->least_free, lm->least_blocks, sizeof counts->least_free);
    for (int i = 0; i < ZONES; i++) {
        const struct buddy_stats *stats = &lm->frames->buddy[i]->stats;
        for (uint32_t o = 0; o < FL_ORDERS; o++) {
            counts->allocs[o] += stats->allocs[o];
            counts->frees[o] += stats->frees[o];
            counts->splits[o] += stats->splits[o];
            counts->merges[o] += stats->merges[o];
        }
    }
}

/* ---- frames -------------------------------------------------------------------------- */

static bool hold(struct linux_mm *lm, enum page_use use, uint64_t pfn)
{
    struct frame_stack *s = &lm->held[use];
    if (s->n == s->room) {
        uint32_t room = grow_room(s->room);
        if (!room || !grow(&s->pfn, room)) {
            lm->failed_memory = true;
            return false;
        }
        s->room = room;
    }
    s->pfn[s->n++] = (uint32_t)pfn;
    return true;
}

static void note_least(struct linux_mm *lm)
{
    uint64_t free = zones_free(&lm->frames->zones);
    if (free + FREE_STEP > lm->least_free)
        return;
    lm->least_free = free;
    machine_free_blocks(lm, lm->least_blocks);
}

/* A block, its first page on top of those held. */
static bool take_at(struct linux_mm *lm, enum page_use use, uint32_t order, enum watermark mark)
{
    static const enum buddy_type types[PAGE_USES] = { BUDDY_MOVABLE, BUDDY_UNMOVABLE };
    uint64_t pfn;
    if (!buddy_zones_take(lm->frames, lm->cpu, order, types[use], mark, &pfn))
        return false;
    for (uint32_t i = 1u << order; i-- > 0;)
        if (!hold(lm, use, pfn + i))
            return false;
    if (lm->opts.machine)
        lm->usage += UINT64_C(1) << order;
    if (lm->usage > lm->usage_peak)
        lm->usage_peak = lm->usage;
    note_least(lm);
    return true;
}

static void give_at(struct linux_mm *lm, uint64_t pfn, uint32_t order)
{
    buddy_zones_give(lm->frames, lm->cpu, pfn, order);
    if (lm->opts.machine)
        lm->usage -= UINT64_C(1) << order;
}

/* Are the last pages held those of one huge page? */
static bool is_huge(const struct frame_stack *s)
{
    if (s->n < HUGE_PAGES)
        return false;
    for (uint32_t i = s->n - HUGE_PAGES; i < s->n; i++)
        if (s->pfn[i] >> HUGE_SHIFT != s->pfn[s->n - 1] >> HUGE_SHIFT)
            return false;
    return true;
}

void machine_give(struct linux_mm *lm, enum page_use use, uint64_t n)
{
    struct frame_stack *s = &lm->held[use];
    while (n && s->n) {
        bool huge = n >= HUGE_PAGES && is_huge(s);
        uint32_t pfn = s->pfn[s->n - 1];
        s->n -= huge ? HUGE_PAGES : 1;
        n -= huge ? HUGE_PAGES : 1;
        give_at(lm, huge ? pfn & ~(HUGE_PAGES - 1u) : pfn, huge ? HUGE_SHIFT : 0);
    }
}

/* The page taken last is folio @c's from now on. */
void machine_give_to_folio(struct linux_mm *lm, uint32_t c)
{
    struct frame_stack *s = &lm->held[PAGES_OF_FOLIOS];
    lm->frame_of[c] = s->pfn[--s->n];
    lm->in_folios[buddy_zones_zone(lm->frames, lm->frame_of[c])]++;
}

void machine_give_folio(struct linux_mm *lm, uint32_t c)
{
    lm->in_folios[buddy_zones_zone(lm->frames, lm->frame_of[c])]--;
    give_at(lm, lm->frame_of[c], 0);
}

void machine_folio_page_stays(struct linux_mm *lm, uint32_t c)
{
    lm->in_folios[buddy_zones_zone(lm->frames, lm->frame_of[c])]--;
    hold(lm, PAGES_OF_FOLIOS, lm->frame_of[c]);
}

/* ---- allocation ---------------------------------------------------------------------- */

/* zone_reclaimable_pages, shared out among the zones by the folios they hold */
static uint64_t reclaimable(const struct linux_mm *lm, enum zone_type zone)
{
    uint64_t listed = 0, folios = 0;
    for (uint32_t list = 0; list < LRU_LISTS_MAX; list++)
        if (list >= (lm->mglru ? LRU_LISTS_MAX / 2 : LRU_INACTIVE_FILE) || swap_available(lm))
            listed += lm->lru[list].n;
    for (int i = 0; i < ZONES; i++)
        folios += lm->in_folios[i];
    return folios ? listed * lm->in_folios[zone] / folios : 0;
}

/* should_reclaim_retry */
static bool worth_another_try(const struct linux_mm *lm, uint32_t order, uint64_t freed,
                              uint32_t *fruitless)
{
    if (freed && order <= COSTLY_ORDER)
        *fruitless = 0;
    else if (++*fruitless > MAX_RECLAIM_RETRIES)
        return false;
    for (int i = 0; i < ZONES; i++) {
        const struct zone *zone = &lm->frames->zones.zone[i];
        if (zone->managed &&
            zone_is_ok(zone, zone->free + reclaimable(lm, (enum zone_type)i), WMARK_MIN))
            return true;
    }
    return false;
}

/* __alloc_pages_direct_reclaim */
static bool take_reclaimed(struct linux_mm *lm, enum page_use use, uint32_t order, uint64_t *freed)
{
    *freed = reclaim_direct(lm, RECLAIM_MIN);
    if (!*freed)
        return false;
    if (take_at(lm, use, order, WMARK_MIN))
        return true;
    buddy_zones_drain(lm->frames);
    return take_at(lm, use, order, WMARK_MIN);
}

/* __alloc_pages_slowpath */
static bool take_slowly(struct linux_mm *lm, enum page_use use, uint32_t order, bool insist)
{
    uint32_t fruitless = 0;
    for (;;) {
        uint64_t freed;
        kswapd_wake(lm);
        if (take_at(lm, use, order, WMARK_MIN) || take_reclaimed(lm, use, order, &freed))
            return true;
        if (!insist)
            return false;
        kswapd_run(lm);
        if (worth_another_try(lm, order, freed, &fruitless))
            continue;
        if (take_at(lm, use, order, WMARK_HIGH)) /* __alloc_pages_may_oom looks once more */
            return true;
        if (!kill_for_memory(lm))
            return false;
        fruitless = 0;
    }
}

static void decay_if_due(struct linux_mm *lm)
{
    if (lm->now_ps < lm->next_decay_ps)
        return;
    lm->next_decay_ps = lm->now_ps + DECAY_PS;
    buddy_zones_decay(lm->frames);
}

bool machine_take(struct linux_mm *lm, enum page_use use, uint32_t order, bool insist)
{
    decay_if_due(lm);
    kswapd_run(lm);
    return take_at(lm, use, order, WMARK_LOW) || take_slowly(lm, use, order, insist);
}

bool machine_take_paid(struct linux_mm *lm, enum page_use use, uint32_t order)
{
    decay_if_due(lm);
    if (take_at(lm, use, order, WMARK_MIN))
        return true;
    buddy_zones_drain(lm->frames);
    return take_at(lm, use, order, WMARK_MIN);
}

bool machine_take_free(struct linux_mm *lm, enum page_use use, uint32_t order)
{
    kswapd_run(lm);
    return take_at(lm, use, order, WMARK_LOW);
}

/* ---- what the page cache held before --------------------------------------------------- */

/* A file's page that was there already when the recording began. false: no room for it now. */
static bool keep(struct linux_mm *lm, uint32_t c, enum watermark mark)
{
    if (!take_at(lm, PAGES_OF_FOLIOS, 0, mark))
        return false;
    lm->folio[c].flags |= FOLIO_ADOPTED;
    folio_resident(lm, c);
    kernel_memory_of_file_page(lm, c, false);
    return true;
}

bool machine_adopt(struct linux_mm *lm, uint32_t c)
{
    if (!keep(lm, c, WMARK_LOW))
        return false;
    lru_add_new(lm, c, lru_home(lm, c, false));
    return true;
}

uint64_t machine_warm(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    struct contents *cs = &lm->vm->cs;
    for (uint64_t at = end; at > first; at--) {
        uint32_t c = contents_object_page(cs, object, at - 1);
        if (c == NO_CONTENTS)
            c = contents_object_add(cs, object, at - 1);
        if (c == NO_CONTENTS || linux_room(lm, 0, c + 1, NULL) != FL_OK) {
            lm->failed_memory = true;
            return at;
        }
        if (lm->folio[c].flags & (FOLIO_ADOPTED | FOLIO_RESIDENT))
            continue;
        if (!keep(lm, c, WMARK_HIGH))
            return at;
        if (lm->mglru)
            mglru_add_oldest(lm, c);
        else
            lru_add_oldest(lm, c, lru_home(lm, c, false));
    }
    return first;
}
