/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eight threads each write 127 pages of their own, seven times. Prints the address. */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

enum { N_THREADS = 8, N_PAGES = 127, ROUNDS = 7, PAGE = 4096 };

static volatile char *area;

static void *work(void *arg)
{
    volatile char *mine = area + (long)arg * N_PAGES * PAGE;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < N_PAGES; i++)
            mine[i * PAGE + round] = 1;
    return NULL;
}

int main(void)
{
    pthread_t threads[N_THREADS];
    area = mmap(NULL, N_THREADS * N_PAGES * PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%p\n", (void *)area);
    fflush(stdout);
    for (long i = 0; i < N_THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
            return 1;
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
