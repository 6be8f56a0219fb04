/* SPDX-License-Identifier: GPL-2.0-or-later */
/* perf_rings.c - the memory the kernel writes records to, one ring a CPU. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "perf_open.h"

#define RINGS_TOTAL_BYTES (UINT64_C(64) << 20)
#define RING_MAX_BYTES (UINT64_C(16) << 20)
#define RING_MIN_BYTES (UINT64_C(64) << 10)

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void fl_perf_unmap_rings(struct fl_perf_set *set)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        if (set->cpus[i].map)
            munmap(set->cpus[i].map, page_bytes() + set->ring_bytes);
        set->cpus[i].map = NULL;
    }
}

/* Map every ring at set->ring_bytes, or none. */
static bool map_rings(struct fl_perf_set *set)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        struct fl_perf_cpu *cpu = &set->cpus[i];
        void *map = mmap(NULL, page_bytes() + set->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                         cpu->owner_fd, 0);
        if (map == MAP_FAILED) {
            int saved = errno;
            fl_perf_unmap_rings(set);
            errno = saved;
            return false;
        }
        struct perf_event_mmap_page *head = map;
        cpu->map = map;
        cpu->ring = (struct fl_ring){
            .head = (uint64_t *)&head->data_head,
            .tail = (uint64_t *)&head->data_tail,
            .data = (const uint8_t *)map + page_bytes(),
            .size_bytes = set->ring_bytes,
        };
    }
    return true;
}

int fl_perf_map_rings(struct fl_perf_set *set, struct fl_err *err)
{
    set->ring_bytes = RING_MAX_BYTES;
    while (set->ring_bytes > RING_MIN_BYTES && set->ring_bytes * set->n_cpus > RINGS_TOTAL_BYTES)
        set->ring_bytes /= 2;
    while (!map_rings(set)) {
        if (errno != EPERM && errno != ENOMEM)
            return fl_fail_errno(err, "mapping perf's buffers");
        if (set->ring_bytes / 2 < RING_MIN_BYTES)
            return fl_fail(err, FL_EMACHINE,
                           "no memory may be locked for perf's buffers: raise "
                           "kernel.perf_event_mlock_kb or ulimit -l");
        set->ring_bytes /= 2;
    }
    return FL_OK;
}
