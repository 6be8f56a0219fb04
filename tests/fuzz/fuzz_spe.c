/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a stretch of AUX data from Arm SPE. The first byte is where in the
 * stream it begins. Reading ends, stays inside, gives the same again, and what it
 * gives can be told as a data source whichever processor it is taken for.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/datasrc.h>

#include "spe.h"
#include "spe_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fl_spe_reader a, b;
    struct fl_spe_record rec, again;
    char text[FL_DATASRC_TEXT];
    size_t records = 0;
    if (size < 1)
        return 0;
    fl_spe_open(&a, data + 1, size - 1, data[0]);
    fl_spe_open(&b, data + 1, size - 1, data[0]);
    while (fl_spe_next(&a, &rec)) {
        must(fl_spe_next(&b, &again) && memcmp(&rec, &again, sizeof rec) == 0);
        must(++records <= size / 2); /* a packet and an end at least */
        must(rec.op <= FL_SPE_OP_BRANCH && rec.level < 4 && rec.phys >> 56 == 0);
        for (int s = FL_SPE_SOURCES_UNKNOWN; s <= FL_SPE_SOURCES_AMPEREONE; s++)
            must(strlen(fl_datasrc_text(text, fl_spe_data_src(&rec, (enum fl_spe_sources)s))) > 0);
    }
    must(!fl_spe_next(&b, &again) && a.at == size - 1);
    must(a.bad_packets <= size && a.cut_records <= size);
    return 0;
}
