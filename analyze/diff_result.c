/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single results: which answer the same question, and their numbers side by side. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "diff.h"

/* ---- the question ----------------------------------------------------------------- */

/* What two results must have in common to be compared. */
static const struct {
    const char *path, *words;
    enum fl_unit unit;
    const char *option; /* of replay, to ask the same */
} question[] = {
    { "source", "source", FL_UNIT_TEXT, NULL }, /* the first: "model" or "observed" */
    { "machine.policy", "policy", FL_UNIT_TEXT, "--policy" },
    { "machine.ram_bytes", "RAM", FL_UNIT_BYTES, "--ram" },
    { "machine.swap_bytes", "swap", FL_UNIT_BYTES, "--swap" },
    { "machine.page_bytes", "page size", FL_UNIT_BYTES, NULL },
    { "machine.name", "machine", FL_UNIT_TEXT, "--machine" },
    { "machine.levels", "page table levels", FL_UNIT_COUNT, NULL },
    { "machine.scope", "scope", FL_UNIT_TEXT, "--scope" },
    { "machine.memcg", "memory groups", FL_UNIT_TEXT, "--memcg" },
    { "machine.base_bytes", "base", FL_UNIT_BYTES, "--base" },
    { "machine.min_free_kbytes", "min_free_kbytes", FL_UNIT_COUNT, NULL },
    { "machine.seed", "seed", FL_UNIT_COUNT, "--seed" },
    { "thp.mode", "huge pages", FL_UNIT_TEXT, "--thp" },
};

static bool is_null(const json_t *v)
{
    return !v || json_is_null(v);
}

static void value_text(const json_t *v, enum fl_unit unit, char *buf, size_t size)
{
    char number[FL_FORMAT_BYTES];
    if (json_is_string(v)) {
        char *clean = fl_text_clean(json_string_value(v), 40);
        snprintf(buf, size, "%s", clean ? clean : "");
        free(clean);
    } else if (json_is_integer(v) && unit == FL_UNIT_BYTES)
        snprintf(buf, size, "%s (%lld)", fl_format_bytes(number, (uint64_t)json_integer_value(v)),
                 (long long)json_integer_value(v));
    else if (json_is_integer(v))
        snprintf(buf, size, "%lld", (long long)json_integer_value(v));
    else
        snprintf(buf, size, v && unit == FL_UNIT_BYTES ? "without limit" : "none");
}

static bool same_value(const json_t *a, const json_t *b)
{
    return is_null(a) ? is_null(b) : json_equal(a, b);
}

#define OPTIONS_CHARS 100
#define WHAT_CHARS 280

/* What two results were asked differently: in words, and the options that would mend it. */
struct mismatch {
    size_t n;
    char what[WHAT_CHARS], options[OPTIONS_CHARS];
};

static void append(char *buf, size_t size, const char *text)
{
    size_t used = strlen(buf);
    snprintf(buf + used, size - used, "%s", text);
}

static bool questions_differ(const json_t *a, const json_t *b, struct mismatch *m)
{
    *m = (struct mismatch){ .n = 0 };
    for (size_t i = 0; i < FL_COUNT(question); i++) {
        const json_t *of_a = fl_document_at(a, question[i].path);
        const json_t *of_b = fl_document_at(b, question[i].path);
        char text[DIFF_SIDES][80], both[240];
        if (same_value(of_a, of_b))
            continue;
        value_text(of_a, question[i].unit, text[DIFF_A], sizeof text[DIFF_A]);
        value_text(of_b, question[i].unit, text[DIFF_B], sizeof text[DIFF_B]);
        snprintf(both, sizeof both, "%s%s %s and %s", m->n ? ", " : "", question[i].words,
                 text[DIFF_A], text[DIFF_B]);
        append(m->what, sizeof m->what, both);
        if (question[i].option) {
            append(m->options, sizeof m->options, *m->options ? " " : "");
            append(m->options, sizeof m->options, question[i].option);
        }
        m->n++;
        if (i == 0)
            break; /* what the kernel counted has no question */
    }
    return m->n > 0;
}

/* ---- figures ------------------------------------------------------------------------ */

