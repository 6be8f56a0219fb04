/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/proc.h>

#include "proc_text.h"

static bool path_of(struct proc_at at, char path[PROC_PATH_BYTES])
{
    int n;
    if (at.tid)
        n = snprintf(path, PROC_PATH_BYTES, "%s/%" PRIu32 "/task/%" PRIu32 "/%s", at.root, at.pid,
                     at.tid, at.name);
    else if (at.pid)
        n = snprintf(path, PROC_PATH_BYTES, "%s/%" PRIu32 "/%s", at.root, at.pid, at.name);
    else
        n = snprintf(path, PROC_PATH_BYTES, "%s/%s", at.root, at.name);
    return n > 0 && n < PROC_PATH_BYTES;
}

int proc_open(struct proc_at at, int flags)
{
    char path[PROC_PATH_BYTES];
    if (!path_of(at, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_CLOEXEC | flags);
}

/* Appends what @fd has; the room doubles. Returns 0 or an errno. */
static int read_all(int fd, size_t max, char **text, size_t *used)
{
    size_t room = 4096;
    *used = 0;
    if (!(*text = malloc(room)))
        return ENOMEM;
    for (;;) {
        ssize_t n = read(fd, *text + *used, room - 1 - *used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        *used += (size_t)n;
        if (*used > max)
            return EFBIG;
        if (room - *used > room / 2)
            continue;
        char *more = realloc(*text, room *= 2);
        if (!more)
            return ENOMEM;
        *text = more;
    }
}

char *proc_read(struct proc_at at, size_t max, size_t *len)
{
    char *text = NULL;
    size_t used = 0;
    int fd = proc_open(at, 0);
    if (fd < 0)
        return NULL;
    int failed = read_all(fd, max, &text, &used);
    close(fd);
    if (failed) {
        free(text);
        errno = failed;
        return NULL;
    }
    text[used] = 0;
    if (len)
        *len = used;
    return text;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int proc_numbers(struct proc_at at, uint32_t **out, size_t *n)
{
    size_t room = 0;
    int fd = proc_open(at, O_DIRECTORY), failed = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    *out = NULL, *n = 0;
    if (!d) {
        failed = errno;
        if (fd >= 0)
            close(fd);
        return failed;
    }
    for (struct dirent *e; (e = readdir(d));) {
        const char *p = e->d_name;
        uint64_t number;
        if (*p == '0' || !text_number(&p, p + strlen(p), 10, &number) || *p ||
            number > FL_PROC_PID_MAX)
            continue;
        if (*n == room) {
            uint32_t *more = realloc(*out, (room = room ? 2 * room : 64) * sizeof *more);
            if (!more) {
                failed = ENOMEM;
                break;
            }
            *out = more;
        }
        (*out)[(*n)++] = (uint32_t)number;
    }
    closedir(d);
    if (failed)
        free(*out), *out = NULL, *n = 0;
    else if (*n)
        qsort(*out, *n, sizeof **out, ascending);
    return failed;
}

int proc_fail(struct fl_err *err, uint32_t pid, int number)
{
    int rc;
    if (number == ENOENT || number == ESRCH) {
        rc = fl_fail(err, FL_EUSAGE, "no process has the pid %" PRIu32 "; ps -e lists them", pid);
        number = ESRCH;
    } else if (number == EACCES || number == EPERM) {
        rc = fl_fail(err, FL_EMACHINE,
                     "process %" PRIu32 " may not be looked at; be its user or root (in a "
                     "container: CAP_SYS_PTRACE)",
                     pid);
    } else if (number == ENOMEM) {
        rc = fl_nomem(err, "reading /proc");
    } else {
        errno = number;
        rc = fl_fail_errno(err, "cannot read /proc/%" PRIu32, pid);
    }
    if (err)
        err->sys_errno = number;
    return rc;
}
