/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call_tree.h - call chains as a tree: a node is a function and the node that called it. */
#ifndef FL_SYMBOLS_CALL_TREE_H
#define FL_SYMBOLS_CALL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/event.h>

struct call_node {
    uint32_t parent, code; /* parent: FL_NO_STACK of an outermost one */
};

struct call_tree {
    struct call_node *at; /* by stack id */
    uint32_t n, cap;
    uint32_t *slots; /* hash of a node -> index + 1 */
    size_t n_slots;  /* a power of two */
};

/* call_tree_child - the node of @code under @parent, made if need be (*@fresh); FL_NO_STACK:
   out of memory. */
uint32_t call_tree_child(struct call_tree *t, uint32_t parent, uint32_t code, bool *fresh);
void call_tree_free(struct call_tree *t);

#endif