static const struct diff_figure known[] = {
    { .key = "trace.accesses", .words = "Memory accesses", .unit = FL_UNIT_COUNT },
    { .key = "trace.distinct_pages", .words = "Distinct pages", .unit = FL_UNIT_COUNT },
    { .key = "trace.processes", .words = "Processes", .unit = FL_UNIT_COUNT },
    { .key = "trace.peak_resident_pages",
      .words = "Peak resident set, unlimited",
      .unit = FL_UNIT_BYTES,
      .pages = true },
    { .key = "resident.peak_pages",
      .words = "Resident at most",
      .unit = FL_UNIT_BYTES,
      .pages = true },
    { .key = "faults.minor", .words = "Minor faults", .unit = FL_UNIT_COUNT },
    { .key = "faults.major", .words = "Major faults", .unit = FL_UNIT_COUNT },
    { .key = "faults.unknown", .words = "Faults of unknown kind", .unit = FL_UNIT_COUNT },
    { .key = "faults.segv", .words = "Segmentation faults", .unit = FL_UNIT_COUNT },
    { .key = "oom.kills", .words = "Processes killed", .unit = FL_UNIT_COUNT },
    { .key = "swap.pages_in", .words = "Pages read from swap", .unit = FL_UNIT_COUNT },
    { .key = "swap.pages_out", .words = "Pages written to swap", .unit = FL_UNIT_COUNT },
    { .key = "swap.peak_pages", .words = "Most in swap", .unit = FL_UNIT_BYTES, .pages = true },
    { .key = "files.pages_read", .words = "File pages read again", .unit = FL_UNIT_COUNT },
    { .key = "files.pages_written", .words = "File pages written", .unit = FL_UNIT_COUNT },
    { .key = "reclaim.reclaimed", .words = "Pages evicted", .unit = FL_UNIT_COUNT },
    { .key = "reclaim.refaults", .words = "Evicted pages that came back", .unit = FL_UNIT_COUNT },
    { .key = "reclaim.scanned", .words = "Pages looked at to evict them", .unit = FL_UNIT_COUNT },
    { .key = "thp.faults", .words = "Huge pages given at faults", .unit = FL_UNIT_COUNT },
    { .key = "thp.splits", .words = "Huge pages split", .unit = FL_UNIT_COUNT },
    { .key = "tlb.walks", .words = "TLB misses (page walks)", .unit = FL_UNIT_COUNT },
    { .key = "tlb.walk_refs", .words = "Memory references of walks", .unit = FL_UNIT_COUNT },
    { .key = "tlb.flushes", .words = "TLB flushes", .unit = FL_UNIT_COUNT },
    { .key = "page_table.tables_peak", .words = "Page tables at most", .unit = FL_UNIT_COUNT },
    { .key = "sharing.saved_bytes", .words = "Saved by sharing", .unit = FL_UNIT_BYTES },
    { .key = "thrash.knee_ram_bytes", .words = "Knee of the curve", .unit = FL_UNIT_BYTES },
    { .key = "thrash.cliff_ram_bytes", .words = "Cliff of the curve", .unit = FL_UNIT_BYTES },
    { .key = "time.total_ns", .words = "Estimated time", .unit = FL_UNIT_NS },
    { .key = "time.slowdown_bp",
      .words = "Estimated time, all resident = 100 %",
      .unit = FL_UNIT_BP },
    { .key = "time.stall_share_bp", .words = "Estimated share spent waiting", .unit = FL_UNIT_BP },
};

/* An estimate of time is one only beside another from the same costs. */
static bool same_costs(const struct diff_result *r)
{
    return same_value(fl_document_at(r->of[DIFF_A], "time.costs_source"),
                      fl_document_at(r->of[DIFF_B], "time.costs_source"));
}

static bool figure_of(const json_t *doc, const char *key, uint64_t *n)
{
    const char *fidelity = fl_document_text(doc, "trace.fidelity");
    const json_t *v = fl_document_at(doc, key);
    /* An events trace has no accesses to count: its totals say 0. */
    if (fidelity && strcmp(fidelity, "events") == 0 && strncmp(key, "trace.", 6) == 0 &&
        strcmp(key, "trace.processes") != 0)
        return false;
    if (json_is_array(v)) {
        *n = json_array_size(v);
        return true;
    }
    return fl_document_count(doc, key, n);
}

static int add_figures(struct diff_result *r, struct fl_err *err)
{
    bool times = same_costs(r);
    r->figures = calloc(FL_COUNT(known), sizeof *r->figures);
    if (!r->figures)
        return fl_nomem(err, "comparing");
    for (size_t i = 0; i < FL_COUNT(known); i++) {
        struct diff_figure f = known[i];
        if (!times && strncmp(f.key, "time.", 5) == 0)
            continue;
        for (int side = 0; side < DIFF_SIDES; side++)
            f.has[side] = figure_of(r->of[side], f.key, &f.n[side]);
        if (!f.has[DIFF_A] && !f.has[DIFF_B])
            continue;
        r->n_changed += f.has[DIFF_A] && f.has[DIFF_B] && f.n[DIFF_A] != f.n[DIFF_B];
        r->figures[r->n_figures++] = f;
    }
    return FL_OK;
}

/* ---- pairs -------------------------------------------------------------------------- */

