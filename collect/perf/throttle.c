/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "throttle.h"

void fl_throttle_record(struct fl_throttle *t, bool stop, uint64_t time_ns)
{
    if (stop) {
        t->times++;
        if (!t->stopped) /* else the record between was lost: stopped all the while */
            t->since_ns = time_ns;
    } else if (t->stopped && time_ns > t->since_ns) {
        t->total_ns += time_ns - t->since_ns;
    }
    t->stopped = stop;
}

uint64_t fl_throttle_ns(const struct fl_throttle *t, uint64_t end_ns)
{
    return t->total_ns + (t->stopped && end_ns > t->since_ns ? end_ns - t->since_ns : 0);
}
