/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include <faultline/proc.h>

#include "proc_file.h"
#include "proc_text.h"

static uint64_t stack_pointer(const char *root, uint32_t pid, uint32_t tid)
{
    size_t len;
    uint64_t sp = 0;
    char *text = proc_read((struct proc_at){ root, pid, tid, "syscall" }, PROC_SMALL_BYTES, &len);
    if (text)
        sp = text_stack_pointer(text, len);
    free(text);
    if (sp)
        return sp;
    struct text_stat stat;
    text = proc_read((struct proc_at){ root, pid, tid, "stat" }, PROC_SMALL_BYTES, &len);
    if (text && text_stat(text, len, &stat))
        sp = stat.stack_pointer;
    free(text);
    return sp;
}

static int by_pointer(const void *a, const void *b)
{
    const struct fl_proc_stack *x = a, *y = b;
    return (x->sp > y->sp) - (x->sp < y->sp);
}

int fl_proc_stacks(const char *root, uint32_t pid, struct fl_proc_stacks *out, struct fl_err *err)
{
    uint32_t *tid;
    size_t n;
    *out = (struct fl_proc_stacks){ 0 };
    int failed = proc_numbers((struct proc_at){ root, pid, 0, "task" }, &tid, &n);
    if (failed)
        return proc_fail(err, pid, failed);
    out->stack = calloc(n ? n : 1, sizeof *out->stack);
    if (!out->stack) {
        free(tid);
        return fl_nomem(err, "reading stack pointers");
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t sp = tid[i] == pid ? 0 : stack_pointer(root, pid, tid[i]);
        if (sp)
            out->stack[out->n++] = (struct fl_proc_stack){ sp, tid[i] };
        else
            out->unknown += tid[i] != pid;
    }
    qsort(out->stack, out->n, sizeof *out->stack, by_pointer);
    free(tid);
    return FL_OK;
}

void fl_proc_stacks_free(struct fl_proc_stacks *stacks)
{
    if (!stacks)
        return;
    free(stacks->stack);
    *stacks = (struct fl_proc_stacks){ 0 };
}

uint32_t fl_proc_stack_tid(const struct fl_proc_map *map, const struct fl_proc_stacks *stacks)
{
    if (!stacks || *map->name || map->flags & FL_MAP_SHARED || !(map->prot & FL_PROT_WRITE))
        return 0;
    size_t low = 0, high = stacks->n;
    while (low < high) { /* the first pointer at or above start */
        size_t mid = low + (high - low) / 2;
        if (stacks->stack[mid].sp < map->start)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == stacks->n || stacks->stack[low].sp >= map->end)
        return 0;
    bool one = low + 1 == stacks->n || stacks->stack[low + 1].sp >= map->end;
    return one ? stacks->stack[low].tid : 0;
}
