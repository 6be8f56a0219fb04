/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * truth_more NAME [NUMBER...] - more programs that are known to thrash or not: the ones that mislead.
 * (n) below is a marker, see truth.h. Sizes are in pages, STEPS is the work of a touch.
 *
 * grow STEP MOST LIMIT STEPS
 *     Passes over a set that grows by STEP pages a pass, to MOST; (1) is the first pass over
 *     pages that the pass before had already found to be more than LIMIT; (2) the end. With RAM
 *     for LIMIT, LRU misses nothing before (1) but what is new, and everything after.
 *
 * turns A B TURNS ROUNDS STEPS
 *     Touches A, touches B (1), then ROUNDS times A and ROUNDS times B, TURNS times (2). With RAM for
 *     one, each turn loads its set again: with few rounds that is thrashing, with many it is not.
 *
 * sweep HOT HEAP SWEEPS BETWEEN STEPS
 *     Touches HEAP and HOT (1). Then, SWEEPS times, BETWEEN touches of HOT and one pass over HEAP, as a
 *     garbage collector makes (2). With RAM for HOT, all that is missed is in the sweeps.
 *
 * skewed PAGES TOUCHES DRAWS STEPS
 *     Touches PAGES (1), then touches pages at random (2), page 2^k to 2^(k+1) with k the least of
 *     DRAWS even draws: one draw is Zipf's law, three leave a tail that is rarely wanted.
 *
 * reread FILE PAGES HEAP ROUNDS STEPS
 *     Touches HEAP and PAGES of the mapped FILE once (1), then reads the file ROUNDS times, with two
 *     touches of HEAP after each page (2). With RAM for HEAP but not for the file the file thrashes.
 *
 * pool PAGES WORKERS ROUNDS STEPS
 *     The parent touches PAGES and forks WORKERS (1), which take turns of a pass each over their copies; all have
 *     copied all at (2) and do ROUNDS more (3). With RAM for less than all copies, (2) to (3) thrashes, by the
 *     workers.
 *
 * sparse PAGES STRIDE ROUNDS STEPS
 *     Touches one word in every STRIDEth page, PAGES in all, once (1), and ROUNDS times (2).
 *
 * twice SMALL BIG ROUNDS STEPS
 *     Works on SMALL until (1), on BIG: first pass (2), more until (3), on SMALL until (4), on BIG
 *     until (5), on SMALL until (6). Two episodes: (2) to (3) and (4) to (5).
 *
 * shrink PAGES ROUNDS STEPS
 *     Touches PAGES (1), works on them ROUNDS times (2), gives half of them back, and works
 *     on the other half (3). With RAM for half, the thrashing ends at (2).
 *
 * brief SMALL BIG AROUND ROUNDS STEPS
 *     AROUND touches of SMALL, first pass over BIG (1), ROUNDS more (2), AROUND touches of SMALL (3): with
 *     RAM between the two a short episode, (1) to (2), in a long calm run.
 *
 * list NODES ROUNDS STEPS
 *     Builds a list of NODES in the heap (1) and walks it ROUNDS times (2): steady, in nodes of 64 bytes.
 *
 * window PAGES WIDTH STEPS
 *     Touches every page of PAGES in order, and with each the one WIDTH before it (2), as a queue
 *     does: from (1) on twice WIDTH pages lie between the two touches of one. With RAM for a little less no
 *     page is missed more than once, but every second touch is a miss that this little would have
 *     spared: thrashing from (1) to (2).
 *
 * init PAGES HOT ROUNDS STEPS
 *     Touches PAGES, never to be used again (1), then works on HOT of its own (2).
 */
#include "truth.h"

/* ---- grow ---- */

KEEP static void grow_pass(uint64_t *set, size_t pages, unsigned steps)
{
    pass(set, pages, steps);
}

static void grow(int argc, char **argv)
{
    size_t step = number(argc, argv, 1, 50), most = number(argc, argv, 2, 2000);
    size_t limit = number(argc, argv, 3, 1000);
    unsigned steps = number(argc, argv, 4, 20);
    uint64_t *set = new_pages(most);
    int marked = 0;
    for (size_t n = step; n <= most; n += step) {
        if (!marked && n - step > limit) {
            mark(1);
            marked = 1;
        }
        grow_pass(set, n, steps);
    }
    mark(2);
}

