// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Children of different sizes that all have their memory at the same time.
 * Usage: siblings ROUNDS [i=PAGES] [s=PAGES] [KIND]PAGES[:ADJ] ...
 *
 * One child for each PAGES, named sib0, sib1...; with ADJ it sets its oom_score_adj to that first.
 * In turn, one at a time: each fills its pages, in steps of a hundredth, until all have them; then each reads all of its
 * own, ROUNDS times. A child that is killed is passed over. Pages are not zero and not alike.
 *
 * i=PAGES: the parent fills so many before it forks, so that all children have them, too.
 * s=PAGES: a shared mapping of so many; children of kind s fill and read its first PAGES.
 * KIND t: each page in a page table of its own. KIND l: later than the others, which rest meanwhile.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
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
#define PAGE_WORDS 512u
#define TABLE_PAGES 512u /* that one page table maps */

struct child {
    pid_t pid;
    int go, done;
    char kind; /* 0: plain */
};

static uint64_t *inherited, *shared;
static size_t inherited_pages;

static uint64_t *map(size_t pages, int flags)
{
    void *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
                   MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (p == MAP_FAILED)
        exit(1);
    (void)madvise(p, pages * 4096, MADV_NOHUGEPAGE);
    return p;
}

static void fill(uint64_t *memory, size_t words_apart, size_t pages, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < pages; i++)
        for (size_t w = 0; w < PAGE_WORDS; w += 64)
            memory[i * words_apart + w] = i * 1000003 + w + 1;
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
    bool tables = *what == 't', share = *what == 's';
    size_t pages = strtoul(what + !isdigit(*what), NULL, 10), step = pages / STEPS + 1, filled = 0;
    size_t apart = tables ? TABLE_PAGES * PAGE_WORDS : PAGE_WORDS;
    volatile uint64_t sum = 0;
    snprintf(name, sizeof name, "sib%d", number);
    prctl(PR_SET_NAME, name);
    if (colon)
        set_adj(colon + 1);
    uint64_t *memory = share ? shared : map(pages * apart / PAGE_WORDS, MAP_PRIVATE);
    while (read(go, &turn, 1) == 1) {
        if (turn == 'f') {
            fill(memory, apart, pages, filled, filled + step);
            filled += step;
        } else {
            for (size_t i = 0; i < pages; i++)
                sum += memory[i * apart];
            for (size_t i = 0; i < inherited_pages; i++)
                sum += inherited[i * PAGE_WORDS];
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
    c->kind = isdigit(*what) ? 0 : *what;
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

/* i=PAGES and s=PAGES. Returns how many arguments that were. */
static int before_the_fork(int n, char **args)
{
    int used = 0;
    for (; used < n && args[used][0] && args[used][1] == '='; used++) {
        size_t pages = strtoul(args[used] + 2, NULL, 10);
        if (args[used][0] == 's') {
            shared = map(pages, MAP_SHARED);
            continue;
        }
        inherited = map(pages, MAP_PRIVATE);
        inherited_pages = pages;
        fill(inherited, PAGE_WORDS, pages, 0, pages);
    }
    return used;
}

static void fill_all(struct child *child, int n, bool late)
{
    for (int k = 0; k < STEPS; k++)
        for (int i = 0; i < n; i++)
            if ((child[i].kind == 'l') == late)
                turn(&child[i], 'f');
}

int main(int argc, char **argv)
{
    struct child child[MOST];
    int rounds = argc > 2 ? atoi(argv[1]) : 0;
    int at = argc > 2 ? 2 + before_the_fork(argc - 2, argv + 2) : 2, n = argc - at;
    if (n < 1 || n > MOST || rounds < 1)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < n; i++)
        start(&child[i], i, argv[at + i]);
    fill_all(child, n, false);
    fill_all(child, n, true);
    for (int k = 0; k < rounds; k++)
        for (int i = 0; i < n; i++)
            turn(&child[i], 'r');
    for (int i = 0; i < n; i++)
        close(child[i].go);
    while (wait(NULL) > 0)
        ;
    return 0;
}
