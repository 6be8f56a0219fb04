/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_common.h"

struct sweep_cfg {
    const char *ram, *swap, *policy, *swap_device, *out;
    uint64_t jobs, seed;
    bool json, partial;
};

static const struct fl_opt sweep_opts[] = {
    { "ram", 0, FL_OPT_SIZES, offsetof(struct sweep_cfg, ram), "LIST", NULL,
      "memory sizes: 64M,128M or 10%..100%/10 (even steps)", NULL },
    { "swap", 0, FL_OPT_SIZES, offsetof(struct sweep_cfg, swap), "LIST", "max",
      "swap sizes, each with every RAM size", NULL },
    { "policy", 0, FL_OPT_CHOICES, offsetof(struct sweep_cfg, policy), "LIST", "lru",
      "policies, separated by commas", fl_policy_name_at },
    { "swap-device", 0, FL_OPT_CHOICE, offsetof(struct sweep_cfg, swap_device), "KIND", "zram",
      "what swap lies on, for `linux` and `mglru`: zram, ssd or disk (rotational)",
      fl_swap_kind_name_at },
    { "jobs", 'j', FL_OPT_UINT, offsetof(struct sweep_cfg, jobs), "N", "0",
      "threads, 0 for one a processor; the answer does not depend on it", NULL },
    { "seed", 0, FL_OPT_UINT, offsetof(struct sweep_cfg, seed), "N", "1",
      "seed of the policy `random`", NULL },
    { "partial", 0, FL_OPT_FLAG, offsetof(struct sweep_cfg, partial), NULL, NULL,
      "accept a damaged trace and replay its good part", NULL },
    { "output", 'o', FL_OPT_STRING, offsetof(struct sweep_cfg, out), "R.json", NULL,
      "write the result there as JSON", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct sweep_cfg, json), NULL, NULL,
      "print JSON instead of a table", NULL },
    FL_OPT_END
};

struct axes {
    struct fl_size *ram, *swap;
    size_t n_ram, n_swap, n_policy;
    const struct fl_policy_ops *policy[16];
};

static int parse_axes(const struct sweep_cfg *cfg, struct axes *a, struct fl_err *err)
{
    int rc = fl_parse_size_list(cfg->ram, &a->ram, &a->n_ram, err);
    if (rc == FL_OK)
        rc = fl_parse_size_list(cfg->swap, &a->swap, &a->n_swap, err);
    for (const char *p = cfg->policy; rc == FL_OK && *p; p += *p == ',') {
        char name[32];
        size_t len = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        if (a->n_policy == FL_COUNT(a->policy))
            rc = fl_fail(err, FL_EUSAGE, "--policy: more than %zu names", FL_COUNT(a->policy));
        else
            a->policy[a->n_policy++] = fl_policy_find(name);
        p += len;
    }
    return rc;
}

static int build_points(struct fl_reader *r, const struct axes *a, uint64_t seed,
                        const struct fl_kernel_opts *kernel, uint64_t *peak,
                        struct fl_sweep_point *points, struct fl_err *err)
{
    size_t n = 0;
    for (size_t p = 0; p < a->n_policy; p++)
        for (size_t s = 0; s < a->n_swap; s++)
            for (size_t m = 0; m < a->n_ram; m++, n++) {
                points[n] = (struct fl_sweep_point){ .policy = a->policy[p],
                                                     .seed = seed,
                                                     .kernel = kernel };
                int rc = cmd_frames(r, &a->ram[m], peak, &points[n].frames, err);
                if (rc == FL_OK)
                    rc = cmd_swap_pages(r, &a->swap[s], peak, &points[n].swap_pages, err);
                if (rc != FL_OK)
                    return rc;
            }
    return FL_OK;
}

