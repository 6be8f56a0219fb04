/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of machine profiles. Every number has its source beside it. */
#include <string.h>

#include <faultline/machine.h>
#include <faultline/units.h>

#define P4K (1u << FL_PAGE_4K)
#define P2M (1u << FL_PAGE_2M)
#define P1G (1u << FL_PAGE_1G)
#define PALL (P4K | P2M | P1G)

/* Linux keeps 6 dynamic ASIDs a processor (arch/x86/mm/tlb.c, TLB_NR_DYN_ASIDS). */
#define LINUX_X86 .asids = 6, .flush_pages = FL_FLUSH_PAGES_X86

#define SOURCE_SKYLAKE                                                                   \
    "Intel Optimization Reference Manual (248966), table 2-15, which holds for Skylake " \
    "Server too (community.intel.com, thread 1371605); the 1 GiB array of the second "   \
    "level is unverified"
#define SOURCE_SAPPHIRE                                                                  \
    "Hennessy, Patterson, Computer Architecture, on Golden Cove (fetch side); other "    \
    "sizes from public notes, all ways but the first level's loads unverified; of the "  \
    "second level 1,024 entries are for 4K and 2M, 1,024 for 4K and 1G: here 4K and 2M " \
    "have all"
/* Intel says which caches there may be, not how large they are. */
#define INTEL_WALK                                                                     \
    .walk_source = "assumption: Intel names these caches (SDM volume 3, 4.10.3) but "  \
                   "documents no sizes; these are the ChampSim simulator's. A page's " \
                   "flush empties them for its space (4.10.4.1)"
#define INTEL_CACHES           \
    { 2, 32, 8 }, { 3, 8, 4 }, \
    {                          \
        4, 4, 4                \
    }
#define AMD_WALK                                                                           \
    .walk_flush_page = true,                                                               \
    .walk_source = "assumption: AMD keeps PDEs in the second-level data TLB and has a "    \
                   "page directory cache of 64 entries for the levels above "              \
                   "(Optimization Guides 55723, 56305, unverified); here PDEs have 64 "    \
                   "entries of their own. A page's flush takes its own path alone: Linux " \
                   "sets EFER.TCE",                                                        \
    .n_walk = 2, .walk = { { 2, 64, 64 }, { 3, 64, 64 } }

#define SKYLAKE_TLB                                                                             \
    .n_tlb = 7, .tlb = {                                                                        \
        { "L1I", FL_TLB_FETCH, 128, 8, P4K },    { "L1I-2M", FL_TLB_FETCH, 8, 8, P2M },         \
        { "L1D", FL_TLB_DATA, 64, 4, P4K },      { "L1D-2M", FL_TLB_DATA, 32, 4, P2M },         \
        { "L1D-1G", FL_TLB_DATA, 4, 4, P1G },    { "L2", FL_TLB_UNIFIED, 1536, 12, P4K | P2M }, \
        { "L2-1G", FL_TLB_UNIFIED, 16, 4, P1G },                                                \
    }
#define SAPPHIRE_TLB                                                                                \
    .n_tlb = 8, .tlb = {                                                                            \
        { "L1I", FL_TLB_FETCH, 256, 8, P4K },          { "L1I-2M", FL_TLB_FETCH, 32, 8, P2M },      \
        { "L1D-load", FL_TLB_LOAD, 96, 6, P4K },       { "L1D-load-2M", FL_TLB_LOAD, 32, 4, P2M },  \
        { "L1D-load-1G", FL_TLB_LOAD, 8, 8, P1G },     { "L1D-store", FL_TLB_STORE, 16, 16, PALL }, \
        { "L2", FL_TLB_UNIFIED, 2048, 16, P4K | P2M }, { "L2-1G", FL_TLB_UNIFIED, 1024, 16, P1G },  \
    }
/* The two sides of a Zen core have second levels of their own. */
#define ZEN_TLB(l1i, l2i, l1d, l2d, l2d_ways)             \
    .n_tlb = 4, .tlb = {                                  \
        { "L1I", FL_TLB_FETCH, l1i, l1i, PALL },          \
        { "L2I", FL_TLB_FETCH, l2i, 8, P4K | P2M },       \
        { "L1D", FL_TLB_DATA, l1d, l1d, PALL },           \
        { "L2D", FL_TLB_DATA, l2d, l2d_ways, P4K | P2M }, \
    }

