/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * oom_live.h - whom the kernel would kill for want of memory on a running machine, and why.
 *
 * Sources: Linux 6.18 mm/oom_kill.c (oom_badness(), oom_unkillable_task(), select_bad_process(),
 * constrained_alloc()), fs/proc/base.c (proc_oom_score()), mm/memcontrol.c
 * (mem_cgroup_get_max()). docs/oom.md has the rules. Everything is read, nothing changed.
 */
#ifndef FAULTLINE_OOM_LIVE_H
#define FAULTLINE_OOM_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/proc_memory.h>

#define FL_OOM_ADJ_MIN (-1000)
#define FL_OOM_ADJ_MAX 1000

/** Why a process is never chosen. Names are the values of candidates[].reason. */
enum fl_oom_guard {
    FL_OOM_MAY_DIE = 0,
    FL_OOM_INIT,          /* the machine's pid 1 */
    FL_OOM_KERNEL_THREAD, /* it has no memory of its own */
    FL_OOM_EXEMPT,        /* oom_score_adj -1000 */
    FL_OOM_ENDED,         /* it has ended, its memory is gone */
    FL_OOM_VFORK,         /* it still borrows its parent's memory */
    FL_OOM_SKIPPED,       /* the kernel says 0: an earlier victim, whose memory is taken already */
    FL_OOM_UNREAD,        /* not known: it may not be looked at */
    FL_OOM_GUARDS
};

/** fl_oom_guard_name - "init" ...; "" for FL_OOM_MAY_DIE. */
const char *fl_oom_guard_name(enum fl_oom_guard guard);
/** fl_oom_guard_words - the same as people say it: "pid 1 is never killed". */
const char *fl_oom_guard_words(enum fl_oom_guard guard);

struct fl_oom_process {
    struct fl_proc_memory memory;
    int64_t badness;   /* pages, and oom_score_adj as a share of all memory that is asked about */
    int64_t adj_pages; /* of badness: by oom_score_adj */
    int32_t score;     /* what /proc/PID/oom_score should say, of this machine as it is */
    bool agrees;       /* it says so, to 1; also when it cannot be read */
    enum fl_oom_guard guard;
};

/**
 * fl_oom_badness - oom_badness() of a process that may be killed, in pages.
 * @total_pages: what oom_score_adj is a thousandth of; the thousandth is rounded down first.
 */
int64_t fl_oom_badness(const struct fl_proc_memory *m, uint64_t total_pages);

/** fl_oom_adj_pages - the part of it that is the process's oom_score_adj. */
int64_t fl_oom_adj_pages(int32_t oom_score_adj, uint64_t total_pages);

/** fl_oom_score - what /proc/PID/oom_score is for @badness, of a machine with @total_pages. */
int32_t fl_oom_score(int64_t badness, uint64_t total_pages);

/* ---- where memory is short ------------------------------------------------------------------ */

/** A memory control group, of version 1 or 2. */
struct fl_oom_group {
    char dir[512];        /* its folder */
    int version;          /* 1 or 2; 0: no group, the whole machine */
    bool has_limit;       /* false: it cannot run out by itself */
    uint64_t limit_bytes; /* of memory; FL_SIZE_MAX_BYTES without one */
    uint64_t swap_bytes;  /* what it may have in swap besides */
    uint64_t usage_bytes, swap_used_bytes;
    uint64_t file_bytes; /* of its usage: page cache, which goes before anybody is killed */
    uint64_t anon_bytes; /* of its usage: what can be swapped */
    bool kills_all;      /* memory.oom.group: all of it goes with the victim */
    uint32_t *pids;      /* malloc'ed, ascending; of its descendants too */
    size_t n_pids;
};

/**
 * fl_oom_group_open - the group @path: its folder, or its path as /proc/PID/cgroup has it.
 * @root: of proc. @info: the machine's; its swap is what a group can have at most.
 * Errors: FL_EUSAGE when it is no memory control group; FL_ENOMEM.
 * @out: freed by fl_oom_group_close(); empty on errors.
 */
int fl_oom_group_open(const char *root, const char *path, const struct fl_meminfo *info,
                      struct fl_oom_group *out, struct fl_err *err);
void fl_oom_group_close(struct fl_oom_group *group); /* twice is fine */

/* ---- all processes ---------------------------------------------------------------------------- */

struct fl_oom_opts {
    const char *root;                 /* of proc; NULL: FL_PROC_ROOT */
    const struct fl_oom_group *group; /* only its processes; NULL: all */
    uint32_t without_pid;             /* leave this one out: it only asks; 0: none */
    bool has_at;                      /* as if the machine, or the group's limit, were so large: */
    uint64_t at_ram_bytes, at_swap_bytes;
};

/** How near it is to running out. */
enum fl_oom_pressure {
    FL_OOM_FITS,  /* all that is in use fits into RAM */
    FL_OOM_SWAPS, /* with swap it does */
    FL_OOM_KILLS, /* it does not: somebody would be killed */
};

/** fl_oom_pressure_name - "fits", "swaps", "kills". */
const char *fl_oom_pressure_name(enum fl_oom_pressure pressure);

struct fl_oom {
    struct fl_oom_process
        *process; /* malloc'ed; who is killed first is first, the protected last */
    size_t n;
    size_t n_candidates; /* of them: may be killed */
    struct fl_meminfo machine;
    uint64_t ram_bytes, swap_bytes; /* that the question is about */
    uint64_t total_pages;           /* what oom_score_adj is a thousandth of */
    enum fl_oom_pressure pressure;
    uint64_t in_use_bytes; /* RAM that is not available, and swap */
    uint64_t pinned_bytes; /* of it: cannot be swapped */
    uint64_t short_bytes;  /* FL_OOM_KILLS: this much does not fit; FL_OOM_SWAPS: not into RAM */
    size_t n_compared, n_disagree, n_unread;
    bool sees_all;          /* false: a container's view */
    bool is_asked_of_other; /* opts.has_at */
};

