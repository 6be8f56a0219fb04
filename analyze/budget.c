/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "budget.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/table.h>

#define BUDGETS_MAX 1000u
#define TEXT_MAX_BYTES 200u

static const char *const keys[] = { "name",         "key",          "at",  "policy",
                                    "swap",         "machine",      "max", "min",
                                    "max_increase", "max_decrease", NULL };

const char *budget_rule_name(enum budget_rule rule)
{
    static const char *const names[] = { "max", "min", "max_increase", "max_decrease" };
    return names[rule];
}

bool budget_is_relative(const struct budget *b)
{
    return b->limit[BUDGET_MAX_INCREASE].kind || b->limit[BUDGET_MAX_DECREASE].kind;
}

bool budget_number(const json_t *json, millionths *out)
{
    if (json_is_integer(json)) {
        *out = (millionths)json_integer_value(json) * MILLION;
        return true;
    }
    double real = json_real_value(json);
    if (!json_is_real(json) || !(real > -9.2e18 && real < 9.2e18))
        return false;
    /* Whole part and rest apart: the product would round a large number. */
    int64_t whole = (int64_t)real;
    double rest = (real - (double)whole) * MILLION;
    *out = (millionths)whole * MILLION + (int64_t)(rest < 0 ? rest - 0.5 : rest + 0.5);
    return true;
}

/* ---- one value ----------------------------------------------------------------------- */

struct at {
    const char *file;
    size_t number; /* of the budget, from 1 */
};

#define BAD(at, fmt, ...)                                       \
    fl_fail(err, FL_EUSAGE, "%s: budget %zu: " fmt, (at)->file, \
            (at)->number __VA_OPT__(, ) __VA_ARGS__)

/* As a clean line: it goes into reports. */
static int read_text(const json_t *table, const char *key, const struct at *at, char **out,
                     struct fl_err *err)
{
    const json_t *v = json_object_get(table, key);
    if (!v)
        return FL_OK;
    if (!json_is_string(v) || !*json_string_value(v))
        return BAD(at, "'%s' must be a text, and not empty", key);
    if (json_string_length(v) > TEXT_MAX_BYTES)
        return BAD(at, "'%s' is longer than %u bytes", key, TEXT_MAX_BYTES);
    *out = fl_text_clean(json_string_value(v), 0);
    return *out ? FL_OK : fl_nomem(err, "a budget");
}

static int read_size(const json_t *table, const char *key, const struct at *at, bool *has,
                     struct fl_size *out, struct fl_err *err)
{
    const json_t *v = json_object_get(table, key);
    struct fl_err why = { 0 };
    if (!v)
        return FL_OK;
    *has = true;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = (struct fl_size){ .bytes = (uint64_t)json_integer_value(v) };
        return FL_OK;
    }
    if (!json_is_string(v))
        return BAD(at, "'%s' must be a size, like \"512M\" or a number of bytes", key);
    if (fl_parse_size(json_string_value(v), out, &why) != FL_OK)
        return BAD(at, "'%s': %s", key, why.msg);
    return FL_OK;
}

/* Sizes have their units; a key of bytes ends so. */
static bool is_in_bytes(const struct budget *b)
{
    const char *last = b->path.part[b->path.n - 1];
    size_t len = strlen(last);
    return len >= 5 && strcmp(last + len - 5, "bytes") == 0;
}

static int read_text_limit(struct budget *b, enum budget_rule rule, const char *text,
                           const struct at *at, struct fl_err *err)
{
    struct budget_limit *limit = &b->limit[rule];
    struct fl_size size;
    struct fl_err why = { 0 };
    if (strchr(text, '%')) {
        if (!BUDGET_IS_RELATIVE(rule))
            return BAD(at, "'%s' is a number; percentages are for max_increase and max_decrease",
                       budget_rule_name(rule));
        limit->kind = LIMIT_PERCENT;
        if (fl_parse_percent(text, &limit->percent_bp, &why) != FL_OK)
            return BAD(at, "'%s': %s", budget_rule_name(rule), why.msg);
        return FL_OK;
    }
    if (fl_parse_size(text, &size, &why) != FL_OK || size.bytes == FL_SIZE_MAX_BYTES)
        return BAD(at, "'%s': '%.60s' is no number%s", budget_rule_name(rule), text,
                   BUDGET_IS_RELATIVE(rule) ? " and no percentage" : "");
    if (!is_in_bytes(b))
        return BAD(at, "'%s': \"%.60s\" is a size, but '%s' is not in bytes: give a number",
                   budget_rule_name(rule), text, b->key);
    limit->kind = LIMIT_NUMBER;
    limit->number = (millionths)size.bytes * MILLION;
    return FL_OK;
}

