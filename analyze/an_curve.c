/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Major faults against RAM, a curve a policy; where it falls, where it ends. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

#define CURVES_MAX 24
#define NO_SWAP_SAID UINT64_MAX

struct curve {
    const json_t *sweep;
    const char *policy;
    uint64_t swap_bytes; /* NO_SWAP_SAID: none given, or unlimited */
};

struct curves {
    struct curve of[CURVES_MAX];
    size_t n;
    bool many_sweeps, many_swaps, left_out, killed;
    const json_t *measured; /* the validation of a program of these, or NULL */
};

static struct curve curve_of(const json_t *sweep, const json_t *point)
{
    struct curve c = { sweep, fl_document_text(point, "policy"), NO_SWAP_SAID };
    uint64_t swap;
    if (fl_document_count(point, "swap_bytes", &swap) && swap < INT64_MAX)
        c.swap_bytes = swap;
    return c;
}

static bool same_curve(const struct curve *a, const struct curve *b)
{
    return a->sweep == b->sweep && a->swap_bytes == b->swap_bytes &&
           strcmp(a->policy, b->policy) == 0;
}

static void collect(const json_t *report, struct curves *all)
{
    const json_t *sweep, *point;
    for (size_t s = 0; (sweep = fl_report_sweep(report, s)); s++) {
        size_t i;
        if (!all->measured)
            all->measured = an_measured_for(report, sweep);
        json_array_foreach(json_object_get(sweep, "points"), i, point)
        {
            struct curve c = curve_of(sweep, point);
            size_t k = 0;
            if (!c.policy)
                continue;
            while (k < all->n && !same_curve(&all->of[k], &c))
                k++;
            if (k < all->n)
                continue;
            if (all->n == CURVES_MAX) {
                all->left_out = true;
                return;
            }
            if (all->n > 0) {
                all->many_sweeps |= all->of[0].sweep != sweep;
                all->many_swaps |= all->of[0].swap_bytes != c.swap_bytes;
            }
            all->of[all->n++] = c;
        }
    }
}

