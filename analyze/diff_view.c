/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison as headings, sentences and tables, for diff_text() and fl_report_md(). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "diff.h"
#include "view.h"

#define RANKED_MAX 15u /* rows of a ranking; the JSON has them all */
#define SIZES_MAX 32u  /* about, of a curve; the JSON has them all */
#define SHOWN_MAX 8u   /* results, curves */

/* "+1,234" */
static void put_change(struct fl_table *t, size_t row, size_t col, enum fl_unit unit,
                       const uint64_t n[DIFF_SIDES])
{
    struct fl_cell gap = { .unit = unit, .value = diff_gap(n) };
    char *text = fl_cell_format(&gap), *signed_text = NULL;
    const char *sign = n[DIFF_B] > n[DIFF_A] ? "+" : n[DIFF_B] < n[DIFF_A] ? "-" : "";
    if (!text || asprintf(&signed_text, "%s%s", sign, text) < 0)
        t->failed = true;
    else
        fl_table_text(t, row, col, signed_text);
    if (text)
        free(signed_text);
    free(text);
}

static void add_columns(struct fl_table *t, const char *first, enum fl_unit unit, const char *a,
                        const char *b)
{
    fl_table_column(t, first, unit, 0);
    fl_table_column(t, a, FL_UNIT_COUNT, 0);
    fl_table_column(t, b, FL_UNIT_COUNT, 0);
    fl_table_column(t, "Change", FL_UNIT_COUNT, 0);
}

static void put_percent(struct fl_table *t, size_t row, size_t col, const uint64_t n[DIFF_SIDES])
{
    char percent[DIFF_PERCENT_CHARS];
    fl_table_text(t, row, col, diff_percent(percent, n));
}

/* ---- figures ---------------------------------------------------------------------------- */

static struct fl_table *figures_table(const struct diff_result *r)
{
    struct fl_table *t = fl_table_new("figures");
    if (!t)
        return NULL;
    add_columns(t, "Figure", FL_UNIT_TEXT, "A", "B");
    fl_table_column(t, "Percent", FL_UNIT_COUNT, 0);
    for (size_t i = 0; i < r->n_figures; i++) {
        const struct diff_figure *f = &r->figures[i];
        bool both = f->has[DIFF_A] && f->has[DIFF_B];
        uint64_t n[DIFF_SIDES];
        if (both && diff_gap(f->n) == 0)
            continue;
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, f->words);
        for (int side = 0; side < DIFF_SIDES; side++) {
            n[side] = f->pages ? an_mul(f->n[side], an_page_bytes(r->of[side])) : f->n[side];
            if (f->has[side])
                fl_table_put_as(t, row, (size_t)side + 1, f->unit, n[side]);
        }
        if (both) {
            put_change(t, row, 3, f->unit, n);
            if (f->unit != FL_UNIT_BP) /* percent of percent confuses */
                put_percent(t, row, 4, n);
        }
    }
    return t;
}

/* ---- rankings ------------------------------------------------------------------------------ */

static bool row_changed(const struct diff_row *row)
{
    for (unsigned c = 0; c < DIFF_COUNTS; c++)
        if (diff_gap(row->n[c]) > 0)
            return true;
    return false;
}

/* The counts that changed anywhere, besides the one that ranks: a column each. */
static size_t other_counts(const struct diff_ranking *by, enum diff_count out[DIFF_COUNTS])
{
    size_t n = 0;
    for (unsigned c = 0; c < DIFF_COUNTS; c++) {
        bool moved = false;
        for (size_t i = 0; i < by->n; i++)
            moved |= diff_gap(by->rows[i].n[c]) > 0;
        if (moved && c != by->count)
            out[n++] = (enum diff_count)c;
    }
    return n;
}

static char *row_text(struct view_builder *b, const struct diff_row *row)
{
    const uint64_t *pid = row->pid;
    const char *name = diff_row_name(row);
    if (!pid[DIFF_A] && !pid[DIFF_B])
        return view_text(b, "%s", name);
    if (pid[DIFF_A] && pid[DIFF_B] && pid[DIFF_A] != pid[DIFF_B])
        return view_text(b, "%s (%llu, was %llu)", name, (unsigned long long)pid[DIFF_B],
                         (unsigned long long)pid[DIFF_A]);
    return view_text(b, "%s (%llu)", name,
                     (unsigned long long)(pid[DIFF_B] ? pid[DIFF_B] : pid[DIFF_A]));
}

