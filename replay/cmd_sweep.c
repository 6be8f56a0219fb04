/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sweep_batch.h"

static const struct fl_opt sweep_opts[] = {
    { "ram", 0, FL_OPT_SIZES, offsetof(struct sweep_cfg, ram), "LIST", NULL,
      "memory sizes: 64M,128M or 10%..100%/10 (even steps)", NULL },
    { "swap", 0, FL_OPT_SIZES, offsetof(struct sweep_cfg, swap), "LIST", "max",
      "swap sizes, each with every RAM size", NULL },
    { "policy", 0, FL_OPT_CHOICES, offsetof(struct sweep_cfg, policy), "LIST", "lru",
      "policies, separated by commas", fl_policy_name_at },
    { "machine", 0, FL_OPT_STRING, offsetof(struct sweep_cfg, machine), "LIST", NULL,
      "processors, separated by commas, as for `replay`: each point once with the TLB of each; "
      "without, the TLB is left out",
      NULL },
    { "swap-device", 0, FL_OPT_CHOICE, offsetof(struct sweep_cfg, swap_device), "KIND", "zram",
      "what swap lies on, for `linux` and `mglru`: zram, ssd or disk (rotational)",
      fl_swap_kind_name_at },
    { "jobs", 'j', FL_OPT_UINT, offsetof(struct sweep_cfg, jobs), "N", "0",
      "threads, 0 for one a processor; the answer does not depend on it", NULL },
    { "memory", 0, FL_OPT_SIZE, offsetof(struct sweep_cfg, memory), "SIZE", NULL,
      "most memory to work in, about: less runs fewer points side by side. Without it 1G, or what "
      "one point needs",
      NULL },
    { "resume", 0, FL_OPT_STRING, offsetof(struct sweep_cfg, resume), "PART", NULL,
      "note every finished point there, and take those that are there already: a file, or a "
      "folder (ending in /) with a part for each shard",
      NULL },
    { "shard", 0, FL_OPT_STRING, offsetof(struct sweep_cfg, shard), "I/N", NULL,
      "answer only the I-th of N shares of the points, into --resume alone: no result is "
      "written. `auto`: as mpirun, srun or a Slurm array says",
      NULL },
    { "list", 0, FL_OPT_STRING, offsetof(struct sweep_cfg, list), "FILE", NULL,
      "more traces, a path a line; - is standard input", NULL },
    { "dry-run", 0, FL_OPT_FLAG, offsetof(struct sweep_cfg, dry_run), NULL, NULL,
      "only say how many points and passes it takes, and about how much memory", NULL },
    { "seed", 0, FL_OPT_UINT, offsetof(struct sweep_cfg, seed), "N", "1",
      "seed of the policy `random`, and of what a TLB gives up where --costs tell of one", NULL },
    { "partial", 0, FL_OPT_FLAG, offsetof(struct sweep_cfg, partial), NULL, NULL,
      "accept a damaged trace and replay its good part", NULL },
    { "output", 'o', FL_OPT_STRING, offsetof(struct sweep_cfg, out), "R.json", NULL,
      "write the result there as JSON; of several traces, a folder with a result each", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct sweep_cfg, json), NULL, NULL,
      "print JSON instead of a table", NULL },
    FL_OPT_END
};

/* ---- results ------------------------------------------------------------------------------ */

