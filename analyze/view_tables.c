/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of a report: key figures side by side, and what each result lists. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"
#include "view.h"

#define LIST_ROWS_MAX 20u
#define COMPARED_MAX 16u

struct figure {
    const char *words, *path;
    enum fl_unit unit;
    bool pages; /* the value is pages: shown as bytes */
};

static const struct figure figures[] = {
    { "Source", "source", FL_UNIT_TEXT, false },
    { "Fidelity", "trace.fidelity", FL_UNIT_TEXT, false },
    { "RAM given", "machine.ram_bytes", FL_UNIT_BYTES, false },
    { "Swap given", "machine.swap_bytes", FL_UNIT_BYTES, false },
    { "Policy", "machine.policy", FL_UNIT_TEXT, false },
    { "Peak resident set, unlimited", "trace.peak_resident_pages", FL_UNIT_BYTES, true },
    { "Minor faults", "faults.minor", FL_UNIT_COUNT, false },
    { "Major faults", "faults.major", FL_UNIT_COUNT, false },
    { "Faults of unknown kind", "faults.unknown", FL_UNIT_COUNT, false },
    { "Segmentation faults", "faults.segv", FL_UNIT_COUNT, false },
    { "Pages read from swap", "swap.pages_in", FL_UNIT_COUNT, false },
    { "Pages written to swap", "swap.pages_out", FL_UNIT_COUNT, false },
    { "Most in swap", "swap.peak_pages", FL_UNIT_BYTES, true },
    { "Pages evicted", "reclaim.reclaimed", FL_UNIT_COUNT, false },
    { "Pages looked at to evict them", "reclaim.scanned", FL_UNIT_COUNT, false },
    { "Evicted pages that came back", "reclaim.refaults", FL_UNIT_COUNT, false },
    { "TLB misses (page walks)", "tlb.walks", FL_UNIT_COUNT, false },
    { "Page tables at most", "page_table.tables_peak", FL_UNIT_COUNT, false },
    { "Saved against a flat page table", "page_table.flat_bytes_avoided", FL_UNIT_BYTES, false },
    { "Estimated time", "time.total_ns", FL_UNIT_NS, false },
    { "Estimated time, all resident = 100 %", "time.slowdown_bp", FL_UNIT_BP, false },
    { "Estimated share spent waiting", "time.stall_share_bp", FL_UNIT_BP, false },
    { "Saved by sharing", "sharing.saved_bytes", FL_UNIT_BYTES, false },
    { "Samples", "samples.samples", FL_UNIT_COUNT, false },
    { "Estimated from them", "samples.estimated.value", FL_UNIT_COUNT, false },
    { "Pages seen, at least", "footprint.pages_at_least", FL_UNIT_COUNT, false },
    { "Memory accesses", "trace.accesses", FL_UNIT_COUNT, false },
    { "Distinct pages", "trace.distinct_pages", FL_UNIT_COUNT, false },
    { "Processes", "trace.processes", FL_UNIT_COUNT, false },
};

/* What events and sampled traces do not tell is in their totals as zero: no figure. */
static bool untold(const json_t *result, const struct figure *f)
{
    const char *fidelity = fl_document_text(result, "trace.fidelity");
    return fidelity && (strcmp(fidelity, "events") == 0 || strcmp(fidelity, "sampled") == 0) &&
           (strcmp(f->path, "trace.accesses") == 0 || strcmp(f->path, "trace.distinct_pages") == 0);
}

static bool has_figure(const json_t *result, const struct figure *f)
{
    const json_t *v = fl_document_at(result, f->path);
    if (untold(result, f))
        return false;
    return f->unit == FL_UNIT_TEXT ? json_is_string(v)
                                   : json_is_integer(v) || (v && !json_is_object(v));
}

static void put_figure(struct fl_table *t, size_t row, size_t col, const json_t *result,
                       const struct figure *f)
{
    uint64_t value;
    if (untold(result, f))
        return;
    if (f->unit == FL_UNIT_TEXT) {
        if (fl_document_text(result, f->path))
            fl_table_text(t, row, col, fl_document_text(result, f->path));
    } else if (fl_document_count(result, f->path, &value)) {
        bool endless = f->unit == FL_UNIT_BYTES && value >= UINT64_C(1) << 43;
        if (endless && !f->pages)
            fl_table_text(t, row, col, "unlimited");
        else
            fl_table_put_as(t, row, col, f->unit,
                            f->pages ? an_mul(value, an_page_bytes(result)) : value);
    } else if (fl_document_at(result, f->path))
        fl_table_text(t, row, col, "unlimited");
}

