/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page walks by mapping, with pages of 4 KiB and with pages of 2 MiB. Marks name the mappings. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "an.h"

#define BARS_MAX 6u

/* "libc.so.6: 1,200 walks, 300 with 2 MiB pages": a path is known by its end. */
static void mark_bar(struct fl_table *t, uint64_t at, const char *mapping, uint64_t small,
                     uint64_t huge)
{
    char *label = NULL, from[FL_FORMAT_BYTES], to[FL_FORMAT_BYTES];
    const char *slash = mapping && mapping[0] == '/' ? strrchr(mapping, '/') : NULL;
    char *name = fl_text_clean(slash && slash[1] ? slash + 1 : mapping ? mapping : "", 30);
    if (name && asprintf(&label, "%s: %s walks, %s with 2 MiB pages", name,
                         fl_format_count(from, small), fl_format_count(to, huge)) >= 0)
        fl_table_mark(t, 'y', at, label);
    else
        t->failed = true;
    free(label);
    free(name);
}

/* Those that have a thousandth of all walks. */
static size_t count_bars(const json_t *reach)
{
    const json_t *v;
    uint64_t all = 0, walks = 0;
    size_t i, n = 0;
    fl_document_count(reach, "walks", &all);
    json_array_foreach(json_object_get(reach, "mappings"), i, v)
    {
        if (i == BARS_MAX || !fl_document_count(v, "walks", &walks) || walks < all / 1000)
            break;
        n = i + 1;
    }
    return n;
}

static void write_title(struct fl_table *t, const json_t *reach, uint64_t accesses)
{
    const json_t *list = json_object_get(reach, "mappings"), *v;
    uint64_t walks = 0, huge = 0, best = 0;
    const char *where = NULL;
    char count[FL_FORMAT_BYTES];
    size_t i;
    fl_document_count(reach, "walks", &walks);
    fl_document_count(reach, "walks_huge", &huge);
    json_array_foreach(list, i, v)
    {
        uint64_t small = 0, big = 0;
        fl_document_count(v, "walks", &small);
        fl_document_count(v, "walks_huge", &big);
        if (small > big && small - big > best) {
            best = small - big;
            where = fl_document_text(v, "mapping");
        }
    }
    fl_format_count(count, walks);
    unsigned share = walks > huge ? (unsigned)((double)(walks - huge) * 100.0 / (double)walks) : 0;
    if (walks < accesses / 10000)
        fl_table_label(t, &t->title,
                       "Page walks are rare, 1 in %" PRIu64 " accesses; pages of 2 MiB would save "
                       "%u %% of them",
                       accesses / (walks ? walks : 1), share);
    else if (share == 0 || !where)
        fl_table_label(t, &t->title, "Pages of 2 MiB would save next to none of the %s page walks",
                       count);
    else
        fl_table_label(t, &t->title, "Pages of 2 MiB would save %u %% of %s page walks, most in %s",
                       share, count, where);
}

int an_tlb_reach_build(const struct json_t *report, size_t i, struct fl_table **out,
                       struct fl_err *err)
{
    const json_t *result = fl_report_result(report, i), *v;
    const json_t *reach = fl_document_at(result, "tlb_reach");
    const json_t *list = json_object_get(reach, "mappings");
    const char *machine = fl_document_text(reach, "machine");
    uint64_t accesses = 0;
    size_t k, n = count_bars(reach);
    if (n == 0)
        return fl_fail(err, FL_EDATA,
                       "chart tlb-reach: the result has no TLB reach; make it with `faultline "
                       "replay --locality` or `faultline report`");
    struct fl_table *t = fl_table_new("tlb-reach");
    if (!t)
        return fl_nomem(err, "chart tlb-reach");
    fl_table_column(t, "mapping", FL_UNIT_COUNT, 0);
    fl_table_column(t, "4 KiB pages", FL_UNIT_COUNT, 6);
    fl_table_column(t, "2 MiB pages", FL_UNIT_COUNT, 1);
    json_array_foreach(list, k, v)
    {
        uint64_t small = 0, huge = 0;
        const char *mapping = fl_document_text(v, "mapping");
        if (k == n)
            break;
        fl_document_count(v, "walks", &small);
        fl_document_count(v, "walks_huge", &huge);
        size_t row = fl_table_row(t);
        fl_table_put(t, row, 0, n - k);
        fl_table_put(t, row, 1, small);
        fl_table_put(t, row, 2, huge);
        mark_bar(t, n - k, mapping, small, huge);
    }
    t->picture = true;
    fl_document_count(result, "trace.accesses", &accesses);
    write_title(t, reach, accesses);
    fl_table_label(t, &t->x_name, "page walks");
    fl_table_label(t, &t->y_name, "page walks");
    char extra[120];
    snprintf(extra, sizeof extra, "machine %.60s; huge: private anonymous memory, whole 2 MiB",
             machine ? machine : "unknown");
    an_footer(t, result, extra);
    return an_finish(t, out, err);
}
