/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec.h - bytes in and out, docs/trace-format.md section "Numbers".
 *
 * Everything goes through these: no struct is ever copied to or from a file.
 * Readers are bounds-checked and sticky: after the first bad read every further
 * one gives 0 and @bad stays set, so that a caller checks once per record.
 */
#ifndef FL_TRACE_CODEC_H
#define FL_TRACE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing output buffer. @oom is sticky. */
struct fl_buf {
    uint8_t *data;
    size_t len, cap;
    bool oom;
};

/* fl_buf_room - @n writable bytes at the end, not yet counted in len; NULL: out of memory. */
uint8_t *fl_buf_room(struct fl_buf *b, size_t n);
void fl_buf_put(struct fl_buf *b, const void *bytes, size_t n);
void fl_buf_put_u8(struct fl_buf *b, uint8_t v);
void fl_buf_put_le(struct fl_buf *b, uint64_t v, unsigned bytes);
void fl_buf_put_varint(struct fl_buf *b, uint64_t v);
void fl_buf_put_str(struct fl_buf *b, const char *s, size_t len);
void fl_buf_free(struct fl_buf *b);

static inline void fl_buf_reset(struct fl_buf *b)
{
    b->len = 0;
}

static inline void fl_put_le(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint64_t fl_get_le(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline uint64_t fl_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t fl_unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

/* fl_width - bytes a column needs per value when its largest value is @max; 0 for 0. */
static inline unsigned fl_width(uint64_t max)
{
    unsigned w = 0;
    for (; max; max >>= 8)
        w++;
    return w;
}

/* fl_bits - bits that @max needs; 0 for 0. */
static inline unsigned fl_bits(uint32_t max)
{
    unsigned n = 0;
    for (; max; max >>= 1)
        n++;
    return n;
}

/* A bounds-checked read position. */
struct fl_cur {
    const uint8_t *p, *end;
    bool bad;
};

static inline size_t fl_cur_left(const struct fl_cur *c)
{
    return (size_t)(c->end - c->p);
}

uint64_t fl_cur_varint(struct fl_cur *c);
/* fl_cur_varint32 - as above, and bad when it does not fit 32 bits. */
uint32_t fl_cur_varint32(struct fl_cur *c);
uint64_t fl_cur_le(struct fl_cur *c, unsigned bytes);
/* fl_cur_bytes - @n bytes in place; NULL and bad when there are fewer. */
const uint8_t *fl_cur_bytes(struct fl_cur *c, size_t n);

/*
 * Plane columns: @n numbers of @width bytes each, stored as @width planes of @n
 * bytes, least significant first.
 */
void fl_planes_put_u32(uint8_t *out, const uint32_t *v, size_t n, unsigned width);
void fl_planes_put_u64(uint8_t *out, const uint64_t *v, size_t n, unsigned width);
/* Values [from, from + count) of such a column of @n. */
void fl_planes_get_u32(uint32_t *restrict out, const uint8_t *restrict planes, size_t n,
                       unsigned width, size_t from, size_t count);
void fl_planes_get_u64(uint64_t *restrict out, const uint8_t *restrict planes, size_t n,
                       unsigned width, size_t from, size_t count);

/*
 * Bit columns: @bits / 8 planes of bytes as above, then a plane of bits, (n + 7) / 8 bytes, for
 * each bit that is left.
 */
static inline uint64_t fl_bits_bytes(uint64_t n, unsigned bits)
{
    return n * (bits / 8) + (n + 7) / 8 * (bits % 8);
}
void fl_bits_put_u8(uint8_t *out, const uint8_t *v, size_t n, unsigned bits);
void fl_bits_put_u32(uint8_t *out, const uint32_t *v, size_t n, unsigned bits);
/*
 * Values [from, from + count) of such a column of @n, at most 8 bits; @room: count + 16 bytes.
 * Returns where in @room they are.
 */
const uint8_t *fl_bits_get_u8(uint8_t *room, const uint8_t *planes, size_t n, unsigned bits,
                              size_t from, size_t count);
/* The same of any number of bits; @room is for its own use. */
void fl_bits_get_u32(uint32_t *restrict out, uint8_t *room, const uint8_t *planes, size_t n,
                     unsigned bits, size_t from, size_t count);

/* How many accesses of each kind runs have, and how many such runs there are in a block. */
struct fl_shape {
    uint32_t reads, writes, fetches, uses;
};

#endif
