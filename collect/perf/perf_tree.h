/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_tree.h - perf records, in order, to trace events.
 *
 * Keeps the process tree: gives threads, address spaces and files their dense
 * numbers, and joins a fault with the tracepoint that tells what kind of access
 * it was. Sees only what it is given, so it is tested with records from literals.
 */
#ifndef FL_PERF_TREE_H
#define FL_PERF_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>

#include "ring.h"
#include "tracepoint.h"

/** Where the fields we use sit in the raw bytes of each tracepoint. */
struct fl_tree_fields {
    struct fl_tp_field address[2], error_code[2]; /* page_fault_user, page_fault_kernel */
    struct fl_tp_field task_pid, clone_flags;     /* task_newtask */
};

struct fl_tree_io {
    void *ctx;
    /** Takes an event; an error ends the recording. */
    int (*emit)(void *ctx, const struct fl_event *ev, struct fl_err *err);
    /** The file process @pid has just exec'ed, or NULL. May be NULL itself. */
    const char *(*exec_path)(void *ctx, uint32_t pid);
    /** clone(2) flags task @tid is about to be announced with. May be NULL. */
    bool (*clone_flags)(void *ctx, uint32_t tid, uint64_t *flags);
    /** Size of the file, 0 when unknown. May be NULL. */
    uint64_t (*file_size)(void *ctx, const char *path, uint64_t dev, uint64_t ino);
    /** Status of process @pid as waitpid(2) gives it, FL_EXIT_UNKNOWN if not known. May be NULL. */
    int32_t (*exit_status)(void *ctx, uint32_t pid);
    /** A tracepoint of --kernel, passed by @thread (FL_NO_THREAD: not recorded). May be NULL. */
    int (*probe)(void *ctx, const struct fl_perf_rec *rec, uint32_t thread, uint64_t time_ns,
                 struct fl_err *err);
    /**
     * The name id of the event that sample @rec is of; *@keep is true before: false leaves the
     * sample out of the trace. NULL: no samples are taken.
     */
    int (*sample)(void *ctx, const struct fl_perf_rec *rec, bool *keep, uint32_t *name,
                  struct fl_err *err);
    /** The function and call chain of @rec in space @mm, as ids; both are none before. May be NULL. */
    int (*place)(void *ctx, uint32_t mm, uint32_t thread, const struct fl_perf_rec *rec,
                 uint32_t *code, uint32_t *stack, struct fl_err *err);
    /** Process @pid runs in @mm: a copy of @from, an empty one (FL_NO_MM), or @from itself. May be NULL. */
    int (*space)(void *ctx, uint32_t pid, uint32_t mm, uint32_t from, struct fl_err *err);
    /** A process has left @mm. May be NULL. */
    void (*space_left)(void *ctx, uint32_t mm);
    /** A mapping appears: event @map, made of @rec. May be NULL. */
    int (*mapped)(void *ctx, const struct fl_event *map, const struct fl_perf_rec *rec,
                  struct fl_err *err);
};

struct fl_tree_opts {
    uint64_t start_ns; /* CLOCK_MONOTONIC of the trace's time 0 */
    uint32_t root_pid, root_ppid;
    int32_t oom_score_adj; /* of the first process; children inherit it */
    bool redact;
    bool access_known; /* page_fault_user is being recorded */
    struct fl_tree_fields fields;
};

struct fl_tree_counts {
    uint64_t minor, major; /* faults */
    uint64_t kernel_mode;  /* of the faults */
    uint64_t access_known; /* faults whose access bits were found */
    uint64_t failed;       /* exceptions in user mode that no completed fault followed: signals */
    uint64_t lost;
    uint64_t throttled, throttled_by[FL_SRC_COUNT];
    uint64_t collisions, truncations; /* AUX records: the hardware, the kernel left samples out */
    uint64_t processes;
    uint64_t samples;
    uint64_t live_threads;    /* tasks that have not ended yet */
    uint64_t unknown_records; /* records of tasks or types we had not heard of */
    uint64_t forks_unsure;    /* new processes of which it is not known whether they share memory */
};

struct fl_tree;

/** fl_tree_new - NULL: out of memory. @io is copied. */
struct fl_tree *fl_tree_new(const struct fl_tree_opts *opts, const struct fl_tree_io *io);
void fl_tree_free(struct fl_tree *t); /* NULL is fine */

/** A task that ran before the recording began. */
struct fl_tree_task {
    uint32_t pid, tid, ppid;
    int32_t oom_score_adj;
    const char *comm;
};

/**
 * fl_tree_seen - @task is there. The first of a process makes the process. To be told before
 * any record of it is pushed.
 */
int fl_tree_seen(struct fl_tree *t, const struct fl_tree_task *task, struct fl_err *err);

/** fl_tree_now - time of the trace, in ns, of the record that was pushed last. */
uint64_t fl_tree_now(const struct fl_tree *t);

/** fl_tree_thread - the index of live task @tid, or FL_NO_THREAD. */
uint32_t fl_tree_thread(const struct fl_tree *t, uint32_t tid);

/** fl_tree_space - the address space of live process @pid, or FL_NO_MM. */
uint32_t fl_tree_space(const struct fl_tree *t, uint32_t pid);

/** fl_tree_push - take the next record. Errors: FL_ENOMEM, and whatever emit() returned. */
int fl_tree_push(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err);

/** fl_tree_lost - say that @count records are missing here. */
int fl_tree_lost(struct fl_tree *t, uint64_t time_ns, uint64_t count, struct fl_err *err);

/** fl_tree_throttled - sampled event @index: how often stopped, and in *@ns how long, up to @end_ns. */
uint64_t fl_tree_throttled(const struct fl_tree *t, uint32_t index, uint64_t end_ns, uint64_t *ns);

const struct fl_tree_counts *fl_tree_counts(const struct fl_tree *t);

#endif
