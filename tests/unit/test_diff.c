/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing two documents: who is named, and what a curve's change is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "diff_fix.h"

#define MAPPINGS_A                                                                            \
    ",'by_process':[{'pid':10,'comm':'worker','minor':90,'major':1000},"                      \
    "{'pid':11,'comm':'other','minor':10,'major':24}],"                                       \
    "'by_mapping':[{'mapping':'anonymous (build_table)','pages':64,'minor':64,'major':1000}," \
    "{'mapping':'[heap]','pages':36,'minor':36,'major':24}]"
#define MAPPINGS_B                                                                \
    ",'by_process':[{'pid':21,'comm':'worker','minor':282,'major':4000},"         \
    "{'pid':22,'comm':'other','minor':10,'major':96}],"                           \
    "'by_mapping':[{'mapping':'anonymous (build_table.constprop.0)','pages':256," \
    "'minor':256,'major':4000},{'mapping':'[heap]','pages':36,'minor':36,'major':96}]"

/* 1024 to 4096 major faults: 4.0 times. Of the 3072 that move 3000 are the table's, 97.66 %; the
   heap is as large as before, so its 72 are for the table that grew. */
static void the_verdict_says_how_much_where_and_who(void **state)
{
    (void)state;
    struct pair p = compare(replay(64, 100, 1024, MAPPINGS_A), replay(64, 292, 4096, MAPPINGS_B));
    assert_string_equal(p.verdict,
                        "B takes 4.0 times the major faults of A at 64.0 MiB (4,096, A 1,024); "
                        "anonymous (build_table.constprop.0) of worker, which grew from 256 KiB to "
                        "1.0 MiB, is responsible for 100 % of the change.");
    const struct diff_ranking *by = &p.d->results[0].by[DIFF_BY_MAPPING];
    assert_int_equal(by->count, DIFF_MAJOR);
    assert_int_equal(by->n, 2);
    assert_int_equal(by->rows[0].how, DIFF_ALIKE);
    assert_int_equal(by->rows[0].taken_bp, 9766);
    assert_int_equal(by->rows[1].taken_bp, 234);
    assert_int_equal(by->rows[0].share_bp, 10000);
    assert_int_equal(by->rows[1].share_bp, 0);
    assert_int_equal(by->rows[0].n[DIFF_PAGES][DIFF_A], 64);
    assert_int_equal(by->rows[0].n[DIFF_PAGES][DIFF_B], 256);
    assert_int_equal(by->rest.share_bp, 0);
    done(&p);
}

#define TWO                                                                          \
    ",'by_mapping':[{'mapping':'anonymous (hot)','pages':%d,'minor':%d,'major':%d}," \
    "{'mapping':'anonymous (stream)','pages':%d,'minor':%d,'major':0}]"

static struct pair two_mappings(const int a[3], const int b[3])
{
    char more[DIFF_SIDES][512];
    snprintf(more[0], sizeof more[0], TWO, a[0], a[0], a[1], a[2], a[2]);
    snprintf(more[1], sizeof more[1], TWO, b[0], b[0], b[1], b[2], b[2]);
    return compare(replay(64, a[0] + a[2], a[1], more[0]), replay(64, b[0] + b[2], b[1], more[1]));
}

/* The one that grew is never touched again: it evicts the other, whose faults they are. */
static void who_grew_is_to_blame_for_whom_it_squeezed_out(void **state)
{
    (void)state;
    struct pair p = two_mappings((const int[]){ 100, 10, 100 }, (const int[]){ 100, 510, 400 });
    assert_string_equal(
        p.verdict, "B takes 51.0 times the major faults of A at 64.0 MiB (510, A 10); "
                   "anonymous (stream), which grew from 400 KiB to 1.6 MiB, is responsible for "
                   "100 % of the change; 100 % are faults of anonymous (hot), which is as "
                   "large as before.");
    done(&p);
    /* And the other way round. */
    p = two_mappings((const int[]){ 100, 510, 400 }, (const int[]){ 100, 10, 100 });
    assert_non_null(strstr(p.verdict, "anonymous (stream), which shrank"));
    done(&p);
}

