/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * diff_match.h - which process, mapping or function of B is which of A, although
 * addresses, process ids, paths and compiler suffixes differ. docs/diff.md has the rules.
 */
#ifndef FAULTLINE_DIFF_MATCH_H
#define FAULTLINE_DIFF_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

enum diff_kind { DIFF_PROCESSES, DIFF_MAPPINGS, DIFF_FUNCTIONS };

/* Why a row's two sides are one. */
enum diff_how {
    DIFF_SAME,  /* they are called the same */
    DIFF_ALIKE, /* the same but for path, version, random part or compiler suffix */
    DIFF_GUESS, /* what was left over, by rank */
    DIFF_NEW,   /* only in B */
    DIFF_GONE,  /* only in A */
};

struct diff_name {
    const char *text;
    uint64_t order; /* among equals the lower goes with the lower: a pid, a rank */
};

struct diff_names {
    const struct diff_name *of;
    size_t n;
};

/** Two programs that are one, although their names differ: @a and @b are their comms. */
struct diff_renamed {
    const char *a, *b;
};

/** Groups of entries that are one thing; each entry is in one. */
struct diff_groups {
    size_t *of_a, *of_b; /* the group of each entry */
    enum diff_how *how;  /* of each group */
    size_t n;
};

/**
 * diff_match - the groups of @a and @b, most certain first.
 * @renamed, @n_renamed: for mappings, processes paired under different names; may be NULL.
 * Cost: O(n log n) comparisons of text. Errors: FL_ENOMEM.
 * @out: freed with diff_groups_free(), also after an error.
 */
int diff_match(enum diff_kind kind, struct diff_names a, struct diff_names b,
               const struct diff_renamed *renamed, size_t n_renamed, struct diff_groups *out,
               struct fl_err *err);
void diff_groups_free(struct diff_groups *g);

/**
 * diff_plain_function - @name without what compilers add: ".constprop.0", " [clone .isra.1]"...
 * Parameters stay. Returns: malloc'ed; NULL when out of memory.
 */
char *diff_plain_function(const char *name);

#endif
