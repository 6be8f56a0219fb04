/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A verdict in numbers and words, and as a table for people. */
#include "gate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---------------------------------------------------------------------------- */

static const char *suffix_of(const char *unit)
{
    static const char *const suffixes[][2] = {
        { "bytes", " B" }, { "ns", " ns" }, { "bp", " bp" }, { "%", " %" }
    };
    for (size_t i = 0; i < FL_COUNT(suffixes); i++)
        if (strcmp(suffixes[i][0], unit) == 0)
            return suffixes[i][1];
    return "";
}

char *gate_number(char buf[GATE_NUMBER_BYTES], millionths value, const char *unit)
{
    char whole[FL_FORMAT_BYTES], rest[16] = "";
    unsigned __int128 size = (unsigned __int128)(value < 0 ? -value : value);
    uint64_t count = size / MILLION > UINT64_MAX ? UINT64_MAX : (uint64_t)(size / MILLION);
    fl_format_count(whole, count);
    if (size % MILLION) {
        size_t end = 7; /* a point and six digits */
        snprintf(rest, sizeof rest, ".%06u", (unsigned)(size % MILLION));
        while (end > 1 && rest[end - 1] == '0')
            rest[--end] = '\0';
    }
    snprintf(buf, GATE_NUMBER_BYTES, "%s%s%s%s", value < 0 ? "-" : "", whole, rest,
             suffix_of(unit));
    return buf;
}

char *gate_change(char buf[GATE_NUMBER_BYTES], const struct gate_row *row)
{
    char number[GATE_NUMBER_BYTES];
    millionths by = row->value - row->baseline, base = row->baseline;
    if (!row->has_baseline || by == 0)
        return strcpy(buf, row->has_baseline ? "none" : "-");
    gate_number(number, by < 0 ? -by : by, row->unit);
    int n = snprintf(buf, GATE_NUMBER_BYTES, "%c%.40s", by < 0 ? '-' : '+', number);
    if (base == 0)
        return buf;
    /* Hundredths of a percent, rounded half away from 0. */
    unsigned __int128 size = (unsigned __int128)(base < 0 ? -base : base);
    unsigned __int128 bp = ((unsigned __int128)(by < 0 ? -by : by) * 20000 + size) / (2 * size);
    if (bp <= UINT32_MAX)
        snprintf(buf + n, GATE_NUMBER_BYTES - (size_t)n, " (%c%u.%02u %%)", by < 0 ? '-' : '+',
                 (unsigned)bp / 100, (unsigned)bp % 100);
    return buf;
}

char *gate_verdict(char buf[GATE_NUMBER_BYTES], const struct gate *gate)
{
    if (gate->failed)
        snprintf(buf, GATE_NUMBER_BYTES, "FAIL: %zu of %zu budget%s not kept", gate->failed,
                 gate->n, gate->n == 1 ? "" : "s");
    else
        snprintf(buf, GATE_NUMBER_BYTES, "PASS: %zu budget%s kept", gate->n,
                 gate->n == 1 ? "" : "s");
    return buf;
}

/* ---- the table ---------------------------------------------------------------------------- */

enum { VERDICT, BUDGET, VALUE, LIMIT, BASELINE, CHANGE, COLUMNS };

struct line {
    const char *cell[COLUMNS];
    char value[GATE_NUMBER_BYTES], baseline[GATE_NUMBER_BYTES], change[GATE_NUMBER_BYTES];
};

/* Characters, not bytes: what a terminal aligns by. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void fill_line(struct line *line, const struct gate_row *row)
{
    line->cell[VERDICT] = row->failed ? "FAIL" : "PASS";
    line->cell[BUDGET] = row->budget->label;
    line->cell[VALUE] = gate_number(line->value, row->value, row->unit);
    line->cell[LIMIT] = row->limit;
    line->cell[BASELINE] = row->has_baseline ? gate_number(line->baseline, row->baseline, row->unit)
                                             : "-";
    line->cell[CHANGE] = gate_change(line->change, row);
}

static void put_line(FILE *out, const struct line *line, const size_t *widths, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        const char *text = line->cell[c];
        bool right = c == VALUE || c == BASELINE, last = c + 1 == columns;
        int pad = (int)(widths[c] - width(text));
        fprintf(out, "%s%*s%s%*s", c ? "  " : "", right ? pad : 0, "", text,
                right || last ? 0 : pad, "");
    }
    fputc('\n', out);
}

int gate_text(const struct gate *gate, FILE *out, struct fl_err *err)
{
    static const struct line head = { .cell = { "", "budget", "value", "limit", "baseline",
                                                "change" } };
    size_t columns = gate->baseline ? COLUMNS : BASELINE, widths[COLUMNS] = { 0 };
    char verdict[GATE_NUMBER_BYTES];
    struct line *lines = calloc(gate->n, sizeof *lines);
    if (!lines)
        return fl_nomem(err, "the table");
    for (size_t i = 0; i < gate->n; i++)
        fill_line(&lines[i], &gate->rows[i]);
    for (size_t c = 0; c < columns; c++) {
        widths[c] = width(head.cell[c]);
        for (size_t i = 0; i < gate->n; i++)
            if (width(lines[i].cell[c]) > widths[c])
                widths[c] = width(lines[i].cell[c]);
    }
    put_line(out, &head, widths, columns);
    for (size_t i = 0; i < gate->n; i++)
        put_line(out, &lines[i], widths, columns);
    free(lines);
    fprintf(out, "%s\n", gate_verdict(verdict, gate));
    return ferror(out) ? fl_fail_errno(err, "writing the table") : FL_OK;
}
