/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File pages: linux/mm/filemap.c, readahead.c, memory.c do_fault.
 *
 * What was in the page cache when the recording met a file belongs to whoever read it before:
 * it is there, our group does not pay for it and cannot reclaim it.
 */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include <faultline/units.h>

#include "mglru.h"

#define FAULT_AROUND_PAGES 16u                                     /* fault_around_bytes 64 KiB */
#define MMAP_MISS_MAX 1000u                                        /* MMAP_LOTSAMISS * 10 */
#define MMAP_MISS_LOTS 100u                                        /* MMAP_LOTSAMISS */
#define READ_AHEAD_DEFAULT 32u                                     /* VM_READAHEAD_PAGES */
#define NO_TARGET (UINT64_MAX - 1)                                 /* nothing but read-ahead */
#define TRANSFER_PAGES_MAX (UINT64_C(0x7ffff000) >> FL_PAGE_SHIFT) /* MAX_RW_COUNT */
#define READ_AHEAD_MAX 0x10000u                                    /* ours: 256 MiB */

struct extent {
    uint64_t first, end;
};

/* What is kept of a file; by object. */
struct cached_file {
    bool known; /* the recording says which pages were resident */
    struct extent *resident;
    uint32_t n_resident;
    uint64_t size; /* pages */
    uint32_t read_ahead, mmap_miss;
    uint32_t advice; /* enum fl_io_op NORMAL, RANDOM, SEQUENTIAL; 0: none given */
    struct {
        uint64_t start, size, async_size, next; /* next: page after the last read */
    } window;
};

void page_cache_fini(struct linux_mm *lm)
{
    for (uint32_t i = 0; i < lm->files_room; i++)
        free(lm->files[i].resident);
    free(lm->files);
}

static struct cached_file *file_of(struct linux_mm *lm, uint32_t object)
{
    if (object >= lm->files_room) {
        uint32_t room = grow_room_for(lm->files_room, (uint64_t)object + 1);
        if (!room || !grow(&lm->files, room)) {
            lm->failed_memory = true;
            return NULL;
        }
        memset(lm->files + lm->files_room, 0, (room - lm->files_room) * sizeof *lm->files);
        for (uint32_t i = lm->files_room; i < room; i++) {
            lm->files[i].read_ahead = READ_AHEAD_DEFAULT;
            lm->files[i].size = UINT64_MAX;
        }
        lm->files_room = room;
    }
    return &lm->files[object];
}

static bool resident_before(const struct cached_file *file, uint64_t offset)
{
    if (!file->known)
        return true;
    for (uint32_t i = 0; i < file->n_resident; i++)
        if (offset >= file->resident[i].first && offset < file->resident[i].end)
            return true;
    return false;
}

/* First meeting with a page: is it in the page cache, somebody else's? */
static void adopt(struct linux_mm *lm, uint32_t object, uint64_t offset, uint32_t c)
{
    const struct cached_file *file = file_of(lm, object);
    struct folio *f = &lm->folio[c];
    if (f->flags & FOLIO_ADOPTED || !file)
        return;
    f->flags |= FOLIO_ADOPTED;
    if (folio_is_file(lm, c) && resident_before(file, offset) &&
        (!lm->opts.machine || machine_adopt(lm, c)))
        lm->folio[c].flags |= FOLIO_RESIDENT;
}

uint32_t page_at(struct linux_mm *lm, uint32_t object, uint64_t offset)
{
    uint32_t c = contents_object_page(&lm->vm->cs, object, offset);
    if (c == NO_CONTENTS)
        c = contents_object_add(&lm->vm->cs, object, offset);
    if (c == NO_CONTENTS || linux_room(lm, 0, c + 1, NULL) != FL_OK) {
        lm->failed_memory = true;
        return NO_CONTENTS;
    }
    adopt(lm, object, offset, c);
    return c;
}

