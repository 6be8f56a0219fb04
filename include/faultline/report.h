/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * report.h - from result documents to findings, charts' tables and pages.
 *
 * The one thing everything works on is a report document, "faultline.report/1":
 * results[] with the keys docs/results.md lists, each with `source` and `label`,
 * sweeps[], each a "faultline.sweep/1" with a `label`, and validations[], each a
 * "faultline.validate/1" with a `label`. Any document a user gives is checked and
 * added to one; the document is then also report.json.
 */
#ifndef FAULTLINE_REPORT_H
#define FAULTLINE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>
#include <faultline/plot.h>
#include <faultline/table.h>
#include <faultline/trace.h>

struct json_t;

/* ---- documents ------------------------------------------------------------- */

/**
 * fl_document_load - read and check a JSON document: replay, sweep, validate or report.
 * Errors: FL_EIO; FL_EFORMAT when it is no JSON, of another schema, or a key has
 * a wrong type or is missing.
 */
int fl_document_load(const char *path, struct json_t **out, struct fl_err *err);

/** fl_document_check - is @doc what its schema says? @name is for the message. */
int fl_document_check(const struct json_t *doc, const char *name, struct fl_err *err);

/** fl_document_at - the value at a dotted path ("faults.minor"), or NULL. */
const struct json_t *fl_document_at(const struct json_t *doc, const char *path);
/** fl_document_count - the number at @path. False when there is none, or it is negative. */
bool fl_document_count(const struct json_t *doc, const char *path, uint64_t *out);
/** fl_document_text - the text at @path, or NULL. Lives as long as @doc. */
const char *fl_document_text(const struct json_t *doc, const char *path);

/** fl_report_new - an empty report document; NULL when out of memory. */
struct json_t *fl_report_new(void);
/**
 * fl_report_add - add a checked document's results, sweeps and validations, copied.
 * Every result gets a label of its own, made from its trace, RAM and policy;
 * a validation's is its command.
 */
int fl_report_add(struct json_t *report, const struct json_t *doc, struct fl_err *err);
/** fl_report_results, fl_report_validations - how many; and the i-th, NULL past the end. */
size_t fl_report_results(const struct json_t *report);
size_t fl_report_validations(const struct json_t *report);
const struct json_t *fl_report_result(const struct json_t *report, size_t i);
const struct json_t *fl_report_sweep(const struct json_t *report, size_t i);
const struct json_t *fl_report_validation(const struct json_t *report, size_t i);

/**
 * fl_observe - what an events or sampled trace says happened, as a result with source
 * "observed": faults by time, process and mapping; of a sampled trace, estimates of accesses by
 * process, mapping, function and data source instead. @trace is stolen.
 * Errors: FL_ENOMEM; FL_EIO, FL_EFORMAT from the reader.
 */
int fl_observe(struct fl_reader *r, struct json_t *trace, struct json_t **result,
               struct fl_err *err);

/* ---- charts ------------------------------------------------------------------ */

/* What a chart is of. */
enum fl_chart_scope { FL_CHART_OF_REPORT, FL_CHART_OF_RESULT, FL_CHART_OF_VALIDATION };

struct fl_chart {
    const char *name;    /* its script is plots/NAME.gp */
    const char *heading; /* what it shows, in a few words */
    const char *summary; /* one line for help */
    enum fl_chart_scope scope;
    /**
     * build - its table, title and marks from @report.
     * @i: which result or validation; 0 when it is of the whole report.
     * Errors: FL_EDATA when the report lacks what it shows, saying what; FL_ENOMEM.
     */
    int (*build)(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err);
    /** build_count - the same for another count than it shows by itself; NULL: there is none. */
    int (*build_count)(const struct json_t *report, size_t i, const char *count,
                       struct fl_table **out, struct fl_err *err);
};

