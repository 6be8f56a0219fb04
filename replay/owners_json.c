/* SPDX-License-Identifier: GPL-2.0-or-later */
/* by_process, by_mapping and by_function: the owners of faults, summed one way and another. */
#include <jansson.h>

#include <faultline/json_write.h>
#include <stdlib.h>
#include <string.h>

#include "owners_json.h"

#define LISTED_MAX 1000u

struct sum {
    uint64_t minor, major, refaults;
    size_t index;
};

static int most_first(const void *a, const void *b)
{
    const struct sum *x = a, *y = b;
    uint64_t fx = x->minor + x->major, fy = y->minor + y->major;
    if (fx != fy)
        return fx < fy ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static uint32_t process_of(const struct fl_owner *o)
{
    return o->process;
}

static uint32_t mapping_of(const struct fl_owner *o)
{
    return o->mapping;
}

static uint32_t function_of(const struct fl_owner *o)
{
    return o->function;
}

/* The @n sums by @index_of, most faults first; NULL: out of memory. */
static struct sum *sum_by(const struct fl_attribution *a, size_t n,
                          uint32_t (*index_of)(const struct fl_owner *))
{
    struct sum *sums = calloc(n + 1, sizeof *sums);
    if (!sums)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sums[i].index = i;
    for (size_t i = 0; i < a->n_owners; i++) {
        uint32_t index = index_of(&a->owners[i]);
        struct sum *s = &sums[index < n ? index : n]; /* the last is nobody's */
        s->minor += a->owners[i].minor;
        s->major += a->owners[i].major;
        s->refaults += a->owners[i].refaults;
    }
    qsort(sums, n, sizeof *sums, most_first);
    return sums;
}

static json_t *entry_of(const struct fl_attribution *a, const char *by, const struct sum *s)
{
    json_t *e = json_object();
    if (!strcmp(by, "by_process")) {
        json_object_set_new(e, "pid", json_integer(a->processes[s->index].pid));
        json_object_set_new(e, "comm", fl_json_text(a->processes[s->index].comm));
    } else if (!strcmp(by, "by_mapping")) {
        json_object_set_new(e, "mapping", fl_json_text(a->mappings[s->index].name));
        json_object_set_new(e, "pages", fl_json_u64(a->mappings[s->index].pages));
    } else {
        json_object_set_new(e, "function", fl_json_text(a->functions[s->index]));
    }
    json_object_set_new(e, "minor", fl_json_u64(s->minor));
    json_object_set_new(e, "major", fl_json_u64(s->major));
    json_object_set_new(e, "refaults", fl_json_u64(s->refaults));
    return e;
}

static void put_list(json_t *result, const struct fl_attribution *a, const char *by, size_t n,
                     uint32_t (*index_of)(const struct fl_owner *))
{
    struct sum *sums = sum_by(a, n, index_of);
    json_t *list = json_array();
    for (size_t i = 0; sums && i < n && i < LISTED_MAX; i++)
        if (sums[i].minor + sums[i].major > 0)
            json_array_append_new(list, entry_of(a, by, &sums[i]));
    json_object_set_new(result, by, list);
    free(sums);
}

void owners_json(json_t *result, const struct fl_attribution *a)
{
    put_list(result, a, "by_process", a->n_processes, process_of);
    put_list(result, a, "by_mapping", a->n_mappings, mapping_of);
    if (a->n_functions > 0)
        put_list(result, a, "by_function", a->n_functions, function_of);
}
