/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model over any trace that reads at all: its events and runs need not make sense. */
#include <jansson.h>

#include <faultline/locality.h>
#include <faultline/thrash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(struct fl_reader *r, uint32_t frames, uint64_t swap_pages, const char *policy,
                   bool no_tlb, enum fl_swap_kind swap_kind)
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    kernel.swap_kind = swap_kind;
    kernel.first_flush_ms = 0;     /* so that refaults activate */
    kernel.memcg = FL_MEMCG_V1;    /* v2 has a large device under a small limit: slow to make */
    kernel.base_pages = 4096 - 90; /* of a machine of 16 MiB */
    kernel.min_free_kbytes = 64;
    struct fl_replay_opts opts = { .frames = frames,
                                   .swap_pages = swap_pages,
                                   .policy = fl_policy_find(policy),
                                   .no_tlb = no_tlb,
                                   .kernel = &kernel,
                                   .scope = frames == 4096 ? "machine" : NULL,
                                   .seed = 1 };
    struct fl_result *result = NULL;
    struct fl_err err;
    struct fl_thrash *thrash = NULL;
    if (fl_replay(r, &opts, &result, &err) == FL_OK &&
        fl_thrash_of(r, result, NULL, NULL, &thrash, &err) == FL_OK)
        json_decref(fl_thrash_json(thrash, result));
    fl_thrash_free(thrash);
    fl_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fl_reader *r;
    if (fl_reader_open_mem(data, size, FL_READ_PARTIAL, &r, NULL) != FL_OK)
        return 0;
    replay(r, 3, UINT64_MAX, "lru", false, FL_SWAP_ZRAM);
    replay(r, 2, 1, "clock", true, FL_SWAP_ZRAM);
    replay(r, 40, 9, "linux", false, FL_SWAP_ZRAM);
    replay(r, 12, 100, "linux", true, FL_SWAP_SSD);
    replay(r, 4096, 50, "linux", true, FL_SWAP_SSD);
    replay(r, 30, 60, "mglru", true, FL_SWAP_ZRAM);
    replay(r, 70, 1000, "linux", false, FL_SWAP_DISK);
    struct fl_sweep_point points[] = {
        { .policy = fl_policy_find("lru"), .frames = 2, .swap_pages = UINT64_MAX },
        { .policy = fl_policy_find("fifo"), .frames = 5, .swap_pages = UINT64_MAX },
    };
    fl_sweep(r, points, 2, NULL, NULL, NULL);
    struct fl_locality *locality = NULL;
    struct fl_tlb_reach *reach = NULL;
    fl_locality(r, NULL, NULL, &locality, NULL);
    fl_tlb_reach(r, NULL, NULL, NULL, &reach, NULL);
    fl_locality_free(locality);
    fl_tlb_reach_free(reach);
    fl_reader_free(r);
    return 0;
}
