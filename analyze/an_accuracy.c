/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A count against RAM: the kernel's, with its range, and what each policy said. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

/* Colour slots of the policies, the one judged first. */
static const unsigned styles[] = { 1, 2, 3, 4, 5, 7, 8 };
#define STYLE_KILLED 6u

static bool has_range(const struct an_measured *m, const char *policy, const char *count)
{
    struct an_spread s;
    for (size_t i = 0; i < m->n_limits; i++)
        if (an_limit_said(m->limit[i], policy, count, &s) && s.min < s.max)
            return true;
    return false;
}

static void add_series(struct fl_table *t, const char *name, unsigned style, enum fl_role role,
                       bool range)
{
    char bound[96];
    fl_table_column(t, name, FL_UNIT_COUNT, style);
    fl_table_role(t, role);
    if (!range)
        return;
    snprintf(bound, sizeof bound, "%.80s, least", name);
    fl_table_column(t, bound, FL_UNIT_COUNT, style);
    fl_table_role(t, FL_ROLE_LOW);
    snprintf(bound, sizeof bound, "%.80s, most", name);
    fl_table_column(t, bound, FL_UNIT_COUNT, style);
    fl_table_role(t, FL_ROLE_HIGH);
}

static void put_series(struct fl_table *t, size_t row, size_t col, const struct an_spread *s,
                       bool range)
{
    fl_table_put(t, row, col, s->median);
    if (range) {
        fl_table_put(t, row, col + 1, s->min);
        fl_table_put(t, row, col + 2, s->max);
    }
}

static bool any_killed(const struct an_measured *m)
{
    size_t killed = 0;
    for (size_t i = 0; i < m->n_limits && !killed; i++)
        an_limit_runs(m->limit[i], &killed);
    return killed > 0;
}

static void fill(struct fl_table *t, const struct an_measured *m, const char *count)
{
    bool kills = any_killed(m);
    struct an_spread s;
    size_t killed, col = 4;
    fl_table_column(t, "RAM", FL_UNIT_BYTES, 0);
    add_series(t, "kernel", 8, FL_ROLE_POINTS, true);
    if (kills)
        add_series(t, "kernel kills", STYLE_KILLED, FL_ROLE_CROSS, false);
    for (size_t p = 0; p < m->n_policies; p++)
        add_series(t, m->policy[p], styles[p % FL_COUNT(styles)], FL_ROLE_LINE,
                   has_range(m, m->policy[p], count));
    for (size_t i = 0; i < m->n_limits; i++) {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, an_limit_bytes(m->limit[i]));
        if (!an_limit_kernel(m->limit[i], count, &s))
            continue;
        put_series(t, row, 1, &s, true);
        an_limit_runs(m->limit[i], &killed);
        if (killed > 0)
            fl_table_put(t, row, 4, s.median);
    }
    col += kills;
    for (size_t p = 0; p < m->n_policies; p++) {
        bool range = has_range(m, m->policy[p], count);
        for (size_t i = 0; i < m->n_limits; i++)
            if (an_limit_said(m->limit[i], m->policy[p], count, &s))
                put_series(t, i, col, &s, range);
        col += range ? 3 : 1;
    }
}

/* ---- the finding ---------------------------------------------------------------------- */

static bool kernel_has_none(const struct an_measured *m, const char *count)
{
    struct an_spread s;
    for (size_t i = 0; i < m->n_limits; i++)
        if (an_limit_kernel(m->limit[i], count, &s) && s.max > 0)
            return false;
    return true;
}

static void write_title(struct fl_table *t, const struct an_measured *m,
                        const struct an_count *count)
{
    struct an_accuracy a, other;
    char percent[AN_PERCENT_CHARS], others[400] = "", of[64] = "", wrong[96] = "";
    size_t at = 0;
    an_accuracy_of(m, m->policy[0], count->key, &a);
    for (size_t p = 1; p < m->n_policies && at < sizeof others; p++) {
        an_accuracy_of(m, m->policy[p], count->key, &other);
        if (other.compared > 0)
            at += (size_t)snprintf(others + at, sizeof others - at, ", %.40s %s", m->policy[p],
                                   an_percent(percent, other.median, false));
    }
    if (a.compared < m->n_limits)
        snprintf(of, sizeof of, "%zu of ", a.compared);
    if (a.wrong > 0)
        snprintf(wrong, sizeof wrong, "; wrong about kills at %zu of them", a.wrong);
    if (kernel_has_none(m, count->key))
        fl_table_label(t, &t->title, "The kernel had no %s at any of %zu limits", count->words,
                       m->n_limits);
    else if (a.compared == 0)
        fl_table_label(t, &t->title, "At none of %zu limits can %.40s be compared with the kernel",
                       m->n_limits, m->policy[0]);
    else
        fl_table_label(t, &t->title, "%.40s is %s off the kernel's %s%s (median of %s%zu limits%s)",
                       m->policy[0], an_percent(percent, a.median, false), count->words, others, of,
                       m->n_limits, wrong);
}

static void write_footer(struct fl_table *t, const json_t *doc)
{
    const char *kernel = fl_document_text(doc, "host.kernel");
    const char *swap = fl_document_text(doc, "swap.kind");
    const char *fidelity = fl_document_text(doc, "trace.fidelity");
    uint64_t runs = 0;
    char flags[300];
    fl_document_count(doc, "runs", &runs);
    fl_table_label(t, &t->footer,
                   "faultline: measured on Linux %.60s, swap %.20s, %llu run%s a limit; modelled "
                   "from %.20s trace; quality: %s",
                   kernel ? kernel : "of unknown release", swap ? swap : "unknown",
                   (unsigned long long)runs, runs == 1 ? "" : "s", fidelity ? fidelity : "unknown",
                   an_flags(doc, flags, sizeof flags));
}

int an_accuracy_build_count(const json_t *report, size_t i, const char *count,
                            struct fl_table **out, struct fl_err *err)
{
    const json_t *doc = fl_report_validation(report, i);
    const struct an_count *what = an_count_find(count);
    if (!doc)
        return fl_fail(err, FL_EDATA,
                       "chart accuracy: no measurement among the inputs; make one with "
                       "`faultline validate -o V.json -- CMD`");
    if (!what)
        return fl_fail(err, FL_EUSAGE, "chart accuracy: no count \"%.40s\"", count);
    struct an_measured *m = malloc(sizeof *m);
    struct fl_table *t = fl_table_new("accuracy");
    int rc = m && t ? FL_OK : fl_nomem(err, "chart accuracy");
    if (rc == FL_OK) {
        an_measured_open(doc, m);
        if (m->n_limits == 0 || m->n_policies == 0)
            rc = fl_fail(err, FL_EDATA, "chart accuracy: nothing was measured");
    }
    if (rc == FL_OK) {
        fill(t, m, what->key);
        t->log_y = an_wants_log(t);
        write_title(t, m, what);
        fl_table_label(t, &t->x_name, "memory limit");
        fl_table_label(t, &t->y_name, "%s", what->words);
        write_footer(t, doc);
        rc = fl_table_ok(t, err);
    }
    free(m);
    if (rc != FL_OK)
        fl_table_free(t);
    else
        *out = t;
    return rc;
}

int an_accuracy_build(const json_t *report, size_t i, struct fl_table **out, struct fl_err *err)
{
    return an_accuracy_build_count(report, i, an_count_at(0)->key, out, err);
}
