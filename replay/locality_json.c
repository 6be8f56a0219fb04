/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys `locality` and `tlb_reach` of a result. docs/results.md lists them. */
#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/locality.h>

#include <inttypes.h>

#include <faultline/units.h>

/* Those whose course is told, by number: of 1, 8 and 64 columns. */
static const uint32_t told[] = { 0, 3, 6 };

static json_t *window_json(uint64_t accesses, const struct fl_working_set *w)
{
    json_t *o = json_object();
    json_object_set_new(o, "accesses", fl_json_u64(accesses));
    json_object_set_new(o, "mean_pages", fl_json_u64(w->mean_pages));
    json_object_set_new(o, "peak_pages", fl_json_u64(w->peak_pages));
    return o;
}

static json_t *windows_json(const struct fl_locality *l, const struct fl_working_set *windows)
{
    json_t *list = json_array();
    for (uint32_t w = 0; w < FL_LOCALITY_WINDOWS; w++)
        json_array_append_new(list, window_json(l->window_accesses[w], &windows[w]));
    return list;
}

static json_t *timeline_json(const struct fl_locality *l)
{
    json_t *columns = json_pack("[s,s,s]", "access", "new_pages", "resident_pages");
    json_t *rows = json_array();
    for (size_t i = 0; i < FL_COUNT(told); i++)
        json_array_append_new(columns,
                              json_sprintf("window_%" PRIu64, l->window_accesses[told[i]]));
    for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++) {
        json_t *row = json_array();
        json_array_append_new(row, fl_json_u64(fl_locality_end(l->accesses, c)));
        json_array_append_new(row, fl_json_u64(l->new_pages[c]));
        json_array_append_new(row, fl_json_u64(l->resident_pages[c]));
        for (size_t i = 0; i < FL_COUNT(told); i++)
            json_array_append_new(row, fl_json_u64(l->working_set[told[i]][c]));
        json_array_append_new(rows, row);
    }
    json_t *o = json_object();
    json_object_set_new(o, "columns", columns);
    json_object_set_new(o, "rows", rows);
    return o;
}

