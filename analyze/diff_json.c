/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "faultline.diff/1": everything that was compared, changed or not. */
#include <jansson.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/units.h>

#include "diff.h"

/* B - A; counts of documents are at most INT64_MAX, and so is what lies between two. */
static json_t *change_of(const uint64_t n[DIFF_SIDES])
{
    uint64_t gap = diff_gap(n);
    json_int_t value = gap > INT64_MAX ? INT64_MAX : (json_int_t)gap;
    return json_integer(n[DIFF_B] < n[DIFF_A] ? -value : value);
}

static void put_counts(json_t *into, const uint64_t n[DIFF_SIDES])
{
    json_object_set_new(into, "a", fl_json_u64(n[DIFF_A]));
    json_object_set_new(into, "b", fl_json_u64(n[DIFF_B]));
    json_object_set_new(into, "change", change_of(n));
}

/* In basis points of A; null from nothing, or when it is beyond counting. */
static json_t *change_bp(const uint64_t n[DIFF_SIDES])
{
    double bp = ((double)n[DIFF_B] - (double)n[DIFF_A]) * 10000.0 / (double)n[DIFF_A];
    if (n[DIFF_A] == 0 || bp > 9e15)
        return json_null();
    return json_integer((json_int_t)(bp < 0 ? bp - 0.5 : bp + 0.5));
}

static json_t *copy_of(const json_t *v)
{
    return v ? json_deep_copy(v) : json_null();
}

/* ---- results ------------------------------------------------------------------------- */

static json_t *figures_json(const struct diff_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_figures; i++) {
        const struct diff_figure *f = &r->figures[i];
        json_t *o = json_object();
        json_object_set_new(o, "key", json_string(f->key));
        for (int side = 0; side < DIFF_SIDES; side++)
            json_object_set_new(o, side ? "b" : "a",
                                f->has[side] ? fl_json_u64(f->n[side]) : json_null());
        if (f->has[DIFF_A] && f->has[DIFF_B]) {
            json_object_set_new(o, "change", change_of(f->n));
            json_object_set_new(o, "change_bp", change_bp(f->n));
        }
        json_array_append_new(list, o);
    }
    return list;
}

static const char *how_name(enum diff_how how)
{
    switch (how) {
    case DIFF_SAME: return "same";
    case DIFF_ALIKE: return "alike";
    case DIFF_GUESS: return "guess";
    case DIFF_NEW: return "new";
    case DIFF_GONE: return "gone";
    }
    return "";
}

static json_t *row_json(const struct diff_ranking *by, const struct diff_row *row)
{
    json_t *o = json_object();
    for (int side = 0; side < DIFF_SIDES; side++) {
        json_object_set_new(o, side ? "name_b" : "name_a",
                            row->name[side] ? json_string(row->name[side]) : json_null());
        if (row->pid[side])
            json_object_set_new(o, side ? "pid_b" : "pid_a", fl_json_u64(row->pid[side]));
        if (row->members[side] > 1)
            json_object_set_new(o, side ? "members_b" : "members_a",
                                fl_json_u64(row->members[side]));
    }
    json_object_set_new(o, "match", json_string(how_name(row->how)));
    for (unsigned c = 0; c < DIFF_COUNTS; c++)
        if (by->has[c]) {
            json_t *n = json_object();
            put_counts(n, row->n[c]);
            json_object_set_new(o, diff_count_key((enum diff_count)c), n);
        }
    json_object_set_new(o, "taken_bp", fl_json_u64(row->taken_bp));
    json_object_set_new(o, "share_bp", fl_json_u64(row->share_bp));
    return o;
}

static json_t *ranking_json(const struct diff_ranking *by)
{
    json_t *o = json_object(), *rows = json_array(), *rest = json_object();
    for (size_t i = 0; i < by->n; i++)
        json_array_append_new(rows, row_json(by, &by->rows[i]));
    for (unsigned c = 0; c < DIFF_COUNTS; c++)
        if (by->has[c] && (by->rest.n[c][DIFF_A] || by->rest.n[c][DIFF_B])) {
            json_t *n = json_object();
            put_counts(n, by->rest.n[c]);
            json_object_set_new(rest, diff_count_key((enum diff_count)c), n);
        }
    json_object_set_new(rest, "share_bp", fl_json_u64(by->rest.share_bp));
    json_object_set_new(o, "ranked_by", json_string(diff_count_key(by->count)));
    json_object_set_new(o, "rows", rows);
    json_object_set_new(o, "rest", rest);
    return o;
}

