/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on file pages, and what they map around: linux/mm/memory.c do_fault, filemap.c. */
#include "page_cache.h"

#define FAULT_AROUND_PAGES 16u /* fault_around_bytes 64 KiB */

static bool mappable(const struct linux_mm *lm, uint32_t c)
{
    return c != NO_CONTENTS && c < lm->folios_room && lm->vm->cs.kind[c] != CONTENTS_ANON &&
           (lm->folio[c].flags & (FOLIO_RESIDENT | FOLIO_READAHEAD | FOLIO_SWAP_CACHE)) ==
               FOLIO_RESIDENT;
}

/* filemap_map_pages, one entry. Returns the contents that the page cache has there, if any. */
static uint32_t map_around(struct linux_mm *lm, struct mm *mm, const struct vma *vma, uint64_t vpn)
{
    struct vm *vm = lm->vm;
    struct leaf *leaf = pgtable_slot(&mm->tables, vpn);
    bool file = vm->cs.objects[vma->object].kind == CONTENTS_FILE;
    uint64_t offset = vma->pgoff + (vpn - vma->start);
    uint32_t c = file ? page_at(lm, vma->object, offset)
                      : contents_object_page(&vm->cs, vma->object, offset);
    if (!leaf || !mappable(lm, c))
        return NO_CONTENTS;
    if (vma->rights & FL_PROT_EXEC)
        lm->folio[c].flags |= FOLIO_EXEC;
    uint8_t bits = file ? 0
                        : PTE_WRITE; /* nothing waits for a first write (vma_wants_writenotify) */
    if (leaf->id && !(leaf->id & LEAF_INHERITED)) {
        uint32_t page = leaf->id - 1;
        if (vm->contents[page] == c && !(lm->pte[page] & PTE_PRESENT))
            map_page(lm, page, c, bits);
        return c;
    }
    struct folio *f = &lm->folio[c];
    if (leaf->id && ((leaf->id & ~LEAF_INHERITED) != c ||
                     (leaf->hw >> PTE_BITS == f->unmappings && leaf->hw & PTE_PRESENT)))
        return c;
    if (!leaf->id)
        contents_mapper_added(&vm->cs, c);
    bits |= PTE_PRESENT | PTE_YOUNG;
    if (vma->flags & VMA_LOCKED && mlock_folio(lm, c))
        bits |= PTE_LOCKED;
    *leaf = (struct leaf){ .id = c | LEAF_INHERITED, .hw = entry_hw(lm, c, bits) };
    f->mapped++;
    if (!(vma->flags & VMA_NO_RECENCY) && f->inherited_young < UINT8_MAX)
        f->inherited_young++;
    return c;
}

/* do_fault_around */
static void fault_around(struct linux_mm *lm, struct mm *mm, const struct vma *vma, uint64_t vpn)
{
    uint64_t table = vpn & ~(uint64_t)(PGTABLE_ENTRIES - 1);
    uint64_t first = vpn & ~(uint64_t)(FAULT_AROUND_PAGES - 1);
    uint64_t lowest = vma->start > table ? vma->start : table;
    if (first < lowest)
        first = lowest;
    uint64_t end = first + FAULT_AROUND_PAGES;
    if (end > table + PGTABLE_ENTRIES)
        end = table + PGTABLE_ENTRIES;
    if (end > vma->end)
        end = vma->end;
    struct cached_file *file = file_of(lm, vma->object);
    for (uint64_t at = first; at < end; at++) {
        uint32_t c = map_around(lm, mm, vma, at);
        if (file && file->mmap_miss && c != NO_CONTENTS && !(lm->folio[c].flags & FOLIO_WORKINGSET))
            file->mmap_miss--;
    }
}

/* A read fault on shared memory maps what is there of its surroundings too. */
void shmem_fault_around(struct linux_mm *lm, uint32_t page)
{
    struct fl_page at = vm_page(lm->vm, page);
    struct mm *mm = &lm->vm->mms[at.mm];
    const struct vma *vma = mm_find(mm, at.vpn);
    if (vma && vma->object != NO_OBJECT)
        fault_around(lm, mm, vma, at.vpn);
}

/* do_read_fault, do_shared_fault: @page of a file. false: the process is gone. */
bool page_cache_fault(struct linux_mm *lm, uint32_t page, uint32_t c, bool write)
{
    struct fl_page at = vm_page(lm->vm, page);
    struct mm *mm = &lm->vm->mms[at.mm];
    const struct vma *vma = mm_find(mm, at.vpn);
    enum fl_cause cause = write ? FL_CAUSE_FILE_MAP : FL_CAUSE_FILE_AROUND;
    if (!vma || vma->object == NO_OBJECT)
        return true;
    uint64_t offset = vma->pgoff + (at.vpn - vma->start);
    adopt(lm, vma->object, offset, c);
    if (vma->rights & FL_PROT_EXEC)
        lm->folio[c].flags |= FOLIO_EXEC;
    if (!(lm->folio[c].flags & FOLIO_RESIDENT)) {
        cause = FL_CAUSE_FILE_READ;
        if (!read_for_fault(lm, vma, offset))
            return false;
    } else if (lm->folio[c].flags & FOLIO_READAHEAD && !read_further(lm, vma->object, offset, c)) {
        return false;
    }
    if (write)
        page_cache_dirty(lm, c);
    map_page(lm, page, c, write ? PTE_WRITE | PTE_DIRTY : 0);
    if (!write)
        fault_around(lm, mm, vma, at.vpn);
    count_fault(lm, page, cause);
    return true;
}

/* do_cow_fault: the file's page has to be there to be copied. @major: it was read in. */
bool page_cache_before_copy(struct linux_mm *lm, uint32_t page, bool *major)
{
    struct fl_page at = vm_page(lm->vm, page);
    const struct vma *vma = vm_vma(lm->vm, page);
    if (!vma || vma->object == NO_OBJECT || lm->vm->cs.objects[vma->object].kind != CONTENTS_FILE)
        return true;
    uint64_t offset = vma->pgoff + (at.vpn - vma->start);
    uint32_t c = page_at(lm, vma->object, offset);
    if (c == NO_CONTENTS)
        return false;
    *major = !(lm->folio[c].flags & FOLIO_RESIDENT);
    if (*major)
        return read_for_fault(lm, vma, offset);
    return !(lm->folio[c].flags & FOLIO_READAHEAD) || read_further(lm, vma->object, offset, c);
}
