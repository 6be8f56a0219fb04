/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cmocka.h>

#include <faultline/units.h>

#include "slab_info.h"
#include "slab_layout.h"

static struct slab_layout layout(uint32_t bytes, uint32_t align, unsigned flags)
{
    struct slab_spec spec = { "x", bytes, align, flags };
    struct slab_layout l;
    struct fl_err err;
    assert_int_equal(slab_layout_of(&spec, 2, &l, &err), FL_OK);
    return l;
}

/* Numbers read from /sys/kernel/slab of Linux 6.18 with two processors. */
static void known_caches_have_the_kernels_layout(void **state)
{
    (void)state;
    struct slab_layout l = layout(5840, 64, 0); /* task_struct */
    assert_int_equal(l.size, 5888);
    assert_int_equal(l.order, 3);
    assert_int_equal(l.objects, 5);
    assert_int_equal(l.cpu_partial, 6);
    assert_int_equal(l.min_partial, 6);
    l = layout(96, 0, SLAB_CTOR | SLAB_RCU); /* anon_vma */
    assert_int_equal(l.size, 104);
    assert_int_equal(l.objects, 39);
    assert_int_equal(l.cpu_partial_slabs, 7);      /* ceil(240 / 39) */
    l = layout(184, 64, SLAB_RCU | SLAB_OWN_LINK); /* filp */
    assert_int_equal(l.size, 192);
    assert_int_equal(l.objects, 21);
    l = layout(1120, 0, SLAB_CTOR); /* ext4_inode_cache */
    assert_int_equal(l.size, 1128);
    assert_int_equal(l.order, 2);
    assert_int_equal(l.objects, 14);
    l = layout(24, 0, SLAB_HWCACHE_ALIGN); /* 64, halved while half would do */
    assert_int_equal(l.align, 32);
    assert_int_equal(l.size, 32);
}

static void impossible_caches_are_refused(void **state)
{
    (void)state;
    struct slab_layout l;
    struct fl_err err;
    struct slab_spec none = { "none", 0, 0, 0 }, odd = { "odd", 8, 24, 0 },
                     huge = { "huge", SLAB_OBJECT_MAX + 1, 0, 0 };
    assert_int_equal(slab_layout_of(&none, 2, &l, &err), FL_EUSAGE);
    assert_int_equal(slab_layout_of(&odd, 2, &l, &err), FL_EUSAGE);
    assert_int_equal(slab_layout_of(&huge, 2, &l, &err), FL_EUSAGE);
}

static void kmalloc_rounds_up_to_its_classes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        uint32_t class;
    } t[] = { { 0, 0 },     { 1, 8 },     { 8, 8 },      { 9, 16 },      { 64, 64 },
              { 65, 96 },   { 96, 96 },   { 97, 128 },   { 129, 192 },   { 192, 192 },
              { 193, 256 }, { 257, 512 }, { 513, 1024 }, { 8192, 8192 }, { 8193, 0 } };
    for (size_t i = 0; i < FL_COUNT(t); i++)
        assert_int_equal(slab_kmalloc_class(t[i].bytes), t[i].class);
    char name[SLAB_NAME_BYTES];
    slab_kmalloc_name(192, SLAB_KMALLOC_CG, name);
    assert_string_equal(name, "kmalloc-cg-192");
    slab_kmalloc_name(4096, SLAB_KMALLOC_NORMAL, name);
    assert_string_equal(name, "kmalloc-4k");
    slab_kmalloc_name(8, SLAB_KMALLOC_DMA, name);
    assert_string_equal(name, "dma-kmalloc-8");
    assert_int_equal(slab_kmalloc_type(0xcc0), SLAB_KMALLOC_NORMAL);
    assert_int_equal(slab_kmalloc_type(0x400cc0), SLAB_KMALLOC_CG);
    assert_int_equal(slab_kmalloc_type(0x400cd0), SLAB_KMALLOC_RCL);
    assert_int_equal(slab_kmalloc_type(0xcd1), SLAB_KMALLOC_DMA);
}

static void merging_needs_same_kind_and_nearly_same_size(void **state)
{
    (void)state;
    const struct slab_merge_peer peers[] = {
        { 64, SLAB_USERCOPY },
        { 64, SLAB_ACCOUNT },
        { 64, 0 },
        { 72, 0 },
    };
    struct slab_spec s = { "s", 60, 0, 0 };
    assert_int_equal(slab_merge_find(peers, 4, &s), 2);
    s.object_bytes = 56; /* 8 bytes smaller: too much is lost */
    assert_int_equal(slab_merge_find(peers, 4, &s), -1);
    s.object_bytes = 66;
    assert_int_equal(slab_merge_find(peers, 4, &s), 3);
    s.align = 16; /* 72 is no multiple */
    assert_int_equal(slab_merge_find(peers, 4, &s), -1);
    s = (struct slab_spec){ "s", 64, 0, SLAB_ACCOUNT };
    assert_int_equal(slab_merge_find(peers, 4, &s), 1);
    s.flags |= SLAB_CTOR;
    assert_int_equal(slab_merge_find(peers, 4, &s), -1);
}

