/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model.md, sections 1, 3 and 5. */
#include <stdlib.h>
#include <string.h>

#include "naive_world.h"

static uint64_t page_of(uint64_t address)
{
    return address / 4096;
}

/* The first page after the range. */
static uint64_t end_of(uint64_t address, uint64_t length)
{
    return (address + length + 4095) / 4096;
}

struct mapping *naive_vm_mapping_at(struct world *w, uint32_t mm, uint64_t vpn)
{
    for (size_t i = 0; i < w->mappings.n; i++) {
        struct mapping *m = &w->mappings.at[i];
        if (m->mm == mm && m->start <= vpn && vpn < m->end)
            return m;
    }
    return NULL;
}

/* The lowest mapping of @mm that touches [start, end), or NONE. */
static int lowest_mapping(const struct world *w, uint32_t mm, uint64_t start, uint64_t end)
{
    int best = NONE;
    for (size_t i = 0; i < w->mappings.n; i++) {
        const struct mapping *m = &w->mappings.at[i];
        if (m->mm == mm && m->start < end && m->end > start &&
            (best == NONE || m->start < w->mappings.at[best].start))
            best = (int)i;
    }
    return best;
}

/* The lowest page with contents in [start, end), or NONE. */
static int lowest_vpage(const struct world *w, uint32_t mm, uint64_t start, uint64_t end)
{
    int best = NONE;
    for (size_t i = 0; i < w->vpages.n; i++) {
        const struct vpage *v = &w->vpages.at[i];
        if (v->mm == mm && v->vpn >= start && v->vpn < end &&
            (best == NONE || v->vpn < w->vpages.at[best].vpn))
            best = (int)i;
    }
    return best;
}

static int contents_at(const struct world *w, uint32_t mm, uint64_t vpn)
{
    int i = lowest_vpage(w, mm, vpn, vpn + 1);
    return i == NONE ? NONE : w->vpages.at[i].contents;
}

size_t naive_vm_mappers(const struct world *w, int contents)
{
    size_t n = 0;
    for (size_t i = 0; i < w->vpages.n; i++)
        n += w->vpages.at[i].contents == contents;
    return n;
}

void naive_vm_note_sharing(struct world *w)
{
    uint64_t shared = 0, saved = 0;
    size_t *mappers = calloc(w->contents.n + 1, sizeof *mappers);
    if (!mappers)
        abort();
    for (size_t i = 0; i < w->vpages.n; i++)
        mappers[w->vpages.at[i].contents]++;
    for (size_t c = 0; c < w->contents.n; c++) {
        shared += mappers[c] > 1;
        saved += mappers[c] > 1 ? mappers[c] - 1 : 0;
    }
    free(mappers);
    if (saved > w->res->saved_pages) {
        w->res->saved_pages = saved;
        w->res->shared_pages = shared;
    }
}

/* ---- page tables ----------------------------------------------------------- */

static void note_tables(struct world *w)
{
    uint64_t tables = w->tables.n + w->spaces.n; /* a root for each space */
    if (tables <= w->res->page_tables_peak)
        return;
    uint64_t flat = 8;
    for (uint32_t i = 0; i < w->opts->machine->levels; i++)
        flat *= 512;
    flat = flat * w->spaces.n - 4096 * tables;
    w->res->page_tables_peak = tables;
    w->res->flat_bytes_avoided = flat > UINT64_C(1) << 62 ? UINT64_C(1) << 62 : flat;
}

static void make_tables(struct world *w, uint32_t mm, uint64_t vpn)
{
    for (uint32_t level = 1; level < w->opts->machine->levels; level++) {
        struct table want = { .mm = mm, .level = level, .prefix = vpn >> (9 * level) };
        bool found = false;
        for (size_t i = 0; i < w->tables.n; i++) {
            const struct table *t = &w->tables.at[i];
            found |= t->mm == mm && t->level == level && t->prefix == want.prefix;
        }
        if (!found)
            LIST_ADD(&w->tables, want);
    }
    note_tables(w);
}

static void free_tables(struct world *w, uint32_t mm)
{
    for (size_t i = w->tables.n; i-- > 0;) {
        const struct table *t = &w->tables.at[i];
        uint64_t start = t->prefix << (9 * t->level), end = (t->prefix + 1) << (9 * t->level);
        if (t->mm == mm && lowest_mapping(w, mm, start, end) == NONE)
            LIST_DROP(&w->tables, i);
    }
}

/* ---- pages and their contents ------------------------------------------------- */

static int new_contents(struct world *w, int object, uint64_t index)
{
    struct contents c = { .exists = true, .object = object, .index = index, .frame = NONE };
    LIST_ADD(&w->contents, c);
    return (int)w->contents.n - 1;
}

