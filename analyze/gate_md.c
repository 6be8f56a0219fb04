/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A verdict as a comment on a pull request: one screen, the verdict first. */
#include "gate.h"

#include "md_text.h"

/* 17 lines are headings and the like when everything is there; the rest are budgets'. */
#define ROWS_MAX (GATE_MARKDOWN_LINES - 17)
#define FAILED_MAX 16

static void put_cell(FILE *out, const char *text)
{
    fputs("| ", out);
    md_text(out, text);
    fputc(' ', out);
}

static void put_row(FILE *out, const struct gate *gate, const struct gate_row *row)
{
    char number[GATE_NUMBER_BYTES];
    put_cell(out, row->budget->label);
    put_cell(out, gate_number(number, row->value, row->unit));
    put_cell(out, row->limit);
    if (gate->baseline) {
        put_cell(out, row->has_baseline ? gate_number(number, row->baseline, row->unit) : "-");
        put_cell(out, gate_change(number, row));
    }
    fputs("|\n", out);
}

/* The first @shown of the rows that failed, or of those that did not. */
static void put_table(FILE *out, const struct gate *gate, bool failed, size_t shown, size_t of)
{
    size_t n = 0;
    fputs(gate->baseline
              ? "| Budget | Value | Limit | Baseline | Change |\n|---|---:|---|---:|---:|\n"
              : "| Budget | Value | Limit |\n|---|---:|---|\n",
          out);
    for (size_t i = 0; i < gate->n && n < shown; i++)
        if (gate->rows[i].failed == failed) {
            put_row(out, gate, &gate->rows[i]);
            n++;
        }
    if (of > shown)
        fprintf(out, "\n... and %zu more: they are in the job's log.\n", of - shown);
}

int gate_markdown(const struct gate *gate, FILE *out, struct fl_err *err)
{
    size_t passed = gate->n - gate->failed;
    size_t failed_shown = gate->failed > FAILED_MAX ? FAILED_MAX : gate->failed;
    size_t passed_room = ROWS_MAX - failed_shown;
    size_t passed_shown = passed > passed_room ? passed_room : passed;
    fprintf(out, "### faultline gate: %s\n\n", gate->failed ? "FAIL" : "PASS");
    if (gate->failed)
        fprintf(out, "**%zu of %zu budget%s not kept** in ", gate->failed, gate->n,
                gate->n == 1 ? "" : "s");
    else
        fprintf(out, "**%zu budget%s kept** in ", gate->n, gate->n == 1 ? "" : "s");
    md_text(out, gate->result);
    if (gate->baseline) {
        fputs(", against ", out);
        md_text(out, gate->baseline);
    }
    fputs(".\n", out);
    if (gate->failed) {
        fputc('\n', out);
        put_table(out, gate, true, failed_shown, gate->failed);
    }
    if (passed) {
        fprintf(out, "\n<details><summary>%zu kept</summary>\n\n", passed);
        put_table(out, gate, false, passed_shown, passed);
        fputs("\n</details>\n", out);
    }
    return ferror(out) ? fl_fail_errno(err, "writing the Markdown summary") : FL_OK;
}
