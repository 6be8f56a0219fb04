/* SPDX-License-Identifier: GPL-2.0-or-later */
/* validate: the kernel's own counts beside the model's. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <faultline/cmd.h>
#include <faultline/command.h>
#include <faultline/units.h>

#include "validate.h"

struct validate_cfg {
    const char *ram, *swap, *policy, *trace, *save_trace, *measured, *cpus, *costs, *out;
    uint64_t runs, timeout_ns;
    bool show_output, no_align, json;
};

static const struct fl_opt opts[] = {
    { "ram", 0, FL_OPT_SIZES, offsetof(struct validate_cfg, ram), "LIST", NULL,
      "memory limits: 64M,128M or 40%..95%/5, of the trace's peak; default: five from 40 % to 95 % "
      "of the peak the kernel charges without a limit",
      NULL },
    { "runs", 'n', FL_OPT_UINT, offsetof(struct validate_cfg, runs), "N", "5",
      "real runs at each limit", NULL },
    { "swap", 0, FL_OPT_STRING, offsetof(struct validate_cfg, swap), "KIND", "auto",
      "zram[:SIZE], file[:SIZE], none, or auto: what is on, else zram, else a file; a SIZE not "
      "given is twice the peak",
      NULL },
    { "policy", 0, FL_OPT_CHOICES, offsetof(struct validate_cfg, policy), "LIST", NULL,
      "policies to replay, the first one judged; default: linux,lru,clock", fl_policy_name_at },
    { "trace", 0, FL_OPT_STRING, offsetof(struct validate_cfg, trace), "FILE", NULL,
      "replay this recording of the command instead of making one", NULL },
    { "save-trace", 0, FL_OPT_STRING, offsetof(struct validate_cfg, save_trace), "FILE", NULL,
      "keep the recording", NULL },
    { "measured", 0, FL_OPT_STRING, offsetof(struct validate_cfg, measured), "FILE", NULL,
      "run nothing: take the command and the kernel's runs from this earlier result, and replay "
      "--trace; needs no root",
      NULL },
    { "cpus", 0, FL_OPT_STRING, offsetof(struct validate_cfg, cpus), "LIST", NULL,
      "CPUs for the real runs: 0 or 0,2-3", NULL },
    { "costs", 0, FL_OPT_STRING, offsetof(struct validate_cfg, costs), "FILE", NULL,
      "what faults and swapping cost, for the model's clock: a file of 'faultline calibrate'",
      NULL },
    { "timeout", 0, FL_OPT_DURATION, offsetof(struct validate_cfg, timeout_ns), "TIME", "10m",
      "kill a real run that takes longer", NULL },
    { "no-align", 0, FL_OPT_FLAG, offsetof(struct validate_cfg, no_align), NULL, NULL,
      "start real runs at once, not at phases of the kernel's statistics flushes: quicker by some "
      "2 s a run",
      NULL },
    { "show-output", 0, FL_OPT_FLAG, offsetof(struct validate_cfg, show_output), NULL, NULL,
      "let the command's output through, to standard error", NULL },
    { "output", 'o', FL_OPT_STRING, offsetof(struct validate_cfg, out), "FILE", NULL,
      "write the result there as JSON", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct validate_cfg, json), NULL, NULL,
      "print JSON instead of a table", NULL },
    FL_OPT_END
};

/* ---- signals ---------------------------------------------------------------------- */

