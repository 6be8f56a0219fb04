/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_drain.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* A record's time is taken a moment before the record can be seen, and a virtual CPU may be
   stopped in between. So much is allowed for that. */
#define MARGIN_NS UINT64_C(20000000)
/* Samples from an AUX buffer are seen when the kernel gives notice of many at once. */
#define AUX_MARGIN_NS UINT64_C(200000000)
#define ROUND_MS 10
#define BACKLOG_MAX_BYTES (UINT64_C(1) << 30)

struct fl_drain {
    struct fl_perf_set *set;
    struct pollfd
        *fds; /* the rings' owners, one more event of each further task, and the wish to stop */
    nfds_t n_watched;
    int stop_fd, ready_fd;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* of what follows */
    struct fl_drain_round round;
    struct fl_chunk **last;
    uint64_t backlog_bytes;
};

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void ping(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n; /* an eventfd at its limit is readable anyway */
}

static void hand_over(struct fl_drain *d, struct fl_chunk *chunk)
{
    pthread_mutex_lock(&d->lock);
    *d->last = chunk;
    d->last = &chunk->next;
    d->backlog_bytes += chunk->len_bytes;
    pthread_mutex_unlock(&d->lock);
}

uint32_t fl_drain_queues(const struct fl_perf_set *set)
{
    return set->has_aux ? 2 * set->n_cpus : set->n_cpus;
}

static void add_damaged(struct fl_drain *d, uint64_t n)
{
    if (!n)
        return;
    pthread_mutex_lock(&d->lock);
    d->round.damaged += n;
    pthread_mutex_unlock(&d->lock);
}

/* What the records say that is new in the CPU's AUX buffer. */
static void empty_aux(struct fl_drain *d, uint32_t cpu, const uint8_t *records, size_t len)
{
    struct fl_aux *aux = &d->set->cpus[cpu].aux;
    struct fl_spe_clock clock;
    uint64_t damaged = 0;
    if (!aux->data)
        return;
    (void)fl_aux_clock(&clock);
    struct fl_chunk *samples = fl_aux_take(aux, &clock, records, len, &damaged);
    add_damaged(d, damaged);
    if (aux->stopped)
        fl_aux_resume(d->set, cpu);
    if (samples) {
        samples->cpu = d->set->n_cpus + cpu;
        hand_over(d, samples);
    }
}

/* Returns: bytes taken. */
static uint64_t empty_ring(struct fl_drain *d, uint32_t cpu)
{
    struct fl_ring *ring = &d->set->cpus[cpu].ring;
    uint64_t n = fl_ring_pending(ring);
    if (n == 0) {
        empty_aux(d, cpu, NULL, 0);
        return 0;
    }
    if (n > ring->size_bytes) {
        fl_ring_skip(ring);
        add_damaged(d, 1);
        return 0;
    }
    struct fl_chunk *chunk = malloc(sizeof *chunk + n);
    if (!chunk)
        return 0; /* it stays where it is; what the kernel drops for that, it counts */
    fl_ring_take(ring, chunk->bytes, n);
    *chunk = (struct fl_chunk){ .cpu = cpu, .taken_ns = now_ns(), .len_bytes = n };
    empty_aux(d, cpu, chunk->bytes, n);
    hand_over(d, chunk);
    return n;
}

static bool backlog_full(struct fl_drain *d)
{
    pthread_mutex_lock(&d->lock);
    bool full = d->backlog_bytes > BACKLOG_MAX_BYTES;
    pthread_mutex_unlock(&d->lock);
    return full;
}

static void drain_round(struct fl_drain *d, bool last)
{
    uint64_t started = now_ns(), got = 0;
    if (backlog_full(d) && !last)
        return;
    for (uint32_t i = 0; i < d->set->n_cpus; i++)
        got += empty_ring(d, i);
    pthread_mutex_lock(&d->lock);
    d->round.safe_ns = last              ? UINT64_MAX
                       : d->set->has_aux ? started - AUX_MARGIN_NS
                                         : started - MARGIN_NS;
    d->round.ended = last;
    pthread_mutex_unlock(&d->lock);
    if (got || last)
        ping(d->ready_fd);
}

