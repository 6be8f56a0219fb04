/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a swap device and switching it on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <faultline/swapdev.h>

#include "smallfile.h"

enum { ROUND_BYTES = 65536, ZRAM_MAX = 64 };

static int no_right(struct fl_err *err, const char *what, int why)
{
    return fl_fail(err, FL_EMACHINE, "%s: %s%s", what, strerror(why),
                   why == EPERM || why == EACCES ? "; run as root (CAP_SYS_ADMIN)" : "");
}

/* ---- a device for the header and the switch --------------------------------------------- */

static int write_header(int fd, uint64_t bytes, struct fl_err *err)
{
    unsigned char page[FL_PAGE_BYTES];
    uint64_t pages = bytes >> FL_PAGE_SHIFT;
    fl_swapdev_header(page, pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX);
    if (pwrite(fd, page, sizeof page, 0) != (ssize_t)sizeof page || fsync(fd) != 0)
        return fl_fail_errno(err, "cannot write the swap area");
    return FL_OK;
}

static int switch_on(const char *path, struct fl_guard *guard, struct fl_err *err)
{
    int rc = fl_guard_add(guard, FL_UNDO_SWAP, path, err);
    if (rc != FL_OK || swapon(path, 0) == 0)
        return rc;
    int why = errno;
    if (why == EINVAL)
        return fl_fail(err, FL_EMACHINE,
                       "%s cannot be swapped on: its file system does not hold swap; set TMPDIR "
                       "to a folder on ext4 or xfs, or use --swap zram",
                       path);
    return no_right(err, path, why);
}

static bool is_rotational(dev_t dev)
{
    char dir[128];
    snprintf(dir, sizeof dir, "/sys/dev/block/%u:%u", major(dev), minor(dev));
    uint64_t yes = smallfile_number_at(dir, "queue/rotational", UINT64_MAX);
    if (yes == UINT64_MAX) /* a partition */
        yes = smallfile_number_at(dir, "../queue/rotational", 0);
    return yes != 0;
}

static void look_at_device(struct fl_swapdev *s)
{
    struct stat st;
    if (stat(s->path, &st) == 0)
        s->rotational = is_rotational(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev);
}

/* ---- zram --------------------------------------------------------------------------------- */

static bool is_unused(const char *dir)
{
    return access(dir, F_OK) == 0 && smallfile_number_at(dir, "disksize", 1) == 0;
}

/* A new device, else one that nobody has given a size. Its /sys/block folder in @dir. */
static int find_zram(struct fl_guard *guard, char dir[FL_GUARD_PATH_BYTES], struct fl_err *err)
{
    uint64_t n = smallfile_number_at("/sys/class/zram-control", "hot_add", UINT64_MAX);
    snprintf(dir, FL_GUARD_PATH_BYTES, "/sys/block/zram%" PRIu64, n);
    if (n != UINT64_MAX)
        return fl_guard_add(guard, FL_UNDO_ZRAM_DEVICE, dir, err);
    for (n = 0; n < ZRAM_MAX; n++) {
        snprintf(dir, FL_GUARD_PATH_BYTES, "/sys/block/zram%" PRIu64, n);
        if (is_unused(dir))
            return FL_OK;
    }
    return fl_fail(err, FL_EMACHINE,
                   "no zram device to be had; run as root, modprobe zram, or use --swap file");
}

static int open_device(const char *path, struct fl_err *err)
{
    int fd = -1;
    for (int i = 0; i < 100 && fd < 0; i++) { /* its node may be a moment late */
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            nanosleep(&(struct timespec){ .tv_nsec = 10000000L }, NULL);
    }
    return fd < 0 ? fl_fail(err, FL_EMACHINE, "%s: %s; is /dev a devtmpfs?", path, strerror(errno))
                  : fd;
}

static int make_zram(uint64_t bytes, struct fl_guard *guard, struct fl_swapdev *out,
                     struct fl_err *err)
{
    char dir[FL_GUARD_PATH_BYTES], text[24];
    int rc = find_zram(guard, dir, err);
    if (rc == FL_OK)
        rc = fl_guard_add(guard, FL_UNDO_ZRAM, dir, err);
    if (rc != FL_OK)
        return rc;
    snprintf(text, sizeof text, "%" PRIu64, bytes);
    int why = smallfile_write_at(dir, "disksize", text);
    if (why)
        return no_right(err, dir, why);
    snprintf(out->path, sizeof out->path, "/dev/%.64s", strrchr(dir, '/') + 1);
    int fd = open_device(out->path, err);
    if (fd < 0)
        return fd;
    rc = write_header(fd, bytes, err);
    close(fd);
    return rc == FL_OK ? switch_on(out->path, guard, err) : rc;
}

