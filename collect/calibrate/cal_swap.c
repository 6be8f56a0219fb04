/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Swapping, as a process in a memory control group sees it whose memory is half of what it uses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultline/cgroup.h>
#include <faultline/swapdev.h>

#include "cal.h"

enum {
    PAGES = FL_CALIBRATE_HEAP_PAGES,
    LIMIT_PAGES = PAGES / 2,
    CHUNK = 256,        /* touches of one sample */
    IN_CHUNKS = 24,     /* of random swap-ins */
    SETTLE_US = 300000, /* for a disk to write 16 MiB */
    DEVICE_BYTES = 256 << 20,
};

/* What the child measured, in memory it shares with us. */
struct found {
    bool disk; /* it is waited for: time that passes; else the processor's work */
    struct cal_samples out, in, ahead, cached;
};

static void fill(char *page, uint64_t *x)
{
    for (size_t k = 0; k < FL_PAGE_BYTES / 2; k += sizeof *x) {
        cal_random(x);
        memcpy(page + k, x, sizeof *x);
    }
}

static int64_t clock_of(const struct found *f)
{
    return f->disk ? cal_wall_ns() : cal_cpu_ns();
}

void cal_fill(char *at, size_t pages, uint64_t *x)
{
    for (size_t i = 0; i < pages; i++)
        fill(at + i * FL_PAGE_BYTES, x);
}

static uint64_t swapped(bool in)
{
    struct fl_vm_counts now;
    if (fl_vm_counts_read(&now, NULL) != FL_OK)
        return 0;
    return in ? fl_vm_swap_in(&now) : fl_vm_swap_out(&now);
}

/* New pages beyond the limit: each pushes another one out. */
static void outward(const struct fl_costs *costs, char *at, struct found *f)
{
    uint64_t x = 88172645463325252u;
    cal_fill(at, CHUNK, &x);
    int64_t t0 = clock_of(f);
    cal_fill(at, CHUNK, &x);
    int64_t known_ns =
        clock_of(f) - t0 + (int64_t)fl_cost_of_ns(costs, FL_COST_FAULT_ANON_WRITE, CHUNK);
    for (size_t i = CHUNK; i < PAGES; i += CHUNK) {
        uint64_t before = swapped(false);
        t0 = clock_of(f);
        cal_fill(at + i * FL_PAGE_BYTES, CHUNK, &x);
        int64_t ns = clock_of(f) - t0;
        uint64_t pages = swapped(false) - before;
        if (pages >= CHUNK / 2)
            cal_add(&f->out, ns - known_ns, pages);
    }
}

/* Old pages, read in random order; what had to go out for them is taken off. */
static void inward(char *at, struct found *f)
{
    static uint32_t order[PAGES];
    int64_t out_ps = cal_median_ps(&f->out);
    cal_shuffle(order, PAGES);
    for (size_t i = 0; i < IN_CHUNKS; i++) {
        uint64_t major = cal_faults(true), out = swapped(false);
        int64_t t0 = clock_of(f);
        for (size_t k = 0; k < CHUNK; k++)
            cal_read(at + order[i * CHUNK + k] * FL_PAGE_BYTES, 1);
        int64_t ns = clock_of(f) - t0;
        major = cal_faults(true) - major;
        out = swapped(false) - out;
        if (i && major >= CHUNK / 8)
            cal_add(&f->in, ns - out_ps * (int64_t)out / 1000, major);
    }
}

/* In order, where a disk's read-ahead brings several a fault. */
static void ahead(char *at, struct found *f)
{
    int64_t in_ps = cal_median_ps(&f->in);
    for (size_t i = 0; i < PAGES / 2; i += CHUNK) {
        uint64_t major = cal_faults(true), in = swapped(true);
        int64_t t0 = cal_wall_ns();
        cal_read(at + i * FL_PAGE_BYTES, CHUNK);
        int64_t ns = cal_wall_ns() - t0;
        major = cal_faults(true) - major;
        in = swapped(true) - in;
        ns -= (int64_t)major * in_ps / 1000;
        if (major && in >= 2 * major)
            cal_add(&f->ahead, ns > 0 ? ns : 0, in - major);
    }
}

/* Pages that are on their way out, or just written, and still in memory. */
static void cached(char *at, struct found *f)
{
    for (unsigned rep = 0; rep < 5; rep++) {
        uint64_t minor = cal_faults(false), major = cal_faults(true);
        if (madvise(at, LIMIT_PAGES / 4 * FL_PAGE_BYTES, MADV_PAGEOUT) != 0)
            return;
        usleep(SETTLE_US);
        int64_t t0 = cal_cpu_ns();
        cal_read(at, LIMIT_PAGES / 4);
        int64_t t1 = cal_cpu_ns();
        minor = cal_faults(false) - minor;
        if (minor >= LIMIT_PAGES / 8 && cal_faults(true) == major)
            cal_add(&f->cached, t1 - t0, minor);
        cal_write(at, LIMIT_PAGES / 4);
    }
}

