/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages on their way to a disk. Writes are held back (blk_start_plug) and joined to requests of
 * neighbouring slots; they are submitted when enough are held (blk_add_rq_to_plug), and at the end
 * of a pass. The disk does one submission after the other: a request's time for the first page,
 * and for each further one what a further page of a file takes that is read ahead.
 */
#include "grow.h"
#include "linux_mm.h"

enum {
    SEGMENTS_MAX = 254, /* pages of a request: max_segments of a virtio disk */
    REQUESTS_HELD = 32, /* BLK_MAX_REQUEST_COUNT */
    PAGES_HELD = 32,    /* BLK_PLUG_FLUSH_SIZE, of the latest request */
};

static void submit(struct linux_mm *lm)
{
    struct swap_writes *w = &lm->writes;
    uint32_t from = w->n_submitted ? w->submitted[w->n_submitted - 1].end : w->n_done;
    const uint64_t *ps = lm->opts.costs->ps;
    w->requests = w->request_pages = 0;
    if (from == w->n)
        return;
    if (w->n_submitted == w->submitted_room) {
        uint32_t room = grow_room(w->submitted_room);
        if (!room || !grow(&w->submitted, room)) {
            lm->failed_memory = true;
            return;
        }
        w->submitted_room = room;
    }
    if (w->disk_ps < lm->now_ps)
        w->disk_ps = lm->now_ps;
    w->disk_ps += ps[FL_COST_SWAP_IN_DISK] + (w->n - from - 1) * ps[FL_COST_FILE_READAHEAD];
    w->submitted[w->n_submitted++] = (struct swap_submission){ w->n, w->disk_ps };
}

bool swap_write_begin(struct linux_mm *lm, uint32_t c)
{
    struct swap_writes *w = &lm->writes;
    uint32_t slot = lm->folio[c].slot;
    bool joins = w->requests && slot == w->last_slot + 1 && w->request_pages < SEGMENTS_MAX;
    bool enough = w->requests >= REQUESTS_HELD || w->request_pages >= PAGES_HELD;
    if (w->n == w->room) {
        uint32_t room = grow_room(w->room);
        if (!room || !grow(&w->contents, room)) {
            lm->failed_memory = true;
            return false;
        }
        w->room = room;
    }
    if (!joins && enough)
        submit(lm);
    w->requests += !joins;
    w->request_pages = joins ? w->request_pages + 1 : 1;
    w->last_slot = slot;
    w->contents[w->n++] = c;
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

static void complete_to(struct linux_mm *lm, uint32_t end)
{
    struct swap_writes *w = &lm->writes;
    for (; w->n_done < end; w->n_done++)
        if (w->contents[w->n_done] != NO_CONTENTS)
            complete(lm, w->contents[w->n_done]);
    if (w->n_done == w->n)
        w->n = w->n_done = w->n_submitted = w->submitted_done = w->requests = w->request_pages = 0;
}

void swap_write_arrive(struct linux_mm *lm)
{
    struct swap_writes *w = &lm->writes;
    while (w->submitted_done < w->n_submitted &&
           w->submitted[w->submitted_done].done_ps <= lm->now_ps)
        complete_to(lm, w->submitted[w->submitted_done++].end);
}

void swap_write_submit(struct linux_mm *lm)
{
    submit(lm);
    swap_write_arrive(lm);
}

void swap_write_wait(struct linux_mm *lm, uint32_t c)
{
    struct swap_writes *w = &lm->writes;
    swap_write_submit(lm);
    while (lm->folio[c].flags & FOLIO_WRITEBACK && w->submitted_done < w->n_submitted) {
        lm->now_ps = w->submitted[w->submitted_done].done_ps;
        swap_write_arrive(lm);
    }
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
    free(lm->writes.submitted);
}
