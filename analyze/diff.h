/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * diff.h - what changed between two report documents, A and B, and who did it.
 *
 * diff_new() compares; it reads two documents and nothing else. What it makes
 * points into both, so they must outlive it. diff(A, B) is diff(B, A) with the
 * sides exchanged. docs/diff.md has the rules.
 */
#ifndef FAULTLINE_DIFF_H
#define FAULTLINE_DIFF_H

#include <faultline/report.h>

#include "diff_match.h"

enum diff_side { DIFF_A, DIFF_B, DIFF_SIDES };

/* What is counted of a process, mapping or function. */
enum diff_count { DIFF_MINOR, DIFF_MAJOR, DIFF_UNKNOWN, DIFF_REFAULTS, DIFF_PAGES, DIFF_COUNTS };

/** diff_count_key - "minor" ... ; diff_count_words - "minor faults" ... */
const char *diff_count_key(enum diff_count count);
const char *diff_count_words(enum diff_count count);

/** A process, mapping or function on both sides. */
struct diff_row {
    const char *name[DIFF_SIDES]; /* NULL: there is none on that side */
    uint64_t pid[DIFF_SIDES];     /* of processes */
    enum diff_how how;
    size_t members[DIFF_SIDES]; /* entries of the documents in it: 1, or more when folded */
    uint64_t n[DIFF_COUNTS][DIFF_SIDES];
    uint64_t taken_bp; /* its own part of all movement of the ranking's count, up and down */
    uint64_t share_bp; /* what it is responsible for: the same, unless others were squeezed */
};

/** One of by_process, by_mapping, by_function: the most responsible first. */
struct diff_ranking {
    const char *key;       /* of the documents */
    bool there;            /* both sides have it */
    bool has[DIFF_COUNTS]; /* is counted, on either side */
    enum diff_count count; /* what it is ranked by */
    bool squeezed;         /* faults of rows as large as before are counted to those that grew */
    struct diff_row *rows;
    size_t n;
    /* What the totals have beyond the rows: in no process, mapping or function. */
    struct diff_row rest;
    size_t guesses; /* rows that are paired by a guess and changed */
};

enum { DIFF_BY_PROCESS, DIFF_BY_MAPPING, DIFF_BY_FUNCTION, DIFF_RANKINGS };

/** One number that both results, or one of them, have. */
struct diff_figure {
    const char *key, *words; /* key: dotted path */
    enum fl_unit unit;
    bool pages; /* the numbers are pages, shown as bytes */
    bool has[DIFF_SIDES];
    uint64_t n[DIFF_SIDES];
};

/** Two results of the same question. */
struct diff_result {
    const struct json_t *of[DIFF_SIDES];
    struct diff_figure *figures; /* those that either side has */
    size_t n_figures, n_changed; /* changed: both sides have it, and differ */
    struct diff_ranking by[DIFF_RANKINGS];
    enum diff_count count; /* what the change is told by */
};

/** Both at one size. */
struct diff_point {
    uint64_t ram_bytes; /* FL_SIZE_MAX_BYTES: no limit */
    uint64_t minor[DIFF_SIDES], major[DIFF_SIDES];
    bool killed[DIFF_SIDES]; /* a process is killed: the counts say little */
    bool measured;           /* by real runs: their least and most major faults */
    uint64_t low[DIFF_SIDES], high[DIFF_SIDES];
};

/** Sizes in a row, of the common ones, at which the curves differ by more than 1 %. */
struct diff_range {
    uint64_t from_ram_bytes, to_ram_bytes;
    size_t sizes;
};

/** Two curves of the same policy and swap. */
struct diff_curve {
    const char *policy; /* "kernel": measured */
    uint64_t swap_bytes;
    bool swap_limited;
    struct diff_point *points; /* the common sizes, rising */
    size_t n;
    size_t only[DIFF_SIDES]; /* sizes that the other does not have */
    bool by_minor;           /* no major count differs: what follows is of the minor ones */
    size_t n_differing;      /* points that differ at all */
    size_t most;             /* the point that differs most, when there is one */
    struct diff_range *ranges;
    size_t n_ranges;
    struct fl_curve_finding found[DIFF_SIDES]; /* over the common sizes */
};