static const struct fl_machine machines[] = {
    {
        .name = "skylake-sp",
        .summary = "Intel Skylake-SP",
        .source = SOURCE_SKYLAKE,
        .levels = 4,
        LINUX_X86,
        SKYLAKE_TLB,
        INTEL_WALK,
        .n_walk = 3,
        .walk = { INTEL_CACHES },
    },
    {
        .name = "zen5",
        .summary = "AMD Zen 5",
        .source = "Cohen, Subramony, Next Generation Zen 5 Core, Hot Chips 2024 (sizes; second "
                  "levels hold all but 1G); ways: AMD Optimization Guide for Zen 5 (58455)",
        .levels = 4,
        LINUX_X86,
        ZEN_TLB(64, 2048, 96, 4096, 16),
        AMD_WALK,
    },
    {
        .name = "teaching",
        .summary =
            "16 + 16 entries fully associative, then 64 in 4 ways: misses one can follow by hand",
        .source = "no real processor",
        .levels = 4,
        .asids = 2,
        .flush_pages = FL_FLUSH_PAGES_X86,
        .n_tlb = 3,
        .tlb = { { "L1I", FL_TLB_FETCH, 16, 16, P4K },
                 { "L1D", FL_TLB_DATA, 16, 16, P4K },
                 { "L2", FL_TLB_UNIFIED, 64, 4, P4K } },
    },
    {
        .name = "skylake-sp-la57",
        .summary = "skylake-sp's TLB with 5-level page tables",
        .source = "page-table depth: Intel 5-Level Paging white paper (335252); TLB as skylake-sp",
        .levels = 5,
        LINUX_X86,
        SKYLAKE_TLB,
        INTEL_WALK,
        .n_walk = 4,
        .walk = { INTEL_CACHES, { 5, 2, 2 } },
    },
    {
        .name = "icelake-sp",
        .summary = "Intel Ice Lake-SP",
        .source = "unverified: recalled from the Intel Optimization Reference Manual (248966), "
                  "Sunny Cove; of the second level 1,024 entries are for 4K and 2M, 1,024 for 4K "
                  "and 1G: here 4K and 2M have all",
        .levels = 4,
        LINUX_X86,
        .n_tlb = 8,
        .tlb = { { "L1I", FL_TLB_FETCH, 128, 8, P4K },
                 { "L1I-2M", FL_TLB_FETCH, 16, 16, P2M },
                 { "L1D-load", FL_TLB_LOAD, 64, 4, P4K },
                 { "L1D-load-2M", FL_TLB_LOAD, 32, 4, P2M },
                 { "L1D-load-1G", FL_TLB_LOAD, 8, 8, P1G },
                 { "L1D-store", FL_TLB_STORE, 16, 16, PALL },
                 { "L2", FL_TLB_UNIFIED, 2048, 16, P4K | P2M },
                 { "L2-1G", FL_TLB_UNIFIED, 1024, 16, P1G } },
        INTEL_WALK,
        .n_walk = 3,
        .walk = { INTEL_CACHES },
    },
    {
        .name = "sapphire-rapids",
        .summary = "Intel Sapphire Rapids, 4-level page tables",
        .source = SOURCE_SAPPHIRE,
        .levels = 4,
        LINUX_X86,
        SAPPHIRE_TLB,
        INTEL_WALK,
        .n_walk = 3,
        .walk = { INTEL_CACHES },
    },
    {
        .name = "sapphire-rapids-la57",
        .summary = "Intel Sapphire Rapids, 5-level page tables",
        .source = "page-table depth: Intel 5-Level Paging white paper (335252); TLB as "
                  "sapphire-rapids",
        .levels = 5,
        LINUX_X86,
        SAPPHIRE_TLB,
        INTEL_WALK,
        .n_walk = 4,
        .walk = { INTEL_CACHES, { 5, 2, 2 } },
    },
    {
        .name = "zen3",
        .summary = "AMD Zen 3",
        .source = "unverified: recalled from the AMD Optimization Guide for family 19h (56665); "
                  "WikiChip on Zen 2, whose first levels and fetch side are the same",
        .levels = 4,
        LINUX_X86,
        ZEN_TLB(64, 512, 64, 2048, 16),
        AMD_WALK,
    },
    {
        .name = "zen4",
        .summary = "AMD Zen 4",
        .source = "sizes from public notes on Zen 4, ways of the second levels unverified",
        .levels = 4,
        LINUX_X86,
        ZEN_TLB(64, 512, 72, 3072, 24),
        AMD_WALK,
    },
    {
        .name = "neoverse-n1",
        .summary = "Arm Neoverse N1, 4 KiB granule, 48-bit addresses",
        .source = "Arm Cortex-A76 Technical Reference Manual, A5.2, whose MMU it shares "
                  "(WikiChip); its second level also caches walks, which is left out. Flushes: "
                  "arch/arm64 of Linux, 16-bit ASIDs, broadcast TLBI, 512 pages a space at once",
        .levels = 4,
        .asids = 65536,
        .flush_pages = 511,
        .broadcast = true,
        .n_tlb = 3,
        .tlb = { { "L1I", FL_TLB_FETCH, 48, 48, P4K | P2M },
                 { "L1D", FL_TLB_DATA, 48, 48, P4K | P2M },
                 { "L2", FL_TLB_UNIFIED, 1280, 5, PALL } },
    },
};

const char *fl_tlb_role_name(enum fl_tlb_role role)
{
    static const char *const names[] = { [FL_TLB_FETCH] = "fetch",
                                         [FL_TLB_DATA] = "data",
                                         [FL_TLB_UNIFIED] = "unified",
                                         [FL_TLB_LOAD] = "load",
                                         [FL_TLB_STORE] = "store" };
    return names[role];
}

const char *fl_page_size_name(enum fl_page_size size)
{
    static const char *const names[] = { "4K", "2M", "1G" };
    return names[size];
}

const char *fl_walk_cache_name(uint32_t level)
{
    static const char *const names[] = { NULL, NULL, "PDE", "PDPTE", "PML4E", "PML5E" };
    return names[level];
}

const struct fl_machine *fl_machine_at(size_t i)
{
    return i < FL_COUNT(machines) ? &machines[i] : NULL;
}

const char *fl_machine_name_at(size_t i)
{
    return i < FL_COUNT(machines) ? machines[i].name : NULL;
}

const struct fl_machine *fl_machine_find(const char *name)
{
    for (size_t i = 0; i < FL_COUNT(machines); i++)
        if (!strcmp(machines[i].name, name))
            return &machines[i];
    return NULL;
}
