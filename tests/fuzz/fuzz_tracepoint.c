/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a tracepoint's format, and any bytes behind its first 0 as a record of it: what comes
 * out is a signature that reads back, and hits whose names are defined.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct seen {
    const struct fl_tp_event *tp;
    struct fl_probe probe;
    uint32_t probes, names, hits;
};

static int emit(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct seen *s = ctx;
    (void)err;
    if (ev->kind == FL_EV_PROBE) {
        must(ev->probe.probe == s->probes++ && fl_probe_parse(ev->probe.signature, &s->probe));
        must(strcmp(s->probe.name, s->tp->name) == 0 && s->probe.n_fields == s->tp->n_fields);
        for (uint32_t i = 0; i < s->probe.n_fields; i++)
            must(strcmp(s->probe.fields[i].name, s->tp->fields[i].name) == 0 &&
                 s->probe.fields[i].type == s->tp->fields[i].type);
    } else if (ev->kind == FL_EV_NAME) {
        must(ev->name.name == s->names++ && strlen(ev->name.text) < 65536);
    } else {
        must(ev->kind == FL_EV_HIT && ev->hit.probe < s->probes);
        must(ev->hit.n_values <= s->probe.n_fields);
        for (uint32_t i = 0; i < ev->hit.n_values; i++)
            must(s->probe.fields[i].type != 's' || (uint64_t)ev->hit.values[i] < s->names);
        s->hits++;
    }
    return FL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    struct fl_tp_event tp;
    struct fl_tp_field field;
    struct fl_err err;
    if (!end)
        return 0;
    const char *format = (const char *)data;
    (void)fl_tp_parse_field(format, "address", &field);
    if (!fl_tp_parse("fuzz/event", format, &tp))
        return 0;
    struct seen seen = { .tp = &tp };
    struct fl_hits *hits = fl_hits_new(emit, &seen, size & 1);
    /* Its own memory, so that a read past the record is seen. */
    size_t n = size - (size_t)(end - data) - 1;
    uint8_t *raw = malloc(n ? n : 1);
    must(hits && raw);
    memcpy(raw, end + 1, n);
    for (uint32_t i = 0; i < 2; i++) {
        const struct fl_raw_hit hit = { .thread = FL_NO_THREAD,
                                        .raw = raw,
                                        .raw_bytes = (uint32_t)n };
        must(fl_hits_push(hits, &tp, 3, &hit, &err) == FL_OK);
    }
    must(seen.hits == 2 && seen.probes == 1 && fl_hits_count(hits, 3) == 2);
    fl_hits_free(hits);
    free(raw);
    return 0;
}
