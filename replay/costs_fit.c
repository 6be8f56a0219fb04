/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast the recorded program runs, from how long it took. */
#include <faultline/replay.h>

static uint64_t user_accesses(const struct fl_result *result)
{
    uint64_t n = 0;
    for (size_t i = 0; i < result->n_rows; i++)
        n += result->rows[i].accesses;
    return n;
}

static uint64_t access_ps(uint64_t native_ns, uint64_t minor_fault_ns, uint64_t accesses)
{
    uint64_t rest_ns = native_ns > minor_fault_ns ? native_ns - minor_fault_ns : 0;
    unsigned __int128 ps = accesses ? (unsigned __int128)rest_ns * 1000 / accesses : 0;
    if (ps < FL_COST_ACCESS_PS_MIN)
        return FL_COST_ACCESS_PS_MIN;
    return ps < FL_COST_PS_MAX ? (uint64_t)ps : FL_COST_PS_MAX;
}

int fl_costs_fit_access(struct fl_reader *r, uint64_t native_ns, struct fl_costs *costs,
                        uint64_t *peak_pages, struct fl_err *err)
{
    struct fl_costs walking = *costs; /* nothing is reclaimed: no matter what a TLB keeps */
    struct fl_replay_opts opts = { .frames = FL_FRAMES_UNLIMITED,
                                   .swap_pages = UINT64_MAX,
                                   .policy = fl_policy_find("linux"),
                                   .costs = &walking,
                                   .scope = "memcg",
                                   .no_tlb = true,
                                   .seed = 1 };
    struct fl_result *result = NULL;
    struct fl_time time;
    walking.tlb.entries = 0;
    int rc = fl_replay(r, &opts, &result, err);
    if (rc != FL_OK)
        return rc;
    fl_time_estimate(result, &time);
    costs->ps[FL_COST_ACCESS] = access_ps(native_ns, time.minor_fault_ns, user_accesses(result));
    costs->low_ps[FL_COST_ACCESS] = costs->high_ps[FL_COST_ACCESS] = 0;
    costs->given[FL_COST_ACCESS] = true;
    if (peak_pages)
        *peak_pages = result->unlimited_peak_pages;
    fl_result_free(result);
    return FL_OK;
}
