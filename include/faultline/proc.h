/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * proc.h - what /proc tells of processes that already run, and of the machine.
 *
 * @root is where proc is mounted, FL_PROC_ROOT but for tests. Nothing that is read is
 * trusted: numbers are range-checked, lines that make no sense are skipped and counted.
 * Names of processes and files are raw bytes, control characters included; whoever
 * prints them escapes them.
 *
 * Errors of the functions that take a pid: FL_EUSAGE when there is no such process (any
 * more), FL_EMACHINE when it may not be looked at, FL_EIO, FL_ENOMEM; fl_err.sys_errno is
 * ESRCH for a process that is gone, which is no mistake when all processes are walked.
 *
 * Costs are CPU times on Linux 6.18 in a virtual machine.
 */
#ifndef FAULTLINE_PROC_H
#define FAULTLINE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>

#define FL_PROC_ROOT "/proc"
#define FL_PROC_COMM_BYTES 16      /* with its NUL; longer names of kernel workers are cut */
#define FL_PROC_PID_MAX (1u << 22) /* the kernel has no larger pid */

/* ---- processes and threads ------------------------------------------------------------ */

struct fl_proc_task { /* a thread; tid == pid: the first of its process */
    uint32_t pid, tid, ppid;
    int32_t oom_score_adj; /* the process's, -1000..1000 */
    uint64_t start_ns;     /* since boot, in clock ticks' resolution (10 ms) */
    bool is_kernel_thread;
    char state; /* as ps shows it: R S D T t Z X I; '?' unknown */
    char comm[FL_PROC_COMM_BYTES];
};

struct fl_proc_tasks {
    struct fl_proc_task *task; /* malloc'ed */
    size_t n;
    unsigned scans;  /* how often all were looked at */
    bool is_settled; /* the last two scans found the same */
};

/**
 * fl_proc_check - may process @pid be watched? It must exist, be a process rather than one of
 * its threads, not be a thread of the kernel or a zombie, and its mappings must be readable.
 * Errors: FL_EUSAGE; FL_EMACHINE; both name the remedy.
 */
int fl_proc_check(const char *root, uint32_t pid, struct fl_err *err);

/**
 * fl_proc_tasks - all threads of @pid and of its descendants; @pid 0: of all processes, kernel
 * threads among them. Scanned again until two scans agree, 8 times at most, 3 times with @pid 0.
 * Descendants come after their parents, threads by tid behind the first; with @pid 0 processes
 * by pid.
 * A thread that appears while this runs may still be missed: attach to these, call again, and
 * attach to what is new.
 * @out: freed by fl_proc_tasks_free(); empty on errors.
 * Errors: as fl_proc_check() when @pid is not 0.
 * Cost: two scans or more, each about 20 us a thread.
 */
int fl_proc_tasks(const char *root, uint32_t pid, struct fl_proc_tasks *out, struct fl_err *err);
void fl_proc_tasks_free(struct fl_proc_tasks *tasks); /* NULL and twice are fine */

/* ---- mappings --------------------------------------------------------------------------- */

struct fl_proc_map {
    uint64_t start, end, offset; /* bytes; start < end, ascending, never overlapping */
    uint64_t dev, ino;           /* as stat(2) gives them */
    uint32_t prot;               /* FL_PROT_* */
    uint32_t flags;              /* FL_MAP_*, except LOCKED and GROW, which maps does not tell */
    bool has_file;               /* memfd and SysV shared memory are files too */
    bool is_deleted;             /* the file has no name any more */
    const char *name; /* until the callback returns: the path, " (deleted)" kept, "memfd:NAME",
                         "[heap]", "[anon:NAME]"...; "" for anonymous memory without one */
};

/** fl_proc_map_fn - one mapping. Returns: FL_OK, or an error that ends the walk. */
typedef int fl_proc_map_fn(void *ctx, const struct fl_proc_map *map, struct fl_err *err);

/**
 * fl_proc_maps_parse - walk the text of a maps file.
 * @text: @len bytes, any. @malformed: lines skipped; may be NULL.
 * A line that overlaps the one before, as happens when mappings change between two reads, is
 * cut to what is new. "\012" in names becomes a newline; the kernel does not escape
 * backslashes, so a name that has these four characters reads the same.
 * Errors: FL_ENOMEM; what @fn returns.
 */
int fl_proc_maps_parse(const char *text, size_t len, fl_proc_map_fn *fn, void *ctx,
                       size_t *malformed, struct fl_err *err);