int naive_vm_object_page(struct world *w, int object, uint64_t index)
{
    for (size_t i = 0; i < w->contents.n; i++) {
        const struct contents *c = &w->contents.at[i];
        if (c->exists && c->object == object && c->index == index)
            return (int)i;
    }
    return new_contents(w, object, index);
}

void naive_vm_set_page(struct world *w, uint32_t mm, uint64_t vpn, int contents)
{
    LIST_ADD(&w->vpages, (struct vpage){ .mm = mm, .vpn = vpn, .contents = contents });
    make_tables(w, mm, vpn);
}

/* The operation under way takes back what may be in the TLB. */
static void take_back(struct world *w, const struct vpage *v)
{
    if (v->touched)
        naive_tlb_take(w, v->vpn, FL_PAGE_4K);
}

static void drop_vpage(struct world *w, int i)
{
    struct vpage v = w->vpages.at[i];
    if (w->k)
        naive_linux_unmapped(w, &v);
    LIST_DROP(&w->vpages, (size_t)i);
    if (w->contents.at[v.contents].object == NONE && naive_vm_mappers(w, v.contents) == 0)
        naive_paging_contents_end(w, v.contents);
}

static void drop_pages(struct world *w, uint32_t mm, uint64_t start, uint64_t end)
{
    int i;
    while ((i = lowest_vpage(w, mm, start, end)) != NONE) {
        take_back(w, &w->vpages.at[i]);
        drop_vpage(w, i);
    }
}

/* ---- mappings ------------------------------------------------------------------- */

/* A shared anonymous object ends with its last mapping. */
static void object_unmapped(struct world *w, int object)
{
    if (object == NONE || w->objects.at[object].is_file)
        return;
    for (size_t i = 0; i < w->mappings.n; i++)
        if (w->mappings.at[i].object == object)
            return;
    for (;;) {
        int lowest = NONE;
        for (size_t i = 0; i < w->contents.n; i++) {
            const struct contents *c = &w->contents.at[i];
            if (c->exists && c->object == object &&
                (lowest == NONE || c->index < w->contents.at[lowest].index))
                lowest = (int)i;
        }
        if (lowest == NONE)
            return;
        naive_paging_contents_end(w, lowest);
    }
}

/* Afterwards no mapping of @mm reaches across @vpn. */
static void cut(struct world *w, uint32_t mm, uint64_t vpn)
{
    struct mapping *m = naive_vm_mapping_at(w, mm, vpn);
    if (!m || m->start == vpn)
        return;
    struct mapping upper = *m;
    upper.start = vpn;
    upper.index += vpn - m->start;
    m->end = vpn;
    LIST_ADD(&w->mappings, upper);
}

static void remove_range(struct world *w, uint32_t mm, uint64_t start, uint64_t end)
{
    int i;
    if (start >= end)
        return;
    cut(w, mm, start);
    cut(w, mm, end);
    while ((i = lowest_mapping(w, mm, start, end)) != NONE) {
        struct mapping m = w->mappings.at[i];
        drop_pages(w, mm, m.start, m.end);
        LIST_DROP(&w->mappings, (size_t)i);
        object_unmapped(w, m.object);
    }
    free_tables(w, mm);
}

static int new_object(struct world *w, struct object o)
{
    LIST_ADD(&w->objects, o);
    return (int)w->objects.n - 1;
}

static void define_file(struct world *w, const struct fl_event *ev)
{
    static const char *const prefixes[] = { "/memfd:", "memfd:", "/dev/shm/", "/SYSV",
                                            "/dev/zero" };
    struct object o = { .is_file = true, .dev = ev->file.dev, .ino = ev->file.ino };
    struct file f = { .id = ev->file.file, .object = NONE };
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(ev->file.path, prefixes[i], strlen(prefixes[i])) == 0)
            o.memory_backed = true;
    for (size_t i = 0; i < w->objects.n && o.ino != 0; i++) {
        const struct object *have = &w->objects.at[i];
        if (have->is_file && have->dev == o.dev && have->ino == o.ino)
            f.object = (int)i;
    }
    if (f.object == NONE)
        f.object = new_object(w, o);
    LIST_ADD(&w->files, f);
}

static void map(struct world *w, const struct fl_event *ev)
{
    struct mapping m = { .mm = ev->map.mm,
                         .start = page_of(ev->map.start),
                         .end = end_of(ev->map.start, ev->map.length),
                         .prot = ev->map.prot,
                         .shared = ev->map.flags & FL_MAP_SHARED,
                         .special = ev->map.flags & FL_MAP_SPECIAL,
                         .object = NONE,
                         .ra_hits = 4 };
    remove_range(w, m.mm, m.start, m.end);
    if (ev->map.flags & FL_MAP_ANON || ev->map.file == FL_NO_FILE) {
        if (m.shared && !m.special)
            m.object = new_object(w, (struct object){ .is_file = false });
    } else {
        m.index = page_of(ev->map.offset);
        for (size_t i = 0; i < w->files.n; i++)
            if (w->files.at[i].id == ev->map.file)
                m.object = w->files.at[i].object;
    }
    LIST_ADD(&w->mappings, m);
}

