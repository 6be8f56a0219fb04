/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between replays of policy `mglru`; at any time: test_linux_laws.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/units.h>

#include "compare.h"

#define PAGES 1200u
#define REFERENCES 30000u

struct trace {
    void *bytes;
    struct fl_reader *reader;
};

static struct trace trace_of(uint64_t seed, enum random_pattern pattern)
{
    struct trace t = { 0 };
    struct item_list list;
    struct fl_err err;
    size_t len = 0;
    random_pages(seed, pattern, REFERENCES, PAGES, &list);
    if (item_list_trace(&list, &t.bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(t.bytes, len, 0, &t.reader, &err) != FL_OK)
        fail_msg("%s", err.msg);
    item_list_free(&list);
    return t;
}

static void trace_close(struct trace *t)
{
    fl_reader_free(t->reader);
    free(t->bytes);
}

static struct fl_result *replay(struct trace *t, const char *policy, uint32_t frames)
{
    struct fl_replay_opts opts = {
        .frames = frames, .swap_pages = UINT64_MAX, .policy = fl_policy_find(policy), .no_tlb = true
    };
    struct fl_result *r = NULL;
    struct fl_err err;
    if (fl_replay(t->reader, &opts, &r, &err) != FL_OK)
        fail_msg("%s at %u frames: %s", policy, frames, err.msg);
    return r;
}

static uint64_t majors(struct trace *t, const char *policy, uint32_t frames)
{
    struct fl_result *r = replay(t, policy, frames);
    uint64_t n = r->major;
    fl_result_free(r);
    return n;
}

static void same_trace_gives_same_counts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct trace t = trace_of(seed, (enum random_pattern)(seed % RANDOM_PATTERNS));
        struct fl_result *a = replay(&t, "mglru", 600), *b = replay(&t, "mglru", 600);
        assert_memory_equal(a->faults, b->faults, sizeof a->faults);
        assert_int_equal(a->pages_out, b->pages_out);
        assert_int_equal(a->scanned, b->scanned);
        assert_int_equal(a->activated, b->activated);
        assert_true(a->major > 0);
        fl_result_free(a);
        fl_result_free(b);
        trace_close(&t);
    }
}

static void never_more_resident_than_the_limit(void **state)
{
    (void)state;
    for (uint32_t frames = 200; frames <= 1400; frames += 300) {
        struct trace t = trace_of(frames, RANDOM_UNIFORM);
        struct fl_result *r = replay(&t, "mglru", frames);
        assert_true(r->usage_peak <= frames);
        assert_true(r->resident_peak_pages <= r->usage_peak);
        assert_int_equal(r->n_oom_kills, 0);
        fl_result_free(r);
        trace_close(&t);
    }
}

/* A quarter more at most, where recency pays: no cliff the wrong way. And none at all at the end. */
static void more_memory_is_hardly_ever_worse(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct trace t = trace_of(seed, RANDOM_ZIPF);
        uint64_t before = UINT64_MAX / 8;
        for (uint32_t frames = 300; frames <= 1500; frames += 200) {
            uint64_t n = majors(&t, "mglru", frames);
            if (n > before + before / 4)
                fail_msg("seed %llu: %llu majors at %u frames, %llu at 200 fewer",
                         (unsigned long long)seed, (unsigned long long)n, frames,
                         (unsigned long long)before);
            before = n;
        }
        assert_int_equal(before, 0);
        trace_close(&t);
    }
}

/* The hot pages of a skewed program are kept about as well as by exact LRU of the same memory,
   of which the kernel's lists have some pages less: at least as well as chance would. */
static void hot_pages_are_kept(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct trace t = trace_of(seed, RANDOM_ZIPF);
        uint64_t n = majors(&t, "mglru", 600), lru = majors(&t, "lru", 600),
                 random = majors(&t, "random", 560);
        if (n > random || n > lru + lru / 2)
            fail_msg("seed %llu: %llu majors, lru %llu, random %llu", (unsigned long long)seed,
                     (unsigned long long)n, (unsigned long long)lru, (unsigned long long)random);
        trace_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_trace_gives_same_counts),
        cmocka_unit_test(never_more_resident_than_the_limit),
        cmocka_unit_test(more_memory_is_hardly_ever_worse),
        cmocka_unit_test(hot_pages_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
