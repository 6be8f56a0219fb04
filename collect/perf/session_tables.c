/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_tables.c - the machine's tables: read next to the events' end, written where they belong among the last of them. */
#include <stdlib.h>
#include <string.h>

#include <faultline/proc.h>

#include "session.h"

static int keep(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct session *s = ctx;
    struct fl_event *grown = reallocarray(s->tables, s->n_tables + 1, sizeof *grown);
    char *text = grown ? strdup(ev->snapshot.text) : NULL;
    if (grown)
        s->tables = grown;
    if (!text)
        return fl_nomem(err, "the machine's tables");
    s->tables[s->n_tables] = *ev;
    s->tables[s->n_tables].time_ns = fl_session_now_ns() - s->start_ns;
    s->tables[s->n_tables++].snapshot.text = text;
    return FL_OK;
}

bool fl_session_wants_tables(const struct session *s)
{
    bool live = s->set.plan.target != FL_TARGET_COMMAND;
    return !s->opts->watch && (live || s->opts->kernel);
}

int fl_session_tables_read(struct session *s, struct fl_err *err)
{
    if (s->n_tables || !fl_session_wants_tables(s))
        return FL_OK;
    return fl_proc_snapshot(FL_PROC_ROOT, 0, FL_SNAPSHOT_END, s->opts->redact, keep, s, &s->skipped,
                            err);
}

int fl_session_tables_settle(struct session *s, struct fl_err *err)
{
    return fl_slab_settle(FL_SLAB_ROOT, s->start_ns, FL_SNAPSHOT_END, keep, s, err);
}

int fl_session_tables_write(struct session *s, uint64_t time_ns, struct fl_err *err)
{
    int rc = FL_OK;
    for (; s->tables_written < s->n_tables && rc == FL_OK; s->tables_written++) {
        const struct fl_event *table = &s->tables[s->tables_written];
        if (s->start_ns + table->time_ns >= time_ns)
            break;
        rc = fl_session_emit(s, table, err);
    }
    return rc;
}

void fl_session_tables_free(struct session *s)
{
    for (size_t i = 0; i < s->n_tables; i++)
        free((char *)s->tables[i].snapshot.text);
    free(s->tables);
}
