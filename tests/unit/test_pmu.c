/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans for made-up machines (tests/golden/pmu/NAME.tree: one line a file below /sys, or a line
 * of /proc/cpuinfo), compared as text with tests/golden/pmu/NAME.txt, and what is left out when
 * the kernel refuses.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "attr.h"
#include "pmu.h"

struct machine {
    char dir[64], sysfs[128], cpuinfo[128];
    struct fl_pmu_host host;
};

static FILE *open_golden(const char *name, const char *suffix)
{
    char path[4096];
    const char *here = __FILE__, *end = strstr(here, "unit/test_pmu.c");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sgolden/pmu/%s%s", (int)(end - here), here, name, suffix);
    FILE *f = fopen(path, "re");
    if (!f)
        fail_msg("%s is missing", path);
    return f;
}

static void make_folders(char *path)
{
    for (char *p = path + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(path, 0777);
    }
}

/* Lays the files of NAME.tree below a fresh folder. */
static void machine_begin(struct machine *m, const char *name)
{
    char line[512], path[768];
    FILE *f = open_golden(name, ".tree");
    snprintf(m->dir, sizeof m->dir, "/tmp/fl-pmu-XXXXXX");
    assert_non_null(mkdtemp(m->dir));
    snprintf(m->sysfs, sizeof m->sysfs, "%s/sys", m->dir);
    snprintf(m->cpuinfo, sizeof m->cpuinfo, "%s/cpuinfo", m->dir);
    m->host = (struct fl_pmu_host){ m->sysfs, m->cpuinfo };
    while (fgets(line, sizeof line, f)) {
        char *text = strchr(line, ' ');
        if (line[0] == '#')
            continue;
        assert_non_null(text);
        *text++ = 0;
        snprintf(path, sizeof path, "%s/%s", m->dir, line);
        make_folders(path);
        FILE *out = fopen(path, "ae");
        assert_non_null(out);
        fputs(text, out);
        fclose(out);
    }
    fclose(f);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void machine_end(struct machine *m)
{
    assert_int_equal(nftw(m->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static char *golden(const char *name)
{
    char *text = NULL, line[512];
    size_t n;
    FILE *f = open_golden(name, ".txt"), *out = open_memstream(&text, &n);
    assert_non_null(out);
    while (fgets(line, sizeof line, f))
        if (line[0] != '#')
            fputs(line, out);
    fclose(f);
    fclose(out);
    assert_true(n > 0);
    return text;
}

static char *dumped(const struct fl_pmu_plan *plan)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    for (size_t i = 0; i < plan->n; i++) {
        const struct fl_pmu_event *e = &plan->v[i];
        fprintf(f, "event %s from %s%s%s%s\n", e->name, e->encoded_from, e->cpus[0] ? " on " : "",
                e->cpus, e->no_exclude ? " refuses modes" : "");
        if (e->has_leader) {
            fputs("leader\n", f);
            fl_attr_dump(&e->leader, f);
            fputs("sampled\n", f);
        }
        fl_attr_dump(&e->attr, f);
        if (e->has_total) {
            fputs("total\n", f);
            fl_attr_dump(&e->total, f);
        }
    }
    fclose(f);
    return text;
}

static void plan_on(const char *name, const struct fl_pmu_request *req, struct fl_pmu_plan *plan)
{
    struct machine m;
    struct fl_err err = { 0 };
    struct fl_pmu_request r = *req;
    r.wakeup_bytes = 131072;
    machine_begin(&m, name);
    int rc = fl_pmu_plan(&m.host, &r, plan, &err);
    machine_end(&m);
    if (rc != FL_OK)
        fail_msg("%s: %s", name, err.msg);
}

static void expect(const char *machine, const char *name, struct fl_pmu_request req)
{
    struct fl_pmu_plan plan;
    plan_on(machine, &req, &plan);
    char *want = golden(name), *got = dumped(&plan);
    assert_string_equal(got, want);
    free(want);
    free(got);
}

static void expect_none(const char *machine, struct fl_pmu_request req, int code, const char *says)
{
    struct machine m;
    struct fl_pmu_plan plan;
    struct fl_err err = { 0 };
    machine_begin(&m, machine);
    assert_int_equal(fl_pmu_plan(&m.host, &req, &plan, &err), code);
    machine_end(&m);
    if (!strstr(err.msg, says))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    if (code == FL_EMACHINE)
        assert_true(strstr(err.msg, "--mode exact") && strstr(err.msg, "--mode events"));
    assert_null(strchr(err.msg, '\n'));
}

static void plan_for_intel_samples_loads_and_stores_by_pebs(void **state)
{
    (void)state;
    expect("skylake-sp", "skylake-sp", (struct fl_pmu_request){ 0 });
    expect("icelake-sp", "icelake-sp", (struct fl_pmu_request){ 0 });
}

static void plan_for_sapphire_rapids_puts_the_auxiliary_event_first(void **state)
{
    (void)state;
    expect("sapphire-rapids", "sapphire-rapids", (struct fl_pmu_request){ 0 });
}

static void plan_for_hybrid_cores_has_events_of_each_kind(void **state)
{
    (void)state;
    expect("alder-lake", "alder-lake", (struct fl_pmu_request){ 0 });
}

static void plan_with_latency_stacks_and_user_mode_alone(void **state)
{
    (void)state;
    expect("skylake-sp", "skylake-sp-latency-stacks-user",
           (struct fl_pmu_request){ .min_latency_cycles = 30,
                                    .period = 5000,
                                    .no_stores = true,
                                    .stacks = true,
                                    .user_only = true });
}

static void plan_for_amd_samples_operations_by_ibs(void **state)
{
    (void)state;
    expect("zen4", "zen4", (struct fl_pmu_request){ 0 });
    expect("zen5", "zen5-user",
           (struct fl_pmu_request){ .period = 1000, .user_only = true, .min_latency_cycles = 200 });
}

static void plan_for_arm_samples_operations_by_spe(void **state)
{
    (void)state;
    expect("neoverse-n1", "neoverse-n1", (struct fl_pmu_request){ 0 });
    expect("neoverse-v1", "neoverse-v1", (struct fl_pmu_request){ 0 });
    expect("neoverse-n1", "neoverse-n1-loads",
           (struct fl_pmu_request){ .no_stores = true, .min_latency_cycles = 100 });
    expect("neoverse-n1", "neoverse-n1-stores", (struct fl_pmu_request){ .no_loads = true });
}

static void plan_for_a_chosen_event_is_the_same_on_any_machine(void **state)
{
    (void)state;
    struct fl_pmu_request req = { .event = "perf::PAGE-FAULTS", .period = 7 };
    expect("intel-vm", "page-faults", req);
    expect("neoverse-n1", "page-faults", req);
    req.period = 0;
    req.event = "perf::PAGE-FAULTS:period=7"; /* the name may have it too */
    struct fl_pmu_plan plan;
    plan_on("intel-vm", &req, &plan);
    assert_int_equal(plan.v[0].attr.sample_period, 7);
}

/* libpfm4's numbers against the kernel's, which were written by others: the same for every event. */
static void plan_by_libpfm4_is_the_plan_by_the_kernels_names(void **state)
{
    (void)state;
    static const char *const machines[] = { "skylake-sp", "icelake-sp", "sapphire-rapids" };
    for (size_t i = 0; i < 3; i++) {
        struct machine m;
        struct fl_pmu_plan known, unknown;
        const struct fl_pmu_request req = { 0 };
        machine_begin(&m, machines[i]);
        assert_int_equal(fl_pmu_plan(&m.host, &req, &known, NULL), FL_OK);
        FILE *f = fopen(m.cpuinfo, "we"); /* the same PMU on a model of no row of the table */
        assert_non_null(f);
        fputs("vendor_id : GenuineIntel\ncpu family : 6\nmodel : 250\n", f);
        fclose(f);
        assert_int_equal(fl_pmu_plan(&m.host, &req, &unknown, NULL), FL_OK);
        machine_end(&m);
        assert_int_equal(known.n, 2);
        assert_int_equal(unknown.n, 2);
        for (size_t k = 0; k < 2; k++) {
            assert_string_not_equal(known.v[k].encoded_from, unknown.v[k].encoded_from);
            assert_memory_equal(&known.v[k].attr, &unknown.v[k].attr, sizeof known.v[k].attr);
            assert_memory_equal(&known.v[k].leader, &unknown.v[k].leader, sizeof known.v[k].leader);
            assert_memory_equal(&known.v[k].total, &unknown.v[k].total, sizeof known.v[k].total);
        }
    }
}

static void plan_without_a_pmu_says_why_and_what_instead(void **state)
{
    (void)state;
    const struct fl_pmu_request any = { 0 };
    expect_none("intel-vm", any, FL_EMACHINE, "this virtual machine has no PMU");
    expect_none("intel-vm-without-pebs", any, FL_EMACHINE, "no precise sampling (PEBS)");
    expect_none("amd-vm", any, FL_EMACHINE, "no Instruction-Based Sampling");
    expect_none("arm-vm", any, FL_EMACHINE, "kpti=off");
}

static void plan_for_a_senseless_request_is_refused(void **state)
{
    (void)state;
    expect_none("zen4", (struct fl_pmu_request){ .no_loads = true, .no_stores = true }, FL_EUSAGE,
                "loads or stores");
    expect_none("zen4", (struct fl_pmu_request){ .event = "perf::NO-SUCH-EVENT" }, FL_EUSAGE,
                "event not found");
    expect_none("zen4", (struct fl_pmu_request){ .period = UINT64_MAX }, FL_EUSAGE, "2^62");
    expect_none("zen4", (struct fl_pmu_request){ .period = 5, .freq_hz = 5 }, FL_EUSAGE,
                "not both");
    expect_none("zen5", (struct fl_pmu_request){ .min_latency_cycles = 100 }, FL_EUSAGE,
                "128 to 2048");
    expect_none("neoverse-n1", (struct fl_pmu_request){ .freq_hz = 1000 }, FL_EUSAGE,
                "by period only");
}

static void plan_by_frequency_lets_the_period_vary(void **state)
{
    (void)state;
    struct fl_pmu_plan plan;
    plan_on("skylake-sp", &(struct fl_pmu_request){ .freq_hz = 4000 }, &plan);
    assert_true(plan.v[0].attr.freq);
    assert_int_equal(plan.v[0].attr.sample_freq, 4000);
}

static void cpu_is_read_from_cpuinfo(void **state)
{
    (void)state;
    struct fl_pmu_cpu cpu;
    fl_pmu_cpu_parse("processor : 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
                     "model name\t: Intel(R) Xeon(R)\nstepping\t: 8\nflags : fpu hypervisor\n\n"
                     "processor : 1\nmodel : 1\n",
                     &cpu);
    assert_int_equal(cpu.vendor, FL_PMU_INTEL);
    assert_true(cpu.family == 6 && cpu.model == 143 && cpu.stepping == 8 && cpu.virtual_machine);
    fl_pmu_cpu_parse("CPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"
                     "CPU revision\t: 1\n",
                     &cpu);
    assert_int_equal(cpu.vendor, FL_PMU_ARM);
    assert_int_equal(cpu.midr, 0x413fd0c1);
    fl_pmu_cpu_parse("", &cpu);
    assert_int_equal(cpu.vendor, FL_PMU_OTHER);
    fl_pmu_cpu_parse("vendor_id", &cpu);
    assert_int_equal(cpu.vendor, FL_PMU_OTHER);
    fl_pmu_cpu_parse("flags : hypervisory\nvendor_id : x", &cpu);
    assert_false(cpu.virtual_machine);
}

/* A kernel of an age and with privileges: what perf_event_open(2) would say. */
struct kernel {
    bool privileged, lost, weight_parts, phys;
    int always;
    unsigned tries;
};

static int try_kernel(void *ctx, const struct fl_pmu_event *e)
{
    struct kernel *k = ctx;
    k->tries++;
    if (k->always)
        return k->always;
    bool phys = e->attr.sample_type & PERF_SAMPLE_PHYS_ADDR || e->attr.config & e->phys_config;
    if (!k->lost && e->attr.read_format & FL_PERF_FORMAT_LOST)
        return EINVAL;
    if (!k->weight_parts && e->attr.sample_type & (1u << 24))
        return EINVAL;
    if (e->attr.sample_type & (1u << 24) && e->attr.sample_type & PERF_SAMPLE_WEIGHT)
        return EINVAL;
    if (!k->phys && phys)
        return EINVAL;
    if (!k->privileged && (phys || !e->attr.exclude_kernel))
        return EACCES;
    if (e->has_total && e->total.exclude_kernel != e->attr.exclude_kernel)
        return EINVAL;
    return 0;
}

static unsigned settled(const char *machine, struct kernel kernel, struct fl_pmu_event *out)
{
    struct fl_pmu_plan plan;
    struct fl_err err = { 0 };
    plan_on(machine, &(struct fl_pmu_request){ 0 }, &plan);
    if (fl_pmu_settle(&plan.v[0], try_kernel, &kernel, &err) != FL_OK)
        fail_msg("%s", err.msg);
    *out = plan.v[0];
    return out->without;
}

static void settle_leaves_out_only_what_the_kernel_refuses(void **state)
{
    (void)state;
    struct fl_pmu_event e;
    struct kernel new_root = {
        .privileged = true, .lost = true, .weight_parts = true, .phys = true
    };
    assert_int_equal(settled("skylake-sp", new_root, &e), 0);
    struct kernel user = new_root;
    user.privileged = false;
    assert_int_equal(settled("skylake-sp", user, &e), FL_PMU_WITHOUT_PHYS | FL_PMU_WITHOUT_KERNEL);
    assert_true(e.attr.exclude_kernel && e.total.exclude_kernel && !e.leader.exclude_kernel);
    assert_int_equal(settled("neoverse-n1", user, &e), FL_PMU_WITHOUT_PHYS | FL_PMU_WITHOUT_KERNEL);
    assert_int_equal(e.attr.config, UINT64_C(25769869313)); /* pa_enable, bit 1, is gone */
    struct kernel linux_5_15 = new_root;
    linux_5_15.lost = false;
    assert_int_equal(settled("skylake-sp", linux_5_15, &e), FL_PMU_WITHOUT_LOST);
    struct kernel linux_5_10 = linux_5_15;
    linux_5_10.weight_parts = false;
    assert_int_equal(settled("skylake-sp", linux_5_10, &e),
                     FL_PMU_WITHOUT_LOST | FL_PMU_WITHOUT_WEIGHT_PARTS);
    assert_true(e.attr.sample_type & PERF_SAMPLE_WEIGHT &&
                e.attr.sample_type & PERF_SAMPLE_PHYS_ADDR);
    struct kernel linux_4_9 = { 0 };
    assert_int_equal(settled("skylake-sp", linux_4_9, &e), 15);
}

static void expect_refused(const char *machine, struct kernel k, int code, const char *says)
{
    struct fl_pmu_plan plan;
    struct fl_err err = { 0 };
    plan_on(machine, &(struct fl_pmu_request){ 0 }, &plan);
    assert_int_equal(fl_pmu_settle(&plan.v[0], try_kernel, &k, &err), code);
    if (!strstr(err.msg, says))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
    assert_true(k.tries <= 6);
}

static void settle_that_cannot_succeed_names_the_remedy(void **state)
{
    (void)state;
    struct kernel user = { .lost = true, .weight_parts = true, .phys = true };
    expect_refused("zen4", user, FL_EMACHINE, "perf_event_paranoid=1");
    expect_refused("skylake-sp", (struct kernel){ .always = EPERM }, FL_EMACHINE, "seccomp");
    expect_refused("skylake-sp", (struct kernel){ .always = ENOENT }, FL_EMACHINE, "--mode exact");
    expect_refused("skylake-sp", (struct kernel){ .always = EOPNOTSUPP }, FL_EMACHINE, "precisely");
    expect_refused("skylake-sp", (struct kernel){ .always = EBUSY }, FL_EMACHINE,
                   "another program");
    expect_refused("zen4", (struct kernel){ .always = EINVAL }, FL_EMACHINE, "6.2");
    expect_refused("skylake-sp", (struct kernel){ .always = EMFILE }, FL_EIO, "perf_event_open");
}

static void without_is_said_in_words(void **state)
{
    (void)state;
    char buf[512], small[20];
    assert_string_equal(fl_pmu_without_text(buf, sizeof buf, 0), "");
    assert_string_equal(fl_pmu_without_text(buf, sizeof buf, FL_PMU_WITHOUT_PHYS),
                        "physical addresses (they need CAP_PERFMON)");
    assert_true(strlen(fl_pmu_without_text(buf, sizeof buf, 15)) > 150);
    assert_int_equal(strlen(fl_pmu_without_text(small, sizeof small, 15)), 19);
}

/* The real kernel: software events exist everywhere perf_event_open may be called at all. */
static void settle_opens_a_software_event_for_real(void **state)
{
    (void)state;
    struct fl_pmu_host here = fl_pmu_host_here();
    struct fl_pmu_plan plan;
    struct fl_err err = { 0 };
    const struct fl_pmu_request req = { .event = "perf::PAGE-FAULTS", .period = 1 };
    assert_int_equal(fl_pmu_plan(&here, &req, &plan, &err), FL_OK);
    if (fl_pmu_settle(&plan.v[0], fl_pmu_try_here, NULL, &err) != FL_OK) {
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    assert_true(plan.v[0].attr.sample_type & PERF_SAMPLE_ADDR);
}

int main(void)
{
    setenv("LIBPFM_ENCODE_INACTIVE", "1", 1); /* encode for processors that are not this one */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_for_intel_samples_loads_and_stores_by_pebs),
        cmocka_unit_test(plan_for_sapphire_rapids_puts_the_auxiliary_event_first),
        cmocka_unit_test(plan_for_hybrid_cores_has_events_of_each_kind),
        cmocka_unit_test(plan_with_latency_stacks_and_user_mode_alone),
        cmocka_unit_test(plan_for_amd_samples_operations_by_ibs),
        cmocka_unit_test(plan_for_arm_samples_operations_by_spe),
        cmocka_unit_test(plan_for_a_chosen_event_is_the_same_on_any_machine),
        cmocka_unit_test(plan_by_libpfm4_is_the_plan_by_the_kernels_names),
        cmocka_unit_test(plan_without_a_pmu_says_why_and_what_instead),
        cmocka_unit_test(plan_for_a_senseless_request_is_refused),
        cmocka_unit_test(plan_by_frequency_lets_the_period_vary),
        cmocka_unit_test(cpu_is_read_from_cpuinfo),
        cmocka_unit_test(settle_leaves_out_only_what_the_kernel_refuses),
        cmocka_unit_test(settle_that_cannot_succeed_names_the_remedy),
        cmocka_unit_test(without_is_said_in_words),
        cmocka_unit_test(settle_opens_a_software_event_for_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
