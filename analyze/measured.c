/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "measured.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/report.h>
#include <faultline/units.h>

static const struct an_count counts[] = {
    { "major", "major faults", "major faults" },
    { "minor", "minor faults", "minor faults" },
    { "swap_in", "pages swapped in", "swapped in" },
    { "swap_out", "pages swapped out", "swapped out" },
};

const struct an_count *an_count_at(size_t i)
{
    return i < FL_COUNT(counts) ? &counts[i] : NULL;
}

const struct an_count *an_count_find(const char *key)
{
    for (size_t i = 0; i < FL_COUNT(counts); i++)
        if (strcmp(counts[i].key, key) == 0)
            return &counts[i];
    return NULL;
}

/* ---- a validation ------------------------------------------------------------------ */

uint64_t an_limit_bytes(const json_t *limit)
{
    uint64_t bytes = 0;
    fl_document_count(limit, "ram_bytes", &bytes);
    return bytes;
}

static int by_bytes(const void *a, const void *b)
{
    uint64_t x = an_limit_bytes(*(const json_t *const *)a),
             y = an_limit_bytes(*(const json_t *const *)b);
    return (x > y) - (x < y);
}

static void add_policy(struct an_measured *m, const char *name)
{
    for (size_t i = 0; i < m->n_policies; i++)
        if (strcmp(m->policy[i], name) == 0)
            return;
    if (m->n_policies < AN_POLICIES_MAX)
        m->policy[m->n_policies++] = name;
}

void an_measured_open(const json_t *doc, struct an_measured *m)
{
    const json_t *point;
    const char *judged = fl_document_text(doc, "policy"), *name;
    json_t *v;
    size_t i;
    *m = (struct an_measured){ .doc = doc };
    if (judged)
        add_policy(m, judged);
    json_array_foreach(json_object_get(doc, "points"), i, point)
    {
        if (m->n_limits == AN_LIMITS_MAX)
            break;
        m->limit[m->n_limits++] = point;
        json_object_foreach((json_t *)(uintptr_t)fl_document_at(point, "policies"), name, v)
            add_policy(m, name);
    }
    qsort(m->limit, m->n_limits, sizeof m->limit[0], by_bytes);
}

/* ---- a limit ------------------------------------------------------------------------- */

static size_t positive(const json_t *list)
{
    const json_t *v;
    size_t i, n = 0;
    json_array_foreach(list, i, v) n += json_integer_value(v) > 0;
    return n;
}

size_t an_limit_runs(const json_t *limit, size_t *killed)
{
    const json_t *oom = fl_document_at(limit, "kernel.oom");
    *killed = positive(oom);
    return json_array_size(oom);
}

static bool ends_killed(const json_t *limit)
{
    size_t killed, n = an_limit_runs(limit, &killed);
    return 2 * killed > n;
}

bool an_limit_kernel(const json_t *limit, const char *count, struct an_spread *out)
{
    const json_t *spread = json_object_get(json_object_get(limit, "spread"), count);
    return fl_document_count(spread, "min", &out->min) &&
           fl_document_count(spread, "median", &out->median) &&
           fl_document_count(spread, "max", &out->max);
}

/* Names of policies may have dots: no path. */
static const json_t *said_by(const json_t *limit, const char *policy)
{
    return json_object_get(json_object_get(limit, "policies"), policy);
}

bool an_limit_said(const json_t *limit, const char *policy, const char *count,
                   struct an_spread *out)
{
    const json_t *said = said_by(limit, policy), *v;
    const json_t *oom = fl_document_at(said, "predicted_runs.oom");
    const json_t *runs = json_object_get(json_object_get(said, "predicted_runs"), count);
    bool killed = ends_killed(limit);
    size_t i;
    if (json_is_false(fl_document_at(said, "outcome.comparable")) ||
        !fl_document_count(said, count, &out->median))
        return false;
    out->min = out->max = out->median;
    json_array_foreach(runs, i, v)
    {
        uint64_t x = json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
        if ((json_integer_value(json_array_get(oom, i)) > 0) != killed)
            continue;
        out->min = x < out->min ? x : out->min;
        out->max = x > out->max ? x : out->max;
    }
    return true;
}

bool an_limit_agrees(const json_t *limit, const char *policy)
{
    const json_t *agrees = fl_document_at(said_by(limit, policy), "outcome.agrees");
    uint64_t kills = 0;
    if (json_is_boolean(agrees))
        return json_is_true(agrees);
    fl_document_count(said_by(limit, policy), "oom", &kills);
    return (kills > 0) == ends_killed(limit);
}

size_t an_limit_foretold(const json_t *limit, const char *policy, size_t *killed)
{
    const json_t *said = said_by(limit, policy);
    const json_t *oom = fl_document_at(said, "predicted_runs.oom");
    uint64_t kills = 0;
    if (json_array_size(oom) > 0) {
        *killed = positive(oom);
        return json_array_size(oom);
    }
    *killed = fl_document_count(said, "oom", &kills) && kills > 0;
    return said != NULL;
}

bool an_limit_error(const json_t *limit, const char *policy, const char *count, double *percent)
{
    const json_t *v = json_object_get(json_object_get(said_by(limit, policy), "error_pct"), count);
    *percent = json_number_value(v);
    return json_is_number(v);
}

bool an_limit_in_range(const json_t *limit, const char *policy, const char *count)
{
    return json_is_true(
        json_object_get(json_object_get(said_by(limit, policy), "in_range"), count));
}

/* ---- all limits ------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void an_accuracy_of(const struct an_measured *m, const char *policy, const char *count,
                    struct an_accuracy *out)
{
    double errors[AN_LIMITS_MAX], percent;
    *out = (struct an_accuracy){ 0 };
    for (size_t i = 0; i < m->n_limits; i++) {
        size_t killed;
        if (an_limit_runs(m->limit[i], &killed) && said_by(m->limit[i], policy))
            out->wrong += !an_limit_agrees(m->limit[i], policy);
        out->in_range += an_limit_in_range(m->limit[i], policy, count);
        if (an_limit_error(m->limit[i], policy, count, &percent))
            errors[out->compared++] = fabs(percent);
    }
    qsort(errors, out->compared, sizeof *errors, by_size);
    if (out->compared > 0) {
        out->median = (errors[(out->compared - 1) / 2] + errors[out->compared / 2]) / 2;
        out->worst = errors[out->compared - 1];
    }
}

const char *an_percent(char buf[AN_PERCENT_CHARS], double percent, bool sign)
{
    const double most = 1e9; /* beyond it nobody reads the digits */
    double shown = percent > most ? most : percent < -most ? -most : percent;
    int digits = fabs(shown) < 9.95;
    if (fabs(shown) < 0.05)
        return strcpy(buf, "0.0 %"); /* no sign */
    snprintf(buf, AN_PERCENT_CHARS, sign ? "%+.*f %%" : "%.*f %%", digits, shown);
    return buf;
}

/* ---- whose it is -------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a && b && *a && strcmp(a, b) == 0;
}

const json_t *an_measured_for(const json_t *report, const json_t *trace_doc)
{
    const json_t *trace = json_object_get(trace_doc, "trace"), *v;
    const char *argv =
        json_string_value(json_object_get(json_object_get(trace, "recorded"), "command.argv"));
    for (size_t i = 0; (v = fl_report_validation(report, i)); i++)
        if (same(fl_document_text(trace, "sha256"), fl_document_text(v, "trace.sha256")) ||
            same(argv, fl_document_text(v, "command")))
            return v;
    return NULL;
}
