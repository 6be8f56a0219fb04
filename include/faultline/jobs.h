/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * jobs.h - independent pieces of work on several threads.
 */
#ifndef FAULTLINE_JOBS_H
#define FAULTLINE_JOBS_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

/** How a job tells how far it is. Does nothing when nobody wants to know. */
struct fl_job_progress;
/** fl_job_tell - a progress callback, for @progress as its argument. */
void fl_job_tell(void *progress, unsigned done_bp);

struct fl_job {
    /* FL_OK or an error. Shares nothing that changes with the other jobs. */
    int (*run)(void *arg, struct fl_job_progress *progress, struct fl_err *err);
    void *arg;
    uint64_t weight; /* how long it takes, compared with the others; 0 as 1 */
};

/**
 * fl_jobs_run - run all @jobs on up to @threads threads, this one among them; they begin in their
 * order, so the longest should come first.
 * After an error no further job begins. Returns FL_OK, or the error of the first job in the list
 * that failed. @progress: called from one thread at a time with 0..10000, the mean of all jobs by
 * their weights; or NULL.
 */
int fl_jobs_run(const struct fl_job *jobs, size_t n, unsigned threads,
                void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err);

/** fl_jobs_threads - one for each processor that this process may run on. */
unsigned fl_jobs_threads(void);

#endif