static void print_points(FILE *out, const struct batch *b, const struct batch_trace *t)
{
    bool tlb = b->axes.n_machine != 0;
    if (b->several)
        fprintf(out, "%s%s\n", t == b->traces ? "" : "\n", t->path);
    fprintf(out, "fidelity %s\n\n", fl_fidelity_name(t->fidelity));
    fprintf(out, "%-8s %12s %12s %14s %14s %14s %14s %4s", "policy", "RAM", "swap", "minor",
            "major", "swapped in", "swapped out", "OOM");
    fprintf(out, tlb ? " %14s %s\n" : "\n", "page walks", "machine");
    for (size_t i = 0; i < b->n_points; i++) {
        const struct fl_sweep_point *p = &t->points[i];
        char ram[FL_FORMAT_BYTES] = "no limit", swap[FL_FORMAT_BYTES] = "no limit";
        if (p->frames != FL_FRAMES_UNLIMITED)
            fl_format_bytes(ram, p->frames * FL_PAGE_BYTES);
        if (p->swap_pages != UINT64_MAX)
            fl_format_bytes(swap, p->swap_pages * FL_PAGE_BYTES);
        fprintf(
            out, "%-8s %12s %12s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %4" PRIu64,
            p->policy->name, ram, swap, p->minor, p->major, p->swap_in, p->swap_out, p->oom_kills);
        if (tlb)
            fprintf(out, " %14" PRIu64 " %s", p->walks, p->machine->name);
        fputc('\n', out);
    }
}

/* The name of trace @t's result in the folder of -o. */
static int result_path(const struct batch *b, size_t t, char **out, struct fl_err *err)
{
    const char *name = strrchr(b->traces[t].path, '/');
    name = name ? name + 1 : b->traces[t].path;
    size_t len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, ".flt") == 0)
        len -= 4;
    if (asprintf(out, "%s/%.*s.json", b->cfg->out, (int)len, name) >= 0)
        return FL_OK;
    *out = NULL;
    return fl_nomem(err, "sweep");
}

/* Before anything is computed: are there places for all results? */
static int check_results(const struct batch *b, struct fl_err *err)
{
    char **paths = calloc(b->n_traces, sizeof *paths);
    int rc = paths ? FL_OK : fl_nomem(err, "sweep");
    for (size_t t = 0; t < b->n_traces && rc == FL_OK; t++) {
        rc = b->several ? result_path(b, t, &paths[t], err) : FL_OK;
        if (rc == FL_OK)
            rc = fl_outfile_apart(b->several ? paths[t] : b->cfg->out, b->traces[t].path, err);
        for (size_t other = 0; other < t && b->several && rc == FL_OK; other++)
            if (strcmp(paths[t], paths[other]) == 0)
                rc = fl_fail(err, FL_EUSAGE, "%s and %s would both have the result %s",
                             b->traces[other].path, b->traces[t].path, paths[t]);
    }
    if (rc == FL_OK && b->several && mkdir(b->cfg->out, 0777) != 0 && errno != EEXIST)
        rc = fl_fail_errno(err, "%s: cannot create", b->cfg->out);
    for (size_t t = 0; t < b->n_traces && paths; t++)
        free(paths[t]);
    free(paths);
    return rc;
}

static int output(const struct batch *b, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t t = 0; t < b->n_traces && rc == FL_OK; t++) {
        char *path = NULL;
        if (!b->cfg->json && !b->cfg->out) {
            print_points(stdout, b, &b->traces[t]);
            continue;
        }
        if (b->several && b->cfg->out)
            rc = result_path(b, t, &path, err);
        if (rc == FL_OK)
            rc = cmd_write_json(batch_json(b, t), path ? path : b->cfg->out, err);
        free(path);
    }
    return rc;
}

/* ---- what it takes ------------------------------------------------------------------------ */

static int describe_plan(const struct batch *b, const struct sweep_plan *plan, char text[256])
{
    char memory[FL_FORMAT_BYTES];
    return snprintf(
        text, 256, "%zu of %zu points to do, %zu trace%s, %zu pass%s, %u thread%s, about %s",
        b->n_to_ask, b->n_traces * b->n_points, b->n_traces, b->n_traces == 1 ? "" : "s",
        plan->n_passes, plan->n_passes == 1 ? "" : "es", plan->threads,
        plan->threads == 1 ? "" : "s", fl_format_bytes(memory, plan->bytes));
}

