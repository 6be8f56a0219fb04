/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.h - a recording of what the kernel reports.
 *
 * session.c holds it together. session_io.c answers what the tree asks for, session_places.c
 * where code is, session_kernel.c and session_frees.c are about --kernel, session_sample.c about --mode sample,
 * session_live.c about what ran before, session_end.c about the totals.
 */
#ifndef FL_PERF_SESSION_H
#define FL_PERF_SESSION_H

#include <faultline/command.h>
#include <faultline/places.h>
#include <faultline/proc.h>
#include <faultline/record.h>
#include <faultline/slab_frees.h>

#include "hits.h"
#include "kernel_table.h"
#include "perf_child.h"
#include "perf_drain.h"
#include "perf_merge.h"
#include "perf_open.h"
#include "perf_tree.h"
#include "pmu.h"

struct session {
    const struct fl_record_opts *opts;
    struct fl_record_status *status;
    enum fl_fidelity fidelity;
    struct fl_perf_extra *extra; /* events beside the faults: those of kernel.v first */
    size_t n_extra;
    struct fl_kernel_events kernel;
    struct fl_slab_frees *frees; /* NULL: nobody asks for them, or the kernel does not let us */
    struct fl_pmu_plan pmu;      /* --mode sample: the extra events behind those of kernel.v */
    unsigned pmu_without;        /* FL_PMU_WITHOUT_* of any of them */
    struct {
        uint64_t taken; /* those that are left out of the trace are among them */
    } sampled[FL_PMU_EVENTS_MAX];
    struct fl_hits *hits;     /* NULL without extra */
    struct fl_places *places; /* NULL: nobody asks where code is */
    struct fl_child child;    /* pid 0: no command */
    struct fl_perf_set set;
    struct fl_drain *drain;
    struct fl_merge *merge;
    struct fl_tree *tree;
    struct fl_writer *writer; /* NULL when a watcher takes the events */
    struct fl_meta *meta;
    char exec_path[4096], command_path[FL_COMMAND_PATH_BYTES];
    sigset_t old_mask;
    struct sigaction old_chld;
    bool mask_changed, stopping, stop_wanted, ended;
    struct fl_proc_skipped skipped; /* files of /proc that could not be read */
    uint64_t
        unread_bytes; /* of mappings whose pages were not asked for: it would have taken too long */
    uint64_t stat_minor, stat_major; /* faults of opts->pid: at the start, then since then */
    bool stat_known;
    int signal_fd;
    uint64_t start_ns, flushed_ns, damaged_rings;
    struct fl_event *tables; /* what /proc said of the machine at the end, until it is written */
    size_t n_tables, tables_written;
    int stop_rc; /* of what was read before the events ended */
    struct fl_err stop_err;
};

/** fl_session_now_ns - CLOCK_MONOTONIC. */
uint64_t fl_session_now_ns(void);

/** fl_session_emit - @ev to the trace, or to who watches. */
int fl_session_emit(void *session, const struct fl_event *ev, struct fl_err *err);

/** fl_session_extra - one more event to open. */
int fl_session_extra(struct session *s, const struct fl_perf_extra *extra, struct fl_err *err);

/** fl_session_stop - end the recording, whoever still runs. */
void fl_session_stop(struct session *s);

/* session_io.c */
struct fl_tree_io fl_session_io(struct session *s);

/* session_places.c */
int fl_session_places_open(struct session *s, struct fl_err *err);
void fl_session_places_io(struct session *s, struct fl_tree_io *io);

/* session_kernel.c */
/** fl_session_kernel_find - add the tracepoints to s->extra. */
int fl_session_kernel_find(struct session *s, struct fl_err *err);
/** fl_session_has_slabs - are events of object caches among them? */
bool fl_session_has_slabs(const struct session *s);
int fl_session_kernel_open(struct session *s, struct fl_tree_io *io, struct fl_err *err);
int fl_session_kernel_meta(struct session *s, struct fl_err *err);

/* session_frees.c */
/** fl_session_frees_find - add frees without a tracepoint to s->kernel, where that has object caches. */
int fl_session_frees_find(struct session *s, struct fl_err *err);
/** fl_session_frees_meta - that they are not in the recording, if so. */
int fl_session_frees_meta(struct session *s, struct fl_err *err);
/** fl_session_frees_open - once the events are open. */
int fl_session_frees_open(struct session *s, struct fl_err *err);

/* session_sample.c */
/** fl_session_sample_find - add the events to sample to s->extra. FL_EMACHINE: no counters. */
int fl_session_sample_find(struct session *s, struct fl_err *err);
int fl_session_sample_meta(struct session *s, struct fl_err *err);
void fl_session_sample_io(struct session *s, struct fl_tree_io *io);
/** fl_session_sample_keep - does the trace want sample @rec of @event? */
bool fl_session_sample_keep(const struct fl_pmu_event *event, bool user_only,
                            const struct fl_perf_rec *rec);
/** fl_session_sample_end - what the events missed. @extra: of all of s->extra. */
int fl_session_sample_end(struct session *s, const struct fl_perf_extra_sum *extra,
                          struct fl_err *err);

/* session_live.c */
/** fl_session_open_live - the events of @plan for the process tree of opts->pid. */
int fl_session_open_live(struct session *s, struct fl_perf_plan *plan, struct fl_err *err);
/** fl_session_adopt - tell the tree what runs already, with its mappings and where its pages are. */
int fl_session_adopt(struct session *s, struct fl_err *err);
/** fl_session_snapshot - what /proc says of the machine and of the processes watched. */
int fl_session_snapshot(struct session *s, uint32_t moment, struct fl_err *err);

/* session_tables.c */
/** fl_session_wants_tables - are the machine's tables part of the recording? */
bool fl_session_wants_tables(const struct session *s);
/** fl_session_tables_read - once: as soon as the events are switched off or, to settle caches, just before. */
int fl_session_tables_read(struct session *s, struct fl_err *err);
/** fl_session_tables_settle - behind them what object caches have when they are settled, again. */
int fl_session_tables_settle(struct session *s, struct fl_err *err);
/** fl_session_tables_write - what was read before @time_ns of CLOCK_MONOTONIC. */
int fl_session_tables_write(struct session *s, uint64_t time_ns, struct fl_err *err);
void fl_session_tables_free(struct session *s);

/* session_end.c */
/** fl_session_finish - what is only known at the end; closes the trace. */
int fl_session_finish(struct session *s, struct fl_err *err);

#endif
