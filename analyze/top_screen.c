/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_screen.c - one screen of live faults, as text and as JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/units.h>

#include "top.h"

static uint64_t sort_key(const struct top_row *r, enum top_sort by)
{
    switch (by) {
    case TOP_BY_MAJOR: return r->major;
    case TOP_BY_RESIDENT: return r->resident_bytes;
    case TOP_BY_SWAPPED: return r->swapped_bytes;
    case TOP_BY_FAULTS: break;
    }
    return r->minor + r->major;
}

static int compare(const void *a, const void *b, void *by)
{
    const struct top_row *x = a, *y = b;
    uint64_t kx = sort_key(x, *(enum top_sort *)by), ky = sort_key(y, *(enum top_sort *)by);
    if (kx != ky)
        return kx < ky ? 1 : -1;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return strcmp(x->name, y->name);
}

void top_sort(struct top_rows *rows, enum top_sort by)
{
    if (rows->n)
        qsort_r(rows->row, rows->n, sizeof *rows->row, compare, &by);
}

/* @n events in @elapsed_ns, by the second, rounded to the nearest. */
static uint64_t rate(uint64_t n, uint64_t elapsed_ns)
{
    if (!elapsed_ns)
        return 0;
    return (uint64_t)((double)n * 1e9 / (double)elapsed_ns + 0.5);
}

/* ---- text ---------------------------------------------------------------------------------- */

struct page {
    FILE *out;
    unsigned width;
    bool ends;
};

/* One line of at most the page's width. Bytes of a character that is cut go too. */
static void put_line(const struct page *p, const char *text)
{
    size_t bytes = 0;
    unsigned columns = 0;
    while (text[bytes]) {
        size_t next = bytes + 1;
        while (((unsigned char)text[next] & 0xc0) == 0x80)
            next++;
        if (columns + 1 > p->width)
            break;
        columns++;
        bytes = next;
    }
    fwrite(text, 1, bytes, p->out);
    fputs(p->ends ? "\033[K\n" : "\n", p->out);
}

static void put_head(const struct page *p, const struct top_screen *s)
{
    char line[256], a[FL_FORMAT_BYTES], b[FL_FORMAT_BYTES], c[FL_FORMAT_BYTES], d[FL_FORMAT_BYTES];
    int n = snprintf(line, sizeof line, "faultline top  %s  faults/s: %s minor, %s major", s->clock,
                     fl_format_count(a, rate(s->totals.minor, s->elapsed_ns)),
                     fl_format_count(b, rate(s->totals.major, s->elapsed_ns)));
    if (s->totals.lost)
        n += snprintf(line + n, sizeof line - (size_t)n, "  %s records lost: counts are too low",
                      fl_format_count(c, s->totals.lost));
    if (s->user_mode_only)
        snprintf(line + n, sizeof line - (size_t)n, "  without those of system calls (privilege)");
    put_line(p, line);
    if (s->has_memory) {
        snprintf(line, sizeof line, "memory %s, %s available; swap %s, %s used",
                 fl_format_bytes(a, s->memory.ram_bytes),
                 fl_format_bytes(b, s->memory.available_bytes),
                 fl_format_bytes(c, s->memory.swap_bytes),
                 fl_format_bytes(d, s->memory.swap_bytes - s->memory.swap_free_bytes));
        put_line(p, line);
    }
    if (s->has_pressure) {
        snprintf(
            line, sizeof line,
            "pressure of the last 10 s: %u.%02u %% some task waits for memory, %u.%02u %% all do",
            s->pressure.some_avg10_bp / 100, s->pressure.some_avg10_bp % 100,
            s->pressure.full_avg10_bp / 100, s->pressure.full_avg10_bp % 100);
        put_line(p, line);
    }
}

/* Share of all faults in percent. */
static unsigned share(const struct top_screen *s, const struct top_row *r)
{
    uint64_t all = s->totals.minor + s->totals.major;
    return all ? (unsigned)((r->minor + r->major) * 100 / all) : 0;
}

