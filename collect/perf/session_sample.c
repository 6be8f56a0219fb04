/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_sample.c - --mode sample: which events, and what the machine left out of them. */
#include <stdlib.h>

#include "session.h"

/* Leave out of each event what the kernel refuses, and note it. */
static int settle(struct session *s, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < s->pmu.n; i++) {
        struct fl_pmu_event *event = &s->pmu.v[i];
        rc = fl_pmu_settle(event, fl_pmu_try_here, NULL, err);
        s->pmu_without |= event->without;
        const struct fl_perf_extra extra = { .source = FL_SRC_SAMPLE,
                                             .name = event->name,
                                             .sampled = &event->attr };
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
                                        .stacks = s->opts->stacks,
                                        .wakeup_bytes = 1u << 14 };
    int rc = fl_pmu_plan(&host, &req, &s->pmu, err);
    return rc == FL_OK ? settle(s, err) : rc;
}

int fl_session_sample_meta(struct session *s, struct fl_err *err)
{
    char text[256];
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < s->pmu.n; i++) {
        char key[64];
        snprintf(key, sizeof key, "record.sample.%zu", i);
        rc = fl_meta_setf(s->meta, err, key, "%s %s period %llu", s->pmu.v[i].name,
                          s->pmu.v[i].encoded_from,
                          (unsigned long long)s->pmu.v[i].attr.sample_period);
    }
    if (rc == FL_OK && s->pmu_without)
        rc = fl_meta_set(s->meta, "quality.sample_fields",
                         fl_pmu_without_text(text, sizeof text, s->pmu_without), err);
    return rc;
}
