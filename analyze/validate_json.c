/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "faultline.validate/1", keys as docs/results.md lists them. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/command.h>
#include <faultline/hostinfo.h>

#include "validate.h"

static json_t *host_json(void)
{
    json_t *o = json_object();
    struct fl_meta *meta = fl_meta_new();
    const char *key, *value;
    if (meta && fl_host_meta(meta, NULL) == FL_OK)
        for (size_t i = 0; fl_meta_at(meta, i, &key, &value); i++)
            json_object_set_new(o, strncmp(key, "host.", 5) ? key : key + 5, fl_json_text(value));
    fl_meta_free(meta);
    return o;
}

/* As a shell would give it. */
static json_int_t status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static json_t *native_json(const struct fl_run *n)
{
    return json_pack("{s:o,s:o,s:I,s:o,s:o,s:o}", "wall_ns", fl_json_u64(n->wall_ns), "cpu_ns",
                     fl_json_u64(n->cpu_ns), "status", status_of(n->wait_status), "peak_bytes",
                     fl_json_u64(n->peak_bytes), "minor", fl_json_u64(n->minor), "major",
                     fl_json_u64(n->major));
}

static json_t *swap_json(const struct fl_swapdev *s)
{
    return json_pack("{s:s,s:o,s:b,s:b}", "kind", fl_swapdev_kind_name(s->kind), "bytes",
                     fl_json_u64(s->pages * FL_PAGE_BYTES), "rotational", s->rotational, "was_on",
                     s->was_on);
}

/* ---- a point's runs ------------------------------------------------------------------- */

typedef uint64_t getter(const struct fl_run *run, unsigned which);

static json_t *each(const struct validate_point *p, getter *get, unsigned which)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_runs; i++)
        json_array_append_new(list, fl_json_u64(get(&p->runs[i], which)));
    return list;
}

static uint64_t get_sample(const struct fl_run *run, unsigned which)
{
    return validate_sample(run, (enum validate_count)which);
}

static uint64_t get_swap(const struct fl_run *run, unsigned which)
{
    return fl_run_swap(run)->count[which];
}

static uint64_t get_machine(const struct fl_run *run, unsigned which)
{
    return run->machine.count[which];
}

static uint64_t get_group(const struct fl_run *run, unsigned which)
{
    return run->group.count[which];
}

static uint64_t get_other(const struct fl_run *run, unsigned which)
{
    switch (which) {
    case 0: return run->wall_ns;
    case 1: return (uint64_t)status_of(run->wait_status);
    case 2: return run->peak_bytes;
    case 3: return run->limit_hits;
    case 4: return run->cpu_ns;
    default: return run->outlived;
    }
}

static json_t *victims_json(const struct validate_point *p)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_runs; i++)
        for (unsigned j = 0; j < p->runs[i].n_victims; j++)
            json_array_append_new(list, json_pack("{s:i,s:i,s:o}", "run", (int)i, "pid",
                                                  p->runs[i].victims[j].pid, "comm",
                                                  fl_json_text(p->runs[i].victims[j].comm)));
    return list;
}

/* Every counter that the group, or else the machine, has: how the kernel came to its counts. */
static json_t *counters_json(const struct validate_point *p)
{
    json_t *o = json_object();
    for (unsigned c = 0; c < FL_VM_COUNT && p->n_runs; c++) {
        bool group = p->runs[0].group.present >> c & 1;
        if (group || p->runs[0].machine.present >> c & 1)
            json_object_set_new(o, fl_vm_count_name(c),
                                each(p, group ? get_group : get_machine, c));
    }
    return o;
}

static json_t *first_flushes_json(const struct validate_point *p)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_runs; i++) {
        uint64_t ns = validate_first_flush_ns(&p->seen[i].statistics);
        json_array_append_new(list, ns ? fl_json_u64(ns) : json_null());
    }
    return list;
}

