/* SPDX-License-Identifier: GPL-2.0-or-later */
/** policy_fix.h - a policy driven by a string of pages, one at a time. */
#ifndef FAULTLINE_POLICY_FIX_H
#define FAULTLINE_POLICY_FIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "paging.h"

#define FRAMES_MAX 16
#define EMPTY UINT32_MAX

#define PAGES_END 256

struct policy_fix {
    struct paging paging;
    uint32_t frames;
    uint32_t page[FRAMES_MAX]; /* EMPTY, or who lives there, by the rule for frames */
    unsigned faults, evictions;
    uint32_t evicted[64]; /* in order */
};

static inline void policy_start(struct policy_fix *f, const char *name, uint32_t frames,
                                uint64_t seed)
{
    const struct fl_policy_ops *ops = fl_policy_find(name);
    struct fl_err err;
    *f = (struct policy_fix){ .frames = frames };
    assert_non_null(ops);
    assert_string_equal(ops->name, name);
    for (uint32_t i = 0; i < FRAMES_MAX; i++)
        f->page[i] = EMPTY;
    assert_int_equal(paging_init(&f->paging, ops, frames, UINT64_MAX, seed, &err), FL_OK);
    f->paging.tells = true;
    assert_int_equal(paging_room(&f->paging, PAGES_END, &err), FL_OK);
}

static inline void policy_check(const struct policy_fix *f)
{
    assert_true(f->paging.ops->paging->check(&f->paging));
}

static inline void policy_stop(struct policy_fix *f)
{
    policy_check(f);
    paging_fini(&f->paging);
}

static inline uint32_t frame_of(const struct policy_fix *f, uint32_t page)
{
    for (uint32_t i = 0; i < f->frames; i++)
        if (f->page[i] == page)
            return i;
    return EMPTY;
}

/* The page in @frame ceases to exist. */
static inline void free_page(struct policy_fix *f, uint32_t page)
{
    uint32_t frame = frame_of(f, page);
    assert_int_not_equal(frame, EMPTY);
    f->page[frame] = EMPTY;
    paging_forget(&f->paging, page);
    policy_check(f);
}

static inline void touch_page(struct policy_fix *f, uint32_t page, uint64_t next_use)
{
    static const uint8_t kind[PAGES_END]; /* all anonymous */
    const uint8_t info = 0;
    const struct paging_refs refs = {
        .n = 1, .contents = &page, .info = &info, .next_use = &next_use, .kind = kind
    };
    bool is_new = frame_of(f, page) == EMPTY;
    struct fl_err err;
    uint32_t done;
    assert_true(page < PAGES_END);
    assert_int_equal(paging_batch(&f->paging, &refs, &done, &err), FL_OK);
    assert_int_equal(done, 1);
    assert_int_equal(f->paging.n_faulted, is_new);
    if (is_new) {
        uint32_t went = f->paging.faulted[0].evicted;
        f->faults++;
        if (went != NO_CONTENTS) {
            assert_int_not_equal(frame_of(f, went), EMPTY);
            f->page[frame_of(f, went)] = EMPTY;
            f->evicted[f->evictions++] = went;
        }
        uint32_t frame = frame_of(f, EMPTY); /* the lowest free one */
        assert_int_not_equal(frame, EMPTY);
        f->page[frame] = page;
    }
    policy_check(f);
}

/* References pages[0 .. n-1]; the policy is told the future. */
static inline void touch_pages(struct policy_fix *f, size_t n, const uint32_t *pages)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t next = FL_NEVER_USED;
        for (size_t j = n; j-- > i + 1;)
            if (pages[j] == pages[i])
                next = j;
        touch_page(f, pages[i], next);
    }
}

/* The frames hold exactly these, frame by frame. */
static inline void assert_frames(const struct policy_fix *f, const uint32_t *pages)
{
    for (uint32_t i = 0; i < f->frames; i++)
        assert_int_equal(f->page[i], pages[i]);
}

#define PAGES(...)     \
    (const uint32_t[]) \
    {                  \
        __VA_ARGS__    \
    }
#define TOUCH(f, ...) \
    touch_pages((f), sizeof(PAGES(__VA_ARGS__)) / sizeof(uint32_t), PAGES(__VA_ARGS__))

#endif