static const int handled[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t stop;

static void note_signal(int signo)
{
    stop = signo;
}

static void take_signals(struct sigaction before[FL_COUNT(handled)])
{
    struct sigaction act = { .sa_handler = note_signal };
    for (size_t i = 0; i < FL_COUNT(handled); i++) {
        sigaction(handled[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(handled[i], &act, NULL);
    }
}

static void give_signals_back(const struct sigaction before[FL_COUNT(handled)])
{
    for (size_t i = 0; i < FL_COUNT(handled); i++)
        sigaction(handled[i], &before[i], NULL);
}

/* ---- the question ------------------------------------------------------------------- */

static int choose_policies(struct validate *v, const char *list, struct fl_err *err)
{
    for (const char *p = list ? list : "linux,lru,clock"; *p; p += *p == ',') {
        char name[32];
        size_t len = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        const struct fl_policy_ops *policy = fl_policy_find(name);
        if (policy && v->n_policies == VALIDATE_POLICIES_MAX)
            return fl_fail(err, FL_EUSAGE, "--policy: more than %d names", VALIDATE_POLICIES_MAX);
        if (policy)
            v->policies[v->n_policies++] = policy;
        p += len;
    }
    return FL_OK;
}

static int check_command(const char *name, struct fl_err *err)
{
    char path[FL_COMMAND_PATH_BYTES];
    if (!name)
        return fl_fail(err, FL_EUSAGE, "no command to run; give one after --");
    int why = fl_command_find(name, path);
    if (!why)
        return FL_OK;
    return fl_fail(err, FL_EUSAGE, "%s: %s", name,
                   why == 127 ? "command not found; give its path, or check PATH"
                              : "cannot be executed; check its permissions");
}

/* The runs are there: what would make others has no place beside them. */
static int check_measured(const struct validate_cfg *cfg, const struct validate *v,
                          struct fl_err *err)
{
    if (v->argv[0] || cfg->ram || cfg->save_trace || cfg->cpus)
        return fl_fail(
            err, FL_EUSAGE,
            "--measured has the command and its limits: leave out CMD, --ram, --cpus and "
            "--save-trace");
    if (!cfg->trace)
        return fl_fail(err, FL_EUSAGE, "--measured: give the recording to replay with --trace");
    return fl_outfile_apart(cfg->out, cfg->measured, err);
}

static int question(const struct validate_cfg *cfg, struct validate *v,
                    struct fl_swapdev_request *swap, cpu_set_t *cpus, struct fl_err *err)
{
    if (cfg->runs < 1 || cfg->runs > VALIDATE_RUNS_MAX)
        return fl_fail(err, FL_EUSAGE, "--runs: between 1 and %d", VALIDATE_RUNS_MAX);
    if (cfg->timeout_ns == 0)
        return fl_fail(err, FL_EUSAGE, "--timeout: longer than that");
    v->runs = (unsigned)cfg->runs;
    v->timeout_ns = cfg->timeout_ns;
    v->show_output = cfg->show_output;
    v->no_align = cfg->no_align;
    v->stop = &stop;
    int rc = cfg->measured ? check_measured(cfg, v, err) : check_command(v->argv[0], err);
    if (rc == FL_OK)
        rc = choose_policies(v, cfg->policy, err);
    if (rc == FL_OK)
        rc = fl_swapdev_parse(cfg->swap, swap, err);
    if (rc == FL_OK && cfg->cpus) {
        rc = fl_cpus_parse(cfg->cpus, cpus, err);
        v->cpus = cpus;
    }
    if (rc == FL_OK && cfg->trace)
        rc = fl_outfile_apart(cfg->out, cfg->trace, err);
    if (rc == FL_OK && cfg->costs)
        rc = fl_outfile_apart(cfg->out, cfg->costs, err);
    v->costs = *fl_costs_default();
    if (rc == FL_OK && cfg->costs)
        rc = fl_costs_load(cfg->costs, &v->costs, err);
    return rc == FL_OK && !cfg->measured ? fl_swapdev_check(swap, err) : rc;
}

/* ---- the answer ------------------------------------------------------------------------ */

static const char *scratch_dir(void)
{
    const char *dir = getenv("TMPDIR");
    return dir && *dir ? dir : "/var/tmp"; /* /tmp may be memory, which holds no swap */
}

/* The trace: given, kept, or gone at the end. */
static int get_trace(const struct validate_cfg *cfg, struct validate *v, char path[],
                     struct fl_err *err)
{
    if (cfg->trace || cfg->save_trace) {
        snprintf(path, FL_GUARD_PATH_BYTES, "%s", cfg->trace ? cfg->trace : cfg->save_trace);
        return cfg->trace ? FL_OK : validate_record(v, path, err);
    }
    snprintf(path, FL_GUARD_PATH_BYTES, "%s/faultline-%d.flt", scratch_dir(), getpid());
    int rc = fl_guard_add(v->guard, FL_UNDO_FILE, path, err);
    return rc == FL_OK ? validate_record(v, path, err) : rc;
}

static void doubt_trace(const struct validate *v, const struct fl_reader *r, json_t *quality)
{
    const char *recorded = fl_meta_get(fl_reader_meta(r), "command.argv");
    if (recorded && strcmp(recorded, v->command) != 0)
        fl_quality_add(quality, "other_command", "the trace is of another command line");
}

static int write_json(json_t *json, const char *path, struct fl_err *err)
{
    struct fl_outfile out;
    int rc = json ? fl_outfile_open(&out, path, err) : fl_nomem(err, "result");
    if (rc == FL_OK) {
        json_dumpf(json, out.stream, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
        fputc('\n', out.stream);
        rc = fl_outfile_commit(&out, err);
    }
    json_decref(json);
    return rc;
}

static int answer(const struct validate_cfg *cfg, const struct validate *v, struct fl_reader *r,
                  const char *path, struct fl_err *err)
{
    uint64_t peak_pages;
    char sha256[65];
    json_t *quality = fl_quality_json(r);
    validate_doubts(v, quality);
    doubt_trace(v, r, quality);
    if (!cfg->json && !cfg->out) {
        validate_text(v, quality, stdout);
        json_decref(quality);
        return FL_OK;
    }
    int rc = fl_footprint(r, &peak_pages, err);
    if (rc == FL_OK)
        rc = fl_reader_sha256(r, sha256, err);
    if (rc != FL_OK) {
        json_decref(quality);
        return rc;
    }
    bool kept = cfg->trace || cfg->save_trace;
    return write_json(
        validate_json(v, fl_trace_json(r, kept ? path : "", sha256, peak_pages), quality), cfg->out,
        err);
}

/* Can a trace that was given answer at all? Better known before minutes of runs than after. */
static int check_trace(const char *path, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    uint64_t pages;
    int rc = fl_reader_open_path(path, 0, &r, err);
    if (rc == FL_OK)
        rc = fl_footprint(r, &pages, err);
    fl_reader_free(r);
    return rc;
}

/* The runs under limits; the machine is as before when this returns. */
static int measure(const struct validate_cfg *cfg, struct validate *v,
                   const struct fl_swapdev_request *swap, struct fl_reader **r, char path[],
                   struct fl_err *err)
{
    int rc = cfg->trace ? check_trace(cfg->trace, err) : FL_OK;
    v->command = fl_command_quote(v->argv);
    if (rc == FL_OK && !v->command)
        rc = fl_nomem(err, "command");
    if (rc == FL_OK)
        rc = validate_begin(v, err);
    if (rc == FL_OK)
        rc = validate_native(v, err);
    if (rc == FL_OK)
        rc = get_trace(cfg, v, path, err);
    if (rc == FL_OK)
        rc = fl_reader_open_path(path, 0, r, err);
    if (rc == FL_OK)
        rc = validate_warm_find(*r, &v->warm, err);
    if (rc == FL_OK)
        rc = validate_points(v, cfg->ram, *r, err);
    if (rc == FL_OK)
        rc = validate_kernel(v, swap, scratch_dir(), err);
    return rc;
}

/* Or runs that were made before. */
static int recall(const struct validate_cfg *cfg, struct validate *v, struct fl_reader **r,
                  char path[], struct fl_err *err)
{
    snprintf(path, FL_GUARD_PATH_BYTES, "%s", cfg->trace);
    int rc = validate_load(v, cfg->measured, err);
    if (rc == FL_OK)
        rc = check_trace(path, err);
    if (rc == FL_OK)
        rc = fl_reader_open_path(path, 0, r, err);
    v->steps_all = 1;
    return rc;
}

static int run(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct validate_cfg *cfg = arg;
    struct validate v = { .argv = operands };
    struct fl_swapdev_request swap;
    cpu_set_t cpus;
    struct sigaction before[FL_COUNT(handled)];
    struct fl_reader *r = NULL;
    struct fl_progress progress;
    char path[FL_GUARD_PATH_BYTES] = "";
    (void)n_operands;

    int rc = question(cfg, &v, &swap, &cpus, err);
    if (rc != FL_OK)
        return rc;
    fl_progress_begin(&progress, "validate",
                      isatty(STDERR_FILENO) && !cfg->show_output ? stderr : NULL);
    v.progress = progress.out ? fl_progress_step : NULL;
    v.progress_arg = &progress;
    if (cfg->measured) {
        rc = recall(cfg, &v, &r, path, err);
    } else {
        validate_look(&v);
        take_signals(before);
        rc = measure(cfg, &v, &swap, &r, path, err);
        if (rc == FL_OK)
            rc = validate_stopped(&v, err);
        give_signals_back(before); /* from here on nothing but a temporary file is left to undo */
    }
    if (rc == FL_OK)
        rc = validate_predict(&v, path, err);
    fl_progress_end(&progress);
    if (rc == FL_OK)
        rc = answer(cfg, &v, r, path, err);
    fl_reader_free(r);
    int undone = validate_end(&v, rc == FL_OK ? err : NULL);
    return rc == FL_OK ? undone : rc;
}

const struct fl_cmd fl_cmd_validate = {
    .name = "validate",
    .summary = "Run a command under real memory limits and compare the model with the kernel",
    .synopsis =
        "[--ram LIST] [--runs N] [--swap KIND] [--policy LIST] [-o FILE] [--] CMD [ARG...]\n"
        "--measured FILE --trace FILE [--policy LIST] [--costs FILE] [-o FILE]",
    .description =
        "Runs CMD without a limit, records it once, runs it N times under each limit in a memory\n"
        "control group of its own, replays the recording at the same limits, and prints what the\n"
        "kernel counted (median and range) beside what the model says, and the error in percent\n"
        "of the median. CMD has to do the same each time it is run; its standard input is\n"
        "/dev/null.\n\n"
        "Needs root. Unless swap is on already, a zram device or a swap file is made for the time\n"
        "of the runs. Everything made is taken away again, also when validate is killed.\n"
        "Only one validate runs on a machine at a time. With --measured nothing is run.",
    .examples = "  faultline validate -- sort big.txt\n"
                "  faultline validate --ram 64M..256M/4 --runs 3 --swap file -- sort big.txt\n"
                "  faultline validate --measured V.json --trace T.flt --costs C.json",
    .opts = opts,
    .cfg_size = sizeof(struct validate_cfg),
    .takes_command = true,
    .max_operands = -1,
    .run = run,
};
