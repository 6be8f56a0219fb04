/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The search over curves drawn here, sizes, what a validation says, and the words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "advise.h"

/* ---- the search ------------------------------------------------------------------------- */

/* Is a size good? By a curve of 1 .. 256, 'g' and 'b'. */
struct scene {
    char curve[ADVISE_SIZES_MAX + 2];
    struct advise_search search;
    unsigned rounds, told;
};

static void from_to(struct scene *s, uint32_t from, uint32_t to, char what)
{
    for (uint32_t i = from; i <= to; i++)
        s->curve[i] = what;
}

static void scene(struct scene *s, uint32_t top, uint32_t guess)
{
    *s = (struct scene){ .search = { .top = top,
                                     .guess = guess,
                                     .tolerance = 1,
                                     .probes_max = 1000,
                                     .look_above = true } };
    from_to(s, 1, top, 'g');
}

static struct advise_answer find(struct scene *s)
{
    uint32_t size[2];
    size_t n;
    while ((n = advise_search_next(&s->search, size)) > 0) {
        s->rounds++;
        assert_true(n == 1 || size[0] != size[1]);
        for (size_t i = 0; i < n; i++, s->told++) {
            assert_in_range(size[i], 1, s->search.top - 1);
            assert_int_equal(s->search.seen[size[i]], 0); /* nothing is asked twice */
            advise_search_told(&s->search, size[i], s->curve[size[i]] == 'g');
        }
    }
    return advise_search_answer(&s->search);
}

/* The law: the answer is good, and the size below it is not unless it is the smallest. */
static struct advise_answer lawful(struct scene *s)
{
    struct advise_answer a = find(s);
    assert_true(a.found && a.exact);
    assert_int_equal(s->curve[a.size], 'g');
    if (a.size > 1)
        assert_int_equal(s->curve[a.size - 1], 'b');
    return a;
}

static void a_step_is_found_wherever_it_is_and_whatever_the_guess(void **state)
{
    (void)state;
    static const uint32_t tops[] = { 1, 2, 3, 5, 17, 100, 256 };
    for (size_t t = 0; t < sizeof tops / sizeof *tops; t++)
        for (uint32_t first = 1; first <= tops[t]; first++)
            for (uint32_t guess = 0; guess <= tops[t] + 9; guess += 1 + tops[t] / 19) {
                struct scene s;
                scene(&s, tops[t], guess);
                from_to(&s, 1, first - 1, 'b');
                struct advise_answer a = lawful(&s);
                assert_int_equal(a.size, first);
                assert_false(a.non_monotone);
                assert_in_range(s.told, 0, 20);
            }
}

static void a_good_guess_saves_questions(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 256, 120);
    from_to(&s, 1, 117, 'b');
    assert_int_equal(lawful(&s).size, 118);
    assert_in_range(s.told, 1, 10); /* three of them above the answer */
}

static void downwards_it_goes_in_strides_not_leaps(void **state)
{
    (void)state;
    struct scene s;
    uint32_t size[2], low = 256;
    scene(&s, 256, 0);
    from_to(&s, 1, 199, 'b');
    for (size_t n; (n = advise_search_next(&s.search, size)) > 0;)
        for (size_t i = 0; i < n; i++) {
            low = size[i] < low ? size[i] : low;
            advise_search_told(&s.search, size[i], s.curve[size[i]] == 'g');
        }
    assert_int_equal(advise_search_answer(&s.search).size, 200);
    assert_true(low >= 128); /* a size far too small would take long */
}

/* good  |      ****      *****
 * bad   | *****    ******         sizes 1 .. 256, a hole at 110 .. 125 */
static void a_hole_above_the_answer_moves_it_up(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 256, 100);
    from_to(&s, 1, 99, 'b');
    from_to(&s, 103, 125, 'b'); /* 5, 10 and 25 % above 100 are 105, 110 and 125 */
    struct advise_answer a = lawful(&s);
    assert_int_equal(a.size, 126);
}

static void a_smaller_size_that_was_good_is_said(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 256, 0);
    advise_search_told(&s.search, 90, true);
    from_to(&s, 1, 120, 'b');
    s.curve[90] = 'g';
    struct advise_answer a = lawful(&s);
    assert_int_equal(a.size, 121);
    assert_true(a.non_monotone);
}

static void on_any_curve_the_answer_is_lawful(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252; /* xorshift64 */
    for (int round = 0; round < 3000; round++) {
        struct scene s;
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint32_t top = 1 + (uint32_t)(seed % 256), first = (uint32_t)(seed >> 9) % (top + 1);
        scene(&s, top, (uint32_t)(seed >> 20) % 300);
        from_to(&s, 1, first, 'b');
        for (uint32_t i = 1; i < top; i++) { /* one in eight is the other way */
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            if (seed % 8 == 0)
                s.curve[i] = s.curve[i] == 'g' ? 'b' : 'g';
        }
        s.curve[top] = 'g';
        lawful(&s);
    }
}

static void nothing_good_is_not_found(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 40, 20);
    from_to(&s, 1, 40, 'b');
    advise_search_told(&s.search, 40, false); /* the top is taken for good unless told */
    assert_false(find(&s).found);
}