/** fl_proc_maps - the same of process @pid. Cost: 0.6 us a mapping. */
int fl_proc_maps(const char *root, uint32_t pid, fl_proc_map_fn *fn, void *ctx, size_t *malformed,
                 struct fl_err *err);

/** Where the stack pointers of a process's threads are. */
struct fl_proc_stacks {
    struct fl_proc_stack {
        uint64_t sp;
        uint32_t tid;
    } * stack; /* malloc'ed, by sp; the first thread, whose stack has a name, is not among them */
    size_t n;
    size_t unknown; /* threads that do not tell: on a CPU at that moment, or no permission */
};

/**
 * fl_proc_stacks - from /proc/PID/task/TID/syscall (a thread that waits in the kernel; needs the
 * right to ptrace it), else from its stat, which is 0 but for dying threads.
 * @out: freed by fl_proc_stacks_free(); empty on errors.
 * Cost: 15 us a thread.
 */
int fl_proc_stacks(const char *root, uint32_t pid, struct fl_proc_stacks *out, struct fl_err *err);
void fl_proc_stacks_free(struct fl_proc_stacks *stacks); /* NULL and twice are fine */

/**
 * fl_proc_stack_tid - the thread whose stack @map is: private, anonymous, writable memory without
 * a name in which one thread's stack pointer is. Returns: 0 when there is none, or several
 * (stacks of coroutines in one heap). @stacks may be NULL.
 */
uint32_t fl_proc_stack_tid(const struct fl_proc_map *map, const struct fl_proc_stacks *stacks);

/**
 * fl_proc_map_label - @map as people know it: "[stack:TID]", "[anon]", "[shared anon]", "[sysv KEY]",
 * else its name, cut to fit. @stacks may be NULL. @cap: at least 32. Returns @buf.
 */
char *fl_proc_map_label(const struct fl_proc_map *map, const struct fl_proc_stacks *stacks,
                        char *buf, size_t cap);

/* ---- residency ----------------------------------------------------------------------------- */

/** fl_proc_present_fn - @start, @length: bytes, whole pages of one mapping; @state: FL_PRESENT_*. */
typedef int fl_proc_present_fn(void *ctx, uint64_t start, uint64_t length, uint32_t state,
                               struct fl_err *err);

struct fl_proc_present_opts {
    uint64_t time_limit_ns; /* 0: two seconds */
    bool without_scan;      /* do not use PAGEMAP_SCAN */
};

struct fl_proc_present_sum {
    uint64_t resident_bytes, swapped_bytes;
    uint64_t ranges;       /* given to the callback */
    uint64_t unread_bytes; /* of mappings: the time was up, or the process ended */
    bool by_scan;          /* with PAGEMAP_SCAN */
};

/**
 * fl_proc_present - where the pages of @pid's mappings are; vdso and its like are left out.
 * Neighbouring pages of one state and mapping are one range; pages of which no range tells are
 * nowhere. The zero page counts as resident, though not in VmRSS; swapped shared memory is not
 * seen in page tables, so it is nowhere; guard pages (MADV_GUARD_INSTALL) are nowhere.
 * @opts: NULL for the defaults. @sum: filled in any case.
 * Errors: as above; what @fn returns. Running out of time is none: see @sum->unread_bytes.
 * Cost: 40 ns a resident page, 80 when no two are neighbours. Addresses without page tables cost
 * nothing with PAGEMAP_SCAN (Linux 6.7), else 4 ns a page, 1 s a TiB; mappings above 1 GiB
 * come last then. The process cannot map or unmap meanwhile. No privilege beyond reading its maps.
 * Source: Linux Documentation/admin-guide/mm/pagemap.rst.
 */
int fl_proc_present(const char *root, uint32_t pid, const struct fl_proc_present_opts *opts,
                    fl_proc_present_fn *fn, void *ctx, struct fl_proc_present_sum *sum,
                    struct fl_err *err);

/* ---- snapshots -------------------------------------------------------------------------------- */

/** fl_proc_emit_fn - takes an event whose strings live until it returns. */
typedef int fl_proc_emit_fn(void *ctx, const struct fl_event *event, struct fl_err *err);

/** Files that could not be read, for a note on quality: "slabinfo (Permission denied), ...", each once. */
struct fl_proc_skipped {
    unsigned n;
    char names[480]; /* as many as fit */
};

