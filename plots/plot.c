/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chart is a few files in a temporary folder: main.gp sets variables and
 * loads style.gp and NAME.gp; data.tsv has the table, a row a line; steps.tsv the
 * same with each row drawn out to where the next begins; series.tsv has each
 * column after the first as an index of its own, without its gaps. A picture has data.tsv alone.
 */
#include <faultline/plot.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/units.h>

#include "gnuplot.h"

struct scale {
    uint64_t divisor;
    const char *unit; /* "" for plain numbers */
};

static struct scale scale_for(enum fl_unit unit, uint64_t max)
{
    static const char *const names[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
    if (unit == FL_UNIT_BP)
        return (struct scale){ 100, "%" };
    if (unit == FL_UNIT_NS)
        return (struct scale){ 1000000000u, "s" };
    if (unit != FL_UNIT_BYTES) /* a few digits on the axis, whatever the count */
        return max < 10000                   ? (struct scale){ 1, "" }
               : max < 10000000              ? (struct scale){ 1000, "thousand" }
               : max < UINT64_C(10000000000) ? (struct scale){ 1000000, "million" }
                                             : (struct scale){ 1000000000, "billion" };
    size_t step = 0;
    uint64_t divisor = 1;
    while (step + 1 < FL_COUNT(names) && max / divisor >= 2048) {
        divisor *= 1024;
        step++;
    }
    return (struct scale){ divisor, names[step] };
}

static bool numeric(const struct fl_cell *cell)
{
    return cell->unit != FL_UNIT_NONE && cell->unit != FL_UNIT_TEXT;
}

static void write_row(FILE *f, const struct fl_table *t, size_t x_row, size_t row)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        const struct fl_cell *cell = fl_table_at(t, c == 0 ? x_row : row, c);
        if (numeric(cell))
            fprintf(f, "%" PRIu64, cell->value);
        else
            fputs("NaN", f);
        fputc(c + 1 < t->n_columns ? '\t' : '\n', f);
    }
}

static int write_rows(const struct fl_table *t, const struct gp_workdir *dir, const char *name,
                      bool steps, struct fl_err *err)
{
    FILE *f = gp_workdir_create(dir, name, err);
    if (!f)
        return FL_EIO;
    for (size_t r = 0; r < t->n_rows; r++) {
        if (steps && r > 0)
            write_row(f, t, r, r - 1);
        write_row(f, t, r, r);
    }
    return gp_workdir_finish(f, name, err);
}

static int write_data(const struct fl_table *t, const struct gp_workdir *dir, struct fl_err *err)
{
    int rc = write_rows(t, dir, "data.tsv", false, err);
    if (rc == FL_OK && !t->picture)
        rc = write_rows(t, dir, "steps.tsv", true, err);
    if (rc != FL_OK || t->picture)
        return rc;
    FILE *f;
    f = gp_workdir_create(dir, "series.tsv", err);
    if (!f)
        return FL_EIO;
    for (size_t c = 1; c < t->n_columns; c++) {
        size_t written = 0;
        for (size_t r = 0; r < t->n_rows; r++) {
            const struct fl_cell *x = fl_table_at(t, r, 0), *y = fl_table_at(t, r, c);
            if (numeric(x) && numeric(y)) {
                fprintf(f, "%" PRIu64 "\t%" PRIu64 "\n", x->value, y->value);
                written++;
            }
        }
        fputs(written ? "\n\n" : "NaN\tNaN\n\n\n", f);
    }
    return gp_workdir_finish(f, "series.tsv", err);
}

