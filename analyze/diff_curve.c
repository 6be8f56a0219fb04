/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole curves: faults of both sides at every size that both have. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "diff.h"
#include "measured.h"

#define CURVES_MAX 256u

/* A curve of one side, before it has its partner. */
struct one {
    size_t document; /* which sweep or validation of its report */
    bool measured;
    const char *policy;
    uint64_t swap_bytes, seed;
    bool swap_limited;
    struct diff_point *points; /* of side A; rising */
    size_t n, cap;
};

struct set {
    struct one of[CURVES_MAX];
    size_t n;
};

/* ---- reading ---------------------------------------------------------------------- */

static bool same_curve(const struct one *a, const struct one *b)
{
    return a->document == b->document && a->measured == b->measured && a->seed == b->seed &&
           a->swap_limited == b->swap_limited && a->swap_bytes == b->swap_bytes &&
           strcmp(a->policy, b->policy) == 0;
}

static struct one *curve_at(struct set *set, const struct one *key)
{
    for (size_t i = 0; i < set->n; i++)
        if (same_curve(&set->of[i], key))
            return &set->of[i];
    if (set->n == CURVES_MAX)
        return NULL;
    set->of[set->n] = *key;
    return &set->of[set->n++];
}

static int add_point(struct one *c, const struct diff_point *p, struct fl_err *err)
{
    if (!c)
        return FL_OK; /* more curves than anybody reads */
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 32;
        struct diff_point *grown = reallocarray(c->points, cap, sizeof *grown);
        if (!grown)
            return fl_nomem(err, "comparing curves");
        c->points = grown;
        c->cap = cap;
    }
    c->points[c->n++] = *p;
    return FL_OK;
}

static int read_sweep(const json_t *sweep, size_t document, struct set *set, struct fl_err *err)
{
    const json_t *v;
    size_t i;
    int rc = FL_OK;
    json_array_foreach(json_object_get(sweep, "points"), i, v)
    {
        struct one key = { .document = document, .policy = fl_document_text(v, "policy") };
        struct diff_point p = { .ram_bytes = FL_SIZE_MAX_BYTES };
        uint64_t kills = 0;
        if (!key.policy || !fl_document_count(v, "minor", &p.minor[DIFF_A]) ||
            !fl_document_count(v, "major", &p.major[DIFF_A]))
            continue;
        fl_document_count(v, "ram_bytes", &p.ram_bytes);
        fl_document_count(v, "oom_kills", &kills);
        fl_document_count(v, "seed", &key.seed);
        key.swap_limited = fl_document_count(v, "swap_bytes", &key.swap_bytes);
        p.killed[DIFF_A] = kills > 0;
        if (rc == FL_OK)
            rc = add_point(curve_at(set, &key), &p, err);
    }
    return rc;
}

/* What real runs took at a limit. */
static int read_kernel(const json_t *limit, const struct one *key, struct set *set,
                       struct fl_err *err)
{
    size_t killed = 0, runs = an_limit_runs(limit, &killed);
    struct an_spread major, minor;
    if (runs == 0 || !an_limit_kernel(limit, "major", &major) ||
        !an_limit_kernel(limit, "minor", &minor))
        return FL_OK;
    struct diff_point p = { .ram_bytes = an_limit_bytes(limit),
                            .minor = { minor.median },
                            .major = { major.median },
                            .killed = { 2 * killed > runs },
                            .measured = true,
                            .low = { major.min },
                            .high = { major.max } };
    return add_point(curve_at(set, key), &p, err);
}

static int read_validation(const json_t *v, size_t document, struct set *set, struct fl_err *err)
{
    const json_t *limit, *said;
    const char *policy;
    size_t i;
    int rc = FL_OK;
    json_array_foreach(json_object_get(v, "points"), i, limit)
    {
        struct one key = { .document = document, .measured = true, .policy = "kernel" };
        if (rc == FL_OK)
            rc = read_kernel(limit, &key, set, err);
        json_object_foreach(json_object_get(limit, "policies"), policy, said)
        {
            struct diff_point p = { .ram_bytes = an_limit_bytes(limit) };
            uint64_t kills = 0;
            key.policy = policy;
            if (!fl_document_count(said, "minor", &p.minor[DIFF_A]) ||
                !fl_document_count(said, "major", &p.major[DIFF_A]))
                continue;
            fl_document_count(said, "oom", &kills);
            p.killed[DIFF_A] = kills > 0;
            if (rc == FL_OK)
                rc = add_point(curve_at(set, &key), &p, err);
        }
    }
    return rc;
}

static int by_ram(const void *a, const void *b)
{
    const struct diff_point *x = a, *y = b;
    return (x->ram_bytes > y->ram_bytes) - (x->ram_bytes < y->ram_bytes);
}

