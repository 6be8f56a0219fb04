/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top.h - live faults: events counted since the last screen (top_tally.c), what a screen shows
 * (top_screen.c), and the terminal it is on (top_terminal.c).
 */
#ifndef FAULTLINE_TOP_H
#define FAULTLINE_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>
#include <faultline/event.h>
#include <faultline/proc.h>
#include <faultline/proc_memory.h>

struct json_t;

/* ---- top_tally.c ----------------------------------------------------------------------- */

/** Something that faults: a process, a mapping of one, a function. */
struct top_row {
    const char *name;      /* of the process, the mapping, the function */
    const char *comm;      /* of the process it belongs to; "" for a function */
    uint32_t pid;          /* 0 for a function, and for processes that have ended */
    uint32_t ended;        /* so many processes of that name, which have ended; 0: a living one */
    uint64_t minor, major; /* since top_tally_clear() */
    uint64_t resident_bytes, swapped_bytes; /* of a process, where known */
};

struct top_rows {
    struct top_row *row; /* names live until the tally's next event */
    size_t n;
};

struct top_tally;

struct top_tally *top_tally_new(void);    /* NULL: out of memory */
void top_tally_free(struct top_tally *t); /* NULL is fine */
/** top_tally_event - follow an event of an events recording. FL_ENOMEM, FL_EFORMAT. */
int top_tally_event(struct top_tally *t, const struct fl_event *ev, struct fl_err *err);
/** top_tally_clear - count from 0 again; who exists stays. */
void top_tally_clear(struct top_tally *t);

struct top_totals {
    uint64_t minor, major; /* since top_tally_clear() */
    uint64_t lost;         /* records, since the beginning */
};
struct top_totals top_tally_totals(const struct top_tally *t);

/**
 * top_tally_processes - every living process, and those that faulted and ended, one row a name;
 * _mappings, _functions: those that faulted. @out: its row is freed by the caller. FL_ENOMEM.
 */
int top_tally_processes(const struct top_tally *t, struct top_rows *out, struct fl_err *err);
int top_tally_mappings(const struct top_tally *t, struct top_rows *out, struct fl_err *err);
int top_tally_functions(const struct top_tally *t, struct top_rows *out, struct fl_err *err);

/* ---- top_screen.c ------------------------------------------------------------------------- */

enum top_sort { TOP_BY_FAULTS, TOP_BY_MAJOR, TOP_BY_RESIDENT, TOP_BY_SWAPPED };

/** What a screen shows; rows sorted already. */
struct top_screen {
    char clock[16];      /* "12:34:56" */
    uint64_t elapsed_ns; /* what the counts are of */
    struct top_totals totals;
    bool has_memory, has_pressure;
    bool user_mode_only; /* faults that system calls take are not seen */
    struct fl_meminfo memory;
    struct fl_proc_pressure pressure;
    struct top_rows processes, mappings, functions; /* n 0: not shown */
};

/** top_sort - largest first; of equals the first. */
void top_sort(struct top_rows *rows, enum top_sort by);

/**
 * top_screen_text - @s as text of @width columns, @rows rows of each table at most. With @ends
 * each line ends with a code that clears the rest of a terminal's line.
 */
void top_screen_text(const struct top_screen *s, unsigned width, unsigned rows, bool ends,
                     FILE *out);

/** top_screen_json - @s as an object, @rows of each list at most. A new reference; NULL: no memory. */
struct json_t *top_screen_json(const struct top_screen *s, unsigned rows);

/* ---- top_terminal.c ------------------------------------------------------------------------- */

/**
 * top_terminal_open - take over the terminal of standard output, and its keys if standard input is
 * one too. Open already is fine.
 */
void top_terminal_open(void);
/** top_terminal_close - as it was before. Not open is fine. */
void top_terminal_close(void);
/** top_terminal_size - columns and lines now. */
void top_terminal_size(unsigned *columns, unsigned *lines);
/** top_terminal_show - the whole screen, in one write. Returns false when that fails. */
bool top_terminal_show(const char *text, size_t len);
/** top_terminal_quit - has somebody pressed q? Does not wait. */
bool top_terminal_quit(void);

#endif
