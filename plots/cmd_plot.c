/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline plot: one chart of a result. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/plot.h>
#include <faultline/report.h>

struct plot_cfg {
    const char *out_path, *count;
    bool term;
};

static const struct fl_opt plot_opts[] = {
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .at = offsetof(struct plot_cfg, out_path),
      .arg = "FILE",
      .help = "picture to write: .svg, .png or .pdf; without it SVG on standard output" },
    { .name = "count",
      .kind = FL_OPT_CHOICE,
      .at = offsetof(struct plot_cfg, count),
      .arg = "NAME",
      .def = "major",
      .names = fl_chart_count_at,
      .help = "what chart accuracy shows: major, minor, swap_in or swap_out" },
    { .name = "term",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct plot_cfg, term),
      .help = "draw with characters, for a terminal" },
    FL_OPT_END
};

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

static int choose_format(const struct plot_cfg *cfg, struct fl_plot_opts *opts, struct fl_err *err)
{
    const char *path = cfg->out_path;
    bool to_stdout = !path || strcmp(path, "-") == 0;
    if (cfg->term || (!path && isatty(STDOUT_FILENO))) {
        struct winsize ws;
        opts->format = FL_PLOT_TERM;
        if (to_stdout && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 &&
            ws.ws_col >= 40 && ws.ws_row >= 12) {
            opts->width = ws.ws_col - 1u;
            opts->height = ws.ws_row - 2u < 40 ? ws.ws_row - 2u : 40;
        }
    } else if (to_stdout || ends_with(path, ".svg"))
        opts->format = FL_PLOT_SVG;
    else if (ends_with(path, ".png"))
        opts->format = FL_PLOT_PNG;
    else if (ends_with(path, ".pdf"))
        opts->format = FL_PLOT_PDF;
    else
        return fl_fail(err, FL_EUSAGE, "%s: its name must end in .svg, .png or .pdf", path);
    return FL_OK;
}

/* The table of @chart from the first result that has it. */
static int build(const struct fl_chart *chart, const char *count, const json_t *report,
                 struct fl_table **table, struct fl_err *err)
{
    size_t n = fl_chart_times(chart, report);
    int rc = FL_EDATA;
    if (n == 0)
        return fl_fail(err, FL_EDATA, "chart %s needs a result of `faultline %s`", chart->name,
                       chart->scope == FL_CHART_OF_VALIDATION ? "validate" : "replay");
    for (size_t i = 0; i < n && rc == FL_EDATA; i++) {
        struct fl_err one = { .code = FL_OK };
        rc = chart->build_count ? chart->build_count(report, i, count, table, &one)
                                : chart->build(report, i, table, &one);
        if (rc != FL_OK && i == 0)
            *err = one;
    }
    return rc;
}

static int write_picture(const struct fl_table *table, const struct plot_cfg *cfg,
                         struct fl_err *err)
{
    struct fl_plot_opts opts = { .format = FL_PLOT_SVG };
    struct fl_outfile out;
    char *bytes = NULL;
    size_t len = 0;
    int rc = choose_format(cfg, &opts, err);
    if (rc == FL_OK)
        rc = fl_plot_render(table, &opts, &bytes, &len, err);
    if (rc == FL_OK)
        rc = fl_outfile_open(&out, cfg->out_path, err);
    if (rc == FL_OK) {
        if (fwrite(bytes, 1, len, out.stream) == len)
            rc = fl_outfile_commit(&out, err);
        else {
            rc = fl_fail_errno(err, "writing the chart");
            fl_outfile_abort(&out);
        }
    }
    free(bytes);
    return rc;
}

static int plot_run(void *arg, int n, char **operands, struct fl_err *err)
{
    const struct plot_cfg *cfg = arg;
    const struct fl_chart *chart = fl_chart_find(operands[0]);
    struct fl_table *table = NULL;
    json_t *doc = NULL, *report = NULL;
    (void)n;
    if (!chart) {
        char names[256] = "";
        for (size_t i = 0, at = 0; fl_chart_name_at(i) && at < sizeof names; i++)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                                   fl_chart_name_at(i));
        return fl_fail(err, FL_EUSAGE, "no chart \"%.40s\"; there are %s", operands[0], names);
    }
    if (!chart->build_count && strcmp(cfg->count, fl_chart_count_at(0)) != 0)
        return fl_fail(err, FL_EUSAGE, "chart %s has no --count", chart->name);
    int rc = fl_document_load(operands[1], &doc, err);
    if (rc == FL_OK && !(report = fl_report_new()))
        rc = fl_nomem(err, "the chart");
    if (rc == FL_OK)
        rc = fl_report_add(report, doc, err);
    if (rc == FL_OK)
        rc = build(chart, cfg->count, report, &table, err);
    if (rc == FL_OK)
        rc = write_picture(table, cfg, err);
    fl_table_free(table);
    json_decref(report);
    json_decref(doc);
    return rc;
}

const struct fl_cmd fl_cmd_plot = {
    .name = "plot",
    .summary = "Draw one chart of a result",
    .synopsis = "CHART R.json [-o F.svg|F.png|F.pdf] [--term] [--count NAME]",
    .description =
        "Charts:\n"
        "  accuracy     what the kernel did beside what the model said (of a validate)\n"
        "  buddy        free memory by size of block, over time (replay --allocator)\n"
        "  curve        major faults against RAM, one line a policy (of a sweep)\n"
        "  faults       faults over time, stacked by cause (of a replay)\n"
        "  fragmentation  free memory in blocks too small, over time (--allocator)\n"
        "  heat         where memory is touched, address by time *\n"
        "  oom          the OOM killer's candidates, and whom it took (of a replay)\n"
        "  resident     resident set, swap and page tables over time (of a replay)\n"
        "  slab         kernel object caches: in use, and wasted (--kernel-objects)\n"
        "  tlb-reach    page walks by mapping, and with pages of 2 MiB *\n"
        "  working-set  what was touched in the last accesses, over time *\n"
        "  * of a report, or of a replay with --locality\n\n"
        "R.json is the output of replay, sweep or validate, or a report.json, which has all.\n"
        "Needs gnuplot.",
    .examples = "  faultline plot curve sweep.json -o curve.svg\n"
                "  faultline plot resident replay.json --term\n"
                "  faultline plot accuracy v.json --count swap_in -o accuracy.svg\n",
    .opts = plot_opts,
    .cfg_size = sizeof(struct plot_cfg),
    .min_operands = 2,
    .max_operands = 2,
    .run = plot_run,
};