static int child(const struct cal *cal, const struct fl_cgroup *group, struct found *f)
{
    uint64_t x = 1;
    if (fl_cgroup_join(group, NULL) != FL_OK)
        return 1;
    char *at = cal_map(PAGES);
    if (!at)
        return 1;
    cal_fill(at, PAGES, &x); /* so that a hypervisor finds memory for the device, if it is zram */
    cal_unmap(at, PAGES);
    at = cal_map(PAGES);
    if (!at)
        return 1;
    outward(cal->out, at, f);
    inward(at, f);
    if (f->disk) {
        ahead(at, f);
        cached(at, f);
    }
    return 0;
}

static void take(struct cal *cal, struct found *f)
{
    bool disk = f->disk;
    cal->out->swap_device = disk ? FL_SWAP_DEVICE_DISK : FL_SWAP_DEVICE_ZRAM;
    cal_done(cal, disk ? FL_COST_SWAP_OUT_DISK : FL_COST_SWAP_OUT_SYNC, &f->out);
    cal_done(cal, disk ? FL_COST_SWAP_IN_DISK : FL_COST_SWAP_IN_SYNC, &f->in);
    cal_done(cal, FL_COST_SWAP_READAHEAD, &f->ahead);
    cal_done(cal, FL_COST_FAULT_SWAP_CACHE, &f->cached);
}

static int in_group(struct cal *cal, const struct fl_cgroup *group, bool disk, struct fl_err *err)
{
    struct found *f =
        mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0, rc = FL_OK;
    if (f == MAP_FAILED)
        return fl_nomem(err, "measurements");
    f->disk = disk;
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(cal, group, f));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        rc = fl_fail_errno(err, "cannot run a child");
    else if (status != 0 || !f->in.n)
        rc = fl_fail(err, FL_EMACHINE, "nothing was swapped in a group limited to %d MiB",
                     LIMIT_PAGES >> 8);
    else
        take(cal, f);
    munmap(f, sizeof *f);
    return rc;
}

static int measure(struct cal *cal, struct fl_guard *guard, struct fl_err *err)
{
    static const enum fl_swapdev_kind kinds[] = { [FL_CALIBRATE_SWAP_NONE] = FL_SWAPDEV_AUTO,
                                                  [FL_CALIBRATE_SWAP_ZRAM] = FL_SWAPDEV_ZRAM,
                                                  [FL_CALIBRATE_SWAP_FILE] = FL_SWAPDEV_FILE };
    struct fl_swapdev_request want = { .kind = kinds[cal->opts->swap] };
    struct fl_swapdev swap;
    struct fl_cgroup_site site;
    struct fl_cgroup group;
    char name[64];
    snprintf(name, sizeof name, "faultline-calibrate-%d", (int)getpid());
    int rc = fl_swapdev_on(&want, DEVICE_BYTES, cal->opts->dir, guard, &swap, err);
    if (rc == FL_OK)
        rc = fl_cgroup_find(guard, &site, err);
    if (rc == FL_OK)
        rc = fl_cgroup_make(&site, name, (uint64_t)LIMIT_PAGES * FL_PAGE_BYTES, guard, &group, err);
    if (rc == FL_OK)
        rc = in_group(cal, &group, swap.kind != FL_SWAPDEV_ZRAM, err);
    if (rc == FL_OK)
        fl_calibrate_tlb(&group, &cal->out->tlb);
    return rc;
}

/* Swap that is on already, as /proc/swaps lists it. */
static bool any_swap(void)
{
    char text[4096];
    struct fl_swapdev swap;
    FILE *f = fopen("/proc/swaps", "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return fl_swapdev_scan(text, &swap) > 0;
}

int cal_swap(struct cal *cal, struct fl_err *err)
{
    struct fl_err why = { .code = FL_OK }, left = { .code = FL_OK };
    struct fl_guard *guard = NULL;
    if (cal->opts->swap == FL_CALIBRATE_SWAP_NONE && !any_swap())
        return FL_OK;
    int rc = fl_guard_start(&guard, &why);
    if (rc == FL_OK)
        rc = measure(cal, guard, &why);
    int undone = fl_guard_end(guard, &left);
    if (rc != FL_OK)
        snprintf(cal->why, FL_CALIBRATE_WHY_BYTES, "%s", why.msg);
    if (undone != FL_OK && err)
        *err = left;
    return undone;
}
