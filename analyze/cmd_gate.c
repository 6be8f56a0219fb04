/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultline gate: is a result within its budgets? */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/cmd.h>
#include <faultline/report.h>
#include <faultline/units.h>

#include "budget_file.h"
#include "gate.h"

struct gate_cfg {
    const char *budget, *baseline, *junit, *markdown, *bench;
    bool json;
};

static const struct fl_opt gate_opts[] = {
    { .name = "budget",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct gate_cfg, budget),
      .arg = "FILE",
      .help = "what the result must keep to, TOML or JSON" },
    { .name = "baseline",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct gate_cfg, baseline),
      .arg = "B.json",
      .help = "an earlier result of the same question, for max_increase and max_decrease" },
    { .name = "junit",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct gate_cfg, junit),
      .arg = "FILE",
      .help = "write the verdict as JUnit XML, a test case a budget" },
    { .name = "markdown",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct gate_cfg, markdown),
      .arg = "FILE",
      .help = "write a summary for a comment on a pull request" },
    { .name = "bench",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct gate_cfg, bench),
      .arg = "FILE",
      .help = "write the values as a benchmark dashboard's JSON, smaller is better" },
    { .name = "json",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct gate_cfg, json),
      .help = "print the verdict as JSON instead of a table" },
    FL_OPT_END
};

#define OUTPUTS 3u

/* A file asked for. Standard output takes one form at most, and the table when there is none. */
struct output {
    const char *option, *path; /* path NULL: not asked for */
    gate_writer *write;
    struct fl_outfile file;
    bool open;
};

static bool is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int check_outputs(const struct gate_cfg *cfg, const char *result, const struct output *out,
                         struct fl_err *err)
{
    const char *inputs[] = { result, cfg->budget, cfg->baseline };
    unsigned on_stdout = cfg->json;
    for (size_t i = 0; i < OUTPUTS; i++) {
        if (out[i].path && !*out[i].path)
            return fl_fail(err, FL_EUSAGE, "%s needs the name of a file", out[i].option);
        on_stdout += is_stdout(out[i].path);
        for (size_t k = 0; k < i; k++)
            if (out[i].path && out[k].path && !is_stdout(out[i].path) &&
                strcmp(out[i].path, out[k].path) == 0)
                return fl_fail(err, FL_EUSAGE, "%s and %s name the same file, %s", out[k].option,
                               out[i].option, out[i].path);
        for (size_t k = 0; k < FL_COUNT(inputs); k++) {
            int rc = inputs[k] ? fl_outfile_apart(out[i].path, inputs[k], err) : FL_OK;
            if (rc != FL_OK)
                return rc;
        }
    }
    if (on_stdout > 1)
        return fl_fail(err, FL_EUSAGE, "only one form can go to standard output");
    return FL_OK;
}

/* All of them or none: each is written out in full before the first gets its name. */
static int write_outputs(const struct gate *gate, struct output *out, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; i < OUTPUTS && rc == FL_OK; i++) {
        if (!out[i].path || is_stdout(out[i].path))
            continue;
        rc = fl_outfile_open(&out[i].file, out[i].path, err);
        out[i].open = rc == FL_OK;
        if (rc == FL_OK)
            rc = out[i].write(gate, out[i].file.stream, err);
        if (rc == FL_OK && fflush(out[i].file.stream) != 0)
            rc = fl_fail_errno(err, "cannot write %s", out[i].path);
    }
    for (size_t i = 0; i < OUTPUTS; i++) {
        if (!out[i].open)
            continue;
        if (rc == FL_OK)
            rc = fl_outfile_commit(&out[i].file, err);
        else
            fl_outfile_abort(&out[i].file);
    }
    return rc;
}

static int write_verdict(const struct gate_cfg *cfg, const struct gate *gate, struct output *out,
                         struct fl_err *err)
{
    gate_writer *print = cfg->json ? gate_json : gate_text;
    for (size_t i = 0; i < OUTPUTS; i++)
        if (is_stdout(out[i].path))
            print = out[i].write;
    int rc = write_outputs(gate, out, err);
    return rc == FL_OK ? print(gate, stdout, err) : rc;
}

static int gate_run(void *arg, int n, char **operands, struct fl_err *err)
{
    const struct gate_cfg *cfg = arg;
    struct output out[OUTPUTS] = { { .option = "--junit", .path = cfg->junit, .write = gate_junit },
                                   { "--markdown", cfg->markdown, gate_markdown, { 0 }, false },
                                   { "--bench", cfg->bench, gate_bench, { 0 }, false } };
    struct budgets *budgets = NULL;
    struct gate *gate = NULL;
    json_t *result = NULL, *baseline = NULL;
    (void)n;
    if (!cfg->budget)
        return fl_fail(err, FL_EUSAGE, "what must it keep to? give --budget FILE");
    int rc = check_outputs(cfg, operands[0], out, err);
    if (rc == FL_OK)
        rc = budget_file_read(cfg->budget, &budgets, err);
    if (rc == FL_OK)
        rc = fl_document_load(operands[0], &result, err);
    if (rc == FL_OK && cfg->baseline)
        rc = fl_document_load(cfg->baseline, &baseline, err);
    if (rc == FL_OK)
        rc = gate_judge(budgets, result, operands[0], baseline, cfg->baseline, &gate, err);
    if (rc == FL_OK)
        rc = write_verdict(cfg, gate, out, err);
    if (rc == FL_OK && gate->failed)
        rc = fl_exit_code(FL_EBUDGET);
    gate_free(gate);
    json_decref(baseline);
    json_decref(result);
    budgets_free(budgets);
    return rc;
}

const struct fl_cmd fl_cmd_gate = {
    .name = "gate",
    .summary = "Hold a result against budgets: the verdict for CI",
    .synopsis = "R.json --budget FILE [--baseline B.json] [--junit FILE] [--markdown FILE] "
                "[--bench FILE] [--json]",
    .description =
        "R.json is what replay, sweep, report or validate wrote. A budget file is TOML, or JSON\n"
        "of the same structure: a [[budget]] table for each number, with its `key` and any of\n"
        "`max`, `min`, `max_increase` and `max_decrease`. The last two are a number or a\n"
        "percentage such as \"5%\", and need --baseline. `at`, `policy`, `swap` and `machine`\n"
        "choose a sweep's point, `name` is what reports call the budget.\n\n"
        "  [[budget]]\n"
        "  key = \"faults.major\"\n"
        "  at = \"512M\"\n"
        "  max = 1000\n"
        "  max_increase = \"5%\"\n\n"
        "A key is a dotted path of docs/results.md: tlb.levels.L1D.misses, oom.kills.length,\n"
        "by_mapping.\"/usr/lib/libc.so.6\".major with quotes around a name that has dots.\n"
        "A budget that is just reached is kept. Of a baseline of 0 every percentage is 0.\n\n"
        "No verdict is made, and no file written, of a number that is not there, of data with\n"
        "lost events or another doubt about its counts, or against a baseline of another\n"
        "question (exit status 4). Budgets that are not kept give exit status 3. After an\n"
        "out-of-memory kill only budgets on kills can be kept. The same files always give the\n"
        "same verdict, to the byte.",
    .examples = "  faultline gate r.json --budget b.toml\n"
                "  faultline gate r.json --baseline main.json --budget b.toml --junit j.xml\n"
                "  faultline gate s.json --budget b.toml --markdown -   the comment, to stdout\n",
    .opts = gate_opts,
    .cfg_size = sizeof(struct gate_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = gate_run,
};
