/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Minor faults on memory without a file: touch pages, less the same touches once more. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cal.h"

static int64_t once(char *at, bool write)
{
    int64_t t0 = cal_cpu_ns();
    if (write)
        cal_write(at, CAL_PAGES);
    else
        cal_read(at, CAL_PAGES);
    return cal_cpu_ns() - t0;
}

/* A repetition counts when every page faulted once. */
static void first_touch(struct cal_samples *s, char *at, bool write)
{
    uint64_t before = cal_faults(false);
    int64_t first = once(at, write);
    uint64_t faults = cal_faults(false) - before;
    if (faults >= CAL_PAGES && faults <= CAL_PAGES + 16)
        cal_add(s, first - once(at, write), CAL_PAGES);
}

static int anonymous(struct cal *cal, bool write, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    char *at = cal_map(CAL_PAGES);
    if (!at)
        return fl_nomem(err, "pages to fault in");
    for (unsigned i = 0; i < CAL_REPS; i++) {
        first_touch(&s, at, write);
        madvise(at, CAL_PAGES * FL_PAGE_BYTES, MADV_DONTNEED);
    }
    cal_unmap(at, CAL_PAGES);
    cal_done(cal, write ? FL_COST_FAULT_ANON_WRITE : FL_COST_FAULT_ANON_ZERO, &s);
    return FL_OK;
}

static int shared(struct cal *cal, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    for (unsigned i = 0; i < CAL_REPS; i++) {
        char *at = mmap(NULL, CAL_PAGES * FL_PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED)
            return fl_nomem(err, "shared pages to fault in");
        first_touch(&s, at, true);
        cal_unmap(at, CAL_PAGES);
    }
    cal_done(cal, FL_COST_FAULT_SHMEM, &s);
    return FL_OK;
}

/* A child writes what its parent keeps mapped, and leaves its samples in shared memory. */
static int copied(struct cal *cal, struct fl_err *err)
{
    char *at = cal_map(CAL_PAGES);
    struct cal_samples *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc = FL_OK;
    if (!at || s == MAP_FAILED)
        return fl_nomem(err, "pages to copy");
    cal_write(at, CAL_PAGES);
    for (unsigned i = 0; i < CAL_REPS && rc == FL_OK; i++) {
        pid_t child = fork();
        if (child == 0) {
            first_touch(s, at, true);
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) != child)
            rc = fl_fail_errno(err, "cannot run a child");
    }
    if (rc == FL_OK)
        cal_done(cal, FL_COST_FAULT_COW, s);
    munmap(s, sizeof *s);
    cal_unmap(at, CAL_PAGES);
    return rc;
}

/* One write into each block; @s: NULL to warm up. */
static void huge_blocks(char *first, size_t blocks, struct cal_samples *s)
{
    const size_t pages = 512;
    for (size_t i = 0; i < blocks; i++) {
        char *at = first + i * pages * FL_PAGE_BYTES;
        uint64_t before = cal_faults(false);
        int64_t t0 = cal_cpu_ns();
        *(volatile char *)at = 1;
        int64_t t1 = cal_cpu_ns();
        cal_write(at, pages);
        if (s && cal_faults(false) == before + 1)
            cal_add(s, t1 - t0, 1);
        madvise(at, pages * FL_PAGE_BYTES, MADV_DONTNEED);
    }
}

/* The first write into aligned 2 MiB blocks, where the kernel gives huge pages. The first rounds
   are for a hypervisor to find memory for them. */
static int huge(struct cal *cal, struct fl_err *err)
{
    const size_t huge_pages = 512, blocks = 16;
    size_t pages = (blocks + 1) * huge_pages;
    struct cal_samples s = { .n = 0 };
    char *at = cal_map(pages);
    if (!at)
        return fl_nomem(err, "huge pages");
    uintptr_t bytes = huge_pages * FL_PAGE_BYTES;
    char *first = (char *)(((uintptr_t)at + bytes - 1) & ~(bytes - 1));
    bool allowed = madvise(first, blocks * bytes, MADV_HUGEPAGE) == 0;
    for (unsigned rep = 0; allowed && rep < 6; rep++)
        huge_blocks(first, blocks, rep < 2 ? NULL : &s);
    cal_unmap(at, pages);
    cal_done(cal, FL_COST_FAULT_HUGE, &s);
    return FL_OK;
}

int cal_minor(struct cal *cal, struct fl_err *err)
{
    int rc = anonymous(cal, true, err);
    if (rc == FL_OK)
        rc = anonymous(cal, false, err);
    if (rc == FL_OK)
        rc = copied(cal, err);
    if (rc == FL_OK)
        rc = shared(cal, err);
    return rc == FL_OK ? huge(cal, err) : rc;
}
