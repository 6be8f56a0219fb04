/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chase BYTES STEPS - follow a ring of pointers through BYTES of memory in random order.
 * Nodes are cache lines; a step reads two words of one: the next node, and a number.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct node {
    struct node *next;
    uint64_t number, pad[6];
};

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 0) / sizeof(struct node) : 0;
    uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 0) : 0, seed = 88172645463325252u, sum = 0;
    struct node *nodes = n ? malloc(n * sizeof *nodes) : NULL;
    if (!nodes || !steps)
        return 2;
    for (size_t i = 0; i < n; i++)
        nodes[i] = (struct node){ .next = &nodes[i], .number = i };
    for (size_t i = n - 1; i > 0; i--) { /* one cycle through all: Sattolo's shuffle */
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t j = (size_t)(seed % i);
        struct node *other = nodes[i].next;
        nodes[i].next = nodes[j].next;
        nodes[j].next = other;
    }
    const struct node *at = nodes;
    for (uint64_t i = 0; i < steps; i++) {
        sum += at->number;
        at = at->next;
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
