/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: write what a command, a running process or the machine does to memory. */
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <faultline/cmd.h>
#include <faultline/kernel_events.h>
#include <faultline/record.h>
#include <faultline/units.h>

struct record_cfg {
    const char *mode, *output, *groups, *event;
    uint64_t pid, duration_ns, period;
    bool machine, kernel, stacks, user_only, redact, no_ip, no_layer, settle, strict, quiet;
};

static const struct record_mode {
    const char *name;
    int (*run)(const struct fl_record_opts *, struct fl_record_status *, struct fl_err *);
} modes[] = {
    { "exact", fl_record_exact },
    { "events", fl_record_events },
    { "sample", fl_record_sample },
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
      .names = mode_name,
      .at = offsetof(struct record_cfg, mode),
      .help = "exact: every access; events: faults and mappings as the kernel reports them; "
              "sample: accesses that the processor's counters catch (default: exact; events with "
              "-p, -a and --kernel)" },
    { .name = "pid",
      .letter = 'p',
      .kind = FL_OPT_UINT,
      .arg = "PID",
      .at = offsetof(struct record_cfg, pid),
      .help = "record a process that runs, with all it started and will start" },
    { .name = "all",
      .letter = 'a',
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, machine),
      .help = "record everything on the machine; with CMD, as long as it runs" },
    { .name = "duration",
      .kind = FL_OPT_DURATION,
      .arg = "TIME",
      .at = offsetof(struct record_cfg, duration_ns),
      .help = "end after so long, as 10 or 250ms; what is recorded runs on" },
    { .name = "kernel",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, kernel),
      .help = "also the kernel's page allocator, slab, reclaim and OOM events, of the whole "
              "machine, and /proc's tables at start and end" },
    { .name = "kernel-groups",
      .kind = FL_OPT_CHOICES,
      .arg = "LIST",
      .names = fl_kernel_group_name,
      .at = offsetof(struct record_cfg, groups),
      .help = "only these kernel events; implies --kernel" },
    { .name = "settle-slabs",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, settle),
      .help =
          "begin with letting the kernel give back empty slabs and sort the others, as it does "
          "when memory is short, and with -a end so too: writes to /sys/kernel/slab, and reads by "
          "BPF how they lie then; with --kernel, as root" },
    { .name = "stacks",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, stacks),
      .help = "call chains of faults and samples, by frame pointers" },
    { .name = "event",
      .kind = FL_OPT_STRING,
      .arg = "NAME",
      .at = offsetof(struct record_cfg, event),
      .help = "sample: sample this event, by libpfm4's name, instead of memory accesses" },
    { .name = "period",
      .kind = FL_OPT_UINT,
      .arg = "N",
      .at = offsetof(struct record_cfg, period),
      .help = "sample: one sample every N events (default: the event's usual)" },
    { .name = "user-only",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, user_only),
      .help = "sample: nothing from kernel mode" },
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
      .help = "do not note the functions that accesses and faults come from" },
    { .name = "no-layer",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, no_layer),
      .help = "exact: without the reduced layer (see reduce)" },
    { .name = "strict",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct record_cfg, strict),
      .help = "exit with 4 when any record was lost" },
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
    if (status->missing & FL_RECORD_NO_KERNEL_SAMPLES)
        fl_note("note: samples of what happens in kernel mode are not in the trace; "
                "for those run as root, or sysctl kernel.perf_event_paranoid=1");
    if (status->missing & FL_RECORD_NO_PHYSICAL)
        fl_note("note: samples have no physical addresses; for these run as root, or give "
                "CAP_PERFMON");
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

