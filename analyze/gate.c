/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict: which data may be judged, which baseline compared with, and the rules. */
#include "gate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/quality.h>
#include <faultline/report.h>
#include <faultline/table.h>

struct judge {
    const json_t *result, *baseline; /* baseline: NULL for none */
    const char *result_name, *baseline_name;
};

/* ---- may it be judged? -------------------------------------------------------------------- */

static bool starts_with(const struct budget *b, size_t from, const char *const *names)
{
    for (; *names; names++)
        if (from < b->path.n && strcmp(b->path.part[from], *names) == 0)
            return true;
    return false;
}

/* Doubts themselves may be budgeted whatever they say. */
static bool is_about_doubts(const struct budget *b, size_t from)
{
    static const char *const doubts[] = { "quality", NULL };
    return starts_with(b, from, doubts) || keypath_is(&b->path, from, "trace.lost_events");
}

static int check_trust(const struct gate_subject *s, const struct budget *b, const char *where,
                       struct fl_err *err)
{
    const char *fidelity = fl_document_text(s->document, "trace.fidelity");
    const json_t *v;
    uint64_t lost;
    size_t i;
    if (is_about_doubts(b, s->from))
        return FL_OK;
    if (fl_document_count(s->document, "trace.lost_events", &lost) && lost > 0)
        return fl_fail(err, FL_EDATA,
                       "%s: %" PRIu64 " events were lost, so counts are lower bounds: record again",
                       where, lost);
    if (fidelity && strcmp(fidelity, "sampled") == 0)
        return fl_fail(err, FL_EDATA,
                       "%s: counts of a sampled trace are estimates: record with --mode exact",
                       where);
    json_array_foreach(json_object_get(s->document, "quality"), i, v)
    {
        const char *flag = fl_document_text(v, "flag"), *detail = fl_document_text(v, "detail");
        const char *remedy = flag ? fl_quality_remedy(flag) : NULL;
        if (!flag || fl_quality_spoils_counts(flag))
            return fl_fail(err, FL_EDATA, "%s: quality flag '%.40s': %.160s%s%s", where,
                           flag ? flag : "?", detail ? detail : "", remedy ? "; " : "",
                           remedy ? remedy : "");
    }
    return FL_OK;
}

/* A killed process's later accesses are in no count. What is true of the trace stays true, and
   kills are what a budget on kills is about. */
static bool is_cut_short(const struct gate_subject *s, const struct budget *b)
{
    static const char *const unaffected[] = { "oom",     "oom_kills", "trace",
                                              "machine", "quality",   NULL };
    uint64_t kills = 0;
    if (starts_with(b, s->from, unaffected))
        return false;
    if (s->asked.kind == GATE_POINT)
        fl_document_count(s->object, "oom_kills", &kills);
    else if (s->asked.kind == GATE_RESULT)
        kills = json_array_size(fl_document_at(s->object, "oom.kills"));
    return kills > 0;
}

/* ---- values -------------------------------------------------------------------------------- */

static int find_value(const struct gate_subject *s, const struct budget *b, const char *where,
                      struct keypath_value *v, struct fl_err *err)
{
    const char *name = gate_count_name(&b->path, s->from, s->asked.kind);
    if (!name || s->asked.kind == GATE_DOCUMENT)
        return keypath_find(&b->path, s->from, s->object, where, v, err);
    struct keypath path;
    int rc = keypath_parse(name, &path, err);
    if (rc == FL_OK)
        rc = keypath_find(&path, 0, s->object, where, v, err);
    keypath_free(&path);
    return rc;
}

static int read_value(const struct gate_subject *s, const struct budget *b, const char *where,
                      millionths *out, struct fl_err *err)
{
    struct keypath_value v;
    int rc = find_value(s, b, where, &v, err);
    if (rc != FL_OK)
        return rc;
    if (!v.json) {
        *out = (millionths)v.length * MILLION;
        return FL_OK;
    }
    if (json_is_null(v.json))
        return fl_fail(err, FL_EDATA, "%s: it is null, which is no number: not known, or no limit",
                       where);
    if (json_is_array(v.json))
        return fl_fail(err, FL_EUSAGE,
                       "%s: the key is of an array, not a number: add an index, a name or .length",
                       where);
    if (!budget_number(v.json, out))
        return fl_fail(err, FL_EUSAGE, "%s: the key is not of a number", where);
    return FL_OK;
}

