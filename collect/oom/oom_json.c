/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "faultline.oom/1", as docs/oom.md has it. */
#include <stdlib.h>

#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/oom_live.h>
#include <faultline/units.h>

static void put_size(json_t *o, const char *key, uint64_t bytes)
{
    json_object_set_new(o, key, bytes == FL_SIZE_MAX_BYTES ? json_null() : fl_json_u64(bytes));
}

static void put_steal(json_t *o, const char *key, char *text)
{
    json_object_set_new(o, key, text && *text ? fl_json_text(text) : json_null());
    free(text);
}

static json_t *machine_json(const struct fl_oom *oom)
{
    const struct fl_meminfo *m = &oom->machine;
    json_t *o = json_object();
    put_size(o, "ram_bytes", m->ram_bytes);
    put_size(o, "available_bytes", m->available_bytes);
    put_size(o, "swap_bytes", m->swap_bytes);
    put_size(o, "swap_free_bytes", m->swap_free_bytes);
    json_object_set_new(o, "sees_all_processes", json_boolean(oom->sees_all));
    return o;
}

static json_t *asked_json(const struct fl_oom_report *r)
{
    const struct fl_oom *oom = r->oom;
    json_t *o = json_object();
    json_object_set_new(o, "as_it_is", json_boolean(!oom->is_asked_of_other));
    put_size(o, "ram_bytes", oom->ram_bytes);
    put_size(o, "swap_bytes", oom->swap_bytes);
    json_object_set_new(o, "total_pages", fl_json_u64(oom->total_pages));
    return o;
}

static json_t *group_json(const struct fl_oom_group *g)
{
    json_t *o = json_object();
    json_object_set_new(o, "path", fl_json_text(g->dir));
    json_object_set_new(o, "version", json_integer(g->version));
    put_size(o, "limit_bytes", g->has_limit ? g->limit_bytes : FL_SIZE_MAX_BYTES);
    put_size(o, "swap_limit_bytes", g->swap_bytes);
    put_size(o, "usage_bytes", g->usage_bytes);
    put_size(o, "swap_used_bytes", g->swap_used_bytes);
    json_object_set_new(o, "kills_all", json_boolean(g->kills_all));
    return o;
}

static json_t *pressure_json(const struct fl_oom_report *r)
{
    const struct fl_oom *oom = r->oom;
    json_t *o = json_object();
    json_object_set_new(o, "verdict", fl_json_text(fl_oom_pressure_name(oom->pressure)));
    put_size(o, "in_use_bytes", oom->in_use_bytes);
    put_size(o, "not_swappable_bytes", oom->pinned_bytes);
    put_size(o, "capacity_bytes", oom->ram_bytes + oom->swap_bytes);
    put_size(o, "short_bytes", oom->short_bytes);
    put_steal(o, "sentence", fl_oom_pressure_sentence(oom, r->group));
    return o;
}

static json_t *process_json(const struct fl_oom_process *p)
{
    const struct fl_proc_memory *m = &p->memory;
    json_t *o = json_object();
    json_object_set_new(o, "pid", fl_json_u64(m->pid));
    json_object_set_new(o, "comm", fl_json_text(m->comm));
    json_object_set_new(o, "uid", fl_json_u64(m->uid));
    json_object_set_new(o, "badness", json_integer(p->badness));
    json_object_set_new(o, "oom_score_adj", json_integer(m->oom_score_adj));
    json_object_set_new(o, "score", json_integer(p->score));
    json_object_set_new(o, "kernel_score",
                        m->oom_score < 0 ? json_null() : json_integer(m->oom_score_after));
    json_object_set_new(o, "agrees", json_boolean(p->agrees));
    json_object_set_new(o, "protected", json_boolean(p->guard != FL_OOM_MAY_DIE));
    json_object_set_new(o, "reason",
                        p->guard == FL_OOM_MAY_DIE ? json_null()
                                                   : fl_json_text(fl_oom_guard_name(p->guard)));
    json_object_set_new(o, "dying", json_boolean(m->is_dying));
    put_size(o, "anon_bytes", m->anon_bytes);
    put_size(o, "file_bytes", m->file_bytes);
    put_size(o, "shmem_bytes", m->shmem_bytes);
    put_size(o, "swap_bytes", m->swap_bytes);
    put_size(o, "page_table_bytes", m->table_bytes);
    put_size(o, "virtual_bytes", m->virtual_bytes);
    json_object_set_new(o, "adj_pages", json_integer(p->adj_pages));
    return o;
}