static void everything_good_is_the_smallest_size(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 256, 30);
    assert_int_equal(lawful(&s).size, 1);
}

static void when_questions_run_out_the_answer_is_still_good(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 256, 30);
    from_to(&s, 1, 150, 'b');
    s.search.probes_max = 4;
    struct advise_answer a = find(&s);
    assert_true(a.found && !a.exact);
    assert_int_equal(s.curve[a.size], 'g');
    assert_in_range(s.told, 1, 5);
}

static void a_tolerance_ends_it_sooner(void **state)
{
    (void)state;
    struct scene s;
    scene(&s, 256, 100);
    from_to(&s, 1, 96, 'b');
    s.search.tolerance = 8;
    s.search.look_above = false;
    struct advise_answer a = find(&s);
    assert_in_range(a.size, 97, 105);
    assert_in_range(s.told, 1, 4);
}

/* ---- sizes ------------------------------------------------------------------------------ */

static void steps_and_roundings(void **state)
{
    (void)state;
    assert_int_equal(advise_step_pages(0), 1);
    assert_int_equal(advise_step_pages(200), 1);
    assert_int_equal(advise_step_pages(300), 2);
    assert_int_equal(advise_step_pages(2900), 16); /* 11 MiB: 64 KiB */
    assert_int_equal(advise_step_pages(25600), 128);
    assert_int_equal(advise_round_pages(17), 17);
    assert_int_equal(advise_round_pages(1601), 1616);
    assert_int_equal(advise_round_pages(16385), 16640); /* 64 MiB and a page: 65 MiB */
    assert_int_equal(advise_round_pages(UINT64_MAX - 3), UINT64_MAX - 3);
    assert_int_equal(advise_with_margin(100, 1000), 110);
    assert_int_equal(advise_with_margin(101, 1000), 112);
    assert_int_equal(advise_with_margin(UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(advise_slowdown_bp(110, 100), 11000);
    assert_int_equal(advise_slowdown_bp(1000001, 1000000), 10001); /* up: no budget by rounding */
    assert_int_equal(advise_slowdown_bp(5, 0), 10000);
    assert_int_equal(advise_slowdown_bp(UINT64_MAX, 1), UINT64_MAX);
}

/* ---- what a validation says ---------------------------------------------------------------- */

static json_t *limit(uint64_t ram, const char *kills, const char *error)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"ram_bytes\":%llu,\"kernel\":{\"oom\":%s},\"spread\":{},\"policies\":{\"linux\":"
             "{\"minor\":1,\"major\":1,\"swap_in\":1,\"swap_out\":1,\"oom\":0,\"error_pct\":"
             "{\"minor\":0,\"major\":%s,\"swap_in\":0,\"swap_out\":0}}}}",
             (unsigned long long)ram, kills, error);
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    return v;
}

static struct advise_measured measured(const char *swap, json_t *points, const char *policy)
{
    struct advise_measured m;
    json_t *doc = json_pack("{s:s,s:s,s:s,s:i,s:{s:s},s:o,s:{s:i}}", "schema",
                            "faultline.validate/1", "command", "sort", "policy", "linux", "runs", 2,
                            "swap", "kind", swap, "points", points, "native", "cpu_ns", 97);
    assert_int_equal(fl_document_check(doc, "V", NULL), FL_OK);
    advise_measured_of(doc, policy, fl_costs_default(), &m);
    json_decref(doc);
    return m;
}

static void a_validation_gives_its_median_error_and_its_kills(void **state)
{
    (void)state;
    json_t *points = json_array();
    json_array_append_new(points, limit(1000, "[1,1]", "null"));
    json_array_append_new(points, limit(4000, "[0,0]", "-3.5"));
    json_array_append_new(points, limit(2000, "[0,1]", "20"));
    json_array_append_new(points, limit(3000, "[0,0]", "0.5"));
    struct advise_measured m = measured("zram", points, "linux");
    assert_true(m.given && m.with_swap);
    assert_int_equal(m.limits, 4);
    assert_int_equal(m.n_errors, 3);
    assert_int_equal(m.error_bp, 350); /* of 0.5, 3.5 and 20 % */
    assert_int_equal(m.killed_bytes, 2000);
    assert_int_equal(m.survived_bytes, 3000);
    assert_int_equal(m.native_ns, 97);
}

static void a_validation_of_other_policies_has_no_error_but_its_kills(void **state)
{
    (void)state;
    json_t *points = json_array();
    json_array_append_new(points, limit(7000, "[1]", "1e300"));
    struct advise_measured m = measured("none", json_incref(points), "lru");
    assert_int_equal(m.n_errors, 0);
    assert_int_equal(m.killed_bytes, 7000);
    assert_int_equal(m.survived_bytes, 0);
    assert_false(m.with_swap);
    assert_int_equal(measured("none", points, "linux").error_bp, 1000000); /* as far as it goes */
}

