/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which functions an events trace's faults are in, and by which calls they were reached. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/report.h>

#include "an.h"
#include "observe.h"

#define FUNCTIONS_MAX 1000u
#define CHAINS_MAX 10u

struct function {
    char *name;
    struct tally tally;
};

struct stack {
    uint32_t parent, code;
    struct tally tally;
};

struct code_tally {
    char **files;               /* last part of the path, by id; NULL: not told */
    struct function *functions; /* by code id */
    struct stack *stacks;       /* by id */
    size_t n_files, cap_files, n_functions, cap_functions, n_stacks, cap_stacks;
    bool any_code, any_stack; /* of a fault */
};

struct code_tally *code_tally_new(void)
{
    return calloc(1, sizeof(struct code_tally));
}

void code_tally_free(struct code_tally *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_files; i++)
        free(c->files[i]);
    for (size_t i = 0; i < c->n_functions; i++)
        free(c->functions[i].name);
    free(c->files);
    free(c->functions);
    free(c->stacks);
    free(c);
}

/* ---- events ----------------------------------------------------------------------- */

static bool room(void **array, size_t n, size_t *cap, size_t each)
{
    size_t more = *cap ? 2 * *cap : 256;
    if (n < *cap)
        return true;
    void *grown = reallocarray(*array, more, each);
    if (!grown)
        return false;
    *array = grown;
    *cap = more;
    return true;
}

static bool on_file(struct code_tally *c, const char *path)
{
    void *array = c->files;
    bool ok = room(&array, c->n_files, &c->cap_files, sizeof *c->files);
    const char *slash = strrchr(path, '/'), *base = slash && slash[1] ? slash + 1 : path;
    c->files = array;
    char *copy = ok && *base ? strdup(base) : NULL;
    if (!ok || (*base && !copy))
        return false;
    c->files[c->n_files++] = copy;
    return true;
}

/* As the model names functions: one without a symbol after its file. */
static bool on_code(struct code_tally *c, const struct fl_event *ev)
{
    void *array = c->functions;
    bool ok = room(&array, c->n_functions, &c->cap_functions, sizeof *c->functions);
    const char *file = ev->code.file < c->n_files ? c->files[ev->code.file] : NULL;
    char *name = NULL;
    c->functions = array;
    if (*ev->code.name || !file)
        name = strdup(*ev->code.name ? ev->code.name : "[unknown]");
    else if (asprintf(&name, "[in %.280s]", file) < 0)
        name = NULL;
    if (!ok || !name) {
        free(name);
        return false;
    }
    c->functions[c->n_functions++] = (struct function){ .name = name };
    return true;
}

static bool on_stack(struct code_tally *c, const struct fl_event *ev)
{
    void *array = c->stacks;
    bool ok = room(&array, c->n_stacks, &c->cap_stacks, sizeof *c->stacks);
    c->stacks = array;
    if (ok)
        c->stacks[c->n_stacks++] =
            (struct stack){ .parent = ev->stack.parent, .code = ev->stack.code };
    return ok;
}

static void on_fault(struct code_tally *c, const struct fl_event *ev)
{
    int kind = tally_kind(ev->fault.flags);
    if (ev->fault.code < c->n_functions) {
        c->functions[ev->fault.code].tally.faults[kind]++;
        c->any_code = true;
    }
    if (ev->fault.stack < c->n_stacks) {
        c->stacks[ev->fault.stack].tally.faults[kind]++;
        c->any_stack = true;
    }
}

int code_tally_event(struct code_tally *c, const struct fl_event *ev, struct fl_err *err)
{
    bool ok = true;
    switch (ev->kind) {
    case FL_EV_FILE: ok = on_file(c, ev->file.path); break;
    case FL_EV_CODE: ok = on_code(c, ev); break;
    case FL_EV_STACK: ok = on_stack(c, ev); break;
    case FL_EV_FAULT: on_fault(c, ev); break;
    default: break;
    }
    return ok ? FL_OK : fl_nomem(err, "reading functions");
}

/* ---- as JSON ---------------------------------------------------------------------- */

struct ranked {
    struct tally tally;
    size_t index; /* of the function or stack */
    const char *name;
};

static int most_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    uint64_t fx = tally_sum(&x->tally), fy = tally_sum(&y->tally);
    if (fx != fy)
        return fx < fy ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static int by_name(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Functions of one name in two files are one. Returns how many are left. */
static size_t merge_names(struct ranked *all, size_t n)
{
    size_t kept = 0;
    qsort(all, n, sizeof *all, by_name);
    for (size_t i = 0; i < n; i++) {
        if (kept && strcmp(all[kept - 1].name, all[i].name) == 0)
            for (int k = 0; k < TALLY_KINDS; k++)
                all[kept - 1].tally.faults[k] += all[i].tally.faults[k];
        else
            all[kept++] = all[i];
    }
    return kept;
}

static json_t *functions_json(const struct code_tally *c)
{
    struct ranked *all = calloc(c->n_functions + 1, sizeof *all);
    json_t *list = json_array();
    size_t n = 0;
    for (size_t i = 0; all && i < c->n_functions; i++)
        if (tally_sum(&c->functions[i].tally) > 0)
            all[n++] = (struct ranked){ c->functions[i].tally, i, c->functions[i].name };
    if (all) {
        n = merge_names(all, n);
        qsort(all, n, sizeof *all, most_first);
    }
    for (size_t i = 0; i < n && i < FUNCTIONS_MAX; i++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "function", fl_json_text(all[i].name));
        tally_put(entry, &all[i].tally);
        json_array_append_new(list, entry);
    }
    free(all);
    return list;
}

const char *code_tally_name(const struct code_tally *c, size_t code)
{
    return code < c->n_functions ? c->functions[code].name : NULL;
}

json_t *code_tally_chain(const struct code_tally *c, size_t stack)
{
    json_t *names = json_array();
    while (stack < c->n_stacks) {
        const struct stack *s = &c->stacks[stack];
        const char *name = s->code < c->n_functions ? c->functions[s->code].name : "[unknown]";
        json_array_append_new(names, fl_json_text(name));
        stack = s->parent < stack ? s->parent : FL_NO_STACK; /* defined before: no circle */
    }
    return names;
}

static json_t *chains_json(const struct code_tally *c, uint64_t faults)
{
    struct ranked *all = calloc(c->n_stacks + 1, sizeof *all);
    json_t *list = json_array();
    size_t n = 0;
    for (size_t i = 0; all && i < c->n_stacks; i++)
        if (tally_sum(&c->stacks[i].tally) > 0)
            all[n++] = (struct ranked){ c->stacks[i].tally, i, NULL };
    if (all)
        qsort(all, n, sizeof *all, most_first);
    for (size_t i = 0; i < n && i < CHAINS_MAX; i++) {
        json_t *entry = json_object();
        uint64_t share_bp = an_share_bp(tally_sum(&all[i].tally), faults);
        json_object_set_new(entry, "functions", code_tally_chain(c, all[i].index));
        tally_put(entry, &all[i].tally);
        json_object_set_new(entry, "share_bp", fl_json_u64(share_bp));
        json_array_append_new(list, entry);
    }
    free(all);
    return list;
}

void code_tally_json(const struct code_tally *c, uint64_t faults, json_t *result)
{
    if (c->any_code)
        json_object_set_new(result, "by_function", functions_json(c));
    if (c->any_stack)
        json_object_set_new(result, "call_chains", chains_json(c, faults));
}