static void slabinfo_gives_its_caches(void **state)
{
    (void)state;
    static const char text[] =
        "slabinfo - version: 2.1\n# name <active_objs> ...\n"
        "dentry 264537 264540 192 21 1 : tunables 0 0 0 : slabdata 12597 12597 0\n"
        "broken 5 4 192 21 1 : tunables 0 0 0 : slabdata 1 1 0\n"
        "tail 5 10 8 1";
    struct slab_info info;
    struct fl_err err;
    assert_int_equal(slab_info_parse(text, strlen(text), &info, &err), FL_OK);
    assert_int_equal(info.n, 1);
    assert_string_equal(info.rows[0].name, "dentry");
    assert_int_equal(info.rows[0].state.objects, 264537);
    assert_int_equal(info.rows[0].state.slabs, 12597);
    assert_null(slab_info_find(&info, "broken"));
    slab_info_free(&info);
    assert_int_equal(slab_info_parse("", 0, &info, &err), FL_EFORMAT);
}

/* ---- the kernel that runs --------------------------------------------------------------- */

#define SLABS "/sys/kernel/slab/"

static long attribute(const char *cache, const char *name)
{
    char path[512];
    long value = -1;
    snprintf(path, sizeof path, SLABS "%s/%s", cache, name);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%ld", &value) != 1)
        value = 0; /* "ctor" of a cache that has none */
    if (f)
        fclose(f);
    return value;
}

static bool has_constructor(const char *cache)
{
    char path[512];
    snprintf(path, sizeof path, SLABS "%s/ctor", cache);
    FILE *f = fopen(path, "re");
    int c = f ? fgetc(f) : EOF;
    if (f)
        fclose(f);
    return c != EOF && c != '\n';
}

static bool same(const char *cache, const char *name, uint32_t ours)
{
    long theirs = attribute(cache, name);
    if (theirs == (long)ours)
        return true;
    print_message("%s: %s is %ld, by the formulas %u\n", cache, name, theirs, ours);
    return false;
}

/* Whether an object keeps its free pointer itself is not told: only its size then is. */
static bool as_the_kernel(const char *cache, uint32_t cpus)
{
    struct slab_spec spec = { cache, (uint32_t)attribute(cache, "object_size"),
                              (uint32_t)attribute(cache, "align"), 0 };
    struct slab_layout l;
    struct fl_err err;
    if (has_constructor(cache))
        spec.flags |= SLAB_CTOR;
    else if (attribute(cache, "destroy_by_rcu") == 1)
        spec.flags |= SLAB_RCU;
    if (slab_layout_of(&spec, cpus, &l, &err) != FL_OK)
        return false;
    if ((spec.flags & SLAB_RCU) && attribute(cache, "slab_size") != (long)l.size) {
        spec.flags |= SLAB_OWN_LINK;
        slab_layout_of(&spec, cpus, &l, &err);
    }
    bool ok = same(cache, "slab_size", l.size);
    ok &= same(cache, "order", l.order);
    ok &= same(cache, "objs_per_slab", l.objects);
    ok &= same(cache, "cpu_partial", l.cpu_partial);
    return same(cache, "min_partial", l.min_partial) && ok;
}

static void every_live_cache_has_the_layout_of_the_formulas(void **state)
{
    (void)state;
    struct utsname os;
    unsigned major = 0, minor = 0;
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    DIR *dir = opendir(SLABS);
    uname(&os);
    sscanf(os.release, "%u.%u", &major, &minor);
    if (!dir || attribute("dentry", "object_size") <= 0 || major * 100 + minor < 606) {
        print_message("skipped: " SLABS " is not readable, or the kernel is before 6.6\n");
        if (dir)
            closedir(dir);
        skip();
    }
    unsigned n = 0, good = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        if (d->d_name[0] == '.' || d->d_type == DT_LNK || attribute(d->d_name, "trace") > 0 ||
            attribute(d->d_name, "red_zone") > 0 || attribute(d->d_name, "poison") > 0)
            continue; /* aliases; caches under debugging */
        n++;
        good += as_the_kernel(d->d_name, (uint32_t)cpus);
    }
    closedir(dir);
    print_message("%u of %u caches as the kernel has them\n", good, n);
    assert_int_not_equal(n, 0);
    assert_int_equal(good, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_caches_have_the_kernels_layout),
        cmocka_unit_test(impossible_caches_are_refused),
        cmocka_unit_test(kmalloc_rounds_up_to_its_classes),
        cmocka_unit_test(merging_needs_same_kind_and_nearly_same_size),
        cmocka_unit_test(slabinfo_gives_its_caches),
        cmocka_unit_test(every_live_cache_has_the_layout_of_the_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