static int read_limit(const json_t *table, struct budget *b, enum budget_rule rule,
                      const struct at *at, struct fl_err *err)
{
    struct budget_limit *limit = &b->limit[rule];
    const json_t *v = json_object_get(table, budget_rule_name(rule));
    if (!v)
        return FL_OK;
    if (json_is_string(v))
        return read_text_limit(b, rule, json_string_value(v), at, err);
    if (!budget_number(v, &limit->number))
        return BAD(at, "'%s' must be a number%s", budget_rule_name(rule),
                   BUDGET_IS_RELATIVE(rule) ? " or a percentage like \"5%\"" : "");
    if (BUDGET_IS_RELATIVE(rule) && limit->number < 0)
        return BAD(at, "'%s' must not be negative", budget_rule_name(rule));
    limit->kind = LIMIT_NUMBER;
    return FL_OK;
}

/* ---- one budget --------------------------------------------------------------------------- */

static int check_keys(const json_t *table, const struct at *at, struct fl_err *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)table, key, v)
    {
        bool known = false;
        for (size_t i = 0; keys[i]; i++)
            known |= strcmp(keys[i], key) == 0;
        if (known)
            continue;
        const char *near = nearest_name(key, keys);
        if (near)
            return BAD(at, "unknown key '%.60s'; is '%s' meant?", key, near);
        return BAD(at,
                   "unknown key '%.60s'; there are name, key, at, policy, swap, machine, max, "
                   "min, max_increase, max_decrease",
                   key);
    }
    return FL_OK;
}

/* "faults.major at 512M, lru, swap 1G", with sizes as they were written. */
static int make_label(const json_t *table, struct budget *b, const char *name, struct fl_err *err)
{
    static const char *const parts[][2] = {
        { "at", " at " }, { "policy", ", " }, { "swap", ", swap " }, { "machine", ", machine " }
    };
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return fl_nomem(err, "a budget");
    fputs(name ? name : b->key, out);
    for (size_t i = 0; i < FL_COUNT(parts) && !name; i++) {
        const json_t *v = json_object_get(table, parts[i][0]);
        if (json_is_string(v))
            fprintf(out, "%s%s", parts[i][1], json_string_value(v));
        else if (v)
            fprintf(out, "%s%lld", parts[i][1], (long long)json_integer_value(v));
    }
    if (fclose(out) == 0)
        b->label = fl_text_clean(text, 0);
    free(text);
    return b->label ? FL_OK : fl_nomem(err, "a budget");
}

static int check_rules(const struct budget *b, const struct at *at, struct fl_err *err)
{
    const struct budget_limit *limit = b->limit;
    bool any = false;
    for (int r = 0; r < BUDGET_RULES; r++)
        any |= limit[r].kind != LIMIT_NONE;
    if (!any)
        return BAD(at, "'%s' has no rule: give max, min, max_increase or max_decrease", b->key);
    if (limit[BUDGET_MAX].kind && limit[BUDGET_MIN].kind &&
        limit[BUDGET_MIN].number > limit[BUDGET_MAX].number)
        return BAD(at, "'%s': no number is at least min and at most max", b->key);
    return FL_OK;
}

