/* SPDX-License-Identifier: GPL-2.0-or-later */
/* advise: how small can this program's memory be? */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <faultline/cmd.h>
#include <faultline/units.h>

#include "advise.h"

#define MARGIN_MAX_BP 100000u

struct advise_cfg {
    const char *slowdown, *margin, *policy, *swap_device, *costs, *validation, *format, *out;
    uint64_t native_ns;
    bool json, partial;
};

static const char *format_at(size_t i)
{
    static const char *const names[] = { "text", "json", "systemd", "kubernetes", "docker" };
    return i < FL_COUNT(names) ? names[i] : NULL;
}

static const struct fl_opt opts[] = {
    { "slowdown", 0, FL_OPT_STRING, offsetof(struct advise_cfg, slowdown), "PCT", "10%",
      "how much longer the program may take than with memory enough", NULL },
    { "margin", 0, FL_OPT_STRING, offsetof(struct advise_cfg, margin), "PCT", "10%",
      "added to the RAM and swap found", NULL },
    { "policy", 0, FL_OPT_CHOICE, offsetof(struct advise_cfg, policy), "NAME", "linux",
      "replacement policy, see 'faultline policies'", fl_policy_name_at },
    { "swap-device", 0, FL_OPT_CHOICE, offsetof(struct advise_cfg, swap_device), "KIND", NULL,
      "what swap lies on: zram, ssd or disk (rotational); without it zram, or ssd where --costs "
      "has a disk",
      fl_swap_kind_name_at },
    { "costs", 0, FL_OPT_STRING, offsetof(struct advise_cfg, costs), "FILE", NULL,
      "what faults and swapping cost: a file of 'faultline calibrate'", NULL },
    { "native", 0, FL_OPT_DURATION, offsetof(struct advise_cfg, native_ns), "SECONDS", NULL,
      "the program's own run time (user and system) with memory enough", NULL },
    { "validation", 0, FL_OPT_STRING, offsetof(struct advise_cfg, validation), "V.json", NULL,
      "what the kernel did with the same program: the JSON of 'faultline validate'", NULL },
    { "partial", 0, FL_OPT_FLAG, offsetof(struct advise_cfg, partial), NULL, NULL,
      "accept a damaged trace and go by its good part", NULL },
    { "format", 0, FL_OPT_CHOICE, offsetof(struct advise_cfg, format), "FORMAT", NULL,
      "text, json, or configuration: systemd, kubernetes, docker; without it text, or json with -o",
      format_at },
    { "output", 'o', FL_OPT_STRING, offsetof(struct advise_cfg, out), "FILE", NULL,
      "write the result there", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct advise_cfg, json), NULL, NULL,
      "the same as --format json", NULL },
    FL_OPT_END
};

/* "10", "10%", "2.5%" */
static int parse_percent(const char *option, const char *text, uint64_t *bp, struct fl_err *err)
{
    char full[32];
    size_t len = strlen(text);
    struct fl_size size = { 0 };
    bool sign = len && text[len - 1] == '%';
    if (len > sign && strspn(text, "0") == len - sign) { /* no size, but a budget */
        *bp = 0;
        return FL_OK;
    }
    int n = snprintf(full, sizeof full, "%s%s", text, sign ? "" : "%");
    if (n >= (int)sizeof full || len == 0 || fl_parse_size(full, &size, NULL) != FL_OK ||
        size.bytes != 0)
        return fl_fail(err, FL_EUSAGE,
                       "--%s: a percentage, such as 10%% or 2.5%%, at most 1000000%%", option);
    *bp = size.percent_bp;
    return FL_OK;
}

static int read_options(const struct advise_cfg *cfg, struct advise *a, struct fl_err *err)
{
    int rc = parse_percent("slowdown", cfg->slowdown, &a->slowdown_bp, err);
    if (rc == FL_OK)
        rc = parse_percent("margin", cfg->margin, &a->margin_bp, err);
    if (rc == FL_OK && a->margin_bp > MARGIN_MAX_BP)
        rc = fl_fail(err, FL_EUSAGE, "--margin: at most %u%%", MARGIN_MAX_BP / 100u);
    if (rc == FL_OK && cfg->json && cfg->format && strcmp(cfg->format, "json") != 0)
        rc = fl_fail(err, FL_EUSAGE, "give --json or --format %s, not both", cfg->format);
    if (rc == FL_OK)
        rc = fl_outfile_apart(cfg->out, a->path, err);
    if (rc == FL_OK && cfg->costs)
        rc = fl_outfile_apart(cfg->out, cfg->costs, err);
    if (rc == FL_OK && cfg->validation)
        rc = fl_outfile_apart(cfg->out, cfg->validation, err);
    a->policy = fl_policy_find(cfg->policy);
    a->native_ns = cfg->native_ns;
    a->read_flags = cfg->partial ? FL_READ_PARTIAL : 0;
    a->costs = *fl_costs_default();
    if (rc == FL_OK && cfg->costs) {
        rc = fl_costs_load(cfg->costs, &a->costs, err);
        a->own_costs = true;
    }
    if (cfg->swap_device)
        a->swap_kind = fl_swap_kind_find(cfg->swap_device);
    else
        a->swap_kind = a->costs.swap_device == FL_SWAP_DEVICE_DISK ? FL_SWAP_SSD : FL_SWAP_ZRAM;
    return rc;
}

