/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

static void set_name(struct fl_source *s, const char *path)
{
    size_t len = strlen(path), room = sizeof s->name - 4;
    snprintf(s->name, sizeof s->name, "%s%s", len > room ? "..." : "",
             len > room ? path + len - room : path);
}

int fl_source_open_file(struct fl_source *s, const char *path, struct fl_err *err)
{
    struct stat st;
    *s = (struct fl_source){ .fd = -1 };
    set_name(s, path);
    /* O_NONBLOCK: a FIFO must be refused, not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fl_fail_errno(err, "%s: cannot open", s->name);
    int rc = FL_OK;
    if (fstat(fd, &st))
        rc = fl_fail_errno(err, "%s: cannot open", s->name);
    else if (S_ISDIR(st.st_mode))
        rc = fl_fail(err, FL_EFORMAT, "%s: is a directory, not a faultline trace", s->name);
    else if (!S_ISREG(st.st_mode))
        rc = fl_fail(err, FL_EFORMAT, "%s: not a regular file; copy the trace to one first",
                     s->name);
    if (rc != FL_OK) {
        close(fd);
        return rc;
    }
    s->fd = fd;
    s->size_bytes = (uint64_t)st.st_size;
    return FL_OK;
}

void fl_source_open_mem(struct fl_source *s, const void *mem, size_t len)
{
    *s = (struct fl_source){ .fd = -1, .mem = mem, .size_bytes = len };
    set_name(s, "trace");
}

int fl_source_get(struct fl_source *s, uint64_t offset, size_t len, struct fl_buf *buf,
                  const uint8_t **out, struct fl_err *err)
{
    if (s->fd < 0) {
        *out = s->mem + offset;
        return FL_OK;
    }
    fl_buf_reset(buf);
    uint8_t *p = fl_buf_room(buf, len + 1);
    if (!p)
        return fl_nomem(err, "trace block");
    for (size_t have = 0; have < len;) {
        ssize_t n = pread(s->fd, p + have, len - have, (off_t)(offset + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fl_fail_errno(err, "%s: cannot read", s->name);
        if (n == 0)
            return fl_fail(err, FL_EFORMAT, "%s: became shorter while it was read", s->name);
        have += (size_t)n;
    }
    *out = p;
    return FL_OK;
}

void fl_source_close(struct fl_source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
