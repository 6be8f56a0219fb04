/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which result, sweep's point or measurement's limit a budget is about. */
#include "gate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/report.h>
#include <faultline/table.h>

struct find {
    const char *where;
    const struct budget *budget;
    struct gate_question wanted; /* has_*, policy: what it must have been asked */
    size_t from;                 /* first part of the key that is looked up */
    struct gate_subject *out;
};

char *gate_size(char buf[GATE_SIZE_BYTES], uint64_t bytes)
{
    static const char letters[] = "KMGTPE";
    const char *letter = NULL;
    if (bytes == UINT64_MAX) {
        strcpy(buf, "max");
        return buf;
    }
    for (const char *l = letters; *l && bytes >= 1024 && bytes % 1024 == 0; l++, bytes /= 1024)
        letter = l;
    snprintf(buf, GATE_SIZE_BYTES, "%" PRIu64 "%.1s", bytes, letter ? letter : "");
    return buf;
}

/* ---- questions -------------------------------------------------------------------------- */

/* A size in a document: a number, or null or "max" for none. */
static bool read_size(const json_t *object, const char *path, uint64_t *out)
{
    const json_t *v = fl_document_at(object, path);
    if (json_is_null(v) || json_is_string(v)) {
        *out = UINT64_MAX;
        return true;
    }
    return fl_document_count(object, path, out);
}

/* RAM and swap are whole pages in every result, whatever was written. */
static bool same_size(uint64_t wanted, uint64_t has)
{
    return wanted == has || (wanted != UINT64_MAX && has != UINT64_MAX &&
                             wanted / FL_PAGE_BYTES == has / FL_PAGE_BYTES);
}

/* @wanted: NULL is any. */
static bool same_name(const char *wanted, const char *has)
{
    return !wanted || (has && strcmp(wanted, has) == 0);
}

static bool answers(const struct gate_question *wanted, const struct gate_question *asked)
{
    if (wanted->has_ram && !(asked->has_ram && same_size(wanted->ram_bytes, asked->ram_bytes)))
        return false;
    if (wanted->has_swap && !(asked->has_swap && same_size(wanted->swap_bytes, asked->swap_bytes)))
        return false;
    return same_name(wanted->policy, asked->policy) && same_name(wanted->machine, asked->machine);
}

static bool is_filter(const struct gate_question *wanted)
{
    return wanted->has_ram || wanted->has_swap || wanted->policy || wanted->machine;
}

static void describe_name(FILE *out, const char *sep, const char *what, const char *name)
{
    char *clean = fl_text_clean(name, 40);
    fprintf(out, "%s%s %s", sep, what, clean ? clean : "");
    free(clean);
}

static void describe(FILE *out, const struct gate_question *q)
{
    char size[GATE_SIZE_BYTES];
    const char *sep = "";
    if (q->has_ram) {
        fprintf(out, "%s of RAM", gate_size(size, q->ram_bytes));
        sep = ", ";
    }
    if (q->policy) {
        describe_name(out, sep, "policy", q->policy);
        sep = ", ";
    }
    if (q->has_swap) {
        fprintf(out, "%sswap %s", sep, gate_size(size, q->swap_bytes));
        sep = ", ";
    }
    if (q->machine)
        describe_name(out, sep, "machine", q->machine);
}

static struct gate_question result_question(const json_t *result)
{
    struct gate_question q = { .kind = GATE_RESULT };
    q.has_ram = read_size(result, "machine.ram_bytes", &q.ram_bytes);
    q.has_swap = read_size(result, "machine.swap_bytes", &q.swap_bytes);
    q.policy = fl_document_text(result, "machine.policy");
    q.machine = fl_document_text(result, "machine.name");
    return q;
}