/* "310 .. 325" of a measured median, from what lies beside it. */
static char *read_range(const struct gate_subject *s, const struct budget *b)
{
    struct keypath spread = b->path;
    struct keypath_value v;
    uint64_t low, high;
    char *text = NULL;
    spread.n--;
    if (s->asked.kind != GATE_LIMIT || strcmp(b->path.part[spread.n], "median") != 0 ||
        keypath_find(&spread, s->from, s->object, "", &v, NULL) != FL_OK ||
        !fl_document_count(v.json, "min", &low) || !fl_document_count(v.json, "max", &high))
        return NULL;
    return asprintf(&text, "%" PRIu64 " .. %" PRIu64, low, high) < 0 ? NULL : text;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), len = strlen(end);
    return n >= len && strcmp(text + n - len, end) == 0;
}

static const char *unit_of(const struct budget *b, size_t from)
{
    static const struct {
        const char *end, *unit;
    } units[] = { { "bytes", "bytes" },      { "pages", "pages" },    { "pages_in", "pages" },
                  { "_ns", "ns" },           { "_bp", "bp" },         { "pages_out", "pages" },
                  { "minor", "faults" },     { "major", "faults" },   { "segv", "faults" },
                  { "swap_in", "pages" },    { "swap_out", "pages" }, { "oom_kills", "kills" },
                  { "saved_bytes", "bytes" } };
    for (size_t i = from; i < b->path.n; i++) {
        if (strcmp(b->path.part[i], "error_pct") == 0)
            return "%";
        if (strcmp(b->path.part[i], "by_cause") == 0)
            return "faults";
    }
    if (keypath_is(&b->path, from, "oom.kills.length"))
        return "kills";
    /* The last part that is no index and no statistic names what is counted. */
    for (size_t k = b->path.n; k > from; k--)
        for (size_t i = 0; i < FL_COUNT(units); i++)
            if (ends_in(b->path.part[k - 1], units[i].end))
                return units[i].unit;
    return "count";
}

/* ---- may they be compared? ------------------------------------------------------------------ */

static const char *text_or(const json_t *doc, const char *path, const char *otherwise)
{
    const char *text = fl_document_text(doc, path);
    return text ? text : otherwise;
}

/* The first key of two objects that differs, in the order of @a; NULL when none does. */
static const char *first_difference(const json_t *a, const json_t *b)
{
    const json_t *sides[2] = { a, b };
    const char *key;
    json_t *v;
    for (int side = 0; side < 2; side++)
        json_object_foreach((json_t *)(uintptr_t)sides[side], key, v)
        {
            const json_t *other = json_object_get(sides[!side], key);
            if (!other || !json_equal(v, other))
                return key;
        }
    return NULL;
}

/* Same question, same kind of data: otherwise a difference says nothing about the program. */
static int check_comparable(const struct judge *j, const struct budget *b,
                            const struct gate_subject *s, const struct gate_subject *base,
                            struct fl_err *err)
{
    static const struct {
        const char *path, *otherwise;
    } alike[] = { { "source", "model" },     { "trace.fidelity", "" }, { "policy", "" },
                  { "thp.mode", "" },        { "swap.kind", "" },      { "time.costs_source", "" },
                  { "time.swap_device", "" } };
    static const char *const estimates[] = { "time", NULL };
    size_t n = FL_COUNT(alike) - (starts_with(b, s->from, estimates) ? 0 : 2);
    for (size_t i = 0; i < n; i++) {
        const char *now = text_or(s->document, alike[i].path, alike[i].otherwise);
        const char *then = text_or(base->document, alike[i].path, alike[i].otherwise);
        if (strcmp(now, then) != 0)
            return fl_fail(err, FL_EDATA,
                           "%s has %s '%.60s', the result '%.60s': another question; make the "
                           "baseline as the result was made",
                           j->baseline_name, alike[i].path, then, now);
    }
    const char *key = first_difference(json_object_get(s->document, "machine"),
                                       json_object_get(base->document, "machine"));
    if (key)
        return fl_fail(err, FL_EDATA,
                       "%s was replayed with another machine.%.40s than the result: another "
                       "question; make the baseline as the result was made",
                       j->baseline_name, key);
    return FL_OK;
}