static json_t *result_json(const struct diff_result *r)
{
    json_t *o = json_object();
    for (int side = 0; side < DIFF_SIDES; side++) {
        json_t *about = json_object();
        json_object_set_new(about, "label", copy_of(fl_document_at(r->of[side], "label")));
        json_object_set_new(about, "path", copy_of(fl_document_at(r->of[side], "trace.path")));
        json_object_set_new(about, "sha256", copy_of(fl_document_at(r->of[side], "trace.sha256")));
        json_object_set_new(about, "fidelity",
                            copy_of(fl_document_at(r->of[side], "trace.fidelity")));
        json_object_set_new(about, "quality", copy_of(fl_document_at(r->of[side], "quality")));
        json_object_set_new(o, side ? "b" : "a", about);
    }
    json_object_set_new(o, "source", copy_of(fl_document_at(r->of[DIFF_A], "source")));
    json_object_set_new(o, "machine", copy_of(fl_document_at(r->of[DIFF_A], "machine")));
    json_object_set_new(o, "figures", figures_json(r));
    for (unsigned k = 0; k < DIFF_RANKINGS; k++)
        if (r->by[k].there)
            json_object_set_new(o, r->by[k].key, ranking_json(&r->by[k]));
    return o;
}

/* ---- curves ---------------------------------------------------------------------------- */

static json_t *ram_json(uint64_t bytes)
{
    return bytes == FL_SIZE_MAX_BYTES ? json_null() : fl_json_u64(bytes);
}

static json_t *point_json(const struct diff_curve *c, const struct diff_point *p)
{
    json_t *o = json_object(), *minor = json_object(), *major = json_object();
    json_object_set_new(o, "ram_bytes", ram_json(p->ram_bytes));
    put_counts(minor, p->minor);
    put_counts(major, p->major);
    json_object_set_new(o, "minor", minor);
    json_object_set_new(o, "major", major);
    json_object_set_new(o, "killed_a", json_boolean(p->killed[DIFF_A]));
    json_object_set_new(o, "killed_b", json_boolean(p->killed[DIFF_B]));
    json_object_set_new(o, "differs", json_boolean(diff_point_differs(c, p, true)));
    return o;
}

static json_t *finding_json(const struct fl_curve_finding *f)
{
    json_t *o = json_object();
    json_object_set_new(o, "knee_ram_bytes",
                        f->knee ? fl_json_u64(f->knee_ram_bytes) : json_null());
    json_object_set_new(o, "cliff_ram_bytes",
                        f->cliff ? fl_json_u64(f->cliff_ram_bytes) : json_null());
    json_object_set_new(o, "vanish_ram_bytes",
                        f->vanish ? fl_json_u64(f->vanish_ram_bytes) : json_null());
    json_object_set_new(o, "killed_ram_bytes",
                        f->killed ? fl_json_u64(f->killed_ram_bytes) : json_null());
    return o;
}

static json_t *curve_json(const struct diff_curve *c)
{
    json_t *o = json_object(), *points = json_array(), *ranges = json_array();
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(points, point_json(c, &c->points[i]));
    for (size_t i = 0; i < c->n_ranges; i++) {
        json_t *range = json_object();
        json_object_set_new(range, "from_ram_bytes", ram_json(c->ranges[i].from_ram_bytes));
        json_object_set_new(range, "to_ram_bytes", ram_json(c->ranges[i].to_ram_bytes));
        json_object_set_new(range, "sizes", fl_json_u64(c->ranges[i].sizes));
        json_array_append_new(ranges, range);
    }
    json_object_set_new(o, "policy", json_string(c->policy));
    json_object_set_new(o, "swap_bytes",
                        c->swap_limited ? fl_json_u64(c->swap_bytes) : json_null());
    json_object_set_new(o, "count", json_string(c->by_minor ? "minor" : "major"));
    json_object_set_new(o, "points", points);
    json_object_set_new(o, "only_a", fl_json_u64(c->only[DIFF_A]));
    json_object_set_new(o, "only_b", fl_json_u64(c->only[DIFF_B]));
    json_object_set_new(o, "most_ram_bytes",
                        c->n_differing ? ram_json(c->points[c->most].ram_bytes) : json_null());
    json_object_set_new(o, "differs", ranges);
    json_object_set_new(o, "a", finding_json(&c->found[DIFF_A]));
    json_object_set_new(o, "b", finding_json(&c->found[DIFF_B]));
    return o;
}

json_t *diff_json(const struct diff *d, const char *verdict)
{
    json_t *o = json_object(), *results = json_array(), *curves = json_array();
    json_t *notes = json_array();
    uint64_t peak[DIFF_SIDES];
    for (size_t i = 0; i < d->n_results; i++)
        json_array_append_new(results, result_json(&d->results[i]));
    for (size_t i = 0; i < d->n_curves; i++)
        json_array_append_new(curves, curve_json(&d->curves[i]));
    for (size_t i = 0; i < d->n_notes; i++)
        json_array_append_new(notes, json_string(d->notes[i]));
    json_object_set_new(o, "schema", json_string("faultline.diff/1"));
    json_object_set_new(o, "verdict", json_string(verdict));
    json_object_set_new(o, "changed", json_boolean(d->changed));
    if (diff_peak(d, peak)) {
        json_t *pages = json_object();
        put_counts(pages, peak);
        json_object_set_new(o, "peak_resident_pages", pages);
    }
    json_object_set_new(o, "results", results);
    json_object_set_new(o, "curves", curves);
    json_object_set_new(o, "notes", notes);
    return o;
}