static struct gate_question point_question(const json_t *point)
{
    struct gate_question q = { .kind = GATE_POINT };
    q.has_ram = read_size(point, "ram_bytes", &q.ram_bytes);
    q.has_swap = read_size(point, "swap_bytes", &q.swap_bytes);
    q.policy = fl_document_text(point, "policy");
    q.machine = fl_document_text(point, "machine");
    return q;
}

/* ---- what is there instead ---------------------------------------------------------------- */

#define SHOWN_MAX 12u

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The sizes of @qs, each once, in order. */
static void list_sizes(FILE *out, const struct gate_question *qs, size_t n)
{
    uint64_t *sizes = calloc(n + 1, sizeof *sizes);
    size_t shown = 0, left = 0;
    for (size_t i = 0; sizes && i < n; i++)
        sizes[i] = qs[i].ram_bytes;
    if (sizes)
        qsort(sizes, n, sizeof *sizes, by_size);
    for (size_t i = 0; sizes && i < n; i++) {
        char size[GATE_SIZE_BYTES];
        if (i > 0 && sizes[i] == sizes[i - 1])
            continue;
        if (shown == SHOWN_MAX) {
            left++;
            continue;
        }
        fprintf(out, "%s%s", shown++ ? ", " : "", gate_size(size, sizes[i]));
    }
    if (left > 0)
        fprintf(out, " and %zu more", left);
    free(sizes);
}

/* Policies, swaps and machines of @qs, each combination once. */
static void list_kinds(FILE *out, const struct gate_question *qs, size_t n)
{
    size_t shown = 0;
    for (size_t i = 0; i < n && shown < SHOWN_MAX; i++) {
        struct gate_question q = { .policy = qs[i].policy,
                                   .machine = qs[i].machine,
                                   .has_swap = qs[i].has_swap,
                                   .swap_bytes = qs[i].swap_bytes };
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again |= answers(&q, &qs[k]);
        if (again)
            continue;
        fputs(shown++ ? "; " : "", out);
        describe(out, &q);
    }
}

/* @qs is everything of that kind; @some of them were left by all but the size. */
static int nothing_found(const struct find *f, const char *what, const struct gate_question *qs,
                         size_t n, struct fl_err *err)
{
    struct gate_question but_size = f->wanted;
    char *text = NULL;
    size_t len, fitting = 0, told = 0;
    FILE *out = open_memstream(&text, &len);
    struct gate_question *fit = calloc(n + 1, sizeof *fit);
    if (!out || !fit) {
        if (out)
            fclose(out);
        free(text);
        free(fit);
        return fl_nomem(err, "a budget");
    }
    but_size.has_ram = false;
    for (size_t i = 0; i < n; i++) {
        told += is_filter(&qs[i]);
        if (answers(&but_size, &qs[i]) && qs[i].has_ram)
            fit[fitting++] = qs[i];
    }
    fprintf(out, "%s has no %s for ", f->where, what);
    describe(out, &f->wanted);
    fputs("; it has ", out);
    if (told == 0)
        fputs("none that was asked at a size", out); /* what the kernel did, or nothing */
    else if (fitting > 0 && f->wanted.has_ram)
        list_sizes(out, fit, fitting);
    else
        list_kinds(out, qs, n);
    free(fit);
    int rc = fclose(out) == 0 ? fl_fail(err, FL_EDATA, "%s", text) : fl_nomem(err, "a budget");
    free(text);
    return rc;
}

static int several_found(const struct find *f, const struct gate_question *qs, size_t n,
                         struct fl_err *err)
{
    char *text = NULL;
    size_t len;
    bool sizes_differ = false, kinds_differ = false;
    for (size_t i = 1; i < n; i++) {
        struct gate_question kind = qs[0];
        kind.has_ram = false;
        sizes_differ |= qs[i].ram_bytes != qs[0].ram_bytes;
        kinds_differ |= !answers(&kind, &qs[i]);
    }
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return fl_nomem(err, "a budget");
    fprintf(out, "%s has %zu points for '%.80s'", f->where, n, f->budget->label);
    if (sizes_differ) {
        fputs("; say at which size, `at = `: ", out);
        list_sizes(out, qs, n);
    }
    if (kinds_differ) {
        fputs("; say of which `policy`, `swap` and `machine`: ", out);
        list_kinds(out, qs, n);
    }
    if (!sizes_differ && !kinds_differ)
        fputs(" that are alike, of several sweeps; say which in the key, as `sweeps.0.major`", out);
    int rc = fclose(out) == 0 ? fl_fail(err, FL_EUSAGE, "%s", text) : fl_nomem(err, "a budget");
    free(text);
    return rc;
}