static void sort_points(struct set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        struct one *c = &set->of[i];
        size_t kept = 0;
        qsort(c->points, c->n, sizeof *c->points, by_ram);
        for (size_t k = 0; k < c->n; k++)
            if (kept == 0 || c->points[kept - 1].ram_bytes != c->points[k].ram_bytes)
                c->points[kept++] = c->points[k];
        c->n = kept;
    }
}

static int read_curves(const json_t *report, struct set *set, struct fl_err *err)
{
    const json_t *doc;
    int rc = FL_OK;
    for (size_t i = 0; (doc = fl_report_sweep(report, i)) && rc == FL_OK; i++)
        rc = read_sweep(doc, i, set, err);
    for (size_t i = 0; (doc = fl_report_validation(report, i)) && rc == FL_OK; i++)
        rc = read_validation(doc, i, set, err);
    sort_points(set);
    return rc;
}

static void set_free(struct set *set)
{
    for (size_t i = 0; set && i < set->n; i++)
        free(set->of[i].points);
    free(set);
}

/* ---- comparing -------------------------------------------------------------------- */

bool diff_differs(const uint64_t n[DIFF_SIDES])
{
    uint64_t larger = n[DIFF_A] > n[DIFF_B] ? n[DIFF_A] : n[DIFF_B];
    return diff_gap(n) > larger / 100;
}

bool diff_point_differs(const struct diff_curve *c, const struct diff_point *p, bool clearly)
{
    const uint64_t *n = c->by_minor ? p->minor : p->major;
    if (p->killed[DIFF_A] || p->killed[DIFF_B])
        return p->killed[DIFF_A] != p->killed[DIFF_B];
    /* Runs differ from run to run: what both have had is no change. */
    if (p->measured &&
        (c->by_minor || (p->low[DIFF_A] <= p->high[DIFF_B] && p->low[DIFF_B] <= p->high[DIFF_A])))
        return false;
    return clearly ? diff_differs(n) : diff_gap(n) > 0;
}

static int add_range(struct diff_curve *c, size_t from, size_t to, struct fl_err *err)
{
    struct diff_range *grown = reallocarray(c->ranges, c->n_ranges + 1, sizeof *grown);
    if (!grown)
        return fl_nomem(err, "comparing curves");
    c->ranges = grown;
    c->ranges[c->n_ranges++] =
        (struct diff_range){ c->points[from].ram_bytes, c->points[to].ram_bytes, to - from + 1 };
    return FL_OK;
}

/* Where the curves part most. A size at which one side is killed parts them, but has no count to
   be the most. */
static void find_most(struct diff_curve *c)
{
    uint64_t most = 0;
    bool major = false;
    for (size_t i = 0; i < c->n; i++)
        major |= diff_point_differs(c, &c->points[i], false);
    c->by_minor = !major;
    for (size_t i = 0; i < c->n; i++) {
        const struct diff_point *p = &c->points[i];
        uint64_t gap = diff_gap(c->by_minor ? p->minor : p->major);
        if (!diff_point_differs(c, p, false))
            continue;
        if (c->n_differing++ == 0)
            c->most = i;
        if (!p->killed[DIFF_A] && !p->killed[DIFF_B] && gap > most) {
            most = gap;
            c->most = i;
        }
    }
}

static int find_ranges(struct diff_curve *c, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; i < c->n && rc == FL_OK; i++) {
        size_t first = i;
        while (i < c->n && diff_point_differs(c, &c->points[i], true))
            i++;
        if (i > first)
            rc = add_range(c, first, i - 1, err);
    }
    return rc;
}

void diff_point_put(struct fl_table *t, size_t row, const struct diff_point *p,
                    const uint64_t n[DIFF_SIDES])
{
    for (int side = 0; side < DIFF_SIDES; side++)
        if (p->killed[side])
            fl_table_text(t, row, (size_t)side + 1, "killed");
        else
            fl_table_put(t, row, (size_t)side + 1, n[side]);
}

/* Knee and cliff of both, over the sizes that both have. */
static int find_bends(struct diff_curve *c, struct fl_err *err)
{
    struct fl_table *t = fl_table_new("curve");
    if (t) {
        fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
        fl_table_column(t, "A", FL_UNIT_COUNT, 0);
        fl_table_column(t, "B", FL_UNIT_COUNT, 0);
    }
    for (size_t i = 0; i < c->n && t; i++) {
        const struct diff_point *p = &c->points[i];
        if (p->ram_bytes == FL_SIZE_MAX_BYTES)
            continue;
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, p->ram_bytes);
        diff_point_put(t, row, p, p->major);
    }
    int rc = fl_table_ok(t, err);
    for (int side = 0; side < DIFF_SIDES && rc == FL_OK; side++)
        fl_curve_find(t, (size_t)side + 1, &c->found[side]);
    fl_table_free(t);
    return rc;
}

