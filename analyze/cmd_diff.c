/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline diff: what changed between two results or traces, where, and who did it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/policy.h>
#include <faultline/report.h>
#include <faultline/units.h>

#include "ask.h"
#include "diff.h"

struct diff_cfg {
    const char *ram, *swap; /* sizes; NULL: not given */
    const char *policy, *swap_device, *out, *markdown;
    bool json, force;
};

static const struct fl_opt diff_opts[] = {
    { .name = "ram",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct diff_cfg, ram),
      .arg = "SIZE",
      .help = "memory to replay two traces with; 50% (the default) is of A's peak resident set, "
              "and the same bytes for B" },
    { .name = "swap",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct diff_cfg, swap),
      .arg = "SIZE",
      .help = "swap to replay two traces with (default: max)" },
    { .name = "policy",
      .kind = FL_OPT_CHOICE,
      .at = offsetof(struct diff_cfg, policy),
      .arg = "NAME",
      .names = fl_policy_name_at,
      .help = "replacement policy to replay two traces with (default: lru)" },
    { .name = "swap-device",
      .kind = FL_OPT_CHOICE,
      .at = offsetof(struct diff_cfg, swap_device),
      .arg = "KIND",
      .names = fl_swap_kind_name_at,
      .help = "what their swap lies on, for `linux` and `mglru`: zram (the default), ssd or disk" },
    { .name = "force",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct diff_cfg, force),
      .help = "compare results of different questions too; the output says what differs" },
    { .name = "json",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct diff_cfg, json),
      .help = "print JSON" },
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .at = offsetof(struct diff_cfg, out),
      .arg = "FILE",
      .help = "write JSON to FILE" },
    { .name = "markdown",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct diff_cfg, markdown),
      .arg = "FILE",
      .help = "write Markdown to FILE too; - for standard output, instead of the text" },
    FL_OPT_END
};

/* A size of --@option, @text or else @def, in bytes. */
static int parse(const char *option, const char *text, const char *def, uint64_t peak_bytes,
                 struct fl_size *out, struct fl_err *err)
{
    struct fl_size size;
    struct fl_err why = { .msg = "" };
    if (fl_parse_size(text ? text : def, &size, &why) != FL_OK)
        return fl_fail(err, FL_EUSAGE, "--%s: %s", option, why.msg);
    *out = (struct fl_size){ .bytes = fl_size_bytes(&size, peak_bytes) };
    if (size.percent_bp && out->bytes < FL_PAGE_BYTES)
        out->bytes = FL_PAGE_BYTES;
    return FL_OK;
}

/* ---- inputs ------------------------------------------------------------------------ */

static int load_document(const char *path, json_t *report, struct fl_err *err)
{
    json_t *doc = NULL;
    int rc = fl_document_load(path, &doc, err);
    if (rc == FL_OK)
        rc = fl_report_add(report, doc, err);
    json_decref(doc);
    return rc;
}

/* The same question for both traces, in bytes. */
static int ask_both(const struct diff_cfg *cfg, char **paths, json_t *const reports[DIFF_SIDES],
                    struct fl_progress *progress, struct fl_err *err)
{
    uint64_t peak[DIFF_SIDES] = { 0 };
    int rc = FL_OK;
    struct ask ask = { .policy = cfg->policy ? cfg->policy : "lru",
                       .policies = "lru",
                       .swap_kind = fl_swap_kind_find(cfg->swap_device ? cfg->swap_device : "zram"),
                       .progress = progress->out ? fl_progress_step : NULL,
                       .arg = progress };
    for (int side = 0; side < DIFF_SIDES && rc == FL_OK; side++)
        rc = ask_peak(paths[side], &peak[side], err);
    uint64_t of_bytes = (peak[DIFF_A] ? peak[DIFF_A] : peak[DIFF_B]) * FL_PAGE_BYTES;
    if (rc == FL_OK)
        rc = parse("ram", cfg->ram, "50%", of_bytes, &ask.ram, err);
    if (rc == FL_OK)
        rc = parse("swap", cfg->swap, "max", of_bytes, &ask.swap, err);
    ask.curve_pages = peak[peak[DIFF_B] > peak[DIFF_A] ? DIFF_B : DIFF_A];
    for (int side = 0; side < DIFF_SIDES && rc == FL_OK; side++) {
        ask.peak_pages = peak[side];
        rc = ask_trace(paths[side], &ask, reports[side], err);
    }
    return rc;
}

static int load(const struct diff_cfg *cfg, char **paths, json_t *const reports[DIFF_SIDES],
                struct fl_err *err)
{
    bool json[DIFF_SIDES];
    struct fl_progress progress;
    int rc = FL_OK;
    for (int side = 0; side < DIFF_SIDES && rc == FL_OK; side++)
        rc = ask_is_json(paths[side], &json[side], err);
    if (rc != FL_OK)
        return rc;
    if (json[DIFF_A] != json[DIFF_B])
        return fl_fail(
            err, FL_EUSAGE, "%s is a result and %s a trace; give two results or two traces",
            paths[json[DIFF_A] ? DIFF_A : DIFF_B], paths[json[DIFF_A] ? DIFF_B : DIFF_A]);
    if (json[DIFF_A] && (cfg->ram || cfg->swap || cfg->policy || cfg->swap_device))
        return fl_fail(err, FL_EUSAGE,
                       "--ram, --swap, --policy and --swap-device are for traces; results are "
                       "compared as they are");
    fl_progress_begin(&progress, "diff", isatty(STDERR_FILENO) ? stderr : NULL);
    if (!json[DIFF_A])
        rc = ask_both(cfg, paths, reports, &progress, err);
    for (int side = 0; side < DIFF_SIDES && rc == FL_OK && json[side]; side++)
        rc = load_document(paths[side], reports[side], err);
    fl_progress_end(&progress);
    return rc;
}