/* How the two sides were found to be one, unless they are called the same. */
static char *how_text(struct view_builder *b, const struct diff_row *row)
{
    const char *was = row->name[DIFF_A] ? row->name[DIFF_A] : "";
    switch (row->how) {
    case DIFF_NEW: return view_text(b, "new");
    case DIFF_GONE: return view_text(b, "gone");
    case DIFF_GUESS: return view_text(b, "a guess: %s", was);
    case DIFF_ALIKE: return view_text(b, "was %s", was);
    case DIFF_SAME: break;
    }
    size_t more = row->members[DIFF_A] + row->members[DIFF_B] - 2;
    return more ? view_text(b, "with %zu of its parts", more) : view_text(b, "%s", "");
}

static void put_row(struct view_builder *b, struct fl_table *t, const struct diff_ranking *by,
                    const struct diff_row *row, const char *name, const char *how)
{
    enum diff_count other[DIFF_COUNTS];
    size_t n_other = other_counts(by, other), at = fl_table_row(t), col = 5;
    fl_table_text(t, at, 0, name);
    for (int side = 0; side < DIFF_SIDES; side++)
        fl_table_put(t, at, (size_t)side + 1, row->n[by->count][side]);
    put_change(t, at, 3, FL_UNIT_COUNT, row->n[by->count]);
    fl_table_put(t, at, 4, row->share_bp);
    for (size_t i = 0; i < n_other; i++)
        put_change(t, at, col++, FL_UNIT_COUNT, row->n[other[i]]);
    fl_table_text(t, at, col, how);
    b->failed |= !name || !how;
}

static void put_others(struct view_builder *b, struct fl_table *t, const struct diff_ranking *by,
                       size_t from)
{
    struct diff_row sum = { .how = DIFF_SAME };
    size_t n = 0;
    for (size_t i = from; i < by->n; i++) {
        if (!row_changed(&by->rows[i]))
            continue;
        n++;
        sum.share_bp += by->rows[i].share_bp;
        for (unsigned c = 0; c < DIFF_COUNTS; c++)
            for (int side = 0; side < DIFF_SIDES; side++)
                if (__builtin_add_overflow(sum.n[c][side], by->rows[i].n[c][side], &sum.n[c][side]))
                    sum.n[c][side] = UINT64_MAX;
    }
    if (n > 0) {
        char *name = view_text(b, "%zu others", n);
        put_row(b, t, by, &sum, name, "");
        free(name);
    }
    if (row_changed(&by->rest))
        put_row(b, t, by, &by->rest, "in none of these", "");
}

static const char *const count_heads[DIFF_COUNTS] = { [DIFF_MINOR] = "Minor",
                                                      [DIFF_MAJOR] = "Major",
                                                      [DIFF_UNKNOWN] = "Unknown",
                                                      [DIFF_REFAULTS] = "Refaults",
                                                      [DIFF_PAGES] = "Pages" };

static struct fl_table *ranking_table(struct view_builder *b, const struct diff_ranking *by,
                                      const char *first)
{
    enum diff_count other[DIFF_COUNTS];
    size_t n_other = other_counts(by, other), shown = 0, i;
    char heads[DIFF_SIDES][64];
    struct fl_table *t = fl_table_new(by->key);
    if (!t)
        return NULL;
    for (int side = 0; side < DIFF_SIDES; side++)
        snprintf(heads[side], sizeof heads[0], "%s, %s", count_heads[by->count], side ? "B" : "A");
    add_columns(t, first, FL_UNIT_TEXT, heads[DIFF_A], heads[DIFF_B]);
    fl_table_column(t, "Share", FL_UNIT_BP, 0);
    for (i = 0; i < n_other; i++) {
        snprintf(heads[0], sizeof heads[0], "%s, change", count_heads[other[i]]);
        fl_table_column(t, heads[0], FL_UNIT_COUNT, 0);
    }
    fl_table_column(t, "", FL_UNIT_TEXT, 0);
    for (i = 0; i < by->n && shown < RANKED_MAX; i++)
        if (row_changed(&by->rows[i])) {
            char *name = row_text(b, &by->rows[i]), *how = how_text(b, &by->rows[i]);
            put_row(b, t, by, &by->rows[i], name, how);
            free(name);
            free(how);
            shown++;
        }
    put_others(b, t, by, i);
    return t;
}