/* ---- one document ---------------------------------------------------------------------------- */

static int take_result(const struct find *f, const json_t *result, struct fl_err *err)
{
    struct gate_question q = result_question(result);
    if (!answers(&f->wanted, &q))
        return nothing_found(f, "result", &q, 1, err);
    *f->out =
        (struct gate_subject){ .asked = q, .object = result, .document = result, .from = f->from };
    return FL_OK;
}

const char *gate_count_name(const struct keypath *path, size_t from, enum gate_kind kind)
{
    /* in a point, in a result, in a measurement's prediction */
    static const char *const counts[][3] = { { "minor", "faults.minor", "minor" },
                                             { "major", "faults.major", "major" },
                                             { "swap_in", "swap.pages_in", "swap_in" },
                                             { "swap_out", "swap.pages_out", "swap_out" },
                                             { "oom_kills", "oom.kills.length", "oom" } };
    for (size_t i = 0; i < FL_COUNT(counts); i++)
        if (keypath_is(path, from, counts[i][0]) || keypath_is(path, from, counts[i][1]))
            return counts[i][kind == GATE_RESULT ? 1 : kind == GATE_LIMIT ? 2 : 0];
    return NULL;
}

static bool is_count(const struct find *f)
{
    return gate_count_name(&f->budget->path, f->from, GATE_POINT) != NULL;
}

struct points {
    const json_t **at, **sweep; /* n of each */
    struct gate_question *asked;
    size_t n;
};

static void points_free(struct points *p)
{
    free(p->at);
    free(p->sweep);
    free(p->asked);
}

static int points_of(const json_t *const *sweeps, size_t n, struct points *out, struct fl_err *err)
{
    size_t room = 1, i;
    const json_t *v;
    for (size_t s = 0; s < n; s++)
        room += json_array_size(json_object_get(sweeps[s], "points"));
    *out = (struct points){ .at = calloc(room, sizeof *out->at),
                            .sweep = calloc(room, sizeof *out->sweep),
                            .asked = calloc(room, sizeof *out->asked) };
    if (!out->at || !out->sweep || !out->asked) {
        points_free(out);
        return fl_nomem(err, "a sweep's points");
    }
    for (size_t s = 0; s < n; s++)
        json_array_foreach(json_object_get(sweeps[s], "points"), i, v)
        {
            out->at[out->n] = v;
            out->sweep[out->n] = sweeps[s];
            out->asked[out->n++] = point_question(v);
        }
    return FL_OK;
}

/* The one point of @sweeps that answers. */
static int take_point(const struct find *f, const json_t *const *sweeps, size_t n,
                      struct fl_err *err)
{
    struct points all;
    int rc = points_of(sweeps, n, &all, err);
    if (rc != FL_OK)
        return rc;
    size_t fitting = 0;
    struct gate_question *fit = calloc(all.n + 1, sizeof *fit);
    if (!fit)
        rc = fl_nomem(err, "a sweep's points");
    for (size_t i = 0; rc == FL_OK && i < all.n; i++) {
        if (!answers(&f->wanted, &all.asked[i]))
            continue;
        *f->out = (struct gate_subject){
            .asked = all.asked[i], .object = all.at[i], .document = all.sweep[i], .from = f->from
        };
        fit[fitting++] = all.asked[i];
    }
    if (fitting > 1)
        rc = several_found(f, fit, fitting, err);
    else if (rc == FL_OK && fitting == 0)
        rc = nothing_found(f, "point", all.asked, all.n, err);
    free(fit);
    points_free(&all);
    return rc;
}

