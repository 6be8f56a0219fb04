/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict on documents written here: every rule at its edge, and every reason to give none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <faultline/report.h>

#include "gate.h"

/* JSON with single quotes, to be readable here. */
static json_t *parse(const char *text)
{
    char *copy = strdup(text);
    json_error_t why;
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *doc = json_loads(copy, 0, &why);
    free(copy);
    if (!doc)
        fail_msg("%s: %s", text, why.text);
    return doc;
}

static json_t *document(const char *text)
{
    struct fl_err err = { 0 };
    json_t *doc = parse(text);
    if (fl_document_check(doc, "x", &err) != FL_OK)
        fail_msg("%s: %s", text, err.msg);
    return doc;
}

struct judged {
    json_t *budgets_doc, *result, *baseline;
    struct budgets *budgets;
    struct gate *gate;
    struct fl_err err;
    int rc;
};

/* @budget: the inside of one budget. @baseline: NULL for none. */
static struct judged judge(const char *budget, const char *result, const char *baseline)
{
    struct judged j = { 0 };
    char *text = NULL;
    assert_true(asprintf(&text, "{'budget':[{%s}]}", budget) > 0);
    j.budgets_doc = parse(text);
    free(text);
    if (budgets_read(j.budgets_doc, "b", &j.budgets, &j.err) != FL_OK)
        fail_msg("%s: %s", budget, j.err.msg);
    j.result = document(result);
    j.baseline = baseline ? document(baseline) : NULL;
    j.rc = gate_judge(j.budgets, j.result, "r.json", j.baseline, "base.json", &j.gate, &j.err);
    assert_true((j.rc == FL_OK) == (j.gate != NULL));
    return j;
}

static void done(struct judged *j)
{
    gate_free(j->gate);
    budgets_free(j->budgets);
    json_decref(j->budgets_doc);
    json_decref(j->result);
    json_decref(j->baseline);
}

static void expect(const char *budget, const char *result, const char *baseline, bool failed,
                   const char *reason)
{
    struct judged j = judge(budget, result, baseline);
    if (j.rc != FL_OK)
        fail_msg("%s: no verdict: %s", budget, j.err.msg);
    const struct gate_row *row = &j.gate->rows[0];
    if (row->failed != failed || j.gate->failed != failed || !row->reason != !failed ||
        (failed && !strstr(row->reason, reason)))
        fail_msg("%s: failed %d, '%s'", budget, row->failed, row->reason ? row->reason : "");
    done(&j);
}
#define kept(budget, result, baseline) expect(budget, result, baseline, false, "")
#define broken(budget, result, baseline, reason) expect(budget, result, baseline, true, reason)

static void no_verdict(const char *budget, const char *result, const char *baseline, int code,
                       const char *says)
{
    struct judged j = judge(budget, result, baseline);
    if (j.rc != code || !strstr(j.err.msg, says) || strchr(j.err.msg, '\n'))
        fail_msg("%s: %d '%s', want %d with '%s'", budget, j.rc, j.err.msg, code, says);
    done(&j);
}

#define RESULT_OF(machine, faults, rest)                                                     \
    "{'schema':'faultline.replay/1','trace':{'path':'t','fidelity':'exact','lost_events':0," \
    "'accesses':1000,'peak_resident_pages':512},'machine':{" machine "},'faults':{" faults   \
    "}" rest "}"
#define MACHINE(ram, policy) "'ram_bytes':" ram ",'swap_bytes':null,'policy':'" policy "'"
#define RESULT(major) RESULT_OF(MACHINE("1048576", "lru"), "'minor':10,'major':" major, "")
#define KEY "'key':'faults.major',"

static void max_and_min_are_kept_when_just_reached(void **state)
{
    (void)state;
    kept(KEY "'max':100", RESULT("100"), NULL);
    broken(KEY "'max':99", RESULT("100"), NULL, "100 is more than 99");
    kept(KEY "'min':100", RESULT("100"), NULL);
    broken(KEY "'min':101", RESULT("100"), NULL, "100 is less than 101");
    kept(KEY "'min':100,'max':100", RESULT("100"), NULL);
    kept(KEY "'max':100.5", RESULT("100"), NULL);
    broken(KEY "'max':99.5", RESULT("100"), NULL, "more than 99.5");
}

