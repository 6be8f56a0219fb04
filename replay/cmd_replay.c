/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/quality.h>
#include <faultline/thrash.h>
#include <unistd.h>

#include <jansson.h>

#include "cmd_allocator.h"
#include "cmd_common.h"
#include "cmd_locality.h"
#include "cmd_slab.h"
#include "cmd_oom_whatif.h"
#include "kernel_opts.h"

struct replay_cfg {
    struct fl_size ram, swap;
    const char *base, *host_ram, *memcg, *thp;
    uint64_t frames, seed, swappiness, page_cluster, first_flush, native_ns;
    const char *policy, *scope, *machine, *costs, *swap_device, *out;
    const char *oom_score_adj;
    bool json, partial, no_tlb, no_thrash, locality, what_saves, kernel_objects, allocator;
};

static const char *scope_at(size_t i)
{
    static const char *const names[] = { "memcg", "machine" };
    return i < FL_COUNT(names) ? names[i] : NULL;
}

static const struct fl_opt replay_opts[] = {
    { "ram", 0, FL_OPT_SIZE, offsetof(struct replay_cfg, ram), "SIZE", NULL,
      "memory: 512M, or 50% of the trace's peak resident set", NULL },
    { "frames", 0, FL_OPT_UINT, offsetof(struct replay_cfg, frames), "N", NULL,
      "memory as a number of 4 KiB data frames, instead of --ram", NULL },
    { "swap", 0, FL_OPT_SIZE, offsetof(struct replay_cfg, swap), "SIZE", "max",
      "swap area; a full one ends in an OOM kill", NULL },
    { "policy", 0, FL_OPT_CHOICE, offsetof(struct replay_cfg, policy), "NAME", "lru",
      "replacement policy, see 'faultline policies'", fl_policy_name_at },
    { "swap-device", 0, FL_OPT_CHOICE, offsetof(struct replay_cfg, swap_device), "KIND", NULL,
      "what swap lies on: zram, ssd or disk (rotational); without it zram, or ssd where --costs "
      "has a disk",
      fl_swap_kind_name_at },
    { "swappiness", 0, FL_OPT_UINT, offsetof(struct replay_cfg, swappiness), "N", "60",
      "vm.swappiness, 0 to 200, for `linux` and `mglru`", NULL },
    { "page-cluster", 0, FL_OPT_UINT, offsetof(struct replay_cfg, page_cluster), "N", "3",
      "vm.page-cluster: swap read-ahead of up to 2^N pages, for `linux` and `mglru`", NULL },
    { "first-flush", 0, FL_OPT_UINT, offsetof(struct replay_cfg, first_flush), "MS", "1000",
      "when the kernel's statistics are first flushed, 0 to 2000, for the policy `linux`", NULL },
    { "scope", 0, FL_OPT_CHOICE, offsetof(struct replay_cfg, scope), "SCOPE", NULL,
      "what the memory is, for the kernel's policies: the limit of a memory group (memcg, "
      "unless said) or all RAM of a machine; textbook policies count data pages only",
      scope_at },
    { "host-ram", 0, FL_OPT_STRING, offsetof(struct replay_cfg, host_ram), "SIZE", NULL,
      "with --scope memcg: RAM of the machine around the group; page frames are then taken out of "
      "its zones, huge ones only where there is a block",
      NULL },
    { "base", 0, FL_OPT_STRING, offsetof(struct replay_cfg, base), "SIZE", NULL,
      "how much of a machine's RAM its kernel and other programs use; without it 1/64 and 128M, "
      "0 for nothing",
      NULL },
    { "memcg", 0, FL_OPT_CHOICE, offsetof(struct replay_cfg, memcg), "VERSION", NULL,
      "memory groups of version v1 (--swap is the device), v2 (--swap is the group's limit) or "
      "none; without it as the recording says, else v2",
      fl_memcg_name_at },
    { "thp", 0, FL_OPT_CHOICE, offsetof(struct replay_cfg, thp), "MODE", NULL,
      "huge pages for anonymous memory, for the policy `linux`: always, madvise or never; without "
      "it as the recording says, else madvise",
      fl_thp_name_at },
    { "machine", 0, FL_OPT_STRING, offsetof(struct replay_cfg, machine), "NAME|FILE", "skylake-sp",
      "TLB and page-table depth: one of 'faultline machines', a file as 'machines NAME --json' "
      "prints it, or host, the machine of the recording",
      NULL },
    { "costs", 0, FL_OPT_STRING, offsetof(struct replay_cfg, costs), "FILE", NULL,
      "what faults and swapping cost, for the time estimate: a file of 'faultline calibrate'",
      NULL },
    { "native", 0, FL_OPT_DURATION, offsetof(struct replay_cfg, native_ns), "SECONDS", NULL,
      "the program's own run time (user and system) with memory enough, for the model's clock",
      NULL },
    { "no-tlb", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, no_tlb), NULL, NULL,
      "leave the TLB out: faster, and no `tlb` in the result", NULL },
    { "locality", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, locality), NULL, NULL,
      "add what does not depend on RAM: working set, phases, heat and TLB reach (two passes more)",
      NULL },
    { "kernel-objects", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, kernel_objects), NULL, NULL,
      "add `slab`: kernel objects that the processes, threads, mappings and files imply (a pass "
      "more)",
      NULL },
    { "no-thrash", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, no_thrash), NULL, NULL,
      "leave out whose faults they are and when the program thrashes: faster", NULL },
    { "oom-score-adj", 0, FL_OPT_STRING, offsetof(struct replay_cfg, oom_score_adj),
      "PID=VALUE,...", NULL,
      "what if these processes, and children that inherit it, had this oom_score_adj (-1000 to "
      "1000) from their start",
      NULL },
    { "what-saves", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, what_saves), NULL, NULL,
      "add what would have saved the first that is killed: least RAM, least swap, smallest change "
      "of its oom_score_adj (10 to 50 replays more, without TLB)",
      NULL },
    { "allocator", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, allocator), NULL, NULL,
      "instead of paging: the kernel's page allocator, from the events of a recording with --kernel, "
      "beside what the recording saw at its end; no --ram",
      NULL },
    { "seed", 0, FL_OPT_UINT, offsetof(struct replay_cfg, seed), "N", "1",
      "seed of the policy `random`, and of what a TLB gives up where --costs tell of one", NULL },
    { "partial", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, partial), NULL, NULL,
      "accept a damaged trace and replay its good part", NULL },
    { "output", 'o', FL_OPT_STRING, offsetof(struct replay_cfg, out), "R.json", NULL,
      "write the result there as JSON", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct replay_cfg, json), NULL, NULL,
      "print JSON instead of a table", NULL },
    FL_OPT_END
};

