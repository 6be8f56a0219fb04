/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/model-linux.md, section 12: what system calls do to files. */
#include "naive_linux_world.h"

#define READ_AHEAD 32

static uint64_t pages_of(uint64_t bytes)
{
    return bytes / 4096 + (bytes % 4096 > 0);
}

static uint64_t after(uint64_t offset, uint64_t length)
{
    return length == FL_IO_TO_END || offset + length < offset ? UINT64_MAX : offset + length;
}

static bool is_memory(const struct world *w, int object)
{
    return w->objects.at[object].memory_backed;
}

/* The object's page if it has met any, or NONE. */
static int existing(const struct world *w, int object, uint64_t index)
{
    for (size_t i = 0; i < w->contents.n; i++) {
        const struct contents *c = &w->contents.at[i];
        if (c->exists && c->object == object && c->index == index)
            return (int)i;
    }
    return NONE;
}

static bool is_mapped(const struct world *w, int c)
{
    for (size_t i = 0; i < w->vpages.n; i++)
        if (w->vpages.at[i].contents == c && w->vpages.at[i].entry.present)
            return true;
    return false;
}

/* ---- pages that go ------------------------------------------------------------------------- */

/* Out of the page cache, or out of shared memory. */
static void page_goes(struct world *w, int c)
{
    for (size_t i = 0; i < w->vpages.n; i++)
        if (w->vpages.at[i].contents == c)
            w->vpages.at[i].entry = (struct entry){ .present = false };
    if (naive_linux_is_anon(w, c))
        naive_linux_contents_end(w, c);
    naive_linux_free_folio(w, c);
    FOLIO(w, c)->shadow = FOLIO(w, c)->exec = false;
}

static void truncate_pages(struct world *w, int object, uint64_t first)
{
    for (uint64_t index = 0; index < 4096; index++) {
        int c = index < first ? NONE : existing(w, object, index);
        if (c != NONE)
            page_goes(w, c);
    }
    LIST_ADD(&w->k->files[object].gone, (struct span){ first, UINT64_MAX });
}

/* The last name is gone. A file that is mapped stays. */
static void unlinked(struct world *w, int object)
{
    for (size_t i = 0; i < w->mappings.n; i++)
        if (w->mappings.at[i].object == object)
            return;
    truncate_pages(w, object, 0);
}

/* POSIX_FADV_DONTNEED */
static void forget_clean(struct world *w, int object, struct span s)
{
    for (uint64_t index = s.first; index < s.end && index < 4096; index++) {
        int c = existing(w, object, index);
        if (c != NONE && FOLIO(w, c)->met) {
            if (FOLIO(w, c)->resident && !FOLIO(w, c)->dirty && !is_mapped(w, c))
                page_goes(w, c);
            FOLIO(w, c)->shadow &= FOLIO(w, c)->resident; /* clear_shadow_entries */
            continue;
        }
        LIST_ADD(&w->k->files[object].gone, (struct span){ index, index + 1 });
    }
}

static void write_back_range(struct world *w, int object, struct span s)
{
    for (uint64_t index = s.first; index < s.end && index < 4096; index++) {
        int c = existing(w, object, index);
        if (c != NONE && FOLIO(w, c)->resident && FOLIO(w, c)->dirty)
            naive_linux_write_back(w, c);
    }
}

/* ---- read(2), write(2) ------------------------------------------------------------------------- */

/* The page is not there: a window, or what was asked for. */
bool naive_linux_sync_read(struct world *w, int object, uint64_t page, uint64_t end)
{
    struct kfile *file = &w->k->files[object];
    uint64_t asked = end - page, max = naive_linux_ra(file), n = 1;
    bool in_order = page == 0 || page == file->last_read + 1 || asked > max;
    if (file->ra == 0 || file->advice == 1 || !in_order)
        return naive_linux_read_range(w, object, (struct span){ page, end }, page, UINT64_MAX);
    while (n < asked)
        n *= 2;
    file->start = page;
    file->size = n <= max / 32 ? 4 * n : n <= max / 4 ? 2 * n : max;
    file->async = file->size > asked ? file->size - asked : file->size / 2;
    return naive_linux_read_range(w, object, (struct span){ page, page + file->size }, page,
                                  page + file->size - file->async);
}

static void read_file(struct world *w, int object, struct span s)
{
    struct kfile *file = &w->k->files[object];
    for (uint64_t page = s.first; page < s.end; page++) {
        int c = naive_linux_file_page(w, object, page);
        if (!FOLIO(w, c)->resident && !naive_linux_sync_read(w, object, page, s.end))
            return;
        if (FOLIO(w, c)->mark)
            naive_linux_window_moves_on(w, c);
        naive_linux_mark_accessed(w, c);
        file->last_read = page;
    }
}