static void relative_rules_are_kept_when_just_reached(void **state)
{
    (void)state;
    kept(KEY "'max_increase':5", RESULT("105"), RESULT("100"));
    broken(KEY "'max_increase':4", RESULT("105"), RESULT("100"), "5 more than the baseline's 100");
    kept(KEY "'max_increase':'5%'", RESULT("105"), RESULT("100"));
    broken(KEY "'max_increase':'4.99%'", RESULT("105"), RESULT("100"), "allowed are 4.99 %");
    kept(KEY "'max_increase':'0%'", RESULT("100"), RESULT("100"));
    broken(KEY "'max_increase':'0%'", RESULT("101"), RESULT("100"), "1 more");
    kept(KEY "'max_increase':0", RESULT("0"), RESULT("100"));
    kept(KEY "'max_decrease':'50%'", RESULT("50"), RESULT("100"));
    broken(KEY "'max_decrease':'49%'", RESULT("50"), RESULT("100"), "50 less than the baseline's");
    kept(KEY "'max_decrease':0", RESULT("500"), RESULT("100"));
    broken(KEY "'max_decrease':0", RESULT("99"), RESULT("100"), "1 less");
}

static void of_a_baseline_of_zero_every_percentage_is_zero(void **state)
{
    (void)state;
    kept(KEY "'max_increase':'5%'", RESULT("0"), RESULT("0"));
    broken(KEY "'max_increase':'5%'", RESULT("1"), RESULT("0"), "no percentage of 0");
    broken(KEY "'max_increase':'1000000%'", RESULT("1"), RESULT("0"), "no percentage of 0");
    kept(KEY "'max_increase':1", RESULT("1"), RESULT("0"));
}

static void the_largest_counts_do_not_overflow(void **state)
{
#define HUGE_COUNT "9223372036854775807"
    (void)state;
    kept(KEY "'max':" HUGE_COUNT, RESULT(HUGE_COUNT), NULL);
    broken(KEY "'max':9223372036854775806", RESULT(HUGE_COUNT), NULL, "9,223,372,036,854,775,807");
    kept(KEY "'max_increase':'1000000%'", RESULT(HUGE_COUNT), RESULT("922337203685477581"));
    broken(KEY "'max_increase':'899.99%'", RESULT(HUGE_COUNT), RESULT("922337203685477580"), "");
    kept(KEY "'max_increase':0", RESULT(HUGE_COUNT), RESULT(HUGE_COUNT));
    broken(KEY "'max_increase':9223372036854775806", RESULT(HUGE_COUNT), RESULT("0"), "");
    no_verdict(KEY "'max_increase':1", RESULT("1"), NULL, FL_EUSAGE, "needs --baseline");
}

static void what_is_not_there_or_no_number_gives_no_verdict(void **state)
{
    (void)state;
    no_verdict("'key':'faults.majr','max':1", RESULT("1"), NULL, FL_EDATA, "is 'major' meant");
    no_verdict("'key':'tlb.walks','max':1", RESULT("1"), NULL, FL_EDATA, "not modelled");
    no_verdict("'key':'machine.swap_bytes','max':1", RESULT("1"), NULL, FL_EDATA, "null");
    no_verdict("'key':'machine.policy','max':1", RESULT("1"), NULL, FL_EUSAGE, "not of a number");
    no_verdict("'key':'faults','max':1", RESULT("1"), NULL, FL_EUSAGE, "not of a number");
    no_verdict("'key':'quality','max':1",
               RESULT_OF(MACHINE("4096", "lru"), "'minor':1,'major':1", ",'quality':[]"), NULL,
               FL_EUSAGE, ".length");
}

#define DOUBT(flag)                                             \
    RESULT_OF(MACHINE("1048576", "lru"), "'minor':1,'major':1", \
              ",'quality':[{'flag':'" flag "','detail':'d','remedy':'r'}]")

