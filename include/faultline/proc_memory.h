/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * proc_memory.h - what /proc tells of memory for the OOM killer's question: how much of it each
 * process has, and how much the machine has.
 *
 * @root is where proc is mounted, FL_PROC_ROOT but for tests. Sizes are exact sums, not the
 * per-CPU estimates that the kernel's own score is made from.
 */
#ifndef FAULTLINE_PROC_MEMORY_H
#define FAULTLINE_PROC_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/proc.h>

struct fl_proc_memory {
    uint32_t pid, ppid, uid;
    char comm[FL_PROC_COMM_BYTES];
    char state;           /* as ps shows it; of the first thread */
    uint64_t start_ticks; /* since boot: the order in which processes began, to 10 ms */
    bool is_kernel_thread;
    bool is_dying;   /* it exits, or SIGKILL is on its way */
    bool has_memory; /* false: a thread of the kernel, or it has ended */
    uint64_t anon_bytes, file_bytes, shmem_bytes, swap_bytes, table_bytes;
    uint64_t virtual_bytes;
    int32_t oom_score_adj;   /* -1000..1000 */
    int32_t oom_score;       /* the kernel's, before the sizes were read; -1: it cannot be read */
    int32_t oom_score_after; /* and after */
    bool is_unread;          /* some of this may not be looked at: it is 0 then */
};

/**
 * fl_proc_memory - process @pid. Where its first thread has ended and others run, the memory is
 * found through these. What may not be read is no error: see is_unread.
 * Errors: FL_EUSAGE with sys_errno ESRCH when it is gone; FL_ENOMEM.
 * Cost: five small files, 60 us.
 */
int fl_proc_memory(const char *root, uint32_t pid, struct fl_proc_memory *out, struct fl_err *err);

/**
 * fl_proc_pids - every process, ascending. @out: malloc'ed.
 * Errors: FL_EMACHINE when @root is no proc; FL_ENOMEM.
 */
int fl_proc_pids(const char *root, uint32_t **out, size_t *n, struct fl_err *err);

struct fl_meminfo {
    uint64_t ram_bytes, free_bytes, available_bytes, anon_bytes, shmem_bytes;
    uint64_t swap_bytes, swap_free_bytes;
};

/** fl_proc_meminfo - the machine's. Errors: FL_EMACHINE when it does not tell; FL_ENOMEM. */
int fl_proc_meminfo(const char *root, struct fl_meminfo *out, struct fl_err *err);

/**
 * fl_proc_sees_all - are these all processes of the machine? false in a container with a
 * process namespace of its own, where pid 1 is one like any other; true when nothing tells.
 */
bool fl_proc_sees_all(const char *root);

#endif
