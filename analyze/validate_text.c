/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table for people. */
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include <faultline/units.h>

#include "validate.h"

static const char *const labels[V_OOM] = { "minor", "major", "swapped in", "swapped out" };

/* Of a policy that is asked for each run. */
static bool has_range(const struct validate *v, size_t policy)
{
    return v->policies[policy]->needs & FL_IS_KERNEL;
}

static void heading(const struct validate *v, FILE *out)
{
    char peak[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES];
    fprintf(out, "%u runs a limit, swap: %s", v->runs, fl_swapdev_kind_name(v->swap.kind));
    if (v->swap.pages)
        fprintf(out, " of %s", fl_format_bytes(swap, v->swap.pages * FL_PAGE_BYTES));
    fprintf(out, "; without limit: %.2f s, peak %s\n\n", (double)v->native.wall_ns / 1e9,
            fl_format_bytes(peak, v->native.peak_bytes));
    fprintf(out, "%-10s %-11s %12s %25s", "RAM", "", "kernel", "range");
    for (size_t i = 0; i < v->n_policies; i++) {
        fprintf(out, " %12s", v->policies[i]->name);
        if (has_range(v, i))
            fprintf(out, " %25s", "range");
        fprintf(out, " %8s", "error");
    }
    fputc('\n', out);
}

static void range_cell(struct validate_spread s, FILE *out)
{
    char from[FL_FORMAT_BYTES], to[FL_FORMAT_BYTES], range[2 * FL_FORMAT_BYTES + 4] = "-";
    if (s.n)
        snprintf(range, sizeof range, "%s .. %s", fl_format_count(from, s.min),
                 fl_format_count(to, s.max));
    fprintf(out, " %25s", range);
}

static void error_cell(const struct validate_point *p, size_t i, enum validate_count c, FILE *out)
{
    double percent;
    char text[24] = "-";
    if (!p->n_runs)
        ;
    else if (c == V_OOM)
        snprintf(text, sizeof text, validate_agrees(p, i) ? "agrees" : "differs");
    else if (!validate_comparable(p, i))
        snprintf(text, sizeof text, "-");
    else if (!validate_error(p, i, c, &percent))
        snprintf(text, sizeof text, "not 0");
    else
        snprintf(text, sizeof text, "%+.1f %%", percent);
    fprintf(out, " %8s", text);
}

static void killed_cell(unsigned killed, unsigned runs, FILE *out)
{
    char text[48];
    snprintf(text, sizeof text, "%u of %u", killed, runs);
    fprintf(out, " %12s", text);
}

/* How many runs were killed, in place of a median. */
static void outcome_row(const struct validate *v, const struct validate_point *p, FILE *out)
{
    fprintf(out, "%-10s %-11s", "", "killed");
    killed_cell(validate_killed(p), p->n_runs, out);
    fprintf(out, " %25s", "");
    for (size_t i = 0; i < v->n_policies; i++) {
        killed_cell(validate_foretold(p, i), p->predicted[i].n, out);
        if (has_range(v, i))
            fprintf(out, " %25s", "");
        error_cell(p, i, V_OOM, out);
    }
    fputc('\n', out);
}

static void row(const struct validate *v, const struct validate_point *p, enum validate_count c,
                FILE *out)
{
    char ram[FL_FORMAT_BYTES] = "", number[FL_FORMAT_BYTES];
    struct validate_spread s = validate_spread(p, c);
    if (c == V_MINOR)
        fl_format_bytes(ram, p->ram_bytes);
    fprintf(out, "%-10s %-11s %12s", ram, labels[c],
            p->n_runs ? fl_format_count(number, s.median) : "-");
    if (p->n_runs)
        range_cell(s, out);
    else
        fprintf(out, " %25s", "timed out");
    for (size_t i = 0; i < v->n_policies; i++) {
        struct validate_spread model = validate_predicted(p, i, c);
        fprintf(out, " %12s", fl_format_count(number, model.median));
        if (has_range(v, i))
            range_cell(model, out);
        error_cell(p, i, c, out);
    }
    fputc('\n', out);
}

void validate_text(const struct validate *v, const json_t *quality, FILE *out)
{
    size_t i;
    json_t *doubt;
    heading(v, out);
    for (i = 0; i < v->n_points; i++) {
        for (unsigned c = 0; c < V_OOM; c++)
            row(v, &v->points[i], (enum validate_count)c, out);
        outcome_row(v, &v->points[i], out);
    }
    if (json_array_size(quality))
        fputc('\n', out);
    json_array_foreach(quality, i, doubt)
        fprintf(out, "%s: %s; %s\n", json_string_value(json_object_get(doubt, "flag")),
                json_string_value(json_object_get(doubt, "detail")),
                json_string_value(json_object_get(doubt, "remedy")));
}
