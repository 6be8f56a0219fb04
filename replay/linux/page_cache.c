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

#include "page_cache.h"

#define READ_AHEAD_DEFAULT 32u                                     /* VM_READAHEAD_PAGES */
#define TRANSFER_PAGES_MAX (UINT64_C(0x7ffff000) >> FL_PAGE_SHIFT) /* MAX_RW_COUNT */
#define READ_AHEAD_MAX 0x10000u                                    /* ours: 256 MiB */

void page_cache_fini(struct linux_mm *lm)
{
    for (uint32_t i = 0; i < lm->files_room; i++)
        free(lm->files[i].resident);
    free(lm->files);
}

struct cached_file *file_of(struct linux_mm *lm, uint32_t object)
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
void adopt(struct linux_mm *lm, uint32_t object, uint64_t offset, uint32_t c)
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
void page_cache_insert(struct linux_mm *lm, uint32_t c, bool for_write)
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
    folio_mark_dirty(lm, c);
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
            if (folio_is_file(lm, c))
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
            if (!take_page(lm))
                return;
            page_cache_insert(lm, c, true);
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

static bool add_extent(struct linux_mm *lm, struct cached_file *file, uint64_t first, uint64_t end)
{
    struct extent *more = reallocarray(file->resident, file->n_resident + 1, sizeof *more);
    if (!more) {
        lm->failed_memory = true;
        return false;
    }
    file->resident = more;
    if (end > first)
        more[file->n_resident++] = (struct extent){ first, end };
    return true;
}

/* Of the pages not met yet, those of [first, end) are in the page cache no more. */
static void forget_resident(struct linux_mm *lm, struct cached_file *file, uint64_t first,
                            uint64_t end)
{
    if (!file->known && !add_extent(lm, file, 0, UINT64_MAX))
        return;
    file->known = true;
    for (uint32_t i = 0; i < file->n_resident; i++) {
        struct extent *at = &file->resident[i], whole = *at;
        if (first >= whole.end || end <= whole.first)
            continue;
        at->end = first > whole.first ? first : whole.first;
        if (end < whole.end && !add_extent(lm, file, end, whole.end))
            return;
    }
}

/* Pages from @first on leave the page cache; @all: also dirty and mapped ones (truncate). */
static void drop(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end, bool all)
{
    const struct object *obj = &lm->vm->cs.objects[object];
    forget_resident(lm, file_of(lm, object), first, end);
    for (uint32_t i = 0; i < obj->cap; i++) {
        uint32_t c = obj->pages[i].contents;
        if (c == NO_CONTENTS || c >= lm->folios_room || obj->pages[i].offset < first ||
            obj->pages[i].offset >= end)
            continue;
        struct folio *f = &lm->folio[c];
        if (f->flags & FOLIO_RESIDENT && !all && (f->flags & FOLIO_DIRTY || f->mapped))
            continue;
        if (lm->dropped)
            lm->dropped(lm->arg, c);
        if (!(f->flags & FOLIO_RESIDENT)) { /* clear_shadow_entries */
            f->flags &= (uint16_t) ~(FOLIO_SHADOW | FOLIO_SHADOW_WORKINGSET);
            continue;
        }
        folio_unmap(lm, c);
        folio_free(lm, c);
        f->flags = FOLIO_ADOPTED;
    }
}
/* ---- events ----------------------------------------------------------------------------- */

static void note_resident(struct linux_mm *lm, struct cached_file *file, uint32_t object,
                          uint64_t first, uint64_t end)
{
    file->known = true;
    if (lm->opts.machine && end > file->size)
        end = file->size;
    if (lm->opts.machine && end > first && end != UINT64_MAX)
        first = machine_warm(lm, object, first, end);
    add_extent(lm, file, first, end);
}

/* force_page_cache_ra */
void page_cache_willneed(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    const struct cached_file *file = file_of(lm, object);
    if (!file)
        return;
    if (end - first > ra_pages(file))
        end = first + ra_pages(file);
    read_range(lm, object, first, end, NO_TARGET, UINT64_MAX);
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
    case FL_IO_WILLNEED: page_cache_willneed(lm, object, first, end); return;
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
