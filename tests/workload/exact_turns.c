/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes take 211 turns each, ordered by two pipes; in turn i the parent
 * writes page i of a shared mapping, then the child does. Prints its address.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_TURNS = 211, PAGE = 4096 };

static int turns(volatile char *area, int in, int out)
{
    char token;
    for (int i = 0; i < N_TURNS; i++) {
        if (read(in, &token, 1) != 1)
            return 1;
        area[i * PAGE] = 1;
        if (write(out, &token, 1) != 1)
            return 1;
    }
    return 0;
}

int main(void)
{
    int to_child[2], to_parent[2], status;
    volatile char *area =
        mmap(NULL, N_TURNS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED || pipe(to_child) != 0 || pipe(to_parent) != 0)
        return 1;
    printf("%p\n", (void *)area);
    fflush(stdout);
    if (fork() == 0)
        _exit(turns(area, to_child[0], to_parent[1]));
    if (write(to_parent[1], "x", 1) != 1 || turns(area, to_parent[0], to_child[1]) != 0)
        return 1;
    return wait(&status) < 0 || status != 0;
}
