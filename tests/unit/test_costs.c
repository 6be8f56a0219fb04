/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Costs: every one has a name and a default, and files are taken as they are or refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include <faultline/costs.h>

static json_t *parse(const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *json = json_loads(copy, 0, NULL);
    assert_non_null(json);
    return json;
}

static void every_cost_has_a_name_of_its_own_and_a_default(void **state)
{
    (void)state;
    const struct fl_costs *costs = fl_costs_default();
    for (int c = 0; c < FL_COST_COUNT; c++) {
        assert_non_null(fl_cost_name((enum fl_cost)c));
        assert_non_null(fl_cost_summary((enum fl_cost)c));
        assert_in_range(costs->ps[c], 1, FL_COST_PS_MAX);
        assert_false(costs->given[c]);
        for (int k = 0; k < c; k++)
            assert_string_not_equal(fl_cost_name((enum fl_cost)k), fl_cost_name((enum fl_cost)c));
    }
}

static void costs_written_and_read_are_the_same(void **state)
{
    (void)state;
    struct fl_costs in = *fl_costs_default(), out;
    snprintf(in.source, sizeof in.source, "a test");
    in.swap_device = FL_SWAP_DEVICE_DISK;
    in.disk_singly = true;
    in.tlb = (struct fl_tlb_kept){ .entries = 1536, .per_fault = 7, .per_page_out = 0 };
    for (int c = 0; c < FL_COST_COUNT; c++) {
        in.ps[c] = 1000u + (unsigned)c;
        in.low_ps[c] = (unsigned)c;
        in.high_ps[c] = 2000u + (unsigned)c;
        in.given[c] = c % 2 == 0;
    }
    json_t *json = fl_costs_json(&in);
    assert_int_equal(fl_costs_parse(json, &out, NULL), FL_OK);
    json_decref(json);
    assert_string_equal(out.source, "a test");
    assert_int_equal(out.swap_device, FL_SWAP_DEVICE_DISK);
    assert_true(out.disk_singly);
    assert_memory_equal(&in.tlb, &out.tlb, sizeof in.tlb);
    assert_memory_equal(in.ps, out.ps, sizeof in.ps);
    assert_memory_equal(in.low_ps, out.low_ps, sizeof in.low_ps);
    assert_memory_equal(in.high_ps, out.high_ps, sizeof in.high_ps);
    assert_memory_equal(in.given, out.given, sizeof in.given);
}

static void what_a_file_leaves_out_stays_at_its_default(void **state)
{
    (void)state;
    struct fl_costs out;
    json_t *json = parse("{'source':'mine','ps':{'access':7}}");
    assert_int_equal(fl_costs_parse(json, &out, NULL), FL_OK);
    json_decref(json);
    assert_int_equal(fl_cost_ps(&out, FL_COST_ACCESS), 7);
    assert_true(out.given[FL_COST_ACCESS]);
    assert_false(out.given[FL_COST_WALK]);
    assert_int_equal(out.tlb.entries, 0);
    for (int c = FL_COST_ACCESS + 1; c < FL_COST_COUNT; c++)
        assert_int_equal(out.ps[c], fl_costs_default()->ps[c]);
}

static void refused(const char *text, const char *says)
{
    struct fl_costs out;
    struct fl_err err = { .msg = "" };
    json_t *json = parse(text);
    int rc = fl_costs_parse(json, &out, &err);
    json_decref(json);
    if (rc != FL_EFORMAT || !strstr(err.msg, says) || strchr(err.msg, '\n'))
        fail_msg("%s: got %d \"%s\", want \"%s\"", text, rc, err.msg, says);
}

static void what_is_wrong_is_refused_by_name(void **state)
{
    (void)state;
    refused("[1]", "one object");
    refused("{}", "'source' is missing");
    refused("{'source':''}", "'source'");
    refused("{'source':'a\\nb'}", "control character");
    refused("{'source':'a','colour':1}", "'colour'");
    refused("{'source':'a','schema':'faultline.costs/2'}", "faultline.costs/1");
    refused("{'source':'a','swap_device':'tape'}", "swap_device");
    refused("{'source':'a','disk_done':'never'}", "disk_done");
    refused("{'source':'a','disk_done':1}", "disk_done");
    refused("{'source':'a','ps':[]}", "'ps'");
    refused("{'source':'a','ps':{'acces':1}}", "ps.acces");
    refused("{'source':'a','ps':{'access':-1}}", "ps.access");
    refused("{'source':'a','ps':{'access':1.5}}", "ps.access");
    refused("{'source':'a','ps':{'access':60000000000001}}", "ps.access");
    refused("{'source':'a','spread_ps':{'access':[1]}}", "spread_ps.access");
    refused("{'source':'a','spread_ps':{'x':[1,2]}}", "spread_ps.x");
    refused("{'source':'a','tlb':7}", "'tlb'");
    refused("{'source':'a','tlb':{'entries':1}}", "'tlb'");
    refused("{'source':'a','tlb':{'entries':1,'per_fault':1,'per_page':1}}", "tlb.per_page_out");
    refused("{'source':'a','tlb':{'entries':-1,'per_fault':1,'per_page_out':1}}", "tlb.entries");
    refused("{'source':'a','tlb':{'entries':1,'per_fault':1048577,'per_page_out':1}}",
            "tlb.per_fault");
    refused("{'source':'a','defaults':['x']}", "defaults[0]");
    refused("{'source':'a','defaults':{}}", "defaults");
}

static void a_file_that_is_no_costs_says_so_with_its_name(void **state)
{
    (void)state;
    struct fl_costs out;
    struct fl_err err;
    char path[] = "/tmp/faultline-costs-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "{\"source\"", 9), 9);
    assert_int_equal(fl_costs_load(path, &out, &err), FL_EFORMAT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(pwrite(fd, "{\"source\":\"x\"}", 14, 0), 14);
    assert_int_equal(fl_costs_load(path, &out, &err), FL_OK);
    close(fd);
    unlink(path);
    assert_int_equal(fl_costs_load(path, &out, &err), FL_EIO);
}

static void many_times_a_cost_is_exact_and_saturates(void **state)
{
    (void)state;
    struct fl_costs costs = *fl_costs_default();
    costs.ps[FL_COST_ACCESS] = 250;
    assert_int_equal(fl_cost_ns(&costs, FL_COST_ACCESS), 0);
    assert_int_equal(fl_cost_of_ns(&costs, FL_COST_ACCESS, 3), 0);
    assert_int_equal(fl_cost_of_ns(&costs, FL_COST_ACCESS, 4), 1);
    assert_int_equal(fl_cost_of_ns(&costs, FL_COST_ACCESS, UINT64_MAX), UINT64_MAX / 4);
    costs.ps[FL_COST_ACCESS] = FL_COST_PS_MAX;
    assert_true(fl_cost_of_ns(&costs, FL_COST_ACCESS, UINT64_MAX) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cost_has_a_name_of_its_own_and_a_default),
        cmocka_unit_test(costs_written_and_read_are_the_same),
        cmocka_unit_test(what_a_file_leaves_out_stays_at_its_default),
        cmocka_unit_test(what_is_wrong_is_refused_by_name),
        cmocka_unit_test(a_file_that_is_no_costs_says_so_with_its_name),
        cmocka_unit_test(many_times_a_cost_is_exact_and_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
