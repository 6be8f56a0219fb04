/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a sample record of any sample_type (the first four bytes; the header is put
 * right, or nothing behind it would be reached): what it points to lies inside.
 */
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sample_rec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t type;
    struct fl_sample_rec s;
    if (size < sizeof type + sizeof(struct perf_event_header) || size > UINT16_MAX)
        return 0;
    memcpy(&type, data, sizeof type);
    size_t n = size - sizeof type;
    uint8_t *rec = malloc(n);
    if (!rec)
        return 0;
    memcpy(rec, data + sizeof type, n);
    struct perf_event_header h = { PERF_RECORD_SAMPLE, rec[4], (uint16_t)n };
    memcpy(rec, &h, sizeof h);
    fl_sample_rec_id(rec, n);
    if (fl_sample_rec_decode(rec, n, type & FL_SAMPLE_REC_FIELDS, &s)) {
        static volatile uint64_t sum; /* so that the reads are made */
        for (uint64_t i = 0; i < s.n_chain; i++)
            sum += fl_sample_rec_chain(&s, i);
        for (uint32_t i = 0; i < s.raw_bytes; i++)
            sum += s.raw[i];
        (void)sum;
        must(s.n_chain <= n / 8 && s.raw_bytes < n);
    }
    free(rec);
    return 0;
}