/* ---- turns ---- */

KEEP static void turn_a(uint64_t *set, size_t pages, unsigned rounds, unsigned steps)
{
    while (rounds--)
        pass(set, pages, steps);
}

KEEP static void turn_b(uint64_t *set, size_t pages, unsigned rounds, unsigned steps)
{
    while (rounds--)
        pass(set, pages, steps);
}

static void turns(int argc, char **argv)
{
    size_t a = number(argc, argv, 1, 1000), b = number(argc, argv, 2, 1000);
    unsigned n = number(argc, argv, 3, 30), rounds = number(argc, argv, 4, 1);
    unsigned steps = number(argc, argv, 5, 20);
    uint64_t *set_a = new_pages(a), *set_b = new_pages(b);
    turn_a(set_a, a, 1, steps);
    turn_b(set_b, b, 1, steps);
    mark(1);
    while (n--) {
        turn_a(set_a, a, rounds, steps);
        turn_b(set_b, b, rounds, steps);
    }
    mark(2);
}

/* ---- sweep ---- */

KEEP static void hot_work(uint64_t *hot, size_t pages, size_t n, unsigned steps)
{
    for (size_t i = 0; n; n--) {
        touch(hot + i * PAGE_WORDS, steps);
        i = i + 1 < pages ? i + 1 : 0;
    }
}

KEEP static void sweep_heap(uint64_t *heap, size_t pages, unsigned steps)
{
    pass(heap, pages, steps);
}

static void sweep(int argc, char **argv)
{
    size_t n_hot = number(argc, argv, 1, 300), n_heap = number(argc, argv, 2, 2000);
    unsigned sweeps = number(argc, argv, 3, 5), between = number(argc, argv, 4, 40000);
    unsigned steps = number(argc, argv, 5, 20);
    uint64_t *hot = new_pages(n_hot), *heap = new_pages(n_heap);
    sweep_heap(heap, n_heap, steps);
    hot_work(hot, n_hot, n_hot, steps);
    mark(1);
    for (unsigned i = 0; i < sweeps; i++) {
        hot_work(hot, n_hot, between, steps);
        sweep_heap(heap, n_heap, steps);
    }
    hot_work(hot, n_hot, between, steps);
    mark(2);
}

/* ---- skewed ---- */

KEEP static void skewed_fill(uint64_t *set, size_t pages, unsigned steps)
{
    while (pages--) /* the rarest first */
        touch(set + pages * PAGE_WORDS, steps);
}

KEEP static void skewed_work(uint64_t *set, size_t pages, size_t n, unsigned draws, unsigned steps)
{
    uint64_t state = 7, levels = 0;
    while ((size_t)2 << levels <= pages)
        levels++; /* 2^levels is the most that fits */
    while (n--) {
        uint64_t level = next_number(&state) % levels;
        for (unsigned i = 1; i < draws; i++) {
            uint64_t other = next_number(&state) % levels;
            level = other < level ? other : level;
        }
        uint64_t first = (uint64_t)1 << level;
        touch(set + (first + next_number(&state) % first) * PAGE_WORDS, steps);
    }
}

static void skewed(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 2048), n = number(argc, argv, 2, 60000);
    unsigned draws = number(argc, argv, 3, 3), steps = number(argc, argv, 4, 100);
    uint64_t *set = new_pages(pages);
    skewed_fill(set, pages, steps);
    mark(1);
    skewed_work(set, pages, n, draws, steps);
    mark(2);
}

/* ---- reread ---- */

KEEP static uint64_t read_page(const uint64_t *page, unsigned steps)
{
    return think(*page + 1, steps);
}

KEEP static void use_heap(uint64_t *heap, size_t pages, size_t at, unsigned steps)
{
    touch(heap + at % pages * PAGE_WORDS, steps);
    touch(heap + (at + 1) % pages * PAGE_WORDS, steps);
}