static void put_processes(const struct page *p, const struct top_screen *s, unsigned rows)
{
    char line[512], a[FL_FORMAT_BYTES], b[FL_FORMAT_BYTES], c[FL_FORMAT_BYTES], d[FL_FORMAT_BYTES];
    put_line(p, "");
    put_line(p, "    PID    minor/s   major/s  share    resident     swapped  process");
    for (size_t i = 0; i < s->processes.n && i < rows; i++) {
        const struct top_row *r = &s->processes.row[i];
        char pid[16] = "", ended[32] = "";
        if (r->ended)
            snprintf(ended, sizeof ended, " (%" PRIu32 " ended)", r->ended);
        else
            snprintf(pid, sizeof pid, "%" PRIu32, r->pid);
        snprintf(line, sizeof line, "%7s %10s %9s %5u%% %11s %11s  %.300s%s", pid,
                 fl_format_count(a, rate(r->minor, s->elapsed_ns)),
                 fl_format_count(b, rate(r->major, s->elapsed_ns)), share(s, r),
                 r->resident_bytes ? fl_format_bytes(c, r->resident_bytes) : "-",
                 fl_format_bytes(d, r->swapped_bytes), r->name, ended);
        put_line(p, line);
    }
}

static void put_places(const struct page *p, const struct top_screen *s,
                       const struct top_rows *places, const char *what, unsigned rows)
{
    char line[512], a[FL_FORMAT_BYTES], b[FL_FORMAT_BYTES];
    put_line(p, "");
    snprintf(line, sizeof line, "           minor/s   major/s  share  %s", what);
    put_line(p, line);
    for (size_t i = 0; i < places->n && i < rows; i++) {
        const struct top_row *r = &places->row[i];
        char of[FL_FORMAT_BYTES + 80] = "";
        if (r->pid)
            snprintf(of, sizeof of, " of %.60s (%" PRIu32 ")", r->comm, r->pid);
        snprintf(line, sizeof line, "        %10s %9s %5u%%  %.300s%s",
                 fl_format_count(a, rate(r->minor, s->elapsed_ns)),
                 fl_format_count(b, rate(r->major, s->elapsed_ns)), share(s, r), r->name, of);
        put_line(p, line);
    }
}

void top_screen_text(const struct top_screen *s, unsigned width, unsigned rows, bool ends,
                     FILE *out)
{
    const struct page page = { out, width, ends };
    put_head(&page, s);
    if (s->processes.row)
        put_processes(&page, s, rows);
    if (s->mappings.row)
        put_places(&page, s, &s->mappings, "mapping", rows);
    if (s->functions.row)
        put_places(&page, s, &s->functions, "function", rows);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void set(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, fl_json_u64(n));
}

static void put_list(json_t *doc, const char *key, const char *name, const struct top_rows *rows,
                     unsigned most, bool of_processes)
{
    if (!rows->row)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < rows->n && i < most; i++) {
        const struct top_row *r = &rows->row[i];
        json_t *o = json_object();
        if (r->ended)
            set(o, "ended", r->ended);
        else if (r->pid)
            set(o, "pid", r->pid);
        if (*r->comm)
            json_object_set_new(o, "comm", fl_json_text(r->comm));
        if (name)
            json_object_set_new(o, name, fl_json_text(r->name));
        set(o, "minor", r->minor);
        set(o, "major", r->major);
        if (of_processes) {
            set(o, "resident_bytes", r->resident_bytes);
            set(o, "swapped_bytes", r->swapped_bytes);
        }
        json_array_append_new(list, o);
    }
    json_object_set_new(doc, key, list);
}

json_t *top_screen_json(const struct top_screen *s, unsigned rows)
{
    json_t *doc = json_pack("{s:s}", "schema", "faultline.top/1");
    if (!doc)
        return NULL;
    set(doc, "elapsed_ns", s->elapsed_ns);
    set(doc, "minor", s->totals.minor);
    set(doc, "major", s->totals.major);
    set(doc, "lost_events", s->totals.lost);
    if (s->has_memory) {
        set(doc, "ram_bytes", s->memory.ram_bytes);
        set(doc, "available_bytes", s->memory.available_bytes);
        set(doc, "swap_bytes", s->memory.swap_bytes);
        set(doc, "swap_free_bytes", s->memory.swap_free_bytes);
    }
    if (s->has_pressure)
        json_object_set_new(doc, "pressure",
                            json_pack("{s:I, s:I, s:I, s:I}", "some_avg10_bp",
                                      (json_int_t)s->pressure.some_avg10_bp, "full_avg10_bp",
                                      (json_int_t)s->pressure.full_avg10_bp, "some_total_us",
                                      (json_int_t)s->pressure.some_total_us, "full_total_us",
                                      (json_int_t)s->pressure.full_total_us));
    put_list(doc, "processes", NULL, &s->processes, rows, true);
    put_list(doc, "mappings", "mapping", &s->mappings, rows, false);
    put_list(doc, "functions", "function", &s->functions, rows, false);
    return doc;
}
