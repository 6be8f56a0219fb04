/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a disk takes for writes that it is given together, and when it tells of them. */
#include <fcntl.h>
#include <linux/aio_abi.h>
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

/* What each of @of took beyond @known_ps, for @ops. */
static void add_beyond(struct cal_samples *to, const struct cal_samples *of, int64_t known_ps,
                       uint64_t ops)
{
    for (size_t i = 0; i < of->n; i++)
        cal_add(to, of->ps[i] > known_ps ? (of->ps[i] - known_ps) / 1000 : 0, ops);
}

/* Each by turns, so that what else the machine does falls on all alike. */
static void measure(struct cal *cal, struct disk *d)
{
    struct cal_samples one = { .n = 0 }, large = one, many = one, first = one, page = one,
                       request = one;
    for (unsigned rep = 0; rep < REPS; rep++) {
        int64_t ignored, first_ns, one_ns = write_all(d, 1, 1, &ignored),
                                   large_ns = write_all(d, 1, LARGE, &ignored),
                                   many_ns = write_all(d, TOGETHER, 1, &first_ns);
        if (one_ns < 0 || large_ns < 0 || many_ns < 0)
            return;
        cal_add(&one, one_ns, 1);
        cal_add(&large, large_ns, 1);
        cal_add(&many, many_ns, 1);
        cal_add(&first, first_ns, 1);
    }
    int64_t alone_ps = cal_median_ps(&one);
    add_beyond(&page, &large, alone_ps, LARGE - 1);
    cal_done(cal, FL_COST_DISK_PAGE, &page);
    int64_t pages_ps = (int64_t)(cal->out->ps[FL_COST_DISK_PAGE] * (TOGETHER - 1));
    add_beyond(&request, &many, alone_ps + pages_ps, TOGETHER - 1);
    cal_done(cal, FL_COST_DISK_REQUEST, &request);
    cal->out->disk_singly = cal_median_ps(&first) * 10 < cal_median_ps(&many) * 9;
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
