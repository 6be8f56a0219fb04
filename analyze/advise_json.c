/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "faultline.advise/1", keys as docs/results.md lists them. */
#include <string.h>

#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/units.h>

#include "advise.h"

const char *advise_row_name(enum advise_row row)
{
    static const char *const names[ADVISE_ROWS] = { "peak",        "advised",      "asked",
                                                    "slowdown_25", "slowdown_100", "no_swap" };
    return names[row];
}

static json_t *pages(uint64_t n)
{
    return n == UINT64_MAX
               ? json_null()
               : fl_json_u64(n > UINT64_MAX / FL_PAGE_BYTES ? UINT64_MAX : n * FL_PAGE_BYTES);
}

static void counts(json_t *o, const struct advise_probe *p)
{
    json_object_set_new(o, "slowdown_bp", p->killed ? json_null() : fl_json_u64(p->slowdown_bp));
    json_object_set_new(o, "minor", fl_json_u64(p->minor));
    json_object_set_new(o, "major", fl_json_u64(p->major));
    json_object_set_new(o, "swap_in", fl_json_u64(p->swap_in));
    json_object_set_new(o, "swap_out", fl_json_u64(p->swap_out));
}

static json_t *option_json(enum advise_row row, const struct advise_option *opt)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", fl_json_text(advise_row_name(row)));
    json_object_set_new(o, "budget_bp", fl_json_u64(opt->budget_bp));
    json_object_set_new(o, "ram_bytes", pages(opt->at.ram_pages));
    json_object_set_new(o, "swap_bytes", pages(opt->swap_pages));
    counts(o, &opt->at);
    json_object_set_new(o, "exact", json_boolean(opt->exact));
    json_object_set_new(o, "non_monotone", json_boolean(opt->non_monotone));
    return o;
}

static json_t *probe_json(const struct advise_probe *p)
{
    json_t *o = json_object();
    json_object_set_new(o, "ram_bytes", pages(p->ram_pages));
    json_object_set_new(o, "swap_bytes", pages(p->swap_pages));
    json_object_set_new(o, "first_flush_ms", fl_json_u64(p->first_flush_ms));
    json_object_set_new(o, "killed", json_boolean(p->killed));
    counts(o, p);
    json_object_set_new(o, "swap_peak_bytes", pages(p->swap_peak_pages));
    return o;
}

static json_t *advice_json(const struct advise *a)
{
    const struct advise_option *o = &a->rows[ADVISE_ADVISED];
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "ram_bytes", pages(o->at.ram_pages), "swap_bytes",
                     pages(o->swap_pages), "ram_max_bytes",
                     pages(o->at.ram_pages > a->max_pages ? o->at.ram_pages : a->max_pages),
                     "no_swap_ram_bytes",
                     a->rows[ADVISE_NO_SWAP].found ? pages(a->no_swap_pages) : json_null(),
                     "slowdown_bp", fl_json_u64(o->at.slowdown_bp));
}

static json_t *margin_json(const struct advise *a)
{
    return json_pack("{s:o,s:o,s:o,s:i,s:b}", "asked_bp", fl_json_u64(a->margin_bp),
                     "without_margin_ram_bytes", pages(a->rows[ADVISE_ASKED].at.ram_pages),
                     "with_error_ram_bytes", pages(a->tight_pages), "raised", (int)a->raised,
                     "raised_for_kernel", a->raised_for_kernel);
}

static json_t *confidence_json(const struct advise *a)
{
    json_t *reasons = json_array();
    for (size_t i = 0; i < a->n_reasons; i++)
        json_array_append_new(reasons, json_pack("{s:s,s:o}", "at_most",
                                                 advise_confidence_name(a->reasons[i].at_most),
                                                 "text", fl_json_text(a->reasons[i].text)));
    return json_pack("{s:s,s:o}", "level", advise_confidence_name(a->confidence), "reasons",
                     reasons);
}

static json_t *validation_json(const struct advise_measured *m)
{
    if (!m->given)
        return json_null();
    return json_pack("{s:i,s:o,s:o,s:o,s:b}", "limits", (int)m->limits, "swap_cost_bp",
                     m->swap_cost_bp ? fl_json_u64(m->swap_cost_bp) : json_null(), "error_bp",
                     m->n_errors ? fl_json_u64(m->error_bp) : json_null(), "killed_ram_bytes",
                     m->killed_bytes ? fl_json_u64(m->killed_bytes) : json_null(), "with_swap",
                     m->with_swap);
}

static json_t *steepness_json(const struct advise *a)
{
    return a->less.ram_pages ? probe_json(&a->less) : json_null();
}

json_t *advise_json(const struct advise *a, json_t *trace, json_t *quality)
{
    json_t *o = json_object(), *options = json_array(), *probes = json_array();
    json_object_set_new(o, "schema", json_string("faultline.advise/1"));
    json_object_set_new(o, "trace", trace);
    json_object_set_new(o, "verdict", fl_json_text(a->verdict));
    json_object_set_new(o, "policy", fl_json_text(a->policy->name));
    json_object_set_new(o, "swap_device",
                        fl_json_text((const char *[]){ "zram", "ssd", "disk" }[a->swap_kind]));
    json_object_set_new(o, "costs_source", fl_json_text(a->costs.source));
    json_object_set_new(o, "slowdown_budget_bp", fl_json_u64(a->slowdown_bp));
    json_object_set_new(o, "peak_bytes", pages(a->peak_pages));
    json_object_set_new(o, "killed_ram_bytes",
                        a->killed_pages ? pages(a->killed_pages) : json_null());
    json_object_set_new(o, "step_bytes", pages(a->step_pages));
    json_object_set_new(o, "advice", advice_json(a));
    for (int i = 0; i < ADVISE_ROWS; i++)
        if (a->rows[i].found)
            json_array_append_new(options, option_json((enum advise_row)i, &a->rows[i]));
    json_object_set_new(o, "options", options);
    json_object_set_new(o, "knee_ram_bytes",
                        a->curve.knee ? fl_json_u64(a->curve.knee_ram_bytes) : json_null());
    json_object_set_new(o, "cliff_ram_bytes",
                        a->curve.cliff ? fl_json_u64(a->curve.cliff_ram_bytes) : json_null());
    json_object_set_new(o, "margin", margin_json(a));
    json_object_set_new(o, "confidence", confidence_json(a));
    json_object_set_new(o, "five_percent_less", steepness_json(a));
    json_object_set_new(o, "validation", validation_json(&a->measured));
    for (size_t i = 0; i < a->n_probes; i++)
        json_array_append_new(probes, probe_json(&a->probes[i]));
    json_object_set_new(o, "probes", probes);
    json_object_set_new(o, "quality", quality);
    return o;
}
