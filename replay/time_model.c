/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time from counts: docs/model.md, "Time (estimate)". Nothing here feeds back into a count. */
#include <jansson.h>

#include <faultline/costs.h>
#include <faultline/replay.h>

#define SCALE_BP 10000u

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

static uint64_t ratio_bp(uint64_t part, uint64_t whole)
{
    unsigned __int128 bp = whole ? (unsigned __int128)part * SCALE_BP / whole : 0;
    return bp > UINT64_MAX ? UINT64_MAX : (uint64_t)bp;
}

static uint64_t beyond(uint64_t all, uint64_t some)
{
    return all > some ? all - some : 0;
}

static uint64_t user_accesses(const struct fl_result *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_rows; i++)
        n += r->rows[i].accesses;
    return beyond(n, r->skipped_accesses);
}

static uint64_t minor_ns(const struct fl_result *r, const struct fl_costs *costs)
{
    uint64_t ns = 0;
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        if (!fl_cause_is_major((enum fl_cause)c))
            ns = add(ns, fl_cost_of_ns(costs, fl_cause_cost((enum fl_cause)c), r->faults[c]));
    return ns;
}

/* Hits behind the first level, and walks: their first reference, and those after it where the
   profile has page-walk caches to tell how many there are. */
static uint64_t tlb_ns(const struct fl_result *r, const struct fl_costs *costs)
{
    uint64_t further = r->opts.machine->n_walk ? beyond(r->walk_refs, r->walks) : 0;
    return add(add(fl_cost_of_ns(costs, FL_COST_TLB_L2_HIT, r->tlb_later_hits),
                   fl_cost_of_ns(costs, FL_COST_WALK, r->walks)),
               fl_cost_of_ns(costs, FL_COST_WALK_REF, further));
}

void fl_time_estimate(const struct fl_result *r, struct fl_time *out)
{
    const struct fl_costs *costs = r->opts.costs ? r->opts.costs : fl_costs_default();
    uint64_t swap_faults = r->faults[FL_CAUSE_SWAP_IN], file_faults = r->faults[FL_CAUSE_FILE_READ];
    uint64_t dropped = beyond(r->evictions, r->pages_out);
    struct fl_time t = { .has_tlb = r->n_tlb > 0,
                         .source = costs->source,
                         .swap_device = fl_swap_device_name(costs->swap_device) };

    t.user_ns = fl_cost_of_ns(costs, FL_COST_ACCESS, user_accesses(r));
    t.minor_fault_ns = minor_ns(r, costs);
    t.swap_in_ns =
        add(fl_cost_of_ns(costs, fl_cost_swap_in(costs), swap_faults),
            fl_cost_of_ns(costs, FL_COST_SWAP_READAHEAD, beyond(r->pages_in, swap_faults)));
    t.swap_out_ns = add(fl_cost_of_ns(costs, fl_cost_swap_out(costs), r->pages_out),
                        fl_cost_of_ns(costs, FL_COST_RECLAIM, dropped));
    t.file_read_ns =
        add(fl_cost_of_ns(costs, FL_COST_FILE_READ, file_faults),
            fl_cost_of_ns(costs, FL_COST_FILE_READAHEAD, beyond(r->file_pages_read, file_faults)));
    if (t.has_tlb)
        t.tlb_walk_ns = tlb_ns(r, costs);
    uint64_t stall_ns = add(add(t.swap_in_ns, t.swap_out_ns), t.file_read_ns);
    t.resident_ns = add(add(t.user_ns, t.minor_fault_ns), t.tlb_walk_ns);
    t.total_ns = add(t.resident_ns, stall_ns);
    t.slowdown_bp = ratio_bp(t.total_ns, t.resident_ns);
    t.stall_bp = (uint32_t)ratio_bp(stall_ns, t.total_ns);
    *out = t;
}

static void set(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

json_t *fl_time_json(const struct fl_time *t)
{
    json_t *o = json_pack("{s:b}", "estimated", 1);
    set(o, "user_ns", t->user_ns);
    set(o, "minor_fault_ns", t->minor_fault_ns);
    set(o, "swap_in_ns", t->swap_in_ns);
    set(o, "swap_out_ns", t->swap_out_ns);
    set(o, "file_read_ns", t->file_read_ns);
    if (t->has_tlb)
        set(o, "tlb_walk_ns", t->tlb_walk_ns);
    set(o, "total_ns", t->total_ns);
    set(o, "slowdown_bp", t->slowdown_bp);
    set(o, "stall_share_bp", t->stall_bp);
    json_object_set_new(o, "costs_source", json_string(t->source));
    json_object_set_new(o, "swap_device", json_string(t->swap_device));
    return o;
}