/* Nothing grew, or hardly (1 page of 200): more faults come of touching it more. */
static void without_growth_a_mapping_answers_for_its_own_faults(void **state)
{
    (void)state;
    struct pair p = two_mappings((const int[]){ 100, 10, 100 }, (const int[]){ 100, 510, 100 });
    assert_non_null(strstr(p.verdict, "; anonymous (hot) is responsible for 100 %"));
    done(&p);
    p = two_mappings((const int[]){ 100, 10, 100 }, (const int[]){ 100, 510, 102 });
    assert_non_null(strstr(p.verdict, "; anonymous (hot) is responsible for 100 %"));
    done(&p);
    /* What shrank evicts nobody. */
    p = two_mappings((const int[]){ 100, 10, 100 }, (const int[]){ 100, 510, 50 });
    assert_non_null(strstr(p.verdict, "; anonymous (hot) is responsible for 100 %"));
    done(&p);
}

static void a_process_is_named_beside_a_mapping_only_if_it_must_be_its(void **state)
{
    (void)state;
    /* Half of the change is one process's, half another's: the mapping may be of either. */
    struct pair p = compare(replay(64, 9, 0, ",'by_process':[],'by_mapping':[]"),
                            replay(64, 9, 100,
                                   ",'by_process':[{'pid':1,'comm':'one','minor':0,'major':50},"
                                   "{'pid':2,'comm':'two','minor':0,'major':50}],"
                                   "'by_mapping':[{'mapping':'[heap]','minor':0,'major':100}]"));
    assert_string_equal(p.verdict, "B takes 100 major faults, A none, at 64.0 MiB; [heap], which A "
                                   "does not have, is responsible for 100 % of the change.");
    done(&p);
}

static void a_function_is_named_where_the_mapping_does_not_say_it(void **state)
{
    (void)state;
    static const char form[] = ",'by_mapping':[{'mapping':'[heap]','minor':%d,'major':0}],"
                               "'by_function':[{'function':'grow','minor':%d,'major':0}]";
    char a[256], b[256];
    snprintf(a, sizeof a, form, 100, 100);
    snprintf(b, sizeof b, form, 150, 150);
    struct pair p = compare(replay(64, 100, 0, a), replay(64, 150, 0, b));
    assert_string_equal(p.verdict,
                        "B takes 50 % more minor faults than A at 64.0 MiB (150, A 100); "
                        "[heap], in grow, is responsible for 100 % of the change.");
    done(&p);
}

static void what_no_list_has_is_named_by_none(void **state)
{
    (void)state;
    /* 10 of 100 more are the heap's; 90 are in no mapping. */
    struct pair p =
        compare(replay(64, 100, 0, ",'by_mapping':[{'mapping':'[heap]','minor':100,'major':0}]"),
                replay(64, 200, 0, ",'by_mapping':[{'mapping':'[heap]','minor':110,'major':0}]"));
    assert_string_equal(p.verdict,
                        "B takes 2.0 times the minor faults of A at 64.0 MiB (200, A 100).");
    assert_int_equal(p.d->results[0].by[DIFF_BY_MAPPING].rest.share_bp, 9000);
    done(&p);
}

static void a_guess_is_told(void **state)
{
    (void)state;
    struct pair p =
        compare(replay(64, 100, 0,
                       ",'by_mapping':[{'mapping':'anonymous, 64.0 MiB','minor':100,'major':0}]"),
                replay(64, 400, 0,
                       ",'by_mapping':[{'mapping':'anonymous, 256.0 MiB','minor':400,'major':0}]"));
    assert_int_equal(p.d->results[0].by[DIFF_BY_MAPPING].rows[0].how, DIFF_GUESS);
    assert_int_equal(p.d->n_notes, 1);
    assert_non_null(strstr(p.d->notes[0], "a guess"));
    assert_non_null(strstr(
        p.verdict, "anonymous, 256.0 MiB (as we guess, anonymous, 64.0 MiB of A) is responsible"));
    done(&p);
}

