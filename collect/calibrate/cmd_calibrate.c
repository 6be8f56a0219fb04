/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/calibrate.h>
#include <faultline/cmd.h>
#include <faultline/units.h>

struct calibrate_cfg {
    const char *swap, *out, *dir;
    bool json;
};

static const char *const swaps[] = { "none", "zram", "file" };

static const char *swap_at(size_t i)
{
    return i < FL_COUNT(swaps) ? swaps[i] : NULL;
}

static const struct fl_opt calibrate_opts[] = {
    { "swap", 0, FL_OPT_CHOICE, offsetof(struct calibrate_cfg, swap), "KIND", "none",
      "swap device to make for the measurement, as root and where none is on; or none", swap_at },
    { "dir", 0, FL_OPT_STRING, offsetof(struct calibrate_cfg, dir), "DIR", NULL,
      "folder on the disk to be measured; default: $TMPDIR, or /var/tmp", NULL },
    { "output", 'o', FL_OPT_STRING, offsetof(struct calibrate_cfg, out), "FILE", NULL,
      "write the costs there as JSON, for --costs", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct calibrate_cfg, json), NULL, NULL,
      "print JSON instead of a table", NULL },
    FL_OPT_END
};

/* Three digits that matter. */
static const char *time_text(char buf[FL_FORMAT_BYTES], uint64_t ps)
{
    static const struct {
        uint64_t ps;
        const char *name;
    } units[] = { { 1000000000000, "s" }, { 1000000000, "ms" }, { 1000000, "us" }, { 1000, "ns" } };
    for (size_t i = 0; i < FL_COUNT(units); i++)
        if (ps >= units[i].ps) {
            double v = (double)ps / (double)units[i].ps;
            snprintf(buf, FL_FORMAT_BYTES, "%.*f %s",
                     v < 10    ? 2
                     : v < 100 ? 1
                               : 0,
                     v, units[i].name);
            return buf;
        }
    snprintf(buf, FL_FORMAT_BYTES, "%" PRIu64 " ps", ps);
    return buf;
}

static void print_costs(const struct fl_costs *costs, FILE *out)
{
    char median[FL_FORMAT_BYTES], low[FL_FORMAT_BYTES], high[FL_FORMAT_BYTES];
    fprintf(out, "%s\nswap device: %s; a disk tells of writes %s\n\n", costs->source,
            fl_swap_device_name(costs->swap_device),
            costs->disk_singly ? "one by one" : "when it has done all it was given");
    for (int c = 0; c < FL_COST_COUNT; c++) {
        fprintf(out, "  %-34s %10s", fl_cost_summary((enum fl_cost)c),
                time_text(median, costs->ps[c]));
        if (costs->given[c])
            fprintf(out, "   %s to %s\n", time_text(low, costs->low_ps[c]),
                    time_text(high, costs->high_ps[c]));
        else
            fputs("   not measured: default\n", out);
    }
    if (costs->tlb.entries)
        fprintf(out,
                "  TLB: of %" PRIu32 " entries a fault displaces %" PRIu32
                ", putting a page out %" PRIu32 "\n",
                costs->tlb.entries, costs->tlb.per_fault, costs->tlb.per_page_out);
}

/* A line of its own on the terminal, taken off again at the end. */
static void tell(void *arg, const char *what, unsigned done_bp)
{
    (void)done_bp;
    fprintf(arg, "\r\033[Kcalibrate: %s", what);
    fflush(arg);
}

static const char *folder(const char *given)
{
    const char *tmp = getenv("TMPDIR");
    return given ? given : tmp && *tmp ? tmp : "/var/tmp";
}

static int run_calibrate(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct calibrate_cfg *cfg = arg;
    struct fl_calibrate_opts opts = { .dir = folder(cfg->dir) };
    char why[FL_CALIBRATE_WHY_BYTES];
    struct fl_outfile out;
    struct fl_costs costs;
    (void)n_operands;
    (void)operands;

    while (strcmp(swaps[opts.swap], cfg->swap) != 0)
        opts.swap++;
    if (isatty(STDERR_FILENO)) {
        opts.progress = tell;
        opts.arg = stderr;
    }
    int rc = fl_calibrate(&opts, &costs, why, err);
    if (opts.progress)
        fputs("\r\033[K", stderr);
    if (rc != FL_OK)
        return rc;
    if (*why)
        fl_warn("swap was not measured: %s", why);
    if (!cfg->json && !cfg->out) {
        print_costs(&costs, stdout);
        return FL_OK;
    }
    rc = fl_outfile_open(&out, cfg->out, err);
    if (rc != FL_OK)
        return rc;
    rc = fl_costs_write(&costs, out.stream, err);
    if (rc == FL_OK)
        return fl_outfile_commit(&out, err);
    fl_outfile_abort(&out);
    return rc;
}

const struct fl_cmd fl_cmd_calibrate = {
    .name = "calibrate",
    .summary = "Measure what faults, TLB misses and swapping cost on this host",
    .synopsis = "[--swap zram|file|none] [--dir DIR] [-o FILE] [--json]",
    .description =
        "Measures the costs that the time estimate of a replay is made of, as medians of\n"
        "many repetitions with their first and third quartiles. What cannot be measured\n"
        "here stays at a default, and is marked so.\n\n"
        "Needs no privilege, except that --swap makes a swap device, which takes root, and\n"
        "takes it away again. Without --swap, swapping is measured on the swap that is on.\n\n"
        "With swap, root and two processors it also finds how much of the TLB the kernel's work\n"
        "displaces: policies linux and mglru then know which accesses leave no accessed bit.",
    .examples = "  faultline calibrate\n"
                "  faultline calibrate --swap zram -o costs.json\n"
                "  faultline replay trace.flt --ram 50% --costs costs.json",
    .opts = calibrate_opts,
    .cfg_size = sizeof(struct calibrate_cfg),
    .run = run_calibrate,
};
