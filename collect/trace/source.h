/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.h - where a trace comes from: a regular file by pread(2), or memory.
 * Files are not mapped: one that shrinks meanwhile must not be a SIGBUS.
 */
#ifndef FL_TRACE_SOURCE_H
#define FL_TRACE_SOURCE_H

#include "codec.h"

#include <faultline/err.h>

struct fl_source {
    int fd; /* -1: memory */
    const uint8_t *mem;
    uint64_t size_bytes;
    char name[200]; /* for messages; of a very long path its end */
};

int fl_source_open_file(struct fl_source *s, const char *path, struct fl_err *err);
void fl_source_open_mem(struct fl_source *s, const void *mem, size_t len);
/*
 * fl_source_get - @len bytes at @offset, within the size: in place, or in @buf.
 * The pointer lives until the next call with the same @buf.
 */
int fl_source_get(struct fl_source *s, uint64_t offset, size_t len, struct fl_buf *buf,
                  const uint8_t **out, struct fl_err *err);
void fl_source_close(struct fl_source *s);

#endif
