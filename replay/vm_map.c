/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings: what is where in an address space, and what their going does to pages. */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"
#include "vm.h"

/* madvise(2) */
enum {
    ADVICE_NORMAL = 0,
    ADVICE_RANDOM = 1,
    ADVICE_SEQUENTIAL = 2,
    ADVICE_DONTNEED = 4,
    ADVICE_REMOVE = 9,
    ADVICE_HUGEPAGE = 14,
    ADVICE_NOHUGEPAGE = 15,
};

/* Index of the first mapping that ends after @vpn. */
static uint32_t vma_at_or_after(const struct mm *mm, uint64_t vpn)
{
    uint32_t lo = 0, hi = mm->n_vmas;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (mm->vmas[mid].end <= vpn)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct vma *mm_find(const struct mm *mm, uint64_t vpn)
{
    uint32_t i = vma_at_or_after(mm, vpn);
    return i < mm->n_vmas && mm->vmas[i].start <= vpn ? &mm->vmas[i] : NULL;
}

const struct vma *mm_next(const struct mm *mm, uint64_t vpn)
{
    uint32_t i = vma_at_or_after(mm, vpn);
    return i < mm->n_vmas ? &mm->vmas[i] : NULL;
}

static bool anything_mapped(const void *arg, uint64_t lo, uint64_t hi)
{
    const struct mm *mm = arg;
    uint32_t i = vma_at_or_after(mm, lo);
    return i < mm->n_vmas && mm->vmas[i].start < hi;
}

static bool vma_insert(struct vm *vm, struct mm *mm, uint32_t at, const struct vma *vma)
{
    if (mm->n_vmas == mm->room) {
        uint32_t room = grow_room(mm->room);
        if (!room || !grow(&mm->vmas, room))
            return false;
        mm->room = room;
    }
    memmove(&mm->vmas[at + 1], &mm->vmas[at], (mm->n_vmas - at) * sizeof *mm->vmas);
    mm->vmas[at] = *vma;
    mm->n_vmas++;
    if (vma->object != NO_OBJECT)
        vm->cs.objects[vma->object].mappings++;
    return true;
}

static void tell_cut(struct vm *vm, const struct mm *mm, uint64_t vpn)
{
    if (vm->hooks.pte.cut)
        vm->hooks.pte.cut(vm->hooks.pte.arg, mm_index(vm, mm), vpn);
}

/* Cut the mapping that spans @vpn in two there. */
static bool vma_cut(struct vm *vm, struct mm *mm, uint64_t vpn)
{
    uint32_t i = vma_at_or_after(mm, vpn);
    tell_cut(vm, mm, vpn);
    if (i == mm->n_vmas || mm->vmas[i].start >= vpn)
        return true;
    struct vma upper = mm->vmas[i];
    upper.pgoff += vpn - upper.start;
    upper.start = vpn;
    if (!vma_insert(vm, mm, i + 1, &upper))
        return false;
    mm->vmas[i].end = vpn;
    return true;
}

bool vm_drop_page(void *arg, uint64_t vpn, struct leaf *slot)
{
    struct vm *vm = arg;
    const struct pte_hooks *pte = &vm->hooks.pte;
    struct leaf leaf = *slot;
    uint32_t c;
    (void)vpn;
    *slot = (struct leaf){ 0 };
    if (leaf.id & LEAF_INHERITED) {
        c = leaf.id & ~LEAF_INHERITED;
        if (pte->zap_leaf)
            pte->zap_leaf(pte->arg, leaf.hw, c);
    } else {
        c = vm->contents[leaf.id - 1];
        if (pte->zap)
            pte->zap(pte->arg, leaf.id - 1, c);
        page_unmap(vm, leaf.id - 1);
    }
    contents_left(vm, c);
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const struct object_page *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The last mapping of shared anonymous memory is gone: so are its pages, upwards. */
static void object_end(struct vm *vm, struct object *obj)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < obj->cap; i++)
        if (obj->pages[i].contents != NO_CONTENTS)
            obj->pages[n++] = obj->pages[i];
    if (n)
        qsort(obj->pages, n, sizeof *obj->pages, by_offset);
    for (uint32_t i = 0; i < n; i++) {
        if (vm->hooks.contents_gone)
            vm->hooks.contents_gone(vm->hooks.arg, obj->pages[i].contents);
        contents_free(&vm->cs, obj->pages[i].contents);
    }
    free(obj->pages);
    obj->pages = NULL;
    obj->n_pages = obj->cap = 0;
}

