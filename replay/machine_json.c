/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine profile as JSON: what machine_file.c reads. */
#include <jansson.h>

#include <faultline/costs.h>
#include <faultline/machine.h>

static json_t *pages_json(const struct fl_tlb_level *level)
{
    json_t *list = json_array();
    for (int size = 0; size < FL_PAGE_SIZES; size++)
        if (fl_tlb_holds(level, (enum fl_page_size)size))
            json_array_append_new(list, json_string(fl_page_size_name((enum fl_page_size)size)));
    return list;
}

static json_t *levels_json(const struct fl_machine *m)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < m->n_tlb; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:I,s:I}", "name", m->tlb[i].name,
                                              "role", fl_tlb_role_name(m->tlb[i].role), "pages",
                                              pages_json(&m->tlb[i]), "entries",
                                              (json_int_t)m->tlb[i].entries, "ways",
                                              (json_int_t)m->tlb[i].ways));
    return list;
}

static json_t *walk_json(const struct fl_machine *m)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < m->n_walk; i++)
        json_array_append_new(list, json_pack("{s:s,s:I,s:I}", "holds",
                                              fl_walk_cache_name(m->walk[i].level), "entries",
                                              (json_int_t)m->walk[i].entries, "ways",
                                              (json_int_t)m->walk[i].ways));
    return list;
}

json_t *fl_machine_json(const struct fl_machine *m)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:b,s:o}", "name", m->name, "summary",
                          m->summary, "source", m->source, "levels", (json_int_t)m->levels, "asids",
                          (json_int_t)m->asids, "flush_pages",
                          (json_int_t)(m->flush_pages ? m->flush_pages : FL_FLUSH_PAGES_X86),
                          "broadcast_flush", m->broadcast, "tlb", levels_json(m));
    if (o && m->n_walk) {
        json_object_set_new(o, "walk_caches", walk_json(m));
        json_object_set_new(o, "walk_flush", json_string(m->walk_flush_page ? "page" : "space"));
        json_object_set_new(o, "walk_source", json_string(m->walk_source));
    }
    if (o && m->costs)
        json_object_set_new(o, "costs", fl_costs_json(m->costs));
    return o;
}
