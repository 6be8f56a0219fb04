/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * event.h - what happens in a trace besides accesses, in memory.
 *
 * Addresses and lengths are bytes. Strings belong to whoever produced the event:
 * from a reader they live until its next call. `docs/trace-format.md` gives each
 * event's bytes on disk; this list and that one are in the same order.
 */
#ifndef FAULTLINE_EVENT_H
#define FAULTLINE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#define FL_NO_THREAD UINT32_MAX
#define FL_NO_MM UINT32_MAX
#define FL_NO_FILE UINT32_MAX
#define FL_NO_CODE UINT32_MAX
#define FL_NO_STACK UINT32_MAX
#define FL_NO_ADDRESS UINT64_MAX
#define FL_EXIT_UNKNOWN INT32_MIN /* exit.status where the recorder was not told */

enum fl_fidelity {
    FL_FIDELITY_EXACT = 0,
    FL_FIDELITY_PAGE_EXACT = 1,
    FL_FIDELITY_EVENTS = 2,
    FL_FIDELITY_SAMPLED = 3,
};

/** fl_fidelity_name - "exact", "page-exact", "events", "sampled". */
const char *fl_fidelity_name(enum fl_fidelity fidelity);

/* Numbers are on disk: never reuse one. */
enum fl_event_kind {
    FL_EV_PROCESS = 1, /* a process appears */
    FL_EV_THREAD = 2,  /* a thread appears and gets its dense index */
    FL_EV_THREAD_EXIT = 3,
    FL_EV_EXEC = 4, /* a process replaces its address space */
    FL_EV_EXIT = 5, /* a process ends */
    FL_EV_COMM = 6,
    FL_EV_OOM_ADJ = 7,
    FL_EV_FILE = 8, /* a file id is defined, before its first use */
    FL_EV_MAP = 9,  /* replaces whatever was mapped there */
    FL_EV_UNMAP = 10,
    FL_EV_PROTECT = 11,
    FL_EV_REMAP = 12,
    FL_EV_ADVISE = 13,
    FL_EV_SIGNAL = 14,   /* a fatal or fault signal is delivered */
    FL_EV_FAULT = 15,    /* the kernel reported a page fault */
    FL_EV_LOST = 16,     /* the recorder lost records here */
    FL_EV_FILE_IO = 17,  /* a system call used a regular file's contents */
    FL_EV_RESIDENT = 18, /* what the page cache held of a file when its id was defined */
    FL_EV_LOCK = 19,     /* mlock(2) and its relatives on what is mapped */
    FL_EV_CODE = 20,     /* a code id is defined, before its first use */
    FL_EV_NAME = 21,     /* a name id is defined, before its first use */
    FL_EV_PROBE = 22,    /* a kernel tracepoint is defined, before its first hit */
    FL_EV_HIT = 23,      /* a kernel tracepoint was passed */
    FL_EV_SNAPSHOT = 24, /* the text of a file of /proc at this point, or a piece of it */
    FL_EV_PRESENT = 25,  /* where the pages of a mapping were when the recorder looked */
    FL_EV_STACK = 26,    /* a stack id is defined, before its first use */
    FL_EV_SAMPLE = 27,   /* a performance counter caught one access */
};

#define FL_IO_TO_END UINT64_MAX /* fl_ev_file_io.length: from the offset to the file's end */

/* fl_ev_file_io.op. Numbers are on disk. */
enum fl_io_op {
    FL_IO_READ = 1,       /* bytes that really came from the file */
    FL_IO_WRITE = 2,      /* bytes that really went to it, and where to */
    FL_IO_TRUNCATE = 3,   /* @offset is the new size, length 0 */
    FL_IO_SYNC = 4,       /* fsync, fdatasync, msync(MS_SYNC), sync_file_range */
    FL_IO_DONTNEED = 5,   /* POSIX_FADV_DONTNEED */
    FL_IO_WILLNEED = 6,   /* POSIX_FADV_WILLNEED, readahead(2) */
    FL_IO_NORMAL = 7,     /* read-ahead of the whole file: as usual again, */
    FL_IO_RANDOM = 8,     /* none, */
    FL_IO_SEQUENTIAL = 9, /* or twice the usual */
    FL_IO_UNLINK = 10,    /* no name is left and its process has it open no more */
};

/* fl_ev_file_io.flags */
enum {
    FL_IO_DIRECT = 1u << 0, /* O_DIRECT: past the page cache */
    FL_IO_DURABLE = 1u << 1 /* O_SYNC, O_DSYNC, RWF_SYNC, RWF_DSYNC: written back at once */
};