static void object_left(struct vm *vm, uint32_t object)
{
    if (object == NO_OBJECT)
        return;
    struct object *obj = &vm->cs.objects[object];
    if (--obj->mappings == 0 && !obj->keeps_pages)
        object_end(vm, obj);
}

/* Remove every mapping in [from, to), upwards; page tables are the caller's. */
static bool clear_range(struct vm *vm, struct mm *mm, uint64_t from, uint64_t to)
{
    if (!vma_cut(vm, mm, from) || !vma_cut(vm, mm, to))
        return false;
    if (vm->hooks.pte.cleared)
        vm->hooks.pte.cleared(vm->hooks.pte.arg, mm_index(vm, mm), from, to);
    uint32_t first = vma_at_or_after(mm, from), last = first;
    for (; last < mm->n_vmas && mm->vmas[last].start < to; last++) {
        const struct vma vma = mm->vmas[last];
        pgtable_walk(&mm->tables, vma.start, vma.end, vm_drop_page, vm);
        object_left(vm, vma.object);
    }
    if (last > first)
        memmove(&mm->vmas[first], &mm->vmas[last], (mm->n_vmas - last) * sizeof *mm->vmas);
    mm->n_vmas -= last - first;
    return true;
}

static bool unmap_range(struct vm *vm, struct mm *mm, uint64_t from, uint64_t to)
{
    if (!clear_range(vm, mm, from, to))
        return false;
    pgtable_prune(&mm->tables, from, to, anything_mapped, mm);
    return true;
}

void mm_clear(struct vm *vm, struct mm *mm)
{
    uint64_t span = pgtable_span_pages(vm->levels);
    (void)clear_range(vm, mm, 0, span); /* nothing to cut at the ends: cannot fail */
    pgtable_fini(&mm->tables);
    free(mm->vmas);
    mm->vmas = NULL;
    mm->room = 0;
}

/* Bytes to whole pages, within what the page tables can address. */
static int page_range(const struct vm *vm, uint64_t start, uint64_t length, uint64_t *from,
                      uint64_t *to, struct fl_err *err)
{
    uint64_t end, span = pgtable_span_pages(vm->levels);
    if (__builtin_add_overflow(start, length, &end) || fl_pages_of(end) > span)
        return fl_fail(err, FL_EDATA,
                       "the trace maps addresses beyond %u-level page tables; "
                       "replay it with a 5-level --machine",
                       vm->levels);
    *from = start >> FL_PAGE_SHIFT;
    *to = fl_pages_of(end);
    return FL_OK;
}

static uint8_t rights_of(uint32_t prot)
{
    uint8_t rights = prot & (FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC);
    return rights ? rights | FL_PROT_READ : 0;
}

static int do_map(struct vm *vm, struct mm *mm, const struct fl_event *ev, struct fl_err *err)
{
    struct vma vma = { .object = NO_OBJECT,
                       .file = ev->map.file,
                       .rights = rights_of(ev->map.prot) };
    int rc = page_range(vm, ev->map.start, ev->map.length, &vma.start, &vma.end, err);
    if (rc != FL_OK || vma.start == vma.end)
        return rc;
    if (ev->map.flags & FL_MAP_SHARED)
        vma.flags |= VMA_SHARED;
    if (ev->map.flags & FL_MAP_SPECIAL)
        vma.flags |= VMA_SPECIAL;
    vma.flags |= (uint16_t)((ev->map.flags & FL_MAP_HEAP ? VMA_HEAP : 0) |
                            (ev->map.flags & FL_MAP_STACK ? VMA_STACK : 0));
    if (ev->map.flags & FL_MAP_LOCKED && !(vma.flags & VMA_SPECIAL)) {
        vma.flags |= VMA_LOCKED;
        vm->has_locks = true;
    }
    vma.pgoff = ev->map.offset >> FL_PAGE_SHIFT;
    if (ev->map.file != FL_NO_FILE) {
        if (ev->map.file >= vm->n_files)
            return fl_fail(err, FL_EFORMAT, "the trace maps file %u before defining it",
                           ev->map.file);
        vma.object = vm->object_of[ev->map.file];
    } else if (vma.flags & VMA_SHARED) {
        vma.object = contents_object_new(&vm->cs, CONTENTS_MEMORY, false, 0, 0);
        vma.pgoff = 0;
        if (vma.object == NO_OBJECT)
            return fl_nomem(err, "objects");
    }
    if (!unmap_range(vm, mm, vma.start, vma.end) ||
        !vma_insert(vm, mm, vma_at_or_after(mm, vma.start), &vma))
        return fl_nomem(err, "mappings");
    return FL_OK;
}

