/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs: from a virtual page to the contents it refers to. */
#include <stdlib.h>

#include "grow.h"
#include "vm.h"

void vm_init(struct vm *vm, const struct fl_reader *reader, uint32_t levels,
             const struct vm_hooks *hooks)
{
    *vm = (struct vm){ .reader = reader, .levels = levels };
    if (hooks)
        vm->hooks = *hooks;
}

void vm_fini(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->n_mms; i++) {
        free(vm->mms[i].vmas);
        pgtable_fini(&vm->mms[i].tables);
    }
    free(vm->mms);
    free(vm->processes);
    free(vm->process_of);
    free(vm->object_of);
    free(vm->contents);
    free(vm->rights);
    free(vm->next_mapper);
    free(vm->mm_of);
    free(vm->label_of);
    contents_fini(&vm->cs);
    *vm = (struct vm){ 0 };
}

static bool pages_room(struct vm *vm, uint32_t n)
{
    uint32_t room = grow_room_for(vm->pages_room, n);
    if (!room)
        return false;
    if (room != vm->pages_room) {
        if (!grow(&vm->contents, room) || !grow(&vm->rights, room) ||
            !grow(&vm->next_mapper, room) || !grow(&vm->mm_of, room) ||
            (vm->regions && !grow(&vm->label_of, room)))
            return false;
        vm->pages_room = room;
    }
    return true;
}

static void page_init(struct vm *vm, uint32_t page, uint32_t mm)
{
    vm->contents[page] = NO_CONTENTS;
    vm->rights[page] = 0;
    vm->next_mapper[page] = NO_PAGE;
    vm->mm_of[page] = mm;
    if (vm->regions)
        vm->label_of[page] = REGION_OTHER;
}

int vm_new_pages(struct vm *vm, struct fl_err *err)
{
    uint32_t n = fl_reader_pages(vm->reader);
    if (n <= vm->n_pages)
        return FL_OK;
    if (n >= LEAF_INHERITED)
        return fl_fail(err, FL_EDATA, "more than 2^31 distinct pages: split the recording");
    if (!pages_room(vm, n))
        return fl_nomem(err, "pages");
    for (uint32_t page = vm->n_pages; page < n; page++)
        page_init(vm, page, fl_reader_page(vm->reader, page).mm);
    vm->n_pages = n;
    return FL_OK;
}

uint32_t vm_borrow_page(struct vm *vm, uint32_t mm, uint64_t vpn)
{
    const struct leaf *leaf = pgtable_peek(&vm->mms[mm].tables, vpn);
    if (leaf && leaf->id && !(leaf->id & LEAF_INHERITED))
        return leaf->id - 1;
    if (vm->n_pages >= LEAF_INHERITED - 1 || !pages_room(vm, vm->n_pages + 1))
        return NO_PAGE;
    page_init(vm, vm->n_pages, mm);
    vm->borrowed = (struct fl_page){ .mm = mm, .vpn = vpn };
    return vm->n_pages;
}

void vm_return_page(struct vm *vm, uint32_t page)
{
    const struct pte_hooks *pte = &vm->hooks.pte;
    uint32_t c;
    if (page < vm->n_pages || (c = vm->contents[page]) == NO_CONTENTS)
        return;
    struct leaf *leaf = pgtable_peek(&vm->mms[vm->borrowed.mm].tables, vm->borrowed.vpn);
    leaf->id = c | LEAF_INHERITED;
    leaf->hw = pte->take ? pte->take(pte->arg, page, c) : 0;
    page_unmap(vm, page);
}

/* Contents that nobody maps cease to exist, unless an object keeps them. */
void contents_left(struct vm *vm, uint32_t c)
{
    contents_mapper_left(&vm->cs, c);
    if (vm->cs.mappers[c] || vm->cs.kind[c] != CONTENTS_ANON)
        return;
    if (vm->hooks.contents_gone)
        vm->hooks.contents_gone(vm->hooks.arg, c);
    contents_free(&vm->cs, c);
}

