/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/sampled.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/kernel_events.h>
#include <faultline/units.h>

struct fl_sampled {
    struct fl_probes *names;
    struct fl_sampled_info v[FL_SAMPLED_MAX];
    uint32_t n;
    uint64_t last_name; /* most samples are of the event of the one before */
    uint32_t last_at;
};

static uint64_t number(const struct fl_meta *meta, uint32_t i, const char *what)
{
    char key[64];
    snprintf(key, sizeof key, "record.sample.%u.%s", i, what);
    return fl_meta_get_u64(meta, key, 0);
}

/* The recorded events, in order, up to the first that is not there. */
static void read_meta(struct fl_sampled *s, const struct fl_meta *meta)
{
    for (; s->n < FL_SAMPLED_MAX; s->n++) {
        char key[64];
        snprintf(key, sizeof key, "record.sample.%u", s->n);
        const char *text = fl_meta_get(meta, key);
        if (!text)
            return;
        struct fl_sampled_info *e = &s->v[s->n];
        size_t len = strcspn(text, " ");
        snprintf(e->name, sizeof e->name, "%.*s", (int)(len < 95 ? len : 95), text);
        snprintf(e->from, sizeof e->from, "%.159s", text[len] ? text + len + 1 : "");
        e->loss = (struct fl_sampling_loss){ .enabled_ns = number(meta, s->n, "enabled_ns"),
                                             .running_ns = number(meta, s->n, "running_ns"),
                                             .throttled_ns = number(meta, s->n, "throttled_ns"),
                                             .taken = number(meta, s->n, "taken"),
                                             .lost = number(meta, s->n, "lost") };
        snprintf(key, sizeof key, "record.sample.%u.total", s->n);
        e->has_total = fl_meta_get(meta, key) != NULL;
        e->total = number(meta, s->n, "total");
    }
}

int fl_sampled_new(const struct fl_reader *r, struct fl_sampled **out, struct fl_err *err)
{
    struct fl_sampled *s = calloc(1, sizeof *s);
    if (s)
        s->names = fl_probes_new();
    if (!s || !s->names) {
        fl_sampled_free(s);
        return fl_nomem(err, "samples");
    }
    s->last_at = FL_SAMPLED_NONE;
    read_meta(s, fl_reader_meta(r));
    *out = s;
    return FL_OK;
}

void fl_sampled_free(struct fl_sampled *s)
{
    if (!s)
        return;
    fl_probes_free(s->names);
    free(s);
}

static uint32_t find(struct fl_sampled *s, uint64_t name)
{
    const char *text = fl_probes_name(s->names, name);
    if (!text)
        text = "?";
    for (uint32_t i = 0; i < s->n; i++)
        if (strncmp(s->v[i].name, text, FL_SAMPLED_NAME_BYTES - 1) == 0)
            return i;
    if (s->n == FL_SAMPLED_MAX)
        return FL_SAMPLED_NONE;
    snprintf(s->v[s->n].name, sizeof s->v[s->n].name, "%.95s", text);
    return s->n++;
}

int fl_sampled_event(struct fl_sampled *s, const struct fl_event *ev, uint32_t *at,
                     struct fl_err *err)
{
    *at = FL_SAMPLED_NONE;
    if (ev->kind == FL_EV_NAME)
        return fl_probes_event(s->names, ev, err);
    if (ev->kind != FL_EV_SAMPLE)
        return FL_OK;
    if (s->last_at == FL_SAMPLED_NONE || s->last_name != ev->sample.event) {
        s->last_name = ev->sample.event;
        s->last_at = find(s, ev->sample.event);
    }
    *at = s->last_at;
    if (*at != FL_SAMPLED_NONE)
        fl_samples_add(&s->v[*at].samples, ev->sample.period);
    return FL_OK;
}

uint32_t fl_sampled_count(const struct fl_sampled *s)
{
    return s->n;
}

const struct fl_sampled_info *fl_sampled_at(const struct fl_sampled *s, uint32_t i)
{
    return &s->v[i];
}

static void estimate(const struct fl_sampled_info *e, const struct fl_samples *of,
                     struct fl_estimate *out)
{
    struct fl_samples samples = *of;
    uint64_t taken = e->loss.taken > e->samples.n ? e->loss.taken : e->samples.n;
    samples.period_max = e->samples.period_max;
    if (e->has_total)
        fl_estimate_part(samples.n, taken, (double)e->total, out);
    else
        fl_estimate_count(&samples, &e->loss, out);
    if (!e->has_total && samples.period_max == 1 && fl_sampling_seen(&e->loss) >= 1)
        out->low = out->high = out->at_least = out->value; /* each was seen: no estimate */
}

void fl_sampled_accesses(const struct fl_sampled *s, const struct fl_samples *samples,
                         struct fl_estimate *out)
{
    struct fl_estimate parts[FL_SAMPLED_MAX];
    for (uint32_t i = 0; i < s->n; i++)
        estimate(&s->v[i], &samples[i], &parts[i]);
    fl_estimate_sum(parts, s->n, out);
}

void fl_sampled_all(const struct fl_sampled *s, uint32_t i, struct fl_estimate *out)
{
    estimate(&s->v[i], &s->v[i].samples, out);
}

/* ---- as JSON ----------------------------------------------------------------------- */

static json_t *whole(double v)
{
    return isfinite(v) ? fl_json_u64(v < 1.8e19 ? (uint64_t)(v + 0.5) : UINT64_MAX) : json_null();
}

json_t *fl_estimate_json(const struct fl_estimate *e)
{
    json_t *o = json_object();
    json_object_set_new(o, "value", whole(e->value));
    json_object_set_new(o, "low", whole(e->low));
    json_object_set_new(o, "high", whole(e->high));
    json_object_set_new(o, "at_least", whole(e->at_least));
    return o;
}

static json_t *event_json(const struct fl_sampled *s, uint32_t i)
{
    const struct fl_sampled_info *e = &s->v[i];
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        { "samples", e->samples.n },
        { "taken", e->loss.taken },
        { "lost", e->loss.lost },
        { "enabled_ns", e->loss.enabled_ns },
        { "running_ns", e->loss.running_ns },
        { "throttled_ns", e->loss.throttled_ns },
        { "seen_bp", (uint64_t)(10000 * fl_sampling_seen(&e->loss) + 0.5) },
    };
    struct fl_estimate all;
    json_t *o = json_object();
    fl_sampled_all(s, i, &all);
    json_object_set_new(o, "event", fl_json_text(e->name));
    json_object_set_new(o, "from", fl_json_text(e->from));
    for (size_t k = 0; k < FL_COUNT(rows); k++)
        json_object_set_new(o, rows[k].key, fl_json_u64(rows[k].value));
    if (e->has_total)
        json_object_set_new(o, "total", fl_json_u64(e->total));
    json_object_set_new(o, "estimated", fl_estimate_json(&all));
    return o;
}

json_t *fl_sampled_json(const struct fl_sampled *s)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->n; i++)
        json_array_append_new(list, event_json(s, i));
    return list;
}