static void protect(struct world *w, uint32_t mm, uint64_t start, uint64_t end, uint32_t prot)
{
    cut(w, mm, start);
    cut(w, mm, end);
    for (size_t i = 0; i < w->mappings.n; i++) {
        struct mapping *m = &w->mappings.at[i];
        if (m->mm == mm && m->start < end && m->end > start)
            m->prot = prot;
    }
    for (size_t i = 0; i < w->vpages.n; i++)
        if (w->vpages.at[i].mm == mm && w->vpages.at[i].vpn >= start && w->vpages.at[i].vpn < end)
            take_back(w, &w->vpages.at[i]);
}

/* Advice on read-ahead, which the Linux model follows: 0 normal, 1 random, 2 sequential. */
static void advise(struct world *w, uint32_t mm, uint64_t start, uint64_t end, uint32_t advice)
{
    cut(w, mm, start);
    cut(w, mm, end);
    for (size_t i = 0; i < w->mappings.n; i++) {
        struct mapping *m = &w->mappings.at[i];
        if (m->mm == mm && m->start < end && m->end > start)
            m->advice = advice;
    }
}

/* The piece that ends at @end grows to @new_end. */
static void grow(struct world *w, uint32_t mm, uint64_t end, uint64_t new_end)
{
    for (size_t i = 0; i < w->mappings.n; i++)
        if (w->mappings.at[i].mm == mm && w->mappings.at[i].end == end) {
            w->mappings.at[i].end = new_end;
            return;
        }
}

static void move(struct world *w, uint32_t mm, uint64_t from, uint64_t from_end, uint64_t to)
{
    cut(w, mm, from);
    cut(w, mm, from_end);
    for (size_t i = 0; i < w->mappings.n; i++) {
        struct mapping *m = &w->mappings.at[i];
        if (m->mm == mm && m->start < from_end && m->end > from) {
            m->end = m->end - from + to;
            m->start = m->start - from + to;
        }
    }
    for (size_t i = 0; i < w->vpages.n; i++) {
        struct vpage *v = &w->vpages.at[i];
        if (v->mm == mm && v->vpn >= from && v->vpn < from_end) {
            take_back(w, v);
            v->touched = false;
            v->entry.translated_until = 0; /* flushed */
            v->vpn = v->vpn - from + to;
            make_tables(w, mm, v->vpn);
        }
    }
    free_tables(w, mm);
}

static void remap(struct world *w, const struct fl_event *ev)
{
    uint32_t mm = ev->remap.mm;
    uint64_t old = page_of(ev->remap.old_start), new = page_of(ev->remap.new_start);
    uint64_t old_pages = end_of(ev->remap.old_start, ev->remap.old_length) - old;
    uint64_t new_pages = end_of(ev->remap.new_start, ev->remap.new_length) - new;
    uint64_t kept = old_pages < new_pages ? old_pages : new_pages;
    if (old == new)
        remove_range(w, mm, old + old_pages, old + new_pages);
    else
        remove_range(w, mm, new, new + new_pages);
    naive_tlb_taken(w, mm);
    remove_range(w, mm, old + kept, old + old_pages);
    if (old != new)
        move(w, mm, old, old + kept, new);
    if (new_pages > old_pages)
        grow(w, mm, new + old_pages, new + new_pages);
}

void naive_vm_event(struct world *w, const struct fl_event *ev)
{
    uint32_t mm = ev->kind == FL_EV_MAP       ? ev->map.mm
                  : ev->kind == FL_EV_UNMAP   ? ev->unmap.mm
                  : ev->kind == FL_EV_PROTECT ? ev->protect.mm
                  : ev->kind == FL_EV_REMAP   ? ev->remap.mm
                  : ev->kind == FL_EV_ADVISE  ? ev->advise.mm
                                              : FL_NO_MM;
    bool exists = false;
    if (ev->kind == FL_EV_FILE)
        define_file(w, ev);
    for (size_t i = 0; i < w->spaces.n; i++)
        exists |= w->spaces.at[i] == mm;
    if (!exists)
        return;
    switch (ev->kind) {
    case FL_EV_MAP: map(w, ev); break;
    case FL_EV_UNMAP:
        remove_range(w, mm, page_of(ev->unmap.start), end_of(ev->unmap.start, ev->unmap.length));
        break;
    case FL_EV_PROTECT:
        protect(w, mm, page_of(ev->protect.start), end_of(ev->protect.start, ev->protect.length),
                ev->protect.prot);
        break;
    case FL_EV_REMAP: remap(w, ev); break;
    case FL_EV_ADVISE:
        if (ev->advise.advice == 4 || ev->advise.advice == 9)
            drop_pages(w, mm, page_of(ev->advise.start),
                       end_of(ev->advise.start, ev->advise.length));
        else if (w->k && ev->advise.advice <= 2)
            advise(w, mm, page_of(ev->advise.start), end_of(ev->advise.start, ev->advise.length),
                   ev->advise.advice);
        break;
    default: break;
    }
    naive_tlb_taken(w, mm);
}

