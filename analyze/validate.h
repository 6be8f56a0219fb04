/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * validate.h - the kernel's counts beside the model's, for one command.
 *
 * validate_points.c has the limits, validate_run.c asks the kernel, validate_warm.c the page cache for
 * it, validate_predict.c the model, validate_load.c recalls runs of before, validate_stats.c compares, validate_json.c and validate_text.c say it, validate_doubts.c what to think of it.
 */
#ifndef FAULTLINE_VALIDATE_H
#define FAULTLINE_VALIDATE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/cgroup.h>
#include <faultline/flushes.h>
#include <faultline/tlb_flushes.h>
#include <faultline/replay.h>
#include <faultline/swapdev.h>

enum {
    VALIDATE_POLICIES_MAX = 16,
    VALIDATE_POINTS_MAX = 256,
    VALIDATE_DEFAULT_POINTS = 5,
    VALIDATE_RUNS_MAX = 1000
};

/* What is compared; names are JSON keys. */
enum validate_count { V_MINOR, V_MAJOR, V_SWAP_IN, V_SWAP_OUT, V_OOM, V_COUNT };
const char *validate_count_name(enum validate_count c);

/* One answer of the model. */
struct validate_answer {
    /* asked with; of no meaning to textbook policies */
    const struct fl_seen_flushes *seen; /* the run's own; NULL: not known, then */
    uint32_t first_flush_ms;            /* on the model's clock */
    uint64_t seed;                      /* of what a TLB gives up, where costs tell of one */
    uint64_t whole_flushes_from;        /* pages out: from there the TLB was flushed whole */
    uint64_t count[V_COUNT];
};

/* What one policy says of a limit: an answer for each run of the kernel, or just one where it does
   not matter when statistics are flushed. */
struct validate_prediction {
    struct validate_answer *answers;
    unsigned n;
};

/* What was seen of a run besides its counts. */
struct validate_seen {
    struct fl_seen_flushes statistics; /* none and end.at_ns 0: not known */
    uint64_t whole_tlb;                /* flushes of it by reclaim; UINT64_MAX: not known */
};

struct validate_point {
    uint64_t ram_bytes;
    struct fl_run *runs;        /* those that ended, by themselves or killed for want of memory */
    struct validate_seen *seen; /* of each */
    unsigned n_runs, timeouts;
    struct validate_prediction predicted[VALIDATE_POLICIES_MAX];
};

/* What on this machine can disturb the counts. */
struct validate_host {
    bool damon, thp_always, mglru, zswap;
    int page_cluster; /* vm.page-cluster; -1: unknown */
};

struct validate {
    /* asked */
    char *const *argv; /* ended by NULL */
    unsigned runs;
    const cpu_set_t *cpus;
    uint64_t timeout_ns;
    bool show_output, no_align;
    const struct fl_policy_ops *policies[VALIDATE_POLICIES_MAX];
    size_t n_policies;
    const volatile sig_atomic_t *stop; /* not 0: give up */
    void (*progress)(void *arg, unsigned done_bp);
    void *progress_arg;
    /* found */
    char *command;           /* @argv, as a shell would take it */
    struct json_t *measured; /* the earlier result whose runs these are; NULL: made just now */
    int cgroup_version, swappiness;
    struct fl_run native; /* without limit, files warm */
    struct fl_swapdev swap;
    struct validate_host host;
    bool aligned;          /* runs began at phases of the kernel's flushes */
    char unaligned[160];   /* why not */
    struct fl_costs costs; /* asked; then made to fit the command and the swap */
    uint64_t trace_peak_pages;
    uint64_t foreign_swaps; /* pages swapped on the machine while no run of ours was on */
    struct validate_point *points;
    size_t n_points;
    struct validate_warm *warm; /* read before each run; NULL: nothing */
    /* within */
    struct fl_guard *guard;
    struct fl_flushes *flushes;
    struct fl_tlb_flushes *tlb_flushes; /* NULL: not counted */
    struct fl_cgroup_site site;
    unsigned n_groups, steps_done, steps_all;
};

/* ---- the kernel ---------------------------------------------------------------- */

/** validate_begin - guard and control group site. Errors: FL_EMACHINE. */
int validate_begin(struct validate *v, struct fl_err *err);
/** validate_native - two runs without limit; the second one counts. */
int validate_native(struct validate *v, struct fl_err *err);
/** validate_record - record the command, exact, to @path, in a group without limit. */
int validate_record(struct validate *v, const char *path, struct fl_err *err);
/** validate_kernel - swap, every run at every point, and all of it undone again. */
int validate_kernel(struct validate *v, const struct fl_swapdev_request *swap, const char *dir,
                    struct fl_err *err);
/**
 * validate_warm_find - what the page cache held of the trace's files when they were recorded.
 * @out is for validate_warm_free(), also after an error. Rewinds @r.
 */
