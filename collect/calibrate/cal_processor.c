/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processor itself costs: accesses, TLB misses, switches between processes. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cal.h"

#define LINE_BYTES 64u
#define LINES_PER_PAGE (FL_PAGE_BYTES / LINE_BYTES)
#define HUGE_BYTES (UINT64_C(2) << 20)

/* ---- accesses -------------------------------------------------------------------- */

/* Twelve instructions and a rare thirteenth: a load, a store, a multiplication, and a branch that
   goes another way once in 32 with no pattern to learn, on 32 KiB. Returns the accesses made:
   every instruction's fetch, the load, the store. */
#if defined(__x86_64__)
static uint64_t mixed_work(uint64_t *words, uint64_t mask, uint64_t turns)
{
    static uint64_t state = 88172645463325252u; /* a linear congruential generator's */
    uint64_t at, sum = 0, extra = 0, left = turns;
    __asm__ volatile("1:\n\t"
                     "imul $1664525, %[state], %[state]\n\t"
                     "add $1013904223, %[state]\n\t"
                     "mov %[state], %[at]\n\t"
                     "shr $40, %[at]\n\t"
                     "test $31, %b[at]\n\t"
                     "jnz 2f\n\t"
                     "inc %[extra]\n\t"
                     "2:\n\t"
                     "and %[mask], %[at]\n\t"
                     "add (%[words],%[at],8), %[sum]\n\t"
                     "add %[left], %[sum]\n\t"
                     "mov %[sum], (%[words],%[left],8)\n\t"
                     "dec %[left]\n\t"
                     "jnz 1b\n\t"
                     : [state] "+r"(state), [at] "=&q"(at), [sum] "+r"(sum), [extra] "+r"(extra),
                       [left] "+r"(left)
                     : [words] "r"(words), [mask] "r"(mask)
                     : "cc", "memory");
    return turns * 14 + extra;
}
#else
static uint64_t mixed_work(uint64_t *words, uint64_t mask, uint64_t turns)
{
    (void)words, (void)mask, (void)turns;
    return 0;
}
#endif

static int accesses(struct cal *cal, struct fl_err *err)
{
    enum { WORDS = 4096 };
    struct cal_samples s = { .n = 0 };
    uint64_t *words = (uint64_t *)cal_map(WORDS * sizeof *words / FL_PAGE_BYTES + 1);
    if (!words)
        return fl_nomem(err, "words to work on");
    for (unsigned i = 0; i < 200; i++) {
        uint64_t n = 0;
        int64_t t0 = cal_cpu_ns();
        for (unsigned k = 0; k < 25; k++)
            n += mixed_work(words, WORDS - 1, WORDS);
        cal_add(&s, cal_cpu_ns() - t0, n);
    }
    cal_unmap((char *)words, WORDS * sizeof *words / FL_PAGE_BYTES + 1);
    cal_done(cal, FL_COST_ACCESS, &s);
    return FL_OK;
}

/* ---- translation: a chain of loads, each from a line of its own ----------------------- */

struct chain {
    char *at;
    size_t lines, per_page, page_stride; /* page_stride in pages */
};

/* Line @i of the chain: spread over its page, so that no cache set gets more than its share. */
static char *line_at(const struct chain *c, size_t i)
{
    size_t page = i / c->per_page, k = i % c->per_page;
    size_t line = (k + page * 29) % LINES_PER_PAGE;
    size_t off = c->page_stride > 1 ? page * 37 % c->page_stride : 0;
    return c->at + (page * c->page_stride + off) * FL_PAGE_BYTES + line * LINE_BYTES;
}

static bool link_chain(const struct chain *c)
{
    uint32_t *order = malloc(c->lines * sizeof *order);
    if (!order)
        return false;
    cal_shuffle(order, c->lines);
    for (size_t i = 0; i < c->lines; i++)
        *(void **)(void *)line_at(c, order[i]) = line_at(c, order[(i + 1) % c->lines]);
    free(order);
    return true;
}

/* Picoseconds a load, once around. */
static int64_t follow(const struct chain *c)
{
    void **p = (void **)(void *)line_at(c, 0);
    int64_t t0 = cal_cpu_ns();
    for (size_t i = 0; i < c->lines; i++)
        p = *(void **volatile *)p;
    return (cal_cpu_ns() - t0) * 1000 / (int64_t)c->lines;
}

/* What a load of @slow takes longer than one of @fast, measured in turn so that both see the same
   neighbours. */
static bool compare(struct cal *cal, enum fl_cost cost, const struct chain *fast,
                    const struct chain *slow)
{
    struct cal_samples s = { .n = 0 };
    if (!link_chain(fast) || !link_chain(slow))
        return false;
    for (unsigned rep = 0; rep < 4 * CAL_REPS; rep++) {
        follow(fast); /* its lines back into the cache */
        int64_t base_ps = follow(fast);
        follow(slow);
        int64_t ps = follow(slow);
        if (rep >= 2)
            cal_add(&s, ps - base_ps, 1000); /* picoseconds already */
    }
    cal_done(cal, cost, &s);
    return true;
}

