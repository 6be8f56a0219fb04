/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel did beside what the model said: sections of a report. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "view.h"

#define MEASURED_MAX 16u

/* ---- each policy over all limits ---------------------------------------------------- */

static void put_accuracy(struct fl_table *t, size_t row, size_t col, const struct an_measured *m,
                         const char *policy, const char *count)
{
    struct an_accuracy a;
    char median[AN_PERCENT_CHARS], worst[AN_PERCENT_CHARS], text[160], of[48] = "";
    an_accuracy_of(m, policy, count, &a);
    if (a.compared < m->n_limits)
        snprintf(of, sizeof of, ", of %zu limits", a.compared);
    if (a.compared == 0)
        fl_table_text(t, row, col, "-");
    else {
        snprintf(text, sizeof text, "%s, worst %s%s", an_percent(median, a.median, false),
                 an_percent(worst, a.worst, false), of);
        fl_table_text(t, row, col, text);
    }
}

static struct fl_table *summary_table(const struct an_measured *m)
{
    struct fl_table *t = fl_table_new("measured");
    fl_table_column(t, "Policy", FL_UNIT_TEXT, 0);
    for (size_t k = 0; an_count_at(k); k++)
        fl_table_column(t, an_count_at(k)->label, FL_UNIT_COUNT, 0);
    fl_table_column(t, "wrong about kills", FL_UNIT_COUNT, 0);
    for (size_t p = 0; p < m->n_policies; p++) {
        size_t row = fl_table_row(t), k;
        struct an_accuracy a;
        char text[64];
        fl_table_text(t, row, 0, m->policy[p]);
        for (k = 0; an_count_at(k); k++)
            put_accuracy(t, row, k + 1, m, m->policy[p], an_count_at(k)->key);
        an_accuracy_of(m, m->policy[p], an_count_at(0)->key, &a);
        snprintf(text, sizeof text, "%zu of %zu limits", a.wrong, m->n_limits);
        fl_table_text(t, row, k + 1, text);
    }
    return t;
}

/* ---- limit by limit -------------------------------------------------------------------- */

static void put_spread(struct fl_table *t, size_t row, size_t col, const struct an_spread *s)
{
    char text[160];
    if (s->min == s->max)
        fl_table_put(t, row, col, s->median);
    else {
        snprintf(text, sizeof text, "%s [%s .. %s]", view_count(s->median), view_count(s->min),
                 view_count(s->max));
        fl_table_text(t, row, col, text);
    }
}

static void put_error(struct fl_table *t, size_t row, size_t col, const json_t *limit,
                      const char *policy, const struct an_count *count)
{
    struct an_spread s;
    double percent;
    char text[80], number[AN_PERCENT_CHARS];
    if (!an_limit_said(limit, policy, count->key, &s) || !an_limit_kernel(limit, count->key, &s))
        fl_table_text(t, row, col, "-");
    else if (!an_limit_error(limit, policy, count->key, &percent))
        fl_table_text(t, row, col, "not 0");
    else {
        snprintf(text, sizeof text, "%s%s", an_percent(number, percent, true),
                 an_limit_in_range(limit, policy, count->key) ? ", in range" : "");
        fl_table_text(t, row, col, text);
    }
}

static void add_count(struct fl_table *t, const struct an_measured *m, const json_t *limit,
                      const struct an_count *count)
{
    struct an_spread s;
    size_t row = fl_table_row(t);
    fl_table_put(t, row, 0, an_limit_bytes(limit));
    fl_table_text(t, row, 1, count->label);
    if (an_limit_kernel(limit, count->key, &s))
        put_spread(t, row, 2, &s);
    else
        fl_table_text(t, row, 2, "no run ended");
    for (size_t p = 0; p < m->n_policies; p++) {
        if (an_limit_said(limit, m->policy[p], count->key, &s))
            put_spread(t, row, 3 + 2 * p, &s);
        else
            fl_table_text(t, row, 3 + 2 * p, "ends otherwise");
        put_error(t, row, 4 + 2 * p, limit, m->policy[p], count);
    }
}

