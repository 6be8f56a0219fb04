/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, sections 2 and 3, and the badness of 15. */
#include <math.h>

#include "naive_linux_world.h"

struct vpage *naive_linux_entry(struct world *w, uint32_t mm, uint64_t vpn)
{
    for (size_t i = 0; i < w->vpages.n; i++)
        if (w->vpages.at[i].mm == mm && w->vpages.at[i].vpn == vpn)
            return &w->vpages.at[i];
    return NULL;
}

static struct vpage *own_entry(struct world *w)
{
    return naive_linux_entry(w, w->k->run->mm, w->k->run->vpn);
}

static void count(struct world *w, enum fl_cause cause)
{
    static const enum fl_cost costs[FL_CAUSE_COUNT] = {
        [FL_CAUSE_ANON_ZERO] = FL_COST_FAULT_ANON_ZERO,
        [FL_CAUSE_ANON_WRITE] = FL_COST_FAULT_ANON_WRITE,
        [FL_CAUSE_COW] = FL_COST_FAULT_COW,
        [FL_CAUSE_FILE_MAP] = FL_COST_FAULT_FILE_MAP,
        [FL_CAUSE_FILE_AROUND] = FL_COST_FAULT_FILE_MAP,
        [FL_CAUSE_SHMEM] = FL_COST_FAULT_SHMEM,
        [FL_CAUSE_SWAP_CACHE] = FL_COST_FAULT_SWAP_CACHE,
        [FL_CAUSE_FILE_READ] = FL_COST_FILE_READ,
    };
    bool zram = w->k->opts->kernel.swap_kind == FL_SWAP_ZRAM;
    enum fl_cost cost = costs[cause];
    if (cause == FL_CAUSE_SWAP_IN)
        cost = zram ? FL_COST_SWAP_IN_SYNC : FL_COST_SWAP_IN_DISK;
    w->res->faults[cause]++;
    if (cause == FL_CAUSE_SWAP_IN || cause == FL_CAUSE_FILE_READ)
        w->res->major++;
    else
        w->res->minor++;
    naive_linux_tick(w, cost, 1);
}

/* A new page of the process's own, for which is charged. */
static bool new_anonymous(struct world *w, int c)
{
    if (!naive_linux_charge(w, false))
        return false;
    FOLIO(w, c)->workingset = false;
    naive_linux_new_folio(w, c, false);
    own_entry(w)->entry =
        (struct entry){ .present = true, .accessed = true, .writable = true, .dirty = true };
    return true;
}

static void map_shared(struct world *w)
{
    bool writes = w->k->run->writes > 0;
    own_entry(w)->entry =
        (struct entry){ .present = true, .accessed = true, .writable = true, .dirty = writes };
    if (!writes)
        naive_linux_map_around(w);
}

static bool shared_fault(struct world *w, int c, enum fl_cause *cause)
{
    *cause = FL_CAUSE_SHMEM;
    if (FOLIO(w, c)->resident || FOLIO(w, c)->slot) {
        if (!naive_linux_shared_in(w, c, cause))
            return false;
    } else {
        if (!naive_linux_charge(w, false))
            return false;
        FOLIO(w, c)->workingset = false;
        naive_linux_new_folio(w, c, false);
        FOLIO(w, c)->dirty = true;
    }
    return true;
}

/* do_cow_fault: the first write to a page of a file in a private mapping. */
static bool private_file_fault(struct world *w, int c, enum fl_cause *cause)
{
    const struct naive_item *run = w->k->run;
    bool was_read;
    if (!naive_linux_charge(w, false))
        return false;
    struct mapping *m = naive_vm_mapping_at(w, run->mm, run->vpn);
    int page = naive_linux_file_page(w, m->object, m->index + run->vpn - m->start);
    if (!naive_linux_file_get(w, page, m, &was_read)) {
        naive_linux_uncharge(w);
        return false;
    }
    *cause = was_read ? FL_CAUSE_FILE_READ : FL_CAUSE_COW;
    FOLIO(w, c)->workingset = false;
    naive_linux_new_folio(w, c, false);
    own_entry(w)->entry =
        (struct entry){ .present = true, .accessed = true, .writable = true, .dirty = true };
    return true;
}

