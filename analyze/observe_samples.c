/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sampled trace's samples fell on, and how many accesses they stand for. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/datasrc.h>
#include <faultline/json_write.h>
#include <faultline/report.h>
#include <faultline/sampled.h>
#include <faultline/units.h>

#include "an.h"
#include "observe.h"

#define LISTED_MAX 1000u
#define CHAINS_MAX 10u
#define EVENTS_MIN 4u /* of which samples are kept apart when the trace does not say how many */

/* Samples by some number: for each, of every event. */
struct group {
    struct fl_samples *v;
    size_t n;
};

enum { BY_PROCESS, BY_LABEL, BY_CODE, BY_STACK, BY_SOURCE, BY_TLB, GROUPS };

enum { TLB_UNKNOWN, TLB_L1, TLB_L2, TLB_SOME, TLB_MISS, TLB_KINDS };

struct page {
    uint64_t number;
    uint32_t mm;
};

struct sample_tally {
    struct fl_sampled *sampled;
    size_t events; /* samples of each key */
    struct group groups[GROUPS];
    struct page *pages; /* distinct up to where they were last sorted */
    size_t n_pages, page_room;
    uint64_t without_address, of_no_event;
};

int sample_tally_new(const struct fl_reader *r, struct sample_tally **out, struct fl_err *err)
{
    struct sample_tally *t = calloc(1, sizeof *t);
    if (!t)
        return fl_nomem(err, "samples");
    int rc = fl_sampled_new(r, &t->sampled, err);
    if (rc != FL_OK) {
        free(t);
        return rc;
    }
    t->events = fl_sampled_count(t->sampled);
    if (t->events < EVENTS_MIN)
        t->events = EVENTS_MIN;
    *out = t;
    return FL_OK;
}

void sample_tally_free(struct sample_tally *t)
{
    if (!t)
        return;
    for (int g = 0; g < GROUPS; g++)
        free(t->groups[g].v);
    fl_sampled_free(t->sampled);
    free(t->pages);
    free(t);
}

/* ---- events ----------------------------------------------------------------------- */

static bool add(struct sample_tally *t, int which, size_t key, uint32_t event, uint64_t period)
{
    struct group *g = &t->groups[which];
    if (key >= g->n) {
        size_t n = key + key / 2 + 64;
        struct fl_samples *grown = reallocarray(g->v, n * t->events, sizeof *grown);
        if (!grown)
            return false;
        memset(grown + g->n * t->events, 0, (n - g->n) * t->events * sizeof *grown);
        g->v = grown;
        g->n = n;
    }
    fl_samples_add(&g->v[key * t->events + event], period);
    return true;
}

