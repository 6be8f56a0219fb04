/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who did it: processes, mappings and functions of both sides, by how much they changed. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "diff.h"

static const struct {
    const char *key, *words;
    const char *total; /* what all entries, and what is in none, add up to; NULL: nothing */
} counts[DIFF_COUNTS] = {
    [DIFF_MINOR] = { "minor", "minor faults", "faults.minor" },
    [DIFF_MAJOR] = { "major", "major faults", "faults.major" },
    [DIFF_UNKNOWN] = { "unknown", "faults of unknown kind", "faults.unknown" },
    [DIFF_REFAULTS] = { "refaults", "refaults", "reclaim.refaults" },
    [DIFF_PAGES] = { "pages", "pages", NULL },
};

static const struct {
    const char *key, *name;
    enum diff_kind kind;
} lists[DIFF_RANKINGS] = {
    [DIFF_BY_PROCESS] = { "by_process", "comm", DIFF_PROCESSES },
    [DIFF_BY_MAPPING] = { "by_mapping", "mapping", DIFF_MAPPINGS },
    [DIFF_BY_FUNCTION] = { "by_function", "function", DIFF_FUNCTIONS },
};

const char *diff_count_key(enum diff_count count)
{
    return counts[count].key;
}

const char *diff_count_words(enum diff_count count)
{
    return counts[count].words;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    uint64_t s;
    return __builtin_add_overflow(a, b, &s) ? UINT64_MAX : s;
}

/* The names of a list, a process's with its pid as order. NULL: out of memory. */
static struct diff_name *names_of(const json_t *list, const char *key)
{
    size_t n = json_array_size(list), i;
    struct diff_name *names = calloc(n ? n : 1, sizeof *names);
    const json_t *v;
    json_array_foreach(list, i, v)
    {
        const char *text = fl_document_text(v, key);
        if (!names)
            break;
        names[i] = (struct diff_name){ .text = text ? text : "", .order = i };
        fl_document_count(v, "pid", &names[i].order);
    }
    return names;
}

static void add_entries(struct diff_ranking *by, const json_t *list, const char *key, int side,
                        const size_t *group)
{
    const json_t *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        struct diff_row *row = &by->rows[group[i]];
        const char *text = fl_document_text(v, key);
        uint64_t n;
        if (row->members[side]++ == 0) {
            row->name[side] = text ? text : "";
            fl_document_count(v, "pid", &row->pid[side]);
        }
        for (unsigned c = 0; c < DIFF_COUNTS; c++)
            if (fl_document_count(v, counts[c].key, &n)) {
                by->has[c] = true;
                row->n[c][side] = sum(row->n[c][side], n);
            }
    }
}

/* What the totals have and no row has. Only known where the rows do not have more. */
static void find_rest(struct diff_ranking *by, const struct diff_result *r)
{
    for (unsigned c = 0; c < DIFF_COUNTS; c++) {
        uint64_t total[DIFF_SIDES], listed[DIFF_SIDES] = { 0 };
        bool known = by->has[c] && counts[c].total;
        for (int side = 0; side < DIFF_SIDES; side++) {
            for (size_t i = 0; i < by->n; i++)
                listed[side] = sum(listed[side], by->rows[i].n[c][side]);
            known = known && fl_document_count(r->of[side], counts[c].total, &total[side]) &&
                    total[side] >= listed[side];
        }
        for (int side = 0; side < DIFF_SIDES && known; side++)
            by->rest.n[c][side] = total[side] - listed[side];
    }
}

static double movement(const struct diff_ranking *by, unsigned count)
{
    double moved = (double)diff_gap(by->rest.n[count]);
    for (size_t i = 0; i < by->n; i++)
        moved += (double)diff_gap(by->rows[i].n[count]);
    return moved;
}

/* A major fault costs some ten times what a minor one does, or much more. */
#define MAJOR_WEIGHT 10.0

/* The count that moved most, worth considered; @moved: of each. DIFF_PAGES when none did. */
static enum diff_count weightiest(const double moved[DIFF_COUNTS])
{
    double major = moved[DIFF_MAJOR] * MAJOR_WEIGHT;
    if (major > 0 && major >= moved[DIFF_MINOR] && major >= moved[DIFF_UNKNOWN])
        return DIFF_MAJOR;
    if (moved[DIFF_MINOR] > 0 && moved[DIFF_MINOR] >= moved[DIFF_UNKNOWN])
        return DIFF_MINOR;
    if (moved[DIFF_UNKNOWN] > 0)
        return DIFF_UNKNOWN;
    return moved[DIFF_REFAULTS] > 0 ? DIFF_REFAULTS : DIFF_PAGES;
}