static struct diff_point both(const struct diff_point *a, const struct diff_point *b)
{
    return (struct diff_point){ .ram_bytes = a->ram_bytes,
                                .minor = { a->minor[DIFF_A], b->minor[DIFF_A] },
                                .major = { a->major[DIFF_A], b->major[DIFF_A] },
                                .killed = { a->killed[DIFF_A], b->killed[DIFF_A] },
                                .measured = a->measured && b->measured,
                                .low = { a->low[DIFF_A], b->low[DIFF_A] },
                                .high = { a->high[DIFF_A], b->high[DIFF_A] } };
}

/* The common sizes, compared. False and FL_OK: there are none. */
static bool compare(const struct one *a, const struct one *b, struct diff_curve *out, int *rc,
                    struct fl_err *err)
{
    *out = (struct diff_curve){ .policy = a->policy,
                                .swap_bytes = a->swap_bytes,
                                .swap_limited = a->swap_limited };
    out->points = malloc((a->n + 1) * sizeof *out->points);
    if (!out->points) {
        *rc = fl_nomem(err, "comparing curves");
        return false;
    }
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        int c = by_ram(&a->points[i], &b->points[j]);
        if (c == 0)
            out->points[out->n++] = both(&a->points[i], &b->points[j]);
        i += c <= 0;
        j += c >= 0;
    }
    out->only[DIFF_A] = a->n - out->n;
    out->only[DIFF_B] = b->n - out->n;
    find_most(out);
    *rc = find_ranges(out, err);
    if (*rc == FL_OK)
        *rc = find_bends(out, err);
    if (out->n > 0 && *rc == FL_OK)
        return true;
    free(out->points);
    free(out->ranges);
    return false;
}

static void curve_text(const struct one *c, char *buf, size_t size)
{
    char swap[FL_FORMAT_BYTES] = "no limit of";
    if (c->swap_limited)
        fl_format_bytes(swap, c->swap_bytes);
    snprintf(buf, size, "%.40s with %s swap", c->policy, c->measured ? "its own" : swap);
}

static void explain_sizes(const struct one *a, const struct one *b, char *why, size_t size)
{
    uint64_t low = UINT64_MAX, high = 0;
    const struct one *c[DIFF_SIDES] = { a, b };
    for (int side = 0; side < DIFF_SIDES; side++)
        for (size_t i = 0; i < c[side]->n; i++) {
            uint64_t ram = c[side]->points[i].ram_bytes;
            low = ram < low ? ram : low;
            high = ram > high && ram != FL_SIZE_MAX_BYTES ? ram : high;
        }
    if (low > high)
        low = high;
    snprintf(why, size,
             "the sweeps of A and B (%.40s) have no size in common, in bytes; sweep both with the "
             "same: --ram %llu..%llu/16, or give their traces to diff",
             a->policy, (unsigned long long)low, (unsigned long long)high);
}

static void explain_curves(const struct set *a, const struct set *b, char *why, size_t size)
{
    char has[DIFF_SIDES][100];
    curve_text(&a->of[0], has[DIFF_A], sizeof has[DIFF_A]);
    curve_text(&b->of[0], has[DIFF_B], sizeof has[DIFF_B]);
    snprintf(why, size,
             "the sweeps have no policy and swap in common: A has %s, B %s; sweep both with the "
             "same --policy and --swap",
             has[DIFF_A], has[DIFF_B]);
}

static int pair(struct diff *d, const struct set *a, const struct set *b, char *why, size_t size,
                struct fl_err *err)
{
    bool met = false;
    int rc = FL_OK;
    d->curves = calloc(a->n + 1, sizeof *d->curves);
    if (!d->curves)
        return fl_nomem(err, "comparing curves");
    for (size_t i = 0; i < a->n && rc == FL_OK; i++)
        for (size_t k = 0; k < b->n && rc == FL_OK; k++) {
            if (!same_curve(&a->of[i], &b->of[k]))
                continue;
            if (compare(&a->of[i], &b->of[k], &d->curves[d->n_curves], &rc, err))
                d->n_curves++;
            else if (rc == FL_OK && !met)
                explain_sizes(&a->of[i], &b->of[k], why, size);
            met = true;
        }
    if (rc == FL_OK && !met && a->n > 0 && b->n > 0)
        explain_curves(a, b, why, size);
    return rc;
}

int diff_curves(struct diff *d, char *why, size_t why_size, struct fl_err *err)
{
    struct set *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    int rc = a && b ? FL_OK : fl_nomem(err, "comparing curves");
    if (rc == FL_OK)
        rc = read_curves(d->report[DIFF_A], a, err);
    if (rc == FL_OK)
        rc = read_curves(d->report[DIFF_B], b, err);
    if (rc == FL_OK)
        rc = pair(d, a, b, why, why_size, err);
    set_free(a);
    set_free(b);
    return rc;
}

void diff_curves_free(struct diff *d)
{
    for (size_t i = 0; i < d->n_curves; i++) {
        free(d->curves[i].points);
        free(d->curves[i].ranges);
    }
    free(d->curves);
}
