/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory-backed files: what system calls do to them; linux/mm/shmem.c. */
#include "linux_mm.h"

/* The swap cache is left as the page enters its file (shmem_swapin_folio). */
void shmem_came_in(struct linux_mm *lm, uint32_t c)
{
    swap_entry_gone(lm, c);
    if (lm->folio[c].flags & FOLIO_WRITEBACK)
        swap_write_wait(lm, c); /* shmem_swapin_folio */
    swap_cache_drop(lm, c);
    folio_mark_dirty(lm, c);
}

/* false: the process is gone */
static bool bring_in(struct linux_mm *lm, uint32_t c)
{
    enum fl_cause cause;
    if (lm->folio[c].slot == SWAP_NO_SLOT)
        return true;
    if (!swap_in(lm, NO_PAGE, c, &cause))
        return false;
    shmem_came_in(lm, c);
    return true;
}

/* shmem_file_read_iter: holes stay holes */
static void do_read(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    for (uint64_t offset = first; offset < end; offset++) {
        uint32_t c = contents_object_page(&lm->vm->cs, object, offset);
        if (c == NO_CONTENTS || c >= lm->folios_room)
            continue;
        if (!bring_in(lm, c))
            return;
        if (lm->folio[c].flags & FOLIO_RESIDENT)
            folio_mark_accessed(lm, c);
    }
}

/* shmem_get_folio, SGP_WRITE */
static void do_write(struct linux_mm *lm, uint32_t object, uint64_t first, uint64_t end)
{
    for (uint64_t offset = first; offset < end; offset++) {
        uint32_t c = page_at(lm, object, offset);
        if (c == NO_CONTENTS || !bring_in(lm, c))
            return;
        if (lm->folio[c].flags & FOLIO_RESIDENT) {
            folio_mark_accessed(lm, c);
        } else {
            if (!take_page(lm))
                return;
            folio_resident(lm, c);
            lru_add_new(lm, c, LRU_INACTIVE_ANON);
        }
        folio_mark_dirty(lm, c);
    }
}

/* shmem_truncate_range: pages and slots go, whoever maps them */
static void drop(struct linux_mm *lm, uint32_t object, uint64_t first)
{
    const struct object *obj = &lm->vm->cs.objects[object];
    for (uint32_t i = 0; i < obj->cap; i++) {
        uint32_t c = obj->pages[i].contents;
        if (c == NO_CONTENTS || c >= lm->folios_room || obj->pages[i].offset < first)
            continue;
        folio_unmap(lm, c);
        linux_forget(lm, c);
        if (lm->dropped)
            lm->dropped(lm->arg, c);
    }
}

void shmem_io(struct linux_mm *lm, uint32_t object, enum fl_io_op op, uint64_t first, uint64_t end)
{
    if (op == FL_IO_READ)
        do_read(lm, object, first, end);
    else if (op == FL_IO_WRITE)
        do_write(lm, object, first, end);
    else if (op == FL_IO_TRUNCATE)
        drop(lm, object, first);
    else if (op == FL_IO_UNLINK && !lm->vm->cs.objects[object].mappings)
        drop(lm, object, 0);
}
