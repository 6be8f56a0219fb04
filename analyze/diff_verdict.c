/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparison in one sentence: how much, where, and who. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "diff.h"
#include "view.h"

const char *diff_row_name(const struct diff_row *row)
{
    const char *name = row->name[row->name[DIFF_B] ? DIFF_B : DIFF_A];
    return name && *name ? name : "(without a name)";
}

const char *diff_percent(char buf[DIFF_PERCENT_CHARS], const uint64_t n[DIFF_SIDES])
{
    double ratio = (double)n[DIFF_B] / (double)n[DIFF_A], percent = (ratio - 1) * 100;
    if (n[DIFF_A] == 0)
        buf[0] = '\0';
    else if (ratio >= 10)
        snprintf(buf, DIFF_PERCENT_CHARS, "×%.1f", ratio);
    else
        snprintf(buf, DIFF_PERCENT_CHARS,
                 percent >= 100                    ? "%+.0f %%"
                 : percent < 0.1 && percent > -0.1 ? "%+.3f %%"
                                                   : "%+.1f %%",
                 n[DIFF_A] == n[DIFF_B] ? 0 : percent);
    return buf;
}

bool diff_peak(const struct diff *d, uint64_t pages[DIFF_SIDES])
{
    for (int side = 0; side < DIFF_SIDES; side++) {
        const json_t *doc = d->n_results ? d->results[0].of[side]
                                         : fl_report_sweep(d->report[side], 0);
        if (!fl_document_count(doc, "trace.peak_resident_pages", &pages[side]))
            return false;
    }
    return true;
}

/* "B takes 4.0 times the major faults of A" */
static void say_ratio(FILE *out, const uint64_t n[DIFF_SIDES], const char *what)
{
    uint64_t a = n[DIFF_A], b = n[DIFF_B], gap = diff_gap(n);
    const char *more = b > a ? "more" : "fewer";
    double percent = (double)gap * 100.0 / (double)(a ? a : 1);
    if (a == b)
        fprintf(out, "B takes as many %s as A", what);
    else if (a == 0)
        fprintf(out, "B takes %s %s, A none,", view_count(b), what);
    else if (b == 0)
        fprintf(out, "B takes none of A's %s %s", view_count(a), what);
    else if (b / 100 >= a)
        fprintf(out, "B takes %s times the %s of A", view_count(b / a), what);
    else if (b / 2 >= a)
        fprintf(out, "B takes %.1f times the %s of A", (double)b / (double)a, what);
    else if (percent < 0.1)
        fprintf(out, "B takes %s %s %s than A", view_count(gap), more, what);
    else
        fprintf(out, "B takes %.*f %% %s %s than A", percent < 10 || percent > 99 ? 1 : 0, percent,
                more, what);
}

static void say_ram(FILE *out, const struct diff_result *r)
{
    uint64_t ram[DIFF_SIDES];
    bool limited[DIFF_SIDES];
    for (int side = 0; side < DIFF_SIDES; side++)
        limited[side] = fl_document_count(r->of[side], "machine.ram_bytes", &ram[side]);
    if (!limited[DIFF_A] && !limited[DIFF_B])
        return;
    if (limited[DIFF_A] && limited[DIFF_B] && ram[DIFF_A] == ram[DIFF_B])
        fprintf(out, " at %s", view_bytes(ram[DIFF_A]));
    else
        fprintf(out, " (A at %s, B at %s)", limited[DIFF_A] ? view_bytes(ram[DIFF_A]) : "no limit",
                limited[DIFF_B] ? view_bytes(ram[DIFF_B]) : "no limit");
}

/* ---- who ------------------------------------------------------------------------------ */

static bool ranks(const struct diff_result *r, unsigned k)
{
    const struct diff_ranking *by = &r->by[k];
    return by->there && by->n > 0 && by->count == r->count && by->rows[0].share_bp > 0 &&
           by->rows[0].share_bp >= by->rest.share_bp;
}

/* The row that itself moved most, whoever is responsible for it. */
static const struct diff_row *most_moved(const struct diff_ranking *by)
{
    const struct diff_row *most = by->rows;
    for (size_t i = 1; i < by->n; i++)
        if (by->rows[i].taken_bp > most->taken_bp)
            most = &by->rows[i];
    return most;
}

/* A row's part of all that moved of @count in its list, and the row with the largest. */
static double part_of(const struct diff_ranking *by, const struct diff_row *row,
                      enum diff_count count, const struct diff_row **largest)
{
    double all = (double)diff_gap(by->rest.n[count]);
    *largest = NULL;
    for (size_t i = 0; i < by->n; i++) {
        all += (double)diff_gap(by->rows[i].n[count]);
        if (!*largest || diff_gap(by->rows[i].n[count]) > diff_gap((*largest)->n[count]))
            *largest = &by->rows[i];
    }
    row = row ? row : *largest;
    return row && all > 0 ? (double)diff_gap(row->n[count]) / all : 0;
}