/**
 * fl_oom_look - look at all processes now. Each is read until the kernel's score, read before and
 * after, agrees with ours, a few times at most: it may change meanwhile.
 * Errors: FL_EMACHINE, FL_ENOMEM. Processes that end meanwhile are left out.
 * @out: freed by fl_oom_free(); empty on errors. Cost: 60 us a process.
 */
int fl_oom_look(const struct fl_oom_opts *opts, struct fl_oom *out, struct fl_err *err);
void fl_oom_free(struct fl_oom *oom); /* twice is fine */

/** fl_oom_find - the place of process @pid; SIZE_MAX: it is not there. */
size_t fl_oom_find(const struct fl_oom *oom, uint32_t pid);

/* ---- why, and what would change it ------------------------------------------------------------- */

/** What it takes until another process comes before the first. */
struct fl_oom_change {
    bool is_possible;      /* false: one of the two is missing or protected */
    uint64_t margin_bytes; /* the other has to grow by so much */
    int32_t raise;         /* or its oom_score_adj by so much; -1: no legal value does */
    int32_t lower;         /* or the first's be so much less; -1: no legal value does */
};

/** fl_oom_change - from the first to the process at place @other. */
struct fl_oom_change fl_oom_change(const struct fl_oom *oom, size_t other);

/** fl_oom_sentence - why the process at @place has the badness it has. malloc'ed; NULL: no memory. */
char *fl_oom_sentence(const struct fl_oom *oom, size_t place);
/** fl_oom_change_sentence - what would make the process at @other the first. malloc'ed. */
char *fl_oom_change_sentence(const struct fl_oom *oom, size_t other);
/** fl_oom_pressure_sentence - is there enough? malloc'ed. */
char *fl_oom_pressure_sentence(const struct fl_oom *oom, const struct fl_oom_group *group);

/* ---- daemons that kill before the kernel does ------------------------------------------------------ */

/** What a daemon would do at this moment, by its documented rules and defaults. */
enum fl_oom_act { FL_OOM_NOTHING, FL_OOM_TERM, FL_OOM_KILL, FL_OOM_UNDECIDED };

/** fl_oom_act_name - "nothing", "SIGTERM", "SIGKILL", "undecided". */
const char *fl_oom_act_name(enum fl_oom_act act);

struct fl_oom_earlyoom_opts {
    const char *prefer, *avoid, *ignore; /* its options: extended regular expressions; NULL: none */
    bool by_rss;                         /* its --sort-by-rss */
};

struct fl_oom_earlyoom {
    enum fl_oom_act act;
    uint32_t available_bp, swap_free_bp; /* what it goes by, in basis points */
    size_t victim;        /* place in fl_oom.process of whom it takes; SIZE_MAX: nobody */
    int64_t victim_score; /* with what the expressions add; KiB with by_rss */
    bool is_running;
};

/**
 * fl_oom_earlyoom - Source: earlyoom(1), MANPAGE.md of github.com/rfjakob/earlyoom: both available
 * memory and free swap at 10 % or less: SIGTERM, 5 %: SIGKILL; the highest oom_score. Of
 * equals, which the manual leaves open, the larger resident set (kill.c).
 * Errors: FL_EUSAGE for an expression; FL_ENOMEM.
 */
int fl_oom_earlyoom(const struct fl_oom *oom, const struct fl_oom_earlyoom_opts *opts,
                    struct fl_oom_earlyoom *out, struct fl_err *err);

struct fl_oomd_group {
    char path[256]; /* below the hierarchy's root; "" none */
    uint64_t bytes; /* in swap */
    uint32_t bp;    /* stalled, of the last ten seconds */
};

struct fl_oom_oomd {
    enum fl_oom_act act;
    char why[256];    /* a sentence */
    bool is_possible; /* the machine is as systemd-oomd needs it */
    bool is_running;
    bool swap_met; /* used memory and used swap are both above 90 % */
    uint32_t memory_used_bp, swap_used_bp;
    struct fl_oomd_group swap_victim; /* most in swap, of those that may be chosen */
    bool pressure_met;                /* some group stalls for more than 60 % */
    struct fl_oomd_group pressed;     /* that stalls most */
};

/**
 * fl_oom_oomd - Source: systemd-oomd.service(8), oomd.conf(5) and systemd.resource-control(5) of
 * systemd: swap 90 %, pressure 60 % for 30 s, of groups below a unit with ManagedOOMSwap= or
 * ManagedOOMMemoryPressure=. Which units have it no file tells.
 * Cost: walks the hierarchy of version 2, four files a group.
 */
void fl_oom_oomd(const char *root, const struct fl_oom *oom, struct fl_oom_oomd *out);

/* ---- JSON -------------------------------------------------------------------------------------------- */

struct json_t;

/** What of it is to be told. */
struct fl_oom_report {
    const struct fl_oom *oom;
    const struct fl_oom_group *group;       /* NULL: the machine */
    size_t rows;                            /* candidates at most; 0: all */
    size_t explained;                       /* place of the one explained; SIZE_MAX: nobody */
    const struct fl_oom_earlyoom *earlyoom; /* NULL: not asked */
    const struct fl_oom_oomd *oomd;
};

/** fl_oom_json - "faultline.oom/1", docs/oom.md. A new reference; NULL: out of memory. */
struct json_t *fl_oom_json(const struct fl_oom_report *report);

#endif