static void add_rankings(struct view_builder *b, const struct diff_result *r, const char *of)
{
    static const struct {
        unsigned k;
        const char *id, *first, *heading;
    } parts[] = {
        { DIFF_BY_MAPPING, "mappings", "Mapping", "By mapping" },
        { DIFF_BY_FUNCTION, "functions", "Function", "By function" },
        { DIFF_BY_PROCESS, "processes", "Process", "By process" },
    };
    static const char squeezed[] = "In the share, faults of what is as large as before are counted "
                                   "to what grew, or shrank.";
    for (size_t i = 0; i < FL_COUNT(parts); i++) {
        const struct diff_ranking *by = &r->by[parts[i].k];
        bool changed = row_changed(&by->rest);
        for (size_t k = 0; k < by->n; k++)
            changed |= row_changed(&by->rows[k]);
        if (!by->there || !changed)
            continue;
        char *heading = view_text(b, "%s%s", parts[i].heading, of);
        struct fl_table *t = ranking_table(b, by, parts[i].first);
        if (heading && t)
            view_section(b, parts[i].id, heading, by->squeezed ? squeezed : NULL, t);
        else {
            fl_table_free(t);
            b->failed = true;
        }
        free(heading);
    }
}

/* ---- curves -------------------------------------------------------------------------------- */

static void put_point(struct fl_table *t, const struct diff_curve *c, const struct diff_point *p)
{
    const uint64_t *n = c->by_minor ? p->minor : p->major;
    size_t row = fl_table_row(t);
    fl_table_put(t, row, 0, p->ram_bytes);
    diff_point_put(t, row, p, n);
    if (!p->killed[DIFF_A] && !p->killed[DIFF_B]) {
        put_change(t, row, 3, FL_UNIT_COUNT, n);
        put_percent(t, row, 4, n);
    }
    if (p == &c->points[c->most] && c->n_differing)
        fl_table_text(t, row, 5, "most");
    else if (!diff_point_differs(c, p, true) && diff_gap(n) > 0)
        fl_table_text(t, row, 5, p->measured ? "within the runs' spread" : "within 1 %");
}

static void add_curve(struct view_builder *b, const struct diff_curve *c)
{
    struct fl_table *t = fl_table_new("curve");
    size_t step = (c->n + SIZES_MAX - 1) / SIZES_MAX;
    char *heading = view_text(b, "%s faults against RAM under %s%s",
                              c->by_minor ? "Minor" : "Major", c->policy,
                              c->swap_limited ? ", swap limited" : "");
    if (!t || !heading) {
        b->failed = true;
        fl_table_free(t);
        free(heading);
        return;
    }
    add_columns(t, "RAM", FL_UNIT_BYTES, "A", "B");
    fl_table_column(t, "Percent", FL_UNIT_COUNT, 0);
    fl_table_column(t, "", FL_UNIT_TEXT, 0);
    for (size_t i = 0; i < c->n; i++)
        if (i % step == 0 || i == c->most || i + 1 == c->n)
            put_point(t, c, &c->points[i]);
    view_section(b, "curve", heading, NULL, t);
    free(heading);
}

/* ---- sentences --------------------------------------------------------------------------- */

/* "Knee (lru): from 4.0 MiB to 16.0 MiB.", or that one has none. */
static void add_shift(struct view_builder *b, const char *what, const struct diff_curve *c,
                      const bool has[DIFF_SIDES], const uint64_t at[DIFF_SIDES])
{
    if (!has[DIFF_A] && !has[DIFF_B])
        return;
    if (has[DIFF_A] && has[DIFF_B] && at[DIFF_A] == at[DIFF_B])
        return;
    view_line(b, "%s (%s): %s in A, %s in B.", what, c->policy,
              has[DIFF_A] ? view_bytes(at[DIFF_A]) : "none",
              has[DIFF_B] ? view_bytes(at[DIFF_B]) : "none");
}

static void add_bends(struct view_builder *b, const struct diff_curve *c)
{
    const struct fl_curve_finding *f = c->found;
    add_shift(b, "Knee of the curve", c, (const bool[]){ f[0].knee, f[1].knee },
              (const uint64_t[]){ f[0].knee_ram_bytes, f[1].knee_ram_bytes });
    add_shift(b, "Cliff of the curve", c, (const bool[]){ f[0].cliff, f[1].cliff },
              (const uint64_t[]){ f[0].cliff_ram_bytes, f[1].cliff_ram_bytes });
    add_shift(b, "No major fault from", c, (const bool[]){ f[0].vanish, f[1].vanish },
              (const uint64_t[]){ f[0].vanish_ram_bytes, f[1].vanish_ram_bytes });
    add_shift(b, "Largest size at which a process is killed", c,
              (const bool[]){ f[0].killed, f[1].killed },
              (const uint64_t[]){ f[0].killed_ram_bytes, f[1].killed_ram_bytes });
}

