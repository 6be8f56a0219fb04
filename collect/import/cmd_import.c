/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/import.h>
#include <faultline/units.h>

struct import_cfg {
    const char *from, *out;
    bool no_layer;
};

static const struct fl_opt import_opts[] = {
    { "from", 0, FL_OPT_CHOICE, offsetof(struct import_cfg, from), "FORMAT", NULL,
      "pages (raw u64 page numbers, bit 63 = write) or lackey (its --trace-mem=yes text)",
      fl_importer_name_at },
    { "output", 'o', FL_OPT_STRING, offsetof(struct import_cfg, out), "FILE", NULL,
      "the trace to write", NULL },
    { "no-layer", 0, FL_OPT_FLAG, offsetof(struct import_cfg, no_layer), NULL, NULL,
      "without the reduced layer (see reduce)", NULL },
    FL_OPT_END
};

static FILE *open_input(const char *path, struct fl_err *err)
{
    struct stat st;
    if (!strcmp(path, "-"))
        return stdin;
    FILE *in = fopen(path, "rb");
    if (in && fstat(fileno(in), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(in);
        in = NULL;
        errno = EISDIR;
    }
    if (!in)
        fl_fail_errno(err, "cannot read %s", path);
    return in;
}

/* The input, seen passing by. */
struct watched {
    FILE *in;
    uint64_t size_bytes, done_bytes;
    struct fl_progress progress;
};

static ssize_t read_watched(void *arg, char *buf, size_t size)
{
    struct watched *w = arg;
    ssize_t n = read(fileno(w->in), buf, size);
    if (n > 0)
        w->done_bytes += (uint64_t)n;
    if (n > 0 && w->done_bytes <= w->size_bytes)
        fl_progress_step(&w->progress,
                         (unsigned)((unsigned __int128)w->done_bytes * 10000 / w->size_bytes));
    return n;
}

/* On a terminal, a file's progress is shown; a pipe's end is not known. */
static int import_watched(const struct import_cfg *cfg, FILE *in, const char *name,
                          struct fl_totals *totals, struct fl_err *err)
{
    struct watched w = { .in = in };
    const struct fl_writer_opts opts = {
        .layer_floor = cfg->no_layer ? 0 : FL_LAYER_FLOOR,
        .layer_coarse = cfg->no_layer ? 0 : fl_layer_coarse(FL_LAYER_FLOOR),
    };
    struct stat st;
    const struct fl_importer *importer = fl_importer_find(cfg->from);
    if (!isatty(STDERR_FILENO) || fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode))
        return fl_import(importer, in, name, cfg->out, &opts, totals, err);
    w.size_bytes = (uint64_t)st.st_size;
    fl_progress_begin(&w.progress, "import", stderr);
    FILE *stream = fopencookie(&w, "r", (cookie_io_functions_t){ .read = read_watched });
    if (!stream)
        return fl_nomem(err, "the input");
    setvbuf(stream, NULL, _IOFBF, 1 << 16);
    int rc = fl_import(importer, stream, name, cfg->out, &opts, totals, err);
    fclose(stream);
    fl_progress_end(&w.progress);
    return rc;
}

static int run_import(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct import_cfg *cfg = arg;
    struct fl_totals totals = { 0 };
    char accesses[FL_FORMAT_BYTES], pages[FL_FORMAT_BYTES];
    (void)n_operands;

    if (!cfg->from || !cfg->out)
        return fl_fail(err, FL_EUSAGE, "give --from FORMAT and -o FILE");
    int apart = fl_outfile_apart(cfg->out, operands[0], err);
    if (apart != FL_OK)
        return apart;
    FILE *in = open_input(operands[0], err);
    if (!in)
        return FL_EIO;
    int rc = import_watched(cfg, in, operands[0], &totals, err);
    if (in != stdin)
        fclose(in);
    if (rc == FL_OK)
        fl_note("%s accesses to %s pages in %s",
                fl_format_count(accesses, fl_totals_accesses(&totals)),
                fl_format_count(pages, totals.distinct_pages), cfg->out);
    return rc;
}

const struct fl_cmd fl_cmd_import = {
    .name = "import",
    .summary = "Turn another tool's trace into ours",
    .synopsis = "--from FORMAT IN -o FILE",
    .description = "Reads IN ('-' is standard input) and writes a trace of one process with one\n"
                   "anonymous mapping. An access that crosses a page counts once on each.",
    .examples = "  faultline import --from pages refs.u64 -o refs.flt\n"
                "  valgrind --tool=lackey --trace-mem=yes --log-file=t.txt ls\n"
                "  faultline import --from lackey t.txt -o ls.flt",
    .opts = import_opts,
    .cfg_size = sizeof(struct import_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = run_import,
};