int validate_warm_find(struct fl_reader *r, struct validate_warm **out, struct fl_err *err);
/** validate_warm_read - bring it there again; files that have gone, or are others, are passed over. */
void validate_warm_read(const struct validate_warm *w);
void validate_warm_free(struct validate_warm *w);
/**
 * validate_load - in place of all of these: the command, the machine and the kernel's runs of the
 * result at @path. Errors: FL_EUSAGE when it is another kind of result; FL_EFORMAT; FL_EIO; FL_ENOMEM.
 */
int validate_load(struct validate *v, const char *path, struct fl_err *err);
/** validate_stopped - FL_EIO and a message when v->stop is set, else FL_OK. */
int validate_stopped(const struct validate *v, struct fl_err *err);
/** validate_look - fill v->host. */
void validate_look(struct validate *v);
/**
 * validate_flushes_end - fill in the end: @moved_in_all, and when the next flush came: a period after
 * the last, or where the run saw none at @first_ns (0: not known).
 */
void validate_flushes_end(struct fl_seen_flushes *seen, uint64_t first_ns, uint64_t moved_in_all);
/** validate_first_flush_ns - from the start of a run to the first flush, in it or after; 0: not known. */
uint64_t validate_first_flush_ns(const struct fl_seen_flushes *seen);
/** validate_end - undo and free everything. NULL-safe fields. */
int validate_end(struct validate *v, struct fl_err *err);

/* ---- the model ------------------------------------------------------------------- */

/**
 * validate_points - the limits: @list, percentages of the trace's peak, or if NULL five
 * from 40 % to 95 % of the peak the kernel charged. Whole pages, at least one.
 */
int validate_points(struct validate *v, const char *list, struct fl_reader *r, struct fl_err *err);
/**
 * validate_predict - the trace at @path under every policy at every point. A policy of the kernel's
 * is asked for each run, with the flushes that were seen in it, or with phases spread evenly where they
 * are not known; runs whose answer must be the same share a replay.
 */
int validate_predict(struct validate *v, const char *path, struct fl_err *err);

/* ---- comparing --------------------------------------------------------------------- */

/**
 * A run's outcome is whether the kernel killed in its group for want of memory. A point's outcome is
 * that of more than half of its runs; half and half, and none, count as survived. Counts are
 * compared between the runs of the kernel and of the model that ended as the point did.
 */

/** One count over some runs; all 0 without any. */
struct validate_spread {
    uint64_t min, median, max; /* an even number of runs: mean of the middle two, rounded down */
    unsigned n;                /* runs it is of */
};

/** validate_sample - count @c of one run. */
uint64_t validate_sample(const struct fl_run *run, enum validate_count c);
/** validate_killed - how many runs of the kernel were killed in. */
unsigned validate_killed(const struct validate_point *p);
/** validate_foretold - how many answers of policy @i have kills. */
unsigned validate_foretold(const struct validate_point *p, size_t i);
/** validate_agrees - has policy @i foretold the point's outcome? */
bool validate_agrees(const struct validate_point *p, size_t i);
/** validate_spread - over the runs that ended as the point did; V_OOM: over all. */
struct validate_spread validate_spread(const struct validate_point *p, enum validate_count c);
/** validate_comparable - has policy @i answers that ended as the point did? */
bool validate_comparable(const struct validate_point *p, size_t i);
/** validate_predicted - over those, or over all where there are none; V_OOM: over all. */
struct validate_spread validate_predicted(const struct validate_point *p, size_t i,
                                          enum validate_count c);
/**
 * validate_percent - (predicted - measured) / measured in percent, rounded to 0.01.
 * 0 when both are 0. Returns: false when only the measured one is 0: no number says that.
 */
bool validate_percent(uint64_t predicted, uint64_t measured, double *percent);
/**
 * validate_error - validate_percent() of the medians; for V_OOM 0 when the outcomes agree.
 * Returns: false when there is none: no runs, none to compare with, other outcomes, or nothing
 * measured.
 */
bool validate_error(const struct validate_point *p, size_t i, enum validate_count c,
                    double *percent);
/** validate_in_range - is the predicted median within the kernel's own range? */
bool validate_in_range(const struct validate_point *p, size_t i, enum validate_count c);

/* ---- saying it ----------------------------------------------------------------------- */

struct json_t;

/** validate_doubts - add what there is to doubt in @v to @quality. */
void validate_doubts(const struct validate *v, struct json_t *quality);
/** validate_json - "faultline.validate/1". @trace and @quality are stolen. NULL: out of memory. */
struct json_t *validate_json(const struct validate *v, struct json_t *trace,
                             struct json_t *quality);
/** validate_text - the table for people, the doubts of @quality below it. */
void validate_text(const struct validate *v, const struct json_t *quality, FILE *out);

#endif