struct diff {
    const struct json_t *report[DIFF_SIDES];
    struct diff_result *results;
    size_t n_results;
    struct diff_curve *curves;
    size_t n_curves;
    char **notes; /* sentences: what the comparison stands on that is not certain */
    size_t n_notes;
    bool changed;
};

/**
 * diff_new - compare two report documents, made by fl_report_new() and fl_report_add().
 * @force: compare results of different questions too, and note it.
 * Errors: FL_EDATA when nothing can be compared, with what differs and what to do;
 * FL_ENOMEM. Cost: O(n log n) in the entries of the documents.
 */
int diff_new(const struct json_t *a, const struct json_t *b, bool force, struct diff **out,
             struct fl_err *err);
void diff_free(struct diff *d); /* NULL is fine */

/** diff_note - one more sentence for @d->notes; false when out of memory. */
bool diff_note(struct diff *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** diff_gap - how far apart two counts are. */
static inline uint64_t diff_gap(const uint64_t n[DIFF_SIDES])
{
    return n[DIFF_A] > n[DIFF_B] ? n[DIFF_A] - n[DIFF_B] : n[DIFF_B] - n[DIFF_A];
}

/** diff_differs - by more than 1 % of the larger. */
bool diff_differs(const uint64_t n[DIFF_SIDES]);

/** diff_point_differs - in what @c is about, or in who is killed; at all, or by more than 1 %. */
bool diff_point_differs(const struct diff_curve *c, const struct diff_point *p, bool clearly);
/** diff_point_put - @n of both sides into columns 1 and 2; "killed" where a process is. */
void diff_point_put(struct fl_table *t, size_t row, const struct diff_point *p,
                    const uint64_t n[DIFF_SIDES]);

/* ---- parts of diff_new() ------------------------------------------------------------ */

/** diff_results - pair the results and compare each pair. @why: why there is none. */
int diff_results(struct diff *d, bool force, char *why, size_t why_size, struct fl_err *err);
/** diff_blame - who is responsible for the movement of @by->count, and the order. False: no memory. */
bool diff_blame(struct diff_ranking *by);
/** diff_rank - the rankings of one pair. */
int diff_rank(struct diff_result *r, struct fl_err *err);
/** diff_curves - pair the curves and compare each pair. @why: why there is none. */
int diff_curves(struct diff *d, char *why, size_t why_size, struct fl_err *err);
void diff_curves_free(struct diff *d);

/* ---- what it says --------------------------------------------------------------------- */

/** diff_view - @d as headings, sentences and tables. @names: what A and B are called. */
int diff_view(const struct diff *d, const char *const names[DIFF_SIDES], struct fl_view **out,
              struct fl_err *err);
/** diff_verdict - one sentence; malloc'ed, NULL when out of memory. */
char *diff_verdict(const struct diff *d);
/** diff_say_curve - where the sides of @c part most, without a full stop. Pre: they differ. */
void diff_say_curve(FILE *out, const struct diff_curve *c);
/** diff_row_name - what to call @row: as B does, or as A does when it is gone. */
const char *diff_row_name(const struct diff_row *row);
/** diff_percent - "+12.0 %", from ten times on "×12.0", in @buf: from A to B; "" from nothing. */
#define DIFF_PERCENT_CHARS 32
const char *diff_percent(char buf[DIFF_PERCENT_CHARS], const uint64_t n[DIFF_SIDES]);
/** diff_peak - the peak resident sets of the two programs, in pages. False: one is not known. */
bool diff_peak(const struct diff *d, uint64_t pages[DIFF_SIDES]);
/** diff_text - @view for a terminal. */
int diff_text(const struct fl_view *view, FILE *out, struct fl_err *err);
/** diff_json - "faultline.diff/1", a new reference; NULL when out of memory. */
struct json_t *diff_json(const struct diff *d, const char *verdict);

#endif
