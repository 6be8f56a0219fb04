/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <faultline/json_write.h>
#include <faultline/table.h>
#include <faultline/units.h>

#include "samples_info.h"

int samples_info_read(struct fl_reader *r, struct fl_sampled **out, struct fl_err *err)
{
    struct fl_item item;
    uint32_t at;
    *out = NULL;
    int rc = fl_sampled_new(r, out, err);
    if (rc == FL_OK)
        rc = fl_reader_rewind_reduced(r, UINT32_MAX, err);
    while (rc == FL_OK) {
        rc = fl_reader_next(r, &item, err);
        if (rc != FL_OK || item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT)
            rc = fl_sampled_event(*out, &item.event, &at, err);
    }
    if (rc != FL_OK) {
        fl_sampled_free(*out);
        *out = NULL;
    }
    return rc;
}

static const char *count_of(char *buf, double v)
{
    return isfinite(v) ? fl_format_count(buf, v < 1.8e19 ? (uint64_t)(v + 0.5) : UINT64_MAX)
                       : "no limit";
}

static void print_event(const struct fl_sampled *s, uint32_t i, FILE *out)
{
    const struct fl_sampled_info *e = fl_sampled_at(s, i);
    char a[FL_FORMAT_BYTES], b[FL_FORMAT_BYTES], c[FL_FORMAT_BYTES], d[FL_FORMAT_BYTES],
        f[FL_FORMAT_BYTES];
    struct fl_estimate all;
    char *name = fl_text_clean(e->name, 0);
    fl_sampled_all(s, i, &all);
    fprintf(out, "%-26s %14s %12s %7.1f %% %18s  %s to %s\n", name ? name : "",
            count_of(a, (double)e->samples.n), count_of(b, (double)e->loss.lost),
            100 * fl_sampling_seen(&e->loss), count_of(c, all.value), count_of(d, all.low),
            count_of(f, all.high));
    free(name);
}

void samples_info_print(const struct fl_sampled *s, FILE *out)
{
    if (!fl_sampled_count(s))
        return;
    fprintf(out, "\n%-26s %14s %12s %9s %18s  %s\n", "sampled event", "samples", "lost", "seen",
            "estimated", "95 % interval");
    for (uint32_t i = 0; i < fl_sampled_count(s); i++)
        print_event(s, i, out);
}

int samples_info_json(const struct fl_sampled *s, json_t *object, struct fl_err *err)
{
    return json_object_set_new(object, "samples", fl_sampled_json(s)) == 0
               ? FL_OK
               : fl_nomem(err, "samples");
}
