/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Residency from pagemap: by PAGEMAP_SCAN, or entry by entry. */
#include <errno.h>
#include <linux/ioctl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <faultline/proc.h>
#include <faultline/units.h>

#include "proc_file.h"

#define LIMIT_NS UINT64_C(2000000000)
#define LARGE_BYTES (UINT64_C(1) << 30)
#define SCAN_BYTES (UINT64_C(1) << 36) /* of addresses a call, so that the clock is looked at */
#define REGIONS 4096u
#define ENTRIES 65536u

/* Linux 6.7's include/uapi/linux/fs.h, which older headers do not have. */
struct scan_region {
    uint64_t start, end, categories;
};

struct scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN _IOWR('f', 16, struct scan_arg)

enum { IS_FILE = 1 << 2, IS_PRESENT = 1 << 3, IS_SWAPPED = 1 << 4, IS_GUARD = 1 << 8 };

/* pagemap entries; Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)
#define ENTRY_FILE (UINT64_C(1) << 61)
#define ENTRY_GUARD (UINT64_C(1) << 58)

struct mapping {
    uint64_t start, end;
};

struct walk {
    int fd;
    struct mapping *map;
    size_t n, room;
    uint64_t page_bytes, deadline_ns;
    uint64_t guard; /* IS_GUARD when the kernel knows it (6.15) */
    void *buf;
    struct { /* not yet given on; empty: start == end */
        uint64_t start, end;
        uint32_t state;
    } held;
    fl_proc_present_fn *fn;
    void *ctx;
    struct fl_proc_present_sum *sum;
    struct fl_err *err;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static int keep_mapping(void *ctx, const struct fl_proc_map *map, struct fl_err *err)
{
    struct walk *w = ctx;
    if (map->flags & FL_MAP_SPECIAL)
        return FL_OK;
    if (w->n == w->room) {
        struct mapping *more =
            realloc(w->map, (w->room = w->room ? 2 * w->room : 256) * sizeof *more);
        if (!more)
            return fl_nomem(err, "reading mappings");
        w->map = more;
    }
    w->map[w->n++] = (struct mapping){ map->start, map->end };
    return FL_OK;
}

/* ---- ranges -------------------------------------------------------------------------------- */

static int flush(struct walk *w)
{
    uint64_t length = w->held.end - w->held.start;
    if (!length)
        return FL_OK;
    if (w->held.state & FL_PRESENT_RESIDENT)
        w->sum->resident_bytes += length;
    else
        w->sum->swapped_bytes += length;
    w->sum->ranges++;
    int rc = w->fn(w->ctx, w->held.start, length, w->held.state, w->err);
    w->held.start = w->held.end;
    return rc;
}

static int push(struct walk *w, uint64_t start, uint64_t end, uint32_t state)
{
    if (w->held.start < w->held.end && w->held.end == start && w->held.state == state) {
        w->held.end = end;
        return FL_OK;
    }
    int rc = flush(w);
    w->held.start = start;
    w->held.end = end;
    w->held.state = state;
    return rc;
}

/* ---- PAGEMAP_SCAN ----------------------------------------------------------------------------- */

/*
 * Regions of [start, end); @next: where to go on. Returns: their number, or -1 with errno.
 * walk_end may lie before regions that were returned: the kernel works in batches of 512 and
 * does not set it for the last one (seen in 6.18).
 */
static int scan_call(struct walk *w, uint64_t start, uint64_t end, uint64_t *next)
{
    struct scan_arg arg = { .size = sizeof arg,
                            .start = start,
                            .end = end,
                            .vec = (uint64_t)(uintptr_t)w->buf,
                            .vec_len = REGIONS,
                            .category_anyof_mask = IS_PRESENT | IS_SWAPPED,
                            .return_mask = IS_PRESENT | IS_SWAPPED | IS_FILE | w->guard };
    int n = ioctl(w->fd, SCAN, &arg);
    const struct scan_region *last = n > 0 ? (struct scan_region *)w->buf + n - 1 : NULL;
    *next = last && last->end > arg.walk_end ? last->end : arg.walk_end;
    return n;
}

static uint32_t region_state(const struct scan_region *r)
{
    uint32_t where = r->categories & IS_PRESENT   ? (uint32_t)FL_PRESENT_RESIDENT
                     : r->categories & IS_SWAPPED ? (uint32_t)FL_PRESENT_SWAPPED
                                                  : 0;
    if (!where || r->categories & IS_GUARD)
        return 0;
    return where | (r->categories & IS_FILE ? (uint32_t)FL_PRESENT_FILE : 0);
}

