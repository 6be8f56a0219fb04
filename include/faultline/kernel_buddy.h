/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * kernel_buddy.h - the kernel's page allocator: what recorded events make of its free blocks.
 *
 * docs/allocators.md has the rules.
 */
#ifndef FAULTLINE_KERNEL_BUDDY_H
#define FAULTLINE_KERNEL_BUDDY_H

#include <faultline/err.h>
#include <faultline/trace.h>

struct json_t;

/**
 * fl_buddy_replay_json - start from the recording's first free blocks, apply its events of the group
 * "alloc", and put the key "buddy" of a result, with a timeline in it, into @object.
 * @r: read from its first item on.
 * Errors: FL_EDATA when the recording has no free blocks of its start and end, or no such events; the
 * reader's; FL_ENOMEM. Cost: three passes over the trace, 10 bytes for each page that an event names.
 */
int fl_buddy_replay_json(struct fl_reader *r, struct json_t *object, struct fl_err *err);

#endif