/* By what the totals changed by; if they did not, by what moved between the rows. */
static enum diff_count choose_count(const struct diff_result *r)
{
    double total[DIFF_COUNTS] = { 0 }, moved[DIFF_COUNTS] = { 0 };
    for (unsigned c = 0; c < DIFF_COUNTS; c++) {
        uint64_t n[DIFF_SIDES];
        if (counts[c].total && fl_document_count(r->of[DIFF_A], counts[c].total, &n[DIFF_A]) &&
            fl_document_count(r->of[DIFF_B], counts[c].total, &n[DIFF_B]))
            total[c] = (double)diff_gap(n);
        for (unsigned k = 0; k < DIFF_RANKINGS; k++)
            moved[c] += movement(&r->by[k], c);
    }
    enum diff_count by_total = weightiest(total);
    return by_total == DIFF_PAGES ? weightiest(moved) : by_total;
}

static bool order(struct diff_ranking *by, enum diff_count wanted)
{
    by->count = wanted;
    if (movement(by, wanted) <= 0) {
        double moved[DIFF_COUNTS];
        for (unsigned c = 0; c < DIFF_COUNTS; c++)
            moved[c] = movement(by, c);
        by->count = weightiest(moved);
    }
    if (!diff_blame(by))
        return false;
    for (size_t i = 0; i < by->n; i++)
        by->guesses += by->rows[i].how == DIFF_GUESS && by->rows[i].share_bp > 0;
    return true;
}

/* Processes that are one under two names: their files are, too. */
static size_t renamed_of(const struct diff_ranking *processes, struct diff_renamed *out)
{
    size_t n = 0;
    for (size_t i = 0; i < processes->n; i++) {
        const struct diff_row *row = &processes->rows[i];
        if (row->name[DIFF_A] && row->name[DIFF_B] &&
            strcmp(row->name[DIFF_A], row->name[DIFF_B]) != 0)
            out[n++] = (struct diff_renamed){ row->name[DIFF_A], row->name[DIFF_B] };
    }
    return n;
}

static int fill(struct diff_result *r, unsigned k, const json_t *const list[DIFF_SIDES],
                const struct diff_groups *groups, struct fl_err *err)
{
    struct diff_ranking *by = &r->by[k];
    by->rows = calloc(groups->n ? groups->n : 1, sizeof *by->rows);
    if (!by->rows)
        return fl_nomem(err, "comparing");
    by->n = groups->n;
    for (size_t i = 0; i < by->n; i++)
        by->rows[i].how = groups->how[i];
    add_entries(by, list[DIFF_A], lists[k].name, DIFF_A, groups->of_a);
    add_entries(by, list[DIFF_B], lists[k].name, DIFF_B, groups->of_b);
    find_rest(by, r);
    return FL_OK;
}

static int pair_list(struct diff_result *r, unsigned k, struct fl_err *err)
{
    const json_t *list[DIFF_SIDES];
    const struct diff_ranking *processes = &r->by[DIFF_BY_PROCESS];
    for (int side = 0; side < DIFF_SIDES; side++)
        list[side] = json_object_get(r->of[side], lists[k].key);
    r->by[k].key = lists[k].key;
    r->by[k].there = json_is_array(list[DIFF_A]) && json_is_array(list[DIFF_B]);
    if (!r->by[k].there)
        return FL_OK;
    struct diff_name *a = names_of(list[DIFF_A], lists[k].name);
    struct diff_name *b = names_of(list[DIFF_B], lists[k].name);
    struct diff_renamed *renamed = calloc(processes->n + 1, sizeof *renamed);
    int rc = a && b && renamed ? FL_OK : fl_nomem(err, "comparing");
    struct diff_groups groups = { .n = 0 };
    if (rc == FL_OK)
        rc = diff_match(lists[k].kind, (struct diff_names){ a, json_array_size(list[DIFF_A]) },
                        (struct diff_names){ b, json_array_size(list[DIFF_B]) }, renamed,
                        renamed_of(processes, renamed), &groups, err);
    if (rc == FL_OK)
        rc = fill(r, k, list, &groups, err);
    diff_groups_free(&groups);
    free(renamed);
    free(a);
    free(b);
    return rc;
}

int diff_rank(struct diff_result *r, struct fl_err *err)
{
    int rc = FL_OK;
    for (unsigned k = 0; k < DIFF_RANKINGS && rc == FL_OK; k++)
        rc = pair_list(r, k, err);
    if (rc != FL_OK)
        return rc;
    r->count = choose_count(r);
    for (unsigned k = 0; k < DIFF_RANKINGS; k++)
        if (!order(&r->by[k], r->count))
            return fl_nomem(err, "comparing");
    return FL_OK;
}