/* Few major faults beside very many minor ones are not the story; a tenth of them is. */
static void a_major_fault_weighs_ten_minor_ones(void **state)
{
    (void)state;
    struct pair p = compare(replay(64, 1000, 10, ""), replay(64, 1039, 14, ""));
    assert_non_null(strstr(p.verdict, "major faults"));
    done(&p);
    p = compare(replay(64, 1000, 10, ""), replay(64, 1041, 14, ""));
    assert_non_null(strstr(p.verdict, "minor faults"));
    done(&p);
}

static void different_questions_are_refused_unless_forced(void **state)
{
    (void)state;
    refused(replay(64, 1, 1, ""), replay(128, 1, 1, ""),
            "RAM 64.0 MiB (67108864) and 128 MiB (134217728); make both with the same --ram");
    json_t *a = replay(64, 1, 1, ""), *b = replay(128, 1, 2, "");
    struct diff *d = NULL;
    assert_int_equal(diff_new(a, b, true, &d, NULL), FL_OK);
    assert_non_null(strstr(d->notes[0], "different questions"));
    char *verdict = diff_verdict(d);
    assert_non_null(strstr(verdict, "(A at 64.0 MiB, B at 128 MiB)"));
    free(verdict);
    diff_free(d);
    json_decref(a);
    json_decref(b);
    refused(replay(64, 1, 1, ""), sweep("lru", (const int[]){ 1 }, 1, 1), "nothing of a kind");
    refused(fl_report_new(), fl_report_new(), "A has nothing, B nothing");
}

static void sweeps_without_a_common_size_or_policy_say_how_to_get_one(void **state)
{
    (void)state;
    const int major[] = { 3, 2, 1 };
    refused(sweep("lru", major, 3, 1), sweep("lru", major, 3, 4), "--ram 1048576..6291456/16");
    refused(sweep("lru", major, 3, 1), sweep("fifo", major, 3, 1),
            "A has lru with no limit of swap, B fifo");
}

/* MiB  1     2    3    4   5   6
 * A  1000   500  100   50   0   0
 * B  1000   504  400   50  40   0      2: 4 of 504 is under 1 %; 3 and 5 are clear */
static void curves_are_compared_at_every_common_size(void **state)
{
    (void)state;
    struct pair p = compare(sweep("lru", (const int[]){ 1000, 500, 100, 50, 0, 0, 0 }, 7, 1),
                            sweep("lru", (const int[]){ 1000, 504, 400, 50, 40, 0 }, 6, 1));
    const struct diff_curve *c = &p.d->curves[0];
    assert_int_equal(c->n, 6);
    assert_int_equal(c->only[DIFF_A], 1);
    assert_int_equal(c->only[DIFF_B], 0);
    assert_int_equal(c->n_differing, 3);
    assert_int_equal(c->points[c->most].ram_bytes, 3 * MIB);
    assert_int_equal(c->n_ranges, 2);
    assert_int_equal(c->ranges[0].from_ram_bytes, 3 * MIB);
    assert_int_equal(c->ranges[0].to_ram_bytes, 3 * MIB);
    assert_int_equal(c->ranges[1].from_ram_bytes, 5 * MIB);
    assert_int_equal(c->found[DIFF_A].vanish_ram_bytes, 5 * MIB);
    assert_int_equal(c->found[DIFF_B].vanish_ram_bytes, 6 * MIB);
    assert_string_equal(p.verdict,
                        "Under lru B takes 4.0 times the major faults of A at 3.0 MiB, where the "
                        "curves differ most (400, A 100); they differ by more than 1 % at 2 of 6 "
                        "sizes, 3.0 MiB to 5.0 MiB.");
    done(&p);
}

static void a_killed_process_parts_curves_without_a_count(void **state)
{
    (void)state;
    struct pair p = compare(sweep("lru", (const int[]){ -1, 20, 5 }, 3, 1),
                            sweep("lru", (const int[]){ -1, -1, 5 }, 3, 1));
    const struct diff_curve *c = &p.d->curves[0];
    assert_int_equal(c->n_differing, 1);
    assert_int_equal(c->points[c->most].ram_bytes, 2 * MIB);
    assert_string_equal(p.verdict, "Under lru a process of B is killed at 2.0 MiB, none of A; "
                                   "elsewhere they differ by at most 1 %.");
    done(&p);
}