static void doubtful_counts_give_no_verdict(void **state)
{
    static const char *const spoiling[] = { DOUBT("lost"),          DOUBT("partial"),
                                            DOUBT("killed"),        DOUBT("native"),
                                            DOUBT("counts_differ"), DOUBT("of_a_later_version") };
    static const char *const harmless[] = { DOUBT("cpuid"), DOUBT("threads"), DOUBT("vfork"),
                                            DOUBT("brk"), DOUBT("fault_access") };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(spoiling); i++) {
        no_verdict(KEY "'max':9", spoiling[i], NULL, FL_EDATA, "quality flag");
        no_verdict(KEY "'max_increase':9", RESULT("1"), spoiling[i], FL_EDATA, "base.json");
        kept(KEY "'max':9", RESULT("1"), spoiling[i]); /* the baseline is only shown */
    }
    for (size_t i = 0; i < FL_COUNT(harmless); i++)
        kept(KEY "'max':9", harmless[i], NULL);
    const char *lost =
        "{'schema':'faultline.replay/1','trace':{'fidelity':'exact','lost_events':3},"
        "'faults':{'minor':1,'major':1}}";
    no_verdict(KEY "'max':9", lost, NULL, FL_EDATA, "3 events were lost");
    broken("'key':'trace.lost_events','max':0", lost, NULL, "3 is more than 0");
    broken("'key':'quality.length','max':0", DOUBT("lost"), NULL, "1 is more than 0");
    no_verdict(KEY "'max':9",
               "{'schema':'faultline.replay/1','trace':{'fidelity':'sampled'},"
               "'faults':{'minor':1,'major':1}}",
               NULL, FL_EDATA, "estimates");
}

#define KILLED(kills)                                           \
    RESULT_OF(MACHINE("1048576", "lru"), "'minor':1,'major':1", \
              ",'oom':{'kills':[" kills "]},'quality':[{'flag':'oom','detail':'d','remedy':'r'}]")

static void after_a_kill_only_kills_can_be_kept(void **state)
{
    (void)state;
    broken(KEY "'max':9", KILLED("{'pid':1}"), NULL, "out-of-memory kill");
    broken("'key':'oom.kills.length','max':0", KILLED("{'pid':1}"), NULL, "1 is more than 0");
    kept("'key':'oom_kills','max':1", KILLED("{'pid':1}"), NULL);
    kept("'key':'trace.accesses','max':1000", KILLED("{'pid':1}"), NULL);
    kept(KEY "'max':9", KILLED(""), NULL);
    no_verdict(KEY "'max_increase':9", RESULT("1"), KILLED("{'pid':1}"), FL_EDATA, "base.json");
}

static void another_question_is_not_compared(void **state)
{
    const char *here = RESULT("100"),
               *ram = RESULT_OF(MACHINE("2097152", "lru"), "'minor':1,'major':1", "");
    const char *policy = RESULT_OF(MACHINE("1048576", "opt"), "'minor':1,'major':1", "");
    const char *swap = RESULT_OF("'ram_bytes':1048576,'swap_bytes':4096,'policy':'lru'",
                                 "'minor':1,'major':1", "");
    const char *levels =
        RESULT_OF(MACHINE("1048576", "lru") ",'levels':5", "'minor':1,'major':1", "");
    const char *seen =
        RESULT_OF(MACHINE("1048576", "lru"), "'minor':1,'major':1", ",'source':'observed'");
    const char *others[] = { ram, policy, swap };
    (void)state;
    for (size_t i = 0; i < FL_COUNT(others); i++) {
        no_verdict(KEY "'max_increase':'5%'", here, others[i], FL_EDATA, "base.json has no result");
        no_verdict(KEY "'max':999", here, others[i], FL_EDATA, "base.json");
    }
    no_verdict(KEY "'max_increase':1", here, levels, FL_EDATA, "machine.levels");
    no_verdict(KEY "'max_increase':1", levels, here, FL_EDATA, "machine.levels");
    no_verdict(KEY "'max_increase':1", here, seen, FL_EDATA, "source 'observed'");
}

