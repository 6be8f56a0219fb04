/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, section 12: reading ranges, faults, around, the flusher. */
#include <stdlib.h>

#include "naive_linux_world.h"

#define AROUND 16
#define TABLE 512
#define MISSES_MAX 1000
#define MANY_MISSES 100

static uint64_t pages_of(uint64_t bytes)
{
    return bytes / 4096 + (bytes % 4096 > 0);
}

/* Its contents; when first met, it is looked up in what was cached at the start. */
int naive_linux_file_page(struct world *w, int object, uint64_t index)
{
    struct kfile *file = &w->k->files[object];
    int c = naive_vm_object_page(w, object, index);
    struct folio *f = FOLIO(w, c);
    if (f->met)
        return c;
    f->met = true;
    f->resident = !file->known;
    for (size_t i = 0; i < file->cached.n; i++)
        f->resident |= index >= file->cached.at[i].first && index < file->cached.at[i].end;
    for (size_t i = 0; i < file->gone.n; i++)
        if (index >= file->gone.at[i].first && index < file->gone.at[i].end)
            f->resident = false;
    return c;
}

/* @wanted, @mark: a page or UINT64_MAX. False: the wanted page's charge failed. */
bool naive_linux_read_range(struct world *w, int object, struct span range, uint64_t wanted,
                            uint64_t mark)
{
    uint64_t file_end = pages_of(w->k->files[object].size_bytes);
    LIST(int) busy = { 0 };
    bool gave_up = false, ok = true;
    for (uint64_t i = range.first; ok && i < range.end; i++) {
        if (i != wanted && (i >= file_end || gave_up))
            continue;
        int c = naive_linux_file_page(w, object, i);
        if (FOLIO(w, c)->resident)
            continue;
        if (!naive_linux_charge(w, i != wanted)) {
            ok = i != wanted;
            if (wanted == UINT64_MAX || wanted < i)
                break;
            gave_up = true;
            continue;
        }
        bool active = naive_linux_refault(w, c);
        naive_linux_new_folio(w, c, active);
        w->res->file_pages_read++;
        FOLIO(w, c)->mark = i == mark;
        FOLIO(w, c)->busy++;
        LIST_ADD(&busy, c);
        if (i != wanted) {
            w->k->out->file_readahead_pages++;
            naive_linux_tick(w, FL_COST_FILE_READAHEAD, 1);
        }
    }
    for (size_t i = 0; i < busy.n; i++)
        FOLIO(w, busy.at[i])->busy--;
    free(busy.at);
    return ok;
}

/* Twice the device's while the file is advised sequential. */
uint64_t naive_linux_ra(const struct kfile *file)
{
    return file->ra * (file->advice == 2 ? 2 : 1);
}

/* The window moves on: a marked page was met. */
void naive_linux_window_moves_on(struct world *w, int c)
{
    int object = w->contents.at[c].object;
    struct kfile *file = &w->k->files[object];
    uint64_t page = w->contents.at[c].index, max = naive_linux_ra(file);
    if (max == 0)
        return;
    FOLIO(w, c)->mark = false;
    w->k->out->file_readahead_hits++;
    if (page == file->start + file->size - file->async) {
        file->start += file->size;
        file->size = file->size < max / 16   ? 4 * file->size
                     : file->size <= max / 2 ? 2 * file->size
                                             : max;
    } else {
        file->start = page + 1;
        file->size = max;
    }
    file->async = file->size;
    FOLIO(w, c)->busy++;
    naive_linux_read_range(w, object, (struct span){ file->start, file->start + file->size },
                           UINT64_MAX, file->start);
    FOLIO(w, c)->busy--;
}

/* A fault wants the page: it is resident afterwards, or the process is dead. */
bool naive_linux_file_get(struct world *w, int c, const struct mapping *m, bool *was_read)
{
    int object = w->contents.at[c].object;
    struct kfile *file = &w->k->files[object];
    uint64_t page = w->contents.at[c].index, mark = UINT64_MAX;
    *was_read = false;
    if (FOLIO(w, c)->resident) {
        if (FOLIO(w, c)->mark)
            naive_linux_window_moves_on(w, c);
        return true;
    }
    *was_read = true;
    struct span range = { page, page + 1 };
    uint64_t ra = naive_linux_ra(file);
    if ((m->advice == 1 && !(m->prot & FL_PROT_EXEC)) || ra == 0)
        return naive_linux_read_range(w, object, range, page, mark);
    if (m->advice == 2)
        return naive_linux_sync_read(w, object, page, page + ra);
    if (file->misses < MISSES_MAX)
        file->misses++;
    if (file->misses <= MANY_MISSES) {
        if (m->prot & FL_PROT_EXEC) {
            uint64_t last = m->index + (m->end - m->start);
            range.end = page + ra < last ? page + ra : last;
            file->async = 0;
        } else {
            range.first = page > ra / 2 ? page - ra / 2 : 0;
            range.end = range.first + ra;
            file->async = ra / 4;
            mark = range.end - file->async;
        }
        file->start = range.first;
        file->size = range.end - range.first;
    }
    return naive_linux_read_range(w, object, range, page, mark);
}

