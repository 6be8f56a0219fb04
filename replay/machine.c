/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of machine profiles. Every number has its source beside it. */
#include <string.h>

#include <faultline/machine.h>
#include <faultline/units.h>

#define L1I(n, w)                 \
    {                             \
        "L1I", FL_TLB_FETCH, n, w \
    }
#define L1D(n, w)                \
    {                            \
        "L1D", FL_TLB_DATA, n, w \
    }
#define L2(n, w)                   \
    {                              \
        "L2", FL_TLB_UNIFIED, n, w \
    }

/* Linux keeps 6 dynamic ASIDs a processor (arch/x86/mm/tlb.c, TLB_NR_DYN_ASIDS). */
#define LINUX_ASIDS 6

static const struct fl_machine machines[] = {
    {
        .name = "skylake-sp",
        .summary = "Intel Skylake-SP, 4 KiB entries",
        .source = "Intel 64 and IA-32 Architectures Optimization Reference Manual, cache and TLB "
                  "parameters of Skylake Server",
        .levels = 4,
        .asids = LINUX_ASIDS,
        .n_tlb = 3,
        .tlb = { L1I(128, 8), L1D(64, 4), L2(1536, 12) },
    },
    {
        .name = "zen5",
        .summary = "AMD Zen 5, 4 KiB entries",
        .source = "AMD Software Optimization Guide for Zen 5 (58455); its second-level fetch TLB "
                  "is left out",
        .levels = 4,
        .asids = LINUX_ASIDS,
        .n_tlb = 3,
        .tlb = { L1I(64, 64), L1D(96, 96), L2(4096, 16) },
    },
    {
        .name = "teaching",
        .summary =
            "16 + 16 entries fully associative, then 64 in 4 ways: misses one can follow by hand",
        .source = "no real processor",
        .levels = 4,
        .asids = 2,
        .n_tlb = 3,
        .tlb = { L1I(16, 16), L1D(16, 16), L2(64, 4) },
    },
    {
        .name = "skylake-sp-la57",
        .summary = "skylake-sp's TLB with 5-level page tables",
        .source = "page-table depth: Intel 5-Level Paging white paper (335252); TLB as skylake-sp",
        .levels = 5,
        .asids = LINUX_ASIDS,
        .n_tlb = 3,
        .tlb = { L1I(128, 8), L1D(64, 4), L2(1536, 12) },
    },
};

const char *fl_tlb_role_name(enum fl_tlb_role role)
{
    static const char *const names[] = {
        [FL_TLB_FETCH] = "fetch", [FL_TLB_DATA] = "data", [FL_TLB_UNIFIED] = "unified"
    };
    return names[role];
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
