/* SPDX-License-Identifier: GPL-2.0-or-later */
/* perf_tree_priv.h - between perf_tree.c (records) and perf_tasks.c (processes and threads). */
#ifndef FL_PERF_TREE_PRIV_H
#define FL_PERF_TREE_PRIV_H

#include "perf_idmap.h"
#include "perf_tree.h"
#include "throttle.h"

struct process {
    uint32_t pid, mm;
    uint32_t live_threads;
    int32_t oom_score_adj;
    bool alive;
    char comm[16];
};

struct thread {
    uint32_t pid, tid, index;
    bool alive;
    bool watched;    /* records came of it, */
    uint32_t watch;  /* through the events of this task: others' are the same once more */
    bool tp_waiting; /* an exception was announced and no fault has followed yet */
    bool tp_kernel;
    uint64_t tp_address, tp_error_code;
};

struct fl_tree {
    struct fl_tree_opts opts;
    struct fl_tree_io io;
    struct fl_tree_counts counts;
    struct fl_throttles throttles;
    struct fl_idmap process_by_pid, thread_by_tid, file_by_id;
    struct process *processes; /* one slot a pid; a pid used again takes its old slot */
    struct thread *threads;    /* likewise, by tid */
    size_t n_processes, process_room, n_threads, thread_room;
    uint32_t next_thread, next_mm, next_file;
    uint64_t now_ns;
};

int fl_tree_emit(struct fl_tree *t, struct fl_event *ev, struct fl_err *err);
/* fl_tree_shown - @text, or nothing in a redacted trace. */
const char *fl_tree_shown(const struct fl_tree *t, const char *text);

struct process *fl_process_find(const struct fl_tree *t, uint32_t pid);
struct thread *fl_thread_find(const struct fl_tree *t, uint32_t tid);
/* fl_thread_of - the thread a record is about, made up when its start was not seen. */
int fl_thread_of(struct fl_tree *t, uint32_t pid, uint32_t tid, const char *comm,
                 struct thread **out, struct fl_err *err);

int fl_tree_fork(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err);
int fl_tree_exit(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err);
int fl_tree_comm(struct fl_tree *t, const struct fl_perf_rec *rec, struct fl_err *err);

#endif
