/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "thrash_text.h"

#include <stdlib.h>
#include <string.h>

#include <faultline/table.h>
#include <faultline/units.h>

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)(((unsigned __int128)part * 100 + whole / 2) / whole) : 0;
}

/* The name, clean; "" for what has none. */
static char *mapping_name(const struct fl_attribution *a, uint32_t mapping)
{
    return fl_text_clean(mapping < a->n_mappings ? a->mappings[mapping].name : "[other]", 200);
}

char *fl_culprit_text(const struct fl_attribution *a, const struct fl_culprit *c)
{
    char *text = NULL, *mapping = mapping_name(a, c->mapping), *comm = NULL, *function = NULL;
    uint32_t pid = 0;
    if (c->process < a->n_processes) {
        comm = fl_text_clean(a->processes[c->process].comm, 16);
        pid = a->processes[c->process].pid;
    } else {
        comm = strdup("[other]");
    }
    if (c->function < a->n_functions)
        function = fl_text_clean(a->functions[c->function], 200);
    if (comm && mapping && (function || c->function >= a->n_functions) &&
        asprintf(&text, "%s (%u), %s%s%s", comm, pid, mapping, function ? ", " : "",
                 function ? function : "") < 0)
        text = NULL;
    free(mapping);
    free(comm);
    free(function);
    return text;
}

char *thrash_culprits(const struct fl_thrash_interval *iv, const struct fl_attribution *a)
{
    char *text = strdup("");
    for (size_t i = 0; text && i < iv->n_drivers; i++) {
        char *one = fl_culprit_text(a, &iv->drivers[i]), *longer = NULL;
        if (!one || asprintf(&longer, "%s%s%s", text, i ? "; " : "", one) < 0)
            longer = NULL;
        free(one);
        free(text);
        text = longer;
    }
    return text;
}

/* ---- the verdict --------------------------------------------------------------------------- */

static uint64_t run_length(const struct fl_result *res)
{
    uint64_t n = 0;
    for (size_t r = 0; r < res->n_rows; r++)
        n += res->rows[r].accesses;
    return n;
}

static char *thrashing(const struct fl_thrash *t, const struct fl_result *res)
{
    uint64_t all = run_length(res), sum = 0;
    const struct fl_thrash_interval *most = &t->intervals[0];
    char *text = NULL, stretches[60] = "", end[80] = "", ram[FL_FORMAT_BYTES];
    for (size_t i = 0; i < t->n_intervals; i++) {
        const struct fl_thrash_interval *iv = &t->intervals[i];
        sum += iv->to_access - iv->from_access;
        if (iv->to_access - iv->from_access > most->to_access - most->from_access)
            most = iv;
    }
    if (t->n_intervals > 1)
        snprintf(stretches, sizeof stretches, " in %zu stretches, the longest", t->n_intervals);
    if (most->ram_to_end_pages)
        snprintf(end, sizeof end, "; %s of RAM would end it",
                 fl_format_bytes(ram, most->ram_to_end_pages * FL_PAGE_BYTES));
    char *who = thrash_culprits(most, res->attribution);
    if (who &&
        asprintf(&text,
                 "Thrashing for %u %% of the run%s from %u %% to %u %% of its accesses: %u %% "
                 "of the time there goes into bringing evicted pages back, most of them of "
                 "%s%s.",
                 percent(sum, all), t->n_intervals > 1 ? stretches : ",",
                 percent(most->from_access, all), percent(most->to_access, all),
                 most->stall_bp / 100, who, end) < 0)
        text = NULL;
    free(who);
    return text;
}

/* Does what the program holds, in RAM and in swap, grow from quarter to quarter of the run? Its
   last twentieth is left out, in which it may give everything back. */
static bool grows(const struct fl_result *res, uint64_t *pages)
{
    uint64_t at[5] = { 0 };
    size_t n = res->n_rows - res->n_rows / 20;
    if (n < 8)
        return false;
    for (size_t q = 1; q <= 4; q++) {
        const struct fl_timeline_row *row = &res->rows[n * q / 4 - 1];
        at[q] = row->resident_pages + row->swapped_pages;
    }
    *pages = at[4];
    for (size_t q = 2; q <= 4; q++)
        if (at[q] < at[q - 1] + at[4] / 20)
            return false;
    return true;
}

static char *no_thrashing(const struct fl_result *res)
{
    char refaults[FL_FORMAT_BYTES], size[FL_FORMAT_BYTES], *text = NULL;
    uint64_t n = 0, pages = 0, swapped = res->swap_peak_pages;
    for (size_t r = 0; r < res->attribution->n_rows; r++)
        n += res->attribution->rows[r].refaults;
    const char *growth = "";
    char grown[80];
    if (res->evictions && grows(res, &pages)) {
        snprintf(grown, sizeof grown, "; what it holds grows all along, to %s",
                 fl_format_bytes(size, pages * FL_PAGE_BYTES));
        growth = grown;
    }
    fl_format_count(refaults, n);
    int rc;
    if (!res->evictions)
        rc = asprintf(&text, "No thrashing: nothing was evicted.");
    else if (!n)
        rc = asprintf(&text, "No thrashing: no evicted page was needed again%s.", growth);
    else if (n < swapped / 10)
        rc = asprintf(&text,
                      "No thrashing: of the pages that were evicted hardly any (%s) was needed "
                      "again%s.",
                      refaults, growth);
    else
        rc = asprintf(&text,
                      "No thrashing: %s evicted pages came back, but in no stretch of the run the "
                      "same ones again and again%s.",
                      refaults, growth);
    return rc < 0 ? NULL : text;
}

char *thrash_verdict(const struct fl_thrash *t, const struct fl_result *res)
{
    return t->n_intervals ? thrashing(t, res) : no_thrashing(res);
}
