/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * budget.h - what a result must keep to: a checked budget file.
 *
 * Numbers are in millionths, so that counts of 64 bits and the few results with decimals compare
 * exactly, by one rule.
 */
#ifndef FAULTLINE_BUDGET_H
#define FAULTLINE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/units.h>

#include "keypath.h"

struct json_t;

typedef __int128 millionths;
#define MILLION 1000000

enum budget_rule { BUDGET_MAX, BUDGET_MIN, BUDGET_MAX_INCREASE, BUDGET_MAX_DECREASE, BUDGET_RULES };
#define BUDGET_IS_RELATIVE(rule) ((rule) >= BUDGET_MAX_INCREASE)

enum limit_kind { LIMIT_NONE, LIMIT_NUMBER, LIMIT_PERCENT };

struct budget_limit {
    enum limit_kind kind;
    millionths number;   /* NUMBER */
    uint32_t percent_bp; /* PERCENT */
};

struct budget {
    char *label; /* its name, or key and point: unlike every other's; one clean line */
    char *key;   /* as written */
    struct keypath path;
    bool has_at, has_swap;
    struct fl_size at, swap;
    char *policy, *machine; /* or NULL */
    struct budget_limit limit[BUDGET_RULES];
};

struct budgets {
    struct budget *at; /* n of them, 1 or more */
    size_t n;
};

/** budget_rule_name - `max`, `min`, `max_increase`, `max_decrease`. */
const char *budget_rule_name(enum budget_rule rule);

/** budget_is_relative - does @b need a baseline? */
bool budget_is_relative(const struct budget *b);

/** budget_number - a JSON number in millionths; false for anything else, or beyond 2^63. */
bool budget_number(const struct json_t *json, millionths *out);

/**
 * budgets_read - @doc, {"budget": [{...}]}, checked. @name: of its file, for messages.
 * Errors: FL_EUSAGE with the budget's number and what is wrong; FL_ENOMEM.
 */
int budgets_read(const struct json_t *doc, const char *name, struct budgets **out,
                 struct fl_err *err);
void budgets_free(struct budgets *b); /* NULL is fine */

#endif
