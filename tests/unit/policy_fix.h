/* SPDX-License-Identifier: GPL-2.0-or-later */
/** policy_fix.h - a policy driven by a string of pages, as the paging engine drives it. */
#ifndef FAULTLINE_POLICY_FIX_H
#define FAULTLINE_POLICY_FIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <faultline/policy.h>

#define FRAMES_MAX 16
#define EMPTY UINT32_MAX

struct policy_fix {
    const struct fl_policy_ops *ops;
    void *self;
    uint32_t frames;
    uint32_t page[FRAMES_MAX]; /* EMPTY, or who lives there */
    unsigned faults, evictions;
    uint32_t evicted[64]; /* in order */
};

static inline void policy_start(struct policy_fix *f, const char *name, uint32_t frames,
                                uint64_t seed)
{
    struct fl_err err;
    *f = (struct policy_fix){ .ops = fl_policy_find(name), .frames = frames };
    assert_non_null(f->ops);
    assert_string_equal(f->ops->name, name);
    for (uint32_t i = 0; i < FRAMES_MAX; i++)
        f->page[i] = EMPTY;
    assert_int_equal(f->ops->init(&f->self, frames, seed, &err), FL_OK);
}

static inline void policy_stop(struct policy_fix *f)
{
    assert_true(f->ops->check(f->self));
    f->ops->fini(f->self);
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
    f->ops->removed(f->self, frame);
    assert_true(f->ops->check(f->self));
}

static inline void touch_page(struct policy_fix *f, uint32_t page, uint64_t next_use)
{
    uint32_t frame = frame_of(f, page);
    if (frame != EMPTY) {
        if (f->ops->touched)
            f->ops->touched(f->self, frame, next_use);
    } else {
        f->faults++;
        frame = frame_of(f, EMPTY); /* the lowest free one */
        if (frame == EMPTY) {
            frame = f->ops->victim(f->self);
            assert_true(frame < f->frames);
            f->evicted[f->evictions++] = f->page[frame];
            f->page[frame] = EMPTY;
            f->ops->removed(f->self, frame);
        }
        f->page[frame] = page;
        f->ops->inserted(f->self, frame, page, next_use);
    }
    assert_true(f->ops->check(f->self));
}

/* References pages[0 .. n-1]; the policy is told the future when it needs it. */
static inline void touch_pages(struct policy_fix *f, size_t n, const uint32_t *pages)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t next = FL_NEVER_USED;
        for (size_t j = n; j-- > i + 1;)
            if (pages[j] == pages[i])
                next = j;
        touch_page(f, pages[i], f->ops->needs & FL_NEEDS_FUTURE ? next : 0);
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
