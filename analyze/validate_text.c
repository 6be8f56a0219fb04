/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table for people. */
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include <faultline/units.h>

#include "validate.h"

static const char *const labels[V_COUNT] = { "minor", "major", "swapped in", "swapped out", "OOM" };

static void heading(const struct validate *v, FILE *out)
{
    char peak[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES];
    fprintf(out, "%u runs a limit, swap: %s", v->runs, fl_swapdev_kind_name(v->swap.kind));
    if (v->swap.pages)
        fprintf(out, " of %s", fl_format_bytes(swap, v->swap.pages * FL_PAGE_BYTES));
    fprintf(out, "; without limit: %.2f s, peak %s\n\n", (double)v->native.wall_ns / 1e9,
            fl_format_bytes(peak, v->native.peak_bytes));
    fprintf(out, "%-10s %-11s %12s %25s", "RAM", "", "kernel", "range");
    for (size_t i = 0; i < v->n_policies; i++)
        fprintf(out, " %12s %8s", v->policies[i]->name, "error");
    fputc('\n', out);
}

static void error_cell(const struct validate_point *p, uint64_t predicted, uint64_t median,
                       FILE *out)
{
    double percent;
    char text[24];
    if (!p->n_runs)
        snprintf(text, sizeof text, "-");
    else if (!validate_error(predicted, median, &percent))
        snprintf(text, sizeof text, "not 0");
    else
        snprintf(text, sizeof text, "%+.1f %%", percent);
    fprintf(out, " %8s", text);
}

static void row(const struct validate *v, const struct validate_point *p, enum validate_count c,
                FILE *out)
{
    char ram[FL_FORMAT_BYTES] = "", number[FL_FORMAT_BYTES], from[FL_FORMAT_BYTES],
         to[FL_FORMAT_BYTES], range[2 * FL_FORMAT_BYTES + 4];
    struct validate_spread s = validate_spread(p, c);
    if (c == V_MINOR)
        fl_format_bytes(ram, p->ram_bytes);
    snprintf(range, sizeof range, "%s .. %s", fl_format_count(from, s.min),
             fl_format_count(to, s.max));
    fprintf(out, "%-10s %-11s %12s %25s", ram, labels[c],
            p->n_runs ? fl_format_count(number, s.median) : "-", p->n_runs ? range : "timed out");
    for (size_t i = 0; i < v->n_policies; i++) {
        fprintf(out, " %12s", fl_format_count(number, p->predicted[i][c]));
        error_cell(p, p->predicted[i][c], s.median, out);
    }
    fputc('\n', out);
}

void validate_text(const struct validate *v, const json_t *quality, FILE *out)
{
    size_t i;
    json_t *doubt;
    heading(v, out);
    for (i = 0; i < v->n_points; i++)
        for (unsigned c = 0; c < V_COUNT; c++)
            row(v, &v->points[i], (enum validate_count)c, out);
    if (json_array_size(quality))
        fputc('\n', out);
    json_array_foreach(quality, i, doubt)
        fprintf(out, "%s: %s; %s\n", json_string_value(json_object_get(doubt, "flag")),
                json_string_value(json_object_get(doubt, "detail")),
                json_string_value(json_object_get(doubt, "remedy")));
}
