/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/replay.h>

#include "policies.h"

const struct fl_kernel_opts *fl_kernel_defaults(void)
{
    static const struct fl_kernel_opts defaults = { .swap_kind = FL_SWAP_ZRAM,
                                                    .swappiness = 60,
                                                    .page_cluster = 3,
                                                    .first_flush_ms = 1000,
                                                    .whole_flushes_from = FL_FLUSHES_BY_SWAP,
                                                    .thp = FL_THP_MADVISE,
                                                    .memcg = FL_MEMCG_V2,
                                                    .base_pages = FL_BASE_TYPICAL,
                                                    .watermark_scale_factor = 10,
                                                    .khugepaged = true };
    return &defaults;
}

const struct fl_policy_ops fl_policy_linux = {
    .name = "linux",
    .summary = "the kernel's active and inactive lists, with its overheads and batches",
    .source = "Linux 6.18: mm/vmscan.c, memory.c, swap.c, workingset.c, memcontrol.c",
    .needs = FL_IS_KERNEL,
};

const struct fl_policy_ops fl_policy_mglru = {
    .name = "mglru",
    .summary = "the kernel's multi-generational LRU, with its overheads and batches",
    .source = "Linux 6.18: lru_gen in mm/vmscan.c, mm_inline.h, workingset.c",
    .needs = FL_IS_KERNEL,
};