static void print_count(FILE *out, const char *name, uint64_t v)
{
    char buf[FL_FORMAT_BYTES];
    fprintf(out, "  %-22s %20s\n", name, fl_format_count(buf, v));
}

static void print_pages(FILE *out, const char *name, uint64_t pages)
{
    char count[FL_FORMAT_BYTES], bytes[FL_FORMAT_BYTES];
    fprintf(out, "  %-22s %20s   %s\n", name, fl_format_count(count, pages),
            fl_format_bytes(bytes, pages * FL_PAGE_BYTES));
}

static void print_faults(FILE *out, const struct fl_result *res, bool major)
{
    print_count(out, major ? "major faults" : "minor faults", major ? res->major : res->minor);
    for (int c = FL_CAUSE_NONE + 1; c < FL_CAUSE_COUNT; c++)
        if (res->faults[c] && fl_cause_is_major((enum fl_cause)c) == major) {
            char label[32];
            snprintf(label, sizeof label, "  by %s", fl_cause_name((enum fl_cause)c));
            print_count(out, label, res->faults[c]);
        }
}

static void print_tlb(FILE *out, const struct fl_tlb_counts *level)
{
    char lookups[FL_FORMAT_BYTES], misses[FL_FORMAT_BYTES];
    fprintf(out, "  TLB %-18s %20s   %s missed\n", level->name,
            fl_format_count(lookups, level->lookups), fl_format_count(misses, level->misses));
}

static void print_time(FILE *out, const struct fl_result *res)
{
    struct fl_time t;
    fl_time_estimate(res, &t);
    if (!t.total_ns)
        return;
    fprintf(out,
            "  %-22s %18.3f s   %.2f times as long as with all resident, %.1f %% waiting\n"
            "  %-22s %20s   costs: %s\n",
            "time (estimate)", (double)t.total_ns / 1e9, (double)t.slowdown_bp / 1e4,
            t.stall_bp / 100.0, "", "", t.source);
}

static void print_quality(FILE *out, const struct fl_reader *r)
{
    const char *key, *value;
    for (size_t i = 0; fl_meta_at(fl_reader_meta(r), i, &key, &value); i++)
        if (!strncmp(key, FL_QUALITY_PREFIX, strlen(FL_QUALITY_PREFIX))) {
            fprintf(out, "  quality: %s: ", key + strlen(FL_QUALITY_PREFIX));
            fl_put_clean(out, value);
            fputc('\n', out);
        }
}