/* 1000 pages in and 2000 out took 0.05 s; the median of the limits that swapped and killed nobody. */
static void what_swapping_took_is_told_by_the_processor_time(void **state)
{
    (void)state;
    const struct fl_costs *costs = fl_costs_default();
    struct advise_measured m;
    static const char text[] =
        "{\"swap\":{\"kind\":\"%s\"},\"native\":{\"cpu_ns\":100000000},\"points\":["
        "{\"ram_bytes\":3,\"kernel\":{\"oom\":[0,0,0],\"cpu_ns\":[900000000,150000000,1]},"
        "\"spread\":{\"swap_in\":{\"median\":1000},\"swap_out\":{\"median\":2000}}},"
        "{\"ram_bytes\":2,\"kernel\":{\"oom\":[1],\"cpu_ns\":[999000000]},"
        "\"spread\":{\"swap_in\":{\"median\":1000},\"swap_out\":{\"median\":2000}}},"
        "{\"ram_bytes\":4,\"kernel\":{\"oom\":[0],\"cpu_ns\":[999000000]},"
        "\"spread\":{\"swap_in\":{\"median\":9},\"swap_out\":{\"median\":9}}}]}";
    uint64_t by_costs_ns = fl_cost_of_ns(costs, FL_COST_SWAP_IN_SYNC, 1000) +
                           fl_cost_of_ns(costs, FL_COST_SWAP_OUT_SYNC, 2000);
    for (int zram = 0; zram < 2; zram++) {
        char full[1024];
        snprintf(full, sizeof full, text, zram ? "zram" : "file");
        json_t *doc = json_loads(full, 0, NULL);
        assert_non_null(doc);
        advise_measured_of(doc, "linux", costs, &m);
        assert_int_equal(m.swap_cost_bp, zram ? UINT64_C(500000000000) / by_costs_ns : 0);
        json_decref(doc);
    }
}

/* ---- the words -------------------------------------------------------------------------------- */

static char *written(const struct advise *a,
                     void write(const struct advise *a, const char *name, FILE *out))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    write(a, "x.flt", out);
    fclose(out);
    return text;
}

static struct advise example(void)
{
    struct advise a = { .path = "/tmp/x.flt",
                        .slowdown_bp = 1000,
                        .margin_bp = 1000,
                        .peak_pages = 2900,
                        .max_pages = 3200,
                        .no_swap_pages = 3100 };
    a.rows[ADVISE_ADVISED] =
        (struct advise_option){ .found = true, .at = { .ram_pages = 1600 }, .swap_pages = 800 };
    a.rows[ADVISE_NO_SWAP] = (struct advise_option){ .found = true, .at = { .ram_pages = 2800 } };
    advise_verdict(&a);
    return a;
}

static void each_number_goes_where_the_manual_says(void **state)
{
    (void)state;
    struct advise a = example();
    char *systemd = written(&a, advise_systemd), *kube = written(&a, advise_kubernetes),
         *docker = written(&a, advise_docker);
    assert_non_null(strstr(
        systemd, "[Service]\nMemoryHigh=6553600\nMemoryMax=13107200\nMemorySwapMax=3276800\n"));
    assert_non_null(strstr(kube, "  requests:\n    memory: 13Mi\n  limits:\n    memory: 13Mi\n"));
    assert_non_null(strstr(kube, "request 7Mi and limit 8Mi"));
    assert_non_null(strstr(docker, "docker run --memory=6553600 --memory-swap=9830400 IMAGE\n"));
    free(systemd);
    free(kube);
    free(docker);
}

static void the_verdict_is_one_sentence(void **state)
{
    (void)state;
    struct advise a = example();
    assert_string_equal(a.verdict, "x.flt runs within 10 % of full speed (estimated) in 6.3 MiB of "
                                   "RAM with 3.1 MiB of swap; its peak is 11.3 MiB.");
    a.path = "a\nb";
    a.rows[ADVISE_ADVISED].at.ram_pages = 3200;
    advise_verdict(&a);
    assert_null(strchr(a.verdict, '\n')); /* a name cannot leave a comment */
    assert_non_null(strstr(a.verdict, "needs nearly its peak to run within 10 %"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_found_wherever_it_is_and_whatever_the_guess),
        cmocka_unit_test(a_good_guess_saves_questions),
        cmocka_unit_test(downwards_it_goes_in_strides_not_leaps),
        cmocka_unit_test(a_hole_above_the_answer_moves_it_up),
        cmocka_unit_test(a_smaller_size_that_was_good_is_said),
        cmocka_unit_test(on_any_curve_the_answer_is_lawful),
        cmocka_unit_test(nothing_good_is_not_found),
        cmocka_unit_test(everything_good_is_the_smallest_size),
        cmocka_unit_test(when_questions_run_out_the_answer_is_still_good),
        cmocka_unit_test(a_tolerance_ends_it_sooner),
        cmocka_unit_test(steps_and_roundings),
        cmocka_unit_test(a_validation_gives_its_median_error_and_its_kills),
        cmocka_unit_test(a_validation_of_other_policies_has_no_error_but_its_kills),
        cmocka_unit_test(what_swapping_took_is_told_by_the_processor_time),
        cmocka_unit_test(each_number_goes_where_the_manual_says),
        cmocka_unit_test(the_verdict_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