static void reread(int argc, char **argv)
{
    need(argc > 1, "reread FILE");
    size_t pages = number(argc, argv, 2, 1500), n_heap = number(argc, argv, 3, 300);
    unsigned rounds = number(argc, argv, 4, 20), steps = number(argc, argv, 5, 20);
    uint64_t *heap = new_pages(n_heap), sum = 0;
    int fd = open(argv[1], O_RDONLY);
    need(fd >= 0, argv[1]);
    uint64_t *file = mmap(NULL, pages * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    need(file != MAP_FAILED, argv[1]);
    for (size_t i = 0; i < pages * (rounds + 1); i++) {
        if (i == pages)
            mark(1);
        sum += read_page(file + i % pages * PAGE_WORDS, steps);
        use_heap(heap, n_heap, 2 * i, steps);
    }
    mark(2);
    need(sum != 0, "sum");
}

/* ---- pool ---- */

KEEP static void pool_build(uint64_t *set, size_t pages, unsigned steps)
{
    pass(set, pages, steps);
}

KEEP static void pool_work(uint64_t *set, size_t pages, unsigned steps)
{
    pass(set, pages, steps);
}

static void baton(int fd, int give)
{
    char token = 'x';
    need((give ? write(fd, &token, 1) : read(fd, &token, 1)) == 1, "pipe");
}

/* Worker @me of a ring: takes its turn from pipe @me, gives the next one's to pipe @me + 1. */
static void pool_worker(uint64_t *set, size_t pages, unsigned rounds, unsigned steps, int in,
                        int out, int last)
{
    prctl(PR_SET_NAME, "worker");
    for (unsigned i = 0; i <= rounds; i++) {
        baton(in, 0);
        pool_work(set, pages, steps);
        if (last && i == 0)
            mark(2);
        if (last && i == rounds)
            mark(3);
        else
            baton(out, 1);
    }
    _exit(0);
}

static void pool(int argc, char **argv)
{
    enum { MOST = 8 };
    size_t pages = number(argc, argv, 1, 700);
    unsigned workers = number(argc, argv, 2, 3), rounds = number(argc, argv, 3, 20);
    unsigned steps = number(argc, argv, 4, 20);
    int fds[MOST][2], status;
    need(workers > 0 && workers <= MOST, "workers");
    uint64_t *set = new_pages(pages);
    pool_build(set, pages, steps);
    for (unsigned i = 0; i < workers; i++)
        need(pipe(fds[i]) == 0, "pipe");
    mark(1);
    for (unsigned i = 0; i < workers; i++) {
        pid_t child = fork();
        need(child >= 0, "fork");
        if (child == 0)
            pool_worker(set, pages, rounds, steps, fds[i][0], fds[(i + 1) % workers][1],
                        i + 1 == workers);
    }
    baton(fds[0][1], 1);
    for (unsigned i = 0; i < workers; i++)
        need(wait(&status) > 0 && status == 0, "worker");
}

/* ---- sparse ---- */

KEEP static void sparse_pass(uint64_t *set, size_t pages, size_t stride, unsigned steps)
{
    for (size_t i = 0; i < pages; i++)
        touch(set + i * stride * PAGE_WORDS, steps);
}

static void sparse(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 1000), stride = number(argc, argv, 2, 8);
    unsigned rounds = number(argc, argv, 3, 40), steps = number(argc, argv, 4, 1);
    uint64_t *set = new_pages(pages * stride);
    sparse_pass(set, pages, stride, steps);
    mark(1);
    while (rounds--)
        sparse_pass(set, pages, stride, steps);
    mark(2);
}

/* ---- twice ---- */

static void twice(int argc, char **argv)
{
    size_t small = number(argc, argv, 1, 200), big = number(argc, argv, 2, 1500);
    unsigned rounds = number(argc, argv, 3, 20), steps = number(argc, argv, 4, 20);
    uint64_t *small_set = new_pages(small), *big_set = new_pages(big);
    hot_work(small_set, small, big * rounds, steps);
    mark(1);
    sweep_heap(big_set, big, steps);
    mark(2);
    for (unsigned i = 0; i < rounds; i++)
        sweep_heap(big_set, big, steps);
    mark(3);
    hot_work(small_set, small, big * rounds, steps);
    mark(4);
    for (unsigned i = 0; i < rounds; i++)
        sweep_heap(big_set, big, steps);
    mark(5);
    hot_work(small_set, small, big * rounds, steps);
    mark(6);
}

