/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <faultline/locality.h>

#include "naive_locality.h"

static uint64_t accesses_of(const struct naive_item *run)
{
    return run->actor == FL_ACTOR_USER ? (uint64_t)run->reads + run->writes + run->fetches : 0;
}

/* The column of access number @i, from 0; what comes after the last access is in the last column. */
static uint32_t column_of(uint64_t i, uint64_t accesses)
{
    if (accesses == 0)
        return 0;
    return (uint32_t)(i < accesses ? i * FL_LOCALITY_COLUMNS / accesses : FL_LOCALITY_COLUMNS - 1);
}

static bool same_page(const struct naive_touch *a, const struct naive_touch *b)
{
    return a->mm == b->mm && a->vpn == b->vpn;
}

static void add(struct naive_touches *t, struct naive_touch touch)
{
    for (size_t i = 0; i < t->list.n; i++) {
        const struct naive_touch *have = &t->list.at[i];
        if (same_page(have, &touch) && have->column == touch.column &&
            have->process == touch.process && have->contents == touch.contents)
            return;
    }
    LIST_ADD(&t->list, touch);
}

struct owner {
    uint32_t mm;
    size_t process;
};

struct owners {
    LIST(struct owner) list;
};

static size_t owner_of(const struct owners *o, uint32_t mm)
{
    for (size_t i = 0; i < o->list.n; i++)
        if (o->list.at[i].mm == mm)
            return o->list.at[i].process;
    return SIZE_MAX;
}

/* A space belongs to the process that is first in it, whoever else joins. */
static void note_owner(struct owners *o, const struct world *w, const struct fl_event *ev)
{
    uint32_t mm = ev->kind == FL_EV_PROCESS ? ev->process.mm : ev->exec.mm;
    uint32_t pid = ev->kind == FL_EV_PROCESS ? ev->process.pid : ev->exec.pid;
    size_t process = w->processes.n;
    if ((ev->kind != FL_EV_PROCESS && ev->kind != FL_EV_EXEC) || owner_of(o, mm) != SIZE_MAX)
        return;
    while (process-- > 0 && w->processes.at[process].pid != pid)
        ;
    LIST_ADD(&o->list, (struct owner){ mm, process });
}

void naive_touches(const struct naive_item *items, size_t n, struct naive_touches *out)
{
    struct naive_result *res = calloc(1, sizeof *res);
    struct naive_opts opts = { .frames = FL_FRAMES_UNLIMITED,
                               .swap_pages = UINT64_MAX,
                               .policy = "lru",
                               .machine = fl_machine_at(0),
                               .no_tlb = true };
    struct world w = { .opts = &opts, .res = res, .running = NONE };
    struct owners owners = { .list = { NULL, 0 } };
    uint64_t so_far = 0;
    if (!res)
        abort();
    memset(out, 0, sizeof *out);
    naive_tlb_init(&w);
    for (size_t i = 0; i < n; i++)
        out->accesses += items[i].is_run ? accesses_of(&items[i]) : 0;
    for (size_t i = 0; i < n; i++) {
        if (!items[i].is_run) {
            naive_process_event(&w, &items[i].event);
            naive_vm_event(&w, &items[i].event);
            note_owner(&owners, &w, &items[i].event);
            continue;
        }
        enum fl_cause cause = FL_CAUSE_NONE;
        uint64_t accesses = accesses_of(&items[i]);
        w.running = naive_process_of_thread(&w, items[i].thread);
        int c = naive_vm_reference(&w, &items[i], &cause);
        for (uint64_t k = 0; k < (accesses ? accesses : 1) && c != NONE; k++)
            add(out, (struct naive_touch){ .mm = items[i].mm,
                                           .vpn = items[i].vpn,
                                           .column = column_of(so_far + k, out->accesses),
                                           .process = owner_of(&owners, items[i].mm),
                                           .contents = c });
        so_far += accesses;
    }
    for (size_t i = 0; i < w.processes.n && i < 64; i++)
        out->processes[out->n_processes++] = w.processes.at[i];
    naive_world_free(&w);
    free(owners.list.at);
    free(res);
}

void naive_touches_free(struct naive_touches *t)
{
    free(t->list.at);
}

static bool is_in(const struct naive_touches *t, const struct naive_touch *page, uint32_t from,
                  uint32_t to)
{
    for (size_t i = 0; i < t->list.n; i++)
        if (same_page(&t->list.at[i], page) && t->list.at[i].column >= from &&
            t->list.at[i].column < to)
            return true;
    return false;
}

/* The first touch of its page in the list: what stands for the page. */
static bool stands_for_page(const struct naive_touches *t, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (same_page(&t->list.at[i], &t->list.at[j]))
            return false;
    return true;
}

uint64_t naive_common(const struct naive_touches *t, uint32_t from, uint32_t to, uint32_t from2,
                      uint32_t to2)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->list.n; i++)
        n += stands_for_page(t, i) && is_in(t, &t->list.at[i], from, to) &&
             is_in(t, &t->list.at[i], from2, to2);
    return n;
}

uint64_t naive_pages_in(const struct naive_touches *t, uint32_t from, uint32_t to)
{
    return naive_common(t, from, to, from, to);
}

uint64_t naive_first_touches(const struct naive_touches *t, uint32_t from, uint32_t to)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->list.n; i++)
        n += stands_for_page(t, i) && t->list.at[i].column >= from && t->list.at[i].column < to;
    return n;
}

/* How many processes touched the contents that touch @i is the first of; 0: it is not. */
static size_t touchers(const struct naive_touches *t, size_t i)
{
    size_t n = 0;
    for (size_t j = 0; j < i; j++)
        if (t->list.at[j].contents == t->list.at[i].contents)
            return 0;
    for (size_t p = 0; p < t->n_processes; p++) {
        bool did = false;
        for (size_t j = i; j < t->list.n; j++)
            did |= t->list.at[j].contents == t->list.at[i].contents && t->list.at[j].process == p;
        n += did;
    }
    return n;
}

uint64_t naive_contents(const struct naive_touches *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->list.n; i++)
        n += touchers(t, i) > 0;
    return n;
}

uint64_t naive_contents_shared(const struct naive_touches *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->list.n; i++)
        n += touchers(t, i) > 1;
    return n;
}

uint64_t naive_contents_only_of(const struct naive_touches *t, size_t process)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->list.n; i++)
        n += touchers(t, i) == 1 && t->list.at[i].process == process;
    return n;
}
