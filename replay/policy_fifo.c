/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First in, first out: the baseline, and the home of Belady's anomaly. */
#include "frame_list.h"
#include "policies.h"

const struct fl_policy_ops fl_policy_fifo = {
    .name = "fifo",
    .summary = "the page that came in longest ago goes",
    .source = "Belady, Nelson, Shedler: An anomaly in space-time characteristics, CACM 12(6), 1969",
    .last_touch_counts = true,
    .init = frame_list_policy_init,
    .inserted = frame_list_policy_inserted,
    .victim = frame_list_policy_victim,
    .removed = frame_list_policy_removed,
    .check = frame_list_policy_check,
    .fini = frame_list_policy_fini,
};