/* A list of every run's flushes. */
static json_t *flushes_json(const struct validate_point *p)
{
    json_t *runs = json_array();
    for (unsigned i = 0; i < p->n_runs; i++) {
        json_t *list = json_array();
        for (unsigned k = 0; k < p->seen[i].statistics.n; k++)
            json_array_append_new(
                list,
                json_pack("{s:o,s:o}", "at_ns", fl_json_u64(p->seen[i].statistics.flush[k].at_ns),
                          "moved", fl_json_u64(p->seen[i].statistics.flush[k].moved)));
        json_array_append_new(runs, list);
    }
    return runs;
}

static json_t *whole_tlb_json(const struct validate_point *p)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_runs; i++)
        json_array_append_new(list, p->seen[i].whole_tlb == UINT64_MAX
                                        ? json_null()
                                        : fl_json_u64(p->seen[i].whole_tlb));
    return list;
}

static json_t *moved_json(const struct validate_point *p)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_runs; i++)
        json_array_append_new(list, fl_json_u64(p->seen[i].statistics.end.moved));
    return list;
}

static json_t *kernel_json(const struct validate_point *p)
{
    static const char *const others[] = { "wall_ns",    "status", "peak_bytes",
                                          "limit_hits", "cpu_ns", "outlived" };
    json_t *o = json_object();
    for (unsigned c = 0; c < V_COUNT; c++)
        json_object_set_new(o, validate_count_name((enum validate_count)c), each(p, get_sample, c));
    json_object_set_new(o, "swap_in_zero", each(p, get_swap, FL_VM_swpin_zero));
    json_object_set_new(o, "swap_out_zero", each(p, get_swap, FL_VM_swpout_zero));
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        json_object_set_new(o, others[i], each(p, get_other, i));
    json_object_set_new(o, "first_flush_ns", first_flushes_json(p));
    json_object_set_new(o, "flushes", flushes_json(p));
    json_object_set_new(o, "moved", moved_json(p));
    json_object_set_new(o, "whole_tlb_flushes", whole_tlb_json(p));
    json_object_set_new(o, "timeouts", fl_json_u64(p->timeouts));
    json_object_set_new(o, "oom_victims", victims_json(p));
    json_object_set_new(o, "counters", counters_json(p));
    return o;
}

static json_t *spread_json(const struct validate_point *p)
{
    json_t *o = json_object();
    for (unsigned c = 0; c < V_COUNT && p->n_runs; c++) {
        struct validate_spread s = validate_spread(p, (enum validate_count)c);
        json_object_set_new(o, validate_count_name((enum validate_count)c),
                            json_pack("{s:o,s:o,s:o,s:i}", "min", fl_json_u64(s.min), "median",
                                      fl_json_u64(s.median), "max", fl_json_u64(s.max), "runs",
                                      (int)s.n));
    }
    return o;
}

/* ---- predictions ------------------------------------------------------------------------- */

static json_t *by_count(const struct validate_point *p, size_t policy,
                        json_t *get(const struct validate_point *p, size_t policy,
                                    enum validate_count c))
{
    json_t *o = json_object();
    for (unsigned c = 0; c < V_COUNT; c++)
        json_object_set_new(o, validate_count_name((enum validate_count)c),
                            get(p, policy, (enum validate_count)c));
    return o;
}

static json_t *predicted(const struct validate_point *p, size_t policy, enum validate_count c)
{
    return fl_json_u64(validate_predicted(p, policy, c).median);
}

static json_t *error(const struct validate_point *p, size_t policy, enum validate_count c)
{
    double percent;
    return validate_error(p, policy, c, &percent) ? json_real(percent) : json_null();
}

static json_t *in_range(const struct validate_point *p, size_t policy, enum validate_count c)
{
    return json_boolean(validate_in_range(p, policy, c));
}

static json_t *answers(const struct validate_point *p, size_t policy, enum validate_count c)
{
    const struct validate_prediction *from = &p->predicted[policy];
    json_t *list = json_array();
    for (unsigned i = 0; i < from->n; i++)
        json_array_append_new(list, fl_json_u64(from->answers[i].count[c]));
    return list;
}

