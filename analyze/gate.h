/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gate.h - budgets held against a result: the verdict, and the forms it is given in.
 *
 * The verdict is a function of the documents alone: no clock, no machine, no order of anything.
 */
#ifndef FAULTLINE_GATE_H
#define FAULTLINE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>

#include "budget.h"

struct json_t;

/* ---- which part of a document a budget is about -------------------------------------- */

enum gate_kind {
    GATE_ANY,      /* in a filter: any of the others */
    GATE_DOCUMENT, /* the document itself: what a sweep or a measurement says of its trace */
    GATE_RESULT,   /* a replay's or observed result */
    GATE_POINT,    /* a sweep's point */
    GATE_LIMIT,    /* a measurement's point */
};

/** What was asked of the model. UINT64_MAX: without limit. */
struct gate_question {
    enum gate_kind kind;
    bool has_ram, has_swap;
    uint64_t ram_bytes, swap_bytes;
    const char *policy, *machine; /* or NULL */
};

struct gate_subject {
    struct gate_question asked;
    const struct json_t *object;   /* the key's parts from @from on are looked up in it */
    const struct json_t *document; /* whose trace and quality they are */
    size_t from;
};

/**
 * gate_find - what @budget is about in @doc, checked by fl_document_check().
 * @where: the document's name, for messages. @wanted: what it must have been asked; NULL: what
 * the budget says. Errors: FL_EDATA when it is not there, with what is; FL_EUSAGE when the
 * budget leaves open which of several.
 */
int gate_find(const struct json_t *doc, const char *where, const struct budget *budget,
              const struct gate_question *wanted, struct gate_subject *out, struct fl_err *err);

/**
 * gate_count_name - what the count that the parts of @path from @from on name is called there.
 * A sweep's point has `major`, a result `faults.major`: budgets may say either of both.
 * Returns: a dotted path for @kind; NULL when the key is none of the five counts.
 */
const char *gate_count_name(const struct keypath *path, size_t from, enum gate_kind kind);

/** gate_size - a size as a budget would have it: `512M`, `80K`, `4097`, `max`. */
#define GATE_SIZE_BYTES 24
char *gate_size(char buf[GATE_SIZE_BYTES], uint64_t bytes);

/* ---- the verdict ------------------------------------------------------------------------- */

struct gate_row {
    const struct budget *budget;
    struct gate_question asked;
    const struct json_t *document; /* borrowed */
    const char *unit;              /* `faults`, `pages`, `bytes`, `ns`, ... */
    bool failed, broken[BUDGET_RULES];
    bool has_baseline;
    millionths value, baseline;
    bool exact;   /* the model's, which repeats; not measured */
    char *limit;  /* the rules in words, when failed those that are broken */
    char *reason; /* why it failed, one sentence; NULL when it did not */
    char *range;  /* spread of a measured value, or NULL */
};

struct gate {
    char *result, *baseline; /* file names, clean; baseline NULL: there is none */
    struct gate_row *rows;
    size_t n, failed;
};

/**
 * gate_judge - hold @result against @budgets, which must outlive the gate, as the documents must.
 * @baseline, @baseline_name: NULL when there is none.
 * Returns: FL_OK, whether budgets are kept or not (gate->failed). Errors: FL_EUSAGE: a relative
 * rule without a baseline, a key that is no number; FL_EDATA: no verdict can rest on this data;
 * FL_ENOMEM. Cost: O(budgets * size of the documents).
 */
int gate_judge(const struct budgets *budgets, const struct json_t *result, const char *result_name,
               const struct json_t *baseline, const char *baseline_name, struct gate **out,
               struct fl_err *err);
void gate_free(struct gate *gate); /* NULL is fine */

/* ---- how it is told ---------------------------------------------------------------------------- */

/* Room for any number of millionths with its unit. */
#define GATE_NUMBER_BYTES 96
/** gate_number - "1,234", "-0.5", "4,096 B": @value in @unit. */
char *gate_number(char buf[GATE_NUMBER_BYTES], millionths value, const char *unit);
/** gate_change - "+168 (+12.50 %)", "+5 (from 0)", "none"; "-" without a baseline. */
char *gate_change(char buf[GATE_NUMBER_BYTES], const struct gate_row *row);
/** gate_verdict - "FAIL: 1 of 3 budgets is not kept", in @buf. */
char *gate_verdict(char buf[GATE_NUMBER_BYTES], const struct gate *gate);
/** gate_json_number - a number of millionths as JSON: an integer when it is one. */
struct json_t *gate_json_number(millionths value);

/* One writer a form. Errors: FL_EIO; FL_ENOMEM. */
typedef int gate_writer(const struct gate *gate, FILE *out, struct fl_err *err);
gate_writer gate_text;  /* a table for people: a line a budget, failed ones as the file has them */
gate_writer gate_json;  /* "faultline.gate/1" */
gate_writer gate_junit; /* JUnit XML */
gate_writer gate_markdown; /* a comment for a pull request, at most GATE_MARKDOWN_LINES */
gate_writer gate_bench;    /* [{name unit value range extra}] of benchmark dashboards */

#define GATE_MARKDOWN_LINES 40

#endif