static void print_result(FILE *out, const struct fl_result *res, const struct fl_thrash *thrash,
                         const struct fl_reader *r)
{
    const struct fl_replay_opts *o = &res->opts;
    char ram[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES];
    bool kernel = o->policy->needs & FL_IS_KERNEL;
    fprintf(out, "policy %s%s%s, RAM %s, swap %s, fidelity %s\n\n", o->policy->name,
            kernel ? ", scope " : "", kernel ? kernel_scope(o) : "",
            o->frames == FL_FRAMES_UNLIMITED ? "unlimited"
                                             : fl_format_bytes(ram, o->frames * FL_PAGE_BYTES),
            o->swap_pages == UINT64_MAX ? "unlimited"
                                        : fl_format_bytes(swap, o->swap_pages * FL_PAGE_BYTES),
            fl_fidelity_name(fl_reader_fidelity(r)));
    print_faults(out, res, false);
    print_faults(out, res, true);
    if (res->segv)
        print_count(out, "invalid accesses", res->segv);
    print_pages(out, "resident peak", res->resident_peak_pages);
    print_pages(out, "peak without limit", res->unlimited_peak_pages);
    print_pages(out, "swapped in", res->pages_in);
    print_pages(out, "swapped out", res->pages_out);
    print_pages(out, "swap peak", res->swap_peak_pages);
    if (kernel) {
        print_pages(out, "reclaimed directly", res->evictions - res->background);
        print_pages(out, "  in the background", res->background);
    }
    print_count(out, "page tables peak", res->page_tables_peak);
    if (res->faults[FL_CAUSE_HUGE])
        print_count(out, "huge page splits", res->thp.splits);
    print_pages(out, "saved by sharing", res->saved_pages);
    for (uint32_t i = 0; i < res->n_tlb; i++)
        if (res->tlb[i].lookups)
            print_tlb(out, &res->tlb[i]);
    if (res->n_tlb) {
        print_count(out, "page walks", res->walks);
        print_count(out, "  their references", res->walk_refs);
        print_count(out, "TLB flushes", res->tlb_flushes);
    }
    print_time(out, res);
    if (thrash) {
        fputs("  ", out);
        fl_wrap(thrash->verdict, strlen(thrash->verdict), 2, 2, out);
    }
    print_quality(out, r);
    for (size_t i = 0; i < res->n_oom_kills; i++)
        fprintf(out, "  OOM: killed %s (pid %u), badness %" PRId64 ", after %" PRIu64 " accesses\n",
                res->oom_kills[i].comm, res->oom_kills[i].pid, res->oom_kills[i].badness,
                res->oom_kills[i].at_access);
    cmd_saved_print(res, out);
}

static int output(struct fl_reader *r, const char *path, const struct replay_cfg *cfg,
                  const struct fl_result *res, const struct fl_thrash *thrash,
                  const struct locality_answers *locality, const struct fl_slab_implied *slab,
                  struct fl_err *err)
{
    struct json_t *trace;
    if (!cfg->json && !cfg->out) {
        print_result(stdout, res, thrash, r);
        cmd_locality_print(locality, stdout);
        if (cfg->kernel_objects)
            cmd_slab_print(slab, stdout);
        return FL_OK;
    }
    int rc = cmd_trace_json(r, path, res->unlimited_peak_pages, &trace, err);
    if (rc != FL_OK)
        return rc;
    struct json_t *doc = fl_result_json(res, r, trace);
    if (thrash)
        json_object_set_new(doc, "thrash", fl_thrash_json(thrash, res));
    rc = doc ? cmd_locality_add(locality, doc, err) : FL_OK; /* the writer tells */
    if (rc == FL_OK && doc && cfg->kernel_objects)
        rc = fl_slab_implied_json(slab, doc, err);
    if (rc == FL_OK)
        return cmd_write_json(doc, cfg->out, err);
    json_decref(doc);
    return rc;
}