/* Real runs: what both sides have had in some run is no change. */
static void measured_counts_within_the_runs_spread_are_the_same(void **state)
{
    (void)state;
    static const char form[] =
        "{'schema':'faultline.validate/1','command':'x','policy':'linux','runs':3,'points':["
        "{'ram_bytes':1048576,'kernel':{'minor':[5,5,5],'major':[%d,%d,%d],'oom':[0,0,0]},"
        "'spread':{'minor':{'min':5,'median':5,'max':5},"
        "'major':{'min':%d,'median':%d,'max':%d}},'policies':{}}]}";
    char a[1024], b[1024], far[1024];
    snprintf(a, sizeof a, form, 90, 100, 110, 90, 100, 110);
    snprintf(b, sizeof b, form, 108, 120, 130, 108, 120, 130);
    snprintf(far, sizeof far, form, 111, 120, 130, 111, 120, 130);
    struct pair p = compare(report_of(parse(a)), report_of(parse(b)));
    assert_int_equal(p.d->n_curves, 1);
    assert_int_equal(p.d->curves[0].n_differing, 0);
    assert_false(p.d->changed);
    done(&p);
    p = compare(report_of(parse(a)), report_of(parse(far)));
    assert_int_equal(p.d->curves[0].n_differing, 1);
    assert_non_null(strstr(p.verdict, "Under kernel B takes 20 % more major faults than A"));
    done(&p);
}

/* ---- hostile documents --------------------------------------------------------------------- */

static void lists_of_any_shape_are_survived(void **state)
{
    (void)state;
    static const char *const lists[] = {
        ",'by_function':7",
        ",'by_function':[7,null,'x',[]]",
        ",'by_function':[{},{'function':9,'minor':-4,'major':1.5}]",
        ",'by_function':[{'function':'f','minor':9223372036854775807},"
        "{'function':'f','minor':9223372036854775807}]",
        ",'by_mapping':[{'mapping':'\\u202e<b>&\\u0007|`','minor':9223372036854775807}]",
        ",'thrash':9,'oom':{'kills':[]},'time':{}",
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++) {
            struct pair p = compare(unchecked(64, 3, 2, lists[i]), unchecked(64, 4, 2, lists[k]));
            struct fl_view *view = NULL;
            char *text = NULL;
            size_t len;
            assert_int_equal(diff_view(p.d, (const char *const[]){ "a", "b" }, &view, NULL), FL_OK);
            FILE *out = open_memstream(&text, &len);
            assert_int_equal(diff_text(view, out, NULL), FL_OK);
            assert_int_equal(fl_report_md(view, out, NULL), FL_OK);
            fclose(out);
            assert_null(strchr(text, '\a'));
            json_t *doc = diff_json(p.d, p.verdict);
            assert_string_equal(fl_document_text(doc, "schema"), "faultline.diff/1");
            json_decref(doc);
            free(text);
            fl_view_free(view);
            done(&p);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_verdict_says_how_much_where_and_who),
        cmocka_unit_test(who_grew_is_to_blame_for_whom_it_squeezed_out),
        cmocka_unit_test(without_growth_a_mapping_answers_for_its_own_faults),
        cmocka_unit_test(a_process_is_named_beside_a_mapping_only_if_it_must_be_its),
        cmocka_unit_test(a_function_is_named_where_the_mapping_does_not_say_it),
        cmocka_unit_test(what_no_list_has_is_named_by_none),
        cmocka_unit_test(a_guess_is_told),
        cmocka_unit_test(a_major_fault_weighs_ten_minor_ones),
        cmocka_unit_test(different_questions_are_refused_unless_forced),
        cmocka_unit_test(sweeps_without_a_common_size_or_policy_say_how_to_get_one),
        cmocka_unit_test(curves_are_compared_at_every_common_size),
        cmocka_unit_test(a_killed_process_parts_curves_without_a_count),
        cmocka_unit_test(measured_counts_within_the_runs_spread_are_the_same),
        cmocka_unit_test(lists_of_any_shape_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
