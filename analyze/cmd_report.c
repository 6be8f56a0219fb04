/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline report: traces and results in, a folder for people and CI out. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/plot.h>
#include <faultline/policy.h>
#include <faultline/report.h>
#include <faultline/units.h>

#include "ask.h"
#include "report_folder.h"

struct report_cfg {
    const char *out_dir;
    struct fl_size ram, swap;
    const char *policy, *policies, *swap_device;
    bool json;
};

static const struct fl_opt report_opts[] = {
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .at = offsetof(struct report_cfg, out_dir),
      .arg = "DIR",
      .help = "folder to write; created if it is not there" },
    { .name = "ram",
      .kind = FL_OPT_SIZE,
      .at = offsetof(struct report_cfg, ram),
      .arg = "SIZE",
      .def = "50%",
      .help = "memory to replay a trace with; 50% is of its peak resident set" },
    { .name = "swap",
      .kind = FL_OPT_SIZE,
      .at = offsetof(struct report_cfg, swap),
      .arg = "SIZE",
      .def = "max",
      .help = "swap to replay a trace with" },
    { .name = "policy",
      .kind = FL_OPT_CHOICE,
      .at = offsetof(struct report_cfg, policy),
      .arg = "NAME",
      .def = "lru",
      .names = fl_policy_name_at,
      .help = "replacement policy of the replay" },
    { .name = "policies",
      .kind = FL_OPT_CHOICES,
      .at = offsetof(struct report_cfg, policies),
      .arg = "LIST",
      .def = "lru,clock,opt,linux",
      .names = fl_policy_name_at,
      .help = "policies of the curve of faults against RAM" },
    { .name = "swap-device",
      .kind = FL_OPT_CHOICE,
      .at = offsetof(struct report_cfg, swap_device),
      .arg = "KIND",
      .def = "zram",
      .names = fl_swap_kind_name_at,
      .help = "what swap lies on, for `linux` and `mglru`: zram, ssd or disk (rotational)" },
    { .name = "json",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct report_cfg, json),
      .help = "print report.json instead of a summary; -o may then be left out" },
    FL_OPT_END
};

/* ---- inputs -------------------------------------------------------------------- */

static int add_input(const char *path, const struct ask *ask, json_t *report, struct fl_err *err)
{
    bool is_json;
    json_t *doc = NULL;
    int rc = ask_is_json(path, &is_json, err);
    if (rc != FL_OK)
        return rc;
    if (!is_json)
        return ask_trace(path, ask, report, err);
    rc = fl_document_load(path, &doc, err);
    if (rc == FL_OK)
        rc = fl_report_add(report, doc, err);
    json_decref(doc);
    return rc;
}

#define CURVES_ASKED_MAX 4u

/* Without a sweep among the inputs, the results' own traces can still give the curve. */
static void add_curves(const struct ask *ask, json_t *report, struct fl_err *why)
{
    const json_t *result;
    const char *done[CURVES_ASKED_MAX];
    size_t n_done = 0, asked = 0;
    why->msg[0] = '\0';
    for (size_t i = 0; (result = fl_report_result(report, i)) && n_done < CURVES_ASKED_MAX; i++) {
        const char *source = fl_document_text(result, "source");
        const char *sha = fl_document_text(result, "trace.sha256");
        bool again = false;
        if (source && strcmp(source, "observed") == 0)
            continue;
        for (size_t k = 0; k < n_done; k++)
            again |= sha && strcmp(done[k], sha) == 0;
        if (again)
            continue;
        struct fl_err err = { .code = FL_OK };
        if (ask_curve(result, ask, report, &err) == FL_OK)
            asked++;
        else if (!why->msg[0])
            *why = err;
        done[n_done++] = sha ? sha : "";
    }
    if (asked > 0)
        why->msg[0] = '\0';
}

/* ---- the command that makes it again ------------------------------------------------ */

static void quote_for_shell(FILE *out, const char *s)
{
    if (*s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                          "@%+=:,./-_")] == '\0') {
        fputs(s, out);
        return;
    }
    fputc('\'', out);
    for (; *s; s++)
        if (*s == '\'')
            fputs("'\\''", out);
        else
            fputc(*s, out);
    fputc('\'', out);
}

static void put_size(FILE *out, const char *name, const struct fl_size *size)
{
    if (size->percent_bp)
        fprintf(out, " --%s %u.%02u%%", name, size->percent_bp / 100, size->percent_bp % 100);
    else if (size->bytes == FL_SIZE_MAX_BYTES)
        fprintf(out, " --%s max", name);
    else
        fprintf(out, " --%s %llu", name, (unsigned long long)size->bytes);
}

static char *reproduce(const struct report_cfg *cfg, int n, char **operands)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fputs("faultline report", out);
    for (int i = 0; i < n; i++) {
        fputc(' ', out);
        quote_for_shell(out, operands[i]);
    }
    put_size(out, "ram", &cfg->ram);
    put_size(out, "swap", &cfg->swap);
    fprintf(out, " --policy %s --policies %s --swap-device %s -o ", cfg->policy, cfg->policies,
            cfg->swap_device);
    quote_for_shell(out, cfg->out_dir ? cfg->out_dir : "report");
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- output ------------------------------------------------------------------------- */

