/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>

#include <faultline/cmd.h>
#include <faultline/kernel_events.h>
#include <faultline/trace.h>

extern const struct fl_cmd fl_cmd_dump;

struct dump_cfg {
    bool partial, no_runs, layer;
};

static int dump_items(struct fl_reader *r, bool runs, FILE *out, struct fl_err *err)
{
    struct fl_probes *probes = fl_probes_new();
    struct fl_item item;
    int rc = probes ? FL_OK : fl_nomem(err, "names of the trace");
    while (rc == FL_OK && !ferror(out)) { /* the commit says why */
        rc = fl_reader_next(r, &item, err);
        if (rc == FL_OK && item.kind == FL_ITEM_END)
            break;
        if (rc == FL_OK && item.kind == FL_ITEM_EVENT)
            rc = fl_probes_event(probes, &item.event, err);
        if (rc == FL_OK && (item.kind == FL_ITEM_EVENT || runs))
            fl_dump_item(r, &item, probes, out);
    }
    fl_probes_free(probes);
    return rc;
}

static int dump_run(void *cfg, int n_operands, char **operands, struct fl_err *err)
{
    const struct dump_cfg *c = cfg;
    struct fl_reader *r = NULL;
    struct fl_outfile out;
    (void)n_operands;
    int rc = fl_reader_open_path(operands[0], c->partial ? FL_READ_PARTIAL : 0, &r, err);
    if (rc != FL_OK)
        return rc;
    if (c->layer && (!fl_reader_layer(r) || !fl_reader_layer(r)->blocks))
        rc = fl_fail(err, FL_EDATA, "%s has no reduced layer: faultline reduce gives it one",
                     operands[0]);
    else if (c->layer)
        rc = fl_reader_rewind_reduced(r, 0, err);
    if (rc != FL_OK) {
        fl_reader_free(r);
        return rc;
    }
    rc = fl_outfile_open(&out, NULL, err);
    if (rc == FL_OK) {
        rc = dump_items(r, !c->no_runs, out.stream, err);
        if (rc == FL_OK)
            rc = fl_outfile_commit(&out, err);
        else
            fl_outfile_abort(&out);
    }
    if (rc == FL_OK && !fl_reader_complete(r))
        fl_warn("%s: %s", operands[0], fl_reader_damage(r));
    fl_reader_free(r);
    return rc;
}

static const struct fl_opt dump_opts[] = {
    { .name = "partial",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct dump_cfg, partial),
      .help = "print the good blocks of a damaged or unfinished trace" },
    { .name = "no-runs",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct dump_cfg, no_runs),
      .help = "print events only" },
    { .name = "layer",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct dump_cfg, layer),
      .help = "print what the reduced layer keeps (see reduce)" },
    FL_OPT_END,
};

const struct fl_cmd fl_cmd_dump = {
    .name = "dump",
    .summary = "Print a trace as text, one event or run a line",
    .synopsis = "[--partial] [--no-runs] [--layer] FILE",
    .description =
        "Prints every event and every run of FILE in order. A run is a stretch of consecutive "
        "accesses of one thread to one page.\n\n"
        "An event's line is its time in nanoseconds since the recording began, the thread "
        "(t- for none), the kind and its fields. A run's line is the thread, who made the "
        "accesses (user, or kernel for a system call), the address space, the page number, "
        "the page's id in the trace, and how many reads, writes and instruction fetches; code is "
        "where the thread was when the run began, as a code event before defines it, for runs that "
        "have a location: others are where the thread's last one was.\n\n"
        "A hit is one passage through a tracepoint of the kernel: its name, the CPU, the task, and "
        "the tracepoint's own fields; flags, and numbers with the top bit set, are in hex.\n\n"
        "A damaged trace is refused before anything is printed, unless --partial is given.",
    .examples = "faultline dump app.flt | less      look through a trace\n"
                "faultline dump --no-runs app.flt   processes, mappings and faults only",
    .opts = dump_opts,
    .cfg_size = sizeof(struct dump_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = dump_run,
};
