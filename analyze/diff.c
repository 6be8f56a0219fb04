/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two report documents, compared. */
#include "diff.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool diff_note(struct diff *d, const char *fmt, ...)
{
    char *raw = NULL, *clean = NULL, **grown;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&raw, fmt, ap) < 0)
        raw = NULL;
    va_end(ap);
    if (raw)
        clean = fl_text_clean(raw, 1000);
    free(raw);
    grown = clean ? reallocarray(d->notes, d->n_notes + 1, sizeof *grown) : NULL;
    if (!grown) {
        free(clean);
        return false;
    }
    d->notes = grown;
    d->notes[d->n_notes++] = clean;
    return true;
}

/* What of a kind @has: the first it has more than none of. */
static const char *kind_of(const json_t *report)
{
    if (fl_report_results(report) > 0)
        return "results of replay";
    if (fl_report_sweep(report, 0))
        return "a sweep";
    return fl_report_validations(report) > 0 ? "a measurement of validate" : "nothing";
}

static bool any_curves(const struct diff *d, int side)
{
    return fl_report_sweep(d->report[side], 0) || fl_report_validations(d->report[side]) > 0;
}

static bool any_change(const struct diff *d)
{
    for (size_t i = 0; i < d->n_results; i++) {
        const struct diff_result *r = &d->results[i];
        if (r->n_changed > 0)
            return true;
        for (unsigned k = 0; k < DIFF_RANKINGS; k++)
            for (size_t j = 0; j < r->by[k].n; j++)
                for (unsigned c = 0; c < DIFF_COUNTS; c++)
                    if (diff_gap(r->by[k].rows[j].n[c]) > 0)
                        return true;
    }
    for (size_t i = 0; i < d->n_curves; i++)
        if (d->curves[i].n_differing > 0)
            return true;
    return false;
}

/* What could not be compared is refused, or noted when something else could. */
static int settle(struct diff *d, const char *no_results, const char *no_curves, struct fl_err *err)
{
    bool ok = true;
    if (*no_results)
        return fl_fail(err, FL_EDATA, "%s", no_results);
    if (d->n_results == 0 && d->n_curves == 0)
        return *no_curves
                   ? fl_fail(err, FL_EDATA, "%s", no_curves)
                   : fl_fail(err, FL_EDATA,
                             "A has %s, B %s: nothing of a kind to compare; give two replays, two "
                             "sweeps, or the two traces",
                             kind_of(d->report[DIFF_A]), kind_of(d->report[DIFF_B]));
    if (*no_curves)
        ok = diff_note(d, "No curve is compared: %s.", no_curves);
    else if (any_curves(d, DIFF_A) != any_curves(d, DIFF_B))
        ok = diff_note(d, "No curve is compared: only %s has one.",
                       any_curves(d, DIFF_A) ? "A" : "B");
    for (size_t i = 0; i < d->n_curves && ok; i++) {
        const struct diff_curve *c = &d->curves[i];
        if (c->only[DIFF_A] || c->only[DIFF_B])
            ok = diff_note(d, "%s: %zu sizes are compared; %zu of A and %zu of B have no partner.",
                           c->policy, c->n, c->only[DIFF_A], c->only[DIFF_B]);
    }
    d->changed = any_change(d);
    return ok ? FL_OK : fl_nomem(err, "comparing");
}

int diff_new(const json_t *a, const json_t *b, bool force, struct diff **out, struct fl_err *err)
{
    char no_results[500] = "", no_curves[500] = "";
    struct diff *d = calloc(1, sizeof *d);
    if (!d)
        return fl_nomem(err, "comparing");
    d->report[DIFF_A] = a;
    d->report[DIFF_B] = b;
    int rc = diff_results(d, force, no_results, sizeof no_results, err);
    if (rc == FL_OK)
        rc = diff_curves(d, no_curves, sizeof no_curves, err);
    if (rc == FL_OK)
        rc = settle(d, no_results, no_curves, err);
    if (rc != FL_OK)
        diff_free(d);
    else
        *out = d;
    return rc;
}

void diff_free(struct diff *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_results; i++) {
        free(d->results[i].figures);
        for (unsigned k = 0; k < DIFF_RANKINGS; k++)
            free(d->results[i].by[k].rows);
    }
    free(d->results);
    diff_curves_free(d);
    for (size_t i = 0; i < d->n_notes; i++)
        free(d->notes[i]);
    free(d->notes);
    free(d);
}
