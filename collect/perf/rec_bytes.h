/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rec_bytes.h - a cursor over a record's bytes: past their end it reads zeroes and remembers that. */
#ifndef FL_PERF_REC_BYTES_H
#define FL_PERF_REC_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fl_rec_bytes {
    const uint8_t *p;
    size_t left;
    bool bad;
};

/** fl_rec_pass - go over @n bytes. Returns: where they are; NULL: so many are not left. */
static inline const uint8_t *fl_rec_pass(struct fl_rec_bytes *b, uint64_t n)
{
    if (b->bad || n > b->left) {
        b->bad = true;
        return NULL;
    }
    const uint8_t *p = b->p;
    b->p += n;
    b->left -= (size_t)n;
    return p;
}

static inline uint32_t fl_rec_u32(struct fl_rec_bytes *b)
{
    uint32_t v = 0;
    const uint8_t *p = fl_rec_pass(b, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t fl_rec_u64(struct fl_rec_bytes *b)
{
    uint64_t v = 0;
    const uint8_t *p = fl_rec_pass(b, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

#endif