/*
 * Lists by mapping, by process and by function are sums over each other: of a mapping's part m
 * and a process's part p of what moved, at least m + p - 1 is common. The process is
 * named beside the mapping when that is most of m. What moved is the count that ranks, or,
 * where a row is blamed for others' faults, its own first touches.
 */
static const char *beside(const struct diff_result *r, unsigned k, const struct diff_ranking *by,
                          const struct diff_row *row)
{
    const struct diff_row *other, *ignored;
    enum diff_count count = 2 * row->taken_bp < row->share_bp ? DIFF_MINOR : by->count;
    double m = part_of(by, row, count, &ignored), p = part_of(&r->by[k], NULL, count, &other);
    return r->by[k].there && other && 2 * (m + p - 1) > m ? diff_row_name(other) : NULL;
}

/* Rounded, but what is not all is not called all. */
static unsigned percent_of(uint64_t bp)
{
    return bp >= 9950 && bp < 10000 ? 99 : (unsigned)((bp + 50) / 100);
}

/* What else there is to say of who is responsible: another name, its growth. */
static void say_about(FILE *out, const struct diff_row *row, bool comma)
{
    const uint64_t *pages = row->n[DIFF_PAGES];
    if (row->how == DIFF_GUESS)
        fprintf(out, " (as we guess, %s of A)", row->name[DIFF_A]);
    else if (row->how >= DIFF_NEW)
        fprintf(out, ", which %s does not have,", row->how == DIFF_NEW ? "A" : "B");
    else if (pages[DIFF_A] && pages[DIFF_B] && diff_differs(pages))
        fprintf(out, ", which %s from %s to %s,", pages[DIFF_B] > pages[DIFF_A] ? "grew" : "shrank",
                view_bytes(an_mul(pages[DIFF_A], FL_PAGE_BYTES)),
                view_bytes(an_mul(pages[DIFF_B], FL_PAGE_BYTES)));
    else
        fputs(comma ? "," : "", out);
}

/* Where the faults are, if not with who is responsible. */
static void say_squeezed(FILE *out, const struct diff_ranking *by)
{
    const struct diff_row *most = most_moved(by);
    if (by->squeezed && most != by->rows && most->taken_bp > by->rows->taken_bp)
        fprintf(out, "; %u %% are faults of %s, which is as large as before",
                percent_of(most->taken_bp), diff_row_name(most));
}

static void say_culprit(FILE *out, const struct diff_result *r)
{
    static const unsigned order[] = { DIFF_BY_MAPPING, DIFF_BY_FUNCTION, DIFF_BY_PROCESS };
    unsigned k = DIFF_RANKINGS;
    for (size_t i = 0; i < FL_COUNT(order) && k == DIFF_RANKINGS; i++)
        if (ranks(r, order[i]))
            k = order[i];
    if (k == DIFF_RANKINGS)
        return;
    const struct diff_ranking *by = &r->by[k];
    const struct diff_row *row = by->rows;
    const char *name = diff_row_name(row);
    if (row->share_bp < 5000 && by->n > 1) {
        fprintf(out, "; %s (%u %%) and %s (%u %%) lead the change", name,
                percent_of(row[0].share_bp), diff_row_name(&row[1]), percent_of(row[1].share_bp));
        return;
    }
    const char *process = k == DIFF_BY_PROCESS ? NULL : beside(r, DIFF_BY_PROCESS, by, row);
    const char *function = k == DIFF_BY_MAPPING ? beside(r, DIFF_BY_FUNCTION, by, row) : NULL;
    if (function && strstr(name, function))
        function = NULL;
    fprintf(out, "; %s%s%s%s%s", name, process ? " of " : "", process ? process : "",
            function ? ", in " : "", function ? function : "");
    say_about(out, row, function != NULL);
    fprintf(out, " is responsible for %u %% of the change", percent_of(row->share_bp));
    say_squeezed(out, by);
}

/* ---- the sentences ---------------------------------------------------------------------- */

static bool say_kills(FILE *out, const struct diff_result *r)
{
    const json_t *a = fl_document_at(r->of[DIFF_A], "oom.kills");
    const json_t *b = fl_document_at(r->of[DIFF_B], "oom.kills");
    size_t n_a = json_array_size(a), n_b = json_array_size(b);
    if (!a || !b || n_a == n_b)
        return false;
    fprintf(out, "%zu process%s of A and %zu of B %s killed for lack of memory", n_a,
            n_a == 1 ? "" : "es", n_b, n_a + n_b == 1 ? "is" : "are");
    say_ram(out, r);
    return true;
}

