/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/trace.h>
#include <faultline/units.h>

extern const struct fl_cmd fl_cmd_compress;

struct compress_cfg {
    const char *out;
    uint64_t level, jobs;
};

static void tell(const char *from, const char *to)
{
    struct stat a, b;
    char before[FL_FORMAT_BYTES], after[FL_FORMAT_BYTES];
    if (stat(from, &a) == 0 && stat(to, &b) == 0 && S_ISREG(b.st_mode) && a.st_size)
        fl_note("%s: %s, %.0f %% of %s", to, fl_format_bytes(after, (uint64_t)b.st_size),
                100.0 * (double)b.st_size / (double)a.st_size,
                fl_format_bytes(before, (uint64_t)a.st_size));
}

static int compress_run(void *cfg, int n_operands, char **operands, struct fl_err *err)
{
    const struct compress_cfg *c = cfg;
    struct fl_progress progress;
    FILE *terminal = isatty(STDERR_FILENO) ? stderr : NULL;
    (void)n_operands;
    if (!c->out)
        return fl_fail(err, FL_EUSAGE, "give the trace to write with -o OUT");
    if (c->level < 1 || c->level > FL_COMPRESS_LEVEL_MAX)
        return fl_fail(err, FL_EUSAGE, "--level: 1 to %d", FL_COMPRESS_LEVEL_MAX);
    if (c->jobs > FL_COMPRESS_THREADS_MAX)
        return fl_fail(err, FL_EUSAGE, "--jobs: 0 to %d threads", FL_COMPRESS_THREADS_MAX);
    int rc = fl_outfile_apart(c->out, operands[0], err);
    if (rc != FL_OK)
        return rc;
    fl_progress_begin(&progress, "compress", terminal);
    rc = fl_trace_compress(operands[0], c->out, (int)c->level, (unsigned)c->jobs, fl_progress_step,
                           &progress, err);
    fl_progress_end(&progress);
    if (rc == FL_OK)
        tell(operands[0], c->out);
    return rc;
}

static const struct fl_opt compress_opts[] = {
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .at = offsetof(struct compress_cfg, out),
      .arg = "OUT",
      .help = "the trace to write" },
    { .name = "level",
      .kind = FL_OPT_UINT,
      .at = offsetof(struct compress_cfg, level),
      .arg = "N",
      .def = "19",
      .help = "zstd's, 1 to 22: higher is smaller and slower" },
    { .name = "jobs",
      .letter = 'j',
      .kind = FL_OPT_UINT,
      .at = offsetof(struct compress_cfg, jobs),
      .arg = "N",
      .def = "0",
      .help = "threads, 0 for one a processor; the file does not depend on it" },
    FL_OPT_END,
};

const struct fl_cmd fl_cmd_compress = {
    .name = "compress",
    .summary = "Write the same trace in fewer bytes",
    .synopsis = "FILE -o OUT [--level N] [-j N]",
    .description =
        "Copies FILE with its blocks compressed again, harder than a recording has time for: a "
        "fifth to a third smaller, and read as fast. Runs, events, layers and metadata are the same, "
        "and so is every answer; only the file's checksum is another. Level 12 gains most of what "
        "19 does in a tenth of the time.",
    .examples = "faultline compress app.flt -o archive.flt\n"
                "faultline compress app.flt -o archive.flt --level 12",
    .opts = compress_opts,
    .cfg_size = sizeof(struct compress_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = compress_run,
};
