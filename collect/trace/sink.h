/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sink.h - where a trace goes: a file, or memory. Knows how much of it is finished
 * blocks, and can drop what is not.
 */
#ifndef FL_TRACE_SINK_H
#define FL_TRACE_SINK_H

#include "codec.h"

#include <faultline/err.h>

struct fl_sink {
    int fd;     /* -1: memory */
    char *path; /* for messages */
    struct fl_buf mem;
    uint64_t good_bytes; /* header and finished blocks */
};

int fl_sink_open_file(struct fl_sink *s, const char *path, struct fl_err *err);
void fl_sink_open_mem(struct fl_sink *s);
/* fl_sink_put - both pieces, then count them as good. On failure the tail is dropped. */
int fl_sink_put(struct fl_sink *s, const void *a, size_t a_len, const void *b, size_t b_len,
                struct fl_err *err);
/* fl_sink_close - @sync: to the disk. Memory stays in s->mem. */
int fl_sink_close(struct fl_sink *s, bool sync, struct fl_err *err);
/*
 * fl_sink_end - of a whole trace that @rc is the outcome of: close it, on the disk; where it or that
 * failed, remove the file at @path. Returns @rc, or closing's error.
 */
int fl_sink_end(struct fl_sink *s, const char *path, int rc, struct fl_err *err);

#endif
