/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * locality.h - properties of a trace that do not depend on the size of memory.
 *
 * Time is the number of user accesses so far, divided into FL_LOCALITY_COLUMNS columns of equal
 * length; what is touched in a column is a set of pages, and everything here is computed from
 * these sets alone, exactly. A page is a virtual page of one address space. docs/locality.md has
 * the formulas and their limits.
 */
#ifndef FAULTLINE_LOCALITY_H
#define FAULTLINE_LOCALITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/machine.h>
#include <faultline/trace.h>

#define FL_LOCALITY_COLUMNS 256u
#define FL_LOCALITY_WINDOWS 7u /* of 1, 2, 4 ... 64 columns */
#define FL_LOCALITY_MAPPINGS_MAX 12u
#define FL_LOCALITY_PROCESSES_MAX 20u
#define FL_PHASES_MAX 16u
#define FL_HEAT_ROWS_MAX 48u
#define FL_HEAT_COLUMNS 128u

/**
 * Denning's working set W(t, T): the pages touched in the T columns that end with column t, of
 * which the first windows of a trace have fewer ("The Working Set Model for Program Behavior",
 * CACM 11(5), 1968).
 */
struct fl_working_set {
    uint64_t mean_pages; /* over all columns, rounded to nearest */
    uint64_t peak_pages;
};

/* What a phase is, by the rules of docs/locality.md; the first that applies. */
enum fl_phase_kind {
    FL_PHASE_START_UP,  /* the first, and short */
    FL_PHASE_REVISITS,  /* touches what an earlier phase touched */
    FL_PHASE_GROWING,   /* much of what it touches is new anonymous memory */
    FL_PHASE_STREAMING, /* most of what it touches is touched once and left */
    FL_PHASE_STEADY,
    FL_PHASE_KINDS
};

/** fl_phase_name - "start-up", "revisits", "growing", "streaming", "steady". */
const char *fl_phase_name(enum fl_phase_kind kind);

struct fl_phase {
    uint32_t from_column, to_column; /* [from, to) */
    uint64_t from_access, to_access; /* the same in user accesses */
    enum fl_phase_kind kind;
    uint32_t revisits;     /* of kind REVISITS: which phase, from 0 */
    uint64_t pages;        /* touched in it */
    uint64_t new_pages;    /* of these, never touched before */
    uint64_t common_pages; /* of these, touched in the phase before */
    uint32_t hottest;      /* index of the mapping with most pages, each counted once a column it is
                              touched in; FL_LOCALITY_MAPPINGS_MAX: none of those listed */
};

struct fl_locality_mapping {
    char *name;
    uint64_t pages; /* touched */
    struct fl_working_set window[FL_LOCALITY_WINDOWS];
    /* Its touched pages in order of address space and address in @n_rows bins of equal size (to
       one page); a cell: percent of its pages touched in two columns, rounded up, 0: none. */
    uint32_t n_rows;
    uint8_t heat[FL_HEAT_ROWS_MAX][FL_HEAT_COLUMNS];
};

struct fl_locality_process {
    uint32_t pid;
    char comm[16];
    uint64_t pages;        /* virtual pages touched in the address spaces that it ran in first */
    uint64_t unique_pages; /* contents (frames, if memory were unlimited) touched in no others */
};

struct fl_locality {
    uint64_t accesses; /* of the whole trace */
    uint64_t distinct_pages;
    uint64_t resident_peak_pages; /* as fl_footprint() */
    uint64_t contents;            /* pages of memory in all, as if none were used twice */
    uint64_t shared_contents;     /* of these, touched by several processes */
    uint64_t window_accesses[FL_LOCALITY_WINDOWS];
    struct fl_working_set window[FL_LOCALITY_WINDOWS];
    /* by column */
    uint64_t working_set[FL_LOCALITY_WINDOWS][FL_LOCALITY_COLUMNS];
    uint64_t new_pages[FL_LOCALITY_COLUMNS];      /* touched for the first time */
    uint64_t resident_pages[FL_LOCALITY_COLUMNS]; /* at its end, if memory were unlimited */
    size_t n_phases;
    struct fl_phase phases[FL_PHASES_MAX];
    size_t n_mappings, left_out_mappings; /* most pages first */
    struct fl_locality_mapping mappings[FL_LOCALITY_MAPPINGS_MAX];
    size_t n_processes, left_out_processes; /* most pages first */
    struct fl_locality_process processes[FL_LOCALITY_PROCESSES_MAX];
};

