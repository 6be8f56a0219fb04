/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The swap area against its slow twin over random sequences of calls.
   FAULTLINE_SEED=N: that seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "linux/swap_area.h"
#include "naive_swap.h"
#include "random_trace.h"

#define SLOTS_MAX (6u * 512)

/* What both ask about a page: whether it may be dropped. */
struct world {
    struct swap_area area;
    struct naive_swap twin;
    bool locked[SLOTS_MAX];
    bool huge[SLOTS_MAX / 512]; /* this cluster is one huge page in the swap cache */
    uint64_t rng, seed;
    unsigned step;
    /* what the sequences met */
    unsigned none, dropped, kept, huge_given, huge_refused, freed_clusters, half, left_one;
};

static uint32_t folio_first(const struct world *w, uint32_t slot)
{
    return w->huge[slot / 512] ? slot / 512 * 512 : slot;
}

static uint32_t folio_pages(const struct world *w, uint32_t slot)
{
    return w->huge[slot / 512] ? 512 : 1;
}

static int area_drop(void *arg, uint32_t slot)
{
    struct world *w = arg;
    uint32_t first = folio_first(w, slot), n = folio_pages(w, slot);
    bool stays = w->locked[first];
    for (uint32_t i = first; i < first + n; i++)
        stays |= swap_slot_maps(&w->area, i) > 0;
    w->kept += stays;
    w->dropped += !stays;
    if (stays)
        return -(int)n;
    for (uint32_t i = first; i < first + n; i++)
        swap_slot_cache_del(&w->area, i);
    return (int)n;
}

static int twin_drop(void *arg, uint32_t slot)
{
    struct world *w = arg;
    uint32_t first = folio_first(w, slot), n = folio_pages(w, slot);
    bool stays = w->locked[first];
    for (uint32_t i = first; i < first + n; i++)
        stays |= w->twin.slot[i].maps > 0;
    if (stays)
        return -(int)n;
    for (uint32_t i = first; i < first + n; i++) {
        w->twin.slot[i].cached = false;
        naive_swap_released(&w->twin, i);
    }
    return (int)n;
}

static void fail_at(const struct world *w, const char *what, uint64_t slot, uint64_t got,
                    uint64_t want)
{
    fail_msg("seed %llu step %u, %u slots: %s %llu: %llu, twin %llu", (unsigned long long)w->seed,
             w->step, w->area.config.n_slots, what, (unsigned long long)slot,
             (unsigned long long)got, (unsigned long long)want);
}

static void compare(struct world *w, bool all)
{
    uint32_t used = naive_swap_used(&w->twin);
    if (w->area.used != used)
        fail_at(w, "used", 0, w->area.used, used);
    if (w->area.reclaim_due != w->twin.worker)
        fail_at(w, "worker due", 0, w->area.reclaim_due, w->twin.worker);
    w->half += swap_area_full(&w->area);
    for (uint32_t slot = 1; all && slot < w->area.config.n_slots; slot++) {
        const struct naive_slot *at = &w->twin.slot[slot];
        bool in_use = naive_swap_in_use(&w->twin, slot);
        uint32_t owner = in_use ? at->owner : SWAP_NO_OWNER;
        if (swap_slot_cached(&w->area, slot) != at->cached)
            fail_at(w, "cached", slot, !at->cached, at->cached);
        if (swap_slot_maps(&w->area, slot) != at->maps)
            fail_at(w, "maps", slot, swap_slot_maps(&w->area, slot), at->maps);
        if (swap_slot_owner(&w->area, slot) != owner)
            fail_at(w, "owner", slot, swap_slot_owner(&w->area, slot), owner);
        if (!in_use)
            w->locked[slot] = false;
    }
    if (all && !swap_area_check(&w->area))
        fail_at(w, "check", 0, 0, 1);
}

/* A cluster is a huge page no longer once a slot of it is out of the cache. */
static void settle_huge(struct world *w)
{
    for (uint32_t c = 0; c < w->twin.n_clusters; c++)
        for (uint32_t i = 0; i < 512 && w->huge[c]; i++)
            w->huge[c] = w->twin.slot[c * 512 + i].cached;
}

