/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * sweep_part.h - finished points in a file, to be taken up again.
 *
 * A part is text, a JSON object a line, its last member the XXH64 of what is before it. The first
 * line says of what sweep it is; then come facts about traces and answers to points, in any
 * order. It only ever grows by whole lines, so what a killed process leaves can be used but
 * for the line it was writing.
 */
#ifndef REPLAY_SWEEP_PART_H
#define REPLAY_SWEEP_PART_H

#include <jansson.h>

#include <faultline/replay.h>

#define SWEEP_COUNTS 9

/** The counts of a point's answer. */
struct sweep_answer {
    bool known;
    uint64_t counts[SWEEP_COUNTS];
};

/** What is known of a sweep from all parts read. */
struct sweep_known {
    json_t *options;              /* the sweep's, as text by name; parts of others are refused */
    size_t n_traces, n_points;    /* points of each trace */
    json_t **facts;               /* by trace; NULL: none yet */
    struct sweep_answer *answers; /* by trace and point */
};

/** sweep_known_init - nothing is known. Takes over @options. FL_ENOMEM. */
int sweep_known_init(struct sweep_known *k, json_t *options, size_t n_traces, size_t n_points,
                     struct fl_err *err);
void sweep_known_fini(struct sweep_known *k);

/** sweep_known_answer - fill @p's answers; false: it is not known. */
bool sweep_known_answer(const struct sweep_known *k, size_t trace, size_t point,
                        struct fl_sweep_point *p);

/**
 * sweep_part_read - what the part at @path has, into @k.
 * @damaged_line: the first line that is not as it was written, 0: none. What it said is not known.
 * Errors: FL_EUSAGE when it is of another sweep, FL_EFORMAT when it is no part; FL_EIO.
 */
int sweep_part_read(const char *path, struct sweep_known *k, uint64_t *damaged_line,
                    struct fl_err *err);

/** sweep_facts_alike - of the same trace and machines, wherever they lie? */
bool sweep_facts_alike(const json_t *a, const json_t *b);

/** A part that is written to. */
struct sweep_part;

/**
 * sweep_part_open - read the part at @path, or begin it; only one process at a time may.
 * @shard: "2/8", noted in a new one. Errors: as sweep_part_read(); FL_EIO also when it is in use.
 */
int sweep_part_open(const char *path, const char *shard, struct sweep_known *k,
                    struct sweep_part **out, uint64_t *damaged_line, struct fl_err *err);

/** sweep_part_facts - note @facts of @trace, there and in @k. On disk on return. FL_EIO, FL_ENOMEM. */
int sweep_part_facts(struct sweep_part *part, struct sweep_known *k, size_t trace, json_t *facts,
                     struct fl_err *err);

/** sweep_part_answers - note @n @points of @trace that have an answer; all[0] is point 0. As above. */
int sweep_part_answers(struct sweep_part *part, size_t trace, const struct fl_sweep_point *all,
                       struct fl_sweep_point *const *points, size_t n, struct fl_err *err);

void sweep_part_close(struct sweep_part *part); /* NULL is fine */

#endif