/* In how many runs a process is killed; no row where none is and none was to be. */
static void add_kills(struct fl_table *t, const struct an_measured *m, const json_t *limit)
{
    size_t killed, runs = an_limit_runs(limit, &killed), any = killed, row, n;
    char text[64];
    for (size_t p = 0; p < m->n_policies; p++) {
        an_limit_foretold(limit, m->policy[p], &n);
        any += n;
    }
    if (!any)
        return;
    row = fl_table_row(t);
    fl_table_put(t, row, 0, an_limit_bytes(limit));
    fl_table_text(t, row, 1, "killed in");
    snprintf(text, sizeof text, "%zu of %zu runs", killed, runs);
    fl_table_text(t, row, 2, text);
    for (size_t p = 0; p < m->n_policies; p++) {
        runs = an_limit_foretold(limit, m->policy[p], &n);
        snprintf(text, sizeof text, "%zu of %zu", n, runs);
        fl_table_text(t, row, 3 + 2 * p, text);
        fl_table_text(t, row, 4 + 2 * p,
                      an_limit_agrees(limit, m->policy[p]) ? "agrees" : "differs");
    }
}

static struct fl_table *limits_table(const struct an_measured *m)
{
    struct fl_table *t = fl_table_new("limits");
    char name[96];
    fl_table_column(t, "Memory limit", FL_UNIT_BYTES, 0);
    fl_table_column(t, "Count", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Kernel", FL_UNIT_COUNT, 0);
    for (size_t p = 0; p < m->n_policies; p++) {
        fl_table_column(t, m->policy[p], FL_UNIT_COUNT, 0);
        snprintf(name, sizeof name, "%.80s is off", m->policy[p]);
        fl_table_column(t, name, FL_UNIT_COUNT, 0);
    }
    for (size_t i = 0; i < m->n_limits; i++) {
        for (size_t k = 0; an_count_at(k); k++)
            add_count(t, m, m->limit[i], an_count_at(k));
        add_kills(t, m, m->limit[i]);
    }
    return t;
}

/* ---- the sections ------------------------------------------------------------------------ */

static char *about(struct view_builder *b, const struct an_measured *m)
{
    const char *kernel = fl_document_text(m->doc, "host.kernel");
    const char *swap = fl_document_text(m->doc, "swap.kind");
    uint64_t runs = 0, version = 0;
    char group[48] = "";
    fl_document_count(m->doc, "runs", &runs);
    if (fl_document_count(m->doc, "cgroup.version", &version))
        snprintf(group, sizeof group, ", cgroup v%llu", (unsigned long long)version);
    return view_text(
        b,
        "%.300s ran %llu times at each of %zu memory limits on Linux %.60s (swap %.20s%s); a "
        "recording of it was replayed at the same limits. Of the kernel's runs there is the median "
        "[least .. most]; a policy's error is that of its median, and over all limits the median "
        "of their sizes.",
        fl_document_text(m->doc, "command"), (unsigned long long)runs, m->n_limits,
        kernel ? kernel : "of unknown release", swap ? swap : "unknown", group);
}

static void add_sections(struct view_builder *b, size_t i, const struct an_measured *m)
{
    bool many = fl_report_validations(b->report) > 1;
    const char *label = fl_document_text(m->doc, "label");
    char id[64], of[160] = "";
    if (many)
        snprintf(of, sizeof of, ": %.130s", label ? label : "");
    char *heading = view_text(b, "Against the real kernel%s", of), *text = about(b, m);
    snprintf(id, sizeof id, many ? VIEW_MEASURED_ID "-%zu" : VIEW_MEASURED_ID, i + 1);
    view_section(b, id, heading ? heading : "", text, summary_table(m));
    free(heading);
    heading = view_text(b, "Against the real kernel, limit by limit%s", of);
    snprintf(id, sizeof id, many ? "limits-%zu" : "limits", i + 1);
    view_section(b, id, heading ? heading : "", NULL, limits_table(m));
    free(heading);
    free(text);
}

void view_measured(struct view_builder *b)
{
    const json_t *doc;
    struct an_measured *m = malloc(sizeof *m);
    if (!m)
        b->failed = true;
    for (size_t i = 0; m && (doc = fl_report_validation(b->report, i)) && i < MEASURED_MAX; i++) {
        an_measured_open(doc, m);
        add_sections(b, i, m);
    }
    free(m);
}
