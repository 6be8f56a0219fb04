/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmu.h - which events sample memory accesses on a machine, and how to ask for them.
 *
 * Intel: PEBS load latency and stores. AMD: IBS op. Arm: the Statistical Profiling
 * Extension. Or any event that libpfm4 has a name for. A plan is data: making one
 * opens no event, so that plans for every machine are tested on any.
 */
#ifndef FL_PERF_PMU_H
#define FL_PERF_PMU_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

/** Where a machine describes itself. */
struct fl_pmu_host {
    const char *sysfs;   /* "/sys" */
    const char *cpuinfo; /* "/proc/cpuinfo" */
};

/** fl_pmu_host_here - the machine this runs on. */
struct fl_pmu_host fl_pmu_host_here(void);

enum fl_pmu_vendor {
    FL_PMU_OTHER = 0,
    FL_PMU_INTEL = 1,
    FL_PMU_AMD = 2, /* and Hygon */
    FL_PMU_ARM = 3
};

struct fl_pmu_cpu {
    enum fl_pmu_vendor vendor;
    uint32_t family, model, stepping; /* x86, as /proc/cpuinfo has them */
    uint64_t midr;                    /* Arm: MIDR_EL1 of the first CPU */
    bool virtual_machine;             /* x86: a hypervisor says that it is there */
    char name[64];                    /* "Intel family 6 model 143", "Arm 0x41 part 0xd0c" */
};

/** fl_pmu_cpu_parse - the first CPU in the text of /proc/cpuinfo. Cannot fail. */
void fl_pmu_cpu_parse(const char *cpuinfo, struct fl_pmu_cpu *out);

struct fl_pmu_request {
    const char *event; /* NULL: the machine's memory accesses; else a name for libpfm4 */
    uint64_t period;   /* occurrences from one sample to the next; 0: the event's usual */
    uint64_t freq_hz;  /* else samples a second wanted of every CPU; the period then varies */
    uint32_t min_latency_cycles; /* only accesses that took so long; 0: all */
    bool no_loads, no_stores;    /* where the machine can tell them apart */
    bool user_only;              /* nothing from kernel mode */
    bool stacks;                 /* user call chains */
    uint32_t wakeup_bytes;       /* wake the reader when so much waits in the ring */
};

enum fl_pmu_kind {
    FL_PMU_KIND_PEBS = 0,  /* samples in the ring, the access named by the processor */
    FL_PMU_KIND_IBS = 1,   /* the same, of every kind of operation: most touch no memory */
    FL_PMU_KIND_SPE = 2,   /* samples in the AUX buffer, for spe.h */
    FL_PMU_KIND_CHOSEN = 3 /* what the user named; the address is what the event has */
};

/* fl_pmu_event.without: what fl_pmu_settle() had to leave out */
enum {
    FL_PMU_WITHOUT_PHYS = 1u << 0,         /* physical addresses */
    FL_PMU_WITHOUT_KERNEL = 1u << 1,       /* accesses in kernel mode */
    FL_PMU_WITHOUT_WEIGHT_PARTS = 1u << 2, /* one latency instead of its parts */
    FL_PMU_WITHOUT_LOST = 1u << 3          /* lost records by event */
};

struct fl_pmu_event {
    enum fl_pmu_kind kind;
    char name[64]; /* what traces call it: "loads", "stores", "operations", or as the user did */
    char encoded_from[128]; /* libpfm4's or the kernel's name */
    struct perf_event_attr attr;
    /* Sapphire Rapids: an event that has to run in the same group, opened before it and
     * as its leader; it is only counted. */
    bool has_leader;
    struct perf_event_attr leader;
    /* Where a sample stands for an unknown number of accesses, because the hardware picks
     * them itself: an event that counts all of them, without samples. */
    bool has_total;
    struct perf_event_attr total;
    bool
        no_exclude; /* the kernel refuses every exclude_* bit for it: filter by mode when reading */
    char cpus[128]; /* list of the CPUs that have it, as "0-7"; "": all */
    uint64_t phys_config; /* bits of attr.config that ask for physical addresses (Arm) */
    unsigned without;     /* FL_PMU_WITHOUT_* */
};

#define FL_PMU_EVENTS_MAX 16u

struct fl_pmu_plan {
    struct fl_pmu_cpu cpu;
    struct fl_pmu_event v[FL_PMU_EVENTS_MAX];
    size_t n; /* at least 1 on success */
};

/**
 * fl_pmu_plan - what to open on @host for @req.
 * Errors: FL_EMACHINE when the machine offers no sampling of memory accesses, with the
 * reason and what to record with instead; FL_EUSAGE for an event that libpfm4 does not
 * know, a period out of range, or both loads and stores left out.
 */
int fl_pmu_plan(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                struct fl_pmu_plan *plan, struct fl_err *err);

/** Opens @event and closes it again. Returns: 0, or the errno of perf_event_open(2). */
typedef int (*fl_pmu_try)(void *ctx, const struct fl_pmu_event *event);

/** Whom an event is tried on. */
struct fl_pmu_target {
    bool machine; /* everything on the first CPU that has it; else the calling thread */
};

/** fl_pmu_try_here - fl_pmu_try on this kernel. @ctx: const struct fl_pmu_target *; NULL: of zeroes. */
int fl_pmu_try_here(void *ctx, const struct fl_pmu_event *event);

/**
 * fl_pmu_settle - leave out of @event what the kernel refuses until @try succeeds:
 * physical addresses and kernel mode for want of privilege, newer fields on older kernels.
 * What was left out is in event->without; fl_pmu_without_text() says it.
 * Errors: FL_EMACHINE with the remedy; FL_EIO for what no setting explains.
 */
int fl_pmu_settle(struct fl_pmu_event *event, fl_pmu_try try, void *ctx, struct fl_err *err);

/**
 * fl_pmu_without_text - "physical addresses (...), ..." for people; "" when nothing was left out.
 * @buf: @size bytes, cut when it is too short. Returns @buf.
 */
char *fl_pmu_without_text(char *buf, size_t size, unsigned without);

#endif