static int draw_chart(struct fl_view_chart *c, struct fl_err *err)
{
    struct fl_plot_opts wide = { .format = FL_PLOT_SVG, .id = c->id, .area = &c->area };
    unsigned names = 0; /* along the y axis: a phone has room for them between the rows alone */
    for (size_t i = 0; i < c->table->n_marks; i++)
        names += c->table->marks[i].axis == 'y';
    /* For a phone: the legend goes below, a line a name when names are long. */
    struct fl_plot_opts narrow = { .format = FL_PLOT_SVG,
                                   .width = 420,
                                   .height = 360 + 19 * (unsigned)c->table->n_columns +
                                             (names > 1 ? 26 * names : 0),
                                   .id = c->id,
                                   .area = &c->area_narrow };
    int rc = fl_plot_render(c->table, &wide, &c->svg, &c->svg_len, err);
    if (rc == FL_OK)
        rc = fl_plot_render(c->table, &narrow, &c->svg_narrow, &c->svg_narrow_len, err);
    return rc;
}

static int draw_charts(struct fl_view *view, struct fl_err *err)
{
    if (!fl_plot_available()) {
        fl_note("%s", FL_PLOT_REMEDY);
        return FL_OK;
    }
    for (size_t i = 0; i < view->n_charts; i++)
        if (view->charts[i].table) {
            struct fl_view_chart *c = &view->charts[i];
            int rc = draw_chart(c, err);
            if (rc == FL_OK)
                continue;
            if (rc == FL_ENOMEM)
                return rc;
            /* Numbers that gnuplot cannot draw are still worth a report. */
            free(c->svg);
            c->svg = NULL;
            free(c->note);
            if (asprintf(&c->note, "Left out: %s.", err->msg) < 0) {
                c->note = NULL;
                return fl_nomem(err, "the report");
            }
            fl_warn("chart %s left out: %s", c->id, err->msg);
        }
    return FL_OK;
}

static void print_summary(const char *dir, const struct fl_view *view)
{
    printf("%s/index.html\n%s\n", dir, view->verdict);
    for (size_t i = 0; i < view->n_lines; i++)
        printf("  %s\n", view->lines[i]);
}

static int report_run(void *arg, int n, char **operands, struct fl_err *err)
{
    const struct report_cfg *cfg = arg;
    struct fl_progress progress;
    fl_progress_begin(&progress, "report", isatty(STDERR_FILENO) ? stderr : NULL);
    struct ask ask = { .ram = cfg->ram,
                       .swap = cfg->swap,
                       .policy = cfg->policy,
                       .policies = cfg->policies,
                       .swap_kind = fl_swap_kind_find(cfg->swap_device),
                       .samples = true,
                       .progress = progress.out ? fl_progress_step : NULL,
                       .arg = &progress };
    struct fl_view *view = NULL;
    struct fl_err why = { .msg = "" };
    int rc = FL_OK;
    if (!cfg->out_dir && !cfg->json)
        return fl_fail(err, FL_EUSAGE, "where to? give -o DIR (or --json)");
    if (cfg->out_dir && !*cfg->out_dir)
        return fl_fail(err, FL_EUSAGE, "-o needs the name of a folder");
    json_t *report = fl_report_new();
    char *command = reproduce(cfg, n, operands);
    if (!report || !command)
        rc = fl_nomem(err, "the report");
    for (int i = 0; i < n && rc == FL_OK; i++)
        rc = add_input(operands[i], &ask, report, err);
    if (rc == FL_OK && !fl_report_sweep(report, 0))
        add_curves(&ask, report, &why);
    fl_progress_end(&progress);
    if (rc == FL_OK)
        rc = fl_view_new(report, command, why.msg[0] ? why.msg : NULL, &view, err);
    if (rc == FL_OK && cfg->out_dir)
        rc = draw_charts(view, err);
    if (rc == FL_OK && cfg->out_dir)
        rc = report_folder_write(cfg->out_dir, view, report, err);
    if (rc == FL_OK && cfg->json)
        rc = fl_report_json(report, stdout, err);
    else if (rc == FL_OK)
        print_summary(cfg->out_dir, view);
    fl_view_free(view);
    free(command);
    json_decref(report);
    return rc;
}

const struct fl_cmd fl_cmd_report = {
    .name = "report",
    .summary = "Write a report of traces and results: HTML, Markdown, JSON and charts",
    .synopsis =
        "FILE|R.json... -o DIR [--ram SIZE] [--swap SIZE] [--policy NAME] [--policies LIST]",
    .description =
        "An exact trace (.flt) is replayed once with --ram, --swap and --policy, and over 24 RAM\n"
        "sizes from 5 % to 105 % of its peak resident set for the curve of faults against RAM;\n"
        "the kernel's policies, which take a replay a size, over every third of them, the last\n"
        "two and --ram. --policy is among the curves.\n"
        "An events trace is reported as the kernel saw it, by time, process and mapping; of a\n"
        "sampled trace, estimates of accesses by process, mapping, function and data source.\n"
        "Results of replay, sweep, validate and report are taken as they are; several inputs\n"
        "stand side by side. A replay's result without a sweep gets its curve from its trace, if\n"
        "that is still there and unchanged. What validate measured of the same program is drawn\n"
        "on the curve too.\n\n"
        "DIR gets index.html (one file, loads nothing), report.md (fit for a pull request),\n"
        "report.json (\"faultline.report/1\") and charts/*.svg. Charts need gnuplot; without it\n"
        "all the rest is written.",
    .examples = "  faultline report cc1.flt --ram 64M -o report      replay, curve, report\n"
                "  faultline report before.json after.json -o cmp    two results side by side\n"
                "  faultline report cc1.flt v.json -o report         and what the kernel did\n",
    .opts = report_opts,
    .cfg_size = sizeof(struct report_cfg),
    .min_operands = 1,
    .max_operands = -1,
    .run = report_run,
};