static bool private_fault(struct world *w, int c, bool writes, enum fl_cause *cause)
{
    struct mapping *m = naive_vm_mapping_at(w, w->k->run->mm, w->k->run->vpn);
    if (FOLIO(w, c)->resident || FOLIO(w, c)->slot)
        return naive_linux_swap_in(w, c, writes, cause);
    if (*cause == FL_CAUSE_COW && m->object != NONE && w->objects.at[m->object].is_file &&
        !w->objects.at[m->object].memory_backed)
        return private_file_fault(w, c, cause);
    if (writes)
        return new_anonymous(w, c);
    own_entry(w)->entry = (struct entry){ .present = true, .accessed = true, .zero = true };
    *cause = FL_CAUSE_ANON_ZERO;
    return true;
}

/* The table of entries that are not present. */
static bool fault_absent(struct world *w, int c, bool writes, enum fl_cause *cause)
{
    naive_linux_kernel_pages(w);
    if (naive_linux_dead(w))
        return false;
    if (w->contents.at[c].object == NONE)
        return private_fault(w, c, writes, cause);
    if (!naive_linux_is_anon(w, c))
        return naive_linux_file_fault(w, c, writes, cause);
    if (!shared_fault(w, c, cause))
        return false;
    map_shared(w);
    return true;
}

/* The table of writes to present entries that are not writable. */
static bool fault_protected(struct world *w, int c, enum fl_cause *cause)
{
    if (own_entry(w)->entry.zero) {
        *cause = FL_CAUSE_ANON_WRITE;
        return new_anonymous(w, c);
    }
    if (!naive_linux_is_anon(w, c)) {
        *cause = FL_CAUSE_FILE_MAP;
        naive_linux_dirty(w, c);
    } else {
        *cause = FL_CAUSE_COW;
        if (FOLIO(w, c)->place == BATCH)
            naive_linux_drain(w);
        naive_linux_let_go(w, c);
    }
    struct entry *e = &own_entry(w)->entry;
    e->writable = e->dirty = e->accessed = true;
    return true;
}

/* ---- section 22 ------------------------------------------------------------------------- */

static void fault_begins(struct world *w)
{
    naive_linux_flush_statistics(w);
    naive_linux_complete_writes(w);
    w->k->filled += w->k->opts->costs->tlb.per_fault;
}

static uint64_t outlives(const struct world *w, uint64_t number)
{
    return (uint64_t)lround(-log(((double)number + 0.5) / 4096) * w->k->opts->costs->tlb.entries);
}

uint64_t naive_linux_longest(const struct world *w)
{
    return outlives(w, 0);
}

static void walked(struct world *w)
{
    struct kernel *k = w->k;
    struct vpage *v = own_entry(w);
    if (!k->opts->costs->tlb.entries || !v || !v->entry.present)
        return;
    k->random ^= k->random << 13;
    k->random ^= k->random >> 7;
    k->random ^= k->random << 17;
    k->filled++;
    v->entry.translated_until = k->filled + outlives(w, k->random % 4096);
}

static bool by_translation(const struct world *w, const struct entry *e, bool writes)
{
    return e->present && e->translated_until > w->k->filled &&
           (!writes || (e->writable && e->dirty));
}

/* ---- what a reference does ----------------------------------------------------------------- */

static bool refer(struct world *w, int c, enum fl_cause cause)
{
    bool writes = w->k->run->writes > 0;
    struct entry *e = &own_entry(w)->entry;
    if (w->k->copying) {
        fault_begins(w);
        if (!new_anonymous(w, c))
            return false;
        if (!w->k->copy_counted)
            count(w, FL_CAUSE_COW);
        return true;
    }
    if (e->present && (!writes || e->writable)) {
        e->accessed = true;
        e->dirty |= writes;
        return true;
    }
    fault_begins(w);
    if (!(e->present ? fault_protected(w, c, &cause) : fault_absent(w, c, writes, &cause)))
        return false;
    count(w, cause);
    return true;
}

