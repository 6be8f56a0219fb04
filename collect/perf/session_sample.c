/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_sample.c - --mode sample: which events, what was left out of them, and what they missed. */
#include <errno.h>
#include <stdio.h>

#include <faultline/datasrc.h>

#include "session.h"

/* As far as the clocks of two events agree that one of them had a counter all the time. */
#define TURNS_BP 9900u

/* Who may not watch the machine is told so when it is opened; here it is about the event alone. */
static int try_event(void *ctx, const struct fl_pmu_event *event)
{
    const struct session *s = ctx;
    struct fl_pmu_target target = { .machine = s->opts->machine };
    int why = fl_pmu_try_here(&target, event);
    return target.machine && (why == EACCES || why == EPERM) ? fl_pmu_try_here(NULL, event) : why;
}

/* Leave out of each event what the kernel refuses, and note it. */
static int settle(struct session *s, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < s->pmu.n; i++) {
        struct fl_pmu_event *event = &s->pmu.v[i];
        rc = fl_pmu_settle(event, try_event, s, err);
        s->pmu_without |= event->without;
        const struct fl_perf_extra extra = { .source = FL_SRC_SAMPLE,
                                             .name = event->name,
                                             .sampled = event };
        if (rc == FL_OK)
            rc = fl_session_extra(s, &extra, err);
    }
    return rc;
}

int fl_session_sample_find(struct session *s, struct fl_err *err)
{
    if (s->fidelity != FL_FIDELITY_SAMPLED)
        return FL_OK;
    const struct fl_pmu_host host = fl_pmu_host_here();
    const struct fl_pmu_request req = { .event = s->opts->sample_event,
                                        .period = s->opts->sample_period,
                                        .user_only = s->opts->sample_user_only,
                                        .stacks = s->opts->stacks,
                                        .wakeup_bytes = 1u << 14 };
    int rc = fl_pmu_plan(&host, &req, &s->pmu, err);
    if (rc == FL_OK)
        rc = settle(s, err);
    if (s->pmu_without & FL_PMU_WITHOUT_KERNEL)
        s->status->missing |= FL_RECORD_NO_KERNEL_SAMPLES;
    if (s->pmu_without & FL_PMU_WITHOUT_PHYS)
        s->status->missing |= FL_RECORD_NO_PHYSICAL;
    return rc;
}

/* ---- samples ----------------------------------------------------------------------- */

/* IBS and SPE follow operations of every kind. */
static bool touched_memory(const struct fl_pmu_event *event, const struct fl_perf_rec *rec)
{
    struct fl_datasrc d;
    if (event->kind != FL_PMU_KIND_IBS && event->kind != FL_PMU_KIND_SPE)
        return true;
    fl_datasrc_decode(rec->access.data_source, &d);
    return d.load || d.store || d.prefetch || rec->access.address;
}

bool fl_session_sample_keep(const struct fl_pmu_event *event, bool user_only,
                            const struct fl_perf_rec *rec)
{
    bool user = (rec->misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER;
    return touched_memory(event, rec) && (user || !user_only || !event->no_exclude);
}

static int on_sample(void *ctx, const struct fl_perf_rec *rec, bool *keep, uint32_t *name,
                     struct fl_err *err)
{
    struct session *s = ctx;
    size_t n = rec->index - s->kernel.n; /* the extra events of --kernel come first */
    s->sampled[n].taken++;
    *keep = fl_session_sample_keep(&s->pmu.v[n], s->opts->sample_user_only, rec);
    return *keep ? fl_hits_name(s->hits, s->pmu.v[n].name, fl_tree_now(s->tree), name, err) : FL_OK;
}

void fl_session_sample_io(struct session *s, struct fl_tree_io *io)
{
    if (s->pmu.n)
        io->sample = on_sample;
}

/* ---- what the trace says of them ------------------------------------------------------ */

static int put_without(struct session *s, unsigned which, const char *key, struct fl_err *err)
{
    char text[256];
    if (!(s->pmu_without & which))
        return FL_OK;
    return fl_meta_setf(s->meta, err, key, "not in the samples: %s",
                        fl_pmu_without_text(text, sizeof text, s->pmu_without & which));
}

int fl_session_sample_meta(struct session *s, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < s->pmu.n; i++) {
        const struct fl_pmu_event *event = &s->pmu.v[i];
        char key[64];
        snprintf(key, sizeof key, "record.sample.%zu", i);
        rc = fl_meta_setf(s->meta, err, key, "%s %s %s %llu", event->name, event->encoded_from,
                          event->attr.freq ? "frequency" : "period",
                          (unsigned long long)event->attr.sample_period);
    }
    if (rc == FL_OK)
        rc = put_without(s, FL_PMU_WITHOUT_PHYS, "quality.sample_phys", err);
    if (rc == FL_OK)
        rc = put_without(s, FL_PMU_WITHOUT_KERNEL, "quality.sample_kernel", err);
    if (rc == FL_OK)
        rc = put_without(s, FL_PMU_WITHOUT_WEIGHT_PARTS | FL_PMU_WITHOUT_LOST,
                         "quality.sample_fields", err);
    return rc;
}