static int take_document(const struct find *f, const json_t *doc)
{
    *f->out = (struct gate_subject){
        .asked = { .kind = GATE_DOCUMENT }, .object = doc, .document = doc, .from = f->from
    };
    return FL_OK;
}

static int find_in_sweep(const struct find *f, const json_t *sweep, struct fl_err *err)
{
    if (is_count(f))
        return take_point(f, &sweep, 1, err);
    if (!is_filter(&f->wanted))
        return take_document(f, sweep);
    return fl_fail(err, FL_EDATA,
                   "%s is a sweep, whose points have minor, major, swap_in, swap_out and oom_kills "
                   "alone; '%.80s' needs a replay at that size",
                   f->where, f->budget->key);
}

static int find_in_validate(const struct find *f, const json_t *doc, struct fl_err *err)
{
    const json_t *points = json_object_get(doc, "points"), *v;
    size_t n = json_array_size(points), i;
    struct gate_question *qs;
    const struct gate_question by_ram = { .has_ram = f->wanted.has_ram,
                                          .ram_bytes = f->wanted.ram_bytes };
    if (!is_filter(&f->wanted))
        return take_document(f, doc);
    if (!f->wanted.has_ram || f->wanted.has_swap || f->wanted.machine)
        return fl_fail(err, FL_EUSAGE,
                       "%s: '%.80s': a measurement's points are told apart by `at`, and what it "
                       "says of a policy by `policy`",
                       f->where, f->budget->label);
    if (!(qs = calloc(n + 1, sizeof *qs)))
        return fl_nomem(err, "a measurement's points");
    json_array_foreach(points, i, v)
    {
        qs[i] = (struct gate_question){ .kind = GATE_LIMIT };
        qs[i].has_ram = read_size(v, "ram_bytes", &qs[i].ram_bytes);
    }
    for (i = 0; i < n && !answers(&by_ram, &qs[i]); i++)
        ;
    int rc = i < n ? FL_OK : nothing_found(f, "point", qs, n, err);
    v = json_array_get(points, i);
    if (rc == FL_OK && f->wanted.policy) {
        v = json_object_get(json_object_get(v, "policies"), f->wanted.policy);
        qs[i].policy = f->wanted.policy;
        if (!v)
            rc = fl_fail(err, FL_EDATA, "%s has nothing of policy %.40s at that size", f->where,
                         f->wanted.policy);
    }
    if (rc == FL_OK)
        *f->out =
            (struct gate_subject){ .asked = qs[i], .object = v, .document = doc, .from = f->from };
    if (rc == FL_OK && !f->wanted.policy && is_count(f))
        f->out->object = json_object_get(v, "predicted");
    free(qs);
    return rc;
}

/* ---- a report, which holds the others ------------------------------------------------------------ */

/* `results.observed.faults.minor`: the key says itself which of them. */
static int find_named(struct find *f, const json_t *report, struct fl_err *err)
{
    const struct keypath *path = &f->budget->path;
    struct keypath list = { .part = path->part, .quoted = path->quoted, .n = 2 };
    struct keypath_value v;
    if (path->n < 3)
        return fl_fail(err, FL_EUSAGE, "key '%.80s' is not a number", f->budget->key);
    int rc = keypath_find(&list, 0, report, f->where, &v, err);
    if (rc != FL_OK)
        return rc;
    f->from = 2;
    if (strcmp(path->part[0], "results") == 0)
        return take_result(f, v.json, err);
    if (strcmp(path->part[0], "sweeps") == 0)
        return find_in_sweep(f, v.json, err);
    return find_in_validate(f, v.json, err);
}