/* The baseline's value into @row. Without a relative rule it is only shown, and may be missing. */
static int read_baseline(const struct judge *j, const struct gate_subject *s, struct gate_row *row,
                         struct fl_err *err)
{
    const struct budget *b = row->budget;
    const char *schema = text_or(j->baseline, "schema", "");
    struct gate_subject base;
    bool needed = budget_is_relative(b);
    struct gate_question same = s->asked;
    if (same.kind == GATE_RESULT)
        same.machine = NULL; /* check_comparable() says what of it differs */
    int rc = gate_find(j->baseline, j->baseline_name, b, &same, &base, err);
    if (rc == FL_EDATA && !needed && strcmp(schema, "faultline.replay/1") != 0)
        return FL_OK;
    if (rc != FL_OK)
        return rc;
    if (base.asked.kind != s->asked.kind)
        return !needed ? FL_OK
                       : fl_fail(err, FL_EDATA,
                                 "%s is no document of the result's kind: compare replays with "
                                 "replays, sweeps with sweeps",
                                 j->baseline_name);
    rc = check_comparable(j, b, s, &base, err);
    if (rc != FL_OK)
        return rc;
    rc = check_trust(&base, b, j->baseline_name, err);
    if (rc == FL_OK && is_cut_short(&base, b))
        rc = fl_fail(err, FL_EDATA,
                     "%s: its run ended in an out-of-memory kill, so its counts are of a part of "
                     "the program",
                     j->baseline_name);
    if (rc == FL_OK)
        rc = read_value(&base, b, j->baseline_name, &row->baseline, err);
    row->has_baseline = rc == FL_OK;
    return rc == FL_EDATA && !needed ? FL_OK : rc;
}

/* ---- the rules ------------------------------------------------------------------------------- */

static bool is_broken(enum budget_rule rule, const struct budget_limit *limit,
                      const struct gate_row *row)
{
    millionths up = row->value - row->baseline;
    millionths size = row->baseline < 0 ? -row->baseline : row->baseline;
    if (rule == BUDGET_MAX)
        return row->value > limit->number;
    if (rule == BUDGET_MIN)
        return row->value < limit->number;
    if (rule == BUDGET_MAX_DECREASE)
        up = -up;
    if (limit->kind == LIMIT_NUMBER)
        return up > limit->number;
    return up * 10000 > size * limit->percent_bp;
}

static void put_limit(FILE *out, enum budget_rule rule, const struct budget_limit *limit,
                      const char *unit)
{
    static const char *const words[] = { "at most ", "at least ", "up at most ", "down at most " };
    char number[GATE_NUMBER_BYTES];
    fputs(words[rule], out);
    if (limit->kind == LIMIT_PERCENT)
        fputs(gate_number(number, (millionths)limit->percent_bp * (MILLION / 100), "%"), out);
    else
        fputs(gate_number(number, limit->number, unit), out);
}

static void put_reason(FILE *out, enum budget_rule rule, const struct gate_row *row)
{
    const struct budget_limit *limit = &row->budget->limit[rule];
    char a[GATE_NUMBER_BYTES], b[GATE_NUMBER_BYTES];
    const char *more = rule == BUDGET_MAX || rule == BUDGET_MAX_INCREASE ? "more" : "less";
    if (!BUDGET_IS_RELATIVE(rule)) {
        fprintf(out, "%s is %s than %s", gate_number(a, row->value, row->unit), more,
                gate_number(b, limit->number, row->unit));
        return;
    }
    millionths by = row->value - row->baseline;
    fprintf(out, "%s is %s", gate_number(a, row->value, row->unit),
            gate_number(b, by < 0 ? -by : by, row->unit));
    fprintf(out, " %s than the baseline's %s", more, gate_number(a, row->baseline, row->unit));
    if (limit->kind == LIMIT_PERCENT && row->baseline == 0)
        fputs(", and no percentage of 0 allows a change", out);
    else if (limit->kind == LIMIT_PERCENT)
        fprintf(out, "; allowed are %s",
                gate_number(a, (millionths)limit->percent_bp * (MILLION / 100), "%"));
    else
        fprintf(out, "; allowed are %s", gate_number(a, limit->number, row->unit));
}

static char *close_text(FILE *out, char **text)
{
    if (fclose(out) == 0)
        return *text;
    free(*text);
    return *text = NULL;
}