static bool revoke_page(void *arg, uint64_t vpn, struct leaf *slot)
{
    struct vm *vm = arg;
    (void)vpn;
    if (slot->id & LEAF_INHERITED)
        return true;
    vm->rights[slot->id - 1] = 0;
    if (vm->hooks.page_dropped)
        vm->hooks.page_dropped(vm->hooks.arg, slot->id - 1);
    return true;
}

static bool protect_range(struct vm *vm, struct mm *mm, uint64_t from, uint64_t to, uint32_t prot)
{
    if (!vma_cut(vm, mm, from) || !vma_cut(vm, mm, to))
        return false;
    for (uint32_t i = vma_at_or_after(mm, from); i < mm->n_vmas && mm->vmas[i].start < to; i++)
        mm->vmas[i].rights = rights_of(prot);
    pgtable_walk(&mm->tables, from, to, revoke_page, vm);
    return true;
}

/* Flags of the mappings in the range. */
static bool flag_range(struct vm *vm, struct mm *mm, uint64_t from, uint64_t to, uint16_t set,
                       uint16_t clear)
{
    if (!vma_cut(vm, mm, from) || !vma_cut(vm, mm, to))
        return false;
    for (uint32_t i = vma_at_or_after(mm, from); i < mm->n_vmas && mm->vmas[i].start < to; i++)
        mm->vmas[i].flags = (uint16_t)((mm->vmas[i].flags & ~clear) | set);
    return true;
}

static bool advise(struct vm *vm, struct mm *mm, uint64_t from, uint64_t to, uint32_t advice)
{
    vm->has_advice |= advice == ADVICE_RANDOM || advice == ADVICE_SEQUENTIAL;
    const uint16_t order = VMA_RANDOM | VMA_SEQUENTIAL, huge = VMA_HUGE | VMA_NO_HUGE;
    switch (advice) {
    case ADVICE_NORMAL: return flag_range(vm, mm, from, to, 0, order);
    case ADVICE_RANDOM: return flag_range(vm, mm, from, to, VMA_RANDOM, order);
    case ADVICE_SEQUENTIAL: return flag_range(vm, mm, from, to, VMA_SEQUENTIAL, order);
    case ADVICE_HUGEPAGE: return flag_range(vm, mm, from, to, VMA_HUGE, huge);
    case ADVICE_NOHUGEPAGE: return flag_range(vm, mm, from, to, VMA_NO_HUGE, huge);
    case ADVICE_DONTNEED:
    case ADVICE_REMOVE:
        tell_cut(vm, mm, from);
        tell_cut(vm, mm, to);
        if (vm->hooks.pte.cleared)
            vm->hooks.pte.cleared(vm->hooks.pte.arg, mm_index(vm, mm), from, to);
        return pgtable_walk(&mm->tables, from, to, vm_drop_page, vm);
    default: return true;
    }
}

/* mlock(2) and its relatives, up to the pages themselves. */
static int do_lock(struct vm *vm, struct mm *mm, const struct fl_event *ev, struct fl_err *err)
{
    uint64_t end, span = pgtable_span_pages(vm->levels);
    uint64_t from = ev->lock.start >> FL_PAGE_SHIFT, to = span; /* all there is */
    if (!__builtin_add_overflow(ev->lock.start, ev->lock.length, &end) && fl_pages_of(end) < span)
        to = fl_pages_of(end);
    uint16_t set = ev->lock.mode == FL_LOCK_NOW        ? VMA_LOCKED
                   : ev->lock.mode == FL_LOCK_ON_FAULT ? VMA_LOCK
                                                       : 0;
    if (from >= to)
        return FL_OK;
    vm->has_locks |= set != 0;
    return flag_range(vm, mm, from, to, set, VMA_LOCK) ? FL_OK : fl_nomem(err, "mappings");
}

