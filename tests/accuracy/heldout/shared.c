/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shared [SHARED_PAGES [HEAP_PAGES [TURNS]]] - a parent and a child take TURNS turns each. In a turn
 * a process uses pages of its heap drawn uniformly, a quarter as many as it has, and as many of the
 * shared memory, one process more of the low ones, the other of the high; it writes a third of those.
 */
#include "work.h"

#include <sys/wait.h>
#include <unistd.h>

static uint64_t turn(uint64_t *shared, size_t pages, uint64_t *heap, size_t heap_pages,
                     uint64_t *state, int high)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < heap_pages / 4; i++) {
        uint64_t a = work_below(state, pages), b = work_below(state, pages);
        uint64_t low = a < b ? a : b;
        sum += work_use(shared + (high ? pages - 1 - low : low) * PAGE_WORDS,
                        work_below(state, 3) == 0);
        sum += work_use(heap + work_below(state, heap_pages) * PAGE_WORDS, i % 2 == 0);
    }
    return sum;
}

/* Waits for a byte on @in and sends one on @out after each turn; returns 1 where a pipe fails. */
static int play(uint64_t *shared, size_t pages, size_t heap_pages, size_t turns, int in, int out,
                int high)
{
    uint64_t state = high ? 21 : 22, sum = 0;
    uint64_t *heap = work_pages(heap_pages);
    char c = 0;

    work_fill_all(heap, heap_pages);
    for (size_t i = 0; i < turns; i++) {
        if (read(in, &c, 1) != 1)
            return 1;
        sum += turn(shared, pages, heap, heap_pages, &state, high);
        if (write(out, &c, 1) != 1)
            return 1;
    }
    printf("%016llx\n", (unsigned long long)sum);
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 10240;
    size_t heap_pages = argc > 2 ? strtoul(argv[2], NULL, 10) : 7680;
    size_t turns = argc > 3 ? strtoul(argv[3], NULL, 10) : 30;
    int to_child[2], to_parent[2], status = 0;
    uint64_t *shared =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED || pipe(to_child) != 0 || pipe(to_parent) != 0)
        return 1;
    work_fill_all(shared, pages);
    /* The first turn is the parent's own: as if the child had handed it over. */
    if (write(to_parent[1], "", 1) != 1)
        return 1;
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    /* Each keeps its own ends only: where one is killed, the other's read ends. */
    close(to_child[pid == 0]);
    close(to_parent[pid != 0]);
    if (pid == 0)
        _exit(play(shared, pages, heap_pages, turns, to_child[0], to_parent[1], 1));
    int failed = play(shared, pages, heap_pages, turns, to_parent[0], to_child[1], 0);
    return failed || waitpid(pid, &status, 0) != pid || status != 0;
}
