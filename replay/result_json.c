/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results as JSON, with the keys docs/results.md lists. A part that was not modelled has no key. */
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/quality.h>
#include <faultline/replay.h>
#include <faultline/units.h>

#include "frames_json.h"
#include "kernel_opts.h"
#include "owners_json.h"

#define CANDIDATES_MAX 1000u

static json_t *layer_json(const struct fl_layer *l)
{
    json_t *o = json_pack("{sI sI sI sI sI sI sb s[ss]}", "floor_frames", (json_int_t)l->floor,
                          "blocks", (json_int_t)l->blocks, "of_blocks", (json_int_t)l->of, "runs",
                          (json_int_t)l->runs, "of_runs", (json_int_t)l->of_runs, "bytes",
                          (json_int_t)l->bytes, "only", l->only, "policies", "lru", "opt");
    if (o && l->coarse)
        json_object_set_new(o, "coarse",
                            json_pack("{sI sI}", "floor_frames", (json_int_t)l->coarse, "runs",
                                      (json_int_t)l->coarse_runs));
    return o;
}

json_t *fl_trace_json(const struct fl_reader *r, const char *path, const char *sha256,
                      uint64_t peak_pages)
{
    const struct fl_totals *t = fl_reader_totals(r);
    json_t *o = json_object();
    json_object_set_new(o, "path", fl_json_text(path));
    json_object_set_new(o, "sha256", fl_json_text(sha256));
    json_object_set_new(o, "fidelity", fl_json_text(fl_fidelity_name(fl_reader_fidelity(r))));
    json_object_set_new(o, "accesses", fl_json_u64(fl_totals_accesses(t)));
    json_object_set_new(o, "reads", fl_json_u64(t->reads));
    json_object_set_new(o, "writes", fl_json_u64(t->writes));
    json_object_set_new(o, "fetches", fl_json_u64(t->fetches));
    json_object_set_new(o, "syscall_reads", fl_json_u64(t->syscall_reads));
    json_object_set_new(o, "syscall_writes", fl_json_u64(t->syscall_writes));
    json_object_set_new(o, "runs", fl_json_u64(t->runs));
    json_object_set_new(o, "distinct_pages", fl_json_u64(t->distinct_pages));
    json_object_set_new(o, "events", fl_json_u64(t->events));
    json_object_set_new(o, "processes", fl_json_u64(t->processes));
    json_object_set_new(o, "threads", fl_json_u64(t->threads));
    if (fl_reader_fidelity(r) <= FL_FIDELITY_PAGE_EXACT)
        json_object_set_new(o, "peak_resident_pages", fl_json_u64(peak_pages));
    if (fl_reader_layer(r))
        json_object_set_new(o, "layer", layer_json(fl_reader_layer(r)));
    json_object_set_new(o, "lost_events", fl_json_u64(t->lost_events));
    if (fl_reader_fidelity(r) == FL_FIDELITY_EVENTS)
        json_object_set_new(o, "faults",
                            json_pack("{s:I,s:I,s:I}", "minor", (json_int_t)t->faults_minor,
                                      "major", (json_int_t)t->faults_major, "unknown",
                                      (json_int_t)t->faults_unknown));
    json_t *recorded = json_object();
    const char *key, *value;
    for (size_t i = 0; fl_meta_at(fl_reader_meta(r), i, &key, &value); i++)
        json_object_set_new(recorded, key, fl_json_text(value));
    json_object_set_new(o, "recorded", recorded);
    return o;
}

void fl_quality_add(json_t *quality, const char *flag, const char *detail)
{
    const char *remedy = fl_quality_remedy(flag);
    json_t *o = json_object();
    json_object_set_new(o, "flag", fl_json_text(flag));
    json_object_set_new(o, "detail", fl_json_text(detail));
    json_object_set_new(o, "remedy", fl_json_text(remedy));
    json_array_append_new(quality, o);
}

json_t *fl_quality_json(const struct fl_reader *r)
{
    json_t *list = json_array();
    const char *key, *value;
    if (!fl_reader_complete(r))
        fl_quality_add(list, "partial", fl_reader_damage(r));
    if (fl_reader_totals(r)->lost_events && !fl_meta_get(fl_reader_meta(r), "quality.lost")) {
        char detail[96];
        snprintf(detail, sizeof detail, "%" PRIu64 " records were lost while recording",
                 fl_reader_totals(r)->lost_events);
        fl_quality_add(list, "lost", detail);
    }
    for (size_t i = 0; fl_meta_at(fl_reader_meta(r), i, &key, &value); i++)
        if (!strncmp(key, FL_QUALITY_PREFIX, strlen(FL_QUALITY_PREFIX)))
            fl_quality_add(list, key + strlen(FL_QUALITY_PREFIX), value);
    return list;
}

