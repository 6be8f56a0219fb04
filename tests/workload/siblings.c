// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Children of different sizes that all have their memory at the same time.
 * Usage: siblings ROUNDS PAGES[:ADJ] ...
 *
 * One child for each PAGES, named sib0, sib1...; with ADJ it sets its oom_score_adj to that first.
 * In turn, one at a time: each fills its pages, in steps of a hundredth, until all have them; then each reads all of its
 * own, ROUNDS times. A child that is killed is passed over. Pages are not zero and not alike.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS 100
#define MOST 16

struct child {
    pid_t pid;
    int go, done;
};

static void fill(uint64_t *memory, size_t pages, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < pages; i++)
        for (size_t w = 0; w < 512; w += 64)
            memory[i * 512 + w] = i * 1000003 + w + 1;
}

static void set_adj(const char *adj)
{
    FILE *f = fopen("/proc/self/oom_score_adj", "w");
    if (!f || fputs(adj, f) == EOF || fclose(f) != 0)
        _exit(1);
}

static void live(int number, const char *what, int go, int done)
{
    char name[16], turn;
    char *colon = strchr(what, ':');
    size_t pages = strtoul(what, NULL, 10), step = pages / STEPS + 1, filled = 0;
    volatile uint64_t sum = 0;
    snprintf(name, sizeof name, "sib%d", number);
    prctl(PR_SET_NAME, name);
    if (colon)
        set_adj(colon + 1);
    uint64_t *memory =
        mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        _exit(1);
    while (read(go, &turn, 1) == 1) {
        if (turn == 'f') {
            fill(memory, pages, filled, filled + step);
            filled += step;
        } else {
            for (size_t i = 0; i < pages; i++)
                sum += memory[i * 512];
        }
        if (write(done, &turn, 1) != 1)
            break;
    }
    _exit(0);
}

static void start(struct child *c, int number, const char *what)
{
    int go[2], done[2];
    if (pipe(go) || pipe(done))
        exit(1);
    c->pid = fork();
    if (c->pid == 0) {
        close(go[1]);
        close(done[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        live(number, what, go[0], done[1]);
    }
    close(go[0]);
    close(done[1]);
    c->go = go[1];
    c->done = done[0];
    fcntl(c->go, F_SETFD, FD_CLOEXEC);
}

static void turn(struct child *c, char what)
{
    char answer;
    if (c->pid > 0 && (write(c->go, &what, 1) != 1 || read(c->done, &answer, 1) != 1))
        c->pid = -1; /* it has been killed */
}

int main(int argc, char **argv)
{
    struct child child[MOST];
    int n = argc - 2, rounds = argc > 2 ? atoi(argv[1]) : 0;
    if (n < 1 || n > MOST || rounds < 1)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < n; i++)
        start(&child[i], i, argv[i + 2]);
    for (int k = 0; k < STEPS + rounds; k++)
        for (int i = 0; i < n; i++)
            turn(&child[i], k < STEPS ? 'f' : 'r');
    for (int i = 0; i < n; i++)
        close(child[i].go);
    while (wait(NULL) > 0)
        ;
    return 0;
}
