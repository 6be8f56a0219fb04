/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sentences: what a result comes down to, the most important first. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "view.h"

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)((double)part * 100.0 / (double)whole + 0.5) : 0;
}

/* @part in @unit of @whole, with no more digits than it is worth. */
static const char *rate_text(uint64_t part, unsigned unit, uint64_t whole)
{
    static _Thread_local char buf[FL_FORMAT_BYTES];
    double rate = (double)part * unit / (double)whole;
    if (rate >= 100)
        return fl_format_count(buf, (uint64_t)(rate + 0.5));
    snprintf(buf, sizeof buf, rate < 0.1 ? "%.3f" : "%.1f", rate);
    return buf;
}

static bool is_observed(const json_t *result)
{
    const char *source = fl_document_text(result, "source");
    return source && strcmp(source, "observed") == 0;
}

/* Whose result it is, as a name in a sentence. */
static const char *name_of(const json_t *result)
{
    const char *path = fl_document_text(result, "trace.path");
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *base = slash ? slash + 1 : path;
    return base && *base ? base : "the program";
}

static uint64_t count_or_0(const json_t *doc, const char *path)
{
    uint64_t value = 0;
    fl_document_count(doc, path, &value);
    return value;
}

/* " under lru", "" when the result does not say. */
static const char *policy_of(const json_t *result, char *buf, size_t size)
{
    const char *policy = fl_document_text(result, "machine.policy");
    snprintf(buf, size, "%s%.60s", policy ? " under " : "", policy ? policy : "");
    return buf;
}

/* ---- verdicts ---------------------------------------------------------------------- */

static char *verdict_observed(struct view_builder *b, const json_t *result)
{
    uint64_t minor = count_or_0(result, "faults.minor"), major = count_or_0(result, "faults.major");
    uint64_t total = minor + major + count_or_0(result, "faults.unknown");
    const json_t *top = json_array_get(json_object_get(result, "by_mapping"), 0);
    const char *mapping = fl_document_text(top, "mapping");
    uint64_t there =
        count_or_0(top, "minor") + count_or_0(top, "major") + count_or_0(top, "unknown");
    if (total == 0)
        return view_text(b, "The kernel reported no page fault in %s.", name_of(result));
    if (!mapping)
        return view_text(b, "The kernel reported %s page faults in %s, %s of them major.",
                         view_count(total), name_of(result), view_count(major));
    return view_text(
        b, "The kernel reported %s page faults in %s, %s of them major; %u %% were in %s.",
        view_count(total), name_of(result), view_count(major), percent(there, total), mapping);
}

static char *verdict_model(struct view_builder *b, const json_t *result,
                           const struct fl_curve_finding *f)
{
    uint64_t ram = 0, major = count_or_0(result, "faults.major");
    uint64_t accesses = count_or_0(result, "trace.accesses");
    const json_t *kills = fl_document_at(result, "oom.kills");
    const char *victim = fl_document_text(json_array_get(kills, 0), "comm");
    char policy[80], room[120] = "", rate[80] = "";
    policy_of(result, policy, sizeof policy);
    if (!an_ram_limit(result, &ram))
        return view_text(b, "With all the RAM it wants, %s takes %s minor and %s major faults.",
                         name_of(result), view_count(count_or_0(result, "faults.minor")),
                         view_count(major));
    if (json_array_size(kills) > 0)
        return view_text(b,
                         "In %s of RAM%s, %s does not survive: the kernel runs out of memory and "
                         "kills %s.",
                         view_bytes(ram), policy, name_of(result), victim ? victim : "a process");
    if (major == 0)
        return view_text(b, "%s of RAM is enough for %s: not one major fault%s.", view_bytes(ram),
                         name_of(result), policy);
    if (f->vanish && f->vanish_ram_bytes > ram)
        snprintf(room, sizeof room, "; from %s on there would be none",
                 view_bytes(f->vanish_ram_bytes));
    if (accesses > 0)
        snprintf(rate, sizeof rate, ", %s per million accesses",
                 rate_text(major, 1000000, accesses));
    return view_text(b, "In %s of RAM, %s takes %s major faults%s%s%s.", view_bytes(ram),
                     name_of(result), view_count(major), policy, rate, room);
}

/* @verdict, which is taken, and what the result says of thrashing. */
static char *with_thrashing(struct view_builder *b, const json_t *result, char *verdict)
{
    const char *thrashing = fl_document_text(result, "thrash.verdict");
    if (!thrashing || !*thrashing || !verdict)
        return verdict;
    char *both = view_text(b, "%s %s", verdict, thrashing);
    free(verdict);
    return both;
}

