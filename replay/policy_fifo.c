/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First in, first out: the baseline, and the home of Belady's anomaly. */
#include "policies.h"
#include "policy_queue.h"

static uint32_t fifo_batch(struct paging *p, const struct paging_refs *refs)
{
    return queue_batch(p, refs, false);
}

static const struct paging_ops paging = {
    .init = queue_init,
    .batch = fifo_batch,
    .forget = queue_forget,
    .check = queue_check,
    .fini = queue_fini,
};

const struct fl_policy_ops fl_policy_fifo = {
    .name = "fifo",
    .summary = "the page that came in longest ago goes",
    .source = "Belady, Nelson, Shedler: An anomaly in space-time characteristics, CACM 12(6), 1969",
    .last_touch_counts = true,
    .paging = &paging,
};
