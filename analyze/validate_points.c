/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limits. */
#include <stdlib.h>

#include <faultline/units.h>

#include "validate.h"

enum { FIRST_BP = 4000, LAST_BP = 9500 };

static int room_for(struct validate *v, size_t n, struct fl_err *err)
{
    if (n > VALIDATE_POINTS_MAX)
        return fl_fail(err, FL_EUSAGE, "--ram: %zu sizes; %d are enough", n, VALIDATE_POINTS_MAX);
    v->points = calloc(n, sizeof *v->points);
    return v->points ? FL_OK : fl_nomem(err, "limits");
}

static int add_point(struct validate *v, uint64_t bytes, struct fl_err *err)
{
    struct validate_point *p = &v->points[v->n_points];
    p->ram_bytes = bytes & ~(FL_PAGE_BYTES - 1);
    if (p->ram_bytes == 0 || bytes == FL_SIZE_MAX_BYTES)
        return fl_fail(err, FL_EUSAGE, "--ram: a limit is at least one page and not max");
    v->n_points++;
    p->runs = calloc(v->runs, sizeof *p->runs);
    p->seen = calloc(v->runs, sizeof *p->seen);
    return p->runs && p->seen ? FL_OK : fl_nomem(err, "runs");
}

static int default_points(struct validate *v, struct fl_err *err)
{
    if (v->native.peak_bytes == 0)
        return fl_fail(err, FL_EMACHINE,
                       "this kernel does not tell a group's peak; give the limits with --ram");
    int rc = room_for(v, VALIDATE_DEFAULT_POINTS, err);
    for (unsigned i = 0; i < VALIDATE_DEFAULT_POINTS && rc == FL_OK; i++) {
        struct fl_size size = { .percent_bp = FIRST_BP + (LAST_BP - FIRST_BP) * i /
                                                             (VALIDATE_DEFAULT_POINTS - 1) };
        rc = add_point(v, fl_size_bytes(&size, v->native.peak_bytes), err);
    }
    return rc;
}

int validate_points(struct validate *v, const char *list, struct fl_reader *r, struct fl_err *err)
{
    struct fl_size *sizes;
    size_t n;
    uint64_t peak_pages = UINT64_MAX;
    if (!list)
        return default_points(v, err);
    int rc = fl_parse_size_list(list, &sizes, &n, err);
    if (rc == FL_OK)
        rc = room_for(v, n, err);
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        if (sizes[i].percent_bp && peak_pages == UINT64_MAX)
            rc = fl_footprint(r, &peak_pages, err);
        if (rc == FL_OK)
            rc = add_point(v, fl_size_bytes(&sizes[i], peak_pages * FL_PAGE_BYTES), err);
    }
    free(sizes);
    return rc;
}
