/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of costs: names and defaults. */
#include <faultline/costs.h>
#include <faultline/units.h>

static const struct {
    const char *name, *summary;
} rows[FL_COST_COUNT] = {
    [FL_COST_ACCESS] = { "access", "user access, page resident" },
    [FL_COST_TLB_L2_HIT] = { "tlb_l2_hit", "hit in the second-level TLB, more" },
    [FL_COST_WALK] = { "walk", "page walk, more" },
    [FL_COST_WALK_REF] = { "walk_ref", "further page-table reference, more" },
    [FL_COST_FAULT_ANON_ZERO] = { "fault_anon_zero", "fault: first read, zero page" },
    [FL_COST_FAULT_ANON_WRITE] = { "fault_anon_write", "fault: first write, new page" },
    [FL_COST_FAULT_COW] = { "fault_cow", "fault: copy-on-write after fork" },
    [FL_COST_FAULT_FILE_MAP] = { "fault_file_map", "fault: cached file page, alone" },
    [FL_COST_FAULT_FILE_AROUND] = { "fault_file_around", "fault: cached file page and around" },
    [FL_COST_FAULT_SHMEM] = { "fault_shmem", "fault: new page of shared memory" },
    [FL_COST_FAULT_HUGE] = { "fault_huge", "fault: first write, 2 MiB page" },
    [FL_COST_FAULT_SWAP_CACHE] = { "fault_swap_cache", "fault: page in the swap cache" },
    [FL_COST_SWAP_IN_SYNC] = { "swap_in_sync", "page in from zram" },
    [FL_COST_SWAP_IN_DISK] = { "swap_in_disk", "page in from a disk, one request" },
    [FL_COST_SWAP_READAHEAD] = { "swap_readahead", "page more by swap read-ahead" },
    [FL_COST_SWAP_OUT_SYNC] = { "swap_out_sync", "page out to zram" },
    [FL_COST_SWAP_OUT_DISK] = { "swap_out_disk", "page out to a disk" },
    [FL_COST_DISK_REQUEST] = { "disk_request", "write request of a busy disk" },
    [FL_COST_DISK_PAGE] = { "disk_page", "page of a write to a disk" },
    [FL_COST_FILE_READ] = { "file_read", "cold file page, one request" },
    [FL_COST_FILE_READAHEAD] = { "file_readahead", "page more by file read-ahead" },
    [FL_COST_RECLAIM] = { "reclaim", "clean page reclaimed" },
    [FL_COST_SCAN] = { "scan", "page scanned by reclaim and kept" },
    [FL_COST_SWITCH] = { "switch", "context switch" },
};

const char *fl_cost_name(enum fl_cost cost)
{
    return rows[cost].name;
}

const char *fl_cost_summary(enum fl_cost cost)
{
    return rows[cost].summary;
}

const char *fl_swap_device_name(enum fl_swap_device device)
{
    return device == FL_SWAP_DEVICE_ZRAM ? "zram" : "disk";
}

/* `faultline calibrate` on a virtual machine (an Intel Xeon with AMX under KVM, 2 processors, Linux
   6.18, ext4 on a virtio disk), half of six runs below each figure and half above; swap_*_sync are
   three runs with zram (lzo-rle), swap_*_disk three with a swap file. */
static const struct fl_costs defaults = {
    .source = "built-in defaults: faultline calibrate on an Intel Xeon (AMX) under KVM, Linux 6.18",
    .swap_device = FL_SWAP_DEVICE_ZRAM,
    .ps =
        {
            [FL_COST_ACCESS] = 97,
            [FL_COST_TLB_L2_HIT] = 1270,
            [FL_COST_WALK] = 16900,
            [FL_COST_WALK_REF] = 14000,
            [FL_COST_FAULT_ANON_ZERO] = 513000,
            [FL_COST_FAULT_ANON_WRITE] = 1130000,
            [FL_COST_FAULT_COW] = 2450000,
            [FL_COST_FAULT_FILE_MAP] = 740000,
            [FL_COST_FAULT_FILE_AROUND] = 1390000,
            [FL_COST_FAULT_SHMEM] = 1610000,
            [FL_COST_FAULT_HUGE] = 55300000,
            [FL_COST_FAULT_SWAP_CACHE] = 1420000,
            [FL_COST_SWAP_IN_SYNC] = 3150000,
            [FL_COST_SWAP_IN_DISK] = 93500000,
            [FL_COST_SWAP_READAHEAD] = 10200000,
            [FL_COST_SWAP_OUT_SYNC] = 4130000,
            [FL_COST_SWAP_OUT_DISK] = 4840000,
            [FL_COST_DISK_REQUEST] = 7000000,
            [FL_COST_DISK_PAGE] = 1800000,
            [FL_COST_FILE_READ] = 88700000,
            [FL_COST_FILE_READAHEAD] = 3710000,
            [FL_COST_RECLAIM] = 1180000,
            [FL_COST_SCAN] = 30000,
            [FL_COST_SWITCH] = 760000,
        },
};

const struct fl_costs *fl_costs_default(void)
{
    return &defaults;
}

uint64_t fl_cost_of_ns(const struct fl_costs *costs, enum fl_cost cost, uint64_t count)
{
    unsigned __int128 ns = (unsigned __int128)costs->ps[cost] * count / 1000;
    return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}
