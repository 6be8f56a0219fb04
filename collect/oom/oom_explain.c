/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scores in sentences. Names are raw: whoever prints them cleans them. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/oom_live.h>
#include <faultline/units.h>

struct words { /* a sentence under way; NULL text: out of memory */
    char *text;
};

static void __attribute__((format(printf, 2, 3))) say(struct words *w, const char *fmt, ...)
{
    char *more = NULL, *both = NULL;
    va_list ap;
    va_start(ap, fmt);
    int ok = vasprintf(&more, fmt, ap);
    va_end(ap);
    if (ok < 0)
        more = NULL;
    if (!w->text || !more || asprintf(&both, "%s%s", w->text, more) < 0)
        both = NULL;
    free(w->text);
    free(more);
    w->text = both;
}

static const char *size(uint64_t bytes)
{
    static _Thread_local char bufs[6][FL_FORMAT_BYTES];
    static _Thread_local unsigned turn;
    return fl_format_bytes(bufs[turn++ % 6], bytes);
}

static const char *pages(int64_t n)
{
    static _Thread_local char bufs[6][FL_FORMAT_BYTES + 1];
    static _Thread_local unsigned turn;
    char *buf = bufs[turn++ % 6];
    *buf = '-';
    fl_format_count(buf + (n < 0), n < 0 ? (uint64_t)-n : (uint64_t)n);
    return buf;
}

/* ---- why ---------------------------------------------------------------------------------------- */

static void say_parts(struct words *w, const struct fl_oom_process *p)
{
    const struct fl_proc_memory *m = &p->memory;
    const struct {
        uint64_t bytes;
        const char *what;
    } parts[] = { { m->anon_bytes, "anonymous memory" },
                  { m->file_bytes, "of mapped files" },
                  { m->shmem_bytes, "shared memory" },
                  { m->swap_bytes, "in swap" },
                  { m->table_bytes, "page tables" } };
    bool some = false;
    for (size_t i = 0; i < FL_COUNT(parts); i++)
        if (parts[i].bytes) {
            say(w, "%s%s %s", some ? ", " : "", size(parts[i].bytes), parts[i].what);
            some = true;
        }
    if (!some)
        say(w, "no memory");
    if (p->adj_pages)
        say(w, ", and %s%s pages (%s%s) by its oom_score_adj of %" PRId32,
            p->adj_pages > 0 ? "+" : "", pages(p->adj_pages), p->adj_pages < 0 ? "-" : "",
            size((uint64_t)(p->adj_pages < 0 ? -p->adj_pages : p->adj_pages) * FL_PAGE_BYTES),
            m->oom_score_adj);
}

char *fl_oom_sentence(const struct fl_oom *oom, size_t place)
{
    struct words w = { strdup("") };
    if (place >= oom->n)
        return w.text;
    const struct fl_oom_process *p = &oom->process[place];
    if (p->guard != FL_OOM_MAY_DIE) {
        say(&w, "%s (%" PRIu32 ") would not be killed: %s.", p->memory.comm, p->memory.pid,
            fl_oom_guard_words(p->guard));
        return w.text;
    }
    say(&w, "%s (%" PRIu32 ") would be killed ", p->memory.comm, p->memory.pid);
    if (place)
        say(&w, "only after %zu other%s", place, place == 1 ? "" : "s");
    else
        say(&w, "first");
    say(&w, ", with a badness of %s pages: ", pages(p->badness));
    say_parts(&w, p);
    say(&w, ".");
    if (p->memory.is_dying)
        say(&w, " It is dying already: the kernel waits for its memory before it kills another.");
    return w.text;
}

/* ---- what would change it --------------------------------------------------------------------------- */

static bool wins_ties(const struct fl_proc_memory *a, const struct fl_proc_memory *b)
{
    return a->start_ticks != b->start_ticks ? a->start_ticks > b->start_ticks : a->pid > b->pid;
}

struct fl_oom_change fl_oom_change(const struct fl_oom *oom, size_t other)
{
    struct fl_oom_change c = { .raise = -1, .lower = -1 };
    if (other == 0 || other >= oom->n_candidates)
        return c;
    const struct fl_oom_process *first = &oom->process[0], *p = &oom->process[other];
    int64_t margin = first->badness - p->badness + !wins_ties(&p->memory, &first->memory);
    int64_t unit = (int64_t)(oom->total_pages / 1000);
    c.is_possible = true;
    c.margin_bytes = (uint64_t)margin * FL_PAGE_BYTES;
    int64_t steps = unit ? (margin + unit - 1) / unit : INT32_MAX;
    if (steps <= FL_OOM_ADJ_MAX - p->memory.oom_score_adj)
        c.raise = (int32_t)steps;
    int64_t to_min = first->memory.oom_score_adj - FL_OOM_ADJ_MIN; /* then it is exempt */
    c.lower = (int32_t)(steps < to_min ? steps : to_min);
    /* with the first out of the way it takes more when others are in between */
    if (other != 1)
        c.lower = -1;
    return c;
}

char *fl_oom_change_sentence(const struct fl_oom *oom, size_t other)
{
    struct words w = { strdup("") };
    struct fl_oom_change c = fl_oom_change(oom, other);
    if (!c.is_possible)
        return w.text;
    const struct fl_proc_memory *first = &oom->process[0].memory, *m = &oom->process[other].memory;
    say(&w, "%s (%" PRIu32 ") would come first instead if it had %s more", m->comm, m->pid,
        size(c.margin_bytes));
    if (c.raise >= 0)
        say(&w, ", or an oom_score_adj of %" PRId32 " (%" PRId32 " more)",
            m->oom_score_adj + c.raise, c.raise);
    if (c.lower >= 0)
        say(&w, ", or %s (%" PRIu32 ") one of %" PRId32 " (%" PRId32 " less)", first->comm,
            first->pid, first->oom_score_adj - c.lower, c.lower);
    say(&w, ".");
    return w.text;
}

/* ---- is there enough ----------------------------------------------------------------------------------- */

char *fl_oom_pressure_sentence(const struct fl_oom *oom, const struct fl_oom_group *group)
{
    struct words w = { strdup("") };
    const char *of = group ? "The group" : "The machine";
    say(&w, "%s %s %s of RAM and %s of swap, and uses %s that is not reclaimable at once: ", of,
        oom->is_asked_of_other ? "would have" : "has", size(oom->ram_bytes), size(oom->swap_bytes),
        size(oom->in_use_bytes));
    if (group && !group->has_limit && !oom->is_asked_of_other)
        say(&w, "it has no limit below the machine's own memory and cannot run out by itself.");
    else if (oom->pressure == FL_OOM_FITS)
        say(&w, "all of it fits into RAM, with %s to spare; nobody would be killed.",
            size(oom->ram_bytes - oom->in_use_bytes));
    else if (oom->pressure == FL_OOM_SWAPS)
        say(&w, "%s of it would be in swap; nobody would have to be killed, but it would be slow.",
            size(oom->short_bytes));
    else
        say(&w, "%s of it fits nowhere; somebody would be killed.", size(oom->short_bytes));
    return w.text;
}
