/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a disk takes for writes that it is given together, and when it tells of them. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cal.h"

enum {
    FILE_PAGES = 4096,
    REPS = 64,
    TOGETHER = 16, /* requests */
    LARGE = 128,   /* pages of one */
};

struct disk {
    int fd;
    aio_context_t aio;
    char *page; /* FILE_PAGES of memory, as scattered as they come */
    uint64_t x;
};

/* @n writes of @pages pages each to random places, given at once. @first_ns, and returned: from then
   until the first and the last are done; negative: refused. */
static int64_t write_all(struct disk *d, unsigned n, unsigned pages, int64_t *first_ns)
{
    struct iocb cb[TOGETHER] = { { 0 } }, *list[TOGETHER];
    struct io_event done[TOGETHER];
    struct iovec iov[LARGE];
    for (unsigned i = 0; i < pages; i++)
        iov[i] =
            (struct iovec){ .iov_base = d->page + cal_random(&d->x) % FILE_PAGES * FL_PAGE_BYTES,
                            .iov_len = FL_PAGE_BYTES };
    for (unsigned i = 0; i < n; i++) {
        cb[i].aio_fildes = (uint32_t)d->fd;
        cb[i].aio_lio_opcode = IOCB_CMD_PWRITEV;
        cb[i].aio_buf = (uint64_t)(uintptr_t)iov;
        cb[i].aio_nbytes = pages;
        cb[i].aio_offset = (int64_t)(cal_random(&d->x) % (FILE_PAGES - pages) * FL_PAGE_BYTES);
        list[i] = &cb[i];
    }
    int64_t t0 = cal_wall_ns();
    if (syscall(SYS_io_submit, d->aio, (long)n, list) != (long)n)
        return -1;
    long got = syscall(SYS_io_getevents, d->aio, 1L, (long)n, done, NULL);
    *first_ns = cal_wall_ns() - t0;
    for (long more = 1; got > 0 && got < (long)n && more > 0; got += more)
        more = syscall(SYS_io_getevents, d->aio, (long)n - got, (long)n - got, done, NULL);
    int64_t whole = (int64_t)(pages * FL_PAGE_BYTES);
    return got == (long)n && done[0].res == whole ? cal_wall_ns() - t0 : -1;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(int64_t v[REPS])
{
    qsort(v, REPS, sizeof *v, by_size);
    return v[REPS / 2];
}

/* Each by turns, so that what else the machine does falls on all alike. */
static void measure(struct cal *cal, struct disk *d)
{
    struct cal_samples page = { .n = 0 }, request = { .n = 0 };
    int64_t one[REPS], large[REPS], many[REPS], first[REPS], ignored;
    for (unsigned rep = 0; rep < REPS; rep++) {
        one[rep] = write_all(d, 1, 1, &ignored);
        large[rep] = write_all(d, 1, LARGE, &ignored);
        many[rep] = write_all(d, TOGETHER, 1, &first[rep]);
        if (one[rep] < 0 || large[rep] < 0 || many[rep] < 0)
            return;
    }
    int64_t alone = median(one), all = median(many);
    for (unsigned rep = 0; rep < REPS; rep++)
        cal_add(&page, large[rep] > alone ? large[rep] - alone : 0, LARGE - 1);
    cal_done(cal, FL_COST_DISK_PAGE, &page);
    int64_t pages = (int64_t)(cal->out->ps[FL_COST_DISK_PAGE] * (TOGETHER - 1) / 1000);
    for (unsigned rep = 0; rep < REPS; rep++)
        cal_add(&request, many[rep] - alone > pages ? many[rep] - alone - pages : 0, TOGETHER - 1);
    cal_done(cal, FL_COST_DISK_REQUEST, &request);
    cal->out->disk_singly = median(first) * 10 < all * 9;
}

int cal_disk(struct cal *cal, struct fl_err *err)
{
    struct disk d = { .x = 88172645463325252u };
    char *page = cal_map(FILE_PAGES);
    if (!page)
        return fl_nomem(err, "pages to write");
    d.page = page;
    cal_fill(page, FILE_PAGES, &d.x);
    d.fd = cal_file(cal, FILE_PAGES, err);
    if (d.fd < 0) {
        cal_unmap(page, FILE_PAGES);
        return err ? err->code : FL_EIO;
    }
    /* what refuses this is no disk, or a kernel without it: the defaults stay */
    if (fcntl(d.fd, F_SETFL, O_DIRECT) == 0 && syscall(SYS_io_setup, TOGETHER, &d.aio) == 0) {
        measure(cal, &d);
        syscall(SYS_io_destroy, d.aio);
    }
    close(d.fd);
    cal_unmap(page, FILE_PAGES);
    return FL_OK;
}
