/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_meta.h - the header keys that say how and of what a recording was made.
 */
#ifndef FL_PERF_META_H
#define FL_PERF_META_H

#include <faultline/err.h>
#include <faultline/record.h>
#include <faultline/trace.h>

#include "perf_open.h"

/** fl_perf_meta - @mode: "events" or "sample". Add command, record, host and quality keys known at the start. */
int fl_perf_meta(struct fl_meta *meta, const struct fl_record_opts *opts, const char *mode,
                 const struct fl_perf_set *set, struct fl_err *err);

#endif
