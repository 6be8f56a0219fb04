/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_btf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <linux/btf.h>

#include "proc_file.h"

#define BYTES_MAX (64u << 20)
#define DEPTH_MAX 8 /* unnamed structs within each other */

struct kernel_btf {
    char *data;
    const char *names;
    uint32_t names_bytes, n; /* types: 1..n */
    const struct btf_type **types;
};

/* Bytes behind a type's head; -1: of no kind that is known. */
static int64_t tail_bytes(const struct btf_type *t)
{
    uint32_t n = BTF_INFO_VLEN(t->info);
    switch (BTF_INFO_KIND(t->info)) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG: return 4;
    case BTF_KIND_ARRAY: return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: return (int64_t)n * (int64_t)sizeof(struct btf_member);
    case BTF_KIND_ENUM: return (int64_t)n * (int64_t)sizeof(struct btf_enum);
    case BTF_KIND_FUNC_PROTO: return (int64_t)n * (int64_t)sizeof(struct btf_param);
    case BTF_KIND_DATASEC: return (int64_t)n * (int64_t)sizeof(struct btf_var_secinfo);
    case BTF_KIND_ENUM64: return (int64_t)n * 12;
    default: return BTF_INFO_KIND(t->info) <= BTF_KIND_ENUM64 ? 0 : -1;
    }
}

static bool add(struct kernel_btf *b, const struct btf_type *t, uint32_t *room)
{
    if (b->n + 1 >= *room) {
        *room = *room ? 2 * *room : 1 << 16;
        const struct btf_type **grown = reallocarray(b->types, *room, sizeof(void *));
        if (!grown)
            return false;
        b->types = grown;
        b->types[0] = NULL;
    }
    b->types[++b->n] = t;
    return true;
}

static bool index_types(struct kernel_btf *b, size_t bytes)
{
    const struct btf_header *h = (const void *)b->data;
    uint32_t room = 0;
    if (bytes < sizeof *h || h->magic != BTF_MAGIC || h->hdr_len > bytes ||
        h->type_off > bytes - h->hdr_len || h->type_len > bytes - h->hdr_len - h->type_off ||
        h->str_off > bytes - h->hdr_len || h->str_len > bytes - h->hdr_len - h->str_off ||
        !h->str_len)
        return false;
    const char *at = b->data + h->hdr_len + h->type_off, *end = at + h->type_len;
    b->names = b->data + h->hdr_len + h->str_off;
    b->names_bytes = h->str_len;
    if (b->names[b->names_bytes - 1])
        return false;
    while (end - at >= (ptrdiff_t)sizeof(struct btf_type)) {
        const struct btf_type *t = (const void *)at;
        int64_t tail = tail_bytes(t);
        if (tail < 0 || end - at - (ptrdiff_t)sizeof *t < tail || !add(b, t, &room))
            return false;
        at += (int64_t)sizeof *t + tail;
    }
    return b->n != 0;
}

struct kernel_btf *kernel_btf_open(const char *path)
{
    size_t bytes;
    struct kernel_btf *b = calloc(1, sizeof *b);
    if (b &&
        (b->data = proc_read((struct proc_at){ .root = "", .name = path }, BYTES_MAX, &bytes)) &&
        index_types(b, bytes))
        return b;
    kernel_btf_free(b);
    return NULL;
}

void kernel_btf_free(struct kernel_btf *b)
{
    if (!b)
        return;
    free(b->types);
    free(b->data);
    free(b);
}

static bool is_called(const struct kernel_btf *b, uint32_t offset, const char *name)
{
    return offset < b->names_bytes && strcmp(b->names + offset, name) == 0;
}

static uint32_t find(const struct kernel_btf *b, uint32_t kind, const char *name)
{
    for (uint32_t i = 1; i <= b->n; i++)
        if (BTF_INFO_KIND(b->types[i]->info) == kind && is_called(b, b->types[i]->name_off, name))
            return i;
    return 0;
}

uint32_t kernel_btf_function(const struct kernel_btf *b, const char *name)
{
    return find(b, BTF_KIND_FUNC, name);
}

static bool has_members(const struct btf_type *t)
{
    uint32_t kind = BTF_INFO_KIND(t->info);
    return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

/* In bits; -1. Those of unnamed structs and unions are its own. */
static int64_t offset_in(const struct kernel_btf *b, uint32_t id, const char *member, int depth)
{
    const struct btf_type *t = id && id <= b->n ? b->types[id] : NULL;
    if (!t || !has_members(t) || depth > DEPTH_MAX)
        return -1;
    const struct btf_member *m = (const void *)(t + 1);
    for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
        uint32_t at = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset) : m[i].offset;
        if (is_called(b, m[i].name_off, member))
            return at;
        int64_t within = m[i].name_off ? -1 : offset_in(b, m[i].type, member, depth + 1);
        if (within >= 0)
            return at + within;
    }
    return -1;
}

int32_t kernel_btf_offset(const struct kernel_btf *b, const char *name, const char *member)
{
    int64_t bits = offset_in(b, find(b, BTF_KIND_STRUCT, name), member, 0);
    return bits >= 0 && bits % 8 == 0 ? (int32_t)(bits / 8) : -1;
}