/* fl_ev_lock.mode */
enum fl_lock_mode {
    FL_LOCK_OFF = 0,      /* munlock, munlockall */
    FL_LOCK_NOW = 1,      /* all pages are brought in and stay */
    FL_LOCK_ON_FAULT = 2, /* pages stay once they are in (MLOCK_ONFAULT) */
};

/* fl_ev_lock.length with start 0: all mappings there are (mlockall, munlockall) */
#define FL_LOCK_ALL (UINT64_MAX - 4095)

/* fl_ev_map.flags */
enum {
    FL_MAP_SHARED = 1u << 0,  /* MAP_SHARED; otherwise private */
    FL_MAP_ANON = 1u << 1,    /* no file behind it */
    FL_MAP_STACK = 1u << 2,   /* a thread's stack; grows down */
    FL_MAP_HEAP = 1u << 3,    /* the brk area */
    FL_MAP_SPECIAL = 1u << 4, /* vdso, vvar: never counted as memory */
    FL_MAP_GROW = 1u << 5,    /* extends the mapping that starts or ends there (brk, stack) */
    FL_MAP_LOCKED = 1u << 6,  /* mlock, MAP_LOCKED */
    FL_MAP_HUGETLB = 1u << 7,
};

/* fl_ev_map.prot and fl_ev_protect.prot: PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 */
enum { FL_PROT_READ = 1, FL_PROT_WRITE = 2, FL_PROT_EXEC = 4 };

/* fl_ev_fault.flags */
enum {
    FL_FAULT_MAJOR = 1u << 0, /* needed I/O */
    FL_FAULT_MINOR = 1u << 1, /* did not; neither bit: the kernel did not say */
    FL_FAULT_WRITE = 1u << 2,
    FL_FAULT_EXEC = 1u << 3,
    FL_FAULT_KERNEL = 1u << 4,     /* taken in kernel mode on a user address */
    FL_FAULT_PRESENT = 1u << 5,    /* a protection fault: the page was there (COW) */
    FL_FAULT_HAS_ACCESS = 1u << 6, /* WRITE, EXEC and PRESENT are known */
    FL_FAULT_UNREPORTED = 1u << 7, /* the kernel counted it and sent no event: no place, no time */
};

/* fl_ev_snapshot.moment */
enum { FL_SNAPSHOT_START = 0, FL_SNAPSHOT_END = 1 };

/* fl_ev_present.state */
enum {
    FL_PRESENT_RESIDENT = 1u << 0, /* mapped to a frame */
    FL_PRESENT_SWAPPED = 1u << 1,  /* in swap, or on its way */
    FL_PRESENT_FILE = 1u << 2,     /* a page of a file, or shared anonymous memory */
};

/* fl_ev_sample.flags */
enum {
    FL_SAMPLE_READ = 1u << 0,
    FL_SAMPLE_WRITE = 1u << 1,    /* neither: the event does not say */
    FL_SAMPLE_KERNEL = 1u << 2,   /* the instruction was the kernel's */
    FL_SAMPLE_EXACT_IP = 1u << 3, /* ip is the instruction that made the access */
};

#define FL_HIT_VALUES 16 /* fields of a tracepoint that a hit keeps, at most */