static uint32_t alloc_one(struct world *w)
{
    uint32_t owner = (uint32_t)random_below(&w->rng, 1000000);
    uint32_t got = swap_slot_alloc(&w->area, owner), want = naive_swap_alloc(&w->twin, owner);
    if (got != want)
        fail_at(w, "alloc of owner", owner, got, want);
    settle_huge(w);
    w->none += got == SWAP_NO_SLOT;
    return got;
}

static void alloc_huge(struct world *w)
{
    uint32_t owners[512], owner = (uint32_t)random_below(&w->rng, 1000000);
    for (uint32_t i = 0; i < 512; i++)
        owners[i] = owner + i;
    uint32_t got = swap_slot_alloc_cluster(&w->area, owners);
    uint32_t want = naive_swap_alloc_huge(&w->twin, owner);
    if (got != want)
        fail_at(w, "huge alloc of owner", owner, got, want);
    settle_huge(w);
    w->huge[got / 512] |= got != SWAP_NO_SLOT;
    w->huge_given += got != SWAP_NO_SLOT;
    w->huge_refused += got == SWAP_NO_SLOT;
}

static void dup(struct world *w, uint32_t slot)
{
    swap_slot_dup(&w->area, slot);
    w->twin.slot[slot].maps++;
}

static void put(struct world *w, uint32_t slot)
{
    bool got = swap_slot_put(&w->area, slot);
    w->twin.slot[slot].maps--;
    bool want = !w->twin.slot[slot].maps && w->twin.slot[slot].cached;
    if (got != want)
        fail_at(w, "put", slot, got, want);
    naive_swap_released(&w->twin, slot);
}

static void cache_del(struct world *w, uint32_t slot)
{
    bool got = swap_slot_cache_del(&w->area, slot);
    w->twin.slot[slot].cached = false;
    if (got == naive_swap_in_use(&w->twin, slot))
        fail_at(w, "cache_del", slot, got, !got);
    naive_swap_released(&w->twin, slot);
    w->huge[slot / 512] = false;
}

static void free_slot(struct world *w, uint32_t slot)
{
    swap_slot_free(&w->area, slot);
    w->twin.slot[slot].cached = false;
    w->twin.slot[slot].maps = 0;
    naive_swap_released(&w->twin, slot);
    w->huge[slot / 512] = false;
}

/* Something happens to a slot in use. */
static void change(struct world *w, uint32_t slot, bool fewer)
{
    const struct naive_slot *at = &w->twin.slot[slot];
    uint64_t what = random_below(&w->rng, 7);
    if (what == 0) {
        w->locked[folio_first(w, slot)] ^= 1;
    } else if (what == 1 && !at->cached) {
        swap_slot_cache_add(&w->area, slot);
        w->twin.slot[slot].cached = true;
    } else if (what <= 3 && at->maps) {
        put(w, slot);
    } else if (what == 4 && at->cached) {
        cache_del(w, slot);
    } else if (fewer) {
        free_slot(w, slot);
    } else {
        dup(w, slot);
    }
}

/* A stretch of neighbours goes through the same: clusters fill and empty as a whole. */
static void change_some(struct world *w, bool fewer)
{
    uint32_t n_slots = w->area.config.n_slots, n = 1 + (uint32_t)random_below(&w->rng, 40);
    uint32_t slot = 1 + (uint32_t)random_below(&w->rng, n_slots - 1);
    if (fewer && random_below(&w->rng, 4) == 0) {
        n = 512;
        slot = slot / 512 * 512;
    }
    for (uint32_t i = slot; i < slot + n && i < n_slots; i++) {
        if (!naive_swap_in_use(&w->twin, i))
            continue;
        if (n == 512)
            free_slot(w, i);
        else
            change(w, i, fewer);
        w->freed_clusters += w->twin.cluster[i / 512].list == NAIVE_FREE;
    }
}

/* Of a cluster's slots one is left, and that to the swap cache alone: dropping its page
   in the middle of a search frees the cluster that is being searched. */
