/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Least recently used, exact: obeys inclusion, so more RAM never faults more. */
#include "frame_list.h"
#include "policies.h"

static void lru_touched(void *self, uint32_t frame, uint64_t next_use)
{
    struct frame_list *list = self;
    (void)next_use;
    if (frame_list_newest(list) == frame)
        return;
    frame_list_unlink(list, frame);
    frame_list_link_newest(list, frame);
}

const struct fl_policy_ops fl_policy_lru = {
    .name = "lru",
    .summary = "the page used longest ago goes",
    .source = "Mattson, Gecsei, Slutz, Traiger: Evaluation techniques for storage hierarchies, "
              "IBM Systems Journal 9(2), 1970",
    .last_touch_counts = true,
    .ends_count = true,
    .init = frame_list_policy_init,
    .inserted = frame_list_policy_inserted,
    .touched = lru_touched,
    .victim = frame_list_policy_victim,
    .removed = frame_list_policy_removed,
    .check = frame_list_policy_check,
    .fini = frame_list_policy_fini,
};
