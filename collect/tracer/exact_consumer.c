/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared file, the merge of the processes' rings by ticket, and their ends. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exact.h"

/* A process may hold an older ticket and not run for a while; then order is not defined. */
#define PATIENCE_NS 30000000
/* How often ends of processes are looked for, while there is work and while there is none. */
#define CHECK_BUSY_NS 20000000
#define CHECK_IDLE_NS 2000000
#define FLUSH_NS 1000000000 /* what a killed recorder loses at most */
#define SLEEP_NS 4000000

struct slot_state {
    struct exact_process *process;
    int pidfd; /* -1: not opened yet */
    uint32_t pid;
    uint64_t given_up; /* an open ticket that was waited for long enough */
};

struct reaped {
    pid_t pid;
    int status;
};

struct exact_consumer {
    struct exact_recorder *x;
    int fd;
    uint8_t *map;
    struct flr_control *control;
    struct slot_state slots[FLR_SLOTS];
    struct reaped reaped[256]; /* the latest, round and round */
    size_t n_reaped;
    bool no_children;
    pid_t main;
    int main_status;
    uint64_t checked_ns, flushed_ns;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct flr_slot *slot_at(const struct exact_consumer *c, uint32_t i)
{
    return (struct flr_slot *)(void *)(c->map + FLR_SLOT_OFFSET(i));
}

static const uint8_t *ring_at(const struct exact_consumer *c, uint32_t i)
{
    return c->map + FLR_RING_OFFSET(i);
}

int fl_exact_consumer_open(struct exact_recorder *x, struct exact_consumer **out,
                           struct fl_err *err)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    struct exact_consumer *c = calloc(1, sizeof *c);
    if (c == NULL)
        return fl_nomem(err, "the tracer's rings");
    c->x = x;
    c->map = MAP_FAILED;
    for (uint32_t i = 0; i < FLR_SLOTS; i++)
        c->slots[i].pidfd = -1;
    c->fd = memfd_create("faultline-rings", MFD_CLOEXEC);
    if (c->fd >= 0 && ftruncate(c->fd, (off_t)FLR_FILE_BYTES) == 0)
        c->map = mmap(NULL, FLR_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                      c->fd, 0);
    /* The lock tells the tracer that we live: the kernel drops it when we do not. */
    if (c->map == MAP_FAILED || fcntl(c->fd, F_SETLK, &whole) != 0) {
        int rc = fl_fail_errno(err, "cannot create the tracer's shared memory");
        fl_exact_consumer_close(c);
        return rc;
    }
    c->control = (struct flr_control *)(void *)c->map;
    c->control->magic = FLR_MAGIC;
    c->control->version = FLR_VERSION;
    c->control->consumer_pid = (uint32_t)getpid();
    *out = c;
    return FL_OK;
}

int fl_exact_consumer_fd(const struct exact_consumer *c)
{
    return c->fd;
}

uint64_t fl_exact_unrecorded(const struct exact_consumer *c)
{
    return c->control->unrecorded;
}

void fl_exact_consumer_close(struct exact_consumer *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < FLR_SLOTS; i++) {
        fl_exact_process_free(c->slots[i].process);
        if (c->slots[i].pidfd >= 0)
            close(c->slots[i].pidfd);
    }
    if (c->map != MAP_FAILED)
        munmap(c->map, FLR_FILE_BYTES);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}

/* ---- segments ----------------------------------------------------------------- */

