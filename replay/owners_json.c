/* SPDX-License-Identifier: GPL-2.0-or-later */
/* by_process, by_mapping and by_function: the owners of faults, summed one way and another. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>

#include "owners_json.h"

#define LISTED_MAX 1000u

struct sum {
    uint64_t minor, major, refaults;
    uint64_t pages; /* of mappings */
    size_t index;
    const char *name; /* NULL of processes, which stay apart whatever they are called */
};

static int most_first(const void *a, const void *b)
{
    const struct sum *x = a, *y = b;
    uint64_t fx = x->minor + x->major, fy = y->minor + y->major;
    if (fx != fy)
        return fx < fy ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static int by_name(const void *a, const void *b)
{
    const struct sum *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
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

/* Functions of one name in two programs, and what is called after them, are one. Returns how many
   are left. */
static size_t merge_names(struct sum *sums, size_t n)
{
    size_t kept = 0;
    qsort(sums, n, sizeof *sums, by_name);
    for (size_t i = 0; i < n; i++) {
        struct sum *last = kept ? &sums[kept - 1] : NULL;
        if (!last || strcmp(last->name, sums[i].name) != 0) {
            sums[kept++] = sums[i];
            continue;
        }
        last->minor += sums[i].minor;
        last->major += sums[i].major;
        last->refaults += sums[i].refaults;
        last->pages += sums[i].pages;
    }
    return kept;
}

/* What has faults, most first, of the @n sums in @sums, which have room for one more. Returns how
   many. */
static size_t sum_up(const struct fl_attribution *a, struct sum *sums, size_t n,
                     uint32_t (*index_of)(const struct fl_owner *))
{
    size_t kept = 0;
    for (size_t i = 0; i < a->n_owners; i++) {
        uint32_t index = index_of(&a->owners[i]);
        struct sum *s = &sums[index < n ? index : n]; /* the last is nobody's */
        s->minor += a->owners[i].minor;
        s->major += a->owners[i].major;
        s->refaults += a->owners[i].refaults;
    }
    for (size_t i = 0; i < n; i++)
        if (sums[i].minor + sums[i].major > 0)
            sums[kept++] = sums[i];
    if (kept && sums[0].name)
        kept = merge_names(sums, kept);
    qsort(sums, kept, sizeof *sums, most_first);
    return kept;
}

static void put_counts(json_t *e, const struct sum *s)
{
    json_object_set_new(e, "minor", fl_json_u64(s->minor));
    json_object_set_new(e, "major", fl_json_u64(s->major));
    json_object_set_new(e, "refaults", fl_json_u64(s->refaults));
}

static json_t *processes_json(const struct fl_attribution *a, struct sum *sums)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_processes; i++)
        sums[i].index = i;
    size_t n = sum_up(a, sums, a->n_processes, process_of);
    for (size_t i = 0; i < n && i < LISTED_MAX; i++) {
        json_t *e = json_object();
        json_object_set_new(e, "pid", json_integer(a->processes[sums[i].index].pid));
        json_object_set_new(e, "comm", fl_json_text(a->processes[sums[i].index].comm));
        put_counts(e, &sums[i]);
        json_array_append_new(list, e);
    }
    return list;
}

static json_t *mappings_json(const struct fl_attribution *a, struct sum *sums)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_mappings; i++)
        sums[i] =
            (struct sum){ .index = i, .name = a->mappings[i].name, .pages = a->mappings[i].pages };
    size_t n = sum_up(a, sums, a->n_mappings, mapping_of);
    for (size_t i = 0; i < n && i < LISTED_MAX; i++) {
        json_t *e = json_object();
        json_object_set_new(e, "mapping", fl_json_text(sums[i].name));
        json_object_set_new(e, "pages", fl_json_u64(sums[i].pages));
        put_counts(e, &sums[i]);
        json_array_append_new(list, e);
    }
    return list;
}

static json_t *functions_json(const struct fl_attribution *a, struct sum *sums)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->n_functions; i++)
        sums[i] = (struct sum){ .index = i, .name = a->functions[i] };
    size_t n = sum_up(a, sums, a->n_functions, function_of);
    for (size_t i = 0; i < n && i < LISTED_MAX; i++) {
        json_t *e = json_object();
        json_object_set_new(e, "function", fl_json_text(sums[i].name));
        put_counts(e, &sums[i]);
        json_array_append_new(list, e);
    }
    return list;
}

static void put_list(json_t *result, const struct fl_attribution *a, const char *key, size_t n,
                     json_t *(*list)(const struct fl_attribution *a, struct sum *sums))
{
    struct sum *sums = calloc(n + 1, sizeof *sums);
    json_object_set_new(result, key, sums ? list(a, sums) : json_array());
    free(sums);
}

void owners_json(json_t *result, const struct fl_attribution *a)
{
    put_list(result, a, "by_process", a->n_processes, processes_json);
    put_list(result, a, "by_mapping", a->n_mappings, mappings_json);
    if (a->n_functions > 0)
        put_list(result, a, "by_function", a->n_functions, functions_json);
}