static bool say_faults(FILE *out, const struct diff_result *r)
{
    static const char *const totals[DIFF_COUNTS] = { [DIFF_MINOR] = "faults.minor",
                                                     [DIFF_MAJOR] = "faults.major",
                                                     [DIFF_UNKNOWN] = "faults.unknown",
                                                     [DIFF_REFAULTS] = "reclaim.refaults" };
    uint64_t n[DIFF_SIDES] = { 0 };
    bool kills = say_kills(out, r), told = totals[r->count] != NULL;
    for (int side = 0; side < DIFF_SIDES && told; side++)
        told = fl_document_count(r->of[side], totals[r->count], &n[side]);
    told = told && diff_gap(n) > 0;
    if (told) {
        fprintf(out, kills ? "; " : "");
        say_ratio(out, n, diff_count_words(r->count));
        if (!kills)
            say_ram(out, r);
        if (n[DIFF_A] && n[DIFF_B])
            fprintf(out, " (%s, A %s)", view_count(n[DIFF_B]), view_count(n[DIFF_A]));
        say_culprit(out, r);
    }
    return told || kills;
}

/* From the first to the last size at which a curve's sides part by more than 1 %. */
static void say_range(FILE *out, const struct diff_curve *c)
{
    size_t sizes = 0;
    for (size_t i = 0; i < c->n_ranges; i++)
        sizes += c->ranges[i].sizes;
    if (sizes == 1)
        fprintf(out, "; elsewhere they differ by at most 1 %%");
    else if (sizes > 1)
        fprintf(out, "; they differ by more than 1 %% at %zu of %zu sizes, %s to %s", sizes, c->n,
                view_bytes(c->ranges[0].from_ram_bytes),
                view_bytes(c->ranges[c->n_ranges - 1].to_ram_bytes));
    else
        fprintf(out, "; they differ by more than 1 %% nowhere");
}

void diff_say_curve(FILE *out, const struct diff_curve *c)
{
    const struct diff_point *p = &c->points[c->most];
    const char *ram = p->ram_bytes == FL_SIZE_MAX_BYTES ? "no limit" : view_bytes(p->ram_bytes);
    fprintf(out, "Under %s ", c->policy);
    if (p->killed[DIFF_A] || p->killed[DIFF_B])
        fprintf(out, "a process of %s is killed at %s, none of %s", p->killed[DIFF_A] ? "A" : "B",
                ram, p->killed[DIFF_A] ? "B" : "A");
    else {
        const uint64_t *n = c->by_minor ? p->minor : p->major;
        say_ratio(out, n, diff_count_words(c->by_minor ? DIFF_MINOR : DIFF_MAJOR));
        fprintf(out, " at %s, where the curves differ most", ram);
        if (n[DIFF_A] && n[DIFF_B])
            fprintf(out, " (%s, A %s)", view_count(n[DIFF_B]), view_count(n[DIFF_A]));
    }
    say_range(out, c);
}

static bool say_curves(FILE *out, const struct diff *d)
{
    for (size_t i = 0; i < d->n_curves; i++)
        if (d->curves[i].n_differing > 0) {
            diff_say_curve(out, &d->curves[i]);
            return true;
        }
    return false;
}

static bool say_figure(FILE *out, const struct diff_result *r)
{
    const struct diff_figure *best = NULL;
    double most = -1;
    for (size_t i = 0; i < r->n_figures; i++) {
        const struct diff_figure *f = &r->figures[i];
        uint64_t larger = f->n[DIFF_A] > f->n[DIFF_B] ? f->n[DIFF_A] : f->n[DIFF_B];
        double part = larger ? (double)diff_gap(f->n) / (double)larger : 0;
        if (f->has[DIFF_A] && f->has[DIFF_B] && part > 0 && part > most) {
            most = part;
            best = f;
        }
    }
    if (!best)
        return false;
    char percent[DIFF_PERCENT_CHARS];
    diff_percent(percent, best->n);
    fprintf(out, "A and B take the same faults");
    say_ram(out, r);
    fprintf(out, "; %zu of %zu figures differ, most of all %s%s%s", r->n_changed, r->n_figures,
            best->words, *percent ? ": " : "", percent);
    return true;
}

static void say_nothing(FILE *out, const struct diff *d)
{
    size_t figures = 0, sizes = 0;
    for (size_t i = 0; i < d->n_results; i++)
        figures += d->results[i].n_figures;
    for (size_t i = 0; i < d->n_curves; i++)
        sizes += d->curves[i].n;
    fprintf(out, "Nothing changed: ");
    if (figures)
        fprintf(out, "%zu figures%s", figures, sizes ? " and " : "");
    if (sizes)
        fprintf(out, "%zu points of %zu curve%s", sizes, d->n_curves, d->n_curves == 1 ? "" : "s");
    fprintf(out, " of A and B are the same");
}

char *diff_verdict(const struct diff *d)
{
    char *text = NULL, *clean = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    bool said = false;
    if (!out)
        return NULL;
    if (!d->changed) {
        say_nothing(out, d);
        said = true;
    }
    for (size_t i = 0; i < d->n_results && !said; i++)
        said = say_faults(out, &d->results[i]);
    said = said || say_curves(out, d);
    for (size_t i = 0; i < d->n_results && !said; i++)
        said = say_figure(out, &d->results[i]);
    if (!said)
        fprintf(out, "A and B take the same faults, in other places");
    fputc('.', out);
    if (fclose(out) == 0)
        clean = fl_text_clean(text, 2000);
    free(text);
    return clean;
}
