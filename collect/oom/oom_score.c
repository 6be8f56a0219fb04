/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's arithmetic: mm/oom_kill.c, oom_badness(), and fs/proc/base.c, proc_oom_score(). */
#include <faultline/oom_live.h>
#include <faultline/units.h>

int64_t fl_oom_adj_pages(int32_t oom_score_adj, uint64_t total_pages)
{
    return oom_score_adj * (int64_t)(total_pages / 1000);
}

int64_t fl_oom_badness(const struct fl_proc_memory *m, uint64_t total_pages)
{
    uint64_t pages = m->anon_bytes / FL_PAGE_BYTES + m->file_bytes / FL_PAGE_BYTES +
                     m->shmem_bytes / FL_PAGE_BYTES + m->swap_bytes / FL_PAGE_BYTES +
                     m->table_bytes / FL_PAGE_BYTES;
    return (int64_t)pages + fl_oom_adj_pages(m->oom_score_adj, total_pages);
}

int32_t fl_oom_score(int64_t badness, uint64_t total_pages)
{
    if (!total_pages)
        return 0;
    /* badness is less than 2^52 pages for any sizes that /proc can print of real memory */
    __int128 score = ((__int128)1000 + (__int128)badness * 1000 / (__int128)total_pages) * 2 / 3;
    return score > INT32_MAX ? INT32_MAX : score < INT32_MIN ? INT32_MIN : (int32_t)score;
}

const char *fl_oom_guard_name(enum fl_oom_guard guard)
{
    static const char *const names[FL_OOM_GUARDS] = {
        "", "init", "kernel_thread", "oom_score_adj", "ended", "vfork", "skipped", "unread"
    };
    return names[guard];
}

const char *fl_oom_guard_words(enum fl_oom_guard guard)
{
    static const char *const words[FL_OOM_GUARDS] = {
        "",
        "it is init, pid 1, which is never killed",
        "it is a thread of the kernel",
        "its oom_score_adj is -1000",
        "it has ended, and its memory is free already",
        "it has just been made by vfork and borrows its parent's memory",
        "the kernel passes it by: an earlier victim whose memory is being taken",
        "it may not be looked at, so nothing is known of it",
    };
    return words[guard];
}

const char *fl_oom_pressure_name(enum fl_oom_pressure pressure)
{
    static const char *const names[] = { "fits", "swaps", "kills" };
    return names[pressure];
}

const char *fl_oom_act_name(enum fl_oom_act act)
{
    static const char *const names[] = { "nothing", "SIGTERM", "SIGKILL", "undecided" };
    return names[act];
}