/* A title longer than the picture is wide goes on in the next line. Returns the lines. */
static unsigned write_wrapped(FILE *f, const char *text, size_t columns)
{
    size_t at = 0, len = strlen(text);
    unsigned lines = 0;
    while (at < len || lines == 0) {
        size_t end = at, seen = 0, space = 0;
        while (end < len && seen < columns) {
            if (text[end] == ' ')
                space = end;
            end++;
            while (end < len && ((unsigned char)text[end] & 0xC0u) == 0x80u)
                end++;
            seen++;
        }
        if (end < len && space > at)
            end = space;
        char *line = strndup(text + at, end - at);
        fputs(lines ? ".\"\\n\"." : "", f);
        gp_quote(f, line ? line : "");
        free(line);
        at = end;
        while (at < len && text[at] == ' ')
            at++;
        lines++;
    }
    fputc('\n', f);
    return lines;
}

static void write_axis(FILE *f, char axis, const char *name, struct scale scale)
{
    fprintf(f, "FL_%c_DIV = %" PRIu64 ".0\nFL_%c_LABEL = ", axis, scale.divisor, axis);
    gp_quote(f, name ? name : "");
    if (scale.unit[0]) {
        fputs(".' ('.", f);
        gp_quote(f, scale.unit);
        fputs(".')'", f);
    }
    fputc('\n', f);
}

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0u) != 0x80u;
    return n;
}

#define NAME_BYTES_MAX 36u /* a legend is no place for a whole path */

static bool is_bound(const struct fl_column *c)
{
    return c->role == FL_ROLE_LOW || c->role == FL_ROLE_HIGH;
}

/* Series by role, and for each series which others are its bounds. */
static void write_roles(FILE *f, const struct fl_table *t)
{
    static const char *const names[] = { "LINE", "POINTS", "CROSS" };
    size_t n = t->n_columns - 1, owner = 0;
    for (size_t k = 0; k < FL_COUNT(names); k++) {
        size_t found = 0;
        fprintf(f, "array FL_%s[%zu]\n", names[k], n);
        for (size_t c = 1; c <= n; c++)
            if (t->columns[c].role == (enum fl_role)k)
                fprintf(f, "FL_%s[%zu] = %zu\n", names[k], ++found, c);
        /* gnuplot looks at the first even where it goes on to draw none */
        fprintf(f, "FL_%s_N = %zu\n%s%s%s", names[k], found, found ? "" : "FL_",
                found ? "" : names[k], found ? "" : "[1] = 1\n");
    }
    fprintf(f, "array FL_LOW[%zu]\narray FL_HIGH[%zu]\n", n, n);
    for (size_t c = 1; c <= n; c++) {
        if (!is_bound(&t->columns[c])) {
            owner = c;
            fprintf(f, "FL_LOW[%zu] = %zu\nFL_HIGH[%zu] = %zu\n", c, c, c, c);
        } else if (owner)
            fprintf(f, "FL_%s[%zu] = %zu\n", t->columns[c].role == FL_ROLE_LOW ? "LOW" : "HIGH",
                    owner, c);
    }
}

static void write_arrays(FILE *f, const struct fl_table *t)
{
    size_t n = t->n_columns - 1, longest = 0, shown = 0;
    fprintf(f, "FL_N = %zu\narray FL_NAME[%zu]\narray FL_STYLE[%zu]\n", n, n, n);
    for (size_t c = 1; c <= n; c++) {
        char *name = fl_text_clean(t->columns[c].name, NAME_BYTES_MAX);
        size_t chars = name && !is_bound(&t->columns[c]) ? characters(name) : 0;
        longest = chars > longest ? chars : longest;
        shown += !is_bound(&t->columns[c]);
        fprintf(f, "FL_NAME[%zu] = ", c);
        gp_quote(f, name ? name : "");
        free(name);
        unsigned style = t->columns[c].style;
        fprintf(f, "\nFL_STYLE[%zu] = %u\n", c, style ? style : (unsigned)((c - 1) % 8 + 1));
    }
    size_t marks = t->n_marks, across = 0;
    for (size_t i = 0; i < marks; i++)
        across += t->marks[i].axis == 'x';
    fprintf(f, "FL_SHOWN = %zu\nFL_KEY_CHARS = %zu\nFL_MARKS_X = %zu\n", shown, longest, across);
    fprintf(f, "FL_MARKS = %zu\narray FL_MARK_X[%zu]\narray FL_MARK_AT[%zu]\n", marks, marks + 1,
            marks + 1);
    fprintf(f, "array FL_MARK[%zu]\n", marks + 1);
    for (size_t i = 0; i < marks; i++) {
        fprintf(f, "FL_MARK_X[%zu] = %d\nFL_MARK_AT[%zu] = %" PRIu64 ".0\nFL_MARK[%zu] = ", i + 1,
                t->marks[i].axis == 'x', i + 1, t->marks[i].value, i + 1);
        gp_quote(f, t->marks[i].label);
        fputc('\n', f);
    }
}

