/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All sizes of opt at once against a memory of each size that looks for its victim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "idle_lanes.h"
#include "opt_curve.h"

#define CONTENTS 300u
#define STEPS 150000u /* so that slots are renumbered */
#define GONE UINT32_MAX

static uint32_t rng;

static uint32_t random_below(uint32_t n)
{
    rng = rng * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)rng * n >> 32);
}

/* A step: a reference to contents, or with GONE as its info, their end. */
static uint32_t contents[STEPS], info[STEPS];
static uint64_t next_use[STEPS];
static uint8_t kind[CONTENTS];

static void make_steps(void)
{
    static uint64_t next[CONTENTS];
    uint32_t base = 0, width = CONTENTS;
    for (uint32_t i = 0; i < STEPS; i++) {
        if (random_below(500) == 0) {
            base = random_below(CONTENTS);
            width = 1 + random_below(CONTENTS);
        }
        contents[i] = (base + random_below(width)) % CONTENTS;
        info[i] = random_below(40) == 0 ? GONE : random_below(3) ? 0 : REF_WRITE;
        if (info[i] != GONE && random_below(100) == 0)
            info[i] |= 1u << REF_CAUSE_SHIFT;
    }
    for (uint32_t c = 0; c < CONTENTS; c++)
        kind[c] = c % 3 ? CONTENTS_ANON : CONTENTS_FILE;
    for (uint32_t c = 0; c < CONTENTS; c++)
        next[c] = UINT64_MAX;
    for (uint32_t i = STEPS; i-- > 0;) {
        /* never: farther than all, and the farther, the earlier the last reference is */
        next_use[i] = next[contents[i]] == UINT64_MAX ? UINT64_MAX - i : next[contents[i]];
        next[contents[i]] = info[i] == GONE ? UINT64_MAX : i;
    }
}

static struct curve_point simulate(uint32_t frames)
{
    enum { NEW, IN, OUT } where[CONTENTS] = { 0 };
    static uint64_t key[CONTENTS];
    bool dirty[CONTENTS] = { false };
    struct curve_point p = { 0 };
    uint32_t used = 0;
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t c = contents[i];
        bool file = kind[c] == CONTENTS_FILE, fault = info[i] >> REF_CAUSE_SHIFT;
        if (info[i] == GONE) {
            used -= where[c] == IN;
            where[c] = NEW;
            dirty[c] = false;
            continue;
        }
        if (where[c] == OUT) {
            p.major++;
            *(file ? &p.file_read : &p.swap_in) += 1;
        } else if (where[c] == NEW || fault) {
            p.minor++;
        }
        if (where[c] != IN && used++ == frames) {
            uint32_t victim = CONTENTS;
            for (uint32_t v = 0; v < CONTENTS; v++)
                if (where[v] == IN && (victim == CONTENTS || key[v] > key[victim]))
                    victim = v;
            where[victim] = OUT;
            *(kind[victim] == CONTENTS_FILE ? &p.file_written : &p.swap_out) += dirty[victim];
            dirty[victim] = false;
            used--;
        }
        where[c] = IN;
        key[c] = next_use[i];
        dirty[c] |= info[i] & REF_WRITE;
    }
    return p;
}

static void tell(struct opt_curve *curve, bool first_time)
{
    uint32_t some[700], n = 0;
    uint8_t some_info[700];
    for (uint32_t i = 0; i <= STEPS; i++) {
        bool end = i == STEPS || info[i] == GONE || n == 700;
        if (end && first_time)
            assert_int_equal(opt_curve_look(curve, some, n, NULL), FL_OK);
        if (end && !first_time) {
            const struct curve_refs refs = { n, some, some_info, kind };
            assert_int_equal(opt_curve_refs(curve, &refs, NULL), FL_OK);
        }
        n = end ? 0 : n;
        if (i < STEPS && info[i] == GONE) {
            (first_time ? opt_curve_look_gone : opt_curve_gone)(curve, contents[i]);
        } else if (i < STEPS) {
            some[n] = contents[i];
            some_info[n++] = (uint8_t)info[i];
        }
    }
}

static void compare(const uint32_t *frames, uint32_t n)
{
    struct opt_curve *curve;
    assert_int_equal(opt_curve_new(&curve, frames, n, NULL), FL_OK);
    tell(curve, true);
    tell(curve, false);
    assert_int_equal(opt_curve_end(curve, NULL), FL_OK);
    assert_int_equal(opt_curve_most(curve), frames[n - 1]);
    for (uint32_t i = 0; i < n; i++) {
        struct curve_point want = simulate(frames[i]), got = opt_curve_at(curve, frames[i]);
        assert_int_equal(got.minor, want.minor);
        assert_int_equal(got.major, want.major);
        assert_int_equal(got.swap_in, want.swap_in);
        assert_int_equal(got.file_read, want.file_read);
        assert_int_equal(got.swap_out, want.swap_out);
        assert_int_equal(got.file_written, want.file_written);
    }
    opt_curve_free(curve);
}

static void every_size_is_that_memory(void **state)
{
    uint32_t few[] = { 1, 2, 3, 7, 40, 41, 100, 200, 299, 300, 301, UINT32_MAX }, many[90];
    (void)state;
    rng = 5;
    make_steps();
    compare(few, sizeof few / sizeof *few);
    compare(few + 4, 1);
    for (uint32_t i = 0; i < 90; i++)
        many[i] = 10 + 3 * i;
    make_steps();
    compare(many, 90);
}

/* ---- lanes ------------------------------------------------------------------------------------ */

#define SLOTS 3000u

static void lanes_are_taken_as_from_an_array(void **state)
{
    struct idle_lanes l;
    static uint8_t at[SLOTS];
    (void)state;
    rng = 6;
    assert_true(idle_lanes_init(&l, SLOTS));
    memset(at, NO_LANE, sizeof at);
    for (int i = 0; i < 20000; i++) {
        uint32_t slot = random_below(SLOTS);
        if (random_below(2)) {
            at[slot] = (uint8_t)random_below(1 + random_below(256));
            idle_lanes_set(&l, slot, at[slot]);
            continue;
        }
        uint8_t carried = NO_LANE;
        for (uint32_t k = slot + 1; k-- > 0;)
            if (at[k] < carried) {
                uint8_t found = at[k];
                at[k] = carried;
                carried = found;
            }
        assert_int_equal(idle_lanes_take(&l, slot), carried);
        if (i % 100 == 0)
            for (uint32_t k = 0; k < SLOTS; k++)
                assert_int_equal(idle_lanes_at(&l, k), at[k]);
    }
    idle_lanes_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_that_memory),
        cmocka_unit_test(lanes_are_taken_as_from_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