static int read_budget(const json_t *table, struct budget *b, const struct at *at,
                       struct fl_err *err)
{
    char *name = NULL;
    struct fl_err why = { 0 };
    if (!json_is_object(table))
        return BAD(at, "must be a table of keys");
    int rc = check_keys(table, at, err);
    if (rc == FL_OK)
        rc = read_text(table, "name", at, &name, err);
    if (rc == FL_OK)
        rc = read_text(table, "key", at, &b->key, err);
    if (rc == FL_OK && !b->key)
        rc = BAD(at, "it has no 'key', like \"faults.major\"");
    if (rc == FL_OK && (rc = keypath_parse(b->key, &b->path, &why)) != FL_OK)
        rc = rc == FL_ENOMEM ? fl_nomem(err, "a budget") : BAD(at, "%s", why.msg);
    if (rc == FL_OK)
        rc = read_text(table, "policy", at, &b->policy, err);
    if (rc == FL_OK)
        rc = read_text(table, "machine", at, &b->machine, err);
    if (rc == FL_OK)
        rc = read_size(table, "at", at, &b->has_at, &b->at, err);
    if (rc == FL_OK)
        rc = read_size(table, "swap", at, &b->has_swap, &b->swap, err);
    for (int r = 0; r < BUDGET_RULES && rc == FL_OK; r++)
        rc = read_limit(table, b, (enum budget_rule)r, at, err);
    if (rc == FL_OK)
        rc = check_rules(b, at, err);
    if (rc == FL_OK)
        rc = make_label(table, b, name, err);
    free(name);
    return rc;
}

/* ---- the file --------------------------------------------------------------------------------- */

static int check_top(const json_t *doc, const char *name, struct fl_err *err)
{
    const json_t *list = json_object_get(doc, "budget");
    const char *key;
    json_t *v;
    if (!json_is_object(doc))
        return fl_fail(err, FL_EUSAGE, "%s: not an object with \"budget\"", name);
    json_object_foreach((json_t *)(uintptr_t)doc, key, v) if (strcmp(key, "budget") != 0)
    {
        static const char *const only[] = { "budget", NULL };
        return fl_fail(err, FL_EUSAGE, "%s: unknown key '%.60s' outside of a budget%s", name, key,
                       nearest_name(key, only) ? "; is [[budget]] meant?"
                                               : "; only [[budget]] tables belong there");
    }
    if (json_is_object(list))
        return fl_fail(err, FL_EUSAGE, "%s: write [[budget]] with two brackets: they are a list",
                       name);
    if (list && !json_is_array(list))
        return fl_fail(err, FL_EUSAGE, "%s: 'budget' must be a list of tables, [[budget]]", name);
    if (json_array_size(list) == 0)
        return fl_fail(err, FL_EUSAGE, "%s has no [[budget]]: nothing would be checked", name);
    if (json_array_size(list) > BUDGETS_MAX)
        return fl_fail(err, FL_EUSAGE, "%s: more than %u budgets", name, BUDGETS_MAX);
    return FL_OK;
}

/* Reports tell budgets apart by their labels. */
static int check_label(const struct budgets *b, size_t i, const struct at *at, struct fl_err *err)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(b->at[k].label, b->at[i].label) == 0)
            return BAD(at, "'%.100s' is budget %zu already: put their rules into one, or name them",
                       b->at[i].label, k + 1);
    return FL_OK;
}

int budgets_read(const json_t *doc, const char *name, struct budgets **out, struct fl_err *err)
{
    int rc = check_top(doc, name, err);
    if (rc != FL_OK)
        return rc;
    const json_t *list = json_object_get(doc, "budget");
    struct budgets *b = calloc(1, sizeof *b);
    if (b)
        b->at = calloc(json_array_size(list), sizeof *b->at);
    if (!b || !b->at)
        rc = fl_nomem(err, "the budgets");
    for (size_t i = 0; rc == FL_OK && i < json_array_size(list); i++) {
        struct at at = { .file = name, .number = i + 1 };
        b->n++;
        rc = read_budget(json_array_get(list, i), &b->at[i], &at, err);
        if (rc == FL_OK)
            rc = check_label(b, i, &at, err);
    }
    if (rc != FL_OK) {
        budgets_free(b);
        return rc;
    }
    *out = b;
    return FL_OK;
}

void budgets_free(struct budgets *b)
{
    if (!b)
        return;
    for (size_t i = 0; b->at && i < b->n; i++) {
        free(b->at[i].label);
        free(b->at[i].key);
        free(b->at[i].policy);
        free(b->at[i].machine);
        keypath_free(&b->at[i].path);
    }
    free(b->at);
    free(b);
}
