/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes of an address space: which one a new one replaces, and what is left when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "slab_owner.h"

enum { MM, TASK, PID, NODE };
enum { A = 0x1000, B = 0x2000, C = 0x3000, D = 0x4000, E = 0x5000, F = 0x6000, G = 0x7000 };

struct fix {
    struct slab_info_row rows[4];
    struct slab_info info;
    struct slab_owners *o;
    uint64_t now;
};

static void make(struct fix *f)
{
    static const char *const names[] = { "mm_struct", "task_struct", "pid", "maple_node" };
    *f = (struct fix){ .info = { f->rows, 4 } };
    for (int i = 0; i < 4; i++)
        strcpy(f->rows[i].name, names[i]);
    f->o = slab_owners_new(&f->info);
}

static struct slab_node_use got(struct fix *f, uint32_t cache, uint64_t at, bool waits)
{
    const struct slab_owned x = { at, f->now += 1000, cache, 7, waits };
    struct slab_node_use use;
    struct fl_err err;
    assert_int_equal(slab_owners_alloc(f->o, &x, &use, &err), FL_OK);
    return use;
}

static void one_node_replaces_the_youngest(void **state)
{
    struct fix f;
    (void)state;
    make(&f);
    assert_false(got(&f, MM, 0x100, true).is_node);
    assert_int_equal(got(&f, NODE, A, true).replaced, 0); /* there is none */
    assert_int_equal(got(&f, NODE, B, true).replaced, A);
    struct slab_node_use c = got(&f, NODE, C, true);
    assert_int_equal(c.replaced, B);
    assert_false(c.goes_on);
    assert_int_equal(c.first, 2);
    slab_owners_free(f.o);
}

/* Of three nodes for one change, two are for those that they replace; the one after a pause is for another. */
static void several_nodes_replace_one_less(void **state)
{
    struct fix f;
    (void)state;
    make(&f);
    got(&f, MM, 0x100, true);
    got(&f, NODE, A, true);
    got(&f, PID, 1, true);
    got(&f, TASK, 2, true); /* for a child: it replaces none */
    got(&f, MM, 0x200, true);
    assert_int_equal(got(&f, NODE, B, false).replaced, 0);
    got(&f, PID, 3, true);
    struct slab_node_use c = got(&f, NODE, C, true);
    assert_int_equal(c.replaced, A);
    got(&f, NODE, G, true); /* replaces C */
    f.now += 1000000;
    struct slab_node_use d = got(&f, NODE, D, false), e = got(&f, NODE, E, false),
                         x = got(&f, NODE, F, false);
    assert_int_equal(d.replaced, G);
    assert_false(d.goes_on);
    assert_true(e.goes_on && x.goes_on);
    assert_int_equal(e.first, d.first);
    assert_int_equal(x.first, d.first);
    assert_int_equal(e.replaced, 0);
    assert_int_equal(x.replaced, 0); /* D and E are of the same change, and no other is left */
    f.now += 1000000;
    assert_false(got(&f, NODE, A, false).goes_on);
    slab_owners_free(f.o);
}

/* F is handed out, though nobody gave it back: then it was not C that was replaced. */
static void who_was_mistaken_for_another_is_back(void **state)
{
    struct fix f;
    const uint64_t *nodes;
    uint32_t cache;
    (void)state;
    make(&f);
    got(&f, MM, 0x100, true);
    got(&f, NODE, C, true);
    got(&f, NODE, F, true);
    assert_int_equal(slab_owners_mistaken(f.o, NODE, C), 0); /* that is as it was thought */
    assert_int_equal(slab_owners_mistaken(f.o, MM, F), 0);
    assert_int_equal(slab_owners_mistaken(f.o, NODE, F), C);
    assert_int_equal(slab_owners_mistaken(f.o, NODE, F), 0); /* once */
    assert_int_equal(slab_owners_end(f.o, MM, 0x100, &nodes, &cache), 1);
    assert_int_equal(nodes[0], C);
    assert_int_equal(cache, NODE);
    assert_int_equal(slab_owners_end(f.o, MM, 0x100, &nodes, &cache), 0);
    slab_owners_free(f.o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_replaces_the_youngest),
        cmocka_unit_test(several_nodes_replace_one_less),
        cmocka_unit_test(who_was_mistaken_for_another_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