/* The mapper count is the caller's: an inherited mapping was counted when it was inherited. */
void page_map(struct vm *vm, uint32_t page, uint32_t c)
{
    vm->contents[page] = c;
    vm->next_mapper[page] = vm->cs.first_page[c];
    vm->cs.first_page[c] = page;
}

/* Take @page off its contents' list; its translation is no longer valid. */
void page_unmap(struct vm *vm, uint32_t page)
{
    uint32_t c = vm->contents[page], *link = &vm->cs.first_page[c];
    while (*link != page)
        link = &vm->next_mapper[*link];
    *link = vm->next_mapper[page];
    vm->contents[page] = NO_CONTENTS;
    vm->rights[page] = 0;
    if (vm->hooks.page_dropped)
        vm->hooks.page_dropped(vm->hooks.arg, page);
}

/* What @page may do unasked: the mapping's rights, without WRITE where that needs a copy. */
static uint8_t page_rights(const struct vm *vm, const struct vma *vma, uint32_t c)
{
    bool copy_on_write = !(vma->flags & VMA_SHARED) &&
                         (vm->cs.kind[c] != CONTENTS_ANON || vm->cs.mappers[c] > 1);
    return copy_on_write ? vma->rights & (uint8_t)~FL_PROT_WRITE : vma->rights;
}

/* First touch without inherited contents: docs/model.md section 1, rule 2. */
static uint32_t first_touch(struct vm *vm, struct vma *vma, uint64_t vpn, bool write,
                            enum fl_cause *cause)
{
    if (vma->object == NO_OBJECT || (write && !(vma->flags & VMA_SHARED))) {
        *cause = vma->object != NO_OBJECT ? FL_CAUSE_COW
                 : write                  ? FL_CAUSE_ANON_WRITE
                                          : FL_CAUSE_ANON_ZERO;
        vma->flags |= VMA_HAD_ANON;
        return contents_new(&vm->cs, CONTENTS_ANON);
    }
    uint64_t offset = vma->pgoff + (vpn - vma->start);
    uint32_t c = contents_object_page(&vm->cs, vma->object, offset);
    if (c == NO_CONTENTS)
        c = contents_object_add(&vm->cs, vma->object, offset);
    if (c != NO_CONTENTS)
        *cause = vm->cs.kind[c] == CONTENTS_MEMORY ? FL_CAUSE_SHMEM : FL_CAUSE_FILE_MAP;
    return c;
}

/* Write to contents that others may still see: rule 3. NO_CONTENTS: out of memory. */
static uint32_t write_protected(struct vm *vm, struct vma *vma, uint32_t page, enum fl_cause *cause)
{
    uint32_t c = vm->contents[page];
    if (vm->cs.kind[c] == CONTENTS_ANON && vm->cs.mappers[c] == 1)
        return c;
    const struct pte_hooks *pte = &vm->hooks.pte;
    if (pte->before_copy && !pte->before_copy(pte->arg, page, c))
        return NO_CONTENTS;
    uint32_t copy = contents_new(&vm->cs, CONTENTS_ANON);
    if (copy == NO_CONTENTS)
        return NO_CONTENTS;
    if (pte->zap)
        pte->zap(pte->arg, page, c);
    page_unmap(vm, page);
    contents_left(vm, c);
    contents_mapper_added(&vm->cs, copy);
    page_map(vm, page, copy);
    vma->flags |= VMA_HAD_ANON;
    *cause = FL_CAUSE_COW;
    return copy;
}

static uint32_t label_for(const struct vm *vm, const struct vma *vma)
{
    struct regions *r = vm->regions;
    struct region_key key = { .kind = vma->flags & VMA_HEAP     ? REGION_KIND_HEAP
                                      : vma->flags & VMA_STACK  ? REGION_KIND_STACK
                                      : vma->file != FL_NO_FILE ? REGION_KIND_FILE
                                      : vma->flags & VMA_SHARED ? REGION_KIND_SHARED
                                                                : REGION_KIND_ANON,
                              .file = vma->file,
                              .code = FL_NO_CODE };
    if (key.kind != REGION_KIND_ANON && key.kind != REGION_KIND_SHARED)
        return regions_label(r, &key);
    key.code = r->code;
    key.pages = r->code == FL_NO_CODE ? vma->end - vma->start : 0;
    return regions_by_runtime(r) ? regions_stand_in(r, &key) : regions_label(r, &key);
}

