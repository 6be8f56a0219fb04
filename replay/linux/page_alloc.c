/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope machine: pages from the machine's zones; linux/mm/page_alloc.c, __alloc_pages. */
#include "mglru.h"

#define MAX_RECLAIM_RETRIES 16u
#define COSTLY_PAGES 8u /* of PAGE_ALLOC_COSTLY_ORDER */

/* ---- which zone a page is from ------------------------------------------------------- */

/* @n pages, or none. They belong to no folio yet. */
static bool take_at(struct linux_mm *lm, uint64_t n, enum watermark mark)
{
    for (uint64_t i = 0; i < n; i++) {
        enum zone_type zone = zones_pick(&lm->zones, mark);
        if (zone == ZONE_NONE) {
            machine_give(lm, i);
            return false;
        }
        lm->zones.zone[zone].free--;
        lm->loose[zone]++;
        lm->last_zone = (uint8_t)zone;
        lm->usage++;
    }
    if (lm->usage > lm->usage_peak)
        lm->usage_peak = lm->usage;
    return true;
}

/* Pages that no folio holds: those taken last are from the zones that come last. */
void machine_give(struct linux_mm *lm, uint64_t n)
{
    for (int zone = 0; zone < ZONES && n; zone++) {
        uint64_t given = n < lm->loose[zone] ? n : lm->loose[zone];
        lm->loose[zone] -= given;
        lm->zones.zone[zone].free += given;
        lm->usage -= given;
        n -= given;
    }
}

/* The page taken last is folio @c's from now on. */
void machine_give_to_folio(struct linux_mm *lm, uint32_t c)
{
    enum zone_type zone = (enum zone_type)lm->last_zone;
    for (int i = 0; i < ZONES && !lm->loose[zone]; i++)
        zone = (enum zone_type)i;
    lm->loose[zone]--;
    lm->in_folios[zone]++;
    lm->zone_of[c] = (uint8_t)zone;
}

void machine_give_folio(struct linux_mm *lm, uint32_t c)
{
    lm->in_folios[lm->zone_of[c]]--;
    lm->zones.zone[lm->zone_of[c]].free++;
    lm->usage--;
}

void machine_folio_page_stays(struct linux_mm *lm, uint32_t c)
{
    lm->in_folios[lm->zone_of[c]]--;
    lm->loose[lm->zone_of[c]]++;
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
static bool worth_another_try(const struct linux_mm *lm, uint64_t n, uint64_t freed,
                              uint32_t *fruitless)
{
    if (freed && n <= COSTLY_PAGES)
        *fruitless = 0;
    else if (++*fruitless > MAX_RECLAIM_RETRIES)
        return false;
    for (int i = 0; i < ZONES; i++) {
        const struct zone *zone = &lm->zones.zone[i];
        if (zone->managed &&
            zone_is_ok(zone, zone->free + reclaimable(lm, (enum zone_type)i), WMARK_MIN))
            return true;
    }
    return false;
}

/* __alloc_pages_slowpath */
static bool take_slowly(struct linux_mm *lm, uint64_t n, bool insist)
{
    uint32_t fruitless = 0;
    for (;;) {
        kswapd_wake(lm);
        if (take_at(lm, n, WMARK_MIN))
            return true;
        uint64_t freed = reclaim_direct(lm, RECLAIM_MIN);
        if (take_at(lm, n, WMARK_MIN))
            return true;
        if (!insist)
            return false;
        kswapd_run(lm);
        if (worth_another_try(lm, n, freed, &fruitless))
            continue;
        if (take_at(lm, n, WMARK_HIGH)) /* __alloc_pages_may_oom looks once more */
            return true;
        if (!kill_for_memory(lm))
            return false;
        fruitless = 0;
    }
}

bool machine_take(struct linux_mm *lm, uint64_t n, bool insist)
{
    kswapd_run(lm);
    return take_at(lm, n, WMARK_LOW) || take_slowly(lm, n, insist);
}

bool machine_take_free(struct linux_mm *lm, uint64_t n)
{
    kswapd_run(lm);
    return take_at(lm, n, WMARK_LOW);
}

/* ---- what the page cache held before --------------------------------------------------- */

/* A file's page that was there already when the recording began. false: no room for it now. */
static bool keep(struct linux_mm *lm, uint32_t c, enum watermark mark)
{
    if (!take_at(lm, 1, mark))
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
