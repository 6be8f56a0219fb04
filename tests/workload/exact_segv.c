/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes to 31 protected pages; a handler makes each writable and the write is
 * taken again. Then, with an argument, dies of a write to address 16.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

enum { N_PAGES = 31, PAGE = 4096 };

static volatile sig_atomic_t n_faults;

static void repair(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    n_faults++;
    mprotect((void *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1)), PAGE,
             PROT_READ | PROT_WRITE);
}

int main(int argc, char **argv)
{
    struct sigaction act = { .sa_flags = SA_SIGINFO };
    volatile char *p = mmap(NULL, N_PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)argv;
    act.sa_sigaction = repair;
    sigaction(SIGSEGV, &act, NULL);
    printf("%p\n", (void *)p);
    fflush(stdout);
    for (int i = 0; i < N_PAGES; i++)
        p[i * PAGE] = 1;
    if (argc > 1) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)(uintptr_t)16 = 1;
    }
    return n_faults != N_PAGES;
}