/* ---- output ------------------------------------------------------------------------ */

static int write_json(const struct diff *d, const char *verdict, const char *path,
                      struct fl_err *err)
{
    struct fl_outfile out;
    json_t *doc = diff_json(d, verdict);
    int rc = doc ? fl_outfile_open(&out, path, err) : fl_nomem(err, "comparing");
    if (rc == FL_OK) {
        if (json_dumpf(doc, out.stream, JSON_INDENT(1) | JSON_ENSURE_ASCII) != 0 ||
            fputc('\n', out.stream) == EOF)
            rc = fl_fail_errno(err, "writing the comparison's JSON");
        rc = rc == FL_OK ? fl_outfile_commit(&out, err) : rc;
        if (rc != FL_OK)
            fl_outfile_abort(&out);
    }
    json_decref(doc);
    return rc;
}

static int write_markdown(const struct fl_view *view, const char *path, struct fl_err *err)
{
    struct fl_outfile out;
    int rc = fl_outfile_open(&out, path, err);
    if (rc != FL_OK)
        return rc;
    rc = fl_report_md(view, out.stream, err);
    if (rc == FL_OK)
        rc = fl_outfile_commit(&out, err);
    if (rc != FL_OK)
        fl_outfile_abort(&out);
    return rc;
}

static int output(const struct diff_cfg *cfg, const struct diff *d, char **paths,
                  struct fl_err *err)
{
    struct fl_view *view = NULL;
    int rc = diff_view(d, (const char *const[]){ paths[DIFF_A], paths[DIFF_B] }, &view, err);
    if (rc == FL_OK && cfg->markdown)
        rc = write_markdown(view, cfg->markdown, err);
    if (rc == FL_OK && (cfg->json || cfg->out))
        rc = write_json(d, view->verdict, cfg->out, err);
    else if (rc == FL_OK && !(cfg->markdown && strcmp(cfg->markdown, "-") == 0))
        rc = diff_text(view, stdout, err);
    fl_view_free(view);
    return rc;
}

static int check_outputs(const struct diff_cfg *cfg, char **paths, struct fl_err *err)
{
    const char *json = cfg->out ? cfg->out : cfg->json ? "-" : NULL;
    if (json && cfg->markdown && strcmp(json, cfg->markdown) == 0)
        return fl_fail(err, FL_EUSAGE, "JSON and --markdown cannot both go to %s",
                       strcmp(json, "-") == 0 ? "standard output" : json);
    int rc = FL_OK;
    for (int side = 0; side < DIFF_SIDES && rc == FL_OK; side++) {
        rc = fl_outfile_apart(cfg->out, paths[side], err);
        if (rc == FL_OK)
            rc = fl_outfile_apart(cfg->markdown, paths[side], err);
    }
    return rc;
}

static int diff_run(void *arg, int n, char **operands, struct fl_err *err)
{
    const struct diff_cfg *cfg = arg;
    json_t *const reports[DIFF_SIDES] = { fl_report_new(), fl_report_new() };
    struct diff *d = NULL;
    (void)n;
    int rc = reports[DIFF_A] && reports[DIFF_B] ? check_outputs(cfg, operands, err)
                                                : fl_nomem(err, "comparing");
    if (rc == FL_OK)
        rc = load(cfg, operands, reports, err);
    if (rc == FL_OK)
        rc = diff_new(reports[DIFF_A], reports[DIFF_B], cfg->force, &d, err);
    if (rc == FL_OK)
        rc = output(cfg, d, operands, err);
    diff_free(d);
    json_decref(reports[DIFF_A]);
    json_decref(reports[DIFF_B]);
    return rc;
}

const struct fl_cmd fl_cmd_diff = {
    .name = "diff",
    .summary = "Compare two results or traces: what changed, where, and who did it",
    .synopsis = "A.json B.json [--force] [--json | -o FILE] [--markdown FILE]\n"
                "A.flt B.flt [--ram SIZE] [--swap SIZE] [--policy NAME] [--json | -o FILE] "
                "[--markdown FILE]",
    .description =
        "Two results of replay, two sweeps, two reports or two measurements of validate are\n"
        "compared as they are. Two exact traces are replayed with the same bytes of RAM and swap,\n"
        "and over the same 24 sizes, up to 105 % of the larger peak, under lru and --policy; of\n"
        "two events traces, what the kernel reported is compared.\n\n"
        "Curves are compared at every size that both have. Processes, mappings and functions are\n"
        "paired by name although addresses, process ids, folders, versions and compilers' suffixes\n"
        "differ, and ranked by how much of the change is theirs.\n\n"
        "Results of different questions (RAM, swap, policy, machine) are refused with exit status\n"
        "4, unless --force. That A and B differ is no failure: the exit status is 0.",
    .examples = "  faultline diff before.flt after.flt --ram 64M\n"
                "  faultline diff before.json after.json --markdown diff.md\n"
                "  faultline diff main-sweep.json branch-sweep.json --json",
    .opts = diff_opts,
    .cfg_size = sizeof(struct diff_cfg),
    .min_operands = 2,
    .max_operands = 2,
    .run = diff_run,
};
