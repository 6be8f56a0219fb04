/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel did with the same program, out of a document of validate. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "advise.h"

enum {
    LIMITS_MAX = 256,
    RUNS_MAX = 1000,
    SWAPS_MIN = 100, /* with fewer, chance decides */
    ERROR_BP_MAX = 1000000,
    SWAP_COST_BP_MAX = 1000000,
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool killed_at(const json_t *limit)
{
    const json_t *v;
    size_t i;
    json_array_foreach(fl_document_at(limit, "kernel.oom"), i,
                       v) if (json_integer_value(v) > 0) return true;
    return false;
}

/* The size of the policy's error at one limit. False: there is none. */
static bool error_at(const json_t *limit, const char *policy, uint64_t *bp)
{
    const json_t *said = json_object_get(json_object_get(limit, "policies"), policy);
    const json_t *percent = fl_document_at(said, "error_pct.major");
    if (!json_is_number(percent))
        return false;
    double size = json_number_value(percent) * 100.0;
    if (size < 0)
        size = -size;
    *bp = size < ERROR_BP_MAX ? (uint64_t)(size + 0.5) : ERROR_BP_MAX;
    return true;
}

/* Median of a limit's array of counts, one a run; 0: there is none. */
static uint64_t median_of(const json_t *list)
{
    uint64_t v[RUNS_MAX];
    size_t n = 0, i;
    const json_t *one;
    json_array_foreach(list, i, one) if (n < RUNS_MAX && json_integer_value(one) > 0)
        v[n++] = (uint64_t)json_integer_value(one);
    qsort(v, n, sizeof *v, by_value);
    return n ? v[n / 2] : 0;
}

/* What the swapping of one limit took of the processor, by what the costs say. False: too little of
   it, or somebody was killed. Only zram swaps in the program's own time. */
static bool swap_cost_at(const json_t *limit, uint64_t without_ns, const struct fl_costs *costs,
                         uint64_t *bp)
{
    uint64_t in = 0, out = 0, cpu_ns = median_of(fl_document_at(limit, "kernel.cpu_ns"));
    if (killed_at(limit) || cpu_ns <= without_ns ||
        !fl_document_count(limit, "spread.swap_in.median", &in) || in < SWAPS_MIN ||
        !fl_document_count(limit, "spread.swap_out.median", &out))
        return false;
    uint64_t in_ns = fl_cost_of_ns(costs, FL_COST_SWAP_IN_SYNC, in);
    uint64_t out_ns = fl_cost_of_ns(costs, FL_COST_SWAP_OUT_SYNC, out);
    unsigned __int128 by_costs = (unsigned __int128)in_ns + out_ns;
    unsigned __int128 ratio = by_costs ? (unsigned __int128)(cpu_ns - without_ns) * 10000 / by_costs
                                       : 0;
    *bp = ratio < SWAP_COST_BP_MAX ? (uint64_t)ratio : SWAP_COST_BP_MAX;
    return true;
}

static uint64_t native_ns(const json_t *doc)
{
    uint64_t ns;
    return fl_document_count(doc, "native.cpu_ns", &ns) ? ns : 0;
}

static uint64_t swap_cost_bp(const json_t *doc, const struct fl_costs *costs)
{
    uint64_t ratios[LIMITS_MAX], without = native_ns(doc);
    const char *kind = fl_document_text(doc, "swap.kind");
    const json_t *limit;
    size_t n = 0, i;
    if (!kind || strcmp(kind, "zram") != 0 || without == 0)
        return 0;
    json_array_foreach(json_object_get(doc, "points"), i,
                       limit) if (n < LIMITS_MAX && swap_cost_at(limit, without, costs, &ratios[n]))
        n++;
    qsort(ratios, n, sizeof *ratios, by_value);
    return n ? ratios[n / 2] : 0;
}

void advise_measured_of(const json_t *doc, const char *policy, const struct fl_costs *costs,
                        struct advise_measured *out)
{
    const char *kind = fl_document_text(doc, "swap.kind");
    uint64_t errors[LIMITS_MAX], ram;
    const json_t *points = json_object_get(doc, "points"), *limit;
    size_t i;
    *out = (struct advise_measured){ .given = true,
                                     .with_swap = !kind || strcmp(kind, "none") != 0,
                                     .swap_cost_bp = swap_cost_bp(doc, costs),
                                     .native_ns = native_ns(doc) };
    json_array_foreach(points, i, limit)
    {
        if (i < LIMITS_MAX && error_at(limit, policy, &errors[out->n_errors]))
            out->n_errors++;
        if (fl_document_count(limit, "ram_bytes", &ram) && ram > out->killed_bytes &&
            killed_at(limit))
            out->killed_bytes = ram;
        out->limits++;
    }
    json_array_foreach(points, i,
                       limit) if (fl_document_count(limit, "ram_bytes", &ram) &&
                                  ram > out->killed_bytes &&
                                  json_array_size(fl_document_at(limit, "kernel.oom")) > 0 &&
                                  (out->survived_bytes == 0 || ram < out->survived_bytes))
        out->survived_bytes = ram;
    if (out->killed_bytes == 0)
        out->survived_bytes = 0;
    qsort(errors, out->n_errors, sizeof *errors, by_value);
    if (out->n_errors)
        out->error_bp = errors[out->n_errors / 2]; /* the upper one of two middles */
}

static bool same(const char *a, const char *b)
{
    return a && b && *a && strcmp(a, b) == 0;
}

int advise_measured_load(const char *path, const struct fl_reader *r, const char *sha256,
                         const char *policy, const struct fl_costs *costs,
                         struct advise_measured *out, struct fl_err *err)
{
    json_t *doc = NULL;
    int rc = fl_document_load(path, &doc, err);
    if (rc != FL_OK)
        return rc;
    if (!same(fl_document_text(doc, "schema"), "faultline.validate/1"))
        rc = fl_fail(err, FL_EUSAGE, "--validation: %s is not the JSON of 'faultline validate'",
                     path);
    else if (!same(fl_document_text(doc, "trace.sha256"), sha256) &&
             !same(fl_document_text(doc, "command"),
                   fl_meta_get(fl_reader_meta(r), "command.argv")))
        rc = fl_fail(err, FL_EDATA,
                     "--validation: %s is of another program than the trace; validate the command "
                     "that was recorded",
                     path);
    else
        advise_measured_of(doc, policy, costs, out);
    json_decref(doc);
    return rc;
}
