/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * region.h - mappings as people know them: "[heap]", a file's path, "anonymous (build_table)".
 *
 * A label is given to a mapping when its first page is touched, and stays with what is left of
 * the mapping through cuts, moves and forks. Mappings alike share a label, so that there are
 * few of them however many mappings a program makes: heaps, stacks, one a file, and anonymous
 * mappings by the function that touched them first, or by their size where functions are not
 * known. The C library's own functions, and allocators, touch what others have asked for: what
 * they touch first has a stand-in for a label, until code of somebody else touches it.
 */
#ifndef REPLAY_REGION_H
#define REPLAY_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>

#define REGION_OTHER 0u /* the label of what has none: no page touched, or too many labels */
#define REGION_NONE 0u  /* of a mapping: none yet */
#define REGION_LABELS_MAX 65536u
#define REGION_STAND_INS_MAX 16384u

enum region_kind {
    REGION_KIND_OTHER,
    REGION_KIND_HEAP,
    REGION_KIND_STACK,
    REGION_KIND_SPECIAL,
    REGION_KIND_FILE,
    REGION_KIND_SHARED, /* shared anonymous memory */
    REGION_KIND_ANON,
};

/* What mappings of one label have in common. */
struct region_key {
    enum region_kind kind;
    uint32_t file;  /* of kind FILE */
    uint32_t code;  /* that touched it first; of kinds ANON and SHARED, if known */
    uint64_t pages; /* its size then; of kinds ANON and SHARED, if the code is not known */
};

struct regions {
    struct region {
        struct region_key key;
        uint32_t alias; /* the label that took a stand-in's place; 0: none */
        bool stands_in;
        uint64_t touched; /* pages touched for the first time through mappings of this label */
        uint32_t next;    /* of its hash chain; 0: none, as label 0 is in no chain */
    } * labels;
    uint32_t n_labels, labels_room, n_stand_ins;
    uint32_t *chains;      /* by hash of the key */
    char **files, **codes; /* names by id; NULL: not known */
    bool *is_runtime;      /* by code: it is the C library's */
    uint32_t n_files, files_room, n_codes, codes_room;
    uint32_t code; /* where the thread that runs is, set by whoever drives; FL_NO_CODE */
};

int regions_init(struct regions *r, struct fl_err *err);
void regions_fini(struct regions *r);

/** regions_event - files and functions get their names. Others are ignored. FL_ENOMEM. */
int regions_event(struct regions *r, const struct fl_event *ev, struct fl_err *err);

/** regions_by_runtime - is it the C library that touches now? */
static inline bool regions_by_runtime(const struct regions *r)
{
    return r->code < r->n_codes && r->is_runtime[r->code];
}

/** regions_stand_in - a label of @key that is one mapping's alone, until regions_replace(). */
uint32_t regions_stand_in(struct regions *r, const struct region_key *key);
/** regions_replace - what had the stand-in @label has @better now. */
void regions_replace(struct regions *r, uint32_t label, uint32_t better);
/** regions_settle - after the trace's end: stand-ins that nothing took the place of are labels. */
void regions_settle(struct regions *r);
/** regions_resolve - the label that @label means. */
static inline uint32_t regions_resolve(const struct regions *r, uint32_t label)
{
    return r->labels[label].alias ? r->labels[label].alias : label;
}

/** regions_label - the label of a mapping of @key. REGION_OTHER when there are too many. */
uint32_t regions_label(struct regions *r, const struct region_key *key);

/** regions_name - as people read it; malloc'ed. NULL: out of memory. */
char *regions_name(const struct regions *r, uint32_t label);

/** regions_code_name - the function's name, or where it is; malloc'ed. NULL: out of memory. */
char *regions_code_name(const struct regions *r, uint32_t code);

#endif