static void write_terminal(FILE *f, const struct fl_table *t, const struct fl_plot_opts *o,
                           unsigned width, unsigned height)
{
    char id[64] = "";
    const char *want = o->id ? o->id : t->name;
    for (size_t i = 0; want[i] && i + 1 < sizeof id; i++)
        id[i] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", want[i])
                    ? want[i]
                    : '_'; /* all that gnuplot takes */
    switch (o->format) {
    case FL_PLOT_SVG:
        fprintf(f,
                "set terminal svg noenhanced size %u,%u fixed name '%s' "
                "font 'sans-serif,13' rounded background '#ffffff'\n",
                width, height, id);
        break;
    case FL_PLOT_PNG:
        fprintf(f,
                "set terminal pngcairo noenhanced size %u,%u font 'sans-serif,11' "
                "rounded background '#ffffff'\n",
                width, height);
        break;
    case FL_PLOT_PDF: /* 96 pixels an inch */
        fprintf(f,
                "set terminal pdfcairo noenhanced size %u.%02uin,%u.%02uin "
                "font 'sans-serif,10' rounded background '#ffffff'\n",
                width / 96, width % 96 * 100 / 96, height / 96, height % 96 * 100 / 96);
        break;
    case FL_PLOT_TERM:
        fprintf(f, "set terminal dumb nofeed mono noenhanced size %u,%u\n", width, height);
        break;
    }
    fputs("set output 'out'\n", f);
}

struct text_width {
    size_t title, footer; /* characters in a line */
};

/* Font sizes are pixels in SVG, where a character of the title is about 8 wide and one of the footer
   6.5, and points, a third larger and of a wider font, in the other pictures. */
static struct text_width text_width(enum fl_plot_format format, unsigned width)
{
    if (format == FL_PLOT_TERM)
        return (struct text_width){ width - 4, width - 4 };
    if (format == FL_PLOT_SVG)
        return (struct text_width){ width / 8 - 4, width * 2 / 13 - 2 };
    return (struct text_width){ width / 13 - 3, width * 3 / 28 - 4 };
}

/* What gnuplot says of the frame it drew: pixels from the bottom left, and the axes' ranges. */
static const char area_script[] =
    "set print 'area'\n"
    "if (FL_AREA) {\n"
    "    print sprintf('%.3f %.3f %.3f %.3f %.17g %.17g %.17g %.17g', GPVAL_TERM_XMIN, "
    "GPVAL_TERM_XMAX, GPVAL_TERM_YMIN, GPVAL_TERM_YMAX, GPVAL_X_MIN * FL_X_DIV, "
    "GPVAL_X_MAX * FL_X_DIV, GPVAL_Y_MIN * FL_Y_DIV, GPVAL_Y_MAX * FL_Y_DIV)\n"
    "} else { print 'none' }\n"
    "unset print\n";