static void consumed(struct exact_consumer *c, uint32_t i, uint64_t tail)
{
    struct flr_slot *slot = slot_at(c, i);
    __atomic_store_n(&slot->tail, tail, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&slot->waiting, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&slot->waiting, 0, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&slot->space, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &slot->space, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

/* The oldest published segment of slot @i, or NULL. Skips holes; never trusts lengths. */
static const struct flr_segment *front(struct exact_consumer *c, uint32_t i)
{
    struct flr_slot *slot = slot_at(c, i);
    for (;;) {
        uint64_t head = __atomic_load_n(&slot->head, __ATOMIC_SEQ_CST), tail = slot->tail;
        uint64_t at = tail % FLR_RING_BYTES;
        if (head == tail)
            return NULL;
        const struct flr_segment *s = (const void *)(ring_at(c, i) + at);
        if (head - tail > FLR_RING_BYTES || s->bytes < sizeof *s || s->bytes % 16 != 0 ||
            s->bytes > head - tail || s->bytes > FLR_RING_BYTES - at) {
            c->x->n_damaged++;
            consumed(c, i, head);
            return NULL;
        }
        if (s->ticket != FLR_SKIP)
            return s;
        consumed(c, i, tail + s->bytes);
    }
}

static uint32_t used(const struct exact_consumer *c)
{
    uint32_t n = __atomic_load_n(&c->control->slots_used, __ATOMIC_SEQ_CST);
    return n < FLR_SLOTS ? n : FLR_SLOTS;
}

static bool is_live(const struct exact_consumer *c, uint32_t i)
{
    uint32_t state = __atomic_load_n(&slot_at(c, i)->state, __ATOMIC_SEQ_CST);
    return state == FLR_LIVE || state == FLR_EXECING || state == FLR_ENDED;
}

/* Slot with the smallest published ticket, or FLR_SLOTS. */
static uint32_t oldest(struct exact_consumer *c, uint64_t *ticket)
{
    uint32_t best = FLR_SLOTS, n = used(c);
    *ticket = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const struct flr_segment *s = is_live(c, i) ? front(c, i) : NULL;
        if (s != NULL && s->ticket < *ticket) {
            *ticket = s->ticket;
            best = i;
        }
    }
    return best;
}

/*
 * May a process still publish something older than @ticket? The open ticket is
 * read before the ring: what was published in between is then seen there.
 */
static bool may_come_older(struct exact_consumer *c, uint64_t ticket)
{
    uint32_t n = used(c);
    for (uint32_t i = 0; i < n; i++) {
        if (!is_live(c, i))
            continue;
        uint64_t open = __atomic_load_n(&slot_at(c, i)->open_ticket, __ATOMIC_SEQ_CST);
        const struct flr_segment *s = front(c, i);
        if (s != NULL ? s->ticket < ticket : open < ticket && open != c->slots[i].given_up)
            return true;
    }
    return false;
}

/* Who holds a ticket older than @ticket does not run: it is waited for once, not at each segment. */
static void give_up(struct exact_consumer *c, uint64_t ticket)
{
    for (uint32_t i = 0, n = used(c); i < n; i++) {
        uint64_t open = __atomic_load_n(&slot_at(c, i)->open_ticket, __ATOMIC_SEQ_CST);
        if (is_live(c, i) && open != FLR_OPENING && open < ticket)
            c->slots[i].given_up = open;
    }
}

static void take(struct exact_consumer *c, uint32_t i)
{
    struct slot_state *state = &c->slots[i];
    const struct flr_segment *s = front(c, i);
    uint64_t tail = slot_at(c, i)->tail;
    fl_exact_decode(c->x, &state->process, (const uint64_t *)(const void *)(s + 1),
                    (s->bytes - sizeof *s) / 8);
    consumed(c, i, tail + s->bytes);
}

/* ---- ends ----------------------------------------------------------------------- */

static void reap(struct exact_consumer *c)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        c->reaped[c->n_reaped++ % 256] = (struct reaped){ pid, status };
        if (pid == c->main)
            c->main_status = status;
    }
    c->no_children = pid < 0 && errno == ECHILD;
}

static bool is_gone(struct slot_state *state, uint32_t pid)
{
    struct pollfd p = { .events = POLLIN };
    if (state->pidfd < 0 || state->pid != pid) {
        if (state->pidfd >= 0)
            close(state->pidfd);
        state->pid = pid;
        state->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (state->pidfd < 0)
            return errno == ESRCH;
    }
    p.fd = state->pidfd;
    return poll(&p, 1, 0) > 0;
}

/* Once in a while, put what there is on disk, so that it survives a kill. */
static void flush_now_and_then(struct exact_consumer *c)
{
    if (now_ns() - c->flushed_ns < FLUSH_NS)
        return;
    c->flushed_ns = now_ns();
    fl_exact_flush(c->x);
    if (c->x->first_rc != FL_OK)
        return;
    struct fl_err err;
    int rc = fl_writer_flush(c->x->writer, &err);
    if (rc != FL_OK)
        fl_exact_fail(c->x, rc, &err);
}

/* How @pid ended, when it was our child; otherwise what its slot lets us conclude. */
static int ended_how(const struct exact_consumer *c, uint32_t pid, uint32_t state)
{
    size_t n = c->n_reaped < 256 ? c->n_reaped : 256;
    for (size_t i = 0; i < n; i++)
        if (c->reaped[i].pid == (pid_t)pid)
            return c->reaped[i].status;
    return state == FLR_EXECING ? 0 : SIGKILL;
}

