/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/cmd.h>
#include <faultline/trace.h>
#include <faultline/units.h>

extern const struct fl_cmd fl_cmd_check;

struct check_cfg {
    const char *salvage;
    bool json;
};

#define EXIT_DAMAGED 1

static int print_json(const char *path, const struct fl_check_report *r, FILE *out,
                      struct fl_err *err)
{
    json_t *o = json_pack("{ss so sb sI sI sI sI sI so}", "schema", "faultline.check/1", "path",
                          fl_json_text(path), "sound", r->sound, "good_blocks",
                          (json_int_t)r->good_blocks, "good_bytes", (json_int_t)r->good_bytes,
                          "good_accesses", (json_int_t)r->good_accesses, "good_events",
                          (json_int_t)r->good_events, "file_bytes", (json_int_t)r->file_bytes,
                          "problem", fl_json_text(r->problem));
    if (!o)
        return fl_nomem(err, "check report");
    int bad = json_dumpf(o, out, JSON_INDENT(2));
    json_decref(o);
    if (!bad)
        fputc('\n', out);
    return FL_OK; /* a failed write is the commit's to report */
}

static void print_sound(const char *path, const struct fl_check_report *r, FILE *out)
{
    char accesses[FL_FORMAT_BYTES], events[FL_FORMAT_BYTES], blocks[FL_FORMAT_BYTES];
    char bytes[FL_FORMAT_BYTES];
    fl_put_clean(out, path);
    fprintf(out, ": sound: %s accesses and %s events in %s blocks, %s\n",
            fl_format_count(accesses, r->good_accesses), fl_format_count(events, r->good_events),
            fl_format_count(blocks, r->good_blocks), fl_format_bytes(bytes, r->file_bytes));
}

static int print_verdict(const struct check_cfg *c, const char *path,
                         const struct fl_check_report *r, struct fl_err *err)
{
    struct fl_outfile out;
    if (!c->json && !r->sound)
        return FL_OK; /* it is the error that the command ends with */
    int rc = fl_outfile_open(&out, NULL, err);
    if (rc != FL_OK)
        return rc;
    if (c->json)
        rc = print_json(path, r, out.stream, err);
    else
        print_sound(path, r, out.stream);
    if (rc == FL_OK)
        return fl_outfile_commit(&out, err);
    fl_outfile_abort(&out);
    return rc;
}

static int check_run(void *cfg, int n_operands, char **operands, struct fl_err *err)
{
    const struct check_cfg *c = cfg;
    struct fl_check_report report;
    (void)n_operands;
    int rc = fl_trace_check(operands[0], &report, err);
    if (rc == FL_OK)
        rc = print_verdict(c, operands[0], &report, err);
    if (rc == FL_OK && c->salvage) {
        rc = fl_trace_salvage(operands[0], c->salvage, err);
        if (rc == FL_OK)
            fl_note("wrote the good blocks to %s", c->salvage);
    }
    if (rc != FL_OK || report.sound)
        return rc;
    return c->json ? EXIT_DAMAGED : fl_fail(err, FL_EFORMAT, "%s: %s", operands[0], report.problem);
}

static const struct fl_opt check_opts[] = {
    { .name = "salvage",
      .kind = FL_OPT_STRING,
      .at = offsetof(struct check_cfg, salvage),
      .arg = "OUT",
      .help = "write what is good as a sound trace to OUT" },
    { .name = "json",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct check_cfg, json),
      .help = "print the verdict as JSON" },
    FL_OPT_END,
};

const struct fl_cmd fl_cmd_check = {
    .name = "check",
    .summary = "Verify a trace, and recover what is good of a damaged one",
    .synopsis = "[--salvage OUT] [--json] FILE",
    .description =
        "Walks every invariant that the trace format states: checksums, order, ids, totals. "
        "A damaged trace is reported with the place of the damage and with how much before it "
        "is good.\n\n"
        "With --salvage the good blocks are copied to OUT, which ends properly and says in its "
        "metadata that it is incomplete.\n\n"
        "The exit status is 0 for a sound trace and 1 for a damaged one, whether or not it was "
        "salvaged.",
    .examples = "faultline check app.flt                      is this trace whole?\n"
                "faultline check --salvage good.flt app.flt   keep what can be read",
    .opts = check_opts,
    .cfg_size = sizeof(struct check_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = check_run,
};