static bool note_pair(struct diff *d, const struct diff_result *r)
{
    bool ok = true;
    const char *fidelity[DIFF_SIDES];
    for (int side = 0; side < DIFF_SIDES; side++)
        fidelity[side] = fl_document_text(r->of[side], "trace.fidelity");
    if (!same_costs(r))
        ok = diff_note(d, "Times are left out: they are estimates from different costs.");
    if (fidelity[DIFF_A] && fidelity[DIFF_B] && strcmp(fidelity[DIFF_A], fidelity[DIFF_B]) != 0)
        ok = ok && diff_note(d, "The recordings are not of one fidelity: A is %s, B %s.",
                             fidelity[DIFF_A], fidelity[DIFF_B]);
    static const char *const one[] = { "process is", "mapping is", "function is" };
    static const char *const many[] = { "processes are", "mappings are", "functions are" };
    for (unsigned k = 0; k < DIFF_RANKINGS && ok; k++) {
        size_t n = r->by[k].guesses;
        if (n > 0)
            ok =
                diff_note(d,
                          "%zu %s paired by a guess: without a counterpart by name, taken with one "
                          "of the same kind and rank. See the last column.",
                          n, n == 1 ? one[k] : many[k]);
    }
    return ok;
}

static bool of_samples(const json_t *doc)
{
    const char *fidelity = fl_document_text(doc, "trace.fidelity");
    return fidelity && strcmp(fidelity, "sampled") == 0;
}

static int add_pair(struct diff *d, const json_t *a, const json_t *b, struct fl_err *err)
{
    if (of_samples(a) || of_samples(b))
        return fl_fail(err, FL_EDATA,
                       "what a sampled trace tells are estimates, and a difference of them may be "
                       "chance: record with `faultline record --mode exact`");
    struct diff_result *r = &d->results[d->n_results++];
    *r = (struct diff_result){ .of = { a, b } };
    int rc = add_figures(r, err);
    if (rc == FL_OK)
        rc = diff_rank(r, err);
    if (rc == FL_OK && !note_pair(d, r))
        rc = fl_nomem(err, "comparing");
    return rc;
}

static int force_pair(struct diff *d, const char *what, struct fl_err *err)
{
    if (!diff_note(d, "A and B answer different questions: %s.", what))
        return fl_nomem(err, "comparing");
    return add_pair(d, fl_report_result(d->report[DIFF_A], 0),
                    fl_report_result(d->report[DIFF_B], 0), err);
}

static void refuse(char *why, size_t size, const struct mismatch *m)
{
    snprintf(why, size, "A and B answer different questions: %s; make both %s%s, or give --force",
             m->what, *m->options ? "with the same " : "the same way", m->options);
}

#define RESULTS_MAX 256u /* of a document: each is held against each */

/* Each result of A with the first free one of B that answers the same question. */
static int pair_all(struct diff *d, size_t n_a, size_t n_b, struct fl_err *err)
{
    const json_t *a, *b;
    struct mismatch m;
    size_t i, k;
    bool taken[RESULTS_MAX] = { false };
    d->results = calloc(n_a, sizeof *d->results);
    int rc = d->results ? FL_OK : fl_nomem(err, "comparing");
    for (i = 0; (a = fl_report_result(d->report[DIFF_A], i)) && i < n_a && rc == FL_OK; i++)
        for (k = 0; (b = fl_report_result(d->report[DIFF_B], k)) && k < n_b; k++)
            if (!taken[k] && !questions_differ(a, b, &m)) {
                taken[k] = true;
                rc = add_pair(d, a, b, err);
                break;
            }
    return rc;
}

int diff_results(struct diff *d, bool force, char *why, size_t why_size, struct fl_err *err)
{
    size_t n_a = fl_report_results(d->report[DIFF_A]);
    size_t n_b = fl_report_results(d->report[DIFF_B]);
    struct mismatch m;
    if (n_a == 0 || n_b == 0)
        return FL_OK;
    int rc = pair_all(d, n_a < RESULTS_MAX ? n_a : RESULTS_MAX,
                      n_b < RESULTS_MAX ? n_b : RESULTS_MAX, err);
    if (rc != FL_OK)
        return rc;
    if (d->n_results == 0) {
        questions_differ(fl_report_result(d->report[DIFF_A], 0),
                         fl_report_result(d->report[DIFF_B], 0), &m);
        if (force)
            return force_pair(d, m.what, err);
        refuse(why, why_size, &m);
    } else if ((n_a > d->n_results || n_b > d->n_results) &&
               !diff_note(d, "%zu of %zu results of A and %zu of B answer the same questions.",
                          d->n_results, n_a, n_b))
        return fl_nomem(err, "comparing");
    return FL_OK;
}