static json_t *machine_json(const struct fl_result *res)
{
    const struct fl_replay_opts *o = &res->opts;
    json_t *m = json_object();
    bool unlimited = o->frames == FL_FRAMES_UNLIMITED;
    json_object_set_new(m, "name", fl_json_text(o->machine->name));
    json_object_set_new(m, "ram_bytes",
                        unlimited ? json_null() : fl_json_u64((uint64_t)o->frames * FL_PAGE_BYTES));
    json_object_set_new(m, "frames", unlimited ? json_null() : fl_json_u64(o->frames));
    json_object_set_new(m, "swap_bytes",
                        o->swap_pages == UINT64_MAX ? json_null()
                                                    : fl_json_u64(o->swap_pages * FL_PAGE_BYTES));
    json_object_set_new(m, "page_bytes", fl_json_u64(FL_PAGE_BYTES));
    json_object_set_new(m, "policy", fl_json_text(o->policy->name));
    if (!strcmp(o->policy->name, "random"))
        json_object_set_new(m, "seed", fl_json_u64(o->seed));
    json_object_set_new(m, "scope", fl_json_text(kernel_scope(o)));
    if (o->policy->needs & FL_IS_KERNEL && o->kernel)
        json_object_set_new(m, "memcg", fl_json_text(fl_memcg_name_at(o->kernel->memcg)));
    if (res->host_pages)
        json_object_set_new(m, "host_ram_bytes", fl_json_u64(res->host_pages * FL_PAGE_BYTES));
    if (res->min_free_kbytes) {
        json_object_set_new(m, "base_bytes", fl_json_u64(res->base_pages * FL_PAGE_BYTES));
        json_object_set_new(m, "min_free_kbytes", fl_json_u64(res->min_free_kbytes));
    }
    json_object_set_new(m, "levels", fl_json_u64(o->machine->levels));
    json_t *tlb = json_array();
    for (uint32_t i = 0; i < o->machine->n_tlb && !o->no_tlb; i++)
        json_array_append_new(tlb, json_pack("{s:s,s:I,s:I}", "name", o->machine->tlb[i].name,
                                             "entries", (json_int_t)o->machine->tlb[i].entries,
                                             "ways", (json_int_t)o->machine->tlb[i].ways));
    json_object_set_new(m, "tlb", tlb);
    return m;
}

static json_t *faults_json(const struct fl_result *res)
{
    json_t *f = json_object(), *by_cause = json_object();
    json_object_set_new(f, "minor", fl_json_u64(res->minor));
    json_object_set_new(f, "major", fl_json_u64(res->major));
    json_object_set_new(f, "segv", fl_json_u64(res->segv));
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        json_object_set_new(by_cause, fl_cause_name((enum fl_cause)c), fl_json_u64(res->faults[c]));
    json_object_set_new(f, "by_cause", by_cause);
    return f;
}

static json_t *counts_json(const struct fl_tlb_counts *counts, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s,s:I,s:I,s:I}", "name", counts[i].name,
                                              "lookups", (json_int_t)counts[i].lookups, "hits",
                                              (json_int_t)counts[i].hits, "misses",
                                              (json_int_t)counts[i].misses));
    return list;
}

static json_t *tlb_json(const struct fl_result *res)
{
    json_t *t = json_object(), *by = json_object();
    json_object_set_new(t, "levels", counts_json(res->tlb, res->n_tlb));
    json_object_set_new(t, "walks", fl_json_u64(res->walks));
    json_object_set_new(t, "walk_refs", fl_json_u64(res->walk_refs));
    if (res->n_walk)
        json_object_set_new(t, "walk_caches", counts_json(res->walk, res->n_walk));
    for (int kind = 0; kind < FL_FLUSH_KINDS; kind++)
        json_object_set_new(by, fl_flush_name((enum fl_flush_kind)kind),
                            fl_json_u64(res->tlb_flushes_by[kind]));
    json_object_set_new(t, "flushes", fl_json_u64(res->tlb_flushes));
    json_object_set_new(t, "flushes_by", by);
    json_object_set_new(t, "page_flushes", fl_json_u64(res->tlb_page_flushes));
    return t;
}