static void print_points(FILE *out, const struct fl_reader *r, const struct fl_sweep_point *points,
                         size_t n)
{
    fprintf(out, "fidelity %s\n\n", fl_fidelity_name(fl_reader_fidelity(r)));
    fprintf(out, "%-8s %12s %12s %14s %14s %14s %14s %4s\n", "policy", "RAM", "swap", "minor",
            "major", "swapped in", "swapped out", "OOM");
    for (size_t i = 0; i < n; i++) {
        const struct fl_sweep_point *p = &points[i];
        char ram[FL_FORMAT_BYTES] = "no limit", swap[FL_FORMAT_BYTES] = "no limit";
        if (p->frames != FL_FRAMES_UNLIMITED)
            fl_format_bytes(ram, p->frames * FL_PAGE_BYTES);
        if (p->swap_pages != UINT64_MAX)
            fl_format_bytes(swap, p->swap_pages * FL_PAGE_BYTES);
        fprintf(
            out,
            "%-8s %12s %12s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %4" PRIu64 "\n",
            p->policy->name, ram, swap, p->minor, p->major, p->swap_in, p->swap_out, p->oom_kills);
    }
}

static int output(const struct sweep_cfg *cfg, struct fl_reader *r, const char *path,
                  struct fl_sweep_point *points, size_t n, uint64_t peak, struct fl_err *err)
{
    struct json_t *trace;
    if (!cfg->json && !cfg->out) {
        print_points(stdout, r, points, n);
        return FL_OK;
    }
    int rc = peak == UINT64_MAX ? fl_footprint(r, &peak, err) : FL_OK;
    if (rc == FL_OK)
        rc = cmd_trace_json(r, path, peak, &trace, err);
    if (rc != FL_OK)
        return rc;
    return cmd_write_json(fl_sweep_json(points, n, r, trace), cfg->out, err);
}

static unsigned threads_for(uint64_t jobs)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (jobs == 0)
        return cpus > 0 ? (unsigned)cpus : 1;
    return jobs < 1024 ? (unsigned)jobs : 1024;
}

static int run_sweep(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct sweep_cfg *cfg = arg;
    struct axes axes = { 0 };
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    struct fl_sweep_point *points = NULL;
    struct fl_reader *r = NULL;
    uint64_t peak = UINT64_MAX;
    struct fl_progress progress;
    size_t n = 0;
    (void)n_operands;

    if (!cfg->ram)
        return fl_fail(err, FL_EUSAGE, "which memory sizes? give --ram LIST");
    int rc = parse_axes(cfg, &axes, err);
    if (rc == FL_OK)
        rc = fl_outfile_apart(cfg->out, operands[0], err);
    if (rc == FL_OK)
        rc = cmd_open_trace(operands[0], cfg->partial, &r, err);
    if (rc == FL_OK) {
        fl_kernel_from_trace(r, &kernel);
        kernel.swap_kind = fl_swap_kind_find(cfg->swap_device);
        n = axes.n_ram * axes.n_swap * axes.n_policy;
        points = calloc(n, sizeof *points);
        rc = points ? build_points(r, &axes, cfg->seed, &kernel, &peak, points, err)
                    : fl_nomem(err, "sweep");
    }
    fl_progress_begin(&progress, "sweep", isatty(STDERR_FILENO) ? stderr : NULL);
    if (rc == FL_OK)
        rc = fl_sweep_file(operands[0], cfg->partial ? FL_READ_PARTIAL : 0, points, n,
                           threads_for(cfg->jobs), progress.out ? fl_progress_step : NULL,
                           &progress, err);
    fl_progress_end(&progress);
    if (rc == FL_OK)
        rc = output(cfg, r, operands[0], points, n, peak, err);
    free(points);
    free(axes.ram);
    free(axes.swap);
    fl_reader_free(r);
    return rc;
}

const struct fl_cmd fl_cmd_sweep = {
    .name = "sweep",
    .summary = "Run a trace through the model at many memory sizes",
    .synopsis = "FILE --ram LIST [--swap LIST] [--policy LIST] [-j N] [-o R.json]",
    .description =
        "Every combination of RAM, swap and policy, in as few passes over the trace as\n"
        "possible: lru and opt with unlimited swap are each answered for all sizes in\n"
        "one pass, the others run side by side. Each answer equals that of 'faultline replay'.",
    .examples = "  faultline sweep trace.flt --ram 10%..100%/10 --policy lru,clock,opt",
    .opts = sweep_opts,
    .cfg_size = sizeof(struct sweep_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = run_sweep,
};