static int put(struct session *s, size_t i, const char *what, uint64_t value, struct fl_err *err)
{
    char key[64], text[24];
    snprintf(key, sizeof key, "record.sample.%zu.%s", i, what);
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return fl_writer_meta(s->writer, key, text, err);
}

static int put_event(struct session *s, size_t i, const struct fl_perf_extra_sum *sum,
                     struct fl_err *err)
{
    const struct fl_pmu_event *event = &s->pmu.v[i];
    /* Without counts by event, all that was lost may have been this one's. */
    uint64_t lost = event->without & FL_PMU_WITHOUT_LOST ? fl_tree_counts(s->tree)->lost
                                                         : sum->lost;
    uint64_t throttled_ns;
    fl_tree_throttled(s->tree, (uint32_t)(s->kernel.n + i), fl_session_now_ns(), &throttled_ns);
    const struct {
        const char *what;
        uint64_t value;
        bool always;
    } rows[] = {
        { "taken", s->sampled[i].taken, true },  { "lost", lost, true },
        { "enabled_ns", sum->enabled_ns, true }, { "running_ns", sum->running_ns, true },
        { "throttled_ns", throttled_ns, true },  { "total", sum->total, event->has_total },
    };
    int rc = FL_OK;
    for (size_t k = 0; rc == FL_OK && k < sizeof rows / sizeof rows[0]; k++)
        if (rows[k].always)
            rc = put(s, i, rows[k].what, rows[k].value, err);
    return rc;
}

static bool took_turns(const struct fl_perf_extra_sum *sum)
{
    return (double)sum->running_ns * 10000 < (double)sum->enabled_ns * TURNS_BP;
}

/* "loads had a counter 48 % of the time, stores 52 %" */
static int put_turns(struct session *s, const struct fl_perf_extra_sum *sums, struct fl_err *err)
{
    char text[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < s->pmu.n && at < sizeof text; i++)
        if (took_turns(&sums[i]))
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s %.0f %%%s", at ? ", " : "",
                                   s->pmu.v[i].name, at ? "" : " had a counter",
                                   100.0 * (double)sums[i].running_ns / (double)sums[i].enabled_ns,
                                   at ? "" : " of the time");
    return at ? fl_writer_meta(s->writer, "quality.multiplexed", text, err) : FL_OK;
}

static int put_collisions(struct session *s, struct fl_err *err)
{
    const struct fl_tree_counts *c = fl_tree_counts(s->tree);
    char text[160];
    if (!c->collisions && !c->truncations)
        return FL_OK;
    snprintf(text, sizeof text,
             "%llu times the processor left samples out, %llu times their buffer was full",
             (unsigned long long)c->collisions, (unsigned long long)c->truncations);
    return fl_writer_meta(s->writer, "quality.sample_collisions", text, err);
}

int fl_session_sample_end(struct session *s, const struct fl_perf_extra_sum *extra,
                          struct fl_err *err)
{
    const struct fl_perf_extra_sum *sums = extra + s->kernel.n;
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < s->pmu.n; i++)
        rc = put_event(s, i, &sums[i], err);
    if (rc == FL_OK)
        rc = put_turns(s, sums, err);
    return rc == FL_OK ? put_collisions(s, err) : rc;
}
