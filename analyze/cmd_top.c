/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top: live page faults, by process, mapping and function. */
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <faultline/cmd.h>
#include <faultline/record.h>
#include <faultline/units.h>

#include "top.h"

struct top_cfg {
    uint64_t pid, interval_ns, count, rows;
    const char *sort, *by;
    bool json;
};

static const char *const sorts[] = {
    [TOP_BY_FAULTS] = "faults",
    [TOP_BY_MAJOR] = "major",
    [TOP_BY_RESIDENT] = "resident",
    [TOP_BY_SWAPPED] = "swapped",
};
static const char *const lists[] = { "all", "process", "mapping", "function" };

static const char *sort_name(size_t i)
{
    return i < FL_COUNT(sorts) ? sorts[i] : NULL;
}

static const char *list_name(size_t i)
{
    return i < FL_COUNT(lists) ? lists[i] : NULL;
}

static const struct fl_opt opts[] = {
    { .name = "pid",
      .letter = 'p',
      .kind = FL_OPT_UINT,
      .arg = "PID",
      .at = offsetof(struct top_cfg, pid),
      .help = "watch this process and its descendants, instead of the machine" },
    { .name = "interval",
      .letter = 'd',
      .kind = FL_OPT_DURATION,
      .arg = "TIME",
      .def = "1",
      .at = offsetof(struct top_cfg, interval_ns),
      .help = "time from one screen to the next" },
    { .name = "count",
      .letter = 'n',
      .kind = FL_OPT_UINT,
      .arg = "N",
      .at = offsetof(struct top_cfg, count),
      .help = "end after N screens" },
    { .name = "rows",
      .kind = FL_OPT_UINT,
      .arg = "N",
      .at = offsetof(struct top_cfg, rows),
      .help = "rows of each table (default: what fits the terminal; 10 elsewhere)" },
    { .name = "sort",
      .kind = FL_OPT_CHOICE,
      .arg = "KEY",
      .def = "faults",
      .names = sort_name,
      .at = offsetof(struct top_cfg, sort),
      .help = "order of the processes: faults, major, resident or swapped" },
    { .name = "by",
      .kind = FL_OPT_CHOICE,
      .arg = "WHAT",
      .def = "all",
      .names = list_name,
      .at = offsetof(struct top_cfg, by),
      .help = "one table alone: process, mapping or function" },
    { .name = "json",
      .kind = FL_OPT_FLAG,
      .at = offsetof(struct top_cfg, json),
      .help = "print a JSON object a screen, each in one line" },
    FL_OPT_END,
};

struct top {
    const struct top_cfg *cfg;
    enum top_sort sort;
    struct top_tally *tally;
    struct fl_record_status status;
    uint64_t now_ns, drawn_ns, screens;
    bool terminal;
};

static int on_event(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct top *t = ctx;
    return top_tally_event(t->tally, ev, err);
}

/* ---- a screen ------------------------------------------------------------------------------ */

static void find_memory(struct top_screen *s)
{
    s->has_memory = fl_proc_meminfo(FL_PROC_ROOT, &s->memory, NULL) == FL_OK &&
                    s->memory.swap_free_bytes <= s->memory.swap_bytes;
    s->has_pressure = fl_proc_pressure(FL_PROC_ROOT, &s->pressure, NULL) == FL_OK;
}

/* What they hold now; one that has ended meanwhile holds nothing. */
static void find_usage(struct top_rows *processes, unsigned rows)
{
    for (size_t i = 0; i < processes->n && i < rows; i++) {
        struct fl_proc_usage usage;
        struct top_row *r = &processes->row[i];
        if (r->ended || fl_proc_usage(FL_PROC_ROOT, r->pid, &usage, NULL) != FL_OK)
            continue;
        r->resident_bytes = usage.resident_bytes;
        r->swapped_bytes = usage.swapped_bytes;
    }
}

static bool wants(const struct top *t, const char *list)
{
    return strcmp(t->cfg->by, "all") == 0 || strcmp(t->cfg->by, list) == 0;
}

/* Only an order by what they hold needs to know that of all of them. */
static void order_processes(const struct top *t, struct top_rows *processes, unsigned rows)
{
    bool by_usage = t->sort == TOP_BY_RESIDENT || t->sort == TOP_BY_SWAPPED;
    if (by_usage)
        find_usage(processes, UINT32_MAX);
    top_sort(processes, t->sort);
    if (!by_usage)
        find_usage(processes, rows);
}

static int fill(const struct top *t, struct top_screen *s, unsigned rows, struct fl_err *err)
{
    time_t now = time(NULL);
    struct tm tm;
    int rc = FL_OK;
    s->totals = top_tally_totals(t->tally);
    s->user_mode_only = t->status.missing & FL_RECORD_NO_KERNEL_FAULTS;
    if (localtime_r(&now, &tm))
        strftime(s->clock, sizeof s->clock, "%H:%M:%S", &tm);
    find_memory(s);
    if (wants(t, "process")) {
        rc = top_tally_processes(t->tally, &s->processes, err);
        if (rc == FL_OK)
            order_processes(t, &s->processes, rows);
    }
    if (rc == FL_OK && wants(t, "mapping")) {
        rc = top_tally_mappings(t->tally, &s->mappings, err);
        top_sort(&s->mappings, t->sort == TOP_BY_MAJOR ? TOP_BY_MAJOR : TOP_BY_FAULTS);
    }
    if (rc == FL_OK && wants(t, "function")) {
        rc = top_tally_functions(t->tally, &s->functions, err);
        top_sort(&s->functions, t->sort == TOP_BY_MAJOR ? TOP_BY_MAJOR : TOP_BY_FAULTS);
    }
    return rc;
}

