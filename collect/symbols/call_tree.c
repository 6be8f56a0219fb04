/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "call_tree.h"

static uint32_t *slot_of(const struct call_tree *t, uint32_t parent, uint32_t code)
{
    uint64_t h = ((uint64_t)parent << 32 | code) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)((h ^ h >> 32) * 0xd6e8feb86659fd93u >> 24) & (t->n_slots - 1);
    while (t->slots[i]) {
        const struct call_node *node = &t->at[t->slots[i] - 1];
        if (node->parent == parent && node->code == code)
            break;
        i = (i + 1) & (t->n_slots - 1);
    }
    return &t->slots[i];
}

static bool grow(struct call_tree *t)
{
    uint32_t cap = t->cap ? 2 * t->cap : 512;
    if (t->cap > UINT32_MAX / 4)
        return false;
    struct call_node *grown = realloc(t->at, cap * sizeof *grown);
    if (!grown)
        return false;
    t->at = grown;
    uint32_t *slots = calloc(2 * (size_t)cap, sizeof *slots);
    if (!slots)
        return false;
    free(t->slots);
    t->slots = slots;
    t->n_slots = 2 * (size_t)cap;
    t->cap = cap;
    for (uint32_t i = 0; i < t->n; i++)
        *slot_of(t, t->at[i].parent, t->at[i].code) = i + 1;
    return true;
}

uint32_t call_tree_child(struct call_tree *t, uint32_t parent, uint32_t code, bool *fresh)
{
    if (t->n == t->cap && !grow(t))
        return FL_NO_STACK;
    uint32_t *slot = slot_of(t, parent, code);
    *fresh = *slot == 0;
    if (*fresh) {
        t->at[t->n] = (struct call_node){ parent, code };
        *slot = ++t->n;
    }
    return *slot - 1;
}

void call_tree_free(struct call_tree *t)
{
    free(t->at);
    free(t->slots);
    *t = (struct call_tree){ 0 };
}