/* ---- remap ------------------------------------------------------------------------ */

struct move {
    struct vm *vm;
    struct mm *mm;
    uint64_t from, to;
};

/* Contents go to the new address, to be found there by its first run. */
static bool move_page(void *arg, uint64_t vpn, struct leaf *slot)
{
    struct move *m = arg;
    struct leaf *dest = pgtable_slot(&m->mm->tables, vpn - m->from + m->to);
    if (!dest)
        return false;
    const struct pte_hooks *pte = &m->vm->hooks.pte;
    struct leaf leaf = *slot;
    if (!(leaf.id & LEAF_INHERITED)) {
        uint32_t page = leaf.id - 1, c = m->vm->contents[page];
        leaf.id = c | LEAF_INHERITED;
        leaf.hw = pte->take ? pte->take(pte->arg, page, c) : 0;
        page_unmap(m->vm, page);
    }
    *slot = (struct leaf){ 0 };
    *dest = leaf;
    return true;
}

/* Move the mappings in [from, from + n) to @to, where nothing is mapped. */
static bool move_range(struct vm *vm, struct mm *mm, uint64_t from, uint64_t n, uint64_t to)
{
    struct move m = { .vm = vm, .mm = mm, .from = from, .to = to };
    if (!vma_cut(vm, mm, from) || !vma_cut(vm, mm, from + n))
        return false;
    if (vm->hooks.pte.moved)
        vm->hooks.pte.moved(vm->hooks.pte.arg, mm_index(vm, mm), from, n, to);
    for (uint64_t at = from;;) {
        uint32_t i = vma_at_or_after(mm, at);
        if (i == mm->n_vmas || mm->vmas[i].start >= from + n)
            break;
        struct vma moved = mm->vmas[i];
        uint64_t start = moved.start, end = moved.end;
        moved.start = start - from + to;
        moved.end = end - from + to;
        memmove(&mm->vmas[i], &mm->vmas[i + 1], (mm->n_vmas - i - 1) * sizeof *mm->vmas);
        mm->n_vmas--;
        if (!vma_insert(vm, mm, vma_at_or_after(mm, moved.start), &moved))
            return false;
        if (moved.object != NO_OBJECT)
            vm->cs.objects[moved.object].mappings--; /* one mapping, moved, not two */
        at = end;
        if (!pgtable_walk(&mm->tables, start, end, move_page, &m))
            return false;
    }
    vm_note_tables(vm);
    pgtable_prune(&mm->tables, from, from + n, anything_mapped, mm);
    return true;
}

static int do_remap(struct vm *vm, struct mm *mm, const struct fl_event *ev, struct fl_err *err)
{
    uint64_t from = 0, from_end = 0, to = 0, to_end = 0;
    int rc = page_range(vm, ev->remap.old_start, ev->remap.old_length, &from, &from_end, err);
    if (rc == FL_OK)
        rc = page_range(vm, ev->remap.new_start, ev->remap.new_length, &to, &to_end, err);
    if (rc != FL_OK || from == from_end || to == to_end)
        return rc;
    uint64_t old_n = from_end - from, new_n = to_end - to, kept = old_n < new_n ? old_n : new_n;
    bool moves = to != from, ok = true;
    if (moves && to < from_end && from < to_end)
        return fl_fail(err, FL_EFORMAT, "the trace remaps a range onto itself");
    if (moves)
        ok = unmap_range(vm, mm, to, to_end);
    if (ok && new_n < old_n)
        ok = unmap_range(vm, mm, from + kept, from_end);
    if (ok && moves)
        ok = move_range(vm, mm, from, kept, to);
    if (ok && new_n > old_n) {
        struct vma *last = mm_find(mm, to + kept - 1);
        if (last && last->end == to + kept) {
            struct vma *next = last + 1;
            bool taken = next < mm->vmas + mm->n_vmas && next->start < to_end;
            if (taken) {
                ok = unmap_range(vm, mm, to + kept, to_end);
                last = mm_find(mm, to + kept - 1);
            }
            if (ok)
                last->end = to_end;
        }
    }
    return ok ? FL_OK : fl_nomem(err, "mappings");
}

