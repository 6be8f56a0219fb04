/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_frees.c - objects freed without a tracepoint: slab_frees.h, in the form of tracepoints' events. */
#include <stdio.h>
#include <string.h>

#include "session.h"

static const char *const names[FL_SLAB_FREES_KINDS] = { "kmem:kvfree_call_rcu",
                                                        "kmem:kmem_cache_free_bulk" };

static void add_field(struct fl_tp_event *tp, const char *name, char type, uint32_t bytes)
{
    struct fl_tp_value *v = &tp->fields[tp->n_fields];
    uint32_t at = 0;
    if (tp->n_fields)
        at = v[-1].at.offset_bytes + v[-1].at.size_bytes;
    tp->n_fields++;
    v->type = type;
    v->at = (struct fl_tp_field){ at, bytes };
    snprintf(v->name, sizeof v->name, "%s", name);
}

static struct fl_tp_event event_of(enum fl_slab_frees_kind kind)
{
    struct fl_tp_event tp = { .id = FL_TP_ID_BPF };
    char name[FL_PROBE_FIELD_BYTES];
    snprintf(tp.name, sizeof tp.name, "%s", names[kind]);
    if (kind == FL_SLAB_FREES_RCU) {
        add_field(&tp, "ptr", 'u', 8);
        return tp;
    }
    add_field(&tp, "name", 's', FL_SLAB_FREES_NAME_BYTES);
    for (int i = 0; i < FL_SLAB_FREES_OBJECTS; i++) {
        snprintf(name, sizeof name, "ptr%d", i);
        add_field(&tp, name, 'u', 8);
    }
    return tp;
}

int fl_session_frees_find(struct session *s, struct fl_err *err)
{
    int rc = FL_OK;
    if (s->opts->watch || !fl_session_has_slabs(s))
        return FL_OK;
    s->frees = fl_slab_frees_open();
    for (int i = 0; s->frees && i < FL_SLAB_FREES_KINDS && rc == FL_OK; i++) {
        const struct fl_tp_event tp = event_of((enum fl_slab_frees_kind)i);
        rc = fl_kernel_events_add(&s->kernel, &tp, err);
    }
    return rc;
}

int fl_session_frees_meta(struct session *s, struct fl_err *err)
{
    if (s->opts->watch || s->frees || !fl_session_has_slabs(s))
        return FL_OK;
    return fl_meta_set(s->meta, "quality.slab_frees",
                       "this kernel lets nobody watch its functions by BPF: objects freed by RCU "
                       "or in bulk are inferred, or not seen",
                       err);
}

int fl_session_frees_open(struct session *s, struct fl_err *err)
{
    if (!s->frees)
        return FL_OK;
    size_t first = s->kernel.n - FL_SLAB_FREES_KINDS; /* of those of kernel.v */
    for (size_t i = 0; i < s->set.n_fds; i++) {
        const struct fl_perf_fd *f = &s->set.fds[i];
        if (f->source == FL_SRC_PROBE && f->index >= first && f->index < s->kernel.n &&
            !fl_slab_frees_to(s->frees, (enum fl_slab_frees_kind)(f->index - first),
                              s->set.cpus[f->cpu].cpu, f->fd))
            return fl_fail_errno(err, "giving %s a buffer", names[f->index - first]);
    }
    return FL_OK;
}
