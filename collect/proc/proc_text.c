/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc_text.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 65536u /* docs/trace-format.md: the longest string of an event */

bool text_number(const char **p, const char *end, unsigned base, uint64_t *out)
{
    uint64_t n = 0;
    const char *at = *p;
    for (; at < end; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : 99;
        if (digit >= base)
            break;
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    if (at == *p)
        return false;
    *p = at;
    *out = n;
    return true;
}

/* ---- stat ------------------------------------------------------------------------------ */

/* Numbers behind the state, counted from 1 as proc(5) does: field 4 is the first. */
enum { PPID = 4, FLAGS = 9, MINFLT = 10, MAJFLT = 12, THREADS = 20, START = 22, KSTKESP = 29 };

static bool narrow(uint64_t wide, uint32_t *out)
{
    *out = (uint32_t)wide;
    return wide <= UINT32_MAX;
}

static bool take_field(unsigned field, uint64_t value, struct text_stat *out)
{
    switch (field) {
    case PPID: return narrow(value, &out->ppid);
    case FLAGS: return narrow(value, &out->flags);
    case MINFLT: out->minor_faults = value; return true;
    case MAJFLT: out->major_faults = value; return true;
    case THREADS: return narrow(value, &out->threads);
    case START: out->start_ticks = value; return true;
    case KSTKESP: out->stack_pointer = value; return true;
    default: return true;
    }
}

bool text_stat(const char *text, size_t len, struct text_stat *out)
{
    /* A comm may hold anything, ") S 1" too: it ends at the last parenthesis. */
    const char *end = text + len, *open = memchr(text, '(', len), *p = memrchr(text, ')', len);
    memset(out, 0, sizeof *out);
    if (!open || !p || p < open || end - p < 4 || p[1] != ' ')
        return false;
    size_t n = (size_t)(p - open) - 1;
    n = n < sizeof out->comm ? n : sizeof out->comm - 1;
    memcpy(out->comm, open + 1, n);
    out->state = p[2] >= 'A' && p[2] <= 'z' ? p[2] : '?';
    p += 3;
    for (unsigned field = PPID; field <= KSTKESP; field++) {
        uint64_t value = 0;
        if (p == end || *p != ' ')
            return false;
        p++;
        bool negative = p < end && *p == '-';
        p += negative;
        if (!text_number(&p, end, 10, &value) || !take_field(field, negative ? 0 : value, out))
            return false;
    }
    return true;
}

/* ---- lines ------------------------------------------------------------------------------ */

bool text_field(const char *text, const char *name, uint64_t *out)
{
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) != 0 || line[n] != ':')
            continue;
        const char *p = line + n + 1;
        p += strspn(p, " \t");
        return text_number(&p, p + strlen(p), 10, out);
    }
    return false;
}

/* "NR ARG... SP PC", "-1 SP PC" or "running". */
uint64_t text_stack_pointer(const char *text, size_t len)
{
    const char *end = text + len, *p = end;
    uint64_t sp = 0;
    while (p > text && p[-1] == '\n')
        end = --p;
    for (int word = 0; word < 2; word++) {
        while (p > text && p[-1] != ' ')
            p--;
        if (p == text)
            return 0;
        if (word == 0)
            end = --p;
    }
    if (end - p < 3 || p[0] != '0' || p[1] != 'x')
        return 0;
    p += 2;
    return text_number(&p, end, 16, &sp) && p == end ? sp : 0;
}

/* "12.34" in hundredths. */
static bool percent_bp(const char *p, uint32_t *out)
{
    const char *end = p + strlen(p);
    uint64_t whole, hundredths;
    if (!text_number(&p, end, 10, &whole) || whole > 100 || *p++ != '.')
        return false;
    const char *point = p;
    if (!text_number(&p, end, 10, &hundredths) || p - point != 2)
        return false;
    *out = (uint32_t)(whole * 100 + hundredths);
    return true;
}

static bool pressure_line(const char *text, const char *word, uint32_t *avg10_bp,
                          uint64_t *total_us)
{
    const char *line = strstr(text, word), *stop = line ? strchr(line, '\n') : NULL;
    const char *avg = line ? strstr(line, " avg10=") : NULL;
    const char *total = line ? strstr(line, " total=") : NULL;
    if (!avg || !total || (stop && (avg > stop || total > stop)))
        return false;
    total += strlen(" total=");
    return percent_bp(avg + strlen(" avg10="), avg10_bp) &&
           text_number(&total, total + strlen(total), 10, total_us);
}

