/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * truth NAME [NUMBER...] - programs that are known, by construction, to thrash or not.
 * (n) below is a marker, see truth.h. Sizes are in pages, STEPS is the work of a touch.
 *
 * steady PAGES ROUNDS STEPS [RANDOM]
 *     Touches PAGES in order once (1), then ROUNDS times as many touches, in the same order or at
 *     random (2). With RAM for all nothing is ever missed; with less, LRU and CLOCK miss each
 *     touch in order, and the absent share of touches at random: thrashing from (1) to (2).
 *
 * stream PAGES HOT PASSES STEPS [FILE]
 *     Touches HOT pages (1), then reads and writes every word of PAGES once a pass, or reads them
 *     from a mapped FILE, and touches four hot pages after each (2); then the hot ones only (3).
 *     With RAM for the hot set and what streams by meanwhile nothing that is wanted again soon is
 *     ever missed: many evictions, no thrashing. Two passes load each page a second time, once.
 *
 * phases A B ROUNDS STEPS
 *     Touches A (1) and works on it ROUNDS times (2), touches B (3), works on it (4), and on A again (5).
 *     RAM for either, but not both, costs one load of A after (4), which is no thrashing; with RAM
 *     for less than A, (1) to (2) and (4) to (5) thrash, with less than B, (3) to (4) does.
 *
 * leak HOT LEAKED ROUNDS STEPS
 *     Touches HOT (1), then works on it ROUNDS times (2), and writes one of LEAKED new pages, each
 *     once, now and then. With RAM for HOT only leaked pages go out, and never come
 *     back: growth, no thrashing. With less, (1) to (2) thrashes.
 *
 * fight LEFT RIGHT SOLO ROUNDS STEPS
 *     Process "left" touches LEFT (1) and works on it SOLO times (2); then it and process "right" take
 *     turns of a quarter of their pages; right has touched all its RIGHT pages at (3) and ends at (4) after
 *     ROUNDS; left is alone for SOLO rounds more (5). With RAM for either, but not both, (3) to (4)
 *     thrashes, by both if they are of a size. A right of few pages is innocent of anything.
 *
 * third SMALL BIG ROUNDS STEPS
 *     Touches SMALL (1) and works on it until (2), touches BIG (3), works on it until (4), on SMALL
 *     again until (5); 1-2, 2-4 and 4-5 have equal numbers of touches, ROUNDS times BIG. With RAM
 *     between SMALL and BIG, (3) to (4) thrashes; with more, nothing does.
 */
#include "truth.h"

/* ---- steady ---- */

KEEP static void steady_fill(uint64_t *set, size_t pages, unsigned steps)
{
    pass(set, pages, steps);
}

KEEP static void steady_cycle(uint64_t *set, size_t pages, unsigned rounds, unsigned steps)
{
    while (rounds--)
        pass(set, pages, steps);
}

KEEP static void steady_random(uint64_t *set, size_t pages, unsigned rounds, unsigned steps)
{
    uint64_t state = 1;
    for (size_t n = pages * rounds; n; n--)
        touch(set + next_number(&state) % pages * PAGE_WORDS, steps);
}

static void steady(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 2000);
    unsigned rounds = number(argc, argv, 2, 20), steps = number(argc, argv, 3, 20);
    uint64_t *set = new_pages(pages);
    steady_fill(set, pages, steps);
    mark(1);
    if (number(argc, argv, 4, 0))
        steady_random(set, pages, rounds, steps);
    else
        steady_cycle(set, pages, rounds, steps);
    mark(2);
}

/* ---- stream ---- */

KEEP static void hot_fill(uint64_t *hot, size_t pages, unsigned steps)
{
    pass(hot, pages, steps);
}

KEEP static size_t hot_work(uint64_t *hot, size_t pages, size_t at, size_t n, unsigned steps)
{
    while (n--) {
        touch(hot + at * PAGE_WORDS, steps);
        at = at + 1 < pages ? at + 1 : 0;
    }
    return at;
}

/* Sixteen words between two jumps, which the recorder sees as one run. */
KEEP static uint64_t stream_read(const uint64_t *page)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < PAGE_WORDS; i += 16)
#pragma GCC unroll 16
        for (size_t j = 0; j < 16; j++)
            sum += page[i + j];
    return sum;
}

KEEP static void stream_write(uint64_t *page, uint64_t value)
{
    for (size_t i = 0; i < PAGE_WORDS; i += 16)
#pragma GCC unroll 16
        for (size_t j = 0; j < 16; j++)
            page[i + j] += value;
}

static uint64_t *map_file(const char *path, size_t pages)
{
    int fd = open(path, O_RDONLY);
    need(fd >= 0, path);
    void *p = mmap(NULL, pages * PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    need(p != MAP_FAILED && close(fd) == 0, path);
    return p;
}

static void stream(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 6000), n_hot = number(argc, argv, 2, 600);
    unsigned passes = number(argc, argv, 3, 1), steps = number(argc, argv, 4, 20);
    uint64_t *hot = new_pages(n_hot), sum = 1;
    uint64_t *data = argc > 5 ? map_file(argv[5], pages) : new_pages(pages);
    size_t at = 0;
    hot_fill(hot, n_hot, steps);
    mark(1);
    for (size_t i = 0; i < pages * passes; i++) {
        uint64_t *page = data + i % pages * PAGE_WORDS;
        if (argc > 5)
            sum += stream_read(page);
        else
            stream_write(page, sum);
        at = hot_work(hot, n_hot, at, 4, steps);
    }
    mark(2);
    hot_work(hot, n_hot, at, 2 * pages, steps);
    mark(3);
    need(sum != 0, "sum");
}

/* ---- phases ---- */