static void add_columns(struct fl_table *t, const struct curves *all)
{
    fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
    for (size_t k = 0; k < all->n; k++) {
        const struct curve *c = &all->of[k];
        char name[256], swap[FL_FORMAT_BYTES] = "unlimited";
        const char *label = fl_document_text(c->sweep, "label");
        if (c->swap_bytes != NO_SWAP_SAID)
            fl_format_bytes(swap, c->swap_bytes);
        snprintf(name, sizeof name, "%.60s%s%.120s%s%s", c->policy, all->many_sweeps ? ", " : "",
                 all->many_sweeps && label ? label : "", all->many_swaps ? ", swap " : "",
                 all->many_swaps ? swap : "");
        fl_table_column(t, name, FL_UNIT_COUNT, 0);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The kernel's own points, if the program of a curve was run for real. */
static void add_kernel_columns(struct fl_table *t, const struct curves *all)
{
    const char *label = fl_document_text(all->measured, "label");
    char name[256];
    if (!all->measured)
        return;
    snprintf(name, sizeof name, "kernel%s%.120s", all->many_sweeps && label ? ", " : "",
             all->many_sweeps && label ? label : "");
    fl_table_column(t, name, FL_UNIT_COUNT, 8);
    fl_table_role(t, FL_ROLE_POINTS);
    fl_table_column(t, "kernel, least", FL_UNIT_COUNT, 8);
    fl_table_role(t, FL_ROLE_LOW);
    fl_table_column(t, "kernel, most", FL_UNIT_COUNT, 8);
    fl_table_role(t, FL_ROLE_HIGH);
}

/* A row for each RAM size any curve has, rising. */
static int add_rows(struct fl_table *t, const json_t *report, const json_t *measured,
                    struct fl_err *err)
{
    const json_t *sweep, *point;
    size_t n = 0, cap = json_array_size(json_object_get(measured, "points")), i;
    for (size_t s = 0; (sweep = fl_report_sweep(report, s)); s++)
        cap += json_array_size(json_object_get(sweep, "points"));
    uint64_t *sizes = calloc(cap ? cap : 1, sizeof *sizes);
    if (!sizes)
        return fl_nomem(err, "chart curve");
    for (size_t s = 0; (sweep = fl_report_sweep(report, s)); s++)
        json_array_foreach(json_object_get(sweep, "points"), i,
                           point) if (fl_document_count(point, "ram_bytes", &sizes[n])) n++;
    json_array_foreach(json_object_get(measured, "points"), i,
                       point) if (fl_document_count(point, "ram_bytes", &sizes[n])) n++;
    qsort(sizes, n, sizeof *sizes, by_value);
    for (i = 0; i < n; i++)
        if (i == 0 || sizes[i] != sizes[i - 1])
            fl_table_put(t, fl_table_row(t), 0, sizes[i]);
    free(sizes);
    return FL_OK;
}

static size_t find_row(const struct fl_table *t, uint64_t ram)
{
    size_t low = 0, high = t->n_rows;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (fl_table_at(t, mid, 0)->value < ram)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void fill(struct fl_table *t, struct curves *all)
{
    const json_t *point;
    size_t i;
    for (size_t k = 0; k < all->n; k++)
        json_array_foreach(json_object_get(all->of[k].sweep, "points"), i, point)
        {
            struct curve c = curve_of(all->of[k].sweep, point);
            uint64_t ram, major, kills = 0;
            if (!c.policy || !same_curve(&c, &all->of[k]) ||
                !fl_document_count(point, "ram_bytes", &ram) ||
                !fl_document_count(point, "major", &major))
                continue;
            fl_document_count(point, "oom_kills", &kills);
            if (kills > 0) {
                /* A run cut short by a kill is no answer to "how many faults". */
                fl_table_text(t, find_row(t, ram), k + 1, "killed");
                all->killed = true;
            } else
                fl_table_put(t, find_row(t, ram), k + 1, major);
        }
}

static void fill_kernel(struct fl_table *t, const struct curves *all)
{
    const json_t *point;
    size_t i, col = all->n + 1, killed;
    struct an_spread s;
    json_array_foreach(json_object_get(all->measured, "points"), i, point)
    {
        size_t row = find_row(t, an_limit_bytes(point)), runs = an_limit_runs(point, &killed);
        if (2 * killed > runs)
            fl_table_text(t, row, col, "killed");
        else if (an_limit_kernel(point, "major", &s)) {
            fl_table_put(t, row, col, s.median);
            fl_table_put(t, row, col + 1, s.min);
            fl_table_put(t, row, col + 2, s.max);
        }
    }
}

/* ---- findings ------------------------------------------------------------------- */

/* The model's curves; the kernel's points come after them. */
static size_t curves_of(const struct fl_table *t)
{
    size_t n = 0;
    while (n + 1 < t->n_columns && t->columns[n + 1].role == FL_ROLE_LINE)
        n++;
    return n;
}

struct point {
    uint64_t ram, major;
};

static size_t points_of(const struct fl_table *t, size_t series, struct point *out,
                        struct fl_curve_finding *f)
{
    size_t n = 0;
    for (size_t r = 0; r < t->n_rows; r++) {
        const struct fl_cell *cell = fl_table_at(t, r, series);
        uint64_t ram = fl_table_at(t, r, 0)->value;
        if (cell->unit == FL_UNIT_TEXT) {
            f->killed = true;
            f->killed_ram_bytes = ram;
        } else if (cell->unit == FL_UNIT_COUNT)
            out[n++] = (struct point){ ram, cell->value };
    }
    return n;
}

static void find_knee(const struct point *p, size_t n, struct fl_curve_finding *f)
{
    size_t last = n - 1, best = 0;
    double best_depth = 0.3;
    /* The flat part at the end is no part of the fall. */
    while (last > 0 && p[last - 1].major == p[last].major)
        last--;
    if (last < 3 || p[0].major <= p[last].major)
        return;
    double width = (double)(p[last].ram - p[0].ram);
    double height = (double)(p[0].major - p[last].major);
    for (size_t i = 1; i < last; i++) {
        double x = (double)(p[i].ram - p[0].ram) / width;
        double y = ((double)p[i].major - (double)p[last].major) / height;
        if (1.0 - x - y > best_depth) {
            best_depth = 1.0 - x - y;
            best = i;
        }
    }
    if (best > 0) {
        f->knee = true;
        f->knee_ram_bytes = p[best].ram;
        f->knee_major = p[best].major;
    }
}

static void find_cliff(const struct point *p, size_t n, struct fl_curve_finding *f)
{
    double best = 10.0;
    for (size_t i = 1; i < n; i++) {
        if (p[i].major == 0 || p[i - 1].major < p[0].major / 100)
            continue;
        double ratio = (double)p[i - 1].major / (double)p[i].major;
        if (ratio < best)
            continue;
        best = ratio;
        f->cliff = true;
        f->cliff_ram_bytes = p[i].ram;
        f->cliff_from = p[i - 1].major;
        f->cliff_to = p[i].major;
    }
}

void fl_curve_find(const struct fl_table *curve, size_t series, struct fl_curve_finding *out)
{
    *out = (struct fl_curve_finding){ 0 };
    if (!curve || series == 0 || series >= curve->n_columns || curve->n_rows == 0)
        return;
    struct point *p = calloc(curve->n_rows, sizeof *p);
    size_t n = p ? points_of(curve, series, p, out) : 0;
    if (n > 0) {
        out->any = true;
        out->worst_major = p[0].major;
        size_t first = n;
        while (first > 0 && p[first - 1].major == 0)
            first--;
        out->vanish = first < n;
        if (out->vanish)
            out->vanish_ram_bytes = p[first].ram;
        find_knee(p, n, out);
        find_cliff(p, n, out);
    }
    free(p);
}

/* Where no run faults but some die, the deaths are the finding. False: nobody is killed. */
static bool title_of_kills(struct fl_table *t)
{
    struct fl_curve_finding f = { 0 };
    char killed[FL_FORMAT_BYTES];
    size_t series = 0;
    while (!f.killed && ++series <= curves_of(t))
        fl_curve_find(t, series, &f);
    if (!f.killed)
        return false;
    bool others = curves_of(t) > 1;
    fl_format_bytes(killed, f.killed_ram_bytes);
    fl_table_label(t, &t->title, "At %s and below a process is killed%s%s%s", killed,
                   others ? " under " : "", others ? t->columns[series].name : "",
                   f.vanish && f.worst_major == 0 && f.vanish_ram_bytes > f.killed_ram_bytes
                       ? "; above there is no major fault"
                       : "");
    return true;
}

static void write_title(struct fl_table *t)
{
    struct fl_curve_finding f;
    char vanish[FL_FORMAT_BYTES], knee[FL_FORMAT_BYTES], last[FL_FORMAT_BYTES];
    char cliff[FL_FORMAT_BYTES];
    size_t series = 1;
    fl_curve_find(t, series, &f);
    while (!f.any && ++series <= curves_of(t))
        fl_curve_find(t, series, &f);
    const char *under = series <= curves_of(t) && curves_of(t) > 1 ? t->columns[series].name : "";
    const char *with = *under ? " under " : "";
    fl_format_bytes(vanish, f.vanish_ram_bytes);
    fl_format_bytes(knee, f.knee_ram_bytes);
    fl_format_bytes(cliff, f.cliff_ram_bytes);
    fl_format_bytes(last, fl_table_max(t, 0));
    if (!f.any)
        fl_table_label(t, &t->title, "At every size a process is killed");
    else if (f.vanish && f.worst_major == 0) {
        if (!title_of_kills(t))
            fl_table_label(t, &t->title, "No major fault at any of these sizes%s%s", with, under);
    } else if (f.cliff)
        fl_table_label(t, &t->title, "Major faults%s%s drop %u %% at %s%s%s", with, under,
                       (unsigned)(100.0 - (double)f.cliff_to * 100.0 / (double)f.cliff_from), cliff,
                       f.vanish ? " and vanish at " : "", f.vanish ? vanish : "");
    else if (f.vanish && f.knee && f.knee_ram_bytes < f.vanish_ram_bytes)
        fl_table_label(t, &t->title, "Major faults%s%s fall steeply up to %s and vanish at %s",
                       with, under, knee, vanish);
    else if (f.vanish)
        fl_table_label(t, &t->title, "Major faults%s%s vanish at %s", with, under, vanish);
    else if (f.knee)
        fl_table_label(t, &t->title, "Major faults%s%s fall steeply up to %s, little beyond", with,
                       under, knee);
    else
        fl_table_label(t, &t->title, "Major faults%s%s remain at every size up to %s", with, under,
                       last);
}

/* ---- what the chart needs besides ------------------------------------------------- */

/* What was asked, the trace's own peak, the recording host's RAM: when in the picture. */
/* The curve that is asked about, if the table has it; else its first. */
static size_t asked_series(const struct fl_table *t, const json_t *report)
{
    const char *policy = fl_document_text(fl_report_result(report, 0), "machine.policy");
    for (size_t c = 1; policy && c <= curves_of(t); c++)
        if (strcmp(t->columns[c].name, policy) == 0)
            return c;
    return 1;
}

static void mark_knee(struct fl_table *t, const json_t *report)
{
    struct fl_curve_finding f;
    char text[FL_FORMAT_BYTES], label[200];
    fl_curve_find(t, asked_series(t, report), &f);
    bool both = f.knee && f.cliff && f.knee_ram_bytes == f.cliff_ram_bytes;
    if (f.knee) {
        snprintf(label, sizeof label, "knee%s: %s", both ? " and cliff" : "",
                 fl_format_bytes(text, f.knee_ram_bytes));
        fl_table_mark(t, 'x', f.knee_ram_bytes, label);
    }
    if (f.cliff && !both) {
        snprintf(label, sizeof label, "cliff: %s", fl_format_bytes(text, f.cliff_ram_bytes));
        fl_table_mark(t, 'x', f.cliff_ram_bytes, label);
    }
}

static void add_marks(struct fl_table *t, const json_t *report)
{
    uint64_t most = fl_table_max(t, 0), value;
    char text[FL_FORMAT_BYTES], label[200];
    const json_t *first = fl_report_sweep(report, 0), *result;
    for (size_t i = 0; (result = fl_report_result(report, i)) && i < 4; i++) {
        if (!an_ram_limit(result, &value) || value > most)
            continue;
        bool again = false;
        for (size_t m = 0; m < t->n_marks; m++)
            again |= t->marks[m].value == value;
        if (again)
            continue;
        snprintf(label, sizeof label, "asked: %s", fl_format_bytes(text, value));
        fl_table_mark(t, 'x', value, label);
    }
    /* Of one trace only: another's peak is no mark of this one's. */
    if (!fl_report_sweep(report, 1) &&
        fl_document_count(first, "trace.peak_resident_pages", &value) && value > 0) {
        value = an_mul(value, FL_PAGE_BYTES);
        snprintf(label, sizeof label, "peak: %s", fl_format_bytes(text, value));
        if (value <= most)
            fl_table_mark(t, 'x', value, label);
    }
    mark_knee(t, report);
    const char *host = an_recorded(fl_report_result(report, 0), "host.ram_bytes");
    if (host && fl_parse_u64(host, &value, NULL) == FL_OK && value <= most) {
        snprintf(label, sizeof label, "host: %s", fl_format_bytes(text, value));
        fl_table_mark(t, 'x', value, label);
    }
}

/* ---- the chart ------------------------------------------------------------------- */

int an_curve_build(const json_t *report, size_t i, struct fl_table **out, struct fl_err *err)
{
    struct curves all = { .n = 0 };
    (void)i;
    collect(report, &all);
    if (all.n == 0)
        return fl_fail(err, FL_EDATA,
                       "chart curve: no sweep among the inputs; add one made by `faultline sweep`");
    struct fl_table *t = fl_table_new("curve");
    if (!t)
        return fl_nomem(err, "chart curve");
    add_columns(t, &all);
    add_kernel_columns(t, &all);
    int rc = add_rows(t, report, all.measured, err);
    if (rc == FL_OK && t->n_rows == 0)
        rc = fl_fail(err, FL_EDATA, "chart curve: no point of the sweep has a RAM size");
    if (rc == FL_OK) {
        const char *extra = NULL;
        const json_t *about = fl_report_result(report, 0);
        fill(t, &all);
        fill_kernel(t, &all);
        t->log_y = an_wants_log(t);
        write_title(t);
        add_marks(t, report);
        fl_table_label(t, &t->x_name, "RAM");
        fl_table_label(t, &t->y_name, "major faults");
        if (all.left_out)
            extra = "more curves than fit: the first are shown";
        else if (all.killed)
            extra = "sizes at which a process is killed are left out";
        an_footer(t, about ? about : fl_report_sweep(report, 0), extra);
        rc = fl_table_ok(t, err);
    }
    if (rc != FL_OK)
        fl_table_free(t);
    else
        *out = t;
    return rc;
}
