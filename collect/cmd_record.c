/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: run a command and write what it does to memory. */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <faultline/cmd.h>
#include <faultline/record.h>
#include <faultline/units.h>

struct record_cfg {
    const char *mode, *output;
    bool redact, no_ip, quiet;
};

static const struct record_mode {
    const char *name;
    int (*run)(const struct fl_record_opts *, struct fl_record_status *, struct fl_err *);
} modes[] = {
    { "exact", fl_record_exact },
    { "events", fl_record_events },
};

static const char *mode_name(size_t i)
{
    return i < FL_COUNT(modes) ? modes[i].name : NULL;
}

static const struct fl_opt opts[] = {
    { .name = "mode",
      .letter = 'm',
      .kind = FL_OPT_CHOICE,
      .arg = "MODE",
      .def = "exact",
      .names = mode_name,
      .at = offsetof(struct record_cfg, mode),
      .help = "exact: every access; events: faults and mappings as the kernel reports them" },
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .arg = "FILE",
      .def = "trace.flt",
      .at = offsetof(struct record_cfg, output),
      .help = "trace to write" },
    { .name = "redact",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, redact),
      .help = "leave out paths, names and arguments" },
    { .name = "no-ip",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, no_ip),
      .help = "do not note the functions that accesses come from (exact)" },
    { .name = "quiet",
      .letter = 'q',
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, quiet),
      .help = "no summary and no notes" },
    FL_OPT_END,
};

static void say_missing(const struct fl_record_status *status)
{
    if (status->missing & FL_RECORD_NO_KERNEL_FAULTS)
        fl_note("note: faults that system calls took are not in the trace; "
                "for those run as root, or sysctl kernel.perf_event_paranoid=1");
    if (status->missing & FL_RECORD_NO_ACCESS_BITS)
        fl_note("note: the trace does not tell reads from writes; "
                "for that run as root with tracefs mounted at /sys/kernel/tracing");
}

struct counted {
    char text[FL_FORMAT_BYTES + 16];
};

/* "1 process", "2,000 processes" */
static struct counted counted(uint64_t n, const char *one, const char *many)
{
    struct counted c;
    char number[FL_FORMAT_BYTES];
    snprintf(c.text, sizeof c.text, "%s %.14s", fl_format_count(number, n), n == 1 ? one : many);
    return c;
}

static void say_summary(const struct record_cfg *cfg, const struct fl_record_status *status)
{
    const struct fl_totals *t = &status->totals;
    char size[FL_FORMAT_BYTES];
    struct stat st;
    if (t->runs)
        fl_note("%s in %s over %s", counted(fl_totals_accesses(t), "access", "accesses").text,
                counted(t->runs, "run", "runs").text,
                counted(t->distinct_pages, "page", "pages").text);
    else
        fl_note("%s, %s", counted(t->faults_minor, "minor fault", "minor faults").text,
                counted(t->faults_major, "major fault", "major faults").text);
    fl_note("%s, %s, %s, %s lost", counted(t->processes, "process", "processes").text,
            counted(t->threads, "thread", "threads").text,
            counted(t->events, "event", "events").text,
            counted(status->lost, "record", "records").text);
    if (stat(cfg->output, &st) == 0)
        fl_note("%s in %s", fl_format_bytes(size, (uint64_t)st.st_size), cfg->output);
}

static int exit_status(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return 128 + WTERMSIG(wait_status);
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 125;
}

static int run(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct record_cfg *cfg = arg;
    const struct record_mode *mode = modes;
    struct fl_record_status status = { 0 };
    struct fl_record_opts record = {
        .argv = operands, .out_path = cfg->output, .redact = cfg->redact, .no_locations = cfg->no_ip
    };
    (void)n_operands; /* operands end with NULL, as argv does */
    while (strcmp(mode->name, cfg->mode) != 0)
        mode++;
    int rc = mode->run(&record, &status, err);
    if (rc != FL_OK) {
        err->exit_status = status.exec_status;
        return rc;
    }
    if (!cfg->quiet) {
        say_missing(&status);
        say_summary(cfg, &status);
    }
    if (status.lost)
        fl_warn("%llu records were lost: counts from this trace are too low",
                (unsigned long long)status.lost);
    return exit_status(status.wait_status);
}

const struct fl_cmd fl_cmd_record = {
    .name = "record",
    .summary = "Run a command and record what it does to memory",
    .synopsis = "[--mode exact|events] [--no-ip] [--redact] [-o FILE] [--] CMD [ARG...]",
    .description =
        "Runs CMD and whatever it starts until all of it has ended, and writes a trace, readable\n"
        "by its owner alone. Standard input, output and error are the command's. A recording\n"
        "that is killed leaves a trace that is good up to a moment before.\n\n"
        "exact runs the program under instrumentation, some 50 to 200 times slower, and sees\n"
        "every access, and in which function those that can fault come from, unless --no-ip is given.\n"
        "events runs it natively and sees the page faults, mappings and processes that\n"
        "the kernel reports; without privilege only the faults of the program's own\n"
        "instructions.\n\n"
        "Ctrl-C goes to the command; SIGTERM and SIGHUP are passed on to it.\n\n"
        "The exit status is the command's, 128 + N when signal N ended it; 125 when record\n"
        "itself failed, 126 when the command cannot be run, 127 when it is not found.",
    .examples = "  faultline record -o sort.flt -- sort big.txt\n"
                "  faultline record --mode events -o make.flt -- make -j2",
    .opts = opts,
    .cfg_size = sizeof(struct record_cfg),
    .takes_command = true,
    .min_operands = 1,
    .max_operands = -1,
    .fail_status = 125,
    .run = run,
};
