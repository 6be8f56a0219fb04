/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's largest object caches: memory in use, and what their slabs hold besides. */
#include <jansson.h>
#include <stdlib.h>

#include <faultline/units.h>

#include "an.h"

#define BARS_MAX 8u

struct cache {
    const char *name;
    uint64_t objects, slabs, used, waste; /* the last two in bytes */
};

static bool read_cache(const json_t *entry, struct cache *c)
{
    *c = (struct cache){ .name = fl_document_text(entry, "name"),
                         .objects = an_count(entry, "objects"),
                         .slabs = an_count(entry, "slabs"),
                         .waste = an_count(entry, "internal_waste_bytes") };
    c->used = an_mul(c->objects, an_count(entry, "object_bytes"));
    return c->name && c->used <= UINT64_MAX - c->waste && c->used + c->waste > 0;
}

static int larger_first(const void *a, const void *b)
{
    const struct cache *x = a, *y = b;
    uint64_t of_x = x->used + x->waste, of_y = y->used + y->waste;
    return (of_x < of_y) - (of_x > of_y);
}

static size_t read_caches(const json_t *list, struct cache *caches)
{
    const json_t *entry;
    size_t i, n = 0;
    json_array_foreach(list, i, entry) n += read_cache(entry, &caches[n]);
    qsort(caches, n, sizeof *caches, larger_first);
    return n;
}

/* "dentry: 292,795 objects, 13,950 slabs" */
static void mark_bar(struct fl_table *t, uint64_t at, const struct cache *c)
{
    struct fl_cell objects = { FL_UNIT_COUNT, c->objects, NULL };
    struct fl_cell slabs = { FL_UNIT_COUNT, c->slabs, NULL };
    char *name = fl_text_clean(c->name, 24), *label = NULL;
    char *n_objects = fl_cell_format(&objects), *n_slabs = fl_cell_format(&slabs);
    if (name && n_objects && n_slabs &&
        asprintf(&label, "%s: %s objects, %s slabs", name, n_objects, n_slabs) >= 0)
        fl_table_mark(t, 'y', at, label);
    else
        t->failed = true;
    free(label);
    free(n_slabs);
    free(n_objects);
    free(name);
}

static void write_title(struct fl_table *t, const struct cache *caches, size_t n)
{
    uint64_t all = 0, waste = 0;
    char of_all[FL_FORMAT_BYTES], wasted[FL_FORMAT_BYTES];
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(all, caches[i].used + caches[i].waste, &all))
            all = UINT64_MAX;
    for (size_t i = 0; i < n; i++)
        waste += caches[i].waste < all - waste ? caches[i].waste : all - waste;
    uint64_t bp = an_share_bp(waste, all);
    fl_table_label(t, &t->title, "Of %s of kernel objects, %s (%u.%u %%) are not in use",
                   fl_format_bytes(of_all, all), fl_format_bytes(wasted, waste),
                   (unsigned)(bp / 100), (unsigned)(bp % 100 / 10));
}

static int draw(struct fl_table *t, const json_t *result, const struct cache *caches, size_t n,
                struct fl_table **out, struct fl_err *err)
{
    size_t shown = n < BARS_MAX ? n : BARS_MAX;
    fl_table_column(t, "cache", FL_UNIT_COUNT, 0);
    fl_table_column(t, "objects", FL_UNIT_BYTES, 1);
    fl_table_column(t, "unused", FL_UNIT_BYTES, 2);
    for (size_t k = 0; k < shown; k++) {
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, shown - k);
        fl_table_put(t, row, 1, caches[k].used);
        fl_table_put(t, row, 2, caches[k].waste);
        mark_bar(t, shown - k, &caches[k]);
    }
    write_title(t, caches, n);
    fl_table_label(t, &t->x_name, "memory of the cache's slabs");
    fl_table_label(t, &t->y_name, "memory of the cache's slabs");
    an_footer(t, result, "unused: free objects, alignment, and what a slab has over");
    return an_finish(t, out, err);
}

int an_slab_build(const struct json_t *report, size_t i, struct fl_table **out, struct fl_err *err)
{
    const json_t *result = fl_report_result(report, i);
    const json_t *list = fl_document_at(result, "slab.caches");
    struct cache *caches = calloc(json_array_size(list) + 1, sizeof *caches);
    size_t n = caches ? read_caches(list, caches) : 0;
    struct fl_table *t = n ? fl_table_new("slab") : NULL;
    int rc;
    if (!caches || (n && !t))
        rc = fl_nomem(err, "chart slab");
    else if (!n)
        rc = fl_fail(err, FL_EDATA,
                     "chart slab: the result has no kernel objects; make it with `faultline replay "
                     "--kernel-objects`, or record with --kernel-groups slab");
    else
        rc = draw(t, result, caches, n, out, err);
    free(caches);
    return rc;
}