/** fl_chart_at - the i-th chart; NULL past the end. */
const struct fl_chart *fl_chart_at(size_t i);
/** fl_chart_name_at - its name, for option tables; NULL past the end. */
const char *fl_chart_name_at(size_t i);
/** fl_chart_find - by name; NULL when there is none. */
const struct fl_chart *fl_chart_find(const char *name);
/** fl_chart_times - how often @chart is there in @report, data permitting. */
size_t fl_chart_times(const struct fl_chart *chart, const struct json_t *report);
/** fl_chart_count_at - the counts build_count() takes, for option tables; NULL past the end. */
const char *fl_chart_count_at(size_t i);

/** What a curve of major faults against RAM says. Sizes are points of the curve. */
struct fl_curve_finding {
    bool any;                  /* the curve has a usable point */
    bool vanish;               /* major faults reach zero and stay there */
    uint64_t vanish_ram_bytes; /* the smallest size of which that is true */
    bool knee;                 /* there is a clear knee */
    uint64_t knee_ram_bytes;
    uint64_t knee_major, worst_major; /* at the knee; at the smallest size */
    bool cliff;                       /* one step of size takes nine tenths of them away, or more */
    uint64_t cliff_ram_bytes;         /* the size above that step */
    uint64_t cliff_from, cliff_to;    /* major faults below and at it */
    bool killed;                      /* some sizes end in an out-of-memory kill */
    uint64_t killed_ram_bytes;        /* the largest of them */
};

/**
 * fl_curve_find - of curve @series (column 1 ..) of a table built by chart "curve".
 * The knee is the point furthest below the straight line from the curve's first
 * to its last falling point, both axes scaled to 0..1 (Satopaa et al., "Finding a
 * Kneedle in a Haystack", ICDCSW 2011), and clear when that is at least 0.3. The
 * cliff is the step of the largest ratio, among those from at least a hundredth
 * of the worst count and not to zero.
 */
void fl_curve_find(const struct fl_table *curve, size_t series, struct fl_curve_finding *out);

/* ---- what a report says --------------------------------------------------------- */

struct fl_section {
    char *id, *heading;
    char *text;             /* a paragraph, or NULL */
    struct fl_table *table; /* or NULL */
};

struct fl_view_chart {
    const struct fl_chart *chart;
    struct fl_table *table; /* NULL: it could not be built, @note says why */
    char *id;               /* unique in the report: file name and SVG prefix */
    char *note;             /* why it is missing, or NULL */
    char *section;          /* id of the section it belongs to; NULL: among the other charts */
    char *svg, *svg_narrow; /* drawn by the caller; NULL: not drawn */
    size_t svg_len, svg_narrow_len;
    struct fl_plot_area area, area_narrow; /* where their numbers lie */
};

#define FL_VIEW_LINES 24

/** A report as headings, sentences, tables and charts: what the writers write. */
struct fl_view {
    char *title, *verdict;
    char *lines[FL_VIEW_LINES]; /* the findings, one sentence each */
    size_t n_lines;
    struct fl_table *figures; /* key figures: a row each, a column a result */
    struct fl_view_chart *charts;
    size_t n_charts;
    struct fl_section *sections;
    size_t n_sections;
    char *command; /* what makes this report again */
};

/**
 * fl_view_new - everything @report says.
 * @command: shown as the way to reproduce it. @curve_note: why there is no curve,
 * or NULL. Errors: FL_ENOMEM; FL_EDATA for an empty report.
 */
int fl_view_new(const struct json_t *report, const char *command, const char *curve_note,
                struct fl_view **out, struct fl_err *err);
void fl_view_free(struct fl_view *view); /* NULL is fine */

/** fl_report_html - one page that needs nothing else. */
int fl_report_html(const struct fl_view *view, FILE *out, struct fl_err *err);
/** fl_report_md - Markdown, fit for a comment on a pull request. */
int fl_report_md(const struct fl_view *view, FILE *out, struct fl_err *err);
/** fl_report_json - the report document, "faultline.report/1". */
int fl_report_json(const struct json_t *report, FILE *out, struct fl_err *err);

#endif
