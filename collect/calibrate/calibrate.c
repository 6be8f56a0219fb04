/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The measurements one after the other, and what they share. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <faultline/hostinfo.h>
#include <faultline/trace.h>

#include "cal.h"

/* ---- samples ---------------------------------------------------------------- */

void cal_add(struct cal_samples *s, int64_t ns, uint64_t ops)
{
    if (ops && s->n < CAL_SAMPLES_MAX)
        s->ps[s->n++] = (int64_t)((double)ns * 1000.0 / (double)ops);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t cal_median_ps(struct cal_samples *s)
{
    qsort(s->ps, s->n, sizeof s->ps[0], by_value);
    return s->n ? s->ps[s->n / 2] : 0;
}

static uint64_t not_negative(int64_t v)
{
    return v > 0 ? (uint64_t)v : 0;
}

void cal_done(struct cal *cal, enum fl_cost cost, struct cal_samples *s)
{
    if (s->n) {
        struct fl_costs *out = cal->out;
        out->ps[cost] = not_negative(cal_median_ps(s));
        out->low_ps[cost] = not_negative(s->ps[s->n / 4]);
        out->high_ps[cost] = not_negative(s->ps[s->n * 3 / 4]);
        out->given[cost] = true;
    }
    s->n = 0;
}

/* ---- clocks ------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t cal_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t cal_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cal_faults(bool major)
{
    struct rusage u;
    getrusage(RUSAGE_THREAD, &u);
    return (uint64_t)(major ? u.ru_majflt : u.ru_minflt);
}

/* ---- memory ---------------------------------------------------------------------- */

char *cal_map(size_t pages)
{
    char *at = mmap(NULL, pages * FL_PAGE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    madvise(at, pages * FL_PAGE_BYTES, MADV_NOHUGEPAGE); /* fails where there are none */
    return at;
}

void cal_unmap(char *at, size_t pages)
{
    if (at)
        munmap(at, pages * FL_PAGE_BYTES);
}

void cal_read(const char *at, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        (void)*(const volatile char *)(at + i * FL_PAGE_BYTES);
}

void cal_write(char *at, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        *(volatile char *)(at + i * FL_PAGE_BYTES) = (char)i;
}

void cal_shuffle(uint32_t *order, size_t n)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t k = cal_random(&x) % i;
        uint32_t t = order[i - 1];
        order[i - 1] = order[k];
        order[k] = t;
    }
}

int cal_file(struct cal *cal, size_t pages, struct fl_err *err)
{
    char path[4096], page[FL_PAGE_BYTES];
    snprintf(path, sizeof path, "%s/faultline-calibrate-XXXXXX", cal->opts->dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return fl_fail_errno(err, "cannot make a file in %s; give another --dir", cal->opts->dir);
    unlink(path);
    for (size_t i = 0; i < pages; i++) {
        memset(page, (int)i, sizeof page);
        if (write(fd, page, sizeof page) != (ssize_t)sizeof page) {
            int rc = fl_fail_errno(err, "cannot write %zu MiB in %s; give another --dir",
                                   pages >> 8, cal->opts->dir);
            close(fd);
            return rc;
        }
    }
    if (fsync(fd) != 0) {
        int rc = fl_fail_errno(err, "cannot write to %s; give another --dir", cal->opts->dir);
        close(fd);
        return rc;
    }
    return fd;
}

/* ---- all of it ---------------------------------------------------------------------- */

static int set_source(struct fl_costs *out, struct fl_err *err)
{
    struct fl_meta *meta = fl_meta_new();
    int rc = meta ? fl_host_meta(meta, err) : fl_nomem(err, "host facts");
    const char *cpu = NULL, *kernel = NULL;
    char day[16];
    time_t now = time(NULL);
    struct tm tm;
    if (rc == FL_OK) {
        cpu = fl_meta_get(meta, "host.cpu");
        kernel = fl_meta_get(meta, "host.kernel");
        strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&now, &tm));
        snprintf(out->source, sizeof out->source, "faultline calibrate, %s, Linux %s, %s",
                 cpu ? cpu : "unknown CPU", kernel ? kernel : "unknown", day);
        for (char *p = out->source; *p; p++)
            if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
                *p = '?';
    }
    fl_meta_free(meta);
    return rc;
}

int fl_calibrate(const struct fl_calibrate_opts *opts, struct fl_costs *out,
                 char why[FL_CALIBRATE_WHY_BYTES], struct fl_err *err)
{
    static const struct {
        const char *what;
        int (*measure)(struct cal *cal, struct fl_err *err);
    } parts[] = {
        { "processor", cal_processor }, { "minor faults", cal_minor }, { "files", cal_files },
        { "disk", cal_disk },           { "swap", cal_swap },
    };
    struct cal cal = { .opts = opts, .out = out, .why = why };
    *out = *fl_costs_default();
    why[0] = '\0';
    int rc = set_source(out, err);
    for (size_t i = 0; rc == FL_OK && i < FL_COUNT(parts); i++) {
        if (opts->progress)
            opts->progress(opts->arg, parts[i].what, (unsigned)(i * 10000 / FL_COUNT(parts)));
        rc = parts[i].measure(&cal, err);
    }
    return rc;
}
