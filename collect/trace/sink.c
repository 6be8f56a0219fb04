/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink.h"

int fl_sink_open_file(struct fl_sink *s, const char *path, struct fl_err *err)
{
    *s = (struct fl_sink){ .fd = -1, .path = strdup(path) };
    if (!s->path)
        return fl_nomem(err, "trace file");
    s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct stat st;
    if (s->fd >= 0) {
        /* An older file's mode goes with its contents: traces are private. */
        if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode))
            (void)fchmod(s->fd, 0600);
        return FL_OK;
    }
    int rc = fl_fail_errno(err, "%s: cannot create the trace", path);
    free(s->path);
    s->path = NULL;
    return rc;
}

void fl_sink_open_mem(struct fl_sink *s)
{
    *s = (struct fl_sink){ .fd = -1 };
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int fl_sink_put(struct fl_sink *s, const void *a, size_t a_len, const void *b, size_t b_len,
                struct fl_err *err)
{
    if (s->fd < 0) {
        fl_buf_put(&s->mem, a, a_len);
        fl_buf_put(&s->mem, b, b_len);
        if (s->mem.oom) {
            s->mem.oom = false;
            s->mem.len = (size_t)s->good_bytes;
            return fl_nomem(err, "trace in memory");
        }
    } else if (write_all(s->fd, a, a_len) || write_all(s->fd, b, b_len)) {
        int rc = fl_fail_errno(err, "%s: cannot write the trace, which ends at byte %llu", s->path,
                               (unsigned long long)s->good_bytes);
        /* Pipes and devices cannot go back; their readers see a cut trace then. */
        if (ftruncate(s->fd, (off_t)s->good_bytes) == 0)
            lseek(s->fd, (off_t)s->good_bytes, SEEK_SET);
        return rc;
    }
    s->good_bytes += a_len + b_len;
    return FL_OK;
}

int fl_sink_close(struct fl_sink *s, bool sync, struct fl_err *err)
{
    int rc = FL_OK;
    if (s->fd >= 0) {
        /* EINVAL, EROFS: a pipe or device, which has nothing to sync. */
        if (sync && fsync(s->fd) && errno != EINVAL && errno != EROFS)
            rc = fl_fail_errno(err, "%s: cannot write the trace", s->path);
        if (close(s->fd) && rc == FL_OK)
            rc = fl_fail_errno(err, "%s: cannot write the trace", s->path);
    }
    s->fd = -1;
    free(s->path);
    s->path = NULL;
    return rc;
}

int fl_sink_end(struct fl_sink *s, const char *path, int rc, struct fl_err *err)
{
    struct stat st;
    int closed = fl_sink_close(s, true, rc == FL_OK ? err : NULL);
    rc = rc == FL_OK ? closed : rc;
    if (rc != FL_OK && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        unlink(path);
    return rc;
}
