/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_live.c - recording what runs already: its threads, and what /proc knows of it. */
#include "session.h"

int fl_session_open_live(struct session *s, struct fl_perf_plan *plan, struct fl_err *err)
{
    return fl_perf_open(&s->set, plan, err);
}

int fl_session_adopt(struct session *s, struct fl_err *err)
{
    (void)s, (void)err;
    return FL_OK;
}

int fl_session_snapshot(struct session *s, uint32_t moment, struct fl_err *err)
{
    (void)s, (void)err, (void)moment;
    return FL_OK;
}