static json_t *change_json(const struct fl_oom *oom, size_t other)
{
    struct fl_oom_change c = fl_oom_change(oom, other);
    if (!c.is_possible)
        return json_null();
    json_t *o = json_object();
    json_object_set_new(o, "pid", fl_json_u64(oom->process[other].memory.pid));
    put_size(o, "grow_bytes", c.margin_bytes);
    json_object_set_new(o, "raise_oom_score_adj",
                        c.raise < 0 ? json_null() : json_integer(c.raise));
    json_object_set_new(o, "lower_oom_score_adj_of_first",
                        c.lower < 0 ? json_null() : json_integer(c.lower));
    put_steal(o, "sentence", fl_oom_change_sentence(oom, other));
    return o;
}

static json_t *explained_json(const struct fl_oom_report *r)
{
    if (r->explained >= r->oom->n)
        return json_null();
    json_t *o = json_object();
    size_t other = r->explained ? r->explained : 1;
    json_object_set_new(o, "pid", fl_json_u64(r->oom->process[r->explained].memory.pid));
    json_object_set_new(o, "place",
                        r->explained < r->oom->n_candidates ? fl_json_u64(r->explained + 1)
                                                            : json_null());
    put_steal(o, "sentence", fl_oom_sentence(r->oom, r->explained));
    json_object_set_new(o, "change", change_json(r->oom, other));
    return o;
}

static json_t *earlyoom_json(const struct fl_oom_report *r)
{
    const struct fl_oom_earlyoom *e = r->earlyoom;
    json_t *o = json_object();
    json_object_set_new(o, "running", json_boolean(e->is_running));
    json_object_set_new(o, "would", fl_json_text(fl_oom_act_name(e->act)));
    json_object_set_new(o, "available_bp", fl_json_u64(e->available_bp));
    json_object_set_new(o, "swap_free_bp", fl_json_u64(e->swap_free_bp));
    json_object_set_new(o, "victim_pid",
                        e->victim == SIZE_MAX ? json_null()
                                              : fl_json_u64(r->oom->process[e->victim].memory.pid));
    json_object_set_new(o, "victim_score", json_integer(e->victim_score));
    json_object_set_new(o, "source", fl_json_text("earlyoom(1)"));
    return o;
}

static json_t *oomd_group_json(const struct fl_oomd_group *g)
{
    if (!*g->path)
        return json_null();
    json_t *o = json_object();
    json_object_set_new(o, "path", fl_json_text(g->path));
    put_size(o, "swap_bytes", g->bytes);
    json_object_set_new(o, "stalled_bp", fl_json_u64(g->bp));
    return o;
}

static json_t *oomd_json(const struct fl_oom_oomd *d)
{
    json_t *o = json_object();
    json_object_set_new(o, "running", json_boolean(d->is_running));
    json_object_set_new(o, "possible", json_boolean(d->is_possible));
    json_object_set_new(o, "would", fl_json_text(fl_oom_act_name(d->act)));
    json_object_set_new(o, "why", fl_json_text(d->why));
    json_object_set_new(o, "memory_used_bp", fl_json_u64(d->memory_used_bp));
    json_object_set_new(o, "swap_used_bp", fl_json_u64(d->swap_used_bp));
    json_object_set_new(o, "swap_rule", json_boolean(d->swap_met));
    json_object_set_new(o, "swap_victim", oomd_group_json(&d->swap_victim));
    json_object_set_new(o, "pressure_rule", json_boolean(d->pressure_met));
    json_object_set_new(o, "most_stalled", oomd_group_json(&d->pressed));
    json_object_set_new(o, "source", fl_json_text("systemd-oomd.service(8), oomd.conf(5)"));
    return o;
}

json_t *fl_oom_json(const struct fl_oom_report *r)
{
    const struct fl_oom *oom = r->oom;
    json_t *o = json_object(), *list = json_array(), *checked = json_object();
    size_t n = r->rows && r->rows < oom->n ? r->rows : oom->n;
    json_object_set_new(o, "schema", fl_json_text("faultline.oom/1"));
    json_object_set_new(o, "machine", machine_json(oom));
    json_object_set_new(o, "asked", asked_json(r));
    if (r->group)
        json_object_set_new(o, "group", group_json(r->group));
    json_object_set_new(o, "pressure", pressure_json(r));
    json_object_set_new(checked, "processes", fl_json_u64(oom->n));
    json_object_set_new(checked, "candidates", fl_json_u64(oom->n_candidates));
    json_object_set_new(checked, "compared", fl_json_u64(oom->n_compared));
    json_object_set_new(checked, "disagree", fl_json_u64(oom->n_disagree));
    json_object_set_new(checked, "unread", fl_json_u64(oom->n_unread));
    json_object_set_new(o, "checked", checked);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, process_json(&oom->process[i]));
    json_object_set_new(o, "candidates", list);
    json_object_set_new(o, "explained", explained_json(r));
    if (r->earlyoom)
        json_object_set_new(o, "earlyoom", earlyoom_json(r));
    if (r->oomd)
        json_object_set_new(o, "systemd_oomd", oomd_json(r->oomd));
    return o;
}
