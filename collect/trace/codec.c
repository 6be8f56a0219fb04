/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "codec.h"

uint8_t *fl_buf_room(struct fl_buf *b, size_t n)
{
    if (b->oom)
        return NULL;
    if (n > b->cap - b->len) {
        size_t want = b->len + n, cap = b->cap ? b->cap : 256;
        while (cap < want && cap <= SIZE_MAX / 2)
            cap *= 2;
        uint8_t *grown = cap < want || want < n ? NULL : realloc(b->data, cap);
        if (!grown) {
            b->oom = true;
            return NULL;
        }
        b->data = grown;
        b->cap = cap;
    }
    return b->data + b->len;
}

void fl_buf_put(struct fl_buf *b, const void *bytes, size_t n)
{
    uint8_t *p = n ? fl_buf_room(b, n) : NULL;
    if (!p)
        return;
    memcpy(p, bytes, n);
    b->len += n;
}

void fl_buf_put_u8(struct fl_buf *b, uint8_t v)
{
    fl_buf_put(b, &v, 1);
}

void fl_buf_put_le(struct fl_buf *b, uint64_t v, unsigned bytes)
{
    uint8_t *p = fl_buf_room(b, bytes);
    if (!p)
        return;
    fl_put_le(p, v, bytes);
    b->len += bytes;
}

void fl_buf_put_varint(struct fl_buf *b, uint64_t v)
{
    uint8_t *p = fl_buf_room(b, 10);
    if (!p)
        return;
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    b->len += n;
}

void fl_buf_put_str(struct fl_buf *b, const char *s, size_t len)
{
    fl_buf_put_varint(b, len);
    fl_buf_put(b, s, len);
}

void fl_buf_free(struct fl_buf *b)
{
    free(b->data);
    *b = (struct fl_buf){ 0 };
}

uint64_t fl_cur_varint(struct fl_cur *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && c->p < c->end && !c->bad; shift += 7) {
        uint8_t byte = *c->p++;
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            if (byte == 0 && shift > 0) /* one value, one encoding */
                break;
            return v;
        }
    }
    c->bad = true;
    return 0;
}

uint32_t fl_cur_varint32(struct fl_cur *c)
{
    uint64_t v = fl_cur_varint(c);
    if (v > UINT32_MAX) {
        c->bad = true;
        return 0;
    }
    return (uint32_t)v;
}

const uint8_t *fl_cur_bytes(struct fl_cur *c, size_t n)
{
    if (c->bad || n > fl_cur_left(c)) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

uint64_t fl_cur_le(struct fl_cur *c, unsigned bytes)
{
    const uint8_t *p = fl_cur_bytes(c, bytes);
    return p ? fl_get_le(p, bytes) : 0;
}
