/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include <jansson.h>

#include "cmd_common.h"
#include "kernel_summary.h"
#include "samples_info.h"

struct info_cfg {
    bool json, partial;
};

static const struct fl_opt info_opts[] = {
    { "json", 0, FL_OPT_FLAG, offsetof(struct info_cfg, json), NULL, NULL,
      "print JSON instead of text", NULL },
    { "partial", 0, FL_OPT_FLAG, offsetof(struct info_cfg, partial), NULL, NULL,
      "accept a damaged trace and describe its good part", NULL },
    FL_OPT_END
};

static void print_row(const char *name, uint64_t v)
{
    char buf[FL_FORMAT_BYTES];
    printf("%-22s %s\n", name, fl_format_count(buf, v));
}

static void print_meta(const struct fl_reader *r)
{
    const char *key, *value;
    for (size_t i = 0; fl_meta_at(fl_reader_meta(r), i, &key, &value); i++) {
        printf("%-22s ", key);
        fl_put_clean(stdout, value);
        putchar('\n');
    }
}

static void print_layer(const struct fl_reader *r)
{
    const struct fl_layer *l = fl_reader_layer(r);
    char runs[FL_FORMAT_BYTES], bytes[FL_FORMAT_BYTES];
    if (!l)
        return;
    printf("%-22s ", "reduced layer");
    if (!l->blocks)
        printf("none: too little locality\n");
    else
        printf("%s runs, 1 of %.1f, %s in %u of %u blocks%s; lru and opt at %u frames or more\n",
               l->runs ? fl_format_count(runs, l->runs) : "?",
               l->runs ? (double)l->of_runs / (double)l->runs : 0, fl_format_bytes(bytes, l->bytes),
               l->blocks, l->of, l->only ? ", which have nothing else" : "", l->floor);
    if (l->coarse)
        printf("%-22s %s runs, 1 of %.1f; at %u frames or more\n", "and above it",
               l->coarse_runs ? fl_format_count(runs, l->coarse_runs) : "?",
               l->coarse_runs ? (double)l->of_runs / (double)l->coarse_runs : 0, l->coarse);
}

static void print_info(const struct fl_reader *r, const char *path, uint64_t peak)
{
    const struct fl_totals *t = fl_reader_totals(r);
    char bytes[FL_FORMAT_BYTES];
    printf("%-22s ", "trace");
    fl_put_clean(stdout, path);
    printf("\n%-22s %s%s\n", "fidelity", fl_fidelity_name(fl_reader_fidelity(r)),
           fl_reader_complete(r) ? "" : ", PARTIAL");
    if (fl_reader_fidelity(r) <= FL_FIDELITY_PAGE_EXACT) {
        print_row("accesses", fl_totals_accesses(t));
        print_row("reads", t->reads);
        print_row("writes", t->writes);
        print_row("fetches", t->fetches);
        print_row("syscall reads", t->syscall_reads);
        print_row("syscall writes", t->syscall_writes);
        print_row("runs", t->runs);
        print_row("distinct pages", t->distinct_pages);
    }
    print_row("events", t->events);
    if (t->faults_minor + t->faults_major + t->faults_unknown) {
        print_row("minor faults", t->faults_minor);
        print_row("major faults", t->faults_major);
        print_row("other faults", t->faults_unknown);
    }
    print_row("lost events", t->lost_events);
    print_layer(r);
    print_row("processes", t->processes);
    print_row("threads", t->threads);
    if (peak != UINT64_MAX)
        printf("%-22s %" PRIu64 " pages, %s\n", "peak resident", peak,
               fl_format_bytes(bytes, peak * FL_PAGE_BYTES));
    print_meta(r);
}

static void print_kernel(const struct kernel_summary *s)
{
    char buf[FL_FORMAT_BYTES];
    size_t n = fl_snapshots_count(s->snapshots);
    if (s->n_rows)
        printf("\n%-50s %16s\n", "kernel event", "count");
    for (uint32_t i = 0; i < s->n_rows; i++)
        printf("%-50s %16s\n", s->rows[i].name, fl_format_count(buf, s->rows[i].count));
    if (n)
        printf("\n%-10s %10s %16s  %s\n", "snapshot", "pid", "bytes", "file of /proc");
    for (size_t i = 0; i < n; i++) {
        struct fl_snapshot x = fl_snapshots_at(s->snapshots, i);
        printf("%-10s %10" PRIu32 " %16s  ", kernel_moment_name(x.moment), x.pid,
               fl_format_count(buf, x.bytes));
        fl_put_clean(stdout, x.name);
        putchar('\n');
    }
}

/* Who records kernel events says so in the header; recordings of events may have them anyway. */
static bool may_have_kernel_events(const struct fl_reader *r)
{
    return fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT ||
           fl_meta_get(fl_reader_meta(r), "record.kernel");
}

static int show(const struct info_cfg *cfg, struct fl_reader *r, const char *path, uint64_t peak,
                const struct kernel_summary *kernel, const struct fl_sampled *sampled,
                struct fl_err *err)
{
    json_t *trace;
    if (!cfg->json) {
        print_info(r, path, peak);
        if (sampled)
            samples_info_print(sampled, stdout);
        if (kernel->snapshots)
            print_kernel(kernel);
        return FL_OK;
    }
    int rc = cmd_trace_json(r, path, peak, &trace, err);
    if (rc != FL_OK)
        return rc;
    if (kernel->snapshots)
        rc = kernel_summary_json(kernel, trace, err);
    if (rc == FL_OK && sampled)
        rc = samples_info_json(sampled, trace, err);
    if (rc == FL_OK)
        return cmd_write_json(trace, NULL, err);
    json_decref(trace);
    return rc;
}

static int run_info(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct info_cfg *cfg = arg;
    struct kernel_summary kernel = { 0 }; /* no snapshots: it was not looked for */
    struct fl_sampled *sampled = NULL;
    uint64_t peak = UINT64_MAX;
    struct fl_reader *r;
    (void)n_operands;

    int rc = cmd_open_trace(operands[0], cfg->partial, &r, err);
    if (rc != FL_OK)
        return rc;
    if (fl_reader_fidelity(r) <= FL_FIDELITY_PAGE_EXACT)
        rc = fl_footprint(r, &peak, err);
    if (rc == FL_OK && may_have_kernel_events(r))
        rc = kernel_summary_read(r, &kernel, err);
    if (rc == FL_OK && fl_reader_fidelity(r) == FL_FIDELITY_SAMPLED)
        rc = samples_info_read(r, &sampled, err);
    if (rc == FL_OK)
        rc = show(cfg, r, operands[0], peak, &kernel, sampled, err);
    fl_sampled_free(sampled);
    kernel_summary_free(&kernel);
    fl_reader_free(r);
    return rc;
}

const struct fl_cmd fl_cmd_info = {
    .name = "info",
    .summary = "Show what a trace holds: fidelity, totals, how it was recorded",
    .synopsis = "FILE [--json]",
    .description =
        "Prints the trace's fidelity, its totals, its peak resident set (what\n"
        "'--ram 50%' is relative to) and what the recorder noted of command and host.\n"
        "Of a recording with kernel events, also how often each tracepoint was passed,\n"
        "and which files of /proc it holds. Of a recording of samples, for each event how\n"
        "many there are, how much of the time it was watched, and how many accesses the\n"
        "samples stand for, with the interval that holds their number in 95 of 100.",
    .opts = info_opts,
    .cfg_size = sizeof(struct info_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = run_info,
};