/* A new folio in the page cache, charged to the group that brought it in. */
static void insert(struct linux_mm *lm, uint32_t c, bool for_write)
{
    folio_resident(lm, c);
    if (folio_is_file(lm, c))
        kernel_memory_of_file_page(lm, c, for_write);
    if (for_write)
        lm->folio[c].flags &= (uint16_t)~FOLIO_SHADOW;
    bool active = workingset_refault(lm, c);
    lru_add_new(lm, c, lru_home(lm, c, active));
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Pages are locked until they have been read. */
static void unlock_range(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    for (uint64_t offset = first; offset < end; offset++) {
        uint32_t c = contents_object_page(&lm->vm->cs, object, offset);
        if (c != NO_CONTENTS && c < lm->folios_room)
            lm->folio[c].flags &= (uint16_t)~FOLIO_BUSY;
    }
}

static bool fill_range(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end,
                       uint64_t target, uint64_t mark)
{
    for (uint64_t offset = first; offset < end; offset++) {
        uint32_t c = page_at(lm, object, offset);
        if (c == NO_CONTENTS)
            return false;
        if (lm->folio[c].flags & FOLIO_RESIDENT)
            continue;
        if (offset == target ? !take_pages(lm, 1) : !take_pages_if_easy(lm, 1)) {
            if (offset == target)
                return false;
            if (offset > target || target >= end)
                return true; /* read-ahead gives up */
            offset = target - 1;
            continue;
        }
        insert(lm, c, false);
        lm->folio[c].flags |= FOLIO_BUSY;
        lm->file_pages_read++;
        if (offset == mark)
            lm->folio[c].flags |= FOLIO_READAHEAD;
        lm->readahead_pages += offset != target;
        linux_tick(lm, FL_COST_FILE_READAHEAD, offset != target);
    }
    return true;
}

/* Read [first, end), of which @target must come in, the others may. false: the process is gone. */
static bool read_range(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end,
                       uint64_t target, uint64_t mark)
{
    const struct cached_file *file = file_of(lm, object);
    if (!file)
        return false;
    if (end > file->size)
        end = file->size;
    if (target != NO_TARGET && end <= target)
        end = target + 1;
    bool alive = fill_range(lm, object, first, end, target, mark);
    unlock_range(lm, object, first, end);
    return alive;
}

static bool read_window(struct linux_mm *lm, uint32_t object, uint64_t target)
{
    const struct cached_file *file = file_of(lm, object);
    uint64_t end = file->window.start + file->window.size;
    return read_range(lm, object, file->window.start, end, target, end - file->window.async_size);
}

/* do_sync_mmap_readahead: around the page, or in executable mappings from it on */
static bool read_for_fault(struct linux_mm *lm, const struct vma *vma, uint64_t offset)
{
    struct cached_file *file = file_of(lm, vma->object);
    if (!file)
        return false;
    uint64_t ra = file->read_ahead, end = vma->pgoff + (vma->end - vma->start);
    if (file->mmap_miss < MMAP_MISS_MAX)
        file->mmap_miss++;
    if ((vma->flags & VMA_RANDOM) || file->advice == FL_IO_RANDOM || !ra ||
        file->mmap_miss > MMAP_MISS_LOTS)
        return read_range(lm, vma->object, offset, offset + 1, offset, UINT64_MAX);
    if (vma->rights & FL_PROT_EXEC) {
        file->window.start = offset;
        file->window.size = end - offset < ra ? end - offset : ra;
        file->window.async_size = 0;
    } else {
        file->window.start = offset > ra / 2 ? offset - ra / 2 : 0;
        file->window.size = ra;
        file->window.async_size = ra / 4;
    }
    return read_window(lm, vma->object, offset);
}

static uint64_t next_power_of_two(uint64_t n)
{
    uint64_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

/* get_init_ra_size */
static uint64_t first_window(uint64_t request, uint64_t max)
{
    uint64_t n = next_power_of_two(request);
    if (n <= max / 32)
        return n * 4;
    return n <= max / 4 ? n * 2 : max;
}

/* get_next_ra_size */
static uint64_t next_window(uint64_t size, uint64_t max)
{
    if (size < max / 16)
        return size * 4;
    return size <= max / 2 ? size * 2 : max;
}

/* page_cache_sync_ra: @offset is wanted by read(2) and not there */
static bool read_missing(struct linux_mm *lm, uint32_t object, uint64_t offset, uint64_t request)
{
    struct cached_file *file = file_of(lm, object);
    uint64_t max = file->read_ahead;
    if (!max || file->advice == FL_IO_RANDOM)
        return read_range(lm, object, offset, offset + request, offset, UINT64_MAX);
    if (file->advice == FL_IO_SEQUENTIAL)
        max *= 2;
    if (offset && offset != file->window.next && request <= max) /* random */
        return read_range(lm, object, offset, offset + request, offset, UINT64_MAX);
    file->window.start = offset;
    file->window.size = first_window(request, max);
    file->window.async_size = file->window.size > request ? file->window.size - request
                                                          : file->window.size / 2;
    return read_window(lm, object, offset);
}

/* page_cache_async_ra: the mark of @c has been met */
static bool read_further(struct linux_mm *lm, uint32_t object, uint64_t offset, uint32_t c)
{
    lm->folio[c].flags &= (uint16_t)~FOLIO_READAHEAD;
    lm->readahead_hits++;
    struct cached_file *file = file_of(lm, object);
    uint64_t max = file->advice == FL_IO_SEQUENTIAL ? 2 * file->read_ahead : file->read_ahead;
    if (!max || file->advice == FL_IO_RANDOM)
        return true;
    if (offset == file->window.start + file->window.size - file->window.async_size) {
        file->window.start += file->window.size;
        file->window.size = next_window(file->window.size, max);
    } else {
        file->window.start = offset + 1;
        file->window.size = max;
    }
    file->window.async_size = file->window.size;
    lm->folio[c].flags |= FOLIO_BUSY; /* held meanwhile */
    bool alive = file->window.start >= file->size || read_window(lm, object, NO_TARGET);
    lm->folio[c].flags &= (uint16_t)~FOLIO_BUSY;
    return alive;
}

/* filemap_read */
static void do_read(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    for (uint64_t offset = first; offset < end; offset++) {
        uint32_t c = page_at(lm, object, offset);
        if (c == NO_CONTENTS)
            return;
        if (!(lm->folio[c].flags & FOLIO_RESIDENT)) {
            if (!read_missing(lm, object, offset, end - offset))
                return;
        } else if (lm->folio[c].flags & FOLIO_READAHEAD && !read_further(lm, object, offset, c)) {
            return;
        }
        folio_mark_accessed(lm, c);
        file_of(lm, object)->window.next = offset + 1;
    }
}

/* ---- writing ---------------------------------------------------------------------------- */

void page_cache_dirty(struct linux_mm *lm, uint32_t c)
{
    lm->folio[c].flags |= FOLIO_DIRTY;
}

static void clean(struct linux_mm *lm, uint32_t c)
{
    struct folio *f = &lm->folio[c];
    if (!(f->flags & FOLIO_DIRTY))
        return;
    f->flags &= (uint16_t)~FOLIO_DIRTY;
    lm->file_pages_written++;
    for (uint32_t page = lm->vm->cs.first_page[c]; page != NO_PAGE;
         page = lm->vm->next_mapper[page]) /* so that the next write is noticed */
        lm->pte[page] &= (uint8_t) ~(PTE_WRITE | PTE_DIRTY);
    if (f->flags & FOLIO_RECLAIM)
        folio_rotate_reclaimable(lm, c);
    f->flags &= (uint16_t)~FOLIO_RECLAIM;
}

/* Reclaim met nothing but dirty pages, woke the flusher and waited (wakeup_flusher_threads). */
void page_cache_write_back(struct linux_mm *lm)
{
    int first = lm->mglru ? (int)mglru_list(MGLRU_FILE, 0) : LRU_INACTIVE_FILE;
    int end = lm->mglru ? LRU_LISTS_MAX : LRU_LISTS;
    for (int list = first; list < end; list++)
        for (uint32_t c = lm->lru[list].newest, older; c != NO_CONTENTS; c = older) {
            older = lm->folio[c].older;
            clean(lm, c);
        }
}

/* generic_perform_write */
static void do_write(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    struct cached_file *file = file_of(lm, object);
    if (file && file->size != UINT64_MAX && end > file->size)
        file->size = end;
    for (uint64_t offset = first; file && offset < end; offset++) {
        uint32_t c = page_at(lm, object, offset);
        if (c == NO_CONTENTS)
            return;
        if (!(lm->folio[c].flags & FOLIO_RESIDENT)) {
            if (!take_pages(lm, 1))
                return;
            insert(lm, c, true);
        }
        page_cache_dirty(lm, c);
    }
}

static int by_offset(const void *a, const void *b)
{
    const struct object_page *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Upwards: the order shows in the lists. */
static void sync_file(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    const struct object *obj = &lm->vm->cs.objects[object];
    struct object_page *page = reallocarray(NULL, obj->n_pages + UINT64_C(1), sizeof *page);
    size_t n = 0;
    if (!page) {
        lm->failed_memory = true;
        return;
    }
    for (uint32_t i = 0; i < obj->cap; i++)
        if (obj->pages[i].contents < lm->folios_room && obj->pages[i].offset >= first &&
            obj->pages[i].offset < end && lm->folio[obj->pages[i].contents].flags & FOLIO_DIRTY)
            page[n++] = obj->pages[i];
    qsort(page, n, sizeof *page, by_offset);
    for (size_t i = 0; i < n; i++)
        clean(lm, page[i].contents);
    free(page);
}

/* Pages from @first on leave the page cache; @all: also dirty and mapped ones (truncate). */
static void drop(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end, bool all)
{
    const struct object *obj = &lm->vm->cs.objects[object];
    for (uint32_t i = 0; i < obj->cap; i++) {
        uint32_t c = obj->pages[i].contents;
        if (c == NO_CONTENTS || c >= lm->folios_room || obj->pages[i].offset < first ||
            obj->pages[i].offset >= end)
            continue;
        struct folio *f = &lm->folio[c];
        if (!(f->flags & FOLIO_RESIDENT) || (!all && (f->flags & FOLIO_DIRTY || f->mapped)))
            continue;
        folio_unmap(lm, c);
        folio_free(lm, c);
        f->flags = FOLIO_ADOPTED;
    }
}

/* ---- faults ----------------------------------------------------------------------------- */

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
    uint8_t bits = file ? 0
                        : PTE_WRITE; /* nothing waits for a first write (vma_wants_writenotify) */
    if (leaf->id && !(leaf->id & LEAF_INHERITED)) {
        uint32_t page = leaf->id - 1;
        if (vm->contents[page] == c && !(lm->pte[page] & PTE_PRESENT))
            map_page(lm, page, c, bits);
        return c;
    }
    struct folio *f = &lm->folio[c];
    uint32_t hw = f->unmappings << PTE_BITS | PTE_PRESENT | PTE_YOUNG | bits;
    if (leaf->id && ((leaf->id & ~LEAF_INHERITED) != c ||
                     (leaf->hw >> PTE_BITS == f->unmappings && leaf->hw & PTE_PRESENT)))
        return c;
    if (!leaf->id)
        contents_mapper_added(&vm->cs, c);
    *leaf = (struct leaf){ .id = c | LEAF_INHERITED, .hw = hw };
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
    struct fl_page at = fl_reader_page(lm->vm->reader, page);
    struct mm *mm = &lm->vm->mms[at.mm];
    const struct vma *vma = mm_find(mm, at.vpn);
    if (vma && vma->object != NO_OBJECT)
        fault_around(lm, mm, vma, at.vpn);
}

/* do_read_fault, do_shared_fault: @page of a file. false: the process is gone. */
bool page_cache_fault(struct linux_mm *lm, uint32_t page, uint32_t c, bool write)
{
    struct fl_page at = fl_reader_page(lm->vm->reader, page);
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
    count_fault(lm, cause);
    return true;
}

/* do_cow_fault: the file's page has to be there to be copied. @major: it was read in. */
bool page_cache_before_copy(struct linux_mm *lm, uint32_t page, bool *major)
{
    struct fl_page at = fl_reader_page(lm->vm->reader, page);
    const struct vma *vma = mm_find(&lm->vm->mms[at.mm], at.vpn);
    if (!vma || vma->object == NO_OBJECT || lm->vm->cs.objects[vma->object].kind != CONTENTS_FILE)
        return true;
    uint64_t offset = vma->pgoff + (at.vpn - vma->start);
    uint32_t c = page_at(lm, vma->object, offset);
    if (c == NO_CONTENTS)
        return false;
    *major = !(lm->folio[c].flags & FOLIO_RESIDENT);
    return !*major || read_for_fault(lm, vma, offset);
}

/* ---- events ----------------------------------------------------------------------------- */

static void note_resident(struct linux_mm *lm, struct cached_file *file, uint32_t object,
                          uint64_t first, uint64_t end)
{
    struct extent *more = reallocarray(file->resident, file->n_resident + 1, sizeof *more);
    file->known = true;
    if (lm->opts.machine && end > file->size)
        end = file->size;
    if (lm->opts.machine && end > first && end != UINT64_MAX)
        first = machine_warm(lm, object, first, end);
    if (!more) {
        lm->failed_memory = true;
        return;
    }
    file->resident = more;
    if (end > first)
        more[file->n_resident++] = (struct extent){ first, end };
}

static void file_io(struct linux_mm *lm, struct cached_file *file, uint32_t object,
                    const struct fl_event *ev)
{
    uint64_t first = ev->file_io.offset >> FL_PAGE_SHIFT, end = UINT64_MAX;
    if (ev->file_io.length != FL_IO_TO_END &&
        !__builtin_add_overflow(ev->file_io.offset, ev->file_io.length, &end))
        end = fl_pages_of(end);
    if ((ev->file_io.op == FL_IO_READ || ev->file_io.op == FL_IO_WRITE) &&
        end - first > TRANSFER_PAGES_MAX)
        end = first + TRANSFER_PAGES_MAX; /* no call transfers more: a hostile trace */
    if (lm->vm->cs.objects[object].kind == CONTENTS_MEMORY) {
        shmem_io(lm, object, ev->file_io.op,
                 ev->file_io.op == FL_IO_TRUNCATE ? fl_pages_of(ev->file_io.offset) : first, end);
        return;
    }
    switch (ev->file_io.op) {
    case FL_IO_READ:
        if (!(ev->file_io.flags & FL_IO_DIRECT))
            do_read(lm, object, first, end);
        return;
    case FL_IO_WRITE:
        if (!(ev->file_io.flags & FL_IO_DIRECT))
            do_write(lm, object, first, end);
        if (ev->file_io.flags & FL_IO_DURABLE)
            sync_file(lm, object, first, end);
        return;
    case FL_IO_TRUNCATE:
        file->size = fl_pages_of(ev->file_io.offset);
        drop(lm, object, file->size, UINT64_MAX, true);
        return;
    case FL_IO_SYNC: sync_file(lm, object, first, end); return;
    case FL_IO_DONTNEED: drop(lm, object, first, end, false); return;
    case FL_IO_WILLNEED: /* force_page_cache_ra */
        if (end - first > file->read_ahead)
            end = first + file->read_ahead;
        read_range(lm, object, first, end, NO_TARGET, UINT64_MAX);
        return;
    case FL_IO_NORMAL:
    case FL_IO_RANDOM:
    case FL_IO_SEQUENTIAL: file->advice = ev->file_io.op; return;
    case FL_IO_UNLINK: /* mappings keep the file */
        if (!lm->vm->cs.objects[object].mappings)
            drop(lm, object, 0, UINT64_MAX, true);
        return;
    default: return;
    }
}

void page_cache_event(struct linux_mm *lm, const struct fl_event *ev)
{
    uint32_t id = ev->kind == FL_EV_FILE      ? ev->file.file
                  : ev->kind == FL_EV_FILE_IO ? ev->file_io.file
                                              : ev->resident.file;
    if (id >= lm->vm->n_files)
        return;
    uint32_t object = lm->vm->object_of[id];
    struct cached_file *file = file_of(lm, object);
    if (!file)
        return;
    if (ev->kind == FL_EV_FILE_IO) {
        file_io(lm, file, object, ev);
    } else if (ev->kind == FL_EV_FILE) {
        if (file->size == UINT64_MAX)
            file->size = fl_pages_of(ev->file.size_bytes);
    } else {
        uint64_t first = ev->resident.offset >> FL_PAGE_SHIFT, end = UINT64_MAX;
        if (!__builtin_add_overflow(ev->resident.offset, ev->resident.length, &end))
            end = fl_pages_of(end);
        if (ev->resident.read_ahead_pages)
            file->read_ahead = ev->resident.read_ahead_pages < READ_AHEAD_MAX
                                   ? ev->resident.read_ahead_pages
                                   : READ_AHEAD_MAX;
        note_resident(lm, file, object, first, end);
    }
}