static void recycle(struct exact_consumer *c, uint32_t i)
{
    struct slot_state *state = &c->slots[i];
    struct flr_slot *slot = slot_at(c, i);
    fl_exact_flush(c->x);
    fl_exact_process_free(state->process);
    state->process = NULL;
    if (state->pidfd >= 0)
        close(state->pidfd);
    state->pidfd = -1;
    fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)FLR_RING_OFFSET(i),
              FLR_RING_BYTES);
    slot->open_ticket = FLR_IDLE;
    slot->waiting = 0;
    __atomic_store_n(&slot->state, FLR_FREE, __ATOMIC_SEQ_CST);
}

/* Slots whose process ended and whose ring is empty. */
static void settle(struct exact_consumer *c)
{
    uint32_t n = used(c);
    int signo = fl_exact_signals_asked();
    reap(c);
    for (uint32_t i = 0; i < n; i++)
        if (c->slots[i].process != NULL && !c->slots[i].process->ended)
            fl_exact_look_at_adj(c->x, c->slots[i].process);
    for (uint32_t i = 0; i < n; i++) {
        struct flr_slot *slot = slot_at(c, i);
        struct slot_state *state = &c->slots[i];
        uint32_t in = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);
        /* A slot being claimed has no pid yet: it matters only when nobody is left. */
        if (in == FLR_FREE || (in == FLR_CLAIMED && !c->no_children) ||
            (in != FLR_ENDED && in != FLR_CLAIMED && !is_gone(state, slot->pid))) {
            if (signo != 0 && in != FLR_FREE && slot->pid != 0)
                fl_exact_signals_continue((pid_t)slot->pid, signo);
            continue;
        }
        /* Nothing is published after its end was seen. */
        if (front(c, i) != NULL)
            continue;
        if (in != FLR_ENDED) {
            reap(c);
            int status = ended_how(c, slot->pid, in);
            if (in == FLR_EXECING)
                c->x->n_native++;
            else if (WIFSIGNALED(status))
                c->x->n_killed++;
            if (state->process != NULL)
                fl_exact_ended(c->x, state->process, status);
        }
        recycle(c, i);
    }
    c->checked_ns = now_ns();
}

static bool any_slot(const struct exact_consumer *c)
{
    uint32_t n = used(c);
    for (uint32_t i = 0; i < n; i++)
        if (__atomic_load_n(&slot_at(c, i)->state, __ATOMIC_SEQ_CST) != FLR_FREE)
            return true;
    return false;
}

/* ---- the loop --------------------------------------------------------------------- */

/* @have_work: there is something to consume, but it is too early for it. */
static void sleep_until_activity(struct exact_consumer *c, long nanoseconds, bool have_work)
{
    struct flr_control *control = c->control;
    struct timespec patience = { 0, nanoseconds };
    uint64_t ticket;
    uint32_t seen = __atomic_load_n(&control->activity, __ATOMIC_SEQ_CST);
    __atomic_store_n(&control->sleeping, 1, __ATOMIC_SEQ_CST);
    if (have_work || oldest(c, &ticket) == FLR_SLOTS)
        syscall(SYS_futex, &control->activity, FUTEX_WAIT, seen, &patience, NULL, 0);
    __atomic_store_n(&control->sleeping, 0, __ATOMIC_SEQ_CST);
}

int fl_exact_consume(struct exact_consumer *c, pid_t main, int *wait_status, struct fl_err *err)
{
    uint64_t waited_for = 0, since_ns = 0;
    c->main = main;
    for (;;) {
        uint64_t ticket;
        uint32_t i = oldest(c, &ticket);
        if (now_ns() - c->checked_ns > (i == FLR_SLOTS ? CHECK_IDLE_NS : CHECK_BUSY_NS))
            settle(c);
        flush_now_and_then(c);
        if (i == FLR_SLOTS) {
            if (c->no_children && !any_slot(c))
                break;
            sleep_until_activity(c, SLEEP_NS, false);
            continue;
        }
        if (may_come_older(c, ticket)) {
            if (waited_for != ticket) {
                waited_for = ticket;
                since_ns = now_ns();
            }
            if (now_ns() - since_ns < PATIENCE_NS) {
                sleep_until_activity(c, SLEEP_NS / 8, true);
                continue;
            }
            give_up(c, ticket);
            i = oldest(c, &ticket);
        }
        take(c, i);
    }
    fl_exact_flush(c->x);
    *wait_status = c->main_status;
    if (c->x->first_rc != FL_OK) {
        *err = c->x->err;
        return c->x->first_rc;
    }
    return FL_OK;
}