static json_t *candidates_json(const struct fl_result *res)
{
    json_t *list = json_array();
    for (size_t i = 0; i < res->n_oom_candidates && i < CANDIDATES_MAX; i++) {
        const struct fl_oom_candidate *c = &res->oom_candidates[i];
        json_t *o = json_object();
        json_object_set_new(o, "pid", fl_json_u64(c->pid));
        json_object_set_new(o, "comm", fl_json_text(c->comm));
        json_object_set_new(o, "badness", json_integer(c->badness));
        json_object_set_new(o, "oom_score_adj", json_integer(c->oom_score_adj));
        json_object_set_new(o, "protected", json_boolean(c->is_protected));
        json_object_set_new(o, "rss_pages", fl_json_u64(c->rss_pages));
        json_object_set_new(o, "swap_pages", fl_json_u64(c->swap_pages));
        json_object_set_new(o, "anon_pages", fl_json_u64(c->anon_pages));
        json_object_set_new(o, "file_pages", fl_json_u64(c->file_pages));
        json_object_set_new(o, "shmem_pages", fl_json_u64(c->shmem_pages));
        json_object_set_new(o, "virtual_pages", fl_json_u64(c->virtual_pages));
        json_object_set_new(o, "page_table_pages", fl_json_u64(c->page_tables));
        json_array_append_new(list, o);
    }
    return list;
}

/* null: nothing of this kind saves it. */
static json_t *saved_by_json(const struct fl_saved_by *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "pid", s->pid ? fl_json_u64(s->pid) : json_null());
    json_object_set_new(o, "ram_bytes",
                        s->frames ? fl_json_u64(s->frames * FL_PAGE_BYTES) : json_null());
    json_object_set_new(o, "swap_bytes",
                        s->swap_pages == UINT64_MAX ? json_null()
                                                    : fl_json_u64(s->swap_pages * FL_PAGE_BYTES));
    json_object_set_new(o, "oom_score_adj",
                        s->oom_score_adj == FL_SAVED_NO_ADJ ? json_null()
                                                            : json_integer(s->oom_score_adj));
    json_object_set_new(o, "replays", fl_json_u64(s->replays));
    return o;
}

/* The adjustments that were asked for. */
static json_t *asked_adj_json(const struct fl_replay_opts *opts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < opts->n_oom_adj; i++)
        json_array_append_new(list, json_pack("{s:I,s:i}", "pid", (json_int_t)opts->oom_adj[i].pid,
                                              "oom_score_adj", opts->oom_adj[i].value));
    return list;
}

static json_t *oom_json(const struct fl_result *res)
{
    json_t *kills = json_array();
    for (size_t i = 0; i < res->n_oom_kills; i++) {
        const struct fl_oom_kill *k = &res->oom_kills[i];
        json_t *o = json_object();
        json_object_set_new(o, "pid", fl_json_u64(k->pid));
        json_object_set_new(o, "comm", fl_json_text(k->comm));
        json_object_set_new(o, "badness", json_integer(k->badness));
        json_object_set_new(o, "oom_score_adj", json_integer(k->oom_score_adj));
        json_object_set_new(o, "rss_pages", fl_json_u64(k->rss_pages));
        json_object_set_new(o, "swap_pages", fl_json_u64(k->swap_pages));
        json_object_set_new(o, "at_access", fl_json_u64(k->at_access));
        json_array_append_new(kills, o);
    }
    json_t *o = json_object();
    json_object_set_new(o, "kills", kills);
    json_object_set_new(o, "skipped_accesses", fl_json_u64(res->skipped_accesses));
    if (res->opts.n_oom_adj)
        json_object_set_new(o, "asked", asked_adj_json(&res->opts));
    if (res->saved_by)
        json_object_set_new(o, "saved_by", saved_by_json(res->saved_by));
    if (res->oom_candidates) {
        json_object_set_new(o, "candidates", candidates_json(res));
        json_object_set_new(o, "candidates_at_access", fl_json_u64(res->oom_candidates_at));
    }
    return o;
}