static char *verdict_many(struct view_builder *b)
{
    const json_t *result, *least = NULL, *most = NULL;
    size_t killed = 0, sampled = 0;
    for (size_t i = 0; (result = fl_report_result(b->report, i)); i++) {
        sampled += view_is_sampled(result);
        if (view_is_sampled(result))
            continue;
        /* A run cut short has no number to compare. */
        if (json_array_size(fl_document_at(result, "oom.kills")) > 0) {
            killed++;
            continue;
        }
        uint64_t major = count_or_0(result, "faults.major");
        if (!least || major < count_or_0(least, "faults.major"))
            least = result;
        if (!most || major > count_or_0(most, "faults.major"))
            most = result;
    }
    uint64_t low = count_or_0(least, "faults.major"), high = count_or_0(most, "faults.major");
    size_t n = fl_report_results(b->report) - sampled;
    if (n == 0)
        return view_text(b, "%zu recordings of samples.", sampled);
    if (n == 1 && killed == 0)
        return view_text(b, "\"%s\" has %s major faults; the other results are of samples.",
                         fl_document_text(least, "label"), view_count(low));
    if (killed == n)
        return view_text(b, "In all %zu results a process is killed.", n);
    if (killed > 0)
        return view_text(b,
                         "In %zu of %zu results a process is killed; of the rest, \"%s\" has the "
                         "fewest major faults, %s.",
                         killed, n, fl_document_text(least, "label"), view_count(low));
    if (low == high)
        return view_text(b, "All %zu results have %s major faults.", n, view_count(low));
    return view_text(
        b, "Of %zu results, \"%s\" has the fewest major faults, %s, and \"%s\" the most, %s.", n,
        fl_document_text(least, "label"), view_count(low), fl_document_text(most, "label"),
        view_count(high));
}

/* ---- lines ------------------------------------------------------------------------- */

static void line_faults(struct view_builder *b, const json_t *result)
{
    uint64_t ram, minor = count_or_0(result, "faults.minor"), best = 0;
    uint64_t major = count_or_0(result, "faults.major");
    const char *words = NULL, *key;
    json_t *v;
    if (is_observed(result))
        view_line(b, "Faults the kernel reported: %s minor, %s major.", view_count(minor),
                  view_count(major));
    else if (an_ram_limit(result, &ram))
        view_line(b, "Faults at %s of RAM: %s minor, %s major.", view_bytes(ram), view_count(minor),
                  view_count(major));
    else
        view_line(b, "Faults with unlimited RAM: %s minor, %s major.", view_count(minor),
                  view_count(major));
    json_object_foreach((json_t *)(uintptr_t)fl_document_at(result, "faults.by_cause"), key, v)
    {
        uint64_t n = json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v) : 0;
        if (n <= best)
            continue;
        best = n;
        words = key;
        for (size_t i = 0; an_cause_at(i); i++)
            if (strcmp(an_cause_at(i)->key, key) == 0)
                words = an_cause_at(i)->words;
    }
    if (words)
        view_line(b, "Biggest cause: %s, %s faults (%u %%).", words, view_count(best),
                  percent(best, minor + major));
}

/* Whoever leads a ranking of an observed result, and by how much. */
static void line_leader(struct view_builder *b, const json_t *result, const char *list,
                        const char *name_key, const char *what)
{
    const json_t *top = json_array_get(json_object_get(result, list), 0);
    const char *name = fl_document_text(top, name_key);
    uint64_t here =
        count_or_0(top, "minor") + count_or_0(top, "major") + count_or_0(top, "unknown");
    uint64_t all = count_or_0(result, "faults.minor") + count_or_0(result, "faults.major") +
                   count_or_0(result, "faults.unknown");
    if (name)
        view_line(b, "Most faults of one %s: %s, %s (%u %%).", what, name, view_count(here),
                  percent(here, all));
}

static void line_curve(struct view_builder *b, const struct fl_table *curve,
                       const struct fl_curve_finding *f, size_t series)
{
    if (!f->any)
        return;
    const char *name = curve->columns[series].name;
    if (f->knee && f->knee_major == 0)
        view_line(b, "Knee (%s): at %s major faults end.", name, view_bytes(f->knee_ram_bytes));
    else if (f->knee)
        view_line(b, "Knee (%s): %s of RAM; below it faults climb from %s to %s.", name,
                  view_bytes(f->knee_ram_bytes), view_count(f->knee_major),
                  view_count(f->worst_major));
    if (f->cliff)
        view_line(b, "Cliff (%s): at %s of RAM they drop from %s to %s.", name,
                  view_bytes(f->cliff_ram_bytes), view_count(f->cliff_from),
                  view_count(f->cliff_to));
    if (f->vanish && f->worst_major > 0 && f->knee_ram_bytes != f->vanish_ram_bytes)
        view_line(b, "Major faults end (%s): from %s of RAM on.", name,
                  view_bytes(f->vanish_ram_bytes));
    if (f->killed)
        view_line(b, "Out of memory (%s): at %s of RAM and below a process is killed.", name,
                  view_bytes(f->killed_ram_bytes));
}