void view_figures(struct view_builder *b)
{
    struct fl_table *t = fl_table_new("figures");
    size_t n = fl_report_results(b->report);
    if (n > COMPARED_MAX)
        n = COMPARED_MAX;
    fl_table_column(t, "Figure", FL_UNIT_TEXT, 0);
    for (size_t i = 0; i < n; i++) {
        const char *label = fl_document_text(fl_report_result(b->report, i), "label");
        fl_table_column(t, n == 1 ? "Value" : label ? label : "result", FL_UNIT_COUNT, 0);
    }
    for (size_t k = 0; k < FL_COUNT(figures); k++) {
        bool any = false;
        for (size_t i = 0; i < n; i++)
            any |= has_figure(fl_report_result(b->report, i), &figures[k]);
        if (!any)
            continue;
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, figures[k].words);
        for (size_t i = 0; i < n; i++)
            put_figure(t, row, i + 1, fl_report_result(b->report, i), &figures[k]);
    }
    b->view->figures = t;
}

/* ---- lists ------------------------------------------------------------------------- */

static struct fl_table *causes_table(const json_t *result)
{
    const json_t *by_cause = fl_document_at(result, "faults.by_cause");
    const json_t *costs = fl_document_at(result, "time.fault_ns");
    uint64_t total = 0, total_ns = 0, n;
    if (json_object_size(by_cause) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("causes");
    fl_table_column(t, "Cause", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Kind", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Faults", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Share", FL_UNIT_BP, 0);
    if (costs) {
        fl_table_column(t, "Cost (estimate)", FL_UNIT_NS, 0);
        fl_table_column(t, "Share of the cost", FL_UNIT_BP, 0);
    }
    for (size_t i = 0; an_cause_at(i); i++) {
        if (fl_document_count(by_cause, an_cause_at(i)->key, &n))
            total += n;
        if (fl_document_count(costs, an_cause_at(i)->key, &n))
            total_ns += n;
    }
    for (size_t i = 0; an_cause_at(i); i++) {
        if (!fl_document_count(by_cause, an_cause_at(i)->key, &n) || n == 0)
            continue;
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, an_cause_at(i)->words);
        fl_table_text(t, row, 1, an_cause_at(i)->major ? "major" : "minor");
        fl_table_put(t, row, 2, n);
        fl_table_put(t, row, 3, an_share_bp(n, total));
        if (!fl_document_count(costs, an_cause_at(i)->key, &n))
            continue;
        fl_table_put(t, row, 4, n);
        fl_table_put(t, row, 5, an_share_bp(n, total_ns));
    }
    return t;
}

static struct fl_table *tlb_table(const json_t *result)
{
    const json_t *levels = fl_document_at(result, "tlb.levels"), *level;
    size_t i;
    if (json_array_size(levels) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("tlb");
    fl_table_column(t, "Level", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Lookups", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Hits", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Misses", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Miss rate", FL_UNIT_BP, 0);
    json_array_foreach(levels, i, level)
    {
        uint64_t lookups = 0, misses = 0;
        const char *name = fl_document_text(level, "name");
        size_t row = fl_table_row(t);
        fl_table_text(t, row, 0, name ? name : "");
        view_put_count(t, row, 1, level, "lookups");
        view_put_count(t, row, 2, level, "hits");
        view_put_count(t, row, 3, level, "misses");
        if (fl_document_count(level, "lookups", &lookups) &&
            fl_document_count(level, "misses", &misses) && lookups > 0)
            fl_table_put(t, row, 4, an_share_bp(misses, lookups));
        if (i + 1 == LIST_ROWS_MAX)
            break;
    }
    return t;
}

/* What a ranking has of each entry; a column that none has is left out. */
static const struct {
    const char *key, *words;
    bool always;
} ranked[] = {
    { "minor", "Minor faults", true },
    { "major", "Major faults", true },
    { "refaults", "Evicted pages that came back", false },
    { "unknown", "Unknown", false },
};

static bool any_has(const json_t *list, const char *key)
{
    const json_t *v;
    uint64_t n;
    size_t i;
    json_array_foreach(list, i, v) if (fl_document_count(v, key, &n) && n > 0) return true;
    return false;
}

void view_put_name(struct fl_table *t, size_t row, const json_t *v, const char *name_key)
{
    const char *name = fl_document_text(v, name_key);
    char *text = NULL;
    uint64_t pid;
    if (fl_document_count(v, "pid", &pid) &&
        asprintf(&text, "%s (%llu)", name ? name : "", (unsigned long long)pid) < 0)
        text = NULL;
    fl_table_text(t, row, 0, text ? text : name ? name : "");
    free(text);
}

static void put_rest(struct fl_table *t, const json_t *list, const size_t *kinds, size_t n_kinds)
{
    char text[64];
    size_t row = fl_table_row(t), n = json_array_size(list);
    t->rest = true;
    snprintf(text, sizeof text, "%zu others", n - LIST_ROWS_MAX);
    fl_table_text(t, row, 0, text);
    for (size_t k = 0; k < n_kinds; k++) {
        uint64_t rest = 0, count;
        for (size_t i = LIST_ROWS_MAX; i < n; i++)
            if (fl_document_count(json_array_get(list, i), ranked[kinds[k]].key, &count) &&
                __builtin_add_overflow(rest, count, &rest))
                rest = UINT64_MAX;
        fl_table_put(t, row, k + 1, rest);
    }
}

/* by_process, by_mapping, by_function: the first of them, and how much the rest has. */
static struct fl_table *ranking_table(const json_t *result, const char *key, const char *name_key,
                                      const char *heading)
{
    const json_t *list = json_object_get(result, key);
    size_t kinds[FL_COUNT(ranked)], n_kinds = 0, n = json_array_size(list);
    if (n == 0)
        return NULL;
    struct fl_table *t = fl_table_new(key);
    fl_table_column(t, heading, FL_UNIT_TEXT, 0);
    for (size_t k = 0; k < FL_COUNT(ranked); k++)
        if (ranked[k].always || any_has(list, ranked[k].key)) {
            kinds[n_kinds++] = k;
            fl_table_column(t, ranked[k].words, FL_UNIT_COUNT, 0);
        }
    for (size_t i = 0; i < n && i < LIST_ROWS_MAX; i++) {
        const json_t *v = json_array_get(list, i);
        size_t row = fl_table_row(t);
        view_put_name(t, row, v, name_key);
        for (size_t k = 0; k < n_kinds; k++)
            view_put_count(t, row, k + 1, v, ranked[kinds[k]].key);
    }
    if (n > LIST_ROWS_MAX)
        put_rest(t, list, kinds, n_kinds);
    return t;
}

void view_list(struct view_builder *b, size_t i, const char *id, const char *heading,
               struct fl_table *table)
{
    view_list_with(b, i, id, heading, NULL, table);
}

void view_list_with(struct view_builder *b, size_t i, const char *id, const char *heading,
                    const char *words, struct fl_table *table)
{
    if (!table)
        return;
    bool many = fl_report_results(b->report) > 1;
    const char *label = fl_document_text(fl_report_result(b->report, i), "label");
    char unique[64];
    snprintf(unique, sizeof unique, many ? "%s-%zu" : "%s", id, i + 1);
    char *text = view_text(b, many ? "%s: %s" : "%s", heading, label ? label : "result");
    if (text)
        view_section(b, unique, text, words, table);
    else
        fl_table_free(table);
    free(text);
}

void view_tables(struct view_builder *b)
{
    const json_t *r;
    for (size_t i = 0; (r = fl_report_result(b->report, i)) && i < COMPARED_MAX; i++) {
        if (view_is_sampled(r)) {
            view_samples(b, i);
            continue;
        }
        view_thrash(b, i);
        view_list(b, i, "causes", "Faults by cause", causes_table(r));
        view_list(b, i, "processes", "Faults by process",
                  ranking_table(r, "by_process", "comm", "Process"));
        view_list(b, i, "mappings", "Faults by mapping",
                  ranking_table(r, "by_mapping", "mapping", "Mapping"));
        view_list(b, i, "functions", "Faults by function",
                  ranking_table(r, "by_function", "function", "Function"));
        view_list(b, i, "live", "Memory at the start and the end", view_live_table(r));
        view_list(b, i, "slab", "Object caches of the kernel", view_slab_table(r));
        view_list(b, i, "chains", "Hot call chains", view_chains_table(r));
        view_oom(b, i);
        view_list(b, i, "free-blocks", "Free blocks of the page allocator", view_buddy_table(r));
        view_list(b, i, "tlb", "Translation lookaside buffers", tlb_table(r));
        view_list(b, i, "reach-table", "What pages of 2 MiB would save", view_reach_table(r));
        view_list(b, i, "windows", "Working set by window", view_windows_table(r));
        view_list(b, i, "phases", "Phases", view_phases_table(r));
        view_list(b, i, "sets", "Memory of each process alone", view_sets_table(r));
    }
}

/* ---- where it comes from --------------------------------------------------------------- */

static const struct {
    const char *key, *words;
} recorded_keys[] = {
    { "command.argv", "Command" },       { "command.cwd", "Started in" },
    { "record.pid", "Attached to PID" }, { "record.kernel", "Kernel events" },
    { "record.mode", "Recorded as" },    { "record.time", "Recorded at" },
    { "record.tool", "Recorded with" },  { "host.kernel", "Kernel" },
    { "host.arch", "Machine" },          { "host.cpu", "CPU" },
    { "host.cpus", "CPUs online" },      { "host.tlb", "Its TLBs" },
    { "host.ram_bytes", "RAM" },         { "host.swap_bytes", "Swap" },
    { "host.thp", "Huge pages" },        { "host.swappiness", "Swappiness" },
    { "host.swaps", "Swap devices" },
};

static void add_row(struct fl_table *t, const char *words, const char *value)
{
    size_t row = fl_table_row(t);
    fl_table_text(t, row, 0, words);
    fl_table_text(t, row, 1, value);
}

static void add_provenance(struct view_builder *b, size_t i, const json_t *r)
{
    struct fl_table *t = fl_table_new("recorded");
    const char *path = fl_document_text(r, "trace.path"),
               *sha = fl_document_text(r, "trace.sha256");
    fl_table_column(t, "What", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Value", FL_UNIT_TEXT, 0);
    if (path)
        add_row(t, "Trace", path);
    if (sha)
        add_row(t, "Its SHA-256", sha);
    for (size_t k = 0; k < FL_COUNT(recorded_keys); k++) {
        const char *value = an_recorded(r, recorded_keys[k].key);
        uint64_t bytes;
        if (!value)
            continue;
        bool is_bytes = strstr(recorded_keys[k].key, "_bytes") &&
                        fl_parse_u64(value, &bytes, NULL) == FL_OK;
        add_row(t, recorded_keys[k].words, is_bytes ? view_bytes(bytes) : *value ? value : "none");
    }
    if (t && t->n_rows > 0)
        view_list(b, i, "recorded", "What was recorded, and how", t);
    else
        fl_table_free(t);
}

static void add_flags(struct fl_table *t, const json_t *r)
{
    const json_t *v;
    size_t k;
    json_array_foreach(json_object_get(r, "quality"), k, v)
    {
        const char *cells[] = { fl_document_text(r, "label"), fl_document_text(v, "flag"),
                                fl_document_text(v, "detail"), fl_document_text(v, "remedy") };
        size_t row = fl_table_row(t);
        for (size_t c = 0; c < FL_COUNT(cells); c++)
            fl_table_text(t, row, c, cells[c] ? cells[c] : "");
        if (k + 1 == LIST_ROWS_MAX)
            break;
    }
}

static void add_quality(struct view_builder *b)
{
    struct fl_table *t = fl_table_new("quality");
    const json_t *r;
    fl_table_column(t, "Result", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Flag", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Meaning", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Remedy", FL_UNIT_TEXT, 0);
    for (size_t i = 0; (r = fl_report_result(b->report, i)) && i < COMPARED_MAX; i++)
        add_flags(t, r);
    for (size_t i = 0; (r = fl_report_validation(b->report, i)) && i < COMPARED_MAX; i++)
        add_flags(t, r);
    if (t && t->n_rows > 0)
        view_section(b, "quality", "Quality of the data", NULL, t);
    else {
        fl_table_free(t);
        view_section(b, "quality", "Quality of the data", "No flag was raised.", NULL);
    }
}

void view_provenance(struct view_builder *b)
{
    const json_t *r;
    add_quality(b);
    for (size_t i = 0; (r = fl_report_result(b->report, i)) && i < COMPARED_MAX; i++)
        add_provenance(b, i, r);
}