static json_t *timeline_json(const struct fl_result *res)
{
    static const char *const sizes[] = { "evictions",     "pages_out",   "resident_pages",
                                         "swapped_pages", "page_tables", "page_walks" };
    json_t *columns = json_pack("[s,s,s]", "access", "minor", "major"), *rows = json_array();
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        json_array_append_new(columns, fl_json_text(fl_cause_name((enum fl_cause)c)));
    const struct fl_attribution *a = res->attribution;
    if (a)
        json_array_append_new(columns, fl_json_text("refaults"));
    for (size_t i = 0; i < FL_COUNT(sizes); i++)
        json_array_append_new(columns, fl_json_text(sizes[i]));
    for (uint32_t order = 0; res->buddy.is_there && order < FL_ORDERS; order++)
        json_array_append_new(columns, json_sprintf("free_order_%u", order));
    uint64_t access = 0;
    for (size_t i = 0; i < res->n_rows; i++) {
        const struct fl_timeline_row *row = &res->rows[i];
        uint64_t by_kind[2] = { 0 };
        json_t *out = json_array();
        access += row->accesses;
        for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
            by_kind[fl_cause_is_major((enum fl_cause)c)] += row->faults[c];
        json_array_append_new(out, fl_json_u64(access));
        json_array_append_new(out, fl_json_u64(by_kind[0]));
        json_array_append_new(out, fl_json_u64(by_kind[1]));
        for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
            json_array_append_new(out, fl_json_u64(row->faults[c]));
        if (a)
            json_array_append_new(out, fl_json_u64(i < a->n_rows ? a->rows[i].refaults : 0));
        const uint64_t rest[] = { row->evictions,     row->pages_out,   row->resident_pages,
                                  row->swapped_pages, row->page_tables, row->tlb_misses };
        for (size_t k = 0; k < FL_COUNT(rest); k++)
            json_array_append_new(out, fl_json_u64(rest[k]));
        for (uint32_t order = 0; res->buddy.is_there && order < FL_ORDERS; order++)
            json_array_append_new(out, fl_json_u64(row->free_blocks[order]));
        json_array_append_new(rows, out);
    }
    return json_pack("{s:o,s:o}", "columns", columns, "rows", rows);
}

static void set_readahead(json_t *o, const struct fl_result *res, uint64_t pages, uint64_t hits)
{
    if (!(res->opts.policy->needs & FL_IS_KERNEL))
        return;
    json_object_set_new(o, "readahead_pages", fl_json_u64(pages));
    json_object_set_new(o, "readahead_hits", fl_json_u64(hits));
}

static json_t *swap_json(const struct fl_result *res)
{
    json_t *o = json_pack("{s:I,s:I,s:I}", "pages_in", (json_int_t)res->pages_in, "pages_out",
                          (json_int_t)res->pages_out, "peak_pages",
                          (json_int_t)res->swap_peak_pages);
    set_readahead(o, res, res->readahead_pages, res->readahead_hits);
    return o;
}

static json_t *files_json(const struct fl_result *res)
{
    json_t *o = json_pack("{s:I,s:I}", "pages_read", (json_int_t)res->file_pages_read,
                          "pages_written", (json_int_t)res->file_pages_written);
    set_readahead(o, res, res->file_readahead_pages, res->file_readahead_hits);
    return o;
}

static json_t *reclaim_json(const struct fl_result *res)
{
    json_t *o = json_object();
    json_object_set_new(o, "reclaimed", fl_json_u64(res->evictions));
    if (!(res->opts.policy->needs & FL_IS_KERNEL)) {
        json_object_set_new(o, "refaults", fl_json_u64(res->major));
        return o;
    }
    json_object_set_new(o, "scanned", fl_json_u64(res->scanned));
    json_object_set_new(o, "activated", fl_json_u64(res->activated));
    json_object_set_new(o, "deactivated", fl_json_u64(res->deactivated));
    json_object_set_new(o, "refaults", fl_json_u64(res->refaults));
    json_object_set_new(o, "direct", fl_json_u64(res->evictions - res->background));
    json_object_set_new(o, "background", fl_json_u64(res->background));
    json_object_set_new(o, "stalls", fl_json_u64(res->reclaims));
    json_object_set_new(o, "stat_flushes", fl_json_u64(res->stat_flushes));
    return o;
}

static json_t *thp_json(const struct fl_result *res)
{
    json_t *o = json_object();
    json_object_set_new(o, "mode", fl_json_text(fl_thp_name_at(res->thp.mode)));
    json_object_set_new(o, "faults", fl_json_u64(res->thp.faults));
    json_object_set_new(o, "zero_faults", fl_json_u64(res->thp.zero_faults));
    json_object_set_new(o, "fallbacks", fl_json_u64(res->thp.fallbacks));
    json_object_set_new(o, "collapses", fl_json_u64(res->thp.collapses));
    json_object_set_new(o, "splits", fl_json_u64(res->thp.splits));
    json_object_set_new(o, "swapouts", fl_json_u64(res->thp.swapouts));
    json_object_set_new(o, "swapout_fallbacks", fl_json_u64(res->thp.swapout_fallbacks));
    return o;
}

/* What the faults of each cause are estimated to cost; of those that it has. */
static json_t *fault_ns_json(const struct fl_result *res)
{
    const struct fl_costs *costs = res->opts.costs ? res->opts.costs : fl_costs_default();
    json_t *o = json_object();
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++) {
        enum fl_cost cost = c == FL_CAUSE_SWAP_IN ? fl_cost_swap_in(costs)
                                                  : fl_cause_cost((enum fl_cause)c);
        if (res->faults[c])
            json_object_set_new(o, fl_cause_name((enum fl_cause)c),
                                fl_json_u64(fl_cost_of_ns(costs, cost, res->faults[c])));
    }
    return o;
}

