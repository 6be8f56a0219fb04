/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_slab.c - replay --kernel-objects: the slab caches that the trace's processes need. */
#include <inttypes.h>

#include <faultline/kernel_slab.h>
#include <faultline/units.h>

#include "cmd_slab.h"

int cmd_slab_ask(struct fl_reader *r, struct fl_slab_implied *out, struct fl_err *err)
{
    return fl_slab_implied(r, fl_slab_cpus(fl_reader_meta(r)), out, err);
}

void cmd_slab_print(const struct fl_slab_implied *slab, FILE *out)
{
    uint64_t bytes = 0, waste = 0;
    char a[FL_FORMAT_BYTES], b[FL_FORMAT_BYTES], c[FL_FORMAT_BYTES];
    for (size_t i = 0; i < slab->n_rows; i++) {
        bytes += slab->rows[i].objects_peak * slab->rows[i].object_bytes;
        waste += slab->rows[i].internal_waste_bytes;
    }
    fprintf(out,
            "\nkernel objects: %s at their peaks, %s of padding besides; %s of page tables\n"
            "%-24s %12s %12s %12s\n",
            fl_format_bytes(a, bytes), fl_format_bytes(b, waste),
            fl_format_bytes(c, slab->page_table_pages * 4096), "cache", "objects", "slabs",
            "created");
    for (size_t i = 0; i < slab->n_rows; i++) {
        const struct fl_slab_implied_row *row = &slab->rows[i];
        if (row->created)
            fprintf(out, "%-24s %12s %12s %12s\n", row->name, fl_format_count(a, row->objects_peak),
                    fl_format_count(b, row->slabs_peak), fl_format_count(c, row->created));
    }
}