#define POINT(ram, policy, major, kills)                                                  \
    "{'ram_bytes':" ram ",'frames':1,'swap_bytes':null,'policy':'" policy "','minor':10," \
    "'major':" major ",'swap_in':2,'swap_out':3,'oom_kills':" kills "}"
#define SWEEP(points)                                                                      \
    "{'schema':'faultline.sweep/1','trace':{'fidelity':'exact','peak_resident_pages':512," \
    "'accesses':77},'quality':[],'points':[" points "]}"
#define TWO SWEEP(POINT("1048576", "lru", "5", "0") "," POINT("2097152", "lru", "1", "0"))

static void a_sweep_is_asked_at_a_size(void **state)
{
    (void)state;
    kept(KEY "'max':5,'at':'1M'", TWO, NULL);
    kept("'key':'major','max':1,'at':2097152", TWO, NULL);
    kept("'key':'swap.pages_in','max':2,'min':2,'at':'2M'", TWO, NULL);
    kept("'key':'oom_kills','max':0,'at':'2M'", TWO, NULL);
    kept(KEY "'max':1,'at':'100%'", TWO, NULL); /* 512 pages */
    kept("'key':'trace.accesses','max':77", TWO, NULL);
    no_verdict(KEY "'max':5,'at':'3M'", TWO, NULL, FL_EDATA, "it has 1M, 2M");
    no_verdict(KEY "'max':5", TWO, NULL, FL_EUSAGE, "say at which size");
    no_verdict("'key':'tlb.walks','max':5,'at':'1M'", TWO, NULL, FL_EDATA, "needs a replay");
    no_verdict(KEY "'max':5,'at':'1M','policy':'opt'", TWO, NULL, FL_EDATA, "it has policy lru");
    kept(KEY "'max':5", SWEEP(POINT("4096", "lru", "5", "0")), NULL);
    broken(KEY "'max':5", SWEEP(POINT("4096", "lru", "5", "1")), NULL, "out-of-memory kill");
    const char *policies = SWEEP(POINT("4096", "lru", "5", "0") "," POINT("4096", "opt", "3", "0"));
    no_verdict(KEY "'max':5,'at':4096", policies, NULL, FL_EUSAGE, "of which `policy`");
    kept(KEY "'max':3,'at':4096,'policy':'opt'", policies, NULL);
    kept(KEY "'max_increase':0,'at':'1M'", TWO, TWO);
    no_verdict(KEY "'max_increase':0,'at':'1M'", TWO, SWEEP(POINT("4096", "lru", "5", "0")),
               FL_EDATA, "base.json has no point for 1M");
    kept(KEY "'max':5,'at':'1M'", TWO, SWEEP(POINT("4096", "lru", "5", "0")));
    no_verdict(KEY "'max_increase':0,'at':'1M'", TWO, RESULT("5"), FL_EDATA, "result's kind");
}

#define ON(machine, major)                                                                   \
    "{'ram_bytes':4096,'frames':1,'swap_bytes':null,'policy':'lru','machine':'" machine "'," \
    "'minor':1,'major':" major ",'swap_in':0,'swap_out':0,'oom_kills':0}"

static void points_of_several_machines_are_told_apart(void **state)
{
    const char *two = SWEEP(ON("zen4", "5") "," ON("skylake-sp", "7"));
    (void)state;
    no_verdict(KEY "'max':9,'at':4096", two, NULL, FL_EUSAGE, "swap max, machine zen4; ");
    kept(KEY "'max':5,'machine':'zen4'", two, NULL);
    broken(KEY "'max':6,'machine':'skylake-sp'", two, NULL, "7");
    kept(KEY "'max_increase':0,'machine':'skylake-sp'", two, two);
    no_verdict(KEY "'max':9,'machine':'zen5'", two, NULL, FL_EDATA, "machine skylake-sp");
    no_verdict(KEY "'max_increase':0,'machine':'zen4'", two, SWEEP(ON("zen5", "5")), FL_EDATA,
               "base.json has no point");
}