static json_t *answers_json(const struct validate *v, const struct validate_point *p, size_t policy)
{
    const struct validate_prediction *from = &p->predicted[policy];
    json_t *o = by_count(p, policy, answers);
    if (!(v->policies[policy]->needs & FL_IS_KERNEL))
        return o;
    json_t *list = json_array();
    for (unsigned i = 0; i < from->n; i++)
        json_array_append_new(list, fl_json_u64(from->answers[i].first_flush_ms));
    json_object_set_new(o, "first_flush_ms", list);
    return o;
}

static json_t *outcome_json(const struct validate_point *p, size_t policy)
{
    return json_pack("{s:i,s:i,s:i,s:i,s:b,s:b}", "kernel_runs", (int)p->n_runs, "kernel_killed",
                     (int)validate_killed(p), "predicted_runs", (int)p->predicted[policy].n,
                     "predicted_killed", (int)validate_foretold(p, policy), "agrees",
                     validate_agrees(p, policy), "comparable", validate_comparable(p, policy));
}

/* What policy @i says, into @o. */
static void prediction_json(const struct validate *v, const struct validate_point *p, size_t i,
                            json_t *o)
{
    json_object_set_new(o, "predicted_runs", answers_json(v, p, i));
    json_object_set_new(o, "outcome", outcome_json(p, i));
    json_object_set_new(o, "error_pct", by_count(p, i, error));
    json_object_set_new(o, "in_range", by_count(p, i, in_range));
}

static json_t *point_json(const struct validate *v, const struct validate_point *p)
{
    json_t *o = json_object(), *by_policy = json_object();
    json_object_set_new(o, "ram_bytes", fl_json_u64(p->ram_bytes));
    json_object_set_new(o, "kernel", kernel_json(p));
    json_object_set_new(o, "spread", spread_json(p));
    json_object_set_new(o, "predicted", by_count(p, 0, predicted));
    prediction_json(v, p, 0, o);
    for (size_t i = 0; i < v->n_policies; i++) {
        json_t *one = by_count(p, i, predicted);
        prediction_json(v, p, i, one);
        json_object_set_new(by_policy, v->policies[i]->name, one);
    }
    json_object_set_new(o, "policies", by_policy);
    return o;
}

json_t *validate_json(const struct validate *v, json_t *trace, json_t *quality)
{
    json_t *o = json_object(), *points = json_array();
    const json_t *host = v->measured ? json_object_get(v->measured, "host") : NULL;
    json_object_set_new(o, "schema", json_string("faultline.validate/1"));
    json_object_set_new(o, "command", fl_json_text(v->command));
    json_object_set_new(o, "trace", trace);
    json_object_set_new(o, "host", host ? json_deep_copy(host) : host_json());
    json_object_set_new(
        o, "cgroup",
        json_pack("{s:i,s:i}", "version", v->cgroup_version, "swappiness", v->swappiness));
    json_object_set_new(o, "swap", swap_json(&v->swap));
    json_object_set_new(o, "runs", json_integer(v->runs));
    json_object_set_new(o, "policy", json_string(v->policies[0]->name));
    json_object_set_new(o, "aligned", json_boolean(v->aligned));
    json_object_set_new(o, "native", native_json(&v->native));
    json_object_set_new(o, "costs_source", fl_json_text(v->costs.source));
    json_object_set_new(o, "tlb",
                        v->costs.tlb.entries ? fl_tlb_kept_json(&v->costs.tlb) : json_null());
    json_object_set_new(o, "access_ps", fl_json_u64(v->costs.ps[FL_COST_ACCESS]));
    for (size_t i = 0; i < v->n_points; i++)
        json_array_append_new(points, point_json(v, &v->points[i]));
    json_object_set_new(o, "points", points);
    json_object_set_new(o, "quality", quality);
    return o;
}
