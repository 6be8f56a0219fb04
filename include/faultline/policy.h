/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * policy.h - page replacement policies.
 *
 * A policy answers one question: which page goes. It is one policy_NAME.c and one row in policy.c.
 */
#ifndef FAULTLINE_POLICY_H
#define FAULTLINE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

enum {
    FL_NEEDS_FUTURE = 1u << 0, /* wants every reference's next use (opt) */
    FL_IS_KERNEL = 1u << 1,    /* not a chooser of victims but the kernel's own memory management,
                                  which takes the place of the paging stage */
};

#define FL_NEVER_USED UINT64_MAX

struct paging_ops;

struct fl_policy_ops {
    const char *name;
    const char *summary; /* one line */
    const char *source;  /* where the rule is defined */
    unsigned needs;
    /* Between two changes of what is resident, only each frame's last touch matters, in the
       order of these: the engine may leave out the others. */
    bool last_touch_counts;
    /* In a stretch of references to no more different pages than there are frames, only each
       page's first and last matter: the engine may leave out the others. A page of the stretch
       that has been touched then stays until its last touch, as there is always one to take
       instead that the rest of the stretch does not want: the policy must never take one that it
       does. True of lru and of opt. */
    bool ends_count;

    const struct paging_ops *paging; /* how the paging stage goes about it: its own business */
};

/** fl_policy_at - the i-th policy; NULL past the end. */
const struct fl_policy_ops *fl_policy_at(size_t i);
/** fl_policy_name_at - its name, for option tables; NULL past the end. */
const char *fl_policy_name_at(size_t i);
/** fl_policy_find - by name; NULL when there is none. */
const struct fl_policy_ops *fl_policy_find(const char *name);

#endif