static void a_replay_must_be_of_the_size_asked_for(void **state)
{
    (void)state;
    kept(KEY "'max':5,'at':'1M'", RESULT("5"), NULL);
    kept(KEY "'max':5,'at':1048577", RESULT("5"), NULL); /* the same number of pages */
    kept("'key':'major','max':5,'policy':'lru','swap':'max'", RESULT("5"), NULL);
    no_verdict(KEY "'max':5,'at':'2M'", RESULT("5"), NULL, FL_EDATA, "it has 1M");
    no_verdict(KEY "'max':5,'policy':'opt'", RESULT("5"), NULL, FL_EDATA, "it has policy lru");
    no_verdict(KEY "'max':5,'at':'2M'",
               "{'schema':'faultline.replay/1','source':'observed','trace':{'fidelity':'events'},"
               "'faults':{'minor':1,'major':1}}",
               NULL, FL_EDATA, "none that was asked at a size");
    no_verdict(KEY "'max':5,'swap':'1M'", RESULT("5"), NULL, FL_EDATA, "swap max");
}

#define REPORT(results, sweeps)                                                     \
    "{'schema':'faultline.report/1','results':[" results "],'sweeps':[" sweeps "]," \
    "'validations':[]}"
#define LABELLED(label, source, ram, major)                     \
    RESULT_OF(MACHINE(ram, "lru"), "'minor':10,'major':" major, \
              ",'label':'" label "','source':'" source "'")

static void a_report_is_its_first_result_unless_said_otherwise(void **state)
{
    const char *report = REPORT(
        LABELLED("one", "model", "1048576", "5") "," LABELLED("two", "observed", "4194304", "7"),
        SWEEP(POINT("2097152", "lru", "1", "0") "," POINT("2097152", "opt", "0", "0")));
    (void)state;
    kept(KEY "'max':5,'min':5", report, NULL);
    kept("'key':'results.1.faults.major','max':7,'min':7", report, NULL);
    kept("'key':'results.two.faults.major','max':7,'min':7", report, NULL);
    kept("'key':'results.observed.faults.major','max':7,'min':7", report, NULL);
    kept(KEY "'max':7,'min':7,'at':'4M'", report, NULL);
    kept(KEY "'max':1,'min':1,'at':'2M'", report, NULL); /* its own policy */
    kept(KEY "'max':0,'at':'2M','policy':'opt'", report, NULL);
    kept("'key':'sweeps.0.major','max':0,'at':'2M','policy':'opt'", report, NULL);
    no_verdict(KEY "'max':5,'at':'3M'", report, NULL, FL_EDATA, "has no point for 3M");
    no_verdict("'key':'trace.x','max':5,'at':'2M'", report, NULL, FL_EDATA, "no result for 2M");
    no_verdict("'key':'results.one','max':5", report, NULL, FL_EUSAGE, "not a number");
    no_verdict("'key':'results.six.faults.major','max':5", report, NULL, FL_EDATA, "no 'six'");
    kept(KEY "'max_increase':0", RESULT("5"), report);
    kept(KEY "'max_increase':0,'at':'2M'", report, report);
}

