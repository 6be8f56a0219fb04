/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which file pages are read besides the one that is wanted: linux/mm/readahead.c, filemap.c. */
#include "page_cache.h"

#define MMAP_MISS_MAX 1000u /* MMAP_LOTSAMISS * 10 */
#define MMAP_MISS_LOTS 100u /* MMAP_LOTSAMISS */

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
    uint64_t size = file_of(lm, object)->size;
    for (uint64_t offset = first; offset < end; offset++) {
        uint32_t c = page_at(lm, object, offset);
        if (c == NO_CONTENTS)
            return false;
        if (offset >= size && offset != target)
            continue;
        if (lm->folio[c].flags & FOLIO_RESIDENT)
            continue;
        if (offset == target ? !take_page(lm) : !take_page_if_easy(lm)) {
            if (offset == target)
                return false;
            if (offset > target || target >= end)
                return true; /* read-ahead gives up */
            offset = target - 1;
            continue;
        }
        page_cache_insert(lm, c, false);
        lm->folio[c].flags |= FOLIO_BUSY;
        lm->file_pages_read++;
        if (offset == mark)
            lm->folio[c].flags |= FOLIO_READAHEAD;
        lm->file_readahead_pages += offset != target;
        linux_tick(lm, FL_COST_FILE_READAHEAD, offset != target);
    }
    return true;
}

/* Read [first, end), of which @target must come in, the others may. false: the process is gone. */
bool read_range(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end, uint64_t target,
                uint64_t mark)
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

/* POSIX_FADV_SEQUENTIAL doubles it */
uint64_t ra_pages(const struct cached_file *file)
{
    return file->advice == FL_IO_SEQUENTIAL ? UINT64_C(2) * file->read_ahead : file->read_ahead;
}

/* page_cache_sync_ra: @offset is wanted and not there */
bool read_missing(struct linux_mm *lm, uint32_t object, uint64_t offset, uint64_t request)
{
    struct cached_file *file = file_of(lm, object);
    uint64_t max = ra_pages(file);
    if (!max || file->advice == FL_IO_RANDOM)
        return read_range(lm, object, offset, offset + request, offset, UINT64_MAX);
    if (offset && offset != file->window.next && request <= max) /* random */
        return read_range(lm, object, offset, offset + request, offset, UINT64_MAX);
    file->window.start = offset;
    file->window.size = first_window(request, max);
    file->window.async_size = file->window.size > request ? file->window.size - request
                                                          : file->window.size / 2;
    return read_window(lm, object, offset);
}

/* do_sync_mmap_readahead: around the page, or in executable mappings from it on */
bool read_for_fault(struct linux_mm *lm, const struct vma *vma, uint64_t offset)
{
    struct cached_file *file = file_of(lm, vma->object);
    bool executable = vma->rights & FL_PROT_EXEC;
    if (!file)
        return false;
    uint64_t ra = ra_pages(file), end = vma->pgoff + (vma->end - vma->start);
    if ((vma->flags & VMA_RANDOM && !executable) || !ra)
        return read_range(lm, vma->object, offset, offset + 1, offset, UINT64_MAX);
    if (vma->flags & VMA_SEQUENTIAL)
        return read_missing(lm, vma->object, offset, ra);
    if (file->mmap_miss < MMAP_MISS_MAX)
        file->mmap_miss++;
    if (file->mmap_miss > MMAP_MISS_LOTS)
        return read_range(lm, vma->object, offset, offset + 1, offset, UINT64_MAX);
    if (executable) {
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

/* page_cache_async_ra: the mark of @c has been met */
bool read_further(struct linux_mm *lm, uint32_t object, uint64_t offset, uint32_t c)
{
    struct cached_file *file = file_of(lm, object);
    uint64_t max = ra_pages(file);
    if (!max)
        return true;
    lm->folio[c].flags &= (uint16_t)~FOLIO_READAHEAD;
    lm->file_readahead_hits++;
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