static int apply_rules(struct gate_row *row, bool cut_short, struct fl_err *err)
{
    const struct budget *b = row->budget;
    char *limit = NULL, *reason = NULL;
    size_t limit_len, reason_len;
    FILE *limits = open_memstream(&limit, &limit_len);
    FILE *reasons = open_memstream(&reason, &reason_len);
    const char *sep = "";
    bool any_broken = false;
    for (int r = 0; r < BUDGET_RULES; r++) {
        row->broken[r] = b->limit[r].kind && is_broken((enum budget_rule)r, &b->limit[r], row);
        any_broken |= row->broken[r];
    }
    row->failed = any_broken || cut_short;
    for (int r = 0; r < BUDGET_RULES && limits && reasons; r++) {
        if (!b->limit[r].kind || (any_broken && !row->broken[r]))
            continue;
        fputs(sep, limits);
        put_limit(limits, (enum budget_rule)r, &b->limit[r], row->unit);
        if (row->broken[r]) {
            fputs(sep, reasons);
            put_reason(reasons, (enum budget_rule)r, row);
        }
        sep = "; ";
    }
    if (cut_short && reasons)
        fprintf(reasons,
                "%sthe run ended in an out-of-memory kill: counts are of the part before it",
                any_broken ? "; " : "");
    row->limit = limits ? close_text(limits, &limit) : NULL;
    row->reason = reasons ? close_text(reasons, &reason) : NULL;
    if (!row->limit || !row->reason)
        return fl_nomem(err, "the verdict");
    if (!row->failed) {
        free(row->reason);
        row->reason = NULL;
    }
    return FL_OK;
}

static int judge_budget(const struct judge *j, struct gate_row *row, struct fl_err *err)
{
    const struct budget *b = row->budget;
    struct gate_subject s;
    if (budget_is_relative(b) && !j->baseline)
        return fl_fail(err, FL_EUSAGE, "a relative rule needs --baseline");
    int rc = gate_find(j->result, j->result_name, b, NULL, &s, err);
    if (rc == FL_OK)
        rc = read_value(&s, b, j->result_name, &row->value, err);
    if (rc == FL_OK)
        rc = check_trust(&s, b, j->result_name, err);
    if (rc != FL_OK)
        return rc;
    row->asked = s.asked;
    row->document = s.document;
    row->unit = unit_of(b, s.from);
    row->exact = s.asked.kind == GATE_POINT ||
                 (s.asked.kind == GATE_RESULT &&
                  strcmp(text_or(s.object, "source", "model"), "observed") != 0);
    row->range = row->exact ? NULL : read_range(&s, b);
    if (j->baseline)
        rc = read_baseline(j, &s, row, err);
    return rc == FL_OK ? apply_rules(row, is_cut_short(&s, b), err) : rc;
}

int gate_judge(const struct budgets *budgets, const json_t *result, const char *result_name,
               const json_t *baseline, const char *baseline_name, struct gate **out,
               struct fl_err *err)
{
    const struct judge j = { result, baseline, result_name, baseline_name };
    struct gate *gate = calloc(1, sizeof *gate);
    int rc = FL_OK;
    if (gate)
        gate->rows = calloc(budgets->n, sizeof *gate->rows);
    if (gate && gate->rows) {
        gate->result = fl_text_clean(result_name, 0);
        gate->baseline = baseline ? fl_text_clean(baseline_name, 0) : NULL;
    }
    if (!gate || !gate->rows || !gate->result || (baseline && !gate->baseline))
        rc = fl_nomem(err, "the verdict");
    for (size_t i = 0; rc == FL_OK && i < budgets->n; i++) {
        struct fl_err why = { 0 };
        gate->rows[gate->n++].budget = &budgets->at[i];
        rc = judge_budget(&j, &gate->rows[i], &why);
        if (rc != FL_OK)
            fl_fail(err, rc, "budget '%.120s': %s", budgets->at[i].label, why.msg);
        gate->failed += gate->rows[i].failed;
    }
    if (rc != FL_OK) {
        gate_free(gate);
        return rc;
    }
    *out = gate;
    return FL_OK;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    for (size_t i = 0; gate->rows && i < gate->n; i++) {
        free(gate->rows[i].limit);
        free(gate->rows[i].reason);
        free(gate->rows[i].range);
    }
    free(gate->rows);
    free(gate->result);
    free(gate->baseline);
    free(gate);
}
