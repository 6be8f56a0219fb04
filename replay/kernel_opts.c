/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's policies are told of the kernel: by the recording, or by default. */
#include <string.h>

#include <faultline/units.h>

#include "kernel_opts.h"

static const char *const memcg_names[] = {
    [FL_MEMCG_NONE] = "none", [FL_MEMCG_V1] = "v1", [FL_MEMCG_V2] = "v2"
};

const char *fl_memcg_name_at(size_t i)
{
    return i < FL_COUNT(memcg_names) ? memcg_names[i] : NULL;
}

const char *fl_swap_kind_name_at(size_t i)
{
    static const char *const names[] = {
        [FL_SWAP_ZRAM] = "zram", [FL_SWAP_SSD] = "ssd", [FL_SWAP_DISK] = "disk"
    };
    return i < FL_COUNT(names) ? names[i] : NULL;
}

enum fl_swap_kind fl_swap_kind_find(const char *name)
{
    size_t i = 0;
    while (fl_swap_kind_name_at(i + 1) && strcmp(fl_swap_kind_name_at(i), name) != 0)
        i++;
    return (enum fl_swap_kind)i;
}

static const char *const thp_names[] = {
    [FL_THP_NEVER] = "never", [FL_THP_MADVISE] = "madvise", [FL_THP_ALWAYS] = "always"
};

const char *fl_thp_name_at(size_t i)
{
    return i < FL_COUNT(thp_names) ? thp_names[i] : NULL;
}

enum fl_thp_mode kernel_thp_find(const char *name, enum fl_thp_mode otherwise)
{
    for (size_t i = 0; name && fl_thp_name_at(i); i++)
        if (!strcmp(name, fl_thp_name_at(i)))
            return (enum fl_thp_mode)i;
    return otherwise;
}

/* "always [madvise] never": which is chosen */
static enum fl_thp_mode chosen_thp(const char *all, enum fl_thp_mode otherwise)
{
    char name[16];
    const char *open = strchr(all, '['), *end = open ? strchr(open, ']') : NULL;
    if (!end || (size_t)(end - open) > sizeof name)
        return otherwise;
    memcpy(name, open + 1, (size_t)(end - open - 1));
    name[end - open - 1] = '\0';
    return kernel_thp_find(name, otherwise);
}

enum fl_memcg_version kernel_memcg_find(const char *name, enum fl_memcg_version otherwise)
{
    for (size_t i = 0; name && fl_memcg_name_at(i); i++)
        if (!strcmp(name, fl_memcg_name_at(i)))
            return (enum fl_memcg_version)i;
    return otherwise;
}

const char *kernel_scope(const struct fl_replay_opts *opts)
{
    if (opts->scope)
        return opts->scope;
    return opts->policy->needs & FL_IS_KERNEL ? "memcg" : "machine";
}

#define UNLIMITED_PAGES (UINT64_C(1) << 28) /* 1 TiB: each costs nine bytes once it is used */

struct zones_config kernel_zones(const struct fl_kernel_opts *kernel,
                                 const struct fl_replay_opts *opts)
{
    uint64_t ram_pages = strcmp(kernel_scope(opts), "machine") ? kernel->host_pages : opts->frames;
    uint64_t base = kernel->base_pages;
    if (base == FL_BASE_TYPICAL)
        base = kernel->data_frames ? 0 : zones_typical_base(ram_pages);
    if (ram_pages > UNLIMITED_PAGES)
        ram_pages = UNLIMITED_PAGES;
    return (struct zones_config){ .ram_pages = ram_pages,
                                  .base_pages = base,
                                  .min_free_kbytes = kernel->min_free_kbytes,
                                  .scale_factor = kernel->watermark_scale_factor,
                                  .khugepaged = kernel->khugepaged };
}

/* What its kernel would compute for the recording's machine, of which it notes what is managed. */
static uint64_t computed_on_host(uint64_t ram_bytes, const struct fl_kernel_opts *kernel)
{
    struct zones zones;
    struct zones_config config = { .ram_pages = ram_bytes >> FL_PAGE_SHIFT,
                                   .scale_factor = kernel->watermark_scale_factor,
                                   .khugepaged = kernel->khugepaged };
    return zones_init(&zones, &config, NULL) == FL_OK ? zones.min_free_kbytes : 0;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

void kernel_from_meta(const struct fl_meta *meta, struct fl_kernel_opts *kernel)
{
    const char *thp = fl_meta_get(meta, "host.thp");
    uint64_t min_free = fl_meta_get_u64(meta, "host.min_free_kbytes", 0);
    uint64_t ram = fl_meta_get_u64(meta, "host.ram_bytes", 0);
    uint64_t scale = fl_meta_get_u64(meta, "host.watermark_scale_factor", 0);

    kernel->memcg = kernel_memcg_find(fl_meta_get(meta, "host.memcg"), kernel->memcg);
    uint64_t cpus = fl_meta_get_u64(meta, "host.cpus", 0);
    if (cpus >= 1 && cpus <= UINT16_MAX)
        kernel->cpus = (uint32_t)cpus;
    if (scale >= 1 && scale <= 3000)
        kernel->watermark_scale_factor = (uint32_t)scale;
    if (thp)
        kernel->thp = chosen_thp(thp, kernel->thp);
    if (thp)
        kernel->khugepaged = !strstr(thp, "[never]");
    /* 1/16: the machine's holes and what was reserved at boot are not known */
    uint64_t computed = computed_on_host(ram, kernel);
    if (min_free && computed && apart(min_free, computed) > computed / 16)
        kernel->min_free_kbytes = min_free;
}

void fl_kernel_from_trace(const struct fl_reader *r, struct fl_kernel_opts *kernel)
{
    kernel_from_meta(fl_reader_meta(r), kernel);
}
