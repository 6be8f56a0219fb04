/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The advice for people: one sentence, a table, and what it rests on. */
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "advise.h"

char *advise_name(const struct advise *a)
{
    const char *slash = strrchr(a->path, '/');
    const char *base = slash && slash[1] ? slash + 1 : a->path;
    return fl_text_clean(*base ? base : "trace", 100);
}

static const char *bytes(char buf[FL_FORMAT_BYTES], uint64_t pages)
{
    return fl_format_bytes(buf, pages * FL_PAGE_BYTES);
}

/* "10 %", "2.5 %" */
static const char *percent(char *buf, size_t n, uint64_t bp)
{
    snprintf(buf, n, "%.*f %%", bp % 100 == 0 ? 0 : bp % 10 == 0 ? 1 : 2, (double)bp / 100.0);
    return buf;
}

void advise_verdict(struct advise *a)
{
    const struct advise_option *advised = &a->rows[ADVISE_ADVISED];
    char ram[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES], peak[FL_FORMAT_BYTES], budget[32];
    char *name = advise_name(a);
    percent(budget, sizeof budget, a->slowdown_bp);
    bytes(ram, advised->at.ram_pages);
    bytes(swap, advised->swap_pages);
    bytes(peak, a->peak_pages);
    bool pays = advised->at.ram_pages < a->peak_pages;
    snprintf(
        a->verdict, sizeof a->verdict,
        pays ? "%s runs within %s of full speed (estimated) in %s of RAM with %s%s; its "
               "peak is %s."
             : "%s needs nearly its peak to run within %s of full speed (estimated): give it %s "
               "of RAM and %s%s; its peak is %s.",
        name ? name : "trace", budget, ram, advised->swap_pages ? swap : "no swap",
        advised->swap_pages ? " of swap" : "", peak);
    free(name);
}

/* ---- the table ------------------------------------------------------------------------------ */

static void row(const char *label, const struct advise_option *o, FILE *out)
{
    char ram[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES], major[FL_FORMAT_BYTES], slow[32];
    if (!o->found)
        return;
    snprintf(slow, sizeof slow, "%.1f %%", ((double)o->at.slowdown_bp - 10000.0) / 100.0);
    fprintf(out, "%-30s %10s %10s %10s %14s\n", label, bytes(ram, o->at.ram_pages),
            o->swap_pages ? bytes(swap, o->swap_pages) : "none", slow,
            fl_format_count(major, o->at.major));
}

static void budget_row(const char *what, const struct advise_option *o, FILE *out)
{
    char label[64], budget[32];
    snprintf(label, sizeof label, "%s%s slower at most", what,
             percent(budget, sizeof budget, o->budget_bp));
    row(label, o, out);
}

static void curve_row(const char *label, bool there, uint64_t ram_bytes, uint64_t major, FILE *out)
{
    char ram[FL_FORMAT_BYTES], count[FL_FORMAT_BYTES];
    if (there)
        fprintf(out, "%-30s %10s %10s %10s %14s\n", label, fl_format_bytes(ram, ram_bytes), "", "",
                fl_format_count(count, major));
}

static void table(const struct advise *a, FILE *out)
{
    fprintf(out, "%-30s %10s %10s %10s %14s\n", "", "RAM", "swap", "slowdown", "major faults");
    row("peak, nothing reclaimed", &a->rows[ADVISE_PEAK], out);
    row("advised, with margin", &a->rows[ADVISE_ADVISED], out);
    budget_row("", &a->rows[ADVISE_ASKED], out);
    budget_row("", &a->rows[ADVISE_MORE], out);
    if (a->rows[ADVISE_DOUBLE].at.ram_pages != a->rows[ADVISE_MORE].at.ram_pages)
        budget_row("", &a->rows[ADVISE_DOUBLE], out);
    budget_row("no swap, ", &a->rows[ADVISE_NO_SWAP], out);
    curve_row("knee of the lru curve", a->curve.knee, a->curve.knee_ram_bytes, a->curve.knee_major,
              out);
    curve_row("cliff of the lru curve", a->curve.cliff, a->curve.cliff_ram_bytes, a->curve.cliff_to,
              out);
}

/* ---- what it rests on -------------------------------------------------------------------------- */

static void margin(const struct advise *a, FILE *out)
{
    char asked[FL_FORMAT_BYTES], tight[FL_FORMAT_BYTES], swap[FL_FORMAT_BYTES], part[32];
    const struct advise_option *o = &a->rows[ADVISE_ASKED];
    fprintf(out, "\nmargin: the model finds %s%s enough", bytes(asked, o->at.ram_pages),
            o->exact ? " just" : "");
    if (a->tight_pages > o->at.ram_pages)
        fprintf(out, ", %s if it is as wrong as the validation found it",
                bytes(tight, a->tight_pages));
    fprintf(out, "; %s on top%s.\n", percent(part, sizeof part, a->margin_bp),
            o->swap_pages ? ", of swap too" : "");
    if (a->raised_for_kernel)
        fputs("The kernel killed at smaller limits: raised to one at which it did not.\n", out);
    if (a->killed_pages)
        fprintf(out,
                "The model kills a process at %s, however much swap there is, and may below.\n",
                bytes(swap, a->killed_pages));
    if (a->rows[ADVISE_NO_SWAP].found)
        fprintf(out, "Without any swap give it %s, margin included.\n",
                bytes(swap, a->no_swap_pages));
}

/* Sizes as they can be typed: what is printed elsewhere is rounded. */
static void next_command(const struct advise *a, FILE *out)
{
    const struct advise_option *o = &a->rows[ADVISE_ADVISED];
    uint64_t swap = o->swap_pages == UINT64_MAX ? 0 : o->swap_pages;
    fprintf(out,
            "\nsee it: faultline report TRACE --policy %s --ram %lluK --swap %lluK -o report\n",
            a->policy->name, (unsigned long long)(o->at.ram_pages * FL_PAGE_BYTES / 1024),
            (unsigned long long)(swap * FL_PAGE_BYTES / 1024));
}

static void meaning(const struct advise *a, FILE *out)
{
    if (a->is_kernel)
        fputs(
            "RAM is what the memory group is charged: memory.max as it is. Page tables, stacks and "
            "page cache\nare in it, file pages that were cached before the recording began are not.\n",
            out);
    else
        fputs("RAM is data pages alone: the kernel charges page tables, stacks and page cache "
              "besides.\n",
              out);
}

void advise_text(const struct advise *a, FILE *out)
{
    fprintf(out, "%s\n\n", a->verdict);
    table(a, out);
    margin(a, out);
    meaning(a, out);
    next_command(a, out);
    fprintf(out, "\nconfidence: %s\n", advise_confidence_name(a->confidence));
    for (size_t i = 0; i < a->n_reasons; i++)
        fprintf(out, "  %-6s  %s\n", advise_confidence_name(a->reasons[i].at_most),
                a->reasons[i].text);
    fprintf(out, "\npolicy %s, %s swap, costs: ", a->policy->name,
            (const char *[]){ "zram", "ssd", "disk" }[a->swap_kind]);
    char *source = fl_text_clean(a->costs.source, 0);
    fprintf(out, "%s; %zu replays\n", source ? source : "", a->n_probes + 1);
    free(source);
}
