/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of fault causes. */
#include <faultline/replay.h>
#include <faultline/units.h>

static const struct {
    const char *name;
    bool major;
} causes[FL_CAUSE_COUNT] = {
    [FL_CAUSE_NONE] = { "none", false },
    [FL_CAUSE_ANON_ZERO] = { "anon_zero", false },
    [FL_CAUSE_ANON_WRITE] = { "anon_write", false },
    [FL_CAUSE_COW] = { "cow", false },
    [FL_CAUSE_FILE_MAP] = { "file_map", false },
    [FL_CAUSE_FILE_AROUND] = { "file_around", false },
    [FL_CAUSE_SHMEM] = { "shmem", false },
    [FL_CAUSE_SWAP_CACHE] = { "swap_cache", false },
    [FL_CAUSE_HUGE] = { "huge", false },
    [FL_CAUSE_FILE_READ] = { "file_read", true },
    [FL_CAUSE_SWAP_IN] = { "swap_in", true },
};

const char *fl_swap_kind_name_at(size_t i)
{
    static const char *const names[] = {
        [FL_SWAP_ZRAM] = "zram", [FL_SWAP_SSD] = "ssd", [FL_SWAP_DISK] = "disk"
    };
    return i < FL_COUNT(names) ? names[i] : NULL;
}

const char *fl_cause_name(enum fl_cause cause)
{
    return causes[cause].name;
}

bool fl_cause_is_major(enum fl_cause cause)
{
    return causes[cause].major;
}
