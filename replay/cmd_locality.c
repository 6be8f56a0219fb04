/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/units.h>

#include "cmd_common.h"
#include "cmd_locality.h"

int cmd_locality_ask(struct fl_reader *r, const struct fl_machine *machine, bool no_tlb,
                     struct locality_answers *out, struct fl_err *err)
{
    struct fl_progress progress;
    fl_progress_begin(&progress, "locality", isatty(STDERR_FILENO) ? stderr : NULL);
    void (*step)(void *, unsigned) = progress.out ? fl_progress_step : NULL;
    int rc = fl_locality(r, step, &progress, &out->locality, err);
    if (rc == FL_OK && !no_tlb && fl_reader_fidelity(r) == FL_FIDELITY_EXACT)
        rc = fl_tlb_reach(r, machine, step, &progress, &out->reach, err);
    fl_progress_end(&progress);
    return rc;
}

void cmd_locality_free(struct locality_answers *answers)
{
    fl_locality_free(answers->locality);
    fl_tlb_reach_free(answers->reach);
}

int cmd_locality_add(const struct locality_answers *answers, json_t *result, struct fl_err *err)
{
    if (answers->locality &&
        json_object_set_new(result, "locality", fl_locality_json(answers->locality)) != 0)
        return fl_nomem(err, "result");
    if (answers->reach &&
        json_object_set_new(result, "tlb_reach", fl_tlb_reach_json(answers->reach)) != 0)
        return fl_nomem(err, "result");
    return FL_OK;
}

static void print_windows(const struct fl_locality *l, FILE *out)
{
    fprintf(out, "\nworking set\n  %20s %14s %14s\n", "window (accesses)", "mean", "peak");
    for (uint32_t w = 0; w < FL_LOCALITY_WINDOWS; w++) {
        char length[FL_FORMAT_BYTES], mean[FL_FORMAT_BYTES], peak[FL_FORMAT_BYTES];
        fprintf(out, "  %20s %14s %14s\n", fl_format_count(length, l->window_accesses[w]),
                fl_format_bytes(mean, l->window[w].mean_pages * FL_PAGE_BYTES),
                fl_format_bytes(peak, l->window[w].peak_pages * FL_PAGE_BYTES));
    }
}

static void print_phases(const struct fl_locality *l, FILE *out)
{
    fprintf(out, "\nphases\n  %20s %20s %14s %14s   %s\n", "from access", "to access", "touches",
            "new", "which is");
    for (size_t i = 0; i < l->n_phases; i++) {
        const struct fl_phase *p = &l->phases[i];
        char from[FL_FORMAT_BYTES], to[FL_FORMAT_BYTES], pages[FL_FORMAT_BYTES],
            new[FL_FORMAT_BYTES], which[24] = "";
        if (p->kind == FL_PHASE_REVISITS)
            snprintf(which, sizeof which, " phase %u", p->revisits + 1);
        fprintf(out, "  %20s %20s %14s %14s   %s%s%s", fl_format_count(from, p->from_access),
                fl_format_count(to, p->to_access), fl_format_bytes(pages, p->pages * FL_PAGE_BYTES),
                fl_format_bytes(new, p->new_pages * FL_PAGE_BYTES), fl_phase_name(p->kind), which,
                p->hottest < l->n_mappings ? ", hottest: " : "");
        if (p->hottest < l->n_mappings)
            fl_put_clean(out, l->mappings[p->hottest].name);
        fputc('\n', out);
    }
}

static void print_reach(const struct fl_tlb_reach *reach, FILE *out)
{
    char small[FL_FORMAT_BYTES], huge[FL_FORMAT_BYTES];
    fprintf(out, "\npage walks on %s: %s, with 2 MiB pages %s\n", reach->machine,
            fl_format_count(small, reach->walks), fl_format_count(huge, reach->walks_huge));
    for (size_t i = 0; i < reach->n_mappings; i++)
        if (reach->mappings[i].advice) {
            fputs("  ", out);
            fl_put_clean(out, reach->mappings[i].advice);
            fputc('\n', out);
        }
}

void cmd_locality_print(const struct locality_answers *answers, FILE *out)
{
    if (answers->locality) {
        print_windows(answers->locality, out);
        print_phases(answers->locality, out);
    }
    if (answers->reach)
        print_reach(answers->reach, out);
}