/* ---- a file ----------------------------------------------------------------------------------- */

static int make_file(uint64_t bytes, const char *dir, struct fl_guard *guard,
                     struct fl_swapdev *out, struct fl_err *err)
{
    int n = snprintf(out->path, sizeof out->path, "%s/faultline-swap-%d", dir, getpid());
    if (n < 0 || (size_t)n >= sizeof out->path)
        return fl_fail(err, FL_EUSAGE, "%s: path is too long", dir);
    int rc = fl_guard_add(guard, FL_UNDO_FILE, out->path, err);
    if (rc != FL_OK)
        return rc;
    int fd = open(out->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fl_fail_errno(err, "cannot create %s", out->path);
    if (fallocate(fd, 0, 0, (off_t)bytes) != 0)
        rc = fl_fail(err, FL_EMACHINE,
                     "%s: cannot reserve %" PRIu64 " MiB: %s; make room, set TMPDIR to a folder "
                     "on ext4 or xfs, or use --swap zram",
                     out->path, bytes >> 20, strerror(errno));
    if (rc == FL_OK)
        rc = write_header(fd, bytes, err);
    close(fd);
    return rc == FL_OK ? switch_on(out->path, guard, err) : rc;
}

/* ---- the choice --------------------------------------------------------------------------------- */

static int make(enum fl_swapdev_kind kind, uint64_t bytes, const char *dir, struct fl_guard *guard,
                struct fl_swapdev *out, struct fl_err *err)
{
    *out = (struct fl_swapdev){ .kind = kind };
    int rc = kind == FL_SWAPDEV_ZRAM ? make_zram(bytes, guard, out, err)
                                     : make_file(bytes, dir, guard, out, err);
    if (rc != FL_OK)
        return rc;
    look_at_device(out);
    out->devices = 1;
    out->pages = (bytes >> FL_PAGE_SHIFT) - 1; /* the first page is the header */
    return FL_OK;
}

static unsigned look_at_swaps(struct fl_swapdev *out)
{
    char *swaps = smallfile_read("/proc/swaps");
    unsigned n = fl_swapdev_scan(swaps ? swaps : "", out);
    free(swaps);
    return n;
}

static bool has_zram(void)
{
    return access("/sys/class/zram-control/hot_add", F_OK) == 0 || is_unused("/sys/block/zram0");
}

int fl_swapdev_check(const struct fl_swapdev_request *want, struct fl_err *err)
{
    struct fl_swapdev there;
    unsigned n = look_at_swaps(&there);
    if (n && want->kind != FL_SWAPDEV_AUTO)
        return fl_fail(err, FL_EMACHINE,
                       "swap is on already (%s); swapoff -a first, or leave --swap out to use it",
                       there.path);
    if (n || want->kind == FL_SWAPDEV_NONE)
        return FL_OK;
    if (swapoff("") != 0 && errno == EPERM) /* the right is asked for before the name */
        return no_right(err, "cannot switch swap on", EPERM);
    if (want->kind == FL_SWAPDEV_ZRAM && !has_zram())
        return fl_fail(err, FL_EMACHINE,
                       "this kernel has no zram to offer; modprobe zram, or use --swap file");
    return FL_OK;
}

int fl_swapdev_on(const struct fl_swapdev_request *want, uint64_t default_bytes, const char *dir,
                  struct fl_guard *guard, struct fl_swapdev *out, struct fl_err *err)
{
    uint64_t bytes = want->bytes ? want->bytes : default_bytes;
    bytes = (bytes + ROUND_BYTES - 1) & ~(uint64_t)(ROUND_BYTES - 1);
    int rc = fl_swapdev_check(want, err);
    if (rc != FL_OK)
        return rc;
    if (look_at_swaps(out)) {
        out->was_on = true;
        look_at_device(out);
        return FL_OK;
    }
    if (want->kind == FL_SWAPDEV_NONE)
        return FL_OK;
    bool zram = want->kind == FL_SWAPDEV_ZRAM || (want->kind == FL_SWAPDEV_AUTO && has_zram());
    return make(zram ? FL_SWAPDEV_ZRAM : FL_SWAPDEV_FILE, bytes, dir, guard, out, err);
}