static int read_area(const struct gp_workdir *dir, const struct fl_table *t, unsigned height,
                     struct fl_plot_area *a, struct fl_err *err)
{
    char *text = NULL;
    size_t len = 0;
    double low = 0, high = 0;
    *a = (struct fl_plot_area){ .log_y = t->log_y };
    int rc = gp_workdir_slurp(dir, "area", &text, &len, err);
    if (rc != FL_OK)
        return rc;
    int n = sscanf(text, "%lf %lf %lf %lf %lf %lf %lf %lf", &a->left, &a->right, &low, &high,
                   &a->x_min, &a->x_max, &a->y_min, &a->y_max);
    free(text);
    a->top = height - high;
    a->bottom = height - low;
    a->known = n == 8 && a->left < a->right && a->top < a->bottom && a->x_min < a->x_max &&
               a->y_min < a->y_max && (!a->log_y || a->y_min > 0);
    return FL_OK;
}

/* High enough for the legend: beside the frame in a picture, below it in characters. */
static unsigned picture_height(const struct fl_table *t, const struct fl_plot_opts *o)
{
    bool term = o->format == FL_PLOT_TERM;
    unsigned height = o->height ? o->height : term ? 24 : 420, names = 0, least;
    for (size_t c = 1; c < t->n_columns; c++)
        names += !is_bound(&t->columns[c]);
    least = term ? 16 + names : o->height ? 0 : 200 + 19 * names;
    return height < least ? least : height;
}

static int write_script(const struct fl_table *t, const struct fl_plot_opts *o,
                        const struct gp_workdir *dir, struct fl_err *err)
{
    bool term = o->format == FL_PLOT_TERM;
    unsigned width = o->width ? o->width : term ? 78 : 960;
    unsigned height = picture_height(t, o);
    uint64_t y_max = 0;
    char share[PATH_MAX], script[PATH_MAX + 128];
    int rc = gp_share(share, sizeof share, err);
    if (rc != FL_OK)
        return rc;
    snprintf(script, sizeof script, "%s/plots/%s.gp", share, t->name);
    if (strchr(t->name, '/') || access(script, R_OK) != 0)
        return fl_fail(err, FL_EMACHINE,
                       "%s is missing: install faultline whole, or set FAULTLINE_SHARE", script);
    for (size_t c = 1; c < t->n_columns; c++)
        if (fl_table_max(t, c) > y_max)
            y_max = fl_table_max(t, c);
    FILE *f = gp_workdir_create(dir, "main.gp", err);
    if (!f)
        return FL_EIO;
    fputs("set encoding utf8\n", f);
    write_terminal(f, t, o, width, height);
    struct text_width columns = text_width(o->format, width);
    fputs("FL_TITLE = ", f);
    unsigned lines = write_wrapped(f, t->title ? t->title : t->name, columns.title);
    fprintf(f, "FL_TITLE_LINES = %u\n", lines);
    fputs("FL_FOOTER = ", f);
    lines = write_wrapped(f, t->footer ? t->footer : "", columns.footer);
    fprintf(f, "FL_FOOTER_LINES = %u\n", lines);
    fprintf(f, "FL_X_MAX = %" PRIu64 ".0\n", fl_table_max(t, 0));
    write_axis(f, 'X', t->x_name, scale_for(t->columns[0].unit, fl_table_max(t, 0)));
    write_axis(f, 'Y', t->y_name,
               t->log_y && t->columns[1].unit == FL_UNIT_COUNT
                   ? (struct scale){ 1, "" }
                   : scale_for(t->columns[1].unit, y_max));
    fprintf(f, "FL_LOG_Y = %d\nFL_COMPACT = %d\nFL_TERM = %d\nFL_WIDTH = %u\nFL_HEIGHT = %u\n",
            t->log_y, !term && width < 640, term, width, height);
    write_arrays(f, t);
    write_roles(f, t);
    fputs("FL_DATA = 'data.tsv'\nFL_STEPS = 'steps.tsv'\nFL_SERIES = 'series.tsv'\nFL_PLOTS = ", f);
    snprintf(script, sizeof script, "%s/plots", share);
    gp_quote(f, script);
    fputs("\nload ", f);
    snprintf(script, sizeof script, "%s/plots/style.gp", share);
    gp_quote(f, script);
    fputs("\nload ", f);
    snprintf(script, sizeof script, "%s/plots/%s.gp", share, t->name);
    gp_quote(f, script);
    fputs("\nunset output\n", f);
    if (o->format == FL_PLOT_SVG && o->area)
        fputs(area_script, f);
    return gp_workdir_finish(f, "main.gp", err);
}

