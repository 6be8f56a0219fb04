/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>
#include <stdlib.h>

#include <faultline/json_write.h>
#include <faultline/table.h>
#include <faultline/units.h>

#include "thrash_text.h"

#define MILLION 1000000u

/* Takes @text, which is malloc'ed and clean, or NULL when memory was out. */
static json_t *taken(char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    free(text);
    return value;
}

static json_t *pages_or_null(uint64_t pages)
{
    return pages ? fl_json_u64(pages * FL_PAGE_BYTES) : json_null();
}

static uint64_t per_million(uint64_t count, uint64_t accesses)
{
    return accesses ? (uint64_t)((unsigned __int128)count * MILLION / accesses) : 0;
}

static json_t *culprit_json(const struct fl_culprit *c, const struct fl_thrash_interval *iv,
                            const struct fl_attribution *a)
{
    json_t *o = json_object();
    bool known = c->process < a->n_processes;
    json_object_set_new(o, "pid", fl_json_u64(known ? a->processes[c->process].pid : 0));
    json_object_set_new(o, "comm", fl_json_text(known ? a->processes[c->process].comm : ""));
    json_object_set_new(
        o, "mapping", fl_json_text(c->mapping < a->n_mappings ? a->mappings[c->mapping].name : ""));
    if (c->function < a->n_functions)
        json_object_set_new(o, "function", fl_json_text(a->functions[c->function]));
    json_object_set_new(o, "refaults", fl_json_u64(c->refaults));
    json_object_set_new(o, "share_bp",
                        fl_json_u64((uint64_t)((unsigned __int128)c->refaults * 10000 /
                                               (iv->refaults ? iv->refaults : 1))));
    return o;
}

static json_t *interval_json(const struct fl_thrash_interval *iv, const struct fl_attribution *a)
{
    json_t *o = json_object(), *culprits = json_array();
    uint64_t accesses = iv->to_access - iv->from_access;
    json_object_set_new(o, "from_access", fl_json_u64(iv->from_access));
    json_object_set_new(o, "to_access", fl_json_u64(iv->to_access));
    json_object_set_new(o, "fault_rate", fl_json_u64(per_million(iv->faults, accesses)));
    json_object_set_new(o, "refault_rate", fl_json_u64(per_million(iv->refaults, accesses)));
    json_object_set_new(o, "culprit", taken(thrash_culprits(iv, a)));
    json_object_set_new(o, "refaults", fl_json_u64(iv->refaults));
    json_object_set_new(o, "refaulted_pages", fl_json_u64(iv->pages));
    json_object_set_new(o, "near_refaults", fl_json_u64(iv->near));
    json_object_set_new(o, "stall_share_bp", fl_json_u64(iv->stall_bp));
    json_object_set_new(o, "ram_to_end_bytes", pages_or_null(iv->ram_to_end_pages));
    for (size_t i = 0; i < iv->n_culprits; i++)
        json_array_append_new(culprits, culprit_json(&iv->culprits[i], iv, a));
    json_object_set_new(o, "culprits", culprits);
    return o;
}

json_t *fl_thrash_json(const struct fl_thrash *t, const struct fl_result *res)
{
    json_t *o = json_object(), *intervals = json_array();
    json_object_set_new(o, "verdict", json_string(t->verdict));
    for (size_t i = 0; i < t->n_intervals; i++)
        json_array_append_new(intervals, interval_json(&t->intervals[i], res->attribution));
    json_object_set_new(o, "intervals", intervals);
    json_object_set_new(o, "knee_ram_bytes",
                        t->has_curve ? pages_or_null(t->knee_pages) : json_null());
    json_object_set_new(o, "cliff_ram_bytes",
                        t->has_curve ? pages_or_null(t->cliff_pages) : json_null());
    return o;
}
