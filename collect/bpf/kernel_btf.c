/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_btf.h"

#include <string.h>

#define DEPTH_MAX 8 /* unnamed structs within each other */

/* In bits; -1. Members of unnamed structs and unions are its own. */
static int64_t offset_in(const struct btf *b, uint32_t id, const char *member, int depth)
{
    const struct btf_type *t = btf__type_by_id(b, id);
    if (!t || !btf_is_composite(t) || depth > DEPTH_MAX)
        return -1;
    for (uint32_t i = 0; i < btf_vlen(t); i++) {
        const struct btf_member *m = &btf_members(t)[i];
        const char *name = btf__name_by_offset(b, m->name_off);
        int64_t at = btf_member_bit_offset(t, i);
        if (name && strcmp(name, member) == 0)
            return at;
        int64_t within = m->name_off ? -1 : offset_in(b, m->type, member, depth + 1);
        if (within >= 0)
            return at + within;
    }
    return -1;
}

int32_t kernel_btf_offset(const struct btf *b, const char *name, const char *member)
{
    int32_t id = btf__find_by_name_kind(b, name, BTF_KIND_STRUCT);
    int64_t bits = id > 0 ? offset_in(b, (uint32_t)id, member, 0) : -1;
    return bits >= 0 && bits % 8 == 0 ? (int32_t)(bits / 8) : -1;
}
