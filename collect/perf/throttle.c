/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "throttle.h"

#include <stdlib.h>
#include <string.h>

static uint64_t stop_ns(uint64_t since_ns, uint64_t end_ns)
{
    uint64_t ns = end_ns > since_ns ? end_ns - since_ns : 0;
    return ns < FL_THROTTLE_MAX_NS ? ns : FL_THROTTLE_MAX_NS;
}

void fl_throttle_record(struct fl_throttle *t, bool stop, uint64_t time_ns)
{
    if (stop) {
        t->times++;
        if (!t->stopped) /* else the record between was lost: stopped all the while */
            t->since_ns = time_ns;
    } else if (t->stopped) {
        t->total_ns += stop_ns(t->since_ns, time_ns);
    }
    t->stopped = stop;
}

uint64_t fl_throttle_ns(const struct fl_throttle *t, uint64_t end_ns)
{
    return t->total_ns + (t->stopped ? stop_ns(t->since_ns, end_ns) : 0);
}

bool fl_throttles_record(struct fl_throttles *all, const struct fl_perf_rec *rec)
{
    uint64_t event = (uint64_t)rec->source << 32 | rec->index;
    uint32_t at;
    if (!fl_idmap_get(&all->places, event, rec->cpu, rec->watch, &at)) {
        if (all->n == all->room) {
            uint32_t room = all->room ? 2 * all->room : 16;
            void *grown = reallocarray(all->v, room, sizeof *all->v);
            if (!grown)
                return false;
            all->v = grown;
            all->room = room;
        }
        at = all->n;
        if (!fl_idmap_put(&all->places, event, rec->cpu, rec->watch, at))
            return false;
        all->v[all->n++] = (struct fl_throttle_of){ .source = rec->source, .index = rec->index };
    }
    fl_throttle_record(&all->v[at].t, rec->type == PERF_RECORD_THROTTLE, rec->time_ns);
    return true;
}

uint64_t fl_throttles_sum(const struct fl_throttles *all, enum fl_perf_source source,
                          uint32_t index, uint64_t end_ns, uint64_t *ns)
{
    uint64_t times = 0;
    *ns = 0;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->v[i].source == source && all->v[i].index == index) {
            times += all->v[i].t.times;
            *ns += fl_throttle_ns(&all->v[i].t, end_ns);
        }
    return times;
}

void fl_throttles_clear(struct fl_throttles *all)
{
    fl_idmap_clear(&all->places);
    free(all->v);
    memset(all, 0, sizeof *all);
}