/* A 2 MiB page: its lines never miss a TLB. NULL: the kernel gives none. */
static char *huge_page(char **map)
{
    *map = cal_map(2 * HUGE_BYTES / FL_PAGE_BYTES);
    if (!*map)
        return NULL;
    char *at = (char *)(((uintptr_t)*map + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
    uint64_t before = cal_faults(false);
    madvise(at, HUGE_BYTES, MADV_HUGEPAGE);
    cal_write(at, HUGE_BYTES / FL_PAGE_BYTES);
    return cal_faults(false) - before < 4 ? at : NULL;
}

/* The same lines in one huge page, in twice as many pages as a first-level TLB has entries or
   more, and in a page each, more than any second-level TLB has. */
static int translations(struct cal *cal, struct fl_err *err)
{
    enum { LINES = 8192, L2_PAGES = 1024 };
    bool ok = true;
    char *map, *small = cal_map(LINES), *one = huge_page(&map);
    if (small && one) {
        struct chain hit = { one, LINES, LINES_PER_PAGE, 1 };
        struct chain level2 = { small, LINES, LINES / L2_PAGES, 1 };
        struct chain walk = { small, LINES, 1, 1 };
        ok = compare(cal, FL_COST_TLB_L2_HIT, &hit, &level2) &&
             compare(cal, FL_COST_WALK, &hit, &walk);
    }
    cal_unmap(small, LINES);
    cal_unmap(map, 2 * HUGE_BYTES / FL_PAGE_BYTES);
    return small && ok ? FL_OK : fl_nomem(err, "pages to translate");
}

/* As many pages side by side, and one in each 2 MiB: a second table entry a walk, out of reach
   of the page-walk caches. */
static int further_references(struct cal *cal, struct fl_err *err)
{
    enum { PAGES = 4096, STRIDE = 512 };
    bool ok = true;
    char *near = cal_map(PAGES), *far = cal_map((size_t)PAGES * STRIDE);
    if (near && far) {
        struct chain dense = { near, PAGES, 1, 1 }, sparse = { far, PAGES, 1, STRIDE };
        ok = compare(cal, FL_COST_WALK_REF, &dense, &sparse);
    }
    cal_unmap(near, PAGES);
    cal_unmap(far, (size_t)PAGES * STRIDE);
    /* 8 GiB of addresses may be refused: not measured then */
    return near && ok ? FL_OK : fl_nomem(err, "pages to translate");
}

/* ---- switches ------------------------------------------------------------------------- */

enum { ROUNDS = 500 };

static bool pass(int from, int to)
{
    char byte = 0;
    return read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1;
}

/* A byte back and forth between two processes on one processor: two switches a round, less the
   same system calls by one process alone. */
static void play(struct cal_samples *s, const int *there, const int *back)
{
    char byte = 0;
    for (unsigned rep = 0; rep < CAL_REPS; rep++) {
        bool ok = true;
        int64_t t0 = cal_wall_ns();
        for (unsigned i = 0; i < ROUNDS && ok; i++)
            ok = write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1;
        int64_t t1 = cal_wall_ns();
        for (unsigned i = 0; i < 2 * ROUNDS && ok; i++) /* the answer pipe's own end is kept open */
            ok = write(back[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1;
        int64_t t2 = cal_wall_ns();
        if (ok)
            cal_add(s, t1 - t0 - (t2 - t1), 2 * ROUNDS);
    }
}

static int switches(struct cal *cal, struct fl_err *err)
{
    struct cal_samples s = { .n = 0 };
    int there[2], back[2];
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before) != 0)
        return FL_OK;
    if (pipe(there) != 0)
        return fl_fail_errno(err, "cannot make a pipe");
    if (pipe(back) != 0) {
        int rc = fl_fail_errno(err, "cannot make a pipe");
        close(there[0]);
        close(there[1]);
        return rc;
    }
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    bool pinned = sched_setaffinity(0, sizeof one, &one) == 0;
    pid_t child = pinned ? fork() : -1;
    if (child == 0) {
        close(there[1]);
        while (pass(there[0], back[1]))
            ;
        _exit(0);
    }
    if (child > 0)
        play(&s, there, back);
    close(there[0]);
    close(there[1]);
    close(back[0]);
    close(back[1]);
    if (child > 0)
        waitpid(child, NULL, 0);
    sched_setaffinity(0, sizeof before, &before);
    cal_done(cal, FL_COST_SWITCH, &s);
    return FL_OK;
}

int cal_processor(struct cal *cal, struct fl_err *err)
{
    int rc = accesses(cal, err);
    if (rc == FL_OK)
        rc = translations(cal, err);
    if (rc == FL_OK)
        rc = further_references(cal, err);
    return rc == FL_OK ? switches(cal, err) : rc;
}