struct fl_event {
    enum fl_event_kind kind;
    uint32_t thread;  /* dense index of the thread it happened in, or FL_NO_THREAD */
    uint64_t time_ns; /* since the recording began; never decreases in a trace */
    union {
        struct {                /* FL_EV_PROCESS */
            uint32_t pid, ppid; /* as in the recording's pid namespace; ppid 0: unknown */
            uint32_t mm;        /* address space it runs in */
            uint32_t copied_mm; /* fork: the space @mm is a copy-on-write copy of; FL_NO_MM:
                                   @mm is empty, or is shared (vfork, CLONE_VM) if it exists */
            int32_t oom_score_adj;
            const char *comm;
        } process;
        struct { /* FL_EV_THREAD: event.thread is the new index */
            uint32_t pid, tid;
        } thread_start;
        struct { /* FL_EV_EXEC: the process leaves its old space for the empty @mm */
            uint32_t pid, mm;
            const char *path;
        } exec;
        struct { /* FL_EV_EXIT */
            uint32_t pid;
            int32_t status; /* as waitpid(2) reports it, or FL_EXIT_UNKNOWN */
        } exit;
        struct { /* FL_EV_COMM */
            uint32_t pid, tid;
            const char *comm;
        } comm;
        struct { /* FL_EV_OOM_ADJ */
            uint32_t pid;
            int32_t oom_score_adj;
        } oom_adj;
        struct {           /* FL_EV_FILE */
            uint32_t file; /* dense, from 0, in order of definition */
            uint64_t dev, ino, size_bytes;
            const char *path; /* as opened; "memfd:NAME", "" when redacted */
        } file;
        struct {                            /* FL_EV_MAP */
            uint32_t mm, prot, flags, file; /* file: FL_NO_FILE for anonymous memory */
            uint64_t start, length, offset; /* offset: bytes into the file */
        } map;
        struct { /* FL_EV_UNMAP */
            uint32_t mm;
            uint64_t start, length;
        } unmap;
        struct { /* FL_EV_PROTECT */
            uint32_t mm, prot;
            uint64_t start, length;
        } protect;
        struct { /* FL_EV_REMAP: pages move with their contents */
            uint32_t mm;
            uint64_t old_start, old_length, new_start, new_length;
        } remap;
        struct { /* FL_EV_ADVISE: advice as madvise(2) numbers it */
            uint32_t mm, advice;
            uint64_t start, length;
        } advise;
        struct { /* FL_EV_SIGNAL */
            uint32_t signo;
            uint64_t address; /* si_addr of a fault; FL_NO_ADDRESS: the signal was sent */
        } signal;
        struct { /* FL_EV_FAULT */
            uint64_t address, ip;
            uint32_t flags;
            uint32_t code, stack; /* where; FL_NO_CODE, FL_NO_STACK: not known */
        } fault;
        struct { /* FL_EV_LOST */
            uint64_t count;
        } lost;
        struct {                      /* FL_EV_FILE_IO, after the system call returned */
            uint32_t file, op, flags; /* op: enum fl_io_op; readers ignore ops they do not know */
            uint64_t offset, length;  /* bytes in the file; length FL_IO_TO_END: all from there */
        } file_io;
        struct {                             /* FL_EV_RESIDENT */
            uint32_t file, read_ahead_pages; /* the device's read-ahead; 0: not known, or none */
            uint64_t offset, length;         /* bytes, whole pages; length 0: nothing resident */
        } resident;
        struct {               /* FL_EV_LOCK */
            uint32_t mm, mode; /* enum fl_lock_mode */
            uint64_t start, length;
        } lock;
        struct {                 /* FL_EV_CODE: a function, as code locations of runs name it */
            uint32_t code, file; /* code: dense, from 0; file: FL_NO_FILE for code in no file */
            uint64_t offset;     /* bytes from the file's begin to the function's; 0: no symbol */
            const char *name;    /* as in the symbol table; "" when there is none, or redacted */
        } code;
        struct {           /* FL_EV_NAME: a text that hits and samples refer to */
            uint32_t name; /* dense, from 0 */
            const char *text;
        } name;
        struct {                   /* FL_EV_PROBE */
            uint32_t probe;        /* dense, from 0 */
            const char *signature; /* "system:event field:type ...", one word for each value;
                                      type u: unsigned, i: signed, s: a name id */
        } probe;
        struct { /* FL_EV_HIT: event.thread is FL_NO_THREAD for a task that is not recorded */
            uint32_t probe, cpu, tid;
            uint32_t n_values; /* at most FL_HIT_VALUES */
            int64_t values[FL_HIT_VALUES];
        } hit;
        struct { /* FL_EV_SNAPSHOT: pieces of one text follow each other, cut between lines */
            uint32_t pid, moment; /* pid 0: of the machine */
            const char *text;     /* the first line is the file's name below /proc, or /proc/PID */
        } snapshot;
        struct { /* FL_EV_PRESENT */
            uint32_t mm, state;
            uint64_t start, length;
        } present;
        struct {                          /* FL_EV_STACK: a frame and the one that called it */
            uint32_t stack, parent, code; /* stack: dense, from 0; parent: FL_NO_STACK, outermost */
        } stack;
        struct {                  /* FL_EV_SAMPLE */
            uint32_t event;       /* name of what was sampled */
            uint32_t flags;       /* FL_SAMPLE_* */
            uint64_t address, ip; /* 0: not known */
            uint64_t period;      /* occurrences of the event that this one stands for */
            uint64_t data_source; /* perf's PERF_MEM_* bits; 0: not known */
            uint64_t weight;      /* cycles the access took; 0: not known */
            uint64_t physical;    /* physical address; 0: not known */
            uint32_t code, stack; /* as in a fault */
        } sample;
    };
};

#endif