static json_t *phases_json(const struct fl_locality *l)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->n_phases; i++) {
        const struct fl_phase *p = &l->phases[i];
        json_t *o = json_object();
        json_object_set_new(o, "from_access", fl_json_u64(p->from_access));
        json_object_set_new(o, "to_access", fl_json_u64(p->to_access));
        json_object_set_new(o, "label",
                            p->kind == FL_PHASE_REVISITS
                                ? json_sprintf("revisits phase %u", p->revisits + 1)
                                : fl_json_text(fl_phase_name(p->kind)));
        json_object_set_new(o, "pages", fl_json_u64(p->pages));
        json_object_set_new(o, "new_pages", fl_json_u64(p->new_pages));
        json_object_set_new(o, "common_pages", fl_json_u64(p->common_pages));
        json_object_set_new(
            o, "common_bp",
            fl_json_u64(p->pages ? (p->common_pages * 10000 + p->pages / 2) / p->pages : 0));
        json_object_set_new(o, "hottest",
                            p->hottest < l->n_mappings ? fl_json_text(l->mappings[p->hottest].name)
                                                       : json_null());
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *sets_json(const struct fl_locality *l)
{
    json_t *o = json_object(), *list = json_array();
    json_object_set_new(o, "distinct_pages", fl_json_u64(l->distinct_pages));
    json_object_set_new(o, "resident_peak_pages", fl_json_u64(l->resident_peak_pages));
    json_object_set_new(o, "memory_pages", fl_json_u64(l->contents));
    json_object_set_new(o, "shared_pages", fl_json_u64(l->shared_contents));
    for (size_t i = 0; i < l->n_processes; i++) {
        const struct fl_locality_process *p = &l->processes[i];
        json_t *e = json_object();
        json_object_set_new(e, "pid", fl_json_u64(p->pid));
        json_object_set_new(e, "comm", fl_json_text(p->comm));
        json_object_set_new(e, "pages", fl_json_u64(p->pages));
        json_object_set_new(e, "unique_pages", fl_json_u64(p->unique_pages));
        json_array_append_new(list, e);
    }
    json_object_set_new(o, "by_process", list);
    json_object_set_new(o, "left_out_processes", fl_json_u64(l->left_out_processes));
    return o;
}

static json_t *heat_json(const struct fl_locality_mapping *m)
{
    json_t *o = json_object(), *rows = json_array();
    for (uint32_t row = 0; row < m->n_rows; row++) {
        json_t *cells = json_array();
        for (uint32_t x = 0; x < FL_HEAT_COLUMNS; x++)
            json_array_append_new(cells, json_integer(m->heat[row][x]));
        json_array_append_new(rows, cells);
    }
    json_object_set_new(o, "mapping", fl_json_text(m->name));
    json_object_set_new(o, "pages", fl_json_u64(m->pages));
    json_object_set_new(o, "columns", json_integer(FL_HEAT_COLUMNS));
    json_object_set_new(o, "rows", rows);
    return o;
}

json_t *fl_locality_json(const struct fl_locality *l)
{
    json_t *o = json_object(), *mappings = json_array(), *heat = json_array();
    json_object_set_new(o, "accesses", fl_json_u64(l->accesses));
    json_object_set_new(o, "windows", windows_json(l, l->window));
    json_object_set_new(o, "timeline", timeline_json(l));
    json_object_set_new(o, "phases", phases_json(l));
    json_object_set_new(o, "sets", sets_json(l));
    for (size_t i = 0; i < l->n_mappings; i++) {
        const struct fl_locality_mapping *m = &l->mappings[i];
        json_t *e = json_object();
        json_object_set_new(e, "mapping", fl_json_text(m->name));
        json_object_set_new(e, "pages", fl_json_u64(m->pages));
        json_object_set_new(e, "windows", windows_json(l, m->window));
        json_array_append_new(mappings, e);
        json_array_append_new(heat, heat_json(m));
    }
    json_object_set_new(o, "mappings", mappings);
    json_object_set_new(o, "left_out_mappings", fl_json_u64(l->left_out_mappings));
    json_object_set_new(o, "heat", heat);
    return o;
}

static json_t *difference(uint64_t before, uint64_t after)
{
    return json_integer((json_int_t)before - (json_int_t)after);
}

json_t *fl_tlb_reach_json(const struct fl_tlb_reach *reach)
{
    json_t *o = json_object(), *list = json_array();
    json_object_set_new(o, "machine", fl_json_text(reach->machine));
    json_object_set_new(o, "walks", fl_json_u64(reach->walks));
    json_object_set_new(o, "walks_huge", fl_json_u64(reach->walks_huge));
    json_object_set_new(o, "saved", difference(reach->walks, reach->walks_huge));
    json_object_set_new(o, "walks_ragged", fl_json_u64(reach->walks_ragged));
    json_object_set_new(o, "extra_bytes", fl_json_u64(reach->extra_pages * FL_PAGE_BYTES));
    for (size_t i = 0; i < reach->n_mappings; i++) {
        const struct fl_tlb_reach_mapping *m = &reach->mappings[i];
        json_t *e = json_object();
        json_object_set_new(e, "mapping", fl_json_text(m->name));
        json_object_set_new(e, "pages", fl_json_u64(m->pages));
        json_object_set_new(e, "huge_ranges", fl_json_u64(m->huge_ranges));
        json_object_set_new(e, "walks", fl_json_u64(m->walks));
        json_object_set_new(e, "walks_huge", fl_json_u64(m->walks_huge));
        json_object_set_new(e, "saved", difference(m->walks, m->walks_huge));
        json_object_set_new(e, "walks_ragged", fl_json_u64(m->walks_ragged));
        json_object_set_new(e, "extra_bytes", fl_json_u64(m->extra_pages * FL_PAGE_BYTES));
        json_object_set_new(e, "advice", m->advice ? fl_json_text(m->advice) : json_null());
        json_array_append_new(list, e);
    }
    json_object_set_new(o, "mappings", list);
    json_object_set_new(o, "left_out", fl_json_u64(reach->left_out));
    return o;
}