bool text_pressure(const char *text, struct fl_proc_pressure *out)
{
    *out = (struct fl_proc_pressure){ 0 };
    bool some = pressure_line(text, "some ", &out->some_avg10_bp, &out->some_total_us);
    if (!pressure_line(text, "full ", &out->full_avg10_bp, &out->full_total_us))
        out->full_avg10_bp = 0, out->full_total_us = 0;
    return some;
}

/* ---- snapshots ----------------------------------------------------------------------------- */

/* The next piece's length: whole lines where one fits. */
static size_t piece_length(const char *text, size_t len, size_t room)
{
    if (len <= room)
        return len;
    const char *newline = memrchr(text, '\n', room);
    return newline ? (size_t)(newline - text) + 1 : room;
}

int text_pieces(const char *name, const char *text, size_t len, uint32_t pid, uint32_t moment,
                fl_proc_emit_fn *emit, void *ctx, struct fl_err *err)
{
    size_t head = strlen(name) + 1;
    char *piece = head < PIECE_BYTES / 2 ? malloc(PIECE_BYTES + 1) : NULL;
    if (!piece)
        return fl_nomem(err, "a snapshot of /proc");
    const struct fl_event e = { .kind = FL_EV_SNAPSHOT,
                                .thread = FL_NO_THREAD,
                                .snapshot = { .pid = pid, .moment = moment, .text = piece } };
    memcpy(piece, name, head - 1);
    piece[head - 1] = '\n';
    int rc = FL_OK;
    do {
        size_t n = piece_length(text, len, PIECE_BYTES - head);
        for (size_t i = 0; i < n; i++)
            piece[head + i] = text[i] ? text[i] : '?';
        piece[head + n] = 0;
        text += n, len -= n;
        rc = emit(ctx, &e, err);
    } while (rc == FL_OK && len);
    free(piece);
    return rc;
}

int text_lines_emit(struct text_lines *l, const char *name, uint32_t moment, fl_proc_emit_fn *emit,
                    void *ctx, struct fl_err *err)
{
    if (!l->out)
        return fl_nomem(err, "a snapshot");
    int rc = fclose(l->out) == 0 ? FL_OK : fl_nomem(err, "a snapshot");
    if (rc == FL_OK && l->len)
        rc = text_pieces(name, l->text, l->len, 0, moment, emit, ctx, err);
    free(l->text);
    return rc;
}

/* What is between the first '(' and the last ')' of a stretch of @len bytes goes. */
static size_t empty_parentheses(char *text, size_t len)
{
    char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
    if (!open || !close || close < open)
        return len;
    memmove(open + 1, close, len - (size_t)(close - text));
    return len - (size_t)(close - open - 1);
}

/* Keeps lines that do not begin with @prefix. */
static size_t drop_lines(const char *prefix, char *text, size_t len)
{
    size_t kept = 0, n = strlen(prefix);
    for (size_t at = 0, line; at < len; at += line) {
        const char *newline = memchr(text + at, '\n', len - at);
        line = newline ? (size_t)(newline - text) + 1 - at : len - at;
        if (line >= n && memcmp(text + at, prefix, n) == 0)
            continue;
        memmove(text + kept, text + at, line);
        kept += line;
    }
    return kept;
}

/* Kernels before 5.9 name a group's caches "dentry(123:GROUP)". */
static size_t redact_caches(char *text, size_t len)
{
    size_t kept = 0;
    for (size_t at = 0, line; at < len; at += line) {
        const char *newline = memchr(text + at, '\n', len - at);
        line = newline ? (size_t)(newline - text) + 1 - at : len - at;
        size_t rest = empty_parentheses(text + at, line);
        memmove(text + kept, text + at, rest);
        kept += rest;
    }
    return kept;
}

size_t text_redact(const char *name, char *text, size_t len)
{
    if (!strcmp(name, "status"))
        return drop_lines("Name:", text, len);
    if (!strcmp(name, "stat"))
        return empty_parentheses(text, len);
    if (!strcmp(name, "slabinfo"))
        return redact_caches(text, len);
    return len;
}