static int find_in_results(const struct find *f, const json_t *report, struct fl_err *err)
{
    size_t n = fl_report_results(report), i = 0;
    struct gate_question *qs = calloc(n + 1, sizeof *qs);
    if (!qs)
        return fl_nomem(err, "a report's results");
    for (size_t k = 0; k < n; k++)
        qs[k] = result_question(fl_report_result(report, k));
    while (i < n && !answers(&f->wanted, &qs[i]))
        i++;
    int rc = i < n ? take_result(f, fl_report_result(report, i), err)
                   : nothing_found(f, "result", qs, n, err);
    free(qs);
    return rc;
}

static int find_in_sweeps(const struct find *f, const json_t *report, struct fl_err *err)
{
    const json_t *list = json_object_get(report, "sweeps"), *v;
    const json_t **sweeps = calloc(json_array_size(list) + 1, sizeof *sweeps);
    size_t i;
    if (!sweeps)
        return fl_nomem(err, "a report's sweeps");
    json_array_foreach(list, i, v) sweeps[i] = v;
    int rc = take_point(f, sweeps, json_array_size(list), err);
    free(sweeps);
    return rc;
}

/* Results first: one at that size has all that a point has. */
static int find_in_report(struct find *f, const json_t *report, struct fl_err *err)
{
    const char *first = f->budget->path.part[0];
    const struct gate_question *q = &f->wanted;
    struct fl_err why = { 0 };
    if (strcmp(first, "results") == 0 || strcmp(first, "sweeps") == 0 ||
        strcmp(first, "validations") == 0)
        return find_named(f, report, err);
    /* The curve is of several policies; the report's own is its first result's. */
    if (q->has_ram && !q->policy && fl_report_results(report) > 0)
        f->wanted.policy = fl_document_text(fl_report_result(report, 0), "machine.policy");
    bool points = q->kind != GATE_RESULT && q->has_ram && is_count(f) &&
                  json_array_size(json_object_get(report, "sweeps")) > 0;
    int rc = q->kind == GATE_POINT ? FL_EDATA : find_in_results(f, report, &why);
    if (rc == FL_EDATA && points)
        return find_in_sweeps(f, report, err);
    return rc == FL_OK ? FL_OK : fl_fail(err, rc, "%s", why.msg);
}

/* What the budget itself asks for; 100 % is the trace's own peak. */
static struct gate_question asked_by(const struct budget *b, const json_t *doc)
{
    uint64_t pages = 0;
    const json_t *owner = fl_report_result(doc, 0) ? fl_report_result(doc, 0) : doc;
    fl_document_count(owner, "trace.peak_resident_pages", &pages);
    uint64_t peak = pages > UINT64_MAX / FL_PAGE_BYTES ? UINT64_MAX : pages * FL_PAGE_BYTES;
    return (struct gate_question){ .has_ram = b->has_at,
                                   .has_swap = b->has_swap,
                                   .ram_bytes = fl_size_bytes(&b->at, peak),
                                   .swap_bytes = fl_size_bytes(&b->swap, peak),
                                   .policy = b->policy,
                                   .machine = b->machine };
}

int gate_find(const json_t *doc, const char *where, const struct budget *budget,
              const struct gate_question *wanted, struct gate_subject *out, struct fl_err *err)
{
    const char *schema = fl_document_text(doc, "schema");
    struct find f = { .where = where,
                      .budget = budget,
                      .wanted = wanted ? *wanted : asked_by(budget, doc),
                      .out = out };
    if (!schema || strcmp(schema, "faultline.replay/1") == 0)
        return take_result(&f, doc, err);
    if (strcmp(schema, "faultline.sweep/1") == 0)
        return find_in_sweep(&f, doc, err);
    if (strcmp(schema, "faultline.validate/1") == 0)
        return find_in_validate(&f, doc, err);
    return find_in_report(&f, doc, err);
}
