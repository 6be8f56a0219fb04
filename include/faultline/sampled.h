/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sampled.h - the sampled events of a trace, what each missed, and what its samples stand for.
 *
 *     fl_sampled_new(reader, &sampled, &err);
 *     for each event: fl_sampled_event(sampled, &ev, &at, &err);
 *     fl_sampled_accesses(sampled, ...)
 *
 * What the recorder says of the events is in the metadata "record.sample.N" and
 * "record.sample.N.*" (docs/trace-format.md). It may be missing: then nothing is known to have
 * been missed.
 */
#ifndef FAULTLINE_SAMPLED_H
#define FAULTLINE_SAMPLED_H

#include <stdbool.h>

#include <faultline/sampling.h>
#include <faultline/trace.h>

struct json_t;

#define FL_SAMPLED_MAX 16u /* events; samples of further ones are of no event */
#define FL_SAMPLED_NONE UINT32_MAX
#define FL_SAMPLED_NAME_BYTES 96

struct fl_sampled_info {
    char name[FL_SAMPLED_NAME_BYTES]; /* "loads"; as recorded, not cleaned */
    char from[160];                   /* what it was encoded from, and its period; "": not known */
    struct fl_samples samples;        /* those in the trace so far */
    struct fl_sampling_loss loss;     /* loss.taken: those left out of the trace are among them */
    bool has_total;                   /* all its accesses were counted too: */
    uint64_t total;
};

struct fl_sampled;

/** fl_sampled_new - of the trace of @r, which may be read before or after. FL_ENOMEM. */
int fl_sampled_new(const struct fl_reader *r, struct fl_sampled **out, struct fl_err *err);
void fl_sampled_free(struct fl_sampled *s); /* NULL is fine */

/**
 * fl_sampled_event - follow NAME and SAMPLE events.
 * @at: of a sample, the number of its event; else FL_SAMPLED_NONE. FL_ENOMEM.
 */
int fl_sampled_event(struct fl_sampled *s, const struct fl_event *ev, uint32_t *at,
                     struct fl_err *err);

/** fl_sampled_count, fl_sampled_at - the events: those recorded first, then others that had samples. */
uint32_t fl_sampled_count(const struct fl_sampled *s);
const struct fl_sampled_info *fl_sampled_at(const struct fl_sampled *s, uint32_t i);

/**
 * fl_sampled_accesses - what @samples, one for each event, stand for together. To be asked when
 * all events were followed: what was missed is known then, and how many samples there are.
 * Where every occurrence was sampled and none missed, low and high are the number itself.
 */
void fl_sampled_accesses(const struct fl_sampled *s, const struct fl_samples *samples,
                         struct fl_estimate *out);

/** fl_sampled_all - what all samples of event @i stand for. */
void fl_sampled_all(const struct fl_sampled *s, uint32_t i, struct fl_estimate *out);

/**
 * fl_estimate_json - {"value", "low", "high", "at_least"}, rounded to whole numbers; high is null
 * when it has no limit. NULL: out of memory.
 */
struct json_t *fl_estimate_json(const struct fl_estimate *estimate);

/** fl_sampled_json - an array with an object for each event, as docs/results.md has them. */
struct json_t *fl_sampled_json(const struct fl_sampled *s);

#endif
