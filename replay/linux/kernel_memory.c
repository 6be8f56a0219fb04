/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel itself takes for the processes, charged to their group (GFP_KERNEL_ACCOUNT).
 *
 * Object sizes are those of Linux 6.18 on x86-64 (/proc/slabinfo); the mappings of a space are
 * taken as those of a dynamically linked program, as the kernel merges what the trace does not.
 */
#include <faultline/units.h>

#include "linux_mm.h"

#define STACK_PAGES 4u /* THREAD_SIZE */

enum {
    TASK_BYTES = 5888 + 192 + 192,          /* task_struct, cred, pid */
    PROCESS_BYTES = 1152 + 2112 + 704 + 64, /* signal, sighand, files, fs */
    SPACE_BYTES =
        1600 + 24 * 192 + 12 * (104 + 64), /* mm_struct; vm_area_struct; anon_vma, chain */
    BUFFER_HEAD_BYTES = 104,               /* one for each 4 KiB page written to ext4 */
    NODE_BYTES_PER_PAGE = 576 / 64,        /* a radix tree node indexes 64 pages */
};

/* The first task came from outside the group, which so did not pay for it. */
static uint64_t pages_needed(const struct linux_mm *lm)
{
    const struct vm *vm = lm->vm;
    if (lm->opts.data_frames)
        return 0;
    uint64_t tasks = vm->n_tasks ? vm->n_tasks - 1 : 0;
    uint64_t processes = vm->n_alive ? vm->n_alive - 1 : 0;
    uint64_t slab = tasks * TASK_BYTES + processes * PROCESS_BYTES + vm->n_spaces * SPACE_BYTES +
                    lm->file_slab_bytes;
    return vm->n_tables + tasks * STACK_PAGES + fl_pages_of(slab);
}

bool kernel_memory_charge(struct linux_mm *lm)
{
    uint64_t need = pages_needed(lm);
    while (lm->kernel_pages < need) {
        if (!take_kernel_page(lm))
            return false;
        if (++lm->kernel_pages > lm->kernel_pages_peak)
            lm->kernel_pages_peak = lm->kernel_pages;
        need = pages_needed(lm); /* taking may have killed */
    }
    if (lm->kernel_pages > need) {
        give_kernel_pages(lm, lm->kernel_pages - need);
        lm->kernel_pages = need;
    }
    return true;
}

void kernel_memory_of_file_page(struct linux_mm *lm, uint32_t c, bool written)
{
    lm->file_slab_bytes += NODE_BYTES_PER_PAGE;
    if (written) {
        lm->folio[c].flags |= FOLIO_BUFFERS;
        lm->file_slab_bytes += BUFFER_HEAD_BYTES;
    }
}

void kernel_memory_of_file_page_gone(struct linux_mm *lm, uint32_t c)
{
    lm->file_slab_bytes -= NODE_BYTES_PER_PAGE;
    if (lm->folio[c].flags & FOLIO_BUFFERS)
        lm->file_slab_bytes -= BUFFER_HEAD_BYTES;
}
