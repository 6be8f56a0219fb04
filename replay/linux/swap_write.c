/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions named in comments are those of Linux 6.18: block/blk-mq.c, blk-core.c, blk-wbt.c. */
#include <faultline/units.h>

#include "grow.h"
#include "linux_mm.h"

enum {
    SEGMENTS_MAX = 254, /* pages of a request: max_segments of a virtio disk */
    REQUEST_ENDS = 2,   /* more segments: its header and its status */
    QUEUE = 256,        /* segments */
    REQUESTS_HELD = 32, /* BLK_MAX_REQUEST_COUNT */
    PAGES_HELD = 32,    /* BLK_PLUG_FLUSH_SIZE, of the first request */
    DEPTH = 16,         /* RWB_DEF_DEPTH */
    DEPTH_MAX = 192,    /* 3/4 of the queue of 256 that a disk has */
    IDLE_WINDOWS = 5,   /* RWB_UNKNOWN_BUMP */
};

#define WINDOW_PS UINT64_C(100000000000) /* RWB_WINDOW_NSEC */

/* ---- the plug --------------------------------------------------------------------------- */

/* Until an idle disk does something: a fault that reads, less what it and a page cost the processor. */
static uint64_t begin_ps(const uint64_t *ps)
{
    uint64_t other_ps = ps[FL_COST_FAULT_SWAP_CACHE] + ps[FL_COST_SWAP_READAHEAD];
    return ps[FL_COST_SWAP_IN_DISK] > other_ps ? ps[FL_COST_SWAP_IN_DISK] - other_ps : 0;
}

/* Requests from @from on that are not done are now done when the disk has done all. */
static void done_together(struct linux_mm *lm, uint32_t from)
{
    struct swap_writes *w = &lm->writes;
    for (uint32_t i = w->requests_done; i < w->n_sent; i++)
        if (i >= from || w->request[i].done_ps > lm->now_ps)
            w->request[i].done_ps = w->disk_ps;
}

/* blk_mq_flush_plug_list */
void swap_write_submit(struct linux_mm *lm)
{
    struct swap_writes *w = &lm->writes;
    const uint64_t *ps = lm->opts.costs->ps;
    uint32_t from = w->n_sent ? w->request[w->n_sent - 1].end : w->n_done, first = w->n_sent;
    w->plug = (struct swap_plug){ .reading_ahead = w->plug.reading_ahead };
    if (w->n_sent < w->n_requests && w->disk_ps <= lm->now_ps)
        w->disk_ps = lm->now_ps + begin_ps(ps);
    for (; w->n_sent < w->n_requests; w->n_sent++) {
        struct swap_request *request = &w->request[w->n_sent];
        w->disk_ps += ps[FL_COST_DISK_REQUEST] + (request->end - from) * ps[FL_COST_DISK_PAGE];
        request->done_ps = w->disk_ps;
        from = request->end;
    }
    if (!lm->opts.costs->disk_singly)
        done_together(lm, first);
}

/* blk_attempt_plug_merge */
static bool joins(const struct swap_plug *plug, uint32_t slot, bool reads)
{
    return plug->requests && plug->last_reads == reads && slot == plug->last_slot + 1 &&
           plug->last_pages < SEGMENTS_MAX;
}

/* blk_add_rq_to_plug */
static void hold(struct linux_mm *lm, uint32_t slot, bool reads, bool joined)
{
    struct swap_plug *plug = &lm->writes.plug;
    if (!joined && (plug->requests >= REQUESTS_HELD || plug->first_pages >= PAGES_HELD))
        swap_write_submit(lm);
    plug->requests += !joined;
    plug->last_pages = joined ? plug->last_pages + 1 : 1;
    if (plug->requests == 1)
        plug->first_pages = plug->last_pages;
    plug->last_slot = slot;
    plug->last_reads = reads;
}

void swap_write_plugged(struct linux_mm *lm, bool kswapd)
{
    if (kswapd || !lm->writes.plug.reading_ahead)
        swap_write_submit(lm);
}

void swap_read_plug(struct linux_mm *lm)
{
    lm->writes.plug.reading_ahead = true;
}

void swap_read_begin(struct linux_mm *lm, uint32_t slot)
{
    const struct swap_plug *plug = &lm->writes.plug;
    if (plug->reading_ahead)
        hold(lm, slot, true, joins(plug, slot, true));
}

void swap_read_unplug(struct linux_mm *lm)
{
    lm->writes.plug.reading_ahead = false;
    swap_write_submit(lm);
}

/* ---- how many writes may be under way --------------------------------------------------- */

/* wb_timer_fn, for all windows that have ended by now: reads are taken to be fast enough */
static void windows_end(struct linux_mm *lm)
{
    const struct swap_writes *w = &lm->writes;
    struct swap_throttle *t = &lm->writes.throttle;
    for (; t->window_end_ps && t->window_end_ps <= lm->now_ps; t->window_end_ps += WINDOW_PS) {
        bool wrote = w->n_requests > w->n_sent || w->disk_ps + WINDOW_PS > t->window_end_ps;
        if (wrote && 1 + ((DEPTH - 1) << t->steps) < DEPTH_MAX) {
            t->steps++;
            t->idle = 0;
        } else if (!wrote && t->steps && ++t->idle >= IDLE_WINDOWS) {
            t->steps--;
            t->idle = 0;
        } else if (!wrote && !t->steps) {
            t->window_end_ps = 0; /* until there are writes again */
            return;
        }
    }
}

