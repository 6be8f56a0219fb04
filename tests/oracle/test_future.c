/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When contents are referenced next, against a list of all references that is searched from each of
   them on. FAULTLINE_SEED=N: that seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "future.h"
#include "random_trace.h"
#include "vm.h"

#define LEVELS 4u
#define ITEMS 3000u
#define TAKEN 700u /* at once, at most */

struct mention {
    uint32_t contents; /* NO_CONTENTS: a run that refers to none */
    bool gone;
};

struct twin {
    struct mention *at;
    size_t n, room;
};

static void mention(struct twin *t, uint32_t contents, bool gone)
{
    if (t->n == t->room)
        assert_non_null(t->at = realloc(t->at, (t->room += 4096) * sizeof *t->at));
    t->at[t->n++] = (struct mention){ contents, gone };
}

static void on_gone(void *arg, uint32_t contents)
{
    mention(arg, contents, true);
}

static void list_mentions(struct fl_reader *r, struct twin *t)
{
    struct vm_hooks hooks = { .arg = t, .contents_gone = on_gone };
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    struct fl_err err;
    struct vm vm;
    vm_init(&vm, r, LEVELS, &hooks);
    while (fl_reader_next(r, &item, &err) == FL_OK && item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT) {
            assert_int_equal(vm_event(&vm, &item.event, &err), FL_OK);
            continue;
        }
        const struct fl_runs *runs = &item.runs;
        assert_int_equal(vm_new_pages(&vm, &err), FL_OK);
        for (size_t i = 0; i < runs->n; i++) {
            uint8_t info, need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
            uint32_t c;
            assert_int_equal(vm_run(&vm, runs->page[i], need, runs->actor, &c, &info, &err), FL_OK);
            mention(t, c, false);
        }
    }
    assert_int_equal(item.kind, FL_ITEM_END);
    size_t n = t->n;
    vm_fini(&vm);
    t->n = n; /* what goes with the model itself is no part of the trace */
}

/* Of mention @i, which is reference @ref. */
static uint64_t next_of(const struct twin *t, size_t i, uint64_t ref)
{
    uint64_t at = ref;
    if (t->at[i].contents == NO_CONTENTS)
        return 0;
    for (size_t k = i + 1; k < t->n; k++) {
        at += !t->at[k].gone;
        if (t->at[k].contents == t->at[i].contents)
            return t->at[k].gone ? FL_NEVER_USED - ref : at;
    }
    return FL_NEVER_USED - ref;
}

static void compare(struct fl_reader *r, const struct twin *t, uint32_t far, uint64_t seed,
                    uint64_t *rng)
{
    struct future *f;
    struct fl_err err;
    uint64_t got[TAKEN], ref = 0;
    size_t have = 0, used = 0, refs = 0;
    for (size_t i = 0; i < t->n; i++)
        refs += !t->at[i].gone;
    assert_int_equal(future_build_far(r, LEVELS, 0, far, &f, &err), FL_OK);
    for (size_t i = 0; i < t->n; i++) {
        if (t->at[i].gone)
            continue;
        if (used == have) {
            have = 1 + (size_t)random_below(rng, TAKEN);
            have = have < refs - ref ? have : (size_t)(refs - ref);
            used = 0;
            assert_int_equal(future_take(f, got, have, &err), FL_OK);
        }
        if (got[used] != next_of(t, i, ref))
            fail_msg("seed %ju, far from %u on: reference %ju is next at %ju, not %ju",
                     (uintmax_t)seed, far, (uintmax_t)ref, (uintmax_t)got[used],
                     (uintmax_t)next_of(t, i, ref));
        used++;
        ref++;
    }
    assert_int_equal(future_take(f, got, 1, &err), FL_EINTERNAL);
    future_free(f);
}

static void next_uses_are_where_a_search_finds_them(void **state)
{
    const char *only = getenv("FAULTLINE_SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    (void)state;
    for (uint64_t seed = first; seed <= (only ? first : 12); seed++) {
        struct item_list list = { 0 };
        struct fl_reader *r;
        struct fl_err err;
        struct twin t = { 0 };
        uint64_t rng = seed;
        size_t len;
        void *bytes;
        if (seed % 3)
            random_processes(seed, ITEMS, &list);
        else
            random_pages(seed, (enum random_pattern)(seed % RANDOM_PATTERNS), ITEMS, 200, &list);
        assert_int_equal(item_list_trace(&list, &bytes, &len, &err), FL_OK);
        assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
        list_mentions(r, &t);
        compare(r, &t, FUTURE_FAR, seed, &rng);
        compare(r, &t, 1 + (uint32_t)random_below(&rng, 40), seed, &rng);
        fl_reader_free(r);
        item_list_free(&list);
        free(t.at);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(next_uses_are_where_a_search_finds_them) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
