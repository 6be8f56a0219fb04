/* SPDX-License-Identifier: GPL-2.0-or-later */
/* observe.h - what the files share that count what events and sampled traces have seen. */
#ifndef FAULTLINE_OBSERVE_H
#define FAULTLINE_OBSERVE_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>
#include <faultline/trace.h>

struct json_t;

enum { TALLY_MINOR, TALLY_MAJOR, TALLY_UNKNOWN, TALLY_KINDS };

struct tally {
    uint64_t faults[TALLY_KINDS];
};

/** tally_kind - of the kinds, that of a fault with @flags. */
int tally_kind(unsigned flags);
uint64_t tally_sum(const struct tally *t);
/** tally_put - "minor" and "major" into an entry, and "unknown" where there are any. */
void tally_put(struct json_t *into, const struct tally *t);

/* ---- observe_code.c ---------------------------------------------------------------- */

/** Faults by function and by call chain. */
struct code_tally;

struct code_tally *code_tally_new(void); /* NULL: out of memory */
void code_tally_free(struct code_tally *c);
/** code_tally_event - follow a file, code, stack or fault event; ids are dense. FL_ENOMEM. */
int code_tally_event(struct code_tally *c, const struct fl_event *ev, struct fl_err *err);
/**
 * code_tally_json - add by_function where faults have code, and call_chains where they have
 * stacks, to @result. @faults: of the whole trace, what shares are of.
 */
void code_tally_json(const struct code_tally *c, uint64_t faults, struct json_t *result);
/** code_tally_name - of code id @code; NULL when there is none. */
const char *code_tally_name(const struct code_tally *c, size_t code);
/** code_tally_chain - an array of the names of stack id @stack, innermost first. */
struct json_t *code_tally_chain(const struct code_tally *c, size_t stack);

/* ---- observe_samples.c ------------------------------------------------------------- */

/** Samples of each event by process, mapping, function, call chain and data source. */
struct sample_tally;

/** sample_tally_new - of the trace of @r. FL_ENOMEM. */
int sample_tally_new(const struct fl_reader *r, struct sample_tally **out, struct fl_err *err);
void sample_tally_free(struct sample_tally *t);
/** Where a sample is; SIZE_MAX: not known. */
struct sample_place {
    size_t process, label;
    uint32_t mm;
};
/** sample_tally_event - follow an event; @at is used for samples. FL_ENOMEM. */
int sample_tally_event(struct sample_tally *t, const struct fl_event *ev,
                       const struct sample_place *at, struct fl_err *err);

/** Fills in who entry @i of a list is. */
typedef void (*sample_namer)(const void *ctx, size_t i, struct json_t *entry);
/**
 * sample_tally_json - add samples, footprint, by_process ... by_tlb to @result.
 * @processes, @labels: names of processes and mappings, with @ctx.
 */
int sample_tally_json(struct sample_tally *t, const struct code_tally *code, const void *ctx,
                      sample_namer processes, sample_namer labels, struct json_t *result,
                      struct fl_err *err);

/* ---- observe_live.c ---------------------------------------------------------------- */

struct fl_snapshots;

/**
 * live_json - "live": of each process with snapshots, the largest first, its memory and OOM score at
 * the recording's start and end. @comm_of: the name of a process, or NULL.
 */
struct json_t *live_json(const struct fl_snapshots *s,
                         const char *(*comm_of)(const void *ctx, uint32_t pid), const void *ctx);

#endif