/* rq_depth_calc_max_depth */
static uint32_t depth(const struct swap_throttle *throttle)
{
    uint32_t n = 1u + ((DEPTH - 1u) << throttle->steps);
    return n < DEPTH_MAX ? n : DEPTH_MAX;
}

static void wait_to(struct linux_mm *lm, uint64_t ps)
{
    if (lm->now_ps < ps)
        lm->now_ps = ps;
    swap_write_arrive(lm);
}

/* virtblk_queue_rq: the disk takes requests, one after the other, as long as its queue has room, and
   reads go before writes that it has not taken. So who has read finds those it had taken done. What a
   read takes counts from the disk's beginning, which it has behind it where it is at work. */
void swap_read_wait(struct linux_mm *lm, uint64_t pages)
{
    const struct swap_writes *w = &lm->writes;
    uint64_t used = pages + REQUEST_ENDS, done_ps = lm->now_ps;
    uint32_t from = w->n_done;
    for (uint32_t i = w->requests_done; i < w->n_sent; i++) {
        used += w->request[i].end - from + REQUEST_ENDS;
        if (used > QUEUE)
            break;
        from = w->request[i].end;
        done_ps = w->request[i].done_ps;
    }
    uint64_t begin = begin_ps(lm->opts.costs->ps);
    wait_to(lm, done_ps > begin ? done_ps - begin : 0);
}

/* wbt_wait: who has reached the limit sleeps until nothing is under way, as the disk has a cache
   (wbt_rqw_done). To sleep sends off what is held (sched_submit_work). */
static void throttle(struct linux_mm *lm)
{
    struct swap_writes *w = &lm->writes;
    swap_write_arrive(lm);
    windows_end(lm);
    if (!w->throttle.window_end_ps)
        w->throttle.window_end_ps = lm->now_ps + WINDOW_PS;
    if (w->n_requests - w->requests_done < depth(&w->throttle))
        return;
    swap_write_submit(lm);
    wait_to(lm, w->disk_ps);
}

/* ---- writes ----------------------------------------------------------------------------- */

static bool make_room(struct swap_writes *w)
{
    uint32_t room = w->n == w->room ? grow_room(w->room) : w->room;
    uint32_t requests = w->n_requests == w->requests_room ? grow_room(w->requests_room)
                                                          : w->requests_room;
    if ((room != w->room && !grow(&w->contents, room)) || !room)
        return false;
    w->room = room;
    if ((requests != w->requests_room && !grow(&w->request, requests)) || !requests)
        return false;
    w->requests_room = requests;
    return true;
}

/* blk_mq_submit_bio */
bool swap_write_begin(struct linux_mm *lm, uint32_t c)
{
    struct swap_writes *w = &lm->writes;
    uint32_t slot = lm->folio[c].slot;
    bool joined = joins(&w->plug, slot, false);
    if (!make_room(w)) {
        lm->failed_memory = true;
        return false;
    }
    if (!joined)
        throttle(lm);
    hold(lm, slot, false, joined);
    if (!joined)
        w->n_requests++;
    w->contents[w->n++] = c;
    w->request[w->n_requests - 1].end = w->n;
    return true;
}

/* A written page goes to the old end of the inactive list, to be freed next
   (folio_end_writeback, folio_rotate_reclaimable). */
static void complete(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (!(f->flags & FOLIO_WRITEBACK))
        return; /* waited for */
    f->flags &= (uint16_t)~FOLIO_WRITEBACK;
    if (!(f->flags & FOLIO_RECLAIM))
        return;
    f->flags &= (uint16_t)~FOLIO_RECLAIM;
    if (!(f->flags & FOLIO_DIRTY))
        folio_rotate_reclaimable(lm, c);
}

void swap_write_arrive(struct linux_mm *lm)
{
    struct swap_writes *w = &lm->writes;
    for (; w->requests_done < w->n_sent && w->request[w->requests_done].done_ps <= lm->now_ps;
         w->requests_done++)
        for (; w->n_done < w->request[w->requests_done].end; w->n_done++)
            if (w->contents[w->n_done] != NO_CONTENTS)
                complete(lm, w->contents[w->n_done]);
    if (w->n_done == w->n)
        w->n = w->n_done = w->n_requests = w->n_sent = w->requests_done = 0;
}

void swap_write_wait(struct linux_mm *lm, uint32_t c)
{
    struct swap_writes *w = &lm->writes;
    swap_write_submit(lm);
    swap_write_arrive(lm);
    while (lm->folio[c].flags & FOLIO_WRITEBACK && w->requests_done < w->n_sent)
        wait_to(lm, w->request[w->requests_done].done_ps);
    lm->folio[c].flags &= (uint16_t)~FOLIO_WRITEBACK;
}

void swap_write_forget(struct linux_mm *lm, uint32_t c)
{
    struct swap_writes *w = &lm->writes;
    for (uint32_t i = w->n_done; i < w->n; i++)
        if (w->contents[i] == c)
            w->contents[i] = NO_CONTENTS;
}

void swap_write_free(struct linux_mm *lm)
{
    free(lm->writes.contents);
    free(lm->writes.request);
}