static void lines_model(struct view_builder *b, const json_t *result)
{
    uint64_t page = an_page_bytes(result), n, lookups = 0;
    if (fl_document_count(result, "swap.pages_out", &n) && n > 0)
        view_line(b, "Swap: %s pages out, %s in; at most %s in use.", view_count(n),
                  view_count(count_or_0(result, "swap.pages_in")),
                  view_bytes(an_mul(count_or_0(result, "swap.peak_pages"), page)));
    if (fl_document_count(result, "page_table.tables_peak", &n) && n > 0)
        view_line(b, "Page tables: %s at most (%s); a flat table would cost %s more.",
                  view_count(n), view_bytes(an_mul(n, page)),
                  view_bytes(count_or_0(result, "page_table.flat_bytes_avoided")));
    const json_t *levels = fl_document_at(result, "tlb.levels"), *level;
    size_t i;
    json_array_foreach(levels, i, level)
    {
        const char *name = fl_document_text(level, "name");
        if (name && strncmp(name, "L1", 2) == 0)
            lookups += count_or_0(level, "lookups");
    }
    if (fl_document_count(result, "tlb.walks", &n) && lookups > 0)
        view_line(b, "TLB: %s misses went to the page table, %s per 1,000 lookups.", view_count(n),
                  rate_text(n, 1000, lookups));
    if (fl_document_count(result, "sharing.saved_bytes", &n) && n > 0)
        view_line(b, "Sharing saved %s: %s pages had more than one user.", view_bytes(n),
                  view_count(count_or_0(result, "sharing.shared_pages")));
    const json_t *kills = fl_document_at(result, "oom.kills");
    if (json_array_size(kills) > 0) {
        const char *comm = fl_document_text(json_array_get(kills, 0), "comm");
        view_line(b, "Out of memory: %zu killed, first %s.", json_array_size(kills),
                  comm ? comm : "an unnamed process");
    }
}

/* Who the OOM killer would take, if memory ran out. */
static void line_candidate(struct view_builder *b, const json_t *result)
{
    const json_t *first = json_array_get(fl_document_at(result, "oom.candidates"), 0);
    const char *comm = fl_document_text(first, "comm");
    uint64_t badness;
    if (!comm || json_is_true(json_object_get(first, "protected")) ||
        json_array_size(fl_document_at(result, "oom.candidates")) < 2 ||
        json_array_size(fl_document_at(result, "oom.kills")) > 0 ||
        !fl_document_count(first, "badness", &badness))
        return;
    view_line(b, "If memory ran out, %s would be killed first: badness %s.", comm,
              view_count(badness));
}

static void line_peak(struct view_builder *b, const json_t *result)
{
    uint64_t pages;
    if (fl_document_count(result, "trace.peak_resident_pages", &pages) && pages > 0)
        view_line(b, "Peak resident set: %s (%s pages).",
                  view_bytes(an_mul(pages, an_page_bytes(result))), view_count(pages));
}

static void line_compared(struct view_builder *b, const json_t *result)
{
    uint64_t pages;
    const char *label = fl_document_text(result, "label");
    char peak[80] = "";
    if (view_is_sampled(result)) {
        char *verdict = view_samples_verdict(b, result, name_of(result));
        view_line(b, "%s: %s", label ? label : "result", verdict ? verdict : "");
        free(verdict);
        return;
    }
    if (fl_document_count(result, "trace.peak_resident_pages", &pages) && pages > 0)
        snprintf(peak, sizeof peak, ", peak resident set %s",
                 view_bytes(an_mul(pages, an_page_bytes(result))));
    const char *thrashing = fl_document_text(result, "thrash.verdict");
    view_line(b, "%s: %s minor, %s major faults%s.%s%s", label ? label : "result",
              view_count(count_or_0(result, "faults.minor")),
              view_count(count_or_0(result, "faults.major")), peak, thrashing ? " " : "",
              thrashing ? thrashing : "");
}

/* Doubts that make the numbers other than they seem; these come before the findings. */
static bool is_grave(const char *flag)
{
    static const char *const grave[] = { "partial",       "incomplete",   "lost",       "oom",
                                         "damaged",       "killed",       "unrecorded", "native",
                                         "counts_differ", "kernel_faults" };
    for (size_t i = 0; i < FL_COUNT(grave); i++)
        if (!strcmp(flag, grave[i]))
            return true;
    return false;
}

