/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measured.h - reading "faultline.validate/1": what the kernel did, what each policy said. */
#ifndef FAULTLINE_MEASURED_H
#define FAULTLINE_MEASURED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum { AN_LIMITS_MAX = 256, AN_POLICIES_MAX = 16 };

/** A count that kernel and model have. */
struct an_count {
    const char *key, *words; /* "swap_in", "pages swapped in" */
    const char *label;       /* "swapped in" */
};

/** an_count_at - the i-th; NULL past the end. */
const struct an_count *an_count_at(size_t i);
/** an_count_find - by key; NULL when there is none. */
const struct an_count *an_count_find(const char *key);

struct an_spread {
    uint64_t min, median, max;
};

/** A validation, limits rising, the policy judged first. */
struct an_measured {
    const struct json_t *doc;
    const struct json_t *limit[AN_LIMITS_MAX];
    size_t n_limits;
    const char *policy[AN_POLICIES_MAX];
    size_t n_policies;
};

/** an_measured_open - from a checked document. */
void an_measured_open(const struct json_t *doc, struct an_measured *m);
/** an_limit_bytes - of a limit. */
uint64_t an_limit_bytes(const struct json_t *limit);
/** an_limit_runs - runs of the kernel that ended; *@killed: in how many of them it killed. */
size_t an_limit_runs(const struct json_t *limit, size_t *killed);
/** an_limit_kernel - the runs that ended as most did. False: none ended. */
bool an_limit_kernel(const struct json_t *limit, const char *count, struct an_spread *out);
/** an_limit_said - by @policy, of runs that end as most did. False: it says they end otherwise. */
bool an_limit_said(const struct json_t *limit, const char *policy, const char *count,
                   struct an_spread *out);
/** an_limit_agrees - does @policy say rightly whether the kernel kills? */
bool an_limit_agrees(const struct json_t *limit, const char *policy);
/** an_limit_foretold - of how many answers of @policy, in how many a process is killed. */
size_t an_limit_foretold(const struct json_t *limit, const char *policy, size_t *killed);
/** an_limit_error - in percent of the kernel's median. False: there is no such number. */
bool an_limit_error(const struct json_t *limit, const char *policy, const char *count,
                    double *percent);
/** an_limit_in_range - is what @policy says within the kernel's own range? */
bool an_limit_in_range(const struct json_t *limit, const char *policy, const char *count);

/** A policy's errors over all limits, without their signs. */
struct an_accuracy {
    size_t compared; /* limits with an error */
    size_t in_range; /* limits within the kernel's own range */
    size_t wrong;    /* limits at which it is wrong about kills */
    double median, worst;
};

void an_accuracy_of(const struct an_measured *m, const char *policy, const char *count,
                    struct an_accuracy *out);

enum { AN_PERCENT_CHARS = 32 };
/** an_percent - "0.4 %", "12 %", with its sign if @sign. */
const char *an_percent(char buf[AN_PERCENT_CHARS], double percent, bool sign);

/**
 * an_measured_for - the validation of @report that ran the program whose trace @trace_doc is of:
 * the same trace, or the same command line. NULL: none.
 */
const struct json_t *an_measured_for(const struct json_t *report, const struct json_t *trace_doc);

#endif
