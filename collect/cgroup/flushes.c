/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Periodic flushes of memory statistics, seen through an instance of tracefs. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <faultline/flushes.h>
#include <faultline/units.h>

#include "tracing.h"

#define EVENT_MARK ": memcg_flush_stats:"

enum {
    CHUNK_BYTES = 16384, /* more than the kernel gives at a time, so that lines are whole */
    LOOK_MS = 2,
    PATIENCE_MS = 3 * FL_FLUSH_PERIOD_MS,
};

struct fl_flushes {
    int pipe_fd;
    uint64_t last_ns;            /* of those seen; 0: none yet */
    uint64_t after_ns, found_ns; /* the first at or after; 0: not yet */
    char dir[FL_GUARD_PATH_BYTES];
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
                                  .tv_nsec = (long)(ns % 1000000000u) },
              NULL);
}

/* ---- setting up ------------------------------------------------------------------------ */

#define PURPOSE                                                                                    \
    "seeing flushes of memory statistics needs root and a kernel with tracefs and the tracepoint " \
    "memcg:memcg_flush_stats (6.13 or later)"

static int open_pipe(struct fl_flushes *f, struct fl_err *err)
{
    char path[FL_GUARD_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/trace_pipe", f->dir);
    f->pipe_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return f->pipe_fd >= 0 ? FL_OK : tracing_refused(err, path, errno, PURPOSE);
}

int fl_flushes_open(struct fl_guard *guard, struct fl_flushes **out, struct fl_err *err)
{
    /* the periodic flush is the forced one */
    static const struct tracing_event event = { .dir = "events/memcg/memcg_flush_stats",
                                                .field = " force;",
                                                .filter = "force == 1",
                                                .purpose = PURPOSE };
    struct fl_flushes *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return fl_nomem(err, "flushes");
    f->pipe_fd = -1;
    int rc = tracing_start(guard, "", &event, f->dir, err);
    if (rc == FL_OK)
        rc = open_pipe(f, err);
    if (rc == FL_OK)
        *out = f;
    else
        fl_flushes_close(f);
    return rc;
}

void fl_flushes_close(struct fl_flushes *f)
{
    if (!f)
        return;
    if (f->pipe_fd >= 0)
        close(f->pipe_fd);
    free(f);
}

/* ---- reading ----------------------------------------------------------------------------- */

uint64_t fl_flushes_parse(const char *line)
{
    const char *end = strstr(line, EVENT_MARK), *start = end;
    uint64_t seconds, ns = 0, unit = 1000000000;
    char *dot;
    while (start && start > line && (isdigit((unsigned char)start[-1]) || start[-1] == '.'))
        start--;
    if (!start || start == end)
        return 0;
    seconds = strtoull(start, &dot, 10);
    if (dot == start || *dot != '.')
        return 0;
    for (const char *p = dot + 1; p < end && isdigit((unsigned char)*p); p++) {
        unit /= 10;
        ns += (uint64_t)(*p - '0') * unit;
    }
    return seconds * 1000000000u + ns;
}

static void take(struct fl_flushes *f, uint64_t at_ns)
{
    f->last_ns = at_ns;
    if (f->after_ns && !f->found_ns && at_ns >= f->after_ns)
        f->found_ns = at_ns;
}

/* Everything that waits in the pipe. */
static int drain(struct fl_flushes *f, struct fl_err *err)
{
    char chunk[CHUNK_BYTES + 1];
    ssize_t n;
    while ((n = read(f->pipe_fd, chunk, CHUNK_BYTES)) > 0) {
        chunk[n] = 0;
        for (char *save = NULL, *line = strtok_r(chunk, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save)) {
            uint64_t at_ns = fl_flushes_parse(line);
            if (at_ns)
                take(f, at_ns);
        }
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return fl_fail_errno(err, "cannot read the kernel's trace");
    return FL_OK;
}

static bool stopped(const volatile sig_atomic_t *stop)
{
    return stop && *stop;
}

/* Until *@seen is more than @before. */
static int wait_for(struct fl_flushes *f, const uint64_t *seen, uint64_t before,
                    const volatile sig_atomic_t *stop, struct fl_err *err)
{
    uint64_t until_ns = now_ns() + PATIENCE_MS * UINT64_C(1000000);
    int rc = drain(f, err);
    while (rc == FL_OK && *seen <= before && !stopped(stop)) {
        if (now_ns() > until_ns)
            return fl_fail(err, FL_EIO, "no flush of memory statistics was seen for %d s",
                           PATIENCE_MS / 1000);
        sleep_ns(LOOK_MS * UINT64_C(1000000));
        rc = drain(f, err);
    }
    return rc;
}

int fl_flushes_wait_phase(struct fl_flushes *f, uint64_t phase_ns,
                          const volatile sig_atomic_t *stop, struct fl_err *err)
{
    int rc = drain(f, err);
    if (rc == FL_OK && (!f->last_ns || now_ns() > f->last_ns + phase_ns))
        rc = wait_for(f, &f->last_ns, f->last_ns, stop, err);
    while (rc == FL_OK && !stopped(stop) && now_ns() < f->last_ns + phase_ns) {
        uint64_t left_ns = f->last_ns + phase_ns - now_ns();
        sleep_ns(left_ns < 50000000 ? left_ns : 50000000);
    }
    return rc;
}

int fl_flushes_last(struct fl_flushes *f, uint64_t *at_ns, struct fl_err *err)
{
    int rc = drain(f, err);
    *at_ns = f->last_ns;
    return rc;
}

int fl_flushes_first_after(struct fl_flushes *f, uint64_t after_ns,
                           const volatile sig_atomic_t *stop, uint64_t *at_ns, struct fl_err *err)
{
    f->after_ns = after_ns;
    f->found_ns = 0;
    int rc = wait_for(f, &f->found_ns, 0, stop, err);
    *at_ns = f->found_ns;
    return rc;
}
