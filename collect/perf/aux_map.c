/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aux_map.c - AUX buffers of a recording, and the clock of what is written there. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "aux_ring.h"
#include "perf_open.h"

/* The kernel gives notice of half of it; samples wait that long at most while a task runs on. */
#define AUX_BYTES (UINT64_C(256) << 10)

bool fl_aux_clock(struct fl_spe_clock *out)
{
#if defined(__aarch64__)
    struct timespec now;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(out->ticks_hz));
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(out->ticks));
    clock_gettime(CLOCK_MONOTONIC, &now);
    out->time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return true;
#else
    *out = (struct fl_spe_clock){ 0 };
    return false;
#endif
}

/* One machine may have cores of several makes. */
static uint64_t midr_of(int cpu)
{
    char path[96];
    uint64_t midr = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/regs/identification/midr_el1", cpu);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%" SCNx64, &midr) != 1)
            midr = 0;
        fclose(f);
    }
    return midr;
}

static int map_one(struct fl_perf_set *set, const struct fl_perf_fd *f, struct fl_err *err)
{
    struct fl_perf_cpu *cpu = &set->cpus[f->cpu];
    struct perf_event_mmap_page *head = cpu->map;
    const struct fl_pmu_event *event = set->plan.extra[f->index].sampled;
    size_t behind = (size_t)sysconf(_SC_PAGESIZE) + set->ring_bytes;
    head->aux_offset = behind;
    head->aux_size = AUX_BYTES;
    void *map = mmap(NULL, AUX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, (off_t)behind);
    if (map == MAP_FAILED && (errno == EPERM || errno == ENOMEM))
        return fl_fail(err, FL_EMACHINE,
                       "no memory may be locked for samples: raise kernel.perf_event_mlock_kb "
                       "or ulimit -l");
    if (map == MAP_FAILED)
        return fl_fail_errno(err, "mapping the buffer for samples");
    cpu->aux = (struct fl_aux){ .head = (uint64_t *)&head->aux_head,
                                .tail = (uint64_t *)&head->aux_tail,
                                .data = map,
                                .size_bytes = AUX_BYTES,
                                .period = event->attr.sample_period,
                                .sources = fl_spe_sources_of(midr_of(cpu->cpu)),
                                .any_task = set->plan.target == FL_TARGET_MACHINE };
    return FL_OK;
}

int fl_aux_map(struct fl_perf_set *set, struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < set->n_fds; i++) {
        const struct fl_perf_fd *f = &set->fds[i];
        if (f->source != FL_SRC_SAMPLE || f->role != FL_FD_EVENT ||
            set->plan.extra[f->index].sampled->kind != FL_PMU_KIND_SPE ||
            set->cpus[f->cpu].aux.data)
            continue;
        rc = map_one(set, f, err);
        set->has_aux = set->has_aux || rc == FL_OK;
    }
    return rc;
}

void fl_aux_resume(struct fl_perf_set *set, uint32_t cpu)
{
    set->cpus[cpu].aux.stopped = false;
    for (size_t i = 0; i < set->n_fds; i++) {
        const struct fl_perf_fd *f = &set->fds[i];
        if (f->cpu == cpu && f->source == FL_SRC_SAMPLE && f->role == FL_FD_EVENT &&
            !__atomic_load_n(&set->off, __ATOMIC_RELAXED))
            (void)ioctl(f->fd, PERF_EVENT_IOC_ENABLE, 0); /* refused: its tasks are gone */
    }
}

void fl_aux_unmap(struct fl_perf_set *set)
{
    for (uint32_t i = 0; i < set->n_cpus; i++) {
        struct fl_aux *aux = &set->cpus[i].aux;
        if (aux->data)
            munmap((void *)(uintptr_t)aux->data, aux->size_bytes);
        aux->data = NULL;
    }
}