static void a_measurement_is_asked_at_a_limit(void **state)
{
    const char *v =
        "{'schema':'faultline.validate/1','command':'c','policy':'linux','runs':3,"
        "'native':{'minor':9},'points':[{'ram_bytes':1048576,'kernel':{'oom':[0,0,0]},"
        "'spread':{'major':{'min':310,'median':320,'max':325}},'predicted':{'major':316,'oom':0},"
        "'error_pct':{'major':-1.25},'policies':{'lru':{'minor':1,'major':400,'swap_in':1,"
        "'swap_out':1,'oom':0,'error_pct':{'minor':null,'major':25.0,'swap_in':0,'swap_out':0}}}}]}";
    (void)state;
    kept("'key':'native.minor','max':9", v, NULL);
    kept("'key':'spread.major.median','max':320,'min':320,'at':'1M'", v, NULL);
    kept("'key':'major','max':316,'min':316,'at':'1M'", v, NULL);
    kept("'key':'major','max':400,'min':400,'at':'1M','policy':'lru'", v, NULL);
    kept("'key':'error_pct.major','max':25,'min':25,'at':'1M','policy':'lru'", v, NULL);
    broken("'key':'error_pct.major','max':2,'min':-1,'at':'1M'", v, NULL, "-1.25 % is less than");
    kept("'key':'oom_kills','max':0,'at':'1M'", v, NULL);
    no_verdict("'key':'error_pct.minor','max':2,'at':'1M','policy':'lru'", v, NULL, FL_EDATA,
               "null");
    no_verdict("'key':'major','max':2,'at':'4M'", v, NULL, FL_EDATA, "it has 1M");
    no_verdict("'key':'major','max':2,'at':'1M','policy':'opt'", v, NULL, FL_EDATA, "policy opt");
    struct judged j = judge("'key':'spread.major.median','max':999,'at':'1M'", v, NULL);
    assert_string_equal(j.gate->rows[0].range, "310 .. 325");
    done(&j);
}

static void numbers_and_changes_are_told_exactly(void **state)
{
    static const struct {
        millionths value;
        const char *unit, *text;
    } numbers[] = { { 0, "faults", "0" },
                    { (millionths)1234567 * MILLION, "bytes", "1,234,567 B" },
                    { -1250000, "%", "-1.25 %" },
                    { 1, "count", "0.000001" },
                    { (millionths)INT64_MIN * MILLION, "ns", "-9,223,372,036,854,775,808 ns" } };
    static const struct {
        int64_t from, to;
        const char *text;
    } changes[] = { { 100, 100, "none" },      { 100, 105, "+5 (+5.00 %)" },
                    { 3, 2, "-1 (-33.33 %)" }, { 0, 7, "+7" },
                    { 8, 9, "+1 (+12.50 %)" }, { 1, INT64_MAX, "+9,223,372,036,854,775,806" } };
    char buf[GATE_NUMBER_BYTES], size[GATE_SIZE_BYTES];
    (void)state;
    for (size_t i = 0; i < FL_COUNT(numbers); i++)
        assert_string_equal(gate_number(buf, numbers[i].value, numbers[i].unit), numbers[i].text);
    for (size_t i = 0; i < FL_COUNT(changes); i++) {
        struct gate_row row = { .has_baseline = true,
                                .unit = "faults",
                                .baseline = (millionths)changes[i].from * MILLION,
                                .value = (millionths)changes[i].to * MILLION };
        assert_string_equal(gate_change(buf, &row), changes[i].text);
    }
    assert_string_equal(gate_size(size, UINT64_C(3) << 29), "1536M");
    assert_string_equal(gate_size(size, 81920), "80K");
    assert_string_equal(gate_size(size, 4097), "4097");
    assert_string_equal(gate_size(size, UINT64_MAX), "max");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_and_min_are_kept_when_just_reached),
        cmocka_unit_test(relative_rules_are_kept_when_just_reached),
        cmocka_unit_test(of_a_baseline_of_zero_every_percentage_is_zero),
        cmocka_unit_test(the_largest_counts_do_not_overflow),
        cmocka_unit_test(what_is_not_there_or_no_number_gives_no_verdict),
        cmocka_unit_test(doubtful_counts_give_no_verdict),
        cmocka_unit_test(after_a_kill_only_kills_can_be_kept),
        cmocka_unit_test(another_question_is_not_compared),
        cmocka_unit_test(a_sweep_is_asked_at_a_size),
        cmocka_unit_test(points_of_several_machines_are_told_apart),
        cmocka_unit_test(a_replay_must_be_of_the_size_asked_for),
        cmocka_unit_test(a_report_is_its_first_result_unless_said_otherwise),
        cmocka_unit_test(a_measurement_is_asked_at_a_limit),
        cmocka_unit_test(numbers_and_changes_are_told_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