static void leave_one(struct world *w)
{
    uint32_t c = (uint32_t)random_below(&w->rng, w->twin.n_clusters);
    uint32_t from = c ? c * 512 : 1, left = from;
    while (left < w->area.config.n_slots - 1 && random_below(&w->rng, 4) == 0)
        left++;
    for (uint32_t slot = from; slot < c * 512 + 512 && slot < w->area.config.n_slots; slot++)
        if (slot != left && naive_swap_in_use(&w->twin, slot))
            free_slot(w, slot);
    if (!naive_swap_in_use(&w->twin, left))
        return;
    if (!w->twin.slot[left].cached) {
        swap_slot_cache_add(&w->area, left);
        w->twin.slot[left].cached = true;
    }
    while (w->twin.slot[left].maps)
        put(w, left);
    w->left_one++;
}

static uint32_t random_size(uint64_t *rng)
{
    uint32_t whole = 1 + (uint32_t)random_below(rng, 5), odd = (uint32_t)random_below(rng, 512);
    switch (random_below(rng, 4)) {
    case 0: return 2 + (uint32_t)random_below(rng, 600);
    case 1: return whole * 512 + odd;
    default: return (whole + 1) * 512;
    }
}

static void one_step(struct world *w, bool fewer)
{
    uint64_t what = random_below(&w->rng, 10);
    if (what < (fewer ? 2u : 6u)) {
        uint32_t n = 1 + (uint32_t)random_below(&w->rng, 60);
        bool gone = random_below(&w->rng, 2);
        while (n--) {
            uint32_t slot = alloc_one(w);
            if (slot == SWAP_NO_SLOT)
                break;
            if (random_below(&w->rng, 3) == 0)
                continue;
            dup(w, slot);
            if (gone)
                cache_del(w, slot);
        }
    } else if (what == 6 && random_below(&w->rng, 4) == 0) {
        alloc_huge(w);
    } else if (what == 7) {
        swap_area_reclaim_full(&w->area);
        naive_swap_worker(&w->twin);
        settle_huge(w);
    } else if (what == 8 && random_below(&w->rng, 3) == 0) {
        leave_one(w);
    } else {
        change_some(w, fewer);
    }
}

static void one_seed(struct world *w, uint64_t seed, unsigned steps)
{
    *w = (struct world){ .rng = seed * 7919 + 1, .seed = seed };
    uint32_t n_slots = random_size(&w->rng);
    struct swap_area_config config = { .n_slots = n_slots,
                                       .kind = (enum swap_kind)(seed % 3),
                                       .reclaim = area_drop,
                                       .reclaim_arg = w };
    assert_int_equal(swap_area_init(&w->area, &config, NULL), FL_OK);
    naive_swap_start(&w->twin, n_slots);
    w->twin.drop = twin_drop;
    w->twin.arg = w;
    bool fewer = false;
    for (w->step = 0; w->step < steps; w->step++) {
        if (random_below(&w->rng, 40) == 0)
            fewer = !fewer;
        one_step(w, fewer);
        compare(w, w->step % 8 == 0);
    }
    compare(w, true);
    swap_area_fini(&w->area);
    naive_swap_stop(&w->twin);
}

static void swap_area_gives_the_slots_its_twin_gives(void **state)
{
    const char *only = getenv("FAULTLINE_SEED");
    struct world *w = malloc(sizeof *w);
    unsigned none = 0, dropped = 0, kept = 0, given = 0, refused = 0, freed = 0, half = 0, left = 0;
    (void)state;
    assert_non_null(w);
    if (only) {
        one_seed(w, strtoull(only, NULL, 10), 600);
        free(w);
        return;
    }
    for (uint64_t seed = 1; seed <= 36; seed++) {
        one_seed(w, seed, 600);
        none += w->none;
        dropped += w->dropped;
        kept += w->kept;
        given += w->huge_given;
        refused += w->huge_refused;
        freed += w->freed_clusters;
        half += w->half;
        left += w->left_one;
    }
    /* The sequences are worth something only if they came to all of this. */
    print_message("no slot %u, dropped %u, kept %u, huge %u, refused %u, emptied %u, half %u, "
                  "left one %u\n",
                  none, dropped, kept, given, refused, freed, half, left);
    assert_true(none > 100 && dropped > 100 && kept > 100 && given > 20 && refused > 20 &&
                freed > 100 && half > 1000 && left > 20);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_area_gives_the_slots_its_twin_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
