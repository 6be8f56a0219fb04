/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * attribution.h - whose faults a replay's faults are, and which pages kept coming back.
 *
 * An owner is a process, a mapping and a function. A refault is a fault on a page that had been
 * evicted: with the counts of refaults by stretch of the timeline one can see when, and whose,
 * pages did not fit. Analyses of a result (thrash.h) work on this and on the timeline alone.
 */
#ifndef FAULTLINE_ATTRIBUTION_H
#define FAULTLINE_ATTRIBUTION_H

#include <stddef.h>
#include <stdint.h>

#define FL_NO_FUNCTION UINT32_MAX
#define FL_NO_PROCESS UINT32_MAX

struct fl_owner {
    /* indexes below; FL_NO_PROCESS: none is known, or too many owners; FL_NO_FUNCTION: too many,
       or the trace does not say */
    uint32_t process, mapping, function;
    uint64_t minor, major, refaults;
};

/** Refaults of one owner in one row of the timeline. */
struct fl_refault_share {
    uint32_t row, owner;
    uint64_t refaults;
};

/** What refaulted in one row of the timeline. Positions are accesses since the beginning. */
struct fl_refault_row {
    uint64_t refaults;
    uint64_t near; /* of them, those evicted no more than the RAM's frames of evictions ago */
    uint64_t first, last; /* positions of the first and last of them */
};

struct fl_attribution {
    struct {
        uint32_t pid;
        char comm[16]; /* its last name, zero-terminated */
    } * processes;
    struct {
        char *name;     /* "": nothing is called so any more, and no owner has it */
        uint64_t pages; /* first touched through mappings of this name */
    } * mappings;
    char **functions;
    size_t n_processes, n_mappings, n_functions;

    struct fl_owner *owners; /* of index 0 are the faults that no owner could be kept for */
    size_t n_owners;
    struct fl_refault_share *shares; /* by row */
    size_t n_shares;
    struct fl_refault_row *rows; /* one a row of the timeline */
    size_t n_rows;
    /* row r's refaults by the row of the same page's refault before: column 0 had none,
       column p + 1 had it in row p; FL_TIMELINE_ROWS_MAX + 1 columns a row */
    uint32_t *before;
};

/**
 * fl_attribution_pages - how many different pages refaulted in rows @from to @to, exclusive.
 * pre: from <= to <= n_rows. Cost: the square of the rows.
 */
uint64_t fl_attribution_pages(const struct fl_attribution *a, size_t from, size_t to);

void fl_attribution_free(struct fl_attribution *a); /* NULL is fine */

#endif