void vm_rename_mapping(struct vm *vm, uint32_t page)
{
    struct vma *vma = vm_vma(vm, page);
    if (vma)
        regions_replace(vm->regions, vm->label_of[page], label_for(vm, vma));
}

void vm_settle_labels(struct vm *vm)
{
    regions_settle(vm->regions);
    for (uint32_t page = 0; page < vm->n_pages; page++)
        vm->label_of[page] = regions_resolve(vm->regions, vm->label_of[page]);
}

/* @page is called what its mapping is, which has a name from its first page on. */
static void label_page(struct vm *vm, struct vma *vma, uint32_t page, bool is_new)
{
    struct regions *r = vm->regions;
    if (vma->label == REGION_NONE)
        vma->label = label_for(vm, vma);
    else if (r->labels[vma->label].stands_in && !regions_by_runtime(r))
        regions_replace(r, vma->label, label_for(vm, vma));
    vma->label = regions_resolve(r, vma->label);
    r->labels[vma->label].touched += is_new;
    vm->label_of[page] = vma->label;
}

/* Give a page without contents what it inherited, or what its mapping says. */
static int attach(struct vm *vm, struct mm *mm, struct vma *vma, uint32_t page, uint64_t vpn,
                  bool write, enum fl_cause *cause)
{
    const struct pte_hooks *pte = &vm->hooks.pte;
    struct leaf *slot = pgtable_slot(&mm->tables, vpn);
    uint32_t c;
    if (!slot)
        return FL_ENOMEM;
    if (vm->regions)
        label_page(vm, vma, page, !(slot->id & LEAF_INHERITED));
    if (slot->id & LEAF_INHERITED) {
        c = slot->id & ~LEAF_INHERITED;
        if (pte->land)
            pte->land(pte->arg, page, c, slot->hw);
    } else {
        c = first_touch(vm, vma, vpn, write, cause);
        if (c == NO_CONTENTS)
            return FL_ENOMEM;
        contents_mapper_added(&vm->cs, c);
        vm_note_tables(vm);
    }
    *slot = (struct leaf){ .id = page + 1 };
    page_map(vm, page, c);
    return FL_OK;
}

int vm_slow_run(struct vm *vm, uint32_t page, uint8_t need, enum fl_actor actor, uint32_t *c,
                uint8_t *info, struct fl_err *err)
{
    uint64_t vpn = vm_page(vm, page).vpn;
    struct mm *mm = vm->mm_of[page] < vm->n_mms ? &vm->mms[vm->mm_of[page]] : NULL;
    struct vma *vma = mm ? mm_find(mm, vpn) : NULL;
    enum fl_cause cause = FL_CAUSE_NONE;
    bool write = (need & FL_PROT_WRITE) != 0;

    *c = NO_CONTENTS;
    *info = 0;
    if (vma && (vma->flags & VMA_SPECIAL))
        return FL_OK;
    if (!vma || (need & ~vma->rights)) {
        vm->segv += actor == FL_ACTOR_USER;
        return FL_OK;
    }
    if (vm->contents[page] == NO_CONTENTS && attach(vm, mm, vma, page, vpn, write, &cause) != FL_OK)
        return fl_nomem(err, "page tables");
    uint8_t rights = page_rights(vm, vma, vm->contents[page]);
    if (write && !(rights & FL_PROT_WRITE)) {
        if (write_protected(vm, vma, page, &cause) == NO_CONTENTS)
            return mm->users ? fl_nomem(err, "pages") : FL_OK;
        rights = vma->rights;
    }
    vm->rights[page] = rights;
    *c = vm->contents[page];
    *info = (uint8_t)((write ? REF_WRITE : 0) | ((unsigned)cause << REF_CAUSE_SHIFT));
    return FL_OK;
}