/**
 * fl_locality_end - accesses before the end of column @column of @accesses in all: the smallest n
 * with n * FL_LOCALITY_COLUMNS >= (column + 1) * accesses.
 */
uint64_t fl_locality_end(uint64_t accesses, uint32_t column);

/**
 * fl_locality - one pass over @r, which it rewinds first.
 * @progress: called now and then with 0..10000, bp done, or NULL.
 * Errors: FL_EDATA when the trace's fidelity does not tell; FL_ENOMEM; FL_EIO, FL_EFORMAT from
 * the reader. Memory: 35 bytes a distinct page besides the virtual memory stage's.
 * @out: the caller frees with fl_locality_free().
 */
int fl_locality(struct fl_reader *r, void (*progress)(void *arg, unsigned done_bp), void *arg,
                struct fl_locality **out, struct fl_err *err);
void fl_locality_free(struct fl_locality *l); /* NULL is fine */

/* ---- TLB reach ------------------------------------------------------------------------------ */

struct fl_tlb_reach_mapping {
    char *name;
    uint64_t pages;        /* touched */
    uint64_t huge_ranges;  /* aligned ranges of 2 MiB in it that were translated as one page */
    uint64_t walks;        /* with pages of 4 KiB */
    uint64_t walks_huge;   /* with pages of 2 MiB where they fit */
    uint64_t walks_ragged; /* of walks_huge: beside those ranges, in private anonymous memory */
    uint64_t extra_pages;  /* of 4 KiB in those ranges, never touched */
    uint64_t start,
        length;   /* bytes: the first stretch of such ranges, the longest; length 0: none */
    char *advice; /* the madvise() that does it, and its price; NULL: not worth it */
};

struct fl_tlb_reach {
    char *machine; /* the profile's name */
    uint64_t walks, walks_huge, walks_ragged, extra_pages;
    size_t n_mappings;                     /* most walks first; all of them that had any */
    struct fl_tlb_reach_mapping *mappings; /* FL_LOCALITY_MAPPINGS_MAX at most */
    size_t left_out;
};

/**
 * fl_tlb_reach - what pages of 2 MiB would save in page walks, by mapping: one pass over @r with
 * two TLBs side by side, one of which sees every aligned 2 MiB that lies wholly in private
 * anonymous memory as one page, from the moment it does.
 * @machine: NULL: the default profile. @progress: as above.
 * Errors: as fl_locality(); FL_EDATA for a trace that is not exact.
 * @out: the caller frees with fl_tlb_reach_free().
 */
int fl_tlb_reach(struct fl_reader *r, const struct fl_machine *machine,
                 void (*progress)(void *arg, unsigned done_bp), void *arg,
                 struct fl_tlb_reach **out, struct fl_err *err);
void fl_tlb_reach_free(struct fl_tlb_reach *reach); /* NULL is fine */

/* ---- JSON ------------------------------------------------------------------------------------ */

struct json_t;
/** fl_locality_json - key `locality` of a result. A new reference; NULL: out of memory. */
struct json_t *fl_locality_json(const struct fl_locality *l);
/** fl_tlb_reach_json - key `tlb_reach` of a result. A new reference; NULL: out of memory. */
struct json_t *fl_tlb_reach_json(const struct fl_tlb_reach *reach);

#endif