/* As given, made to fit the program's own speed, and for the device that swap lies on. */
static int costs_of(struct fl_reader *r, const struct replay_cfg *cfg,
                    const struct fl_machine *machine, struct fl_costs *costs, struct fl_err *err)
{
    int rc = FL_OK;
    if (cfg->costs)
        rc = fl_costs_load(cfg->costs, costs, err);
    else
        *costs = *(machine->costs ? machine->costs : fl_costs_default());
    if (rc == FL_OK && cfg->swap_device)
        costs->swap_device = fl_swap_kind_device(fl_swap_kind_find(cfg->swap_device));
    if (rc == FL_OK && cfg->native_ns)
        rc = fl_costs_fit_access(r, cfg->native_ns, costs, NULL, err);
    return rc;
}

static int size_option(struct fl_reader *r, const char *name, const char *text, uint64_t *peak,
                       uint64_t *pages, struct fl_err *err)
{
    struct fl_err why;
    struct fl_size size;
    if (fl_parse_size(text, &size, &why) != FL_OK)
        return fl_fail(err, FL_EUSAGE, "%s: %s", name, why.msg);
    return cmd_swap_pages(r, &size, peak, pages, err);
}

/* What the kernel's policies are told: defaults, then the recording, then the options. */
static int kernel_options(struct fl_reader *r, const struct replay_cfg *cfg,
                          const struct fl_costs *costs, uint64_t *peak,
                          struct fl_kernel_opts *kernel, struct fl_err *err)
{
    *kernel = *fl_kernel_defaults();
    fl_kernel_from_trace(r, kernel);
    if (cfg->swap_device)
        kernel->swap_kind = fl_swap_kind_find(cfg->swap_device);
    else if (costs->swap_device == FL_SWAP_DEVICE_DISK)
        kernel->swap_kind = FL_SWAP_SSD;
    kernel->swappiness = (uint32_t)cfg->swappiness;
    kernel->page_cluster = (uint32_t)cfg->page_cluster;
    kernel->first_flush_ms = (uint32_t)cfg->first_flush;
    kernel->data_frames = cfg->frames != 0;
    kernel->memcg = kernel_memcg_find(cfg->memcg, kernel->memcg);
    kernel->thp = kernel_thp_find(cfg->thp, kernel->thp);
    bool group = fl_policy_find(cfg->policy)->needs & FL_IS_KERNEL &&
                 !(cfg->scope && strcmp(cfg->scope, "machine") == 0);
    if (cfg->host_ram && !group)
        return fl_fail(err, FL_EUSAGE,
                       "--host-ram is of the machine around a memory group: for the policies linux "
                       "and mglru with --scope memcg");
    int rc = cfg->base ? size_option(r, "--base", cfg->base, peak, &kernel->base_pages, err)
                       : FL_OK;
    return rc == FL_OK && cfg->host_ram
               ? size_option(r, "--host-ram", cfg->host_ram, peak, &kernel->host_pages, err)
               : rc;
}

static int replay_trace(struct fl_reader *r, const char *path, const struct replay_cfg *cfg,
                        const struct fl_machine *machine, struct fl_err *err)
{
    struct fl_kernel_opts kernel;
    struct fl_costs costs;
    struct fl_replay_opts opts = { .policy = fl_policy_find(cfg->policy),
                                   .frames = (uint32_t)cfg->frames,
                                   .seed = cfg->seed,
                                   .machine = machine,
                                   .costs = &costs,
                                   .scope = cfg->scope,
                                   .kernel = &kernel,
                                   .no_tlb = cfg->no_tlb,
                                   .no_owners = cfg->no_thrash };
    struct fl_progress progress;
    uint64_t peak = UINT64_MAX;
    struct fl_result *res = NULL;
    struct fl_thrash *thrash = NULL;
    struct locality_answers locality = { NULL, NULL };
    struct fl_slab_implied slab = { NULL, 0, 0, 0 };
    struct fl_saved_by saved;
    struct fl_oom_adj *adj = NULL;
    int rc = cmd_oom_adj(cfg->oom_score_adj, &adj, &opts.n_oom_adj, err);
    opts.oom_adj = adj;
    if (rc == FL_OK)
        rc = costs_of(r, cfg, machine, &costs, err);
    if (rc == FL_OK)
        rc = kernel_options(r, cfg, &costs, &peak, &kernel, err);
    if (rc == FL_OK && !cfg->frames)
        rc = cmd_frames(r, &cfg->ram, &peak, &opts.frames, err);
    if (rc == FL_OK)
        rc = cmd_swap_pages(r, &cfg->swap, &peak, &opts.swap_pages, err);
    fl_progress_begin(&progress, "replay", isatty(STDERR_FILENO) ? stderr : NULL);
    opts.progress = progress.out ? fl_progress_step : NULL;
    opts.progress_arg = &progress;
    if (rc == FL_OK)
        rc = fl_replay(r, &opts, &res, err);
    if (rc == FL_OK)
        rc = cmd_oom_adj_known(res, err);
    if (rc == FL_OK && cfg->what_saves) {
        rc = fl_saved_by(r, &opts, res, &saved, err);
        res->saved_by = &saved;
    }
    if (rc == FL_OK && !cfg->no_thrash)
        rc = fl_thrash_of(r, res, opts.progress, opts.progress_arg, &thrash, err);
    fl_progress_end(&progress);
    if (rc == FL_OK && cfg->locality)
        rc = cmd_locality_ask(r, machine, cfg->no_tlb, &locality, err);
    if (rc == FL_OK && cfg->kernel_objects)
        rc = cmd_slab_ask(r, &slab, err);
    if (rc == FL_OK)
        rc = output(r, path, cfg, res, thrash, &locality, &slab, err);
    cmd_locality_free(&locality);
    fl_slab_implied_free(&slab);
    fl_thrash_free(thrash);
    fl_result_free(res);
    free(adj);
    return rc;
}

