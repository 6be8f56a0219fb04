/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far to trust an advice: every reason, and the most confidence it leaves. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <faultline/units.h>

#include "advise.h"

const char *advise_confidence_name(enum advise_confidence c)
{
    static const char *const names[] = { "low", "medium", "high" };
    return names[c];
}

static void reason(struct advise *a, enum advise_confidence at_most, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void reason(struct advise *a, enum advise_confidence at_most, const char *fmt, ...)
{
    va_list args;
    if (a->n_reasons == ADVISE_REASONS_MAX)
        return;
    struct advise_reason *r = &a->reasons[a->n_reasons++];
    r->at_most = at_most;
    va_start(args, fmt);
    vsnprintf(r->text, sizeof r->text, fmt, args);
    va_end(args);
    if (at_most < a->confidence)
        a->confidence = at_most;
}

/* ---- the recording ------------------------------------------------------------------------ */

/* Flags that leave counts of memory alone, and those that make them lower bounds. */
static enum advise_confidence weight_of(const char *flag)
{
    static const char *const harmless[] = { "cpuid", "brk", "vfork", "outside", "threads" };
    static const char *const grave[] = { "partial", "incomplete", "lost", "damaged", "unrecorded" };
    for (size_t i = 0; i < FL_COUNT(harmless); i++)
        if (!strcmp(flag, harmless[i]))
            return ADVISE_HIGH;
    for (size_t i = 0; i < FL_COUNT(grave); i++)
        if (!strcmp(flag, grave[i]))
            return ADVISE_LOW;
    return ADVISE_MEDIUM;
}

static void doubt_recording(struct advise *a, const struct fl_reader *r, const json_t *quality)
{
    const struct fl_totals *totals = fl_reader_totals(r);
    const char *mode = fl_meta_get(fl_reader_meta(r), "record.mode");
    const json_t *doubt;
    size_t i;
    bool exact = fl_reader_fidelity(r) == FL_FIDELITY_EXACT;
    reason(a, exact ? ADVISE_HIGH : ADVISE_MEDIUM, "fidelity %s",
           fl_fidelity_name(fl_reader_fidelity(r)));
    if (mode && !strcmp(mode, "import"))
        reason(a, ADVISE_LOW,
               "imported: what the program did between the references is not known, and so not its "
               "time");
    if (totals->threads > totals->processes)
        reason(a, ADVISE_MEDIUM, "%" PRIu32 " threads, recorded one at a time", totals->threads);
    if (totals->processes > 1)
        reason(a, ADVISE_MEDIUM, "%" PRIu32 " processes: natively they take turns in another order",
               totals->processes);
    json_array_foreach(quality, i, doubt)
    {
        const char *flag = json_string_value(json_object_get(doubt, "flag"));
        char *clean = flag && weight_of(flag) < ADVISE_HIGH ? fl_text_clean(flag, 40) : NULL;
        if (clean)
            reason(a, weight_of(flag), "the recording has the quality flag %s", clean);
        free(clean);
    }
}

/* ---- the model ------------------------------------------------------------------------------ */

static void doubt_model(struct advise *a)
{
    const struct advise_measured *m = &a->measured;
    char killed[FL_FORMAT_BYTES];
    if (!a->is_kernel)
        reason(a, ADVISE_LOW, "policy %s charges data pages only: no kernel memory, no page cache",
               a->policy->name);
    else if (strcmp(a->policy->name, "linux") != 0)
        reason(a, ADVISE_MEDIUM, "policy %s has not been held against a running kernel",
               a->policy->name);
    if (!m->given)
        reason(a, ADVISE_MEDIUM,
               "not held against the kernel: `faultline validate` of the command, then "
               "--validation, would tell the error");
    else if (m->n_errors == 0)
        reason(a, ADVISE_MEDIUM, "the validation has no error of policy %s to go by",
               a->policy->name);
    else
        reason(a,
               m->error_bp <= 500    ? ADVISE_HIGH
               : m->error_bp <= 2000 ? ADVISE_MEDIUM
                                     : ADVISE_LOW,
               "validated: major faults off by %.1f %%, the median of %u limits",
               (double)m->error_bp / 100.0, m->n_errors);
    if (m->swap_cost_bp)
        reason(a, ADVISE_HIGH, "swapping took %.1f times what the costs say in the validation%s",
               (double)m->swap_cost_bp / 10000.0,
               m->swap_cost_bp > 10000 ? ": counted so" : ": the costs stay as they are");
    if (m->killed_bytes)
        reason(a, ADVISE_MEDIUM, "the kernel killed in some run at %s%s",
               fl_format_bytes(killed, m->killed_bytes),
               m->with_swap ? ", with swap" : ", without swap");
}

static void doubt_time(struct advise *a)
{
    if (a->own_costs && a->fitted)
        reason(a, ADVISE_HIGH,
               "slowdown is an estimate, from costs measured by calibrate and the "
               "program's own run time");
    else
        reason(a, ADVISE_MEDIUM, "slowdown is an estimate: %s, %s",
               a->own_costs ? "costs from --costs" : "costs are built in, another machine's",
               a->fitted ? "fitted to the program's own run time"
                         : "and --native would tell the program's own run time");
}

/* ---- the answer ------------------------------------------------------------------------------- */

static void doubt_answer(struct advise *a)
{
    const struct advise_option *asked = &a->rows[ADVISE_ASKED];
    if (a->less.ram_pages && a->less.killed)
        reason(a, ADVISE_MEDIUM, "with 5 %% less than the answer a process is killed");
    else if (a->less.ram_pages) {
        uint64_t grows = a->less.slowdown_bp > asked->at.slowdown_bp
                             ? a->less.slowdown_bp - asked->at.slowdown_bp
                             : 0;
        bool steep = grows > a->slowdown_bp && grows > 500;
        reason(a, steep ? ADVISE_MEDIUM : ADVISE_HIGH,
               "the curve is %s at the answer: 5 %% less RAM costs %.1f %% more time",
               steep ? "steep" : "flat", (double)grows / 100.0);
    }
    if (asked->non_monotone)
        reason(a, ADVISE_MEDIUM,
               "some smaller sizes hold the budget too, but larger ones than these do not");
    if (!asked->exact)
        reason(a, ADVISE_MEDIUM, "the search ended early: a smaller size may do");
    if (a->raised)
        reason(a, ADVISE_MEDIUM,
               "raised %u times until it held whenever the kernel flushes its statistics",
               a->raised);
}

void advise_doubt(struct advise *a, const struct fl_reader *r, const json_t *quality)
{
    a->n_reasons = 0;
    a->confidence = ADVISE_HIGH;
    doubt_recording(a, r, quality);
    doubt_model(a);
    doubt_time(a);
    doubt_answer(a);
}