bool naive_linux_reference(struct world *w, int c, enum fl_cause cause)
{
    if (!w->k->copying && by_translation(w, &own_entry(w)->entry, w->k->run->writes > 0))
        return true;
    bool ok = refer(w, c, cause);
    walked(w);
    return ok;
}

/* ---- in stage 1 --------------------------------------------------------------------- */

/* The entry that is to be copied is brought in first. */
bool naive_linux_before_copy(struct world *w, int c)
{
    enum fl_cause cause = FL_CAUSE_NONE;
    w->k->copying = true;
    if (own_entry(w)->entry.present)
        return true;
    fault_begins(w);
    naive_linux_kernel_pages(w);
    if (naive_linux_dead(w))
        return false;
    const struct naive_item *run = w->k->run;
    struct naive_item as_read = *run;
    as_read.writes = 0;
    w->k->run = &as_read;
    bool ok;
    if (w->contents.at[c].object == NONE)
        ok = private_fault(w, c, false, &cause);
    else if (!naive_linux_is_anon(w, c))
        ok = naive_linux_file_fault(w, c, false, &cause);
    else if ((ok = shared_fault(w, c, &cause)))
        map_shared(w);
    w->k->run = run;
    if (!ok)
        return false;
    count(w, cause);
    w->k->copy_counted = true;
    return true;
}

void naive_linux_copied(struct world *w, size_t from, size_t to)
{
    struct vpage *parent = &w->vpages.at[from], *child = &w->vpages.at[to];
    parent->entry.writable = false;
    parent->entry.translated_until = 0; /* fork flushes */
    child->entry = parent->entry;
    child->entry.accessed = false;
    if (parent->entry.present && parent->entry.dirty)
        FOLIO(w, parent->contents)->dirty = true;
    else if (!parent->entry.present && w->contents.at[parent->contents].object == NONE &&
             FOLIO(w, parent->contents)->slot)
        w->k->swap.slot[FOLIO(w, parent->contents)->slot].maps++;
}

void naive_linux_unmapped(struct world *w, const struct vpage *v)
{
    struct folio *f = FOLIO(w, v->contents);
    bool anonymous = w->contents.at[v->contents].object == NONE;
    if (!v->entry.present) {
        if (anonymous && f->slot && w->k->swap.slot[f->slot].maps)
            naive_linux_put_slot(w, v->contents);
        return;
    }
    if (v->entry.dirty && !anonymous)
        naive_linux_dirty(w, v->contents);
    else if (v->entry.dirty)
        f->dirty = true;
    if (v->entry.accessed && !w->k->copying && !naive_linux_is_anon(w, v->contents) &&
        naive_vm_mapping_at(w, v->mm, v->vpn)->advice == 0)
        naive_linux_mark_accessed(w, v->contents);
}

void naive_linux_contents_end(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    naive_linux_drain(w);
    naive_linux_free_folio(w, c);
    f->shadow = false;
    if (f->slot) {
        w->k->swap.slot[f->slot].cached = false;
        w->k->swap.slot[f->slot].maps = 0;
        naive_swap_released(&w->k->swap, f->slot);
        f->slot = 0;
    }
}

/* ---- section 15 ------------------------------------------------------------------------- */

void naive_linux_judge(const struct world *w, const struct process *p, struct fl_oom_kill *k)
{
    int64_t tables = 0; /* without the root */
    uint64_t swap = w->opts->swap_pages;
    for (size_t i = 0; i < w->vpages.n; i++) {
        const struct vpage *v = &w->vpages.at[i];
        const struct folio *f = FOLIO(w, v->contents);
        if (v->mm != p->mm)
            continue;
        if (v->entry.present)
            k->rss_pages += f->resident;
        else if (w->contents.at[v->contents].object == NONE && f->slot)
            k->swap_pages++;
    }
    for (size_t i = 0; i < w->tables.n; i++)
        tables += w->tables.at[i].mm == p->mm;
    int64_t total = (int64_t)(w->opts->frames + (swap == UINT64_MAX ? 0 : swap));
    k->badness =
        (int64_t)(k->rss_pages + k->swap_pages) + tables + p->oom_score_adj * (total / 1000);
}
