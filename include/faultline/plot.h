/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * plot.h - a table as a chart, drawn by gnuplot.
 *
 * Nothing here computes a statistic: numbers, title, marks and footer come with
 * the table, and plots/NAME.gp says how the table called NAME is drawn.
 */
#ifndef FAULTLINE_PLOT_H
#define FAULTLINE_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include <faultline/err.h>
#include <faultline/table.h>

enum fl_plot_format { FL_PLOT_SVG, FL_PLOT_PNG, FL_PLOT_PDF, FL_PLOT_TERM };

/** Where in a picture the table's numbers lie, for what is laid over it. */
struct fl_plot_area {
    double left, right, top, bottom; /* the frame, in pixels from the picture's top left */
    double x_min, x_max;             /* the axes there, in the units of column 0 and column 1 */
    double y_min, y_max;             /* smaller values of a logarithmic axis are drawn at y_min */
    bool log_y;
    bool known; /* false: not an SVG, or the chart has no place for each number */
};

struct fl_plot_opts {
    enum fl_plot_format format;
    unsigned width, height; /* pixels, characters for FL_PLOT_TERM; 0: the default */
    const char *id; /* prefix of the ids in an SVG: letters, digits, '-'; NULL: the table's name */
    struct fl_plot_area *area; /* filled when the chart is drawn; NULL: not asked */
};

/** fl_plot_available - is there a gnuplot in PATH? */
bool fl_plot_available(void);

/** What to say when it is not. */
#define FL_PLOT_REMEDY "gnuplot is not in PATH: no charts; apt-get install gnuplot-nox"

/**
 * fl_plot_render - draw @t.
 * Scripts come from $FAULTLINE_SHARE/plots, or ../share/faultline/plots beside
 * the executable. gnuplot runs without a shell, in a temporary folder, for 60 s
 * at most. Same table, same options, same gnuplot: same bytes for SVG and TERM.
 * @bytes: malloc'ed, with a zero byte after the end that @len does not count.
 * Errors: FL_EMACHINE without gnuplot or scripts; FL_EIO; FL_ENOMEM; FL_EDATA for
 * a table without a number to draw.
 */
int fl_plot_render(const struct fl_table *t, const struct fl_plot_opts *opts, char **bytes,
                   size_t *len, struct fl_err *err);

#endif
