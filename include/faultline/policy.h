/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * policy.h - page replacement policies.
 *
 * The paging engine hands out frame numbers 0 .. nframes-1 and tells the policy
 * what becomes of each; the policy keeps its own arrays and answers one question:
 * which frame goes. A policy is one policy_NAME.c and one row in policy.c.
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
                                  which takes the place of the paging engine: no functions below */
};

#define FL_NEVER_USED UINT64_MAX

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

    /** init - @nframes > 0; frames all free. @seed: for policies that draw lots. */
    int (*init)(void **self, uint32_t nframes, uint64_t seed, struct fl_err *err);
    /**
     * inserted - page @page now lives in @frame, which was free.
     * @next_use: position in the reference stream of the page's next reference,
     * FL_NEVER_USED if none; 0 unless FL_NEEDS_FUTURE.
     */
    void (*inserted)(void *self, uint32_t frame, uint32_t page, uint64_t next_use);
    /** touched - a resident page is referenced again. NULL: the policy does not care. */
    void (*touched)(void *self, uint32_t frame, uint64_t next_use);
    /** victim - the frame to empty. pre: no frame is free. The engine calls removed() next. */
    uint32_t (*victim)(void *self);
    /** removed - @frame is free again, evicted or because its page ceased to exist. */
    void (*removed)(void *self, uint32_t frame);
    /** check - O(n) walk of the policy's own invariants, for tests. */
    bool (*check)(const void *self);
    void (*fini)(void *self); /* NULL is fine */
};

/** fl_policy_at - the i-th policy; NULL past the end. */
const struct fl_policy_ops *fl_policy_at(size_t i);
/** fl_policy_name_at - its name, for option tables; NULL past the end. */
const char *fl_policy_name_at(size_t i);
/** fl_policy_find - by name; NULL when there is none. */
const struct fl_policy_ops *fl_policy_find(const char *name);

#endif