static int by_page(const void *a, const void *b)
{
    const struct page *x = a, *y = b;
    if (x->mm != y->mm)
        return x->mm < y->mm ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static void make_distinct(struct sample_tally *t)
{
    size_t kept = 0;
    if (t->n_pages)
        qsort(t->pages, t->n_pages, sizeof *t->pages, by_page);
    for (size_t i = 0; i < t->n_pages; i++)
        if (kept == 0 || by_page(&t->pages[kept - 1], &t->pages[i]) != 0)
            t->pages[kept++] = t->pages[i];
    t->n_pages = kept;
}

static bool add_page(struct sample_tally *t, uint32_t mm, uint64_t address)
{
    const struct page page = { address / FL_PAGE_BYTES, mm };
    if (t->n_pages && by_page(&t->pages[t->n_pages - 1], &page) == 0)
        return true;
    if (t->n_pages == t->page_room) {
        make_distinct(t);
        if (2 * t->n_pages >= t->page_room) { /* else sorting again pays off */
            size_t room = t->page_room ? 2 * t->page_room : 4096;
            struct page *grown = reallocarray(t->pages, room, sizeof *grown);
            if (!grown)
                return false;
            t->pages = grown;
            t->page_room = room;
        }
    }
    t->pages[t->n_pages++] = page;
    return true;
}

static size_t source_key(const struct fl_datasrc *d)
{
    return 4 * (size_t)d->level + 2 * d->remote + (d->cache == FL_OUTCOME_MISS);
}

static size_t tlb_key(const struct fl_datasrc *d)
{
    if (d->tlb == FL_OUTCOME_UNKNOWN)
        return TLB_UNKNOWN;
    if (d->tlb == FL_OUTCOME_MISS)
        return TLB_MISS;
    return d->tlb_l1 == d->tlb_l2 ? TLB_SOME : d->tlb_l1 ? TLB_L1 : TLB_L2;
}

int sample_tally_event(struct sample_tally *t, const struct fl_event *ev,
                       const struct sample_place *at, struct fl_err *err)
{
    struct fl_datasrc d;
    uint32_t event;
    int rc = fl_sampled_event(t->sampled, ev, &event, err);
    if (rc != FL_OK || ev->kind != FL_EV_SAMPLE)
        return rc;
    if (event >= t->events) {
        t->of_no_event++;
        return FL_OK;
    }
    fl_datasrc_decode(ev->sample.data_source, &d);
    const size_t keys[GROUPS] = {
        [BY_PROCESS] = at->process,
        [BY_LABEL] = ev->sample.address ? at->label : SIZE_MAX,
        [BY_CODE] = ev->sample.code == FL_NO_CODE ? SIZE_MAX : ev->sample.code,
        [BY_STACK] = ev->sample.stack == FL_NO_STACK ? SIZE_MAX : ev->sample.stack,
        [BY_SOURCE] = ev->sample.data_source ? source_key(&d) : SIZE_MAX,
        [BY_TLB] = ev->sample.data_source ? tlb_key(&d) : SIZE_MAX,
    };
    bool ok = true;
    for (int g = 0; g < GROUPS; g++)
        if (keys[g] != SIZE_MAX)
            ok = ok && add(t, g, keys[g], event, ev->sample.period);
    t->without_address += !ev->sample.address;
    if (ev->sample.address)
        ok = ok && add_page(t, at->mm, ev->sample.address);
    return ok ? FL_OK : fl_nomem(err, "counting samples");
}

/* ---- as JSON ---------------------------------------------------------------------- */

struct ranked {
    struct fl_estimate estimate;
    uint64_t samples;
    size_t index;
    const char *name; /* of functions */
    struct fl_samples by_event[FL_SAMPLED_MAX];
};

static int most_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->estimate.value < y->estimate.value || x->estimate.value > y->estimate.value)
        return x->estimate.value < y->estimate.value ? 1 : -1;
    if (x->samples != y->samples)
        return x->samples < y->samples ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static int by_name(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int order = x->name && y->name ? strcmp(x->name, y->name) : 0;
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void add_samples(struct ranked *into, const struct fl_samples *from, size_t events)
{
    for (size_t e = 0; e < events; e++) {
        into->by_event[e].n += from[e].n;
        into->by_event[e].periods += from[e].periods;
        into->by_event[e].periods_squared += from[e].periods_squared;
        into->samples += from[e].n;
    }
}

/* Functions of one name in two files are one. */
static size_t merge_names(struct ranked *all, size_t n, size_t events)
{
    size_t kept = 0;
    qsort(all, n, sizeof *all, by_name);
    for (size_t i = 0; i < n; i++)
        if (kept && strcmp(all[kept - 1].name, all[i].name) == 0)
            add_samples(&all[kept - 1], all[i].by_event, events);
        else
            all[kept++] = all[i];
    return kept;
}

/* The keys that have samples, those with most accesses first; NULL: out of memory. */
static struct ranked *rank(const struct sample_tally *t, int which, const struct code_tally *code,
                           size_t *n)
{
    const struct group *g = &t->groups[which];
    size_t used = 0;
    *n = 0;
    for (size_t key = 0; key < g->n; key++)
        for (size_t e = 0; e < t->events; e++)
            if (g->v[key * t->events + e].n && ++used)
                break;
    struct ranked *all = calloc(used + 1, sizeof *all);
    for (size_t key = 0; all && key < g->n; key++) {
        struct ranked r = { .index = key };
        add_samples(&r, &g->v[key * t->events], t->events);
        if (!r.samples)
            continue;
        r.name = which == BY_CODE ? code_tally_name(code, key) : NULL;
        if (which != BY_CODE || r.name)
            all[(*n)++] = r;
    }
    if (all && which == BY_CODE)
        *n = merge_names(all, *n, t->events);
    for (size_t i = 0; all && i < *n; i++)
        fl_sampled_accesses(t->sampled, all[i].by_event, &all[i].estimate);
    if (all)
        qsort(all, *n, sizeof *all, most_first);
    return all;
}

static void name_source(size_t key, json_t *entry)
{
    enum fl_mem_level level = (enum fl_mem_level)(key / 4);
    char text[64];
    snprintf(text, sizeof text, "%s%s%s", key & 2 ? "remote " : "",
             level == FL_LEVEL_UNKNOWN ? "not told" : fl_mem_level_name(level),
             key & 1 ? " missed" : "");
    json_object_set_new(entry, "source", json_string(text));
}

static void name_tlb(size_t key, json_t *entry)
{
    static const char *const names[TLB_KINDS] = { "not told", "L1 hit", "L2 hit", "hit", "miss" };
    json_object_set_new(entry, "tlb", json_string(key < TLB_KINDS ? names[key] : "?"));
}

struct namers {
    const struct code_tally *code;
    const void *ctx;
    sample_namer processes, labels;
};

static void name_entry(const struct namers *by, int which, const struct ranked *r, json_t *entry)
{
    switch (which) {
    case BY_PROCESS: by->processes(by->ctx, r->index, entry); break;
    case BY_LABEL: by->labels(by->ctx, r->index, entry); break;
    case BY_CODE: json_object_set_new(entry, "function", fl_json_text(r->name)); break;
    case BY_STACK:
        json_object_set_new(entry, "functions", code_tally_chain(by->code, r->index));
        break;
    case BY_SOURCE: name_source(r->index, entry); break;
    case BY_TLB: name_tlb(r->index, entry); break;
    default: break;
    }
}

static int list_json(const struct sample_tally *t, int which, const struct namers *by, double all,
                     json_t *result, struct fl_err *err)
{
    static const char *const keys[GROUPS] = { "by_process",  "by_mapping", "by_function",
                                              "call_chains", "by_source",  "by_tlb" };
    size_t n, most = which == BY_STACK ? CHAINS_MAX : LISTED_MAX;
    struct ranked *ranked = rank(t, which, by->code, &n);
    if (!ranked)
        return fl_nomem(err, "samples");
    json_t *list = json_array();
    for (size_t i = 0; i < n && i < most; i++) {
        double share = all > 0 ? ranked[i].estimate.value / all : 0;
        json_t *entry = json_object();
        name_entry(by, which, &ranked[i], entry);
        json_object_set_new(entry, "samples", fl_json_u64(ranked[i].samples));
        json_object_set_new(entry, "estimated", fl_estimate_json(&ranked[i].estimate));
        json_object_set_new(entry, "share_bp",
                            fl_json_u64(share < 1 ? (uint64_t)(10000 * share + 0.5) : 10000));
        json_array_append_new(list, entry);
    }
    if (n > 0 || which == BY_PROCESS || which == BY_LABEL)
        json_object_set_new(result, keys[which], list);
    else
        json_decref(list);
    free(ranked);
    return FL_OK;
}

int sample_tally_json(struct sample_tally *t, const struct code_tally *code, const void *ctx,
                      sample_namer processes, sample_namer labels, json_t *result,
                      struct fl_err *err)
{
    const struct namers by = { code, ctx, processes, labels };
    struct fl_samples samples[FL_SAMPLED_MAX] = { { 0 } };
    struct fl_estimate all;
    uint64_t n = 0;
    int rc = FL_OK;
    for (uint32_t i = 0; i < fl_sampled_count(t->sampled); i++) {
        samples[i] = fl_sampled_at(t->sampled, i)->samples;
        n += samples[i].n;
    }
    fl_sampled_accesses(t->sampled, samples, &all);
    make_distinct(t);
    json_object_set_new(result, "samples",
                        json_pack("{s:o, s:o, s:o, s:o}", "samples", fl_json_u64(n), "estimated",
                                  fl_estimate_json(&all), "without_address",
                                  fl_json_u64(t->without_address), "events",
                                  fl_sampled_json(t->sampled)));
    json_object_set_new(result, "footprint",
                        json_pack("{s:o, s:o}", "pages_at_least", fl_json_u64(t->n_pages),
                                  "bytes_at_least",
                                  fl_json_u64(an_mul(t->n_pages, FL_PAGE_BYTES))));
    for (int g = 0; rc == FL_OK && g < GROUPS; g++)
        rc = list_json(t, g, &by, all.value, result, err);
    return rc;
}
