/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>

#include <faultline/cmd.h>
#include <faultline/trace.h>
#include <faultline/units.h>

extern const struct fl_cmd fl_cmd_reduce;

struct reduce_cfg {
    const char *out;
    uint64_t floor;
    bool only;
};

static void tell(const char *path, const struct fl_layer *l, bool only)
{
    char runs[FL_FORMAT_BYTES], of[FL_FORMAT_BYTES], bytes[FL_FORMAT_BYTES];
    if (!l->blocks) {
        fl_note("%s: no block has locality enough to be worth reducing: it is as it was", path);
        return;
    }
    fl_note("%s: %s of %s runs in %s, for memories of %u frames or more", path,
            fl_format_count(runs, l->runs), fl_format_count(of, l->of_runs),
            fl_format_bytes(bytes, l->bytes), l->floor);
    if (l->coarse)
        fl_note("%s of them for memories of %u frames or more",
                fl_format_count(runs, l->coarse_runs), l->coarse);
    if (only && l->blocks < l->of)
        fl_note("%u of %u blocks have too little locality and stay whole", l->of - l->blocks,
                l->of);
}

static int reduce_run(void *cfg, int n_operands, char **operands, struct fl_err *err)
{
    const struct reduce_cfg *c = cfg;
    struct fl_layer layer = { 0 };
    (void)n_operands;
    if (!c->out)
        return fl_fail(err, FL_EUSAGE, "give the trace to write with -o OUT");
    if (c->floor < 1 || c->floor > FL_LAYER_FLOOR_MAX)
        return fl_fail(err, FL_EUSAGE, "--floor: 1 to %u frames", FL_LAYER_FLOOR_MAX);
    int rc = fl_outfile_apart(c->out, operands[0], err);
    if (rc == FL_OK)
        rc = fl_trace_reduce(operands[0], c->out, (uint32_t)c->floor, c->only, &layer, err);
    if (rc == FL_OK)
        tell(c->out, &layer, c->only);
    return rc;
}

static const struct fl_opt reduce_opts[] = {
    { .name = "output",
      .letter = 'o',
      .kind = FL_OPT_STRING,
      .at = offsetof(struct reduce_cfg, out),
      .arg = "OUT",
      .help = "the trace to write" },
    { .name = "floor",
      .kind = FL_OPT_UINT,
      .at = offsetof(struct reduce_cfg, floor),
      .arg = "K",
      .def = "256",
      .help = "frames of the smallest memory to ask about" },
    { .name = "only",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct reduce_cfg, only),
      .help = "leave out the full stream: small, and refuses what it cannot answer" },
    FL_OPT_END,
};

const struct fl_cmd fl_cmd_reduce = {
    .name = "reduce",
    .summary = "Give a trace a reduced layer, or cut it down to one",
    .synopsis = "FILE -o OUT [--floor K] [--only]",
    .description =
        "Copies FILE with a layer that holds, of the runs, only those that lru and opt need in "
        "memories of K frames or more, and all events. replay --no-tlb, sweep and report read the "
        "layer in place of the full stream where it answers exactly, which is many times faster; "
        "anything else, and smaller memories, use the full stream. record and import put a layer "
        "for 256 frames into traces by themselves.\n\n"
        "With --only, OUT has the layer and no full stream: it is small, and a question that the "
        "layer cannot answer exactly is refused with exit status 4.\n\n"
        "Where there is so little locality that a layer would save nothing, a trace has none.",
    .examples = "faultline reduce old.flt -o new.flt\n"
                "faultline reduce app.flt -o small.flt --only\n"
                "faultline reduce app.flt -o app64.flt --floor 64",
    .opts = reduce_opts,
    .cfg_size = sizeof(struct reduce_cfg),
    .min_operands = 1,
    .max_operands = 1,
    .run = reduce_run,
};
