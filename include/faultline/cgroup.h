/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * cgroup.h - memory control groups of our own, version 1 or 2, and commands inside them.
 *
 * Everything here acts on groups that fl_cgroup_make() made, and sends signals to
 * processes in those groups only.
 */
#ifndef FAULTLINE_CGROUP_H
#define FAULTLINE_CGROUP_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <faultline/err.h>
#include <faultline/guard.h>

#define FL_CGROUP_NO_LIMIT UINT64_MAX

/* ---- where ------------------------------------------------------------------ */

/** Where groups can be made. */
struct fl_cgroup_site {
    int version;                   /* 1 or 2; 0: nowhere */
    char dir[FL_GUARD_PATH_BYTES]; /* an existing group; ours go below it */
};

/**
 * fl_cgroup_site_parse - choose the site from what the kernel says of this process.
 * @mountinfo: text of /proc/self/mountinfo. @self: text of /proc/self/cgroup.
 * A mounted version 1 memory hierarchy is taken before version 2: the controller
 * can be in one of them only. In version 1 the site is the caller's own group; in
 * version 2 its parent, because a group with processes may have no limited children.
 * Returns: true when a hierarchy is mounted; whether version 2 has the memory
 * controller is for fl_cgroup_find() to see. Source: Linux
 * Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst ("No Internal
 * Process Constraint"), proc(5).
 */
bool fl_cgroup_site_parse(const char *mountinfo, const char *self, struct fl_cgroup_site *site);

/**
 * fl_cgroup_find - the site of this process. Mounts the hierarchy in a folder of its
 * own, which @guard undoes, only when it is mounted nowhere.
 * Errors: FL_EMACHINE when the kernel has no memory controller to offer, with what to do.
 */
int fl_cgroup_find(struct fl_guard *guard, struct fl_cgroup_site *site, struct fl_err *err);

/* ---- a group ----------------------------------------------------------------- */

struct fl_cgroup {
    int version;
    char dir[FL_GUARD_PATH_BYTES];
};

/**
 * fl_cgroup_make - an empty group of ours below @site, with a step on @guard that
 * removes it. @name: unique among the living, no slash. @limit_bytes: memory limit,
 * rounded down to pages by the kernel; FL_CGROUP_NO_LIMIT. Swap is not limited, and
 * swappiness is as the parent has it.
 * Errors: FL_EMACHINE without permission or when limits cannot be set there; FL_EIO.
 */
int fl_cgroup_make(const struct fl_cgroup_site *site, const char *name, uint64_t limit_bytes,
                   struct fl_guard *guard, struct fl_cgroup *group, struct fl_err *err);

/** fl_cgroup_join - move the calling process into @group. Returns: FL_OK; FL_EIO. */
int fl_cgroup_join(const struct fl_cgroup *group, struct fl_err *err);

/**
 * fl_cgroup_call - @fn(@arg) in a process of its own inside @group; what it changes in
 * memory stays there. @stop: not 0: the group is killed; may be NULL.
 * Returns: what @fn returned, with its @err; FL_EIO when it was killed.
 */
int fl_cgroup_call(const struct fl_cgroup *group, int (*fn)(void *arg, struct fl_err *err),
                   void *arg, const volatile sig_atomic_t *stop, struct fl_err *err);

/**
 * fl_cgroup_kill - SIGKILL every process in the group at @dir until it has none, for
 * at most @wait_ms milliseconds.
 * Returns: how many different processes were killed; -1 when some are still there.
 */
int fl_cgroup_kill(const char *dir, unsigned wait_ms);

/** fl_cgroup_swappiness - the group's swappiness (0..200), or the machine's; -1: unknown. */
int fl_cgroup_swappiness(const struct fl_cgroup *group);

/* ---- counters ------------------------------------------------------------------ */

/* Event counters of /proc/vmstat, and of memory.stat where it has them; pages or events. */
#define FL_VM_COUNTS(X)         \
    X(pgfault)                  \
    X(pgmajfault)               \
    X(pswpin)                   \
    X(pswpout)                  \
    X(swpin_zero)               \
    X(swpout_zero)              \
    X(zswpin)                   \
    X(zswpout)                  \
    X(zswpwb)                   \
    X(swap_ra)                  \
    X(swap_ra_hit)              \
    X(pgscan_anon)              \
    X(pgscan_file)              \
    X(pgsteal_anon)             \
    X(pgsteal_file)             \
    X(pgrefill)                 \
    X(pgactivate)               \
    X(pgdeactivate)             \
    X(pgrotated)                \
    X(workingset_refault_anon)  \
    X(workingset_refault_file)  \
    X(workingset_activate_anon) \
    X(workingset_activate_file) \
    X(workingset_restore_anon)  \
    X(workingset_restore_file)