/* Sets *@read to how far it came, less than the mapping when the time is up. */
static int scan_mapping(struct walk *w, const struct mapping *m, uint64_t *read)
{
    const struct scan_region *region = w->buf;
    int rc = FL_OK;
    for (*read = m->start; *read < m->end && rc == FL_OK && now_ns() < w->deadline_ns;) {
        uint64_t next, stop = m->end - *read > SCAN_BYTES ? *read + SCAN_BYTES : m->end;
        int n = scan_call(w, *read, stop, &next);
        if (n < 0 || next <= *read || next > stop)
            return FL_OK;
        for (int i = 0; i < n && rc == FL_OK; i++) {
            uint32_t state = region_state(&region[i]);
            if (state)
                rc = push(w, region[i].start, region[i].end, state);
        }
        *read = next;
    }
    return rc;
}

/* Does this kernel scan? Also finds out whether it knows guard pages. */
static bool can_scan(struct walk *w)
{
    uint64_t next, end = w->n ? w->map[0].start + w->page_bytes : w->page_bytes;
    w->guard = IS_GUARD;
    if (scan_call(w, end - w->page_bytes, end, &next) >= 0)
        return true;
    w->guard = 0;
    return errno == EINVAL && scan_call(w, end - w->page_bytes, end, &next) >= 0;
}

/* ---- entry by entry ------------------------------------------------------------------------------ */

static uint32_t entry_state(uint64_t entry)
{
    if (!(entry & (ENTRY_PRESENT | ENTRY_SWAPPED)) || entry & ENTRY_GUARD)
        return 0;
    return (entry & ENTRY_PRESENT ? FL_PRESENT_RESIDENT : FL_PRESENT_SWAPPED) |
           (entry & ENTRY_FILE ? (uint32_t)FL_PRESENT_FILE : 0);
}

static int read_mapping(struct walk *w, const struct mapping *m, uint64_t *read)
{
    const uint64_t *entry = w->buf;
    int rc = FL_OK;
    for (*read = m->start; *read < m->end && rc == FL_OK && now_ns() < w->deadline_ns;) {
        uint64_t pages = (m->end - *read) / w->page_bytes;
        size_t want = (pages < ENTRIES ? pages : ENTRIES) * sizeof *entry;
        uint64_t at = *read / w->page_bytes * sizeof *entry;
        ssize_t got = at <= INT64_MAX ? pread(w->fd, w->buf, want, (off_t)at) : -1;
        if (got < (ssize_t)sizeof *entry)
            return FL_OK;
        size_t n = (size_t)got / sizeof *entry;
        for (size_t i = 0; i < n && rc == FL_OK; i++) {
            uint32_t state = entry_state(entry[i]);
            uint64_t page = *read + i * w->page_bytes;
            if (state)
                rc = push(w, page, page + w->page_bytes, state);
        }
        *read += n * w->page_bytes;
    }
    return rc;
}

/* ---- all -------------------------------------------------------------------------------------------- */

static int walk_mappings(struct walk *w)
{
    bool scan = w->sum->by_scan;
    int rc = FL_OK;
    for (int large = 0; large < (scan ? 1 : 2) && rc == FL_OK; large++)
        for (size_t i = 0; i < w->n && rc == FL_OK; i++) {
            const struct mapping *m = &w->map[i];
            uint64_t read;
            if (!scan && (m->end - m->start > LARGE_BYTES) != large)
                continue;
            rc = scan ? scan_mapping(w, m, &read) : read_mapping(w, m, &read);
            if (rc == FL_OK)
                rc = flush(w);
            w->sum->unread_bytes += m->end - read;
        }
    return rc;
}

int fl_proc_present(const char *root, uint32_t pid, const struct fl_proc_present_opts *opts,
                    fl_proc_present_fn *fn, void *ctx, struct fl_proc_present_sum *sum,
                    struct fl_err *err)
{
    uint64_t limit = opts && opts->time_limit_ns ? opts->time_limit_ns : LIMIT_NS;
    struct walk w = { .fd = -1,
                      .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
                      .fn = fn,
                      .ctx = ctx,
                      .sum = sum,
                      .err = err };
    *sum = (struct fl_proc_present_sum){ 0 };
    if (__builtin_add_overflow(now_ns(), limit, &w.deadline_ns))
        w.deadline_ns = UINT64_MAX;
    int rc = fl_proc_maps(root, pid, keep_mapping, &w, NULL, err);
    if (rc == FL_OK && (w.fd = proc_open((struct proc_at){ root, pid, 0, "pagemap" }, 0)) < 0)
        rc = proc_fail(err, pid, errno);
    if (rc == FL_OK && !(w.buf = malloc(ENTRIES * sizeof(uint64_t)))) /* more than REGIONS need */
        rc = fl_nomem(err, "reading pagemap");
    if (rc == FL_OK) {
        sum->by_scan = !(opts && opts->without_scan) && can_scan(&w);
        rc = walk_mappings(&w);
    }
    if (w.fd >= 0)
        close(w.fd);
    free(w.buf);
    free(w.map);
    return rc;
}