KEEP static void phase_a(uint64_t *set, size_t pages, unsigned rounds, unsigned steps)
{
    while (rounds--)
        pass(set, pages, steps);
}

KEEP static void phase_b(uint64_t *set, size_t pages, unsigned rounds, unsigned steps)
{
    while (rounds--)
        pass(set, pages, steps);
}

static void phases(int argc, char **argv)
{
    size_t a = number(argc, argv, 1, 1500), b = number(argc, argv, 2, 1000);
    unsigned rounds = number(argc, argv, 3, 50), steps = number(argc, argv, 4, 20);
    uint64_t *set_a = new_pages(a), *set_b = new_pages(b);
    phase_a(set_a, a, 1, steps);
    mark(1);
    phase_a(set_a, a, rounds, steps);
    mark(2);
    phase_b(set_b, b, 1, steps);
    mark(3);
    phase_b(set_b, b, rounds, steps);
    mark(4);
    phase_a(set_a, a, rounds, steps);
    mark(5);
}

/* ---- leak ---- */

KEEP static void leak_one(uint64_t *page)
{
    *page = 1;
}

static void leak(int argc, char **argv)
{
    size_t n_hot = number(argc, argv, 1, 1000), leaked = number(argc, argv, 2, 2000);
    unsigned rounds = number(argc, argv, 3, 60), steps = number(argc, argv, 4, 20);
    uint64_t *hot = new_pages(n_hot), *lost = new_pages(leaked);
    size_t at = 0, each = n_hot * rounds / leaked;
    hot_fill(hot, n_hot, steps);
    mark(1);
    for (size_t i = 0; i < leaked; i++) {
        leak_one(lost + i * PAGE_WORDS);
        at = hot_work(hot, n_hot, at, each, steps);
    }
    mark(2);
}

/* ---- fight ---- */

static void give(int fd)
{
    need(write(fd, "x", 1) == 1, "write");
}

static void take(int fd)
{
    char token;
    need(read(fd, &token, 1) == 1, "read");
}

KEEP static size_t left_turn(uint64_t *set, size_t pages, size_t at, size_t n, unsigned steps)
{
    while (n--) {
        touch(set + at * PAGE_WORDS, steps);
        at = at + 1 < pages ? at + 1 : 0;
    }
    return at;
}

KEEP static size_t right_turn(uint64_t *set, size_t pages, size_t at, size_t n, unsigned steps)
{
    while (n--) {
        touch(set + at * PAGE_WORDS, steps);
        at = at + 1 < pages ? at + 1 : 0;
    }
    return at;
}

static void right_process(size_t pages, unsigned rounds, unsigned steps, int in, int out)
{
    size_t at = 0, turn = pages / 4;
    prctl(PR_SET_NAME, "right");
    uint64_t *set = new_pages(turn * 4);
    give(out); /* ready: from here on only one of the two runs */
    for (unsigned i = 0; i < rounds * 4; i++) {
        take(in);
        at = right_turn(set, turn * 4, at, turn, steps);
        if (i == 3)
            mark(3);
        give(out);
    }
    _exit(0);
}

static void fight(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 1000) / 4 * 4, n_right = number(argc, argv, 2, 1000);
    unsigned solo = number(argc, argv, 3, 30), rounds = number(argc, argv, 4, 40);
    unsigned steps = number(argc, argv, 5, 20);
    int to_right[2], to_left[2], status;
    size_t at = 0;
    need(pipe(to_right) == 0 && pipe(to_left) == 0, "pipe");
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0)
        right_process(n_right, rounds, steps, to_right[0], to_left[1]);
    prctl(PR_SET_NAME, "left");
    uint64_t *set = new_pages(pages);
    take(to_left[0]);
    left_turn(set, pages, 0, pages, steps);
    mark(1);
    left_turn(set, pages, 0, pages * solo, steps);
    mark(2);
    for (unsigned i = 0; i < rounds * 4; i++) {
        at = left_turn(set, pages, at, pages / 4, steps);
        give(to_right[1]);
        take(to_left[0]);
    }
    need(waitpid(child, &status, 0) == child && status == 0, "right");
    mark(4);
    left_turn(set, pages, at, pages * solo, steps);
    mark(5);
}

/* ---- third ---- */

KEEP static void work_small(uint64_t *set, size_t pages, size_t n, unsigned steps)
{
    for (size_t i = 0; n; n--) {
        touch(set + i * PAGE_WORDS, steps);
        i = i + 1 < pages ? i + 1 : 0;
    }
}

KEEP static void work_big(uint64_t *set, size_t pages, size_t n, unsigned steps)
{
    for (size_t i = 0; n; n--) {
        touch(set + i * PAGE_WORDS, steps);
        i = i + 1 < pages ? i + 1 : 0;
    }
}

static void third(int argc, char **argv)
{
    size_t small = number(argc, argv, 1, 200), big = number(argc, argv, 2, 3000);
    unsigned rounds = number(argc, argv, 3, 20), steps = number(argc, argv, 4, 20);
    uint64_t *small_set = new_pages(small), *big_set = new_pages(big);
    work_small(small_set, small, small, steps);
    mark(1);
    work_small(small_set, small, big * rounds, steps);
    mark(2);
    work_big(big_set, big, big, steps);
    mark(3);
    work_big(big_set, big, big * (rounds - 1), steps);
    mark(4);
    work_small(small_set, small, big * rounds, steps);
    mark(5);
}

int main(int argc, char **argv)
{
    static const struct truth all[] = {
        { "steady", steady }, { "stream", stream }, { "phases", phases },
        { "leak", leak },     { "fight", fight },   { "third", third },
    };
    return truth_main(all, sizeof all / sizeof all[0], argc, argv);
}