static void *drain_main(void *arg)
{
    struct fl_drain *d = arg;
    nfds_t n = d->n_watched, live = n;
    while (live && !(d->fds[n].revents & POLLIN)) {
        drain_round(d, false);
        if (poll(d->fds, n + 1, ROUND_MS) < 0 && errno != EINTR)
            break;
        for (nfds_t i = 0; i < n; i++)
            if (d->fds[i].fd >= 0 && d->fds[i].revents & (POLLHUP | POLLERR | POLLNVAL)) {
                d->fds[i].fd = -1; /* no task left that could write here */
                live--;
            }
    }
    drain_round(d, true);
    return NULL;
}

/* A task's end shows on any of its events; new bytes show on those that own a ring. */
static bool watch(struct fl_drain *d)
{
    const struct fl_perf_set *set = d->set;
    d->fds = calloc(set->n_cpus + set->n_tasks + 1, sizeof *d->fds);
    if (!d->fds)
        return false;
    for (uint32_t i = 0; i < set->n_cpus; i++)
        d->fds[d->n_watched++] = (struct pollfd){ .fd = set->cpus[i].owner_fd, .events = POLLIN };
    for (size_t i = 0; i < set->n_fds; i++)
        if (set->fds[i].source == FL_SRC_TRACK && set->fds[i].task && !set->fds[i].cpu)
            d->fds[d->n_watched++] = (struct pollfd){ .fd = set->fds[i].fd };
    return true;
}

int fl_drain_start(struct fl_perf_set *set, struct fl_drain **out, struct fl_err *err)
{
    struct fl_drain *d = calloc(1, sizeof *d);
    if (!d)
        return fl_nomem(err, "reading perf's buffers");
    d->set = set;
    d->last = &d->round.chunks;
    pthread_mutex_init(&d->lock, NULL);
    bool watched = watch(d);
    d->stop_fd = eventfd(0, EFD_CLOEXEC);
    d->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = FL_OK;
    if (!watched || d->stop_fd < 0 || d->ready_fd < 0)
        rc = fl_fail_errno(err, "reading perf's buffers: eventfd");
    if (rc == FL_OK) {
        d->fds[d->n_watched] = (struct pollfd){ .fd = d->stop_fd, .events = POLLIN };
        errno = pthread_create(&d->thread, NULL, drain_main, d);
        d->running = errno == 0;
        if (!d->running)
            rc = fl_fail_errno(err, "reading perf's buffers: thread");
    }
    if (rc != FL_OK)
        fl_drain_free(d);
    else
        *out = d;
    return rc;
}

int fl_drain_fd(const struct fl_drain *d)
{
    return d->ready_fd;
}

struct fl_drain_round fl_drain_take(struct fl_drain *d)
{
    uint64_t pings;
    ssize_t n = read(d->ready_fd, &pings, sizeof pings);
    (void)n; /* nothing to read: taken without being told */
    pthread_mutex_lock(&d->lock);
    struct fl_drain_round round = d->round;
    d->round.chunks = NULL;
    d->last = &d->round.chunks;
    d->backlog_bytes = 0;
    pthread_mutex_unlock(&d->lock);
    return round;
}

void fl_drain_stop(struct fl_drain *d)
{
    ping(d->stop_fd);
}

void fl_drain_free(struct fl_drain *d)
{
    if (!d)
        return;
    if (d->running) {
        fl_drain_stop(d);
        pthread_join(d->thread, NULL);
    }
    for (struct fl_chunk *c = d->round.chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    if (d->stop_fd >= 0)
        close(d->stop_fd);
    if (d->ready_fd >= 0)
        close(d->ready_fd);
    pthread_mutex_destroy(&d->lock);
    free(d->fds);
    free(d);
}
