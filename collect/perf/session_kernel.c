/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_kernel.c - the tracepoints of --kernel, and what gives hits and samples their names. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

int fl_session_kernel_find(struct session *s, struct fl_err *err)
{
    if (!s->opts->kernel)
        return FL_OK;
    int rc = fl_kernel_events(NULL, s->opts->kernel_groups, &s->kernel, err);
    if (rc == FL_OK)
        rc = fl_session_frees_find(s, err);
    for (size_t i = 0; rc == FL_OK && i < s->kernel.n; i++) {
        const struct fl_perf_extra probe = { .source = FL_SRC_PROBE,
                                             .name = s->kernel.v[i].name,
                                             .tracepoint_id = s->kernel.v[i].id };
        rc = fl_session_extra(s, &probe, err);
    }
    return rc;
}

bool fl_session_has_slabs(const struct session *s)
{
    for (size_t i = 0; i < s->kernel.n; i++)
        if (strcmp(s->kernel.v[i].name, "kmem:kmem_cache_alloc") == 0)
            return true;
    return false;
}

static int on_probe(void *ctx, const struct fl_perf_rec *rec, uint32_t thread, uint64_t time_ns,
                    struct fl_err *err)
{
    struct session *s = ctx;
    const struct fl_raw_hit hit = { .cpu = rec->cpu,
                                    .tid = rec->tid,
                                    .thread = thread,
                                    .time_ns = time_ns,
                                    .raw = rec->tp.raw,
                                    .raw_bytes = rec->tp.raw_bytes };
    return fl_hits_push(s->hits, &s->kernel.v[rec->index], rec->index, &hit, err);
}

int fl_session_kernel_open(struct session *s, struct fl_tree_io *io, struct fl_err *err)
{
    if (!s->n_extra)
        return FL_OK;
    s->hits = fl_hits_new(fl_session_emit, s, s->opts->redact);
    io->probe = on_probe;
    return s->hits ? FL_OK : fl_nomem(err, "kernel events");
}

int fl_session_kernel_meta(struct session *s, struct fl_err *err)
{
    if (!s->opts->kernel)
        return FL_OK;
    int rc = fl_meta_set(s->meta, "record.kernel", s->kernel.groups, err);
    if (rc == FL_OK && s->kernel.missing && *s->kernel.missing)
        rc = fl_meta_setf(s->meta, err, "quality.kernel_missing", "this kernel has not: %s",
                          s->kernel.missing);
    return rc == FL_OK ? fl_session_frees_meta(s, err) : rc;
}
