/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A parent fills 503 private and 251 shared pages and forks; the child writes 101
 * of the private and all shared ones. Prints both addresses; exits with 0 when the
 * parent sees exactly what it must.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_PRIVATE = 503, N_SHARED = 251, N_COPIED = 101, PAGE = 4096 };

static volatile char *map(int n_pages, int flags)
{
    return mmap(NULL, (size_t)n_pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

int main(void)
{
    volatile char *own = map(N_PRIVATE, MAP_PRIVATE), *common = map(N_SHARED, MAP_SHARED);
    int status, wrong = 0;
    if (own == MAP_FAILED || common == MAP_FAILED)
        return 1;
    printf("%p %p\n", (void *)own, (void *)common);
    fflush(stdout);
    for (int i = 0; i < N_PRIVATE; i++)
        own[i * PAGE] = 1;
    for (int i = 0; i < N_SHARED; i++)
        common[i * PAGE] = 1;
    if (fork() == 0) {
        for (int i = 0; i < N_COPIED; i++)
            own[i * PAGE] = 2;
        for (int i = 0; i < N_SHARED; i++)
            common[i * PAGE] = 2;
        _exit(5);
    }
    wait(&status);
    for (int i = 0; i < N_PRIVATE; i++)
        wrong += own[i * PAGE] != 1;
    for (int i = 0; i < N_SHARED; i++)
        wrong += common[i * PAGE] != 2;
    return wrong != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 5;
}