static const char *format_of(const struct advise_cfg *cfg)
{
    if (cfg->format)
        return cfg->format;
    return cfg->json || cfg->out ? "json" : "text";
}

static int write_configuration(const struct advise *a, const char *format, FILE *out,
                               struct fl_err *err)
{
    char *name = advise_name(a);
    if (!name)
        return fl_nomem(err, "advice");
    if (!strcmp(format, "systemd"))
        advise_systemd(a, name, out);
    else if (!strcmp(format, "kubernetes"))
        advise_kubernetes(a, name, out);
    else
        advise_docker(a, name, out);
    free(name);
    return FL_OK;
}

/* Takes @trace and @quality over. */
static int write_answer(const struct advise_cfg *cfg, const struct advise *a, json_t *trace,
                        json_t *quality, struct fl_err *err)
{
    const char *format = format_of(cfg);
    struct fl_outfile out;
    json_t *doc = advise_json(a, trace, quality);
    int rc = doc ? fl_outfile_open(&out, cfg->out, err) : fl_nomem(err, "advice");
    if (rc != FL_OK) {
        json_decref(doc);
        return rc;
    }
    if (!strcmp(format, "json")) {
        json_dumpf(doc, out.stream, JSON_INDENT(1));
        fputc('\n', out.stream);
    } else if (!strcmp(format, "text"))
        advise_text(a, out.stream);
    else
        rc = write_configuration(a, format, out.stream, err);
    json_decref(doc);
    if (rc != FL_OK) {
        fl_outfile_abort(&out);
        return rc;
    }
    return fl_outfile_commit(&out, err);
}

static int answer(const struct advise_cfg *cfg, struct advise *a, struct fl_reader *r,
                  const char *sha256, struct fl_err *err)
{
    struct fl_progress progress;
    fl_progress_begin(&progress, "advise", isatty(STDERR_FILENO) ? stderr : NULL);
    a->progress = progress.out ? fl_progress_step : NULL;
    a->progress_arg = &progress;
    int rc = advise_run(a, r, err);
    fl_progress_end(&progress);
    if (rc != FL_OK)
        return rc;
    json_t *quality = fl_quality_json(r);
    advise_doubt(a, r, quality);
    advise_verdict(a);
    return write_answer(cfg, a, fl_trace_json(r, a->path, sha256, a->footprint_pages), quality,
                        err);
}

static int run(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct advise_cfg *cfg = arg;
    struct advise *a = calloc(1, sizeof *a);
    struct fl_reader *r = NULL;
    char sha256[65];
    (void)n_operands;
    if (!a)
        return fl_nomem(err, "advice");
    a->path = operands[0];
    int rc = read_options(cfg, a, err);
    if (rc == FL_OK)
        rc = fl_reader_open_path(a->path, a->read_flags, &r, err);
    if (rc == FL_OK && !fl_reader_complete(r))
        fl_warn("%s: only the good part is read: %s", a->path, fl_reader_damage(r));
    if (rc == FL_OK)
        rc = fl_reader_sha256(r, sha256, err);
    if (rc == FL_OK && cfg->validation)
        rc = advise_measured_load(cfg->validation, r, sha256, cfg->policy, &a->costs, &a->measured,
                                  err);
    if (rc == FL_OK)
        rc = answer(cfg, a, r, sha256, err);
    fl_reader_free(r);
    advise_free(a);
    free(a);
    return rc;
}

const struct fl_cmd fl_cmd_advise = {
    .name = "advise",
    .summary = "Find the smallest memory in which a program still runs fast enough",
    .synopsis = "FILE [--slowdown PCT] [--margin PCT] [--policy NAME] [--validation V.json] "
                "[--format FORMAT] [-o FILE]",
    .description =
        "Replays an exact trace at some twenty sizes and answers how small the memory limit of the\n"
        "program's container can be: the smallest RAM in which its estimated time exceeds that with\n"
        "memory enough by no more than the budget and nobody is killed, how much swap it uses there,\n"
        "the smallest RAM without swap, and where the curve of faults bends and falls.\n\n"
        "The margin is added to what the model finds. With --validation the measured error is\n"
        "allowed for, and no limit is advised at or below one at which the kernel killed. The\n"
        "confidence comes with every reason for it.",
    .examples = "  faultline advise trace.flt --slowdown 10%\n"
                "  faultline advise trace.flt --slowdown 5% --swap-device ssd --format systemd",
    .opts = opts,
    .cfg_size = sizeof(struct advise_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
