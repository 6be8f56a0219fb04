/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <faultline/event.h>

#include "digest.h"
#include "grow.h"
#include "vm.h"

/* A page's touches, one word so that a touch is one load and one store: the window's number, the
   last run that read or wrote, the last that fetched, a note, what all together need. */
#define WINDOW_SHIFT 32
#define DATA_SHIFT 20
#define FETCH_SHIFT 8
#define RUN_MASK UINT64_C(0xfff)

#define REST_MAX 255u /* one less than a power of two */
#define WORTH 2u      /* runs a page, on average, from which on windows pay */

_Static_assert(DIGEST_RUNS_MAX - 1 <= RUN_MASK, "a run's number must fit");
_Static_assert((FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC) == 7, "the needs take three bits");

void digest_fini(struct digest *d)
{
    free(d->touches);
    d->touches = NULL;
    d->pages_room = 0;
}

int digest_room(struct digest *d, uint32_t n_pages, struct fl_err *err)
{
    if (n_pages <= d->pages_room)
        return FL_OK;
    uint32_t room = grow_room_for(d->pages_room, n_pages);
    if (!room || !grow(&d->touches, room))
        return fl_nomem(err, "pages");
    memset(d->touches + d->pages_room, 0, (room - d->pages_room) * sizeof *d->touches);
    d->pages_room = room;
    return FL_OK;
}

static void sum_up(struct digest *d, const struct fl_runs *runs, size_t from)
{
    d->reads = d->writes = d->fetches = 0;
    for (size_t i = from; i < from + d->n_runs; i++) {
        d->reads += runs->reads[i];
        d->writes += runs->writes[i];
        d->fetches += runs->fetches[i];
    }
}

void digest_window(struct digest *d, const struct fl_runs *runs, size_t from, uint32_t max_pages)
{
    /* by need: which positions a touch moves, and where they are */
    static const uint64_t data = UINT64_C(1) << DATA_SHIFT, fetch = UINT64_C(1) << FETCH_SHIFT;
    static const uint64_t moves[8] = { 0,     data,         data,         data,
                                       fetch, data | fetch, data | fetch, data | fetch };
    uint32_t n = runs->n - from < DIGEST_RUNS_MAX ? (uint32_t)(runs->n - from) : DIGEST_RUNS_MAX;
    uint32_t n_pages = 0, i;
    uint64_t *touches = d->touches;

    if (++d->window == 0) { /* the numbers have been round once */
        memset(touches, 0, d->pages_room * sizeof *touches);
        d->window = 1;
    }
    d->run_page = runs->page + from;
    run_needs(runs, from, n, d->need);
    for (i = 0; i < n; i++) {
        uint32_t page = d->run_page[i];
        uint64_t t = touches[page], move = moves[d->need[i]];
        if (__builtin_expect(t >> WINDOW_SHIFT != d->window, 0)) {
            if (n_pages == max_pages)
                break;
            t = (uint64_t)d->window << WINDOW_SHIFT;
            d->first[n_pages] = (uint16_t)i;
            d->page[n_pages++] = page;
        }
        touches[page] = (t & ~(move * RUN_MASK)) | move * i | d->need[i];
    }
    d->n_runs = i;
    d->n = n_pages;
    sum_up(d, runs, from);
}

static bool worth(const struct digest *d)
{
    return d->n <= d->n_runs / WORTH;
}

bool digest_take(struct digest *d, const struct fl_runs *runs, size_t from, uint32_t max_pages,
                 const uint8_t *rights)
{
    bool rests = d->rests > 0;
    d->rests -= rests;
    if (rests || max_pages < DIGEST_PAGES_MIN || runs->n - from < DIGEST_PAGES_MIN) {
        d->n_runs = runs->n - from;
        return false;
    }
    digest_window(d, runs, from, max_pages);
    digest_paid(d, worth(d));
    return digest_covered(d, rights);
}

int digest_item(struct digest *d, const struct fl_reader *r, const struct fl_runs *runs,
                const struct digest **out, struct fl_err *err)
{
    *out = NULL;
    if (runs->n < DIGEST_PAGES_MIN || runs->n > DIGEST_RUNS_MAX)
        return FL_OK;
    if (d->rests) {
        d->rests--;
        return FL_OK;
    }
    int rc = digest_room(d, fl_reader_pages(r), err);
    if (rc != FL_OK)
        return rc;
    digest_window(d, runs, 0, DIGEST_RUNS_MAX);
    if (worth(d))
        *out = d;
    else
        digest_paid(d, false);
    return FL_OK;
}

void digest_paid(struct digest *d, bool paid)
{
    d->pause = paid ? 0 : d->pause < REST_MAX ? 2 * d->pause + 1 : REST_MAX;
    d->rests = d->pause;
}

static inline uint32_t by_data(uint64_t touches)
{
    return (uint32_t)(touches >> DATA_SHIFT & RUN_MASK);
}

static inline uint32_t by_fetch(uint64_t touches)
{
    return (uint32_t)(touches >> FETCH_SHIFT & RUN_MASK);
}

static inline void set_run(uint64_t *runs, uint32_t run)
{
    runs[run / 64] |= UINT64_C(1) << run % 64;
}

/* The pages of the runs that have a bit. */
static uint32_t pages_of(const struct digest *d, const uint64_t *runs, uint32_t *out)
{
    uint32_t n = 0;
    for (size_t w = 0; w * 64 < d->n_runs; w++)
        for (uint64_t b = runs[w]; b; b &= b - 1)
            out[n++] = d->run_page[w * 64 + (size_t)__builtin_ctzll(b)];
    return n;
}

uint32_t digest_pages(const struct digest *d, enum digest_order order, uint32_t *out)
{
    uint64_t runs[DIGEST_RUNS_MAX / 64] = { 0 };
    for (uint32_t i = 0; i < d->n; i++) {
        uint64_t t = d->touches[d->page[i]];
        set_run(runs,
                by_data(t) > by_fetch(t) ? by_data(t) : by_fetch(t)); /* 0 of what never was */
        if (order == DIGEST_ENDS)
            set_run(runs, d->first[i]);
    }
    return pages_of(d, runs, out);
}

uint32_t digest_pages_for(const struct digest *d, uint8_t needs, uint32_t *out)
{
    const uint8_t data = FL_PROT_READ | FL_PROT_WRITE;
    uint64_t runs[DIGEST_RUNS_MAX / 64] = { 0 };
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        uint64_t t = d->touches[d->page[i]];
        if (!(t & needs))
            continue;
        bool other = t & data & ~needs & (needs & data ? data : 0); /* its last touch may be that */
        digest_note(d, d->page[i], other);
        wanted += other;
        if (!other)
            set_run(runs, needs & data ? by_data(t) : by_fetch(t));
    }
    for (size_t i = d->n_runs; wanted && i-- > 0;)
        if (digest_noted(d, d->run_page[i]) && d->need[i] & needs) {
            set_run(runs, (uint32_t)i);
            digest_note(d, d->run_page[i], 0);
            wanted--;
        }
    return pages_of(d, runs, out);
}
