/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Markdown as GitHub and GitLab read it: verdict, findings, tables; no raw HTML, no links. */
#include <faultline/report.h>

#include <stdlib.h>
#include <string.h>

#include "md_text.h"

static int put_cell(FILE *out, const struct fl_cell *cell, struct fl_err *err)
{
    char *s = fl_cell_format(cell);
    if (!s)
        return fl_nomem(err, "the Markdown report");
    md_text(out, s);
    free(s);
    return FL_OK;
}

static int put_table(FILE *out, const struct fl_table *t, struct fl_err *err)
{
    int rc = FL_OK;
    fputs("\n|", out);
    for (size_t c = 0; c < t->n_columns; c++) {
        fputc(' ', out);
        md_text(out, t->columns[c].name);
        fputs(" |", out);
    }
    fputs("\n|", out);
    for (size_t c = 0; c < t->n_columns; c++)
        fputs(c > 0 && t->columns[c].unit != FL_UNIT_TEXT ? "---:|" : "---|", out);
    fputc('\n', out);
    for (size_t r = 0; r < t->n_rows && rc == FL_OK; r++) {
        fputc('|', out);
        for (size_t c = 0; c < t->n_columns && rc == FL_OK; c++) {
            fputc(' ', out);
            rc = put_cell(out, fl_table_at(t, r, c), err);
            fputs(" |", out);
        }
        fputc('\n', out);
    }
    return rc;
}

/* A block of code ends at a fence as long as its own: make it longer than any run inside. */
static void put_code(FILE *out, const char *code)
{
    size_t fence = 3;
    for (const char *p = code; *p;) {
        size_t run = strspn(p, "`");
        if (run >= fence)
            fence = run + 1;
        p += run ? run : 1;
    }
    for (int end = 0; end < 2; end++) {
        for (size_t i = 0; i < fence; i++)
            fputc('`', out);
        fputs(end ? "\n" : "sh\n", out);
        if (!end)
            fprintf(out, "%s\n", code);
    }
}

int fl_report_md(const struct fl_view *view, FILE *out, struct fl_err *err)
{
    int rc = FL_OK;
    fputs("## faultline: ", out);
    md_text(out, view->title);
    fputs("\n\n**", out);
    md_text(out, view->verdict);
    fputs("**\n", out);
    if (view->n_lines > 0)
        fputc('\n', out);
    for (size_t i = 0; i < view->n_lines; i++) {
        fputs("- ", out);
        md_text(out, view->lines[i]);
        fputc('\n', out);
    }
    if (view->figures->n_columns > 1 && view->figures->n_rows > 0)
        rc = put_table(out, view->figures, err);
    for (size_t i = 0; i < view->n_charts; i++)
        if (view->charts[i].note) {
            fputs("\n*", out);
            md_text(out, view->charts[i].chart->heading);
            fputs(":* ", out);
            md_text(out, view->charts[i].note);
            fputc('\n', out);
        }
    for (size_t i = 0; i < view->n_sections && rc == FL_OK; i++) {
        const struct fl_section *s = &view->sections[i];
        fputs("\n### ", out);
        md_text(out, s->heading);
        fputc('\n', out);
        if (s->text) {
            fputc('\n', out);
            md_text(out, s->text);
            fputc('\n', out);
        }
        if (s->table)
            rc = put_table(out, s->table, err);
    }
    if (rc == FL_OK && view->command && *view->command) {
        fputs("\n### Make this report again\n\n", out);
        put_code(out, view->command);
    }
    if (rc == FL_OK && ferror(out))
        rc = fl_fail_errno(err, "writing the Markdown report");
    return rc;
}
