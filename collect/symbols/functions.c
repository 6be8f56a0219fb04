/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "functions.h"

static bool room(void **array, size_t *cap, size_t n, size_t size)
{
    size_t want = *cap ? *cap : 256;
    if (n <= *cap)
        return true;
    while (want < n)
        want *= 2;
    void *grown = realloc(*array, want * size);
    if (!grown)
        return false;
    *array = grown;
    *cap = want;
    return true;
}

bool functions_add(struct functions *f, const struct function *what, const char *name,
                   const char *suffix)
{
    void *at = f->at, *names = f->names;
    size_t len = strcspn(name, "@"), more = strlen(suffix) + 1;
    if (len == 0 || len > 65000 || f->n >= NO_FUNCTION || f->names_len > UINT32_MAX - 70000)
        return true;
    bool ok = room(&at, &f->cap, f->n + 1, sizeof *f->at);
    f->at = at;
    ok = ok && room(&names, &f->names_cap, f->names_len + len + more, 1);
    f->names = names;
    if (!ok)
        return false;
    memcpy(f->names + f->names_len, name, len);
    memcpy(f->names + f->names_len + len, suffix, more);
    f->at[f->n] = *what;
    f->at[f->n++].name = (uint32_t)f->names_len;
    f->names_len += len + more;
    return true;
}

/* The better name of one place first. */
static int compare(const void *a, const void *b, void *names)
{
    const struct function *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    const char *s = (const char *)names + x->name, *t = (const char *)names + y->name;
    size_t bars_s = strspn(s, "_"), bars_t = strspn(t, "_");
    if (bars_s != bars_t)
        return bars_s < bars_t ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    size_t n = strlen(s), m = strlen(t);
    if (n != m)
        return n < m ? -1 : 1;
    return strcmp(s, t);
}

/* One function a place: the best name, the largest size. */
static void merge(struct functions *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct function *next = &f->at[i];
        struct function *last = n ? &f->at[n - 1] : NULL;
        if (last && last->start == next->start)
            last->end = last->end > next->end ? last->end : next->end;
        else
            f->at[n++] = *next;
    }
    f->n = n;
}

void functions_sort(struct functions *f)
{
    if (f->n == 0)
        return;
    qsort_r(f->at, f->n, sizeof *f->at, compare, f->names);
    merge(f);
    uint32_t outer = NO_FUNCTION;
    for (uint32_t i = 0; i < f->n; i++) {
        struct function *x = &f->at[i];
        if (x->end == x->start)
            x->end = i + 1 < f->n && f->at[i + 1].start < x->limit ? f->at[i + 1].start : x->limit;
        while (outer != NO_FUNCTION && f->at[outer].end <= x->start)
            outer = f->at[outer].outer;
        x->outer = outer;
        outer = i;
    }
}

uint32_t functions_find(const struct functions *f, uint64_t offset)
{
    size_t low = 0, high = f->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (f->at[mid].start <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    uint32_t i = low ? (uint32_t)(low - 1) : NO_FUNCTION;
    while (i != NO_FUNCTION && offset >= f->at[i].end)
        i = f->at[i].outer;
    return i;
}

void functions_free(struct functions *f)
{
    free(f->at);
    free(f->names);
    *f = (struct functions){ 0 };
}