#define FL_VM_ENUM(name) FL_VM_##name,
enum fl_vm_count { FL_VM_COUNTS(FL_VM_ENUM) FL_VM_COUNT };

struct fl_vm_counts {
    uint64_t count[FL_VM_COUNT];
    uint64_t present; /* bit i: the text had counter i */
};

/** fl_vm_count_name - as the kernel spells it; NULL past the end. */
const char *fl_vm_count_name(unsigned i);

/** fl_vm_counts_parse - "name value" lines; names that are not on the list are skipped. */
void fl_vm_counts_parse(const char *text, struct fl_vm_counts *out);

/** fl_vm_counts_read - the whole machine's, now. Errors: FL_EIO. */
int fl_vm_counts_read(struct fl_vm_counts *out, struct fl_err *err);

/** fl_vm_counts_since - @after minus @before, for counters that both have. */
struct fl_vm_counts fl_vm_counts_since(const struct fl_vm_counts *after,
                                       const struct fl_vm_counts *before);

/**
 * fl_vm_swap_in - pages that came back from swap: read, zero-filled, or out of zswap.
 * fl_vm_swap_out - pages that left: written, found zero-filled, or into zswap; a page that
 * zswap writes back later is counted once.
 */
uint64_t fl_vm_swap_in(const struct fl_vm_counts *c);
uint64_t fl_vm_swap_out(const struct fl_vm_counts *c);

/** fl_cgroup_field - the value of "NAME N" in a file of such lines; false: not there. */
bool fl_cgroup_field(const char *text, const char *name, uint64_t *value);

/* ---- running a command in a group ------------------------------------------------ */

#define FL_RUN_VICTIMS_MAX 8

/**
 * fl_cpus_parse - "0,2-3". Errors: FL_EUSAGE.
 */
int fl_cpus_parse(const char *text, cpu_set_t *out, struct fl_err *err);

struct fl_run_opts {
    char *const *argv;     /* ended by NULL; argv[0] is looked up in PATH */
    const cpu_set_t *cpus; /* NULL: as the caller */
    uint64_t timeout_ns;   /* > 0; then the group is killed */
    bool show_output;      /* standard output and error to our standard error, else nowhere */
    const volatile sig_atomic_t *stop; /* not 0: kill the group and come back; may be NULL */
    /* look - called in the caller's process every 2 ms while the command runs; NULL: not. */
    void (*look)(void *arg);
    void *look_arg;
};

struct fl_run {
    uint64_t exec_ns; /* CLOCK_MONOTONIC, when the command's program was started */
    uint64_t wall_ns; /* from fork to the command's end */
    uint64_t cpu_ns;  /* user and system time of the command and every descendant */
    int wait_status;  /* of the command, as waitpid(2) */
    bool timed_out, stopped;
    /* Task fault counts of the command and every descendant, from exec on (rusage). */
    uint64_t minor, major;
    unsigned outlived; /* processes still there when the command had ended: killed */
    /* the group, at the end */
    uint64_t peak_bytes; /* most memory charged at once, the per-CPU reserves included */
    uint64_t limit_hits; /* times a charge met the limit (v1 failcnt, v2 events max) */
    uint64_t oom_kills;
    struct fl_vm_counts group;   /* the group's own counters; v1 has few */
    struct fl_vm_counts machine; /* the machine's, across the run */
    struct fl_run_victim {
        pid_t pid;
        char comm[16];
    } victims[FL_RUN_VICTIMS_MAX]; /* killed for want of memory: from the kernel's log, or, without
                                      one to read, of those that ended as our children */
    unsigned n_victims;
};

/**
 * fl_run - one command in @group, from start to end, and what the kernel counted.
 *
 * The command is forked, joins the group, then is executed, so all that its program
 * charges is charged there. Standard input is /dev/null. Signals: it gets the
 * dispositions the caller has, caught ones back to default.
 *
 * Errors: FL_EUSAGE when the command cannot be found or run; FL_EIO, FL_ENOMEM.
 * A command that fails, is killed or runs out of time is no error.
 */
int fl_run(const struct fl_cgroup *group, const struct fl_run_opts *opts, struct fl_run *out,
           struct fl_err *err);

/** fl_run_swap - the counters swap is to be read from: the group's own, else the machine's. */
const struct fl_vm_counts *fl_run_swap(const struct fl_run *run);

#endif
