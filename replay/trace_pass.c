/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace_pass.h"

#include "reduced.h"

int trace_pass(struct fl_reader *r, const struct trace_pass *to, struct fl_err *err)
{
    struct fl_item item;
    uint64_t total = reduced_total(r, to->reduced), done = 0, to_tell = 0;
    int rc = reduced_begin(r, to->reduced, err);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT) {
            rc = to->event(to->arg, &item.event, err);
            continue;
        }
        rc = to->runs(to->arg, &item.runs, err);
        done += item.runs.n;
        if (to->progress && done >= to_tell && done <= total) {
            to_tell = done + total / 1000 + 1;
            to->progress(to->progress_arg,
                         total ? (unsigned)((unsigned __int128)done * 10000 / total) : 0);
        }
    }
    return rc;
}
