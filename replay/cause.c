/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of fault causes. */
#include <faultline/replay.h>

static const struct {
    const char *name;
    bool major;
    enum fl_cost cost;
} causes[FL_CAUSE_COUNT] = {
    [FL_CAUSE_NONE] = { "none", false, FL_COST_FAULT_FILE_MAP },
    [FL_CAUSE_ANON_ZERO] = { "anon_zero", false, FL_COST_FAULT_ANON_ZERO },
    [FL_CAUSE_ANON_WRITE] = { "anon_write", false, FL_COST_FAULT_ANON_WRITE },
    [FL_CAUSE_COW] = { "cow", false, FL_COST_FAULT_COW },
    [FL_CAUSE_FILE_MAP] = { "file_map", false, FL_COST_FAULT_FILE_MAP },
    [FL_CAUSE_FILE_AROUND] = { "file_around", false, FL_COST_FAULT_FILE_MAP },
    [FL_CAUSE_SHMEM] = { "shmem", false, FL_COST_FAULT_SHMEM },
    [FL_CAUSE_SWAP_CACHE] = { "swap_cache", false, FL_COST_FAULT_SWAP_CACHE },
    [FL_CAUSE_HUGE] = { "huge", false, FL_COST_FAULT_HUGE },
    [FL_CAUSE_FILE_READ] = { "file_read", true, FL_COST_FILE_READ },
    [FL_CAUSE_SWAP_IN] = { "swap_in", true, FL_COST_SWAP_IN_SYNC },
};

const char *fl_cause_name(enum fl_cause cause)
{
    return causes[cause].name;
}

bool fl_cause_is_major(enum fl_cause cause)
{
    return causes[cause].major;
}

enum fl_cost fl_cause_cost(enum fl_cause cause)
{
    return causes[cause].cost;
}
