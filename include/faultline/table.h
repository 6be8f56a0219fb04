/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * table.h - columns with names and units: all that reports and charts are made of.
 *
 * Every text that enters a table is cleaned (fl_text_clean), so what comes out is
 * valid UTF-8 on one line whatever a traced program called itself. A table that
 * ran out of memory stays usable and says so once, in fl_table_ok().
 */
#ifndef FAULTLINE_TABLE_H
#define FAULTLINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

enum fl_unit {
    FL_UNIT_NONE, /* an empty cell */
    FL_UNIT_TEXT,
    FL_UNIT_COUNT, /* a plain number */
    FL_UNIT_BYTES,
    FL_UNIT_BP, /* basis points, shown as percent */
    FL_UNIT_NS, /* nanoseconds */
};

/* How a chart that tells them apart draws a column. */
enum fl_role {
    FL_ROLE_LINE,
    FL_ROLE_POINTS, /* each measured by itself: no line between them */
    FL_ROLE_CROSS,  /* something happened at these */
    FL_ROLE_LOW,    /* the least and most of the column before it that is neither */
    FL_ROLE_HIGH,
};

struct fl_column {
    char *name;
    enum fl_unit unit;
    unsigned style; /* colour slot of plots/style.gp, 1..8; 0: by position */
    enum fl_role role;
};

struct fl_cell {
    enum fl_unit unit;
    uint64_t value; /* when unit is neither NONE nor TEXT */
    char *text;     /* when unit is TEXT */
};

/** A line across a chart: a limit, a peak. */
struct fl_mark {
    char axis; /* 'x' or 'y' */
    uint64_t value;
    char *label;
};

struct fl_table {
    char *name;            /* which chart draws it: plots/NAME.gp; or an anchor in a page */
    char *title;           /* the finding, one sentence */
    char *footer;          /* fidelity, quality flags; may be NULL */
    char *x_name, *y_name; /* axis labels without units; NULL in tables no chart draws */
    bool log_y;
    bool
        stacked; /* series lie on each other; a row is a stretch to the next, the last a mere end */
    bool rest;   /* the last row sums up what is not listed */
    bool picture; /* rows are parts of a picture, not points over x: none to list one by one */
    struct fl_column *columns;
    size_t n_columns;
    struct fl_cell *cells; /* row after row, n_columns each */
    size_t n_rows, cap_rows;
    struct fl_mark *marks;
    size_t n_marks;
    bool failed; /* out of memory at some point */
};

/** fl_table_new - an empty table; NULL when out of memory. */
struct fl_table *fl_table_new(const char *name);
void fl_table_free(struct fl_table *t); /* NULL is fine */

/** fl_table_column - add a column. Columns come before the first row. */
void fl_table_column(struct fl_table *t, const char *name, enum fl_unit unit, unsigned style);
/** fl_table_role - make the last column one of @role; new ones are lines. */
void fl_table_role(struct fl_table *t, enum fl_role role);
/** fl_table_row - add a row of empty cells. Returns its index. */
size_t fl_table_row(struct fl_table *t);
/** fl_table_put - a number in the column's unit. Cells outside the table are ignored. */
void fl_table_put(struct fl_table *t, size_t row, size_t col, uint64_t value);
/** fl_table_put_as - a number in a unit of the cell's own. */
void fl_table_put_as(struct fl_table *t, size_t row, size_t col, enum fl_unit unit, uint64_t value);
/** fl_table_text - a text cell; @text is cleaned and copied. */
void fl_table_text(struct fl_table *t, size_t row, size_t col, const char *text);
/** fl_table_mark - a line across the chart. @axis: 'x' or 'y'. */
void fl_table_mark(struct fl_table *t, char axis, uint64_t value, const char *label);
/** fl_table_label - set title, footer, x_name or y_name: @field is the member's address. */
void fl_table_label(struct fl_table *t, char **field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** fl_table_at - a cell; an empty one outside the table. Never NULL. */
const struct fl_cell *fl_table_at(const struct fl_table *t, size_t row, size_t col);
/** fl_table_max - the largest number in column @col, 0 when it has none. */
uint64_t fl_table_max(const struct fl_table *t, size_t col);
/** fl_table_ok - FL_OK, or FL_ENOMEM when any call on @t ran out of memory or @t is NULL. */
int fl_table_ok(const struct fl_table *t, struct fl_err *err);

/**
 * fl_cell_format - a cell as people read it: "1.4 GiB", "12,345", "3.1 %", "2.50 s".
 * Returns: malloc'ed; "" for an empty cell; NULL when out of memory.
 */
char *fl_cell_format(const struct fl_cell *cell);

/**
 * fl_text_clean - @text as one line of valid UTF-8: bytes that are none and
 * characters XML cannot hold become U+FFFD, control characters and line breaks
 * their pictures (U+2400 and on). At most @max_bytes of @text are read (0: all);
 * a cut is marked with an ellipsis.
 * Returns: malloc'ed; NULL when out of memory.
 */
char *fl_text_clean(const char *text, size_t max_bytes);

#endif
