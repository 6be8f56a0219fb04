/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The comparison in one sentence: how much, where, and who. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

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

/*
 * Lists by mapping and by process are sums over the other: of a mapping's share m and a
 * process's share p at least m + p - 1 is common. Named beside it when that is most of m.
 */
static const char *beside(const struct diff_result *r, unsigned k, uint64_t share_bp)
{
    if (!ranks(r, k))
        return NULL;
    const struct diff_row *row = &r->by[k].rows[0];
    return 2 * (row->share_bp + share_bp) > 20000 + share_bp ? diff_row_name(row) : NULL;
}

static const char *only_one(const struct diff_row *row)
{
    if (row->how == DIFF_NEW)
        return ", which A does not have,";
    return row->how == DIFF_GONE ? ", which B does not have," : "";
}

/* Rounded, but what is not all is not called all. */
static unsigned percent_of(uint64_t bp)
{
    return bp >= 9950 && bp < 10000 ? 99 : (unsigned)((bp + 50) / 100);
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
    const struct diff_row *row = r->by[k].rows;
    const char *name = diff_row_name(row);
    if (row->share_bp < 5000 && r->by[k].n > 1) {
        fprintf(out, "; %s (%u %%) and %s (%u %%) lead the change", name,
                percent_of(row[0].share_bp), diff_row_name(&row[1]), percent_of(row[1].share_bp));
        return;
    }
    const char *process = k == DIFF_BY_PROCESS ? NULL : beside(r, DIFF_BY_PROCESS, row->share_bp);
    const char *function = k == DIFF_BY_MAPPING ? beside(r, DIFF_BY_FUNCTION, row->share_bp) : NULL;
    if (function && strstr(name, function))
        function = NULL;
    fprintf(out, "; %s%s%s%s%s", name, process ? " of " : "", process ? process : "",
            function ? ", in " : "", function ? function : "");
    if (row->how == DIFF_GUESS)
        fprintf(out, " (as we guess, %s of A)", row->name[DIFF_A]);
    fprintf(out, "%s%s is responsible for %u %% of the change",
            function && row->how < DIFF_NEW ? "," : "", only_one(row), percent_of(row->share_bp));
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
