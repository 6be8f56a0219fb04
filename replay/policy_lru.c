/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Least recently used, exact: obeys inclusion, so more RAM never faults more. */
#include "policies.h"
#include "policy_queue.h"

static uint32_t lru_batch(struct paging *p, const struct paging_refs *refs)
{
    return queue_batch(p, refs, true);
}

static const struct paging_ops paging = {
    .init = queue_init,
    .batch = lru_batch,
    .forget = queue_forget,
    .check = queue_check,
    .fini = queue_fini,
};

const struct fl_policy_ops fl_policy_lru = {
    .name = "lru",
    .summary = "the page used longest ago goes",
    .source = "Mattson, Gecsei, Slutz, Traiger: Evaluation techniques for storage hierarchies, "
              "IBM Systems Journal 9(2), 1970",
    .last_touch_counts = true,
    .ends_count = true,
    .paging = &paging,
};