/* ---- fork ------------------------------------------------------------------------- */

struct copy {
    struct vm *vm;
    struct mm *child;
};

static bool copy_page(void *arg, uint64_t vpn, struct leaf *slot)
{
    struct copy *copy = arg;
    struct vm *vm = copy->vm;
    const struct pte_hooks *pte = &vm->hooks.pte;
    struct leaf *dest = pgtable_slot(&copy->child->tables, vpn);
    uint32_t c;
    if (!dest)
        return false;
    if (slot->id & LEAF_INHERITED) {
        c = slot->id & ~LEAF_INHERITED;
        dest->hw = pte->fork_leaf ? pte->fork_leaf(pte->arg, &slot->hw, c) : 0;
    } else {
        uint32_t page = slot->id - 1;
        c = vm->contents[page];
        dest->hw = pte->fork ? pte->fork(pte->arg, page, c) : 0;
        vm->rights[page] &= (uint8_t)~FL_PROT_WRITE;
        if (vm->hooks.page_dropped)
            vm->hooks.page_dropped(vm->hooks.arg, page);
    }
    contents_mapper_added(&vm->cs, c);
    dest->id = c | LEAF_INHERITED;
    return true;
}

int mm_copy(struct vm *vm, struct mm *child, uint32_t parent, struct fl_err *err)
{
    struct mm *from = &vm->mms[parent];
    struct copy copy = { .vm = vm, .child = child };
    for (uint32_t i = 0; i < from->n_vmas; i++) {
        const struct vma *vma = &from->vmas[i];
        struct vma copied = *vma;
        copied.flags &= (uint16_t)~VMA_LOCK;
        if (!vma_insert(vm, child, i, &copied))
            return fl_nomem(err, "mappings");
        if (!(vma->flags & VMA_SHARED) && (vma->flags & VMA_HAD_ANON) &&
            !pgtable_walk(&from->tables, vma->start, vma->end, copy_page, &copy))
            return fl_nomem(err, "page tables");
    }
    if (vm->hooks.pte.forked)
        vm->hooks.pte.forked(vm->hooks.pte.arg, parent, mm_index(vm, child));
    vm_note_tables(vm);
    return FL_OK;
}

/* ---- events ----------------------------------------------------------------------- */

int mm_event(struct vm *vm, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t id = ev->kind == FL_EV_MAP       ? ev->map.mm
                  : ev->kind == FL_EV_UNMAP   ? ev->unmap.mm
                  : ev->kind == FL_EV_PROTECT ? ev->protect.mm
                  : ev->kind == FL_EV_REMAP   ? ev->remap.mm
                  : ev->kind == FL_EV_LOCK    ? ev->lock.mm
                                              : ev->advise.mm;
    if (id >= vm->n_mms)
        return fl_fail(err, FL_EFORMAT, "the trace names address space %u before defining it", id);
    struct mm *mm = &vm->mms[id];
    uint64_t from = 0, to = 0;
    int rc;
    if (!mm->users)
        return FL_OK; /* killed, or exiting */
    switch (ev->kind) {
    case FL_EV_MAP: return do_map(vm, mm, ev, err);
    case FL_EV_REMAP: return do_remap(vm, mm, ev, err);
    case FL_EV_LOCK: return do_lock(vm, mm, ev, err);
    case FL_EV_UNMAP:
        rc = page_range(vm, ev->unmap.start, ev->unmap.length, &from, &to, err);
        if (rc == FL_OK && from < to && !unmap_range(vm, mm, from, to))
            rc = fl_nomem(err, "mappings");
        return rc;
    case FL_EV_PROTECT:
        rc = page_range(vm, ev->protect.start, ev->protect.length, &from, &to, err);
        if (rc == FL_OK && from < to && !protect_range(vm, mm, from, to, ev->protect.prot))
            rc = fl_nomem(err, "mappings");
        return rc;
    default:
        rc = page_range(vm, ev->advise.start, ev->advise.length, &from, &to, err);
        if (rc == FL_OK && from < to && !advise(vm, mm, from, to, ev->advise.advice))
            rc = fl_nomem(err, "mappings");
        return rc;
    }
}
