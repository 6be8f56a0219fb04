/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a stretch of AUX data from Arm SPE. The first byte is where in the
 * stream it begins. Reading ends, stays inside, gives the same again, and what it
 * gives can be told as a data source whichever processor it is taken for. From an AUX buffer the
 * same bytes give as many samples.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/datasrc.h>

#include "aux_ring.h"
#include "spe.h"
#include "spe_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

#define AUX_BYTES 4096u

/* The bytes in a buffer of AUX_BYTES that begins anywhere in it, and the record that tells of them. */
static void through_aux(const uint8_t *data, size_t size, uint64_t offset, size_t records)
{
    static uint8_t bytes[AUX_BYTES];
    uint64_t head = offset + size, tail = offset, damaged = 0;
    const uint64_t body[7] = { offset, size, 0, 10, 0, 0, 1 };
    const struct perf_event_header header = { PERF_RECORD_AUX, 0, 64 };
    const struct fl_spe_clock clock = { .ticks_hz = 1 };
    struct fl_aux aux = { .head = &head, .tail = &tail, .data = bytes, .size_bytes = AUX_BYTES };
    uint8_t record[64];
    memcpy(record, &header, sizeof header);
    memcpy(record + 8, body, sizeof body);
    for (size_t i = 0; i < size; i++)
        bytes[(offset + i) % AUX_BYTES] = data[i];
    struct fl_chunk *samples = fl_aux_take(&aux, &clock, record, sizeof record, &damaged);
    must(tail == head && (samples ? samples->len_bytes : 0) == 88 * records);
    free(samples);
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
    if (size - 1 <= AUX_BYTES)
        through_aux(data + 1, size - 1, data[0], records);
    return 0;
}