static int dry_run(const struct batch *b, const struct sweep_plan *plan, struct fl_err *err)
{
    if (!b->cfg->json) {
        char text[256];
        describe_plan(b, plan, text);
        puts(text);
        return FL_OK;
    }
    return cmd_write_json(
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "schema", "faultline.sweep-plan/1", "traces",
                  (json_int_t)b->n_traces, "points", (json_int_t)(b->n_traces * b->n_points),
                  "to_do", (json_int_t)b->n_to_ask, "passes", (json_int_t)plan->n_passes, "threads",
                  (json_int_t)plan->threads, "memory_bytes", (json_int_t)plan->bytes),
        NULL, err);
}

/* ---- interrupted -------------------------------------------------------------------------- */

static char going_on[512];

/* A part is always whole, so there is nothing to do but say so. */
static void on_signal(int number)
{
    ssize_t rc = write(STDERR_FILENO, going_on, strlen(going_on));
    (void)rc;
    _exit(128 + number);
}

static void catch_signals(const struct sweep_cfg *cfg)
{
    struct sigaction action = { .sa_handler = on_signal }, before;
    if (!cfg->resume)
        return;
    snprintf(
        going_on, sizeof going_on,
        "%sfaultline sweep: interrupted; %.300s has what is finished: the same command goes on\n",
        isatty(STDERR_FILENO) ? "\r\033[K" : "", cfg->resume);
    const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < FL_COUNT(numbers); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* ---- the command -------------------------------------------------------------------------- */

/* Whom the launcher says we are, of how many. */
static bool launched_as(unsigned *shard, unsigned *shards)
{
    static const struct {
        const char *rank, *first, *size;
    } launchers[] = {
        { "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT" },
        { "OMPI_COMM_WORLD_RANK", NULL, "OMPI_COMM_WORLD_SIZE" },
        { "PMI_RANK", NULL, "PMI_SIZE" },
        { "SLURM_PROCID", NULL, "SLURM_NTASKS" },
    };
    for (size_t i = 0; i < FL_COUNT(launchers); i++) {
        const char *rank = getenv(launchers[i].rank), *size = getenv(launchers[i].size);
        const char *first = launchers[i].first ? getenv(launchers[i].first) : "0";
        uint64_t of[3];
        if (!rank || !size || !first || fl_parse_u64(rank, &of[0], NULL) != FL_OK ||
            fl_parse_u64(first, &of[1], NULL) != FL_OK || fl_parse_u64(size, &of[2], NULL) != FL_OK)
            continue;
        *shard = (unsigned)(of[0] - of[1]);
        *shards = (unsigned)of[2];
        return of[0] >= of[1] && of[0] - of[1] < of[2] && of[2] <= UINT16_MAX;
    }
    return false;
}

static int parse_shard(const struct sweep_cfg *cfg, struct batch *b, struct fl_err *err)
{
    unsigned shard = 0, shards = 0;
    char more;
    if (!cfg->shard)
        return FL_OK;
    if (!cfg->resume)
        return fl_fail(err, FL_EUSAGE,
                       "a shard's answers go to its part alone: give --resume FOLDER/");
    if (strcmp(cfg->shard, "auto") == 0) {
        if (!launched_as(&b->shard, &b->shards))
            return fl_fail(err, FL_EUSAGE,
                           "--shard auto: started by no mpirun, srun or Slurm array; give I/N");
        return FL_OK;
    }
    if (sscanf(cfg->shard, "%u/%u%c", &shard, &shards, &more) != 2 || shard < 1 || shard > shards ||
        shards > UINT16_MAX || strchr(cfg->shard, '-') || strchr(cfg->shard, '+'))
        return fl_fail(err, FL_EUSAGE, "--shard: '%.40s' is not I/N with I from 1 to N",
                       cfg->shard);
    b->shard = shard - 1;
    b->shards = shards;
    return FL_OK;
}

static int check_cfg(const struct sweep_cfg *cfg, int n_operands, struct fl_err *err)
{
    if (n_operands == 0 && !cfg->list)
        return fl_fail(err, FL_EUSAGE, "which trace? give FILE, or --list");
    if (!cfg->ram)
        return fl_fail(err, FL_EUSAGE, "which memory sizes? give --ram LIST");
    if (cfg->memory.percent_bp)
        return fl_fail(err, FL_EUSAGE, "--memory: a size, not a share of the trace's");
    return FL_OK;
}

static int run_points(struct batch *b, struct fl_err *err)
{
    struct sweep_trace *traces = NULL;
    struct sweep_plan plan = { 0 };
    struct fl_progress progress;
    FILE *terminal = isatty(STDERR_FILENO) ? stderr : NULL;
    const struct sweep_progress to = { terminal ? fl_progress_step : NULL, &progress };
    char text[256];

    fl_progress_begin(&progress, "sweep: reading", terminal);
    int rc = batch_prepare(b, &to, err);
    fl_progress_end(&progress);
    if (rc == FL_OK)
        rc = batch_plan(b, &traces, &plan, err);
    if (rc == FL_OK && b->cfg->dry_run)
        rc = dry_run(b, &plan, err);
    if (rc == FL_OK && !b->cfg->dry_run) {
        describe_plan(b, &plan, text);
        if (terminal)
            fl_note("sweep: %s", text);
        fl_progress_begin(&progress, "sweep", terminal);
        rc = sweep_plan_run(&plan, &to, batch_keep, b, err);
        fl_progress_end(&progress);
    }
    sweep_plan_free(&plan);
    free(traces);
    return rc;
}

static int run_sweep(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct sweep_cfg *cfg = arg;
    struct batch b = { 0 };
    int rc = check_cfg(cfg, n_operands, err);
    if (rc == FL_OK)
        rc = batch_begin(&b, cfg, operands, n_operands, err);
    if (rc == FL_OK)
        rc = parse_shard(cfg, &b, err);
    b.wants_facts = (cfg->json && !cfg->dry_run) || cfg->out || cfg->resume;
    if (rc == FL_OK && cfg->out && !cfg->shard && !cfg->dry_run)
        rc = check_results(&b, err);
    catch_signals(cfg);
    if (rc == FL_OK)
        rc = batch_resume(&b, err);
    if (rc == FL_OK)
        rc = run_points(&b, err);
    if (rc == FL_OK && !cfg->shard && !cfg->dry_run)
        rc = output(&b, err);
    batch_free(&b);
    return rc;
}

const struct fl_cmd fl_cmd_sweep = {
    .name = "sweep",
    .summary = "Run traces through the model at many memory sizes",
    .synopsis = "FILE... --ram LIST [--swap LIST] [--policy LIST] [--machine LIST] [-j N] "
                "[--resume PART] [-o R.json]\n"
                "FILE... --ram LIST [...] --shard I/N --resume FOLDER/",
    .description =
        "Every combination of RAM, swap, policy and machine, in as few passes over the trace as\n"
        "possible: lru and opt with unlimited swap are each answered for all sizes in one\n"
        "pass, the others run side by side. Each answer equals that of 'faultline replay'.\n\n"
        "With --resume a sweep that is interrupted, in whatever way, loses only the points it was\n"
        "at: the same command goes on, and the result has the same bytes. Shards do so side by "
        "side,\n"
        "on one machine or many: each writes a part of its own to the folder, and the sweep "
        "without\n"
        "--shard puts the parts together, doing what is missing.",
    .examples = "  faultline sweep t.flt --ram 10%..100%/10 --policy lru,clock,opt\n"
                "  faultline sweep t.flt --ram 1G..9G/64 --policy linux --resume t.part\n"
                "  faultline sweep --list all --ram 50%,75% --shard 2/8 --resume parts/",
    .opts = sweep_opts,
    .cfg_size = sizeof(struct sweep_cfg),
    .min_operands = 0,
    .max_operands = -1,
    .run = run_sweep,
};