static void say_summary(const struct record_cfg *cfg, const struct fl_record_status *status,
                        bool sample)
{
    const struct fl_totals *t = &status->totals;
    char size[FL_FORMAT_BYTES];
    struct stat st;
    if (t->runs)
        fl_note("%s in %s over %s", counted(fl_totals_accesses(t), "access", "accesses").text,
                counted(t->runs, "run", "runs").text,
                counted(t->distinct_pages, "page", "pages").text);
    else if (sample)
        fl_note("%s", counted(status->samples, "sample", "samples").text);
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

/* What cannot be asked for together. */
static int check_cfg(const struct record_cfg *cfg, const char *mode, int n_operands,
                     struct fl_err *err)
{
    bool live = cfg->pid || cfg->machine, exact = strcmp(mode, "exact") == 0;
    bool sample = strcmp(mode, "sample") == 0;
    if (cfg->pid && cfg->machine)
        return fl_fail(err, FL_EUSAGE, "-p and -a together: -a has every process already");
    if (cfg->pid && n_operands)
        return fl_fail(err, FL_EUSAGE, "-p %llu and a command: record one of them",
                       (unsigned long long)cfg->pid);
    if (!live && !n_operands)
        return fl_fail(err, FL_EUSAGE, "nothing to record: give a command, -p PID or -a");
    if (live && exact)
        return fl_fail(err, FL_EUSAGE,
                       "exact runs a program under instrumentation from its start: leave out "
                       "--mode, or give a command instead of -p or -a");
    if (cfg->kernel && exact)
        return fl_fail(err, FL_EUSAGE, "kernel events are in --mode events, not in exact");
    if (cfg->settle && !cfg->kernel)
        return fl_fail(err, FL_EUSAGE,
                       "--settle-slabs is for recordings of kernel events: add "
                       "--kernel or --kernel-groups slab");
    if (exact && cfg->duration_ns)
        return fl_fail(err, FL_EUSAGE, "--duration is for recordings of --mode events or sample");
    if (!sample && (cfg->event || cfg->period || cfg->user_only))
        return fl_fail(err, FL_EUSAGE, "--event, --period and --user-only are for --mode sample");
    return cfg->pid > INT32_MAX
               ? fl_fail(err, FL_EUSAGE, "there is no process %llu", (unsigned long long)cfg->pid)
               : FL_OK;
}

static int finished(const struct record_cfg *cfg, const struct fl_record_status *status)
{
    if (!cfg->quiet) {
        say_missing(status);
        say_summary(cfg, status, strcmp(cfg->mode, "sample") == 0);
    }
    if (status->lost)
        fl_warn("%llu records were lost: counts from this trace are too low",
                (unsigned long long)status->lost);
    return status->lost && cfg->strict ? fl_exit_code(FL_EDATA) : exit_status(status->wait_status);
}

/* 0: record's own failure, 125, which a program is too that the tracer cannot run. A machine that
   does not allow it is told apart, and where there is no command, whose status it could be taken
   for, everything is. */
static int failure_status(const struct record_cfg *cfg, const struct fl_record_status *status,
                          int rc, int n_operands)
{
    if (status->exec_status)
        return status->exec_status;
    bool live = cfg->pid || cfg->machine;
    bool by_kernel = strcmp(cfg->mode, "exact") != 0;
    return (rc == FL_EMACHINE && by_kernel) || (live && !n_operands) ? fl_exit_code(rc) : 0;
}

static int run(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    struct record_cfg *cfg = arg;
    const struct record_mode *mode = modes;
    struct fl_record_status status = { 0 };
    cfg->kernel = cfg->kernel || cfg->groups;
    if (!cfg->mode)
        cfg->mode = cfg->pid || cfg->machine || cfg->kernel ? "events" : "exact";
    while (strcmp(mode->name, cfg->mode) != 0)
        mode++;
    bool layer = !cfg->no_layer && strcmp(cfg->mode, "exact") == 0;
    struct fl_record_opts record = {
        .argv = n_operands ? operands : NULL, /* ends with NULL, as argv does */
        .out_path = cfg->output,
        .redact = cfg->redact,
        .no_locations = cfg->no_ip,
        .pid = (uint32_t)cfg->pid,
        .machine = cfg->machine,
        .duration_ns = cfg->duration_ns,
        .stacks = cfg->stacks,
        .kernel = cfg->kernel,
        .kernel_groups = cfg->groups,
        .settle_slabs = cfg->settle,
        .sample_event = cfg->event,
        .sample_period = cfg->period,
        .sample_user_only = cfg->user_only,
        .writer.layer_floor = layer ? FL_LAYER_FLOOR : 0,
        .writer.layer_coarse = layer ? fl_layer_coarse(FL_LAYER_FLOOR) : 0,
    };
    int rc = check_cfg(cfg, cfg->mode, n_operands, err);
    if (rc == FL_OK)
        rc = mode->run(&record, &status, err);
    if (rc != FL_OK) {
        err->exit_status = failure_status(cfg, &status, rc, n_operands);
        return rc;
    }
    return finished(cfg, &status);
}

const struct fl_cmd fl_cmd_record = {
    .name = "record",
    .summary = "Record what a command, a process or the machine does to memory",
    .synopsis = "[--mode exact|events|sample] [--kernel] [--stacks] [-o FILE] [--] CMD [ARG...]\n"
                "-p PID [--duration TIME] [--kernel] [--stacks] [-o FILE]\n"
                "-a [--duration TIME] [--kernel] [--stacks] [-o FILE] [[--] CMD [ARG...]]",
    .description =
        "Runs CMD and whatever it starts until all of it has ended, and writes a trace, readable\n"
        "by its owner alone. Standard input, output and error are the command's. A recording\n"
        "that is killed leaves a trace that is good up to a moment before.\n\n"
        "exact runs the program under instrumentation, some 50 to 200 times slower, and sees\n"
        "every access, and in which function those that can fault come from, unless --no-ip is given.\n"
        "events runs it natively and sees the page faults, mappings and processes that\n"
        "the kernel reports; without privilege only the faults of the program's own\n"
        "instructions. sample runs it natively and sees the accesses that the processor's\n"
        "counters catch, one in so many; it needs a processor and a system that let it.\n\n"
        "With -p a process that runs already is recorded, and with -a everything, until Ctrl-C,\n"
        "the end of the time, or that of the processes, which run on unharmed. The trace then has\n"
        "what was mapped and resident at the start, and what /proc said at start and end.\n\n"
        "Ctrl-C goes to the command; SIGTERM and SIGHUP are passed on to it.\n\n"
        "The exit status is the command's, 128 + N when signal N ended it; 125 when record\n"
        "itself failed, 5 when this machine does not allow it, 126 when the command cannot be run,\n"
        "127 when it is not found; with --strict, 4 when records were lost. Without a command it\n"
        "is that of every faultline command: 0 done, 1 failed, 2 wrong usage, 5 not possible here.",
    .examples = "  faultline record -o sort.flt -- sort big.txt\n"
                "  faultline record --mode events -o make.flt -- make -j2\n"
                "  faultline record -p $(pidof redis-server) --duration 10 -o redis.flt\n"
                "  faultline record -a --kernel --duration 5 -o machine.flt",
    .opts = opts,
    .cfg_size = sizeof(struct record_cfg),
    .takes_command = true,
    .min_operands = 0,
    .max_operands = -1,
    .fail_status = 125,
    .run = run,
};