static void lines_quality(struct view_builder *b, const json_t *result, bool grave)
{
    const json_t *quality = json_object_get(result, "quality"), *v;
    unsigned said = 0;
    size_t i;
    json_array_foreach(quality, i, v)
    {
        const char *flag = fl_document_text(v, "flag"), *detail = fl_document_text(v, "detail");
        if (flag && is_grave(flag) == grave && said++ < 2)
            view_line(b, "Quality: %s%s%s.", flag, detail ? ": " : "", detail ? detail : "");
    }
}

/* What policy linux says of the RAM that another policy was asked about, if a sweep has it. */
static void line_linux(struct view_builder *b, const json_t *result)
{
    const char *policy = fl_document_text(result, "machine.policy");
    const char *sha = fl_document_text(result, "trace.sha256"), *of;
    const json_t *sweep, *point;
    uint64_t ram, at;
    size_t i;
    if (!policy || strcmp(policy, "linux") == 0 || !sha || !an_ram_limit(result, &ram))
        return;
    for (size_t s = 0; (sweep = fl_report_sweep(b->report, s)); s++)
        json_array_foreach(json_object_get(sweep, "points"), i, point)
        {
            policy = fl_document_text(point, "policy");
            of = fl_document_text(sweep, "trace.sha256");
            if (!policy || strcmp(policy, "linux") != 0 || !of || strcmp(of, sha) != 0 ||
                !fl_document_count(point, "ram_bytes", &at) || at != ram)
                continue;
            if (count_or_0(point, "oom_kills") > 0)
                view_line(b, "Policy linux at %s of RAM: a process is killed.", view_bytes(ram));
            else
                view_line(b, "Policy linux at %s of RAM: %s minor, %s major.", view_bytes(ram),
                          view_count(count_or_0(point, "minor")),
                          view_count(count_or_0(point, "major")));
            return;
        }
}

/* What the chart of a measurement says, "" when there is no such chart. */
static const char *measured_title(const struct view_builder *b, size_t i)
{
    for (size_t k = 0; k < b->view->n_charts; k++) {
        const struct fl_view_chart *c = &b->view->charts[k];
        if (c->chart->scope == FL_CHART_OF_VALIDATION && i-- == 0)
            return c->table && c->table->title ? c->table->title : "";
    }
    return "";
}

static void lines_measured(struct view_builder *b, size_t from)
{
    for (size_t i = from; i < from + 2 && *measured_title(b, i); i++)
        view_line(b, "Against the real kernel: %s.", measured_title(b, i));
}

/* The curve of the policy that was asked about, if it is one of them; else the first. */
static size_t series_of(const struct fl_table *curve, const char *policy, bool *is_its)
{
    *is_its = false;
    for (size_t c = 1; curve && policy && c < curve->n_columns; c++)
        if (strcmp(curve->columns[c].name, policy) == 0) {
            *is_its = true;
            return c;
        }
    return 1;
}

static void lines_faults(struct view_builder *b, const json_t *result)
{
    line_faults(b, result);
    line_linux(b, result);
    line_leader(b, result, "by_process", "comm", "process");
    line_leader(b, result, "by_mapping", "mapping", "mapping");
    line_leader(b, result, "by_function", "function", "function");
}

void view_findings(struct view_builder *b, const struct fl_table *curve)
{
    struct fl_curve_finding f = { 0 }, none = { 0 };
    const json_t *first = fl_report_result(b->report, 0);
    size_t n = fl_report_results(b->report);
    bool is_its, measured = n == 0 && !curve;
    size_t series = series_of(curve, fl_document_text(first, "machine.policy"), &is_its);
    if (curve)
        fl_curve_find(curve, series, &f);
    if (n > 1)
        b->view->verdict = verdict_many(b);
    else if (measured)
        b->view->verdict = view_text(b, "%s.", measured_title(b, 0));
    else if (n == 0)
        b->view->verdict = view_text(b, "%s.", curve && curve->title ? curve->title : "A sweep");
    else if (view_is_sampled(first))
        b->view->verdict = view_samples_verdict(b, first, name_of(first));
    else if (is_observed(first))
        b->view->verdict = verdict_observed(b, first);
    else
        b->view->verdict = with_thrashing(b, first, verdict_model(b, first, is_its ? &f : &none));
    if (n == 1) {
        lines_quality(b, first, true);
        line_peak(b, first);
    }
    if (n == 1 && view_is_sampled(first))
        view_samples_lines(b, first);
    else if (n == 1)
        lines_faults(b, first);
    if (curve)
        line_curve(b, curve, &f, series);
    lines_measured(b, measured);
    if (n == 1) {
        lines_model(b, first);
        line_candidate(b, first);
        view_locality_lines(b, first);
        lines_quality(b, first, false);
    }
    for (size_t i = 0; n > 1 && i < n; i++)
        line_compared(b, fl_report_result(b->report, i));
}
