/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This kernel's lists of partly used slabs, where it lets us read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <faultline/slab_peek.h>

static long objects_per_slab(const char *cache)
{
    char path[256], text[32] = "";
    snprintf(path, sizeof path, "/sys/kernel/slab/%s/objs_per_slab", cache);
    FILE *in = fopen(path, "re");
    if (!in)
        return 0;
    assert_non_null(fgets(text, sizeof text, in));
    fclose(in);
    return strtol(text, NULL, 10);
}

/* Others use the caches meanwhile: what is read of one may be wrong once, not of most. */
static void slabs_are_as_large_as_the_kernel_says(void **state)
{
    struct fl_slab_peek *p = fl_slab_peek_open();
    uint32_t right = 0, wrong = 0, slabs = 0;
    bool kmalloc = false;
    (void)state;
    if (!p)
        skip();
    for (size_t i = 0; i < fl_slab_peek_caches(p); i++) {
        static struct fl_slab_peek_list list;
        long want = objects_per_slab(fl_slab_peek_name(p, i));
        kmalloc |= strcmp(fl_slab_peek_name(p, i), "kmalloc-64") == 0;
        if (!want || !fl_slab_peek_read(p, i, &list))
            continue;
        assert_true(list.n <= FL_SLAB_PEEK_MAX && (list.whole || list.n == FL_SLAB_PEEK_MAX));
        for (uint32_t k = 0; k < list.n; k++)
            *(list.v[k].objects == want && list.v[k].in_use <= want ? &right : &wrong) += 1;
        slabs += list.n;
    }
    fl_slab_peek_close(p);
    print_message("%u slabs\n", slabs);
    assert_true(kmalloc);
    assert_true(right > 10 && wrong <= right / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(slabs_are_as_large_as_the_kernel_says) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