json_t *fl_result_json(const struct fl_result *res, const struct fl_reader *r, json_t *trace)
{
    json_t *o = json_object();
    json_object_set_new(o, "schema", fl_json_text("faultline.replay/1"));
    json_object_set_new(o, "trace", trace);
    json_object_set_new(o, "machine", machine_json(res));
    json_object_set_new(o, "faults", faults_json(res));
    json_object_set_new(o, "swap", swap_json(res));
    json_object_set_new(o, "files", files_json(res));
    json_object_set_new(o, "reclaim", reclaim_json(res));
    json_object_set_new(o, "resident",
                        json_pack("{s:I}", "peak_pages", (json_int_t)res->resident_peak_pages));
    if (res->n_tlb)
        json_object_set_new(o, "tlb", tlb_json(res));
    json_object_set_new(o, "page_table",
                        json_pack("{s:I,s:I}", "tables_peak", (json_int_t)res->page_tables_peak,
                                  "flat_bytes_avoided", (json_int_t)res->flat_bytes_avoided));
    if (res->buddy.is_there)
        json_object_set_new(o, "buddy", frames_json(&res->buddy));
    if (!strcmp(res->opts.policy->name, "linux"))
        json_object_set_new(o, "thp", thp_json(res));
    json_object_set_new(o, "sharing",
                        json_pack("{s:I,s:I}", "shared_pages", (json_int_t)res->shared_pages,
                                  "saved_bytes", (json_int_t)(res->saved_pages * FL_PAGE_BYTES)));
    json_object_set_new(o, "oom", oom_json(res));
    struct fl_time time;
    fl_time_estimate(res, &time);
    json_t *time_json = fl_time_json(&time);
    json_object_set_new(time_json, "fault_ns", fault_ns_json(res));
    json_object_set_new(o, "time", time_json);
    if (res->attribution)
        owners_json(o, res->attribution);
    json_object_set_new(o, "timeline", timeline_json(res));
    json_t *quality = fl_quality_json(r);
    if (res->n_oom_kills)
        fl_quality_add(quality, "oom",
                       "processes were killed: their later accesses were not replayed");
    json_object_set_new(o, "quality", quality);
    return o;
}

json_t *fl_sweep_json(const struct fl_sweep_point *points, size_t n, json_t *trace, json_t *quality)
{
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct fl_sweep_point *p = &points[i];
        json_t *e = json_object();
        bool unlimited = p->frames == FL_FRAMES_UNLIMITED;
        json_object_set_new(e, "ram_bytes",
                            unlimited ? json_null()
                                      : fl_json_u64((uint64_t)p->frames * FL_PAGE_BYTES));
        json_object_set_new(e, "frames", unlimited ? json_null() : fl_json_u64(p->frames));
        json_object_set_new(
            e, "swap_bytes",
            p->swap_pages == UINT64_MAX ? json_null() : fl_json_u64(p->swap_pages * FL_PAGE_BYTES));
        json_object_set_new(e, "policy", fl_json_text(p->policy->name));
        if (!strcmp(p->policy->name, "random"))
            json_object_set_new(e, "seed", fl_json_u64(p->seed));
        if (p->machine)
            json_object_set_new(e, "machine", fl_json_text(p->machine->name));
        json_object_set_new(e, "minor", fl_json_u64(p->minor));
        json_object_set_new(e, "major", fl_json_u64(p->major));
        json_object_set_new(e, "swap_in", fl_json_u64(p->swap_in));
        json_object_set_new(e, "swap_out", fl_json_u64(p->swap_out));
        json_object_set_new(e, "oom_kills", fl_json_u64(p->oom_kills));
        if (p->machine)
            json_object_set_new(e, "tlb",
                                json_pack("{s:o,s:o,s:o,s:o}", "walks", fl_json_u64(p->walks),
                                          "walk_refs", fl_json_u64(p->walk_refs), "flushes",
                                          fl_json_u64(p->tlb_flushes), "page_flushes",
                                          fl_json_u64(p->tlb_page_flushes)));
        json_array_append_new(list, e);
    }
    json_object_set_new(o, "schema", fl_json_text("faultline.sweep/1"));
    json_object_set_new(o, "trace", trace);
    json_object_set_new(o, "points", list);
    json_object_set_new(o, "quality", quality);
    return o;
}
