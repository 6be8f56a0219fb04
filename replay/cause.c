/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of fault causes. */
#include <faultline/replay.h>

static const struct {
    const char *name;
    bool major;
} causes[FL_CAUSE_COUNT] = {
    [FL_CAUSE_NONE] = { "none", false },
    [FL_CAUSE_ANON_ZERO] = { "anon_zero", false },
    [FL_CAUSE_ANON_WRITE] = { "anon_write", false },
    [FL_CAUSE_COW] = { "cow", false },
    [FL_CAUSE_FILE_MAP] = { "file_map", false },
    [FL_CAUSE_SHMEM] = { "shmem", false },
    [FL_CAUSE_FILE_READ] = { "file_read", true },
    [FL_CAUSE_SWAP_IN] = { "swap_in", true },
};

const char *fl_cause_name(enum fl_cause cause)
{
    return causes[cause].name;
}

bool fl_cause_is_major(enum fl_cause cause)
{
    return causes[cause].major;
}