static void write_file(struct world *w, int object, struct span s)
{
    for (uint64_t page = s.first; page < s.end; page++) {
        int c = naive_linux_file_page(w, object, page);
        struct folio *f = FOLIO(w, c);
        if (!f->resident) {
            if (!naive_linux_charge(w, false))
                return;
            f->shadow = f->workingset = false;
            naive_linux_new_folio(w, c, false);
            f->by_write = true;
        }
        naive_linux_dirty(w, c);
    }
}

/* Both, of a memory-backed file. */
static void use_memory(struct world *w, int object, struct span s, bool writes)
{
    for (uint64_t page = s.first; page < s.end; page++) {
        int c = existing(w, object, page);
        enum fl_cause cause;
        if (c != NONE && (FOLIO(w, c)->resident || FOLIO(w, c)->slot)) {
            if (!naive_linux_shared_in(w, c, &cause))
                return;
            naive_linux_mark_accessed(w, c);
        } else if (writes) {
            if (!naive_linux_charge(w, false))
                return;
            c = naive_vm_object_page(w, object, page);
            FOLIO(w, c)->workingset = false;
            naive_linux_new_folio(w, c, false);
        }
        if (writes)
            naive_linux_dirty(w, c);
    }
}

/* ---- events ------------------------------------------------------------------------------------- */

static void transfer(struct world *w, int object, const struct fl_event *ev)
{
    struct kfile *file = &w->k->files[object];
    bool writes = ev->file_io.op == FL_IO_WRITE;
    uint64_t end = after(ev->file_io.offset, ev->file_io.length);
    if (ev->file_io.length == 0)
        return;
    if (writes && end > file->size_bytes)
        file->size_bytes = end;
    struct span s = { ev->file_io.offset / 4096, pages_of(end) };
    bool direct = ev->file_io.flags & FL_IO_DIRECT; /* memory knows no such thing */
    if (is_memory(w, object)) {
        use_memory(w, object, s, writes);
        return;
    }
    if (!writes && !direct)
        read_file(w, object, s);
    if (!writes)
        return;
    if (!direct)
        write_file(w, object, s);
    if (ev->file_io.flags & FL_IO_DURABLE)
        write_back_range(w, object, s);
}

static void file_io(struct world *w, int object, const struct fl_event *ev)
{
    struct kfile *file = &w->k->files[object];
    struct span s = { ev->file_io.offset / 4096,
                      pages_of(after(ev->file_io.offset, ev->file_io.length)) };
    switch (ev->file_io.op) {
    case FL_IO_READ:
    case FL_IO_WRITE: transfer(w, object, ev); return;
    case FL_IO_TRUNCATE:
        file->size_bytes = ev->file_io.offset;
        truncate_pages(w, object, pages_of(ev->file_io.offset));
        return;
    case FL_IO_UNLINK: unlinked(w, object); return;
    default: break;
    }
    if (is_memory(w, object))
        return;
    switch (ev->file_io.op) {
    case FL_IO_SYNC: write_back_range(w, object, s); break;
    case FL_IO_DONTNEED: forget_clean(w, object, s); break;
    case FL_IO_WILLNEED:
        if (s.end > s.first + naive_linux_ra(file))
            s.end = s.first + naive_linux_ra(file);
        naive_linux_read_range(w, object, s, UINT64_MAX, UINT64_MAX);
        break;
    case FL_IO_NORMAL: file->advice = 0; break;
    case FL_IO_RANDOM: file->advice = 1; break;
    case FL_IO_SEQUENTIAL: file->advice = 2; break;
    default: break;
    }
}

void naive_linux_file_event(struct world *w, const struct fl_event *ev)
{
    uint32_t id = ev->kind == FL_EV_FILE       ? ev->file.file
                  : ev->kind == FL_EV_RESIDENT ? ev->resident.file
                                               : ev->file_io.file;
    int object = NONE;
    for (size_t i = 0; i < w->files.n; i++)
        if (w->files.at[i].id == id)
            object = w->files.at[i].object;
    if (object == NONE)
        return;
    struct kfile *file = &w->k->files[object];
    if (ev->kind == FL_EV_FILE_IO) {
        file_io(w, object, ev);
    } else if (ev->kind == FL_EV_RESIDENT) {
        file->known = true;
        if (ev->resident.read_ahead_pages)
            file->ra = ev->resident.read_ahead_pages;
        LIST_ADD(&file->cached,
                 (struct span){ ev->resident.offset / 4096,
                                pages_of(after(ev->resident.offset, ev->resident.length)) });
    } else {
        file->size_bytes = ev->file.size_bytes;
        if (!file->ra) {
            file->ra = READ_AHEAD;
            file->last_read = UINT64_MAX - 1;
        }
    }
}