static int run_allocator(const struct replay_cfg *cfg, const char *path, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    if (cfg->ram.bytes || cfg->ram.percent_bp || cfg->frames)
        return fl_fail(err, FL_EUSAGE,
                       "--allocator replays what happened, at the memory there was: "
                       "leave --ram and --frames out");
    int rc = fl_outfile_apart(cfg->out, path, err);
    if (rc == FL_OK)
        rc = cmd_open_trace(path, cfg->partial, &r, err);
    if (rc == FL_OK)
        rc = cmd_allocator(r, path, cfg->json, cfg->out, err);
    fl_reader_free(r);
    return rc;
}

static int run_replay(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct replay_cfg *cfg = arg;
    const struct fl_machine *machine;
    struct fl_machine *loaded = NULL;
    struct fl_reader *r = NULL;
    bool has_ram = cfg->ram.bytes || cfg->ram.percent_bp;
    (void)n_operands;

    if (cfg->allocator)
        return run_allocator(cfg, operands[0], err);
    if (has_ram == (cfg->frames != 0))
        return fl_fail(err, FL_EUSAGE,
                       has_ram
                           ? "give --ram or --frames, not both"
                           : "how much memory? give --ram SIZE or --frames N, at least one page");
    if (cfg->frames >= FL_FRAMES_UNLIMITED)
        return fl_fail(err, FL_EUSAGE, "--frames: at most %u", FL_FRAMES_UNLIMITED - 1);
    int rc = fl_outfile_apart(cfg->out, operands[0], err);
    if (rc == FL_OK && cfg->costs)
        rc = fl_outfile_apart(cfg->out, cfg->costs, err);
    if (rc == FL_OK)
        rc = cmd_open_trace(operands[0], cfg->partial, &r, err);
    if (rc == FL_OK)
        rc = cmd_machine(r, cfg->machine, &machine, &loaded, err);
    if (rc == FL_OK && (cfg->out || cfg->json))
        fl_reader_hash_ahead(r);
    if (rc == FL_OK && loaded)
        rc = fl_outfile_apart(cfg->out, cfg->machine, err);
    if (rc == FL_OK)
        rc = replay_trace(r, operands[0], cfg, machine, err);
    fl_reader_free(r);
    fl_machine_free(loaded);
    return rc;
}

const struct fl_cmd fl_cmd_replay = {
    .name = "replay",
    .summary = "Run a trace through the model at one memory size",
    .synopsis = "FILE --ram SIZE|--frames N [--swap SIZE|max] [--policy NAME] "
                "[--machine NAME|FILE] [-o R.json]\n"
                "FILE --allocator [-o R.json]",
    .description =
        "Replays an exact trace: address spaces, page tables, TLB, demand paging,\n"
        "copy-on-write and swap, under the RAM and swap given. Deterministic: the same\n"
        "trace and options give the same bytes.\n\n"
        "The policies fifo, lru, clock, random and opt are the textbook's: RAM is exactly\n"
        "N data frames and nothing else is charged to it; minor + major faults is the\n"
        "number of misses, and a page's first touch is minor.",
    .examples = "  faultline replay trace.flt --ram 50% --policy clock\n"
                "  faultline replay trace.flt --ram 256M --swap 128M -o r.json\n"
                "  faultline replay machine.flt --allocator",
    .opts = replay_opts,
    .cfg_size = sizeof(struct replay_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = run_replay,
};