/* ---- spaces ---------------------------------------------------------------------- */

void naive_vm_space_begin(struct world *w, uint32_t mm)
{
    LIST_ADD(&w->spaces, mm);
    note_tables(w);
}

void naive_vm_space_end(struct world *w, uint32_t mm)
{
    remove_range(w, mm, 0, UINT64_MAX);
    naive_tlb_space_end(w, mm);
    for (size_t i = w->spaces.n; i-- > 0;)
        if (w->spaces.at[i] == mm)
            LIST_DROP(&w->spaces, i);
}

void naive_vm_space_copy(struct world *w, uint32_t from, uint32_t to)
{
    size_t n = w->mappings.n;
    for (size_t i = 0; i < n; i++) {
        struct mapping m = w->mappings.at[i];
        if (m.mm != from)
            continue;
        m.mm = to;
        LIST_ADD(&w->mappings, m);
    }
    n = w->vpages.n;
    for (size_t i = 0; i < n; i++) {
        struct vpage v = w->vpages.at[i];
        if (v.mm != from)
            continue;
        const struct mapping *m = naive_vm_mapping_at(w, from, v.vpn);
        if (m->shared || !m->held_anon)
            continue;
        naive_vm_set_page(w, to, v.vpn, v.contents);
        if (w->k)
            naive_linux_copied(w, i, w->vpages.n - 1);
    }
}

/* ---- references -------------------------------------------------------------------- */

static bool allowed(const struct mapping *m, const struct naive_item *run)
{
    if (run->reads && !(m->prot & (FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC)))
        return false;
    if (run->writes && !(m->prot & FL_PROT_WRITE))
        return false;
    return !run->fetches || m->prot & FL_PROT_EXEC;
}

static int give_anon(struct world *w, struct mapping *m, uint64_t vpn)
{
    int c = new_contents(w, NONE, 0);
    m->held_anon = true;
    naive_vm_set_page(w, m->mm, vpn, c);
    return c;
}

static int first_touch(struct world *w, struct mapping *m, const struct naive_item *run,
                       enum fl_cause *cause)
{
    if (m->object == NONE) {
        *cause = run->writes ? FL_CAUSE_ANON_WRITE : FL_CAUSE_ANON_ZERO;
        return give_anon(w, m, run->vpn);
    }
    if (!m->shared && run->writes) {
        *cause = FL_CAUSE_COW;
        return give_anon(w, m, run->vpn);
    }
    int c = naive_vm_object_page(w, m->object, m->index + run->vpn - m->start);
    *cause = naive_paging_swaps(w, c) ? FL_CAUSE_SHMEM : FL_CAUSE_FILE_MAP;
    naive_vm_set_page(w, m->mm, run->vpn, c);
    return c;
}

static int reference(struct world *w, const struct naive_item *run, enum fl_cause *cause)
{
    struct mapping *m = naive_vm_mapping_at(w, run->mm, run->vpn);
    if (m && m->special)
        return NONE;
    if (!m || !allowed(m, run)) {
        w->res->segv += run->actor == FL_ACTOR_USER;
        return NONE;
    }
    int c = contents_at(w, run->mm, run->vpn);
    if (c == NONE)
        return first_touch(w, m, run, cause);
    if (!run->writes || m->shared)
        return c;
    if (w->contents.at[c].object == NONE && naive_vm_mappers(w, c) == 1)
        return c;
    *cause = FL_CAUSE_COW;
    if (w->k && !naive_linux_before_copy(w, c))
        return NONE;
    m = naive_vm_mapping_at(w, run->mm, run->vpn);
    naive_tlb_page(w, run->mm, run->vpn, FL_PAGE_4K);
    drop_vpage(w, lowest_vpage(w, run->mm, run->vpn, run->vpn + 1));
    return give_anon(w, m, run->vpn);
}

int naive_vm_reference(struct world *w, const struct naive_item *run, enum fl_cause *cause)
{
    int c = reference(w, run, cause);
    for (size_t i = 0; c != NONE && i < w->vpages.n; i++)
        if (w->vpages.at[i].mm == run->mm && w->vpages.at[i].vpn == run->vpn)
            w->vpages.at[i].touched = true;
    return c;
}