static void map_page(struct world *w, const struct mapping *m, struct vpage *v, bool writes)
{
    v->entry =
        (struct entry){ .present = true, .accessed = true, .writable = writes, .dirty = writes };
    if (writes)
        naive_linux_dirty(w, v->contents);
    FOLIO(w, v->contents)->exec |= (m->prot & FL_PROT_EXEC) != 0;
}

bool naive_linux_file_fault(struct world *w, int c, bool writes, enum fl_cause *cause)
{
    const struct naive_item *run = w->k->run;
    struct mapping *m = naive_vm_mapping_at(w, run->mm, run->vpn);
    bool was_read;
    c = naive_linux_file_page(w, w->contents.at[c].object, w->contents.at[c].index);
    if (!naive_linux_file_get(w, c, m, &was_read))
        return false;
    m = naive_vm_mapping_at(w, run->mm, run->vpn);
    map_page(w, m, naive_linux_entry(w, run->mm, run->vpn), writes);
    *cause = was_read ? FL_CAUSE_FILE_READ : writes ? FL_CAUSE_FILE_MAP : FL_CAUSE_FILE_AROUND;
    if (!writes)
        naive_linux_map_around(w);
    return true;
}

/* The object's page if it may be mapped along, or NONE. */
static int mappable(struct world *w, int object, uint64_t index)
{
    int c;
    if (w->objects.at[object].is_file && !w->objects.at[object].memory_backed) {
        c = naive_linux_file_page(w, object, index);
        return FOLIO(w, c)->resident && !FOLIO(w, c)->mark ? c : NONE;
    }
    for (size_t i = 0; i < w->contents.n; i++) {
        const struct contents *at = &w->contents.at[i];
        if (at->exists && at->object == object && at->index == index && FOLIO(w, i)->resident &&
            !naive_linux_cached(w, (int)i))
            return (int)i;
    }
    return NONE;
}

/* do_fault_around, about the run's page. */
void naive_linux_map_around(struct world *w)
{
    const struct naive_item *run = w->k->run;
    const struct mapping m = *naive_vm_mapping_at(w, run->mm, run->vpn);
    struct kfile *file = &w->k->files[m.object];
    bool shared_memory = !w->objects.at[m.object].is_file || w->objects.at[m.object].memory_backed;
    uint64_t from = run->vpn / AROUND * AROUND, end = (run->vpn / TABLE + 1) * TABLE;
    if (from < m.start)
        from = m.start;
    if (end > from + AROUND)
        end = from + AROUND;
    if (end > m.end)
        end = m.end;
    for (uint64_t vpn = from; vpn < end; vpn++) {
        int c = mappable(w, m.object, m.index + vpn - m.start);
        if (c == NONE)
            continue;
        if (!FOLIO(w, c)->workingset && file->misses > 0)
            file->misses--;
        struct vpage *v = naive_linux_entry(w, run->mm, vpn);
        if (vpn == run->vpn || (v && (v->entry.present || v->contents != c)))
            continue;
        if (!v)
            naive_vm_set_page(w, run->mm, vpn, c);
        v = naive_linux_entry(w, run->mm, vpn);
        map_page(w, &m, v, false);
        v->entry.writable = shared_memory;
    }
}

/* ---- write-back --------------------------------------------------------------------------- */

void naive_linux_write_back(struct world *w, int c)
{
    struct folio *f = FOLIO(w, c);
    w->res->file_pages_written++;
    f->dirty = false;
    for (size_t i = 0; i < w->vpages.n; i++)
        if (w->vpages.at[i].contents == c)
            w->vpages.at[i].entry.writable = w->vpages.at[i].entry.dirty = false;
    if (!f->mark)
        return;
    f->mark = false;
    if (f->place == IF || f->place == AF) {
        naive_linux_off_lists(w, c);
        naive_linux_to_list(w, c, IF, true);
    }
}

/* Every dirty page of IF, then of AF, each from the new end. */
void naive_linux_flusher(struct world *w)
{
    LIST(int) dirty = { 0 };
    for (int l = IF; l <= AF; l++)
        for (size_t i = w->k->list[l].n; i-- > 0;)
            if (FOLIO(w, w->k->list[l].at[i])->dirty)
                LIST_ADD(&dirty, w->k->list[l].at[i]);
    for (size_t i = 0; i < dirty.n; i++)
        naive_linux_write_back(w, dirty.at[i]);
    free(dirty.at);
}
