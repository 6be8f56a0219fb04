/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * digest.h - a stretch of runs, page by page: what each page was touched for, and its first and
 * last touch.
 *
 * Programs touch few pages at a time, again and again: a few dozen in thousands of runs. While
 * nothing faults, the touches between a page's first and last change nothing, so that a model which
 * finds every page of a window as it wants it takes the whole window at the price of its pages.
 */
#ifndef REPLAY_DIGEST_H
#define REPLAY_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/trace.h>

#define DIGEST_RUNS_MAX 4096u

/* Below so many distinct pages a window is too short to be worth the trouble. */
#define DIGEST_PAGES_MIN 16u

struct digest {
    /* the window: runs [from, from + n_runs) of those it was made of */
    const uint32_t *run_page; /* by run of the window: its page */
    size_t n_runs;
    uint32_t n; /* distinct pages, in order of first touch: */
    uint32_t page[DIGEST_RUNS_MAX];
    uint16_t first[DIGEST_RUNS_MAX]; /* run */
    uint64_t reads, writes, fetches; /* sums over the window */

    /* by dense page id: the window it was in last, and its touches there */
    uint64_t *touches;
    uint32_t pages_room, window;
    uint8_t need[DIGEST_RUNS_MAX]; /* by run */

    uint32_t rests, pause; /* items passed over: still, and at the last failure */
};

/* An order of a window's pages; a run's place in it is its place in the trace. */
enum digest_order {
    DIGEST_LAST, /* each page once, by its last touch */
    DIGEST_ENDS, /* first and last touches, by time: pages touched more than once are twice */
};

void digest_fini(struct digest *d);

/** digest_room - make room for dense page ids below @n_pages. FL_ENOMEM. */
int digest_room(struct digest *d, uint32_t n_pages, struct fl_err *err);

/**
 * digest_window - take the window from run @from of @runs, which must outlive its use: as many runs
 * as touch no more than @max_pages (> 0) distinct pages and are no more than DIGEST_RUNS_MAX.
 * pre: digest_room() of every page.
 */
void digest_window(struct digest *d, const struct fl_runs *runs, size_t from, uint32_t max_pages);

/** digest_need - FL_PROT_* that the window's runs of @page, one of its pages, need together. */
static inline uint8_t digest_need(const struct digest *d, uint32_t page)
{
    return (uint8_t)(d->touches[page] & 7);
}

#define DIGEST_NOTE_SHIFT 3u

/** digest_note - a user's own note on a page of the window, below 32; 0 again in the end, as others
    may use the window. */
static inline void digest_note(const struct digest *d, uint32_t page, uint32_t note)
{
    uint64_t *t = &d->touches[page];
    *t = (*t & ~(UINT64_C(31) << DIGEST_NOTE_SHIFT)) | (uint64_t)note << DIGEST_NOTE_SHIFT;
}

static inline uint32_t digest_noted(const struct digest *d, uint32_t page)
{
    return d->touches[page] >> DIGEST_NOTE_SHIFT & 31;
}

/** digest_covered - nothing in the window needs more than @rights, by page, give. */
static inline bool digest_covered(const struct digest *d, const uint8_t *rights)
{
    uint8_t lacking = 0;
    for (uint32_t i = 0; i < d->n; i++)
        lacking |= digest_need(d, d->page[i]) & (uint8_t)~rights[d->page[i]];
    return !lacking;
}

/**
 * digest_take - digest_window(), where it is worth it, and digest_covered(). Returns whether it is
 * covered. Where it is not worth it (too few runs left, @max_pages below DIGEST_PAGES_MIN, or for a
 * while after windows of nearly as many pages as runs) the window is all that is left, and not
 * covered. pre: digest_room(), unless @max_pages is 0.
 */
bool digest_take(struct digest *d, const struct fl_runs *runs, size_t from, uint32_t max_pages,
                 const uint8_t *rights);

/**
 * digest_item - all of @runs as one window into @d; *@out: @d, or NULL where that is not worth it
 * (few runs a page), or where windows have not paid of late. FL_ENOMEM.
 */
int digest_item(struct digest *d, const struct fl_reader *r, const struct fl_runs *runs,
                const struct digest **out, struct fl_err *err);

/**
 * digest_paid - was the window of use? digest_take() sees for itself. After one that was not, none
 * is made of the next items: of one more than twice as many as after the failure before, of 255 at most.
 */
void digest_paid(struct digest *d, bool paid);

/** digest_rested - forget what did not pay: a second pass over the same runs makes the same windows. */
static inline void digest_rested(struct digest *d)
{
    d->rests = d->pause = 0;
}

/** digest_pages - the pages in @order into @out, room for DIGEST_RUNS_MAX. Returns how many. */
uint32_t digest_pages(const struct digest *d, enum digest_order order, uint32_t *out);

/**
 * digest_pages_for - the pages touched for @needs, of FL_PROT_*, into @out, by the last of these
 * touches. pre: notes are 0. Returns how many. Cost: for reads or writes alone perhaps a look at each run.
 */
uint32_t digest_pages_for(const struct digest *d, uint8_t needs, uint32_t *out);

#endif