/* ---- shrink ---- */

static void shrink(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 2000), half = pages / 2;
    unsigned rounds = number(argc, argv, 2, 20), steps = number(argc, argv, 3, 20);
    uint64_t *set = new_pages(pages);
    sweep_heap(set, pages, steps);
    mark(1);
    for (unsigned i = 0; i < rounds; i++)
        sweep_heap(set, pages, steps);
    mark(2);
    need(munmap(set + half * PAGE_WORDS, (pages - half) * PAGE_BYTES) == 0, "munmap");
    for (unsigned i = 0; i < 2 * rounds; i++)
        sweep_heap(set, half, steps);
    mark(3);
}

/* ---- brief ---- */

static void brief(int argc, char **argv)
{
    size_t small = number(argc, argv, 1, 50), big = number(argc, argv, 2, 600);
    size_t around = number(argc, argv, 3, 200000);
    unsigned rounds = number(argc, argv, 4, 12), steps = number(argc, argv, 5, 20);
    uint64_t *small_set = new_pages(small), *big_set = new_pages(big);
    hot_work(small_set, small, around, steps);
    sweep_heap(big_set, big, steps);
    mark(1);
    while (rounds--)
        sweep_heap(big_set, big, steps);
    mark(2);
    hot_work(small_set, small, around, steps);
    mark(3);
}

/* ---- list ---- */

struct node {
    struct node *next;
    uint64_t value[5]; /* 64 bytes with what malloc adds */
};

KEEP static struct node *list_build(size_t n)
{
    struct node *first = NULL, **last = &first;
    while (n--) {
        struct node *node = malloc(sizeof *node);
        need(node != NULL, "malloc");
        node->value[0] = n;
        *last = node;
        last = &node->next;
    }
    *last = NULL;
    return first;
}

KEEP static void list_walk(struct node *node, unsigned steps)
{
    for (; node; node = node->next)
        touch(node->value, steps);
}

static void list(int argc, char **argv)
{
    struct node *first = list_build(number(argc, argv, 1, 38400));
    unsigned rounds = number(argc, argv, 2, 15), steps = number(argc, argv, 3, 2);
    mark(1);
    while (rounds--)
        list_walk(first, steps);
    mark(2);
}

/* ---- window ---- */

KEEP static void window_push(uint64_t *page, unsigned steps)
{
    touch(page, steps);
}

KEEP static void window_pop(uint64_t *page, unsigned steps)
{
    touch(page, steps);
}

static void window(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 20000), width = number(argc, argv, 2, 1000);
    unsigned steps = number(argc, argv, 3, 20);
    uint64_t *set = new_pages(pages);
    for (size_t i = 0; i < pages; i++) {
        window_push(set + i * PAGE_WORDS, steps);
        if (i + 1 == 2 * width)
            mark(1);
        if (i >= width)
            window_pop(set + (i - width) * PAGE_WORDS, steps);
    }
    mark(2);
}

/* ---- init ---- */

static void init(int argc, char **argv)
{
    size_t pages = number(argc, argv, 1, 4000), n_hot = number(argc, argv, 2, 300);
    unsigned rounds = number(argc, argv, 3, 100), steps = number(argc, argv, 4, 20);
    sweep_heap(new_pages(pages), pages, steps);
    mark(1);
    hot_work(new_pages(n_hot), n_hot, n_hot * rounds, steps);
    mark(2);
}

int main(int argc, char **argv)
{
    static const struct truth all[] = {
        { "grow", grow },     { "turns", turns }, { "sweep", sweep },   { "skewed", skewed },
        { "reread", reread }, { "pool", pool },   { "sparse", sparse }, { "twice", twice },
        { "shrink", shrink }, { "init", init },   { "brief", brief },   { "list", list },
        { "window", window },
    };
    return truth_main(all, sizeof all / sizeof all[0], argc, argv);
}
