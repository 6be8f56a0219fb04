/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a trace must be known before its points can be asked, or their answers told. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/jobs.h>

#include "sweep_batch.h"

struct prepare {
    struct batch *b;
    size_t t;
    pthread_mutex_t *lock; /* of what is known, and the part */
};

static int machines_of(const struct batch *b, struct batch_trace *t, const struct fl_reader *r,
                       struct fl_err *err)
{
    size_t each = b->axes.n_machine ? b->n_points / b->axes.n_machine : 0;
    int rc = FL_OK;
    for (size_t m = 0; m < b->axes.n_machine && rc == FL_OK; m++) {
        const struct fl_machine *machine;
        rc = cmd_machine(r, b->axes.machine[m], &machine, &t->loaded[m], err);
        for (size_t i = 0; i < each && rc == FL_OK; i++)
            t->points[m * each + i].machine = machine;
    }
    return rc;
}

static int sizes_of(const struct batch *b, struct batch_trace *t, struct fl_reader *r,
                    uint64_t *peak, struct fl_err *err)
{
    const struct sweep_axes *a = &b->axes;
    int rc = FL_OK;
    for (size_t i = 0; i < b->n_points && rc == FL_OK; i++) {
        struct fl_sweep_point *p = &t->points[i];
        p->kernel = &t->kernel;
        rc = cmd_frames(r, &a->ram[i % a->n_ram], peak, &p->frames, err);
        if (rc == FL_OK)
            rc = cmd_swap_pages(r, &a->swap[i / a->n_ram % a->n_swap], peak, &p->swap_pages, err);
    }
    return rc;
}

static json_t *machines_json(const struct batch *b, const struct batch_trace *t)
{
    json_t *list = json_array();
    for (size_t m = 0; m < b->axes.n_machine; m++)
        json_array_append_new(
            list, fl_machine_json(t->points[b->n_points / b->axes.n_machine * m].machine));
    return list;
}

/* @trace and @quality are taken over. */
static int keep_facts(const struct prepare *own, json_t *trace, json_t *quality, struct fl_err *err)
{
    struct batch *b = own->b;
    json_t *facts = json_pack("{s:o,s:o,s:o}", "trace", trace, "quality", quality, "machines",
                              machines_json(b, &b->traces[own->t])),
           *known = b->known.facts[own->t];
    int rc = facts ? FL_OK : fl_nomem(err, "sweep");
    if (rc == FL_OK && known && !sweep_facts_alike(known, facts))
        rc = fl_fail(err, FL_EUSAGE,
                     "%s is of another trace or machine than %s has now: delete it, or give "
                     "another --resume",
                     b->cfg->resume, b->traces[own->t].path);
    pthread_mutex_lock(own->lock);
    if (rc == FL_OK && !known && b->part)
        rc = sweep_part_facts(b->part, &b->known, own->t, facts, err);
    else if (rc == FL_OK && !known)
        b->known.facts[own->t] = json_incref(facts);
    pthread_mutex_unlock(own->lock);
    json_decref(facts);
    return rc;
}

static int with_reader(const struct prepare *own, struct fl_reader *r, struct fl_err *err)
{
    struct batch *b = own->b;
    struct batch_trace *t = &b->traces[own->t];
    const json_t *known = b->known.facts[own->t];
    uint64_t peak = UINT64_MAX;
    if (b->wants_facts)
        fl_reader_hash_ahead(r);
    t->fidelity = fl_reader_fidelity(r);
    t->distinct_pages = fl_reader_totals(r)->distinct_pages;
    t->runs = fl_reader_totals(r)->runs;
    t->kernel = *fl_kernel_defaults();
    fl_kernel_from_trace(r, &t->kernel);
    t->kernel.swap_kind = fl_swap_kind_find(b->cfg->swap_device);
    if (known)
        peak = (uint64_t)json_integer_value(
            json_object_get(json_object_get(known, "trace"), "peak_resident_pages"));
    int rc = machines_of(b, t, r, err);
    if (rc == FL_OK)
        rc = sizes_of(b, t, r, &peak, err);
    if (rc == FL_OK && b->wants_facts) {
        json_t *trace = NULL;
        rc = peak == UINT64_MAX ? fl_footprint(r, &peak, err) : FL_OK;
        if (rc == FL_OK)
            rc = cmd_trace_json(r, t->path, peak, &trace, err);
        if (rc == FL_OK)
            rc = keep_facts(own, trace, fl_quality_json(r), err);
    }
    return rc;
}

/* Parts alone can be put together, without the traces they are of. */
static int without_reader(const struct prepare *own, struct fl_err *err)
{
    struct batch *b = own->b;
    struct batch_trace *t = &b->traces[own->t];
    const json_t *trace = json_object_get(b->known.facts[own->t], "trace");
    uint64_t peak = (uint64_t)json_integer_value(json_object_get(trace, "peak_resident_pages"));
    t->fidelity = strcmp(json_string_value(json_object_get(trace, "fidelity")),
                         fl_fidelity_name(FL_FIDELITY_EXACT)) == 0
                      ? FL_FIDELITY_EXACT
                      : FL_FIDELITY_PAGE_EXACT;
    int rc = machines_of(b, t, NULL, err);
    return rc == FL_OK ? sizes_of(b, t, NULL, &peak, err) : rc;
}

static int prepare(void *arg, struct fl_job_progress *progress, struct fl_err *err)
{
    const struct prepare *own = arg;
    const struct batch_trace *t = &own->b->traces[own->t];
    struct fl_err why = { 0 };
    struct fl_reader *r = NULL;
    (void)progress;
    int rc = cmd_open_trace(t->path, own->b->cfg->partial, &r, &why);
    if (rc == FL_OK)
        rc = with_reader(own, r, err);
    else if (why.sys_errno == ENOENT && own->b->known.facts[own->t] && !t->n_to_ask)
        rc = without_reader(own, err);
    else if (err)
        *err = why;
    fl_reader_free(r);
    return rc;
}

int batch_prepare(struct batch *b, const struct sweep_progress *progress, struct fl_err *err)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct prepare *own = calloc(b->n_traces, sizeof *own);
    struct fl_job *jobs = calloc(b->n_traces, sizeof *jobs);
    size_t n = 0;
    int rc = own && jobs ? FL_OK : fl_nomem(err, "sweep");
    for (size_t t = 0; t < b->n_traces && rc == FL_OK; t++) {
        if (b->shards > 1 && !b->traces[t].n_to_ask)
            continue;
        own[n] = (struct prepare){ b, t, &lock };
        jobs[n] = (struct fl_job){ .run = prepare, .arg = &own[n] };
        n++;
    }
    if (rc == FL_OK)
        rc = fl_jobs_run(jobs, n, batch_threads(b), progress->tell, progress->arg, err);
    free(own);
    free(jobs);
    return rc;
}