/**
 * fl_proc_snapshot - FL_EV_SNAPSHOT events with the text of
 *   @pid 0: meminfo vmstat swaps pressure/memory zoneinfo pagetypeinfo buddyinfo slabinfo;
 *           at the end the other way round: next to the events is what their replay begins and ends with,
 *   else:   status stat smaps_rollup oom_score oom_score_adj limits cgroup maps of the process,
 * in pieces as docs/trace-format.md says. A line too long for a piece is cut, a NUL becomes '?'.
 * Their time is 0 and their thread FL_NO_THREAD: the caller stamps them.
 * @moment: FL_SNAPSHOT_*. @redact: without names of processes, paths and control groups.
 * @skipped: added to, so it starts zeroed; pagetypeinfo and slabinfo need root.
 * Errors: FL_ENOMEM; what @emit returns. A file that cannot be read is none.
 * Cost: the machine 1.5 ms; a process 0.1 ms, and smaps_rollup 40 ns a resident page.
 */
int fl_proc_snapshot(const char *root, uint32_t pid, uint32_t moment, bool redact,
                     fl_proc_emit_fn *emit, void *ctx, struct fl_proc_skipped *skipped,
                     struct fl_err *err);

/** fl_proc_rehearse - read the file @name of the machine and forget it: what the kernel takes for that is at hand when it is read next. */
void fl_proc_rehearse(const char *root, const char *name);

/* ---- object caches ---------------------------------------------------------------------------- */

#define FL_SLAB_ROOT "/sys/kernel/slab"

/**
 * fl_slab_settle - have the kernel shrink each cache of the folder @root: CPUs and sheaves give back what they hold,
 * empty slabs are freed, and the node's lists sorted, fullest first. Objects in use stay as they are; what
 * allocates next is slower once. Caches that refuse are passed over. What each had right after, or after a fourth time when
 * others used it meanwhile, goes to @emit as fl_slab_lists() has it, of @moment, with
 * " settled FROM TO SLABS ROOM ACTIVE" at a line's end: read from FROM to TO, in ns of CLOCK_MONOTONIC after @start_ns.
 * At the start, "slab_partial" follows where the kernel lets us read it (docs/trace-format.md).
 * Errors: FL_EMACHINE when there is no such folder, or none may be written to (root may); FL_ENOMEM; what @emit returns.
 * Caches with sheaves are shrunk again when RCU has given back what they held, until there is no less in use.
 * Cost: 0.1 to 0.4 s for 235 caches, most of it waiting for RCU.
 */
int fl_slab_settle(const char *root, uint64_t start_ns, uint32_t moment, fl_proc_emit_fn *emit,
                   void *ctx, struct fl_err *err);

/**
 * fl_slab_lists - FL_EV_SNAPSHOT events, as fl_proc_snapshot() has them, of a text "slab_lists": a line for each name of a
 * cache, "NAME N A C0=F(S) C1=F(S)...": N partly used slabs on the node's list, A at CPUs, of these S on CPU 0's. None where there
 * is no such folder.
 * Errors: FL_ENOMEM; what @emit returns. Cost: six small files a name.
 */
int fl_slab_lists(const char *root, uint32_t moment, fl_proc_emit_fn *emit, void *ctx,
                  struct fl_err *err);

/* ---- counters ---------------------------------------------------------------------------------- */

struct fl_proc_usage {
    uint64_t minor_faults, major_faults; /* of all its threads, dead ones too; not its children */
    uint64_t resident_bytes, swapped_bytes;
    uint32_t threads;
    char state;
    char comm[FL_PROC_COMM_BYTES];
};

/** fl_proc_usage - what process @pid has used. Cost: two small files, 30 us. */
int fl_proc_usage(const char *root, uint32_t pid, struct fl_proc_usage *out, struct fl_err *err);

/**
 * fl_proc_faults - faults of the living thread @tid of @pid; @tid 0: of the process, as in
 * fl_proc_usage(). Cost: one small file, 15 us.
 */
int fl_proc_faults(const char *root, uint32_t pid, uint32_t tid, uint64_t *minor, uint64_t *major,
                   struct fl_err *err);

struct fl_proc_pressure {
    uint32_t some_avg10_bp, full_avg10_bp; /* share of the last ten seconds, 1 bp = 0.01 % */
    uint64_t some_total_us, full_total_us; /* since boot */
};

/**
 * fl_proc_pressure - how much tasks wait for memory. "some": at least one; "full": all of them.
 * Errors: FL_EMACHINE when the kernel does not tell (psi=1 on its command line).
 * Source: Linux Documentation/accounting/psi.rst.
 */
int fl_proc_pressure(const char *root, struct fl_proc_pressure *out, struct fl_err *err);

#endif