static bool anything_to_draw(const struct fl_table *t)
{
    for (size_t r = 0; r < t->n_rows; r++)
        for (size_t c = 1; c < t->n_columns; c++)
            if (numeric(fl_table_at(t, r, 0)) && numeric(fl_table_at(t, r, c)))
                return true;
    return false;
}

/* Lines without the blanks that fill them, one end of line at the end, no form feed before. */
static void trim_lines(char *text, size_t *len)
{
    size_t out = 0, solid = 0; /* solid: behind the last byte that is to stay */
    for (size_t i = 0; i < *len; i++) {
        if (text[i] == '\f')
            continue;
        if (text[i] == '\n')
            out = solid;
        text[out++] = text[i];
        if (text[i] != ' ')
            solid = out;
    }
    out = solid;
    while (out > 0 && text[out - 1] == '\n')
        out--;
    text[out++] = '\n';
    text[out] = '\0';
    *len = out;
}

/* XML wants the '>' of "]]>" escaped in text, which gnuplot leaves as it is. */
static int escape_section_ends(char **bytes, size_t *len, struct fl_err *err)
{
    static const char end[] = "]]>", escaped[] = "]]&gt;";
    size_t n = 0, size = sizeof end - 1, more = sizeof escaped - sizeof end;
    for (char *p = *bytes; (p = memmem(p, *len - (size_t)(p - *bytes), end, size)); p += size)
        n++;
    if (n == 0)
        return FL_OK;
    char *out = malloc(*len + n * more + 1), *to = out, *from = *bytes, *p;
    if (!out)
        return fl_nomem(err, "the chart");
    while ((p = memmem(from, *len - (size_t)(from - *bytes), end, size))) {
        to = mempcpy(mempcpy(to, from, (size_t)(p - from)), escaped, sizeof escaped - 1);
        from = p + size;
    }
    to = mempcpy(to, from, *len - (size_t)(from - *bytes));
    *to = '\0';
    free(*bytes);
    *bytes = out;
    *len = (size_t)(to - out);
    return FL_OK;
}

int fl_plot_render(const struct fl_table *t, const struct fl_plot_opts *opts, char **bytes,
                   size_t *len, struct fl_err *err)
{
    struct gp_workdir dir = { "" };
    *bytes = NULL;
    int rc = fl_table_ok(t, err);
    if (rc != FL_OK)
        return rc;
    if (t->n_columns < 2 || !anything_to_draw(t))
        return fl_fail(err, FL_EDATA, "chart %s: nothing to draw", t->name);
    rc = gp_workdir_make(&dir, err);
    if (rc == FL_OK)
        rc = write_data(t, &dir, err);
    if (rc == FL_OK)
        rc = write_script(t, opts, &dir, err);
    if (rc == FL_OK)
        rc = gp_run(&dir, err);
    if (rc == FL_OK)
        rc = gp_workdir_slurp(&dir, "out", bytes, len, err);
    if (rc == FL_OK && opts->format == FL_PLOT_TERM)
        trim_lines(*bytes, len);
    else if (rc == FL_OK && opts->format == FL_PLOT_SVG)
        rc = escape_section_ends(bytes, len, err);
    if (rc == FL_OK && opts->area && opts->format == FL_PLOT_SVG)
        rc = read_area(&dir, t, picture_height(t, opts), opts->area, err);
    if (rc != FL_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    gp_workdir_remove(&dir);
    return rc;
}