static void add_curve_line(struct view_builder *b, const struct diff_curve *c)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (out) {
        diff_say_curve(out, c);
        if (fclose(out) == 0)
            view_line(b, "%s.", text);
    }
    b->failed |= !text;
    free(text);
}

/* What each side's own verdict on thrashing is, where they are not the same. */
static void add_thrash(struct view_builder *b, const struct diff_result *r)
{
    const char *verdict[DIFF_SIDES];
    for (int side = 0; side < DIFF_SIDES; side++)
        verdict[side] = fl_document_text(r->of[side], "thrash.verdict");
    if (!verdict[DIFF_A] || !verdict[DIFF_B] || strcmp(verdict[DIFF_A], verdict[DIFF_B]) == 0)
        return;
    view_line(b, "A: %s", verdict[DIFF_A]);
    view_line(b, "B: %s", verdict[DIFF_B]);
}

static void add_lines(struct view_builder *b, const struct diff *d)
{
    uint64_t peak[DIFF_SIDES];
    char percent[DIFF_PERCENT_CHARS];
    for (size_t i = 0; i < d->n_notes; i++)
        view_line(b, "%s", d->notes[i]);
    if (diff_peak(d, peak) && diff_gap(peak) > 0)
        view_line(b, "Peak resident set: %s in A, %s in B (%s).",
                  view_bytes(an_mul(peak[DIFF_A], FL_PAGE_BYTES)),
                  view_bytes(an_mul(peak[DIFF_B], FL_PAGE_BYTES)), diff_percent(percent, peak));
    if (d->n_results == 1)
        add_thrash(b, &d->results[0]);
    for (size_t i = 0; i < d->n_curves; i++) {
        const struct diff_curve *c = &d->curves[i];
        if (c->n_differing == 0) {
            view_line(b, "Under %s the curves are the same at all %zu sizes.", c->policy, c->n);
            continue;
        }
        add_curve_line(b, c);
        add_bends(b, c);
    }
}

static void add_figures(struct view_builder *b, const struct diff_result *r, const char *of)
{
    struct fl_table *t = figures_table(r);
    size_t same = t ? r->n_figures - t->n_rows : 0;
    char *heading = view_text(b, "Figures%s", of);
    char *text = view_text(b, "%zu of %zu figures are the same on both sides and not shown.", same,
                           r->n_figures);
    b->failed |= !t || !heading || !text;
    if (!b->failed && t->n_rows > 0)
        view_section(b, "figures", heading, same ? text : NULL, t);
    else
        fl_table_free(t);
    free(heading);
    free(text);
}

static void add_sections(struct view_builder *b, const struct diff *d)
{
    char of[SHOWN_MAX][160] = { "" };
    size_t n = d->n_results < SHOWN_MAX ? d->n_results : SHOWN_MAX;
    for (size_t i = 0; i < n && d->n_results > 1; i++) {
        const char *label = fl_document_text(d->results[i].of[DIFF_B], "label");
        snprintf(of[i], sizeof of[i], ": %.120s", label ? label : "");
    }
    for (size_t i = 0; i < d->n_curves && i < SHOWN_MAX; i++)
        if (d->curves[i].n_differing > 0)
            add_curve(b, &d->curves[i]);
    for (size_t i = 0; i < n; i++)
        add_rankings(b, &d->results[i], of[i]);
    for (size_t i = 0; i < n; i++)
        add_figures(b, &d->results[i], of[i]);
}

int diff_view(const struct diff *d, const char *const names[DIFF_SIDES], struct fl_view **out,
              struct fl_err *err)
{
    struct view_builder b = { .view = calloc(1, sizeof *b.view) };
    if (!b.view)
        return fl_nomem(err, "comparing");
    b.view->title = view_text(&b, "%s (A) against %s (B)", names[DIFF_A], names[DIFF_B]);
    b.view->verdict = diff_verdict(d);
    b.view->figures = fl_table_new("figures"); /* stays empty: they come last, as a section */
    add_lines(&b, d);
    add_sections(&b, d);
    if (b.failed || !b.view->verdict || fl_table_ok(b.view->figures, NULL) != FL_OK) {
        fl_view_free(b.view);
        return fl_nomem(err, "comparing");
    }
    *out = b.view;
    return FL_OK;
}
