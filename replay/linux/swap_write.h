/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * swap_write.h - pages on their way to a disk: docs/model-linux.md, section 13.
 *
 * A plug holds back what goes to the disk, and joins neighbouring slots to one request. How many
 * requests of writes may be under way is limited (writeback throttling).
 */
#ifndef REPLAY_LINUX_SWAP_WRITE_H
#define REPLAY_LINUX_SWAP_WRITE_H

#include <stdbool.h>
#include <stdint.h>

struct linux_mm;

/* What is held back (struct blk_plug). */
struct swap_plug {
    bool reading_ahead; /* it is the plug of a read-ahead, which ends later than a reclaim's */
    uint32_t requests, first_pages;
    uint32_t last_pages, last_slot; /* of the latest request */
    bool last_reads;
};

/* Writes of neighbouring slots. */
struct swap_request {
    uint32_t end;     /* of swap_writes.contents, those before are its own */
    uint64_t done_ps; /* once sent off */
};

/* struct rq_wb: more writes may be under way for each window in which there were some. */
struct swap_throttle {
    uint64_t window_end_ps; /* 0: none is under way */
    uint32_t steps;         /* up from the state of rest */
    uint32_t idle;          /* windows without writes */
};

/* Pages under write-back, in the order in which they were written. */
struct swap_writes {
    uint32_t *contents; /* NO_CONTENTS: of a page that has gone */
    uint32_t n, n_done, room;
    struct swap_request *request;
    uint32_t n_requests, n_sent, requests_done, requests_room;
    struct swap_plug plug;
    struct swap_throttle throttle;
    uint64_t disk_ps; /* when the disk has done all it was given */
};

/** swap_write_begin - @c is to be written to its slot. May wait. false: out of memory, so it is as
 * good as done. */
bool swap_write_begin(struct linux_mm *lm, uint32_t c);

/** swap_write_plugged - a reclaim's batches are done: its writes go, unless it is within a read-ahead
 * that holds them. @kswapd: it is not, whatever is read. */
void swap_write_plugged(struct linux_mm *lm, bool kswapd);

/** swap_write_submit - all that is held goes to the disk. */
void swap_write_submit(struct linux_mm *lm);

/** swap_write_arrive - those that are done by now. */
void swap_write_arrive(struct linux_mm *lm);

/** swap_write_wait - until @c, which is under write-back, has been written. */
void swap_write_wait(struct linux_mm *lm, uint32_t c);

/** swap_write_forget - @c goes. */
void swap_write_forget(struct linux_mm *lm, uint32_t c);

void swap_write_free(struct linux_mm *lm);

/** swap_read_plug, swap_read_unplug - around the pages of a read-ahead. */
void swap_read_plug(struct linux_mm *lm);
void swap_read_unplug(struct linux_mm *lm);

/** swap_read_begin - a page of the read-ahead is to be read from @slot. */
void swap_read_begin(struct linux_mm *lm, uint32_t slot);

/** swap_read_wait - until a read of @pages that has been sent off begins. */
void swap_read_wait(struct linux_mm *lm, uint64_t pages);

#endif
