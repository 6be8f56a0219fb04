/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapped files, warm and cold, and what it costs to reclaim their pages. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cal.h"

enum {
    FILE_PAGES = 4096,
    ALONE_PAGES = 1024, /* mappings of one page each */
    COLD_READS = 128,
    STREAM_PAGES = 256, /* a sample of sequential reading */
};

static char *map_file(int fd, size_t pages)
{
    char *at = mmap(NULL, pages * FL_PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void to_disk_only(int fd)
{
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* Mappings of one page each, in reverse order of the file so that none merge: no fault-around. */
static int alone(struct cal *cal, int fd, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    for (unsigned rep = 0; rep < CAL_REPS; rep++) {
        char *at = cal_map(ALONE_PAGES);
        if (!at)
            return fl_nomem(err, "mappings of a file");
        for (size_t i = 0; i < ALONE_PAGES; i++)
            if (mmap(at + i * FL_PAGE_BYTES, FL_PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd,
                     (off_t)((ALONE_PAGES - 1 - i) * FL_PAGE_BYTES)) == MAP_FAILED)
                return fl_fail_errno(err, "cannot map a file");
        uint64_t before = cal_faults(false);
        int64_t t0 = cal_cpu_ns();
        cal_read(at, ALONE_PAGES);
        int64_t t1 = cal_cpu_ns();
        bool each = cal_faults(false) - before >= ALONE_PAGES;
        cal_read(at, ALONE_PAGES);
        if (each)
            cal_add(&s, t1 - t0 - (cal_cpu_ns() - t1), ALONE_PAGES);
        cal_unmap(at, ALONE_PAGES);
    }
    cal_done(cal, FL_COST_FAULT_FILE_MAP, &s);
    return FL_OK;
}

/* One mapping of all: each fault maps its neighbours too. */
static int around(struct cal *cal, int fd, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    for (unsigned rep = 0; rep < CAL_REPS; rep++) {
        char *at = map_file(fd, FILE_PAGES);
        if (!at)
            return fl_fail_errno(err, "cannot map a file");
        uint64_t before = cal_faults(false);
        int64_t t0 = cal_cpu_ns();
        cal_read(at, FILE_PAGES);
        int64_t t1 = cal_cpu_ns();
        uint64_t faults = cal_faults(false) - before;
        cal_read(at, FILE_PAGES);
        if (faults < FILE_PAGES / 2) /* one at a time otherwise: no fault-around here */
            cal_add(&s, t1 - t0 - (cal_cpu_ns() - t1), faults);
        cal_unmap(at, FILE_PAGES);
    }
    cal_done(cal, FL_COST_FAULT_FILE_AROUND, &s);
    return FL_OK;
}

/* Random pages of a file that is on its disk only, a request each. */
static int cold(struct cal *cal, int fd, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    uint32_t order[FILE_PAGES];
    char *at = map_file(fd, FILE_PAGES);
    if (!at)
        return fl_fail_errno(err, "cannot map a file");
    to_disk_only(fd);
    madvise(at, FILE_PAGES * FL_PAGE_BYTES, MADV_RANDOM);
    cal_shuffle(order, FILE_PAGES);
    for (size_t i = 0; i < COLD_READS; i++) {
        uint64_t before = cal_faults(true);
        int64_t t0 = cal_wall_ns();
        cal_read(at + order[i] * FL_PAGE_BYTES, 1);
        int64_t t1 = cal_wall_ns();
        if (cal_faults(true) > before)
            cal_add(&s, t1 - t0, 1);
    }
    cal_unmap(at, FILE_PAGES);
    if (s.n < COLD_READS / 2)
        s.n = 0; /* a file system in memory */
    cal_done(cal, FL_COST_FILE_READ, &s);
    return FL_OK;
}

static int stream(struct cal *cal, int fd, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    uint64_t major = cal_faults(true);
    char *at = map_file(fd, FILE_PAGES);
    if (!at)
        return fl_fail_errno(err, "cannot map a file");
    to_disk_only(fd);
    madvise(at, FILE_PAGES * FL_PAGE_BYTES, MADV_SEQUENTIAL);
    int64_t t0 = cal_wall_ns();
    cal_read(at, FILE_PAGES);
    int64_t t1 = cal_wall_ns();
    major = cal_faults(true) - major;
    int64_t waits = (int64_t)(major * (cal->out->ps[FL_COST_FILE_READ] / 1000));
    cal_unmap(at, FILE_PAGES);
    /* the requests' own waits are counted with the faults, as the estimate does */
    if (major && cal->out->given[FL_COST_FILE_READ])
        cal_add(&s, t1 - t0 > waits ? t1 - t0 - waits : 0, FILE_PAGES - major);
    cal_done(cal, FL_COST_FILE_READAHEAD, &s);
    return FL_OK;
}

/* Pages written one by one are single pages of the cache; a second mapping pages them out. */
static int reclaim(struct cal *cal, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    for (unsigned rep = 0; rep < 5; rep++) {
        int fd = cal_file(cal, FILE_PAGES, err);
        char *at = fd < 0 ? NULL : map_file(fd, FILE_PAGES);
        unsigned char in[FILE_PAGES] = { 0 };
        size_t left = 0;
        if (at) {
            cal_read(at, FILE_PAGES);
            int64_t t0 = cal_cpu_ns();
            bool done = madvise(at, FILE_PAGES * FL_PAGE_BYTES, MADV_PAGEOUT) == 0;
            int64_t t1 = cal_cpu_ns();
            if (mincore(at, FILE_PAGES * FL_PAGE_BYTES, in) == 0)
                for (size_t i = 0; i < FILE_PAGES; i++)
                    left += in[i] & 1;
            if (done && left < FILE_PAGES / 20)
                cal_add(&s, t1 - t0, FILE_PAGES - left);
            cal_unmap(at, FILE_PAGES);
        }
        if (fd < 0)
            return fd;
        close(fd);
    }
    cal_done(cal, FL_COST_RECLAIM, &s);
    return FL_OK;
}

/* MADV_COLD looks at a page, clears its accessed bit and leaves it in memory. */
static int scan(struct cal *cal, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    char *at = cal_map(CAL_PAGES);
    if (!at)
        return fl_nomem(err, "pages to scan");
    for (unsigned rep = 0; rep < CAL_REPS; rep++) {
        cal_write(at, CAL_PAGES);
        int64_t t0 = cal_cpu_ns();
        bool done = madvise(at, CAL_PAGES * FL_PAGE_BYTES, MADV_COLD) == 0;
        if (done)
            cal_add(&s, cal_cpu_ns() - t0, CAL_PAGES);
    }
    cal_unmap(at, CAL_PAGES);
    cal_done(cal, FL_COST_SCAN, &s);
    return FL_OK;
}

int cal_files(struct cal *cal, struct fl_err *err)
{
    int fd = cal_file(cal, FILE_PAGES, err);
    if (fd < 0)
        return fd;
    int rc = alone(cal, fd, err);
    if (rc == FL_OK)
        rc = around(cal, fd, err);
    if (rc == FL_OK)
        rc = cold(cal, fd, err);
    if (rc == FL_OK)
        rc = stream(cal, fd, err);
    close(fd);
    if (rc == FL_OK)
        rc = reclaim(cal, err);
    return rc == FL_OK ? scan(cal, err) : rc;
}