/* Rows of each table that fit @lines: three of the head, two of each table's. */
static unsigned rows_that_fit(const struct top *t, unsigned lines)
{
    unsigned tables = strcmp(t->cfg->by, "all") == 0 ? 3 : 1;
    unsigned used = 3 + 2 * tables;
    return lines > used + tables ? (lines - used) / tables : 1;
}

static unsigned rows_shown(const struct top *t)
{
    unsigned columns, lines;
    if (t->cfg->rows)
        return t->cfg->rows < UINT32_MAX ? (unsigned)t->cfg->rows : UINT32_MAX;
    if (t->cfg->json)
        return UINT32_MAX;
    if (!t->terminal)
        return 10;
    top_terminal_size(&columns, &lines);
    return rows_that_fit(t, lines);
}

static bool show_text(const struct top *t, const struct top_screen *s, unsigned rows)
{
    unsigned columns = 200, lines;
    char *text = NULL;
    size_t len = 0;
    if (t->terminal) {
        top_terminal_open(); /* here, where signals end the recording and no more the program */
        top_terminal_size(&columns, &lines);
    }
    FILE *out = t->terminal ? open_memstream(&text, &len) : stdout;
    if (!out)
        return false;
    if (!t->terminal && t->screens)
        fputc('\n', out);
    top_screen_text(s, columns, rows, t->terminal, out);
    if (!t->terminal)
        return fflush(out) == 0;
    bool ok = fclose(out) == 0 && top_terminal_show(text, len);
    free(text);
    return ok;
}

static bool show_json(const struct top_screen *s, unsigned rows)
{
    json_t *doc = top_screen_json(s, rows);
    bool ok = doc && json_dumpf(doc, stdout, JSON_COMPACT) == 0 && fputc('\n', stdout) != EOF &&
              fflush(stdout) == 0;
    json_decref(doc);
    return ok;
}

static int draw(struct top *t, uint64_t elapsed_ns, struct fl_err *err)
{
    struct top_screen s = { .elapsed_ns = elapsed_ns };
    unsigned rows = rows_shown(t);
    int rc = fill(t, &s, rows, err);
    if (rc == FL_OK && !(t->cfg->json ? show_json(&s, rows) : show_text(t, &s, rows)))
        rc = fl_fail_errno(err, "writing a screen");
    free(s.processes.row);
    free(s.mappings.row);
    free(s.functions.row);
    top_tally_clear(t->tally);
    t->screens++;
    return rc;
}

static int on_tick(void *ctx, uint64_t now_ns, bool *stop, struct fl_err *err)
{
    struct top *t = ctx;
    t->now_ns = now_ns;
    if (t->terminal && top_terminal_quit())
        *stop = true;
    if (now_ns - t->drawn_ns < t->cfg->interval_ns || *stop)
        return FL_OK;
    int rc = draw(t, now_ns - t->drawn_ns, err);
    t->drawn_ns = now_ns;
    if (t->cfg->count && t->screens == t->cfg->count)
        *stop = true;
    return rc;
}

/* What happened since the last screen, when what is watched has ended. */
static int draw_rest(struct top *t, struct fl_err *err)
{
    struct top_totals rest = top_tally_totals(t->tally);
    if (t->terminal || (t->cfg->count && t->screens == t->cfg->count) ||
        (t->screens && !rest.minor && !rest.major))
        return FL_OK;
    return draw(t, t->now_ns > t->drawn_ns ? t->now_ns - t->drawn_ns : t->cfg->interval_ns, err);
}

static int run(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct top_cfg *cfg = arg;
    struct top t = { .cfg = cfg, .tally = top_tally_new() };
    const struct fl_record_watch watch = { .ctx = &t, .event = on_event, .tick = on_tick };
    const struct fl_record_opts record = { .pid = (uint32_t)cfg->pid,
                                           .machine = !cfg->pid,
                                           .watch = &watch };
    (void)n_operands, (void)operands;
    if (!t.tally)
        return fl_nomem(err, "counting live faults");
    while (strcmp(sorts[t.sort], cfg->sort) != 0)
        t.sort++;
    int rc = FL_OK;
    if (cfg->pid > INT32_MAX || cfg->interval_ns < 50000000)
        rc = fl_fail(err, FL_EUSAGE,
                     cfg->pid > INT32_MAX ? "there is no such process"
                                          : "--interval of less than 50ms");
    t.terminal = rc == FL_OK && !cfg->json && isatty(STDOUT_FILENO);
    if (rc == FL_OK)
        rc = fl_record_events(&record, &t.status, err);
    if (rc == FL_OK)
        rc = draw_rest(&t, err);
    top_terminal_close();
    top_tally_free(t.tally);
    return rc;
}

const struct fl_cmd fl_cmd_top = {
    .name = "top",
    .summary = "Show live page faults, by process, mapping and function",
    .synopsis = "[-p PID] [--interval TIME] [--count N] [--by WHAT] [--sort KEY] [--json]",
    .description =
        "Watches the page faults of the machine, or of a process and its descendants, and shows\n"
        "every second how many there were: minor and major, by process, by mapping and by the\n"
        "function that made them, with the memory each process has resident and in swap, and\n"
        "the kernel's own measure of memory pressure where it has one.\n\n"
        "On a terminal the screen is redrawn in place; q or Ctrl-C ends. Elsewhere each screen\n"
        "is a block of plain text, separated by an empty line. Nothing is stopped or changed in what\n"
        "is watched. The machine, and others' processes, need root or CAP_PERFMON.",
    .examples = "  faultline top\n"
                "  faultline top -p $(pidof redis-server) --sort major\n"
                "  faultline top -p 4711 --count 10 --json",
    .opts = opts,
    .cfg_size = sizeof(struct top_cfg),
    .max_operands = 0,
    .run = run,
};
