/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files, and how each kind of step is undone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <time.h>
#include <unistd.h>

#include <faultline/cgroup.h>

#include "smallfile.h"

char *smallfile_read(const char *path)
{
    size_t used = 0, room = 8192;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    while (text && fd >= 0 && (n = read(fd, text + used, room - used - 1)) > 0) {
        used += (size_t)n;
        if (room - used > 1)
            continue;
        char *more = realloc(text, room *= 2);
        if (!more)
            break;
        text = more;
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (n != 0) {
        free(text);
        errno = saved;
        return NULL;
    }
    text[used] = 0;
    return text;
}

static bool join(char path[FL_GUARD_PATH_BYTES + 64], const char *dir, const char *name)
{
    return snprintf(path, FL_GUARD_PATH_BYTES + 64, "%s/%s", dir, name) < FL_GUARD_PATH_BYTES + 64;
}

char *smallfile_read_at(const char *dir, const char *name)
{
    char path[FL_GUARD_PATH_BYTES + 64];
    return join(path, dir, name) ? smallfile_read(path) : NULL;
}

uint64_t smallfile_number_at(const char *dir, const char *name, uint64_t otherwise)
{
    char *text = smallfile_read_at(dir, name), *end = NULL;
    uint64_t n = text ? strtoull(text, &end, 10) : 0;
    if (!text || end == text)
        n = otherwise;
    free(text);
    return n;
}

int smallfile_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t n = write(fd, text, strlen(text));
    int failed = n < 0 ? errno : 0;
    close(fd);
    return failed;
}

int smallfile_write_at(const char *dir, const char *name, const char *text)
{
    char path[FL_GUARD_PATH_BYTES + 64];
    return join(path, dir, name) ? smallfile_write(path, text) : ENAMETOOLONG;
}

/* ---- undoing ---------------------------------------------------------------------- */

enum { TRIES = 500, WAIT_MS = 10 };

static int undo_group(const char *dir)
{
    if (access(dir, F_OK) != 0)
        return 0;
    fl_cgroup_kill(dir, TRIES * WAIT_MS);
    return rmdir(dir) == 0 || errno == ENOENT ? 0 : errno;
}

static int undo_swap(const char *path)
{
    /* EINVAL: it is no swap, so it never was on or is off again. */
    return swapoff(path) == 0 || errno == EINVAL || errno == ENOENT ? 0 : errno;
}

static int undo_zram(const char *dir)
{
    if (access(dir, F_OK) != 0 || smallfile_number_at(dir, "disksize", 0) == 0)
        return 0;
    return smallfile_write_at(dir, "reset", "1");
}

static int undo_zram_device(const char *dir)
{
    const char *number = strrchr(dir, 'm');
    if (access(dir, F_OK) != 0 || !number)
        return 0;
    return smallfile_write("/sys/class/zram-control/hot_remove", number + 1);
}

static int undo_mount(const char *dir)
{
    if (umount2(dir, 0) != 0 && errno != EINVAL && errno != ENOENT)
        return errno;
    return rmdir(dir) == 0 || errno == ENOENT ? 0 : errno;
}

static int undo_file(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

static int undo_folder(const char *path)
{
    return rmdir(path) == 0 || errno == ENOENT ? 0 : errno;
}

int undo_step(enum fl_undo what, const char *path)
{
    static int (*const undo[])(const char *) = {
        [FL_UNDO_GROUP] = undo_group,   [FL_UNDO_SWAP] = undo_swap,
        [FL_UNDO_ZRAM] = undo_zram,     [FL_UNDO_ZRAM_DEVICE] = undo_zram_device,
        [FL_UNDO_FILE] = undo_file,     [FL_UNDO_MOUNT] = undo_mount,
        [FL_UNDO_FOLDER] = undo_folder,
    };
    int failed = undo[what](path);
    /* Busy passes: a process on its way out, a device that somebody looks at. */
    for (int i = 0; i < TRIES && (failed == EBUSY || failed == EAGAIN); i++) {
        nanosleep(&(struct timespec){ .tv_nsec = WAIT_MS * 1000000L }, NULL);
        failed = undo[what](path);
    }
    return failed;
}
