/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals: on another stack, out of a handler, inside one another, and faults that are repaired. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "hard.h"

enum { HEAP = 257, STACK = 16 };

static bytes *heap;
static volatile sig_atomic_t n_signals;

static void handle(int signo, void (*with)(int, siginfo_t *, void *), int flags)
{
    struct sigaction act = { .sa_flags = SA_SIGINFO | flags };
    act.sa_sigaction = with;
    need(sigaction(signo, &act, NULL) == 0, "sigaction");
}

static bytes *other_stack(void)
{
    bytes *p = map(STACK, PRIVATE);
    p[(STACK - 1) * PAGE] = 1; /* where frames go */
    stack_t s = { .ss_sp = (void *)(uintptr_t)p, .ss_size = STACK * PAGE };
    need(sigaltstack(&s, NULL) == 0, "sigaltstack");
    return p;
}

/* ---- a collector's write barrier -------------------------------------------------- */

WRITES(barrier_writes)

/* Opens the page that the fault was on, and its like in the upper half. */
static void open_page(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    n_signals++;
    mprotect((void *)((uintptr_t)info->si_addr & ~(PAGE - 1)), PAGE, RW);
}

static void barrier(char **argv)
{
    (void)argv;
    bytes *stack = other_stack();
    heap = map_at(NULL, HEAP, PROT_NONE, PRIVATE, -1);
    region("heap", heap, HEAP);
    region("stack", stack, STACK);
    handle(SIGSEGV, open_page, SA_ONSTACK);
    for (int round = 0; round < 3; round++) {
        barrier_writes(heap, HEAP);
        need(mprotect((void *)(uintptr_t)heap, HEAP * PAGE, PROT_READ) == 0, "mprotect");
    }
    need(n_signals == 3 * HEAP, "a signal a write");
    expect("pages heap %d\n", HEAP);
    expect("writes heap %d\n", 3 * HEAP);
    expect("reads heap 0\n");
    expect("events %d  signal signo=11 address=0x\n", 3 * HEAP);
    expect("events %d  protect mm=0 .*length=0x1000 prot=rw-\n", 3 * HEAP);
    expect("events 3  protect mm=0 start=%#lx length=%#lx prot=r--\n", (unsigned long)heap,
           HEAP * PAGE);
    expect("segv %d\n", 3 * HEAP);
    expect("faults barrier_writes %d\n", HEAP);
}

/* ---- stacks --------------------------------------------------------------------------- */

WRITES(on_other_stack)

static void note(int signo, siginfo_t *info, void *context)
{
    bytes here = 0;
    (void)info;
    (void)context;
    (void)here;
    if (signo == SIGUSR1)
        on_other_stack(heap, HEAP);
    n_signals++;
}

/* 5 signals on an alternate stack; each frame is written and read back there. */
static void alternate(char **argv)
{
    (void)argv;
    bytes *stack = other_stack();
    heap = map(HEAP, PRIVATE);
    region("heap", heap, HEAP);
    region("stack", stack, STACK);
    handle(SIGUSR1, note, SA_ONSTACK);
    for (int i = 0; i < 5; i++)
        raise(SIGUSR1);
    need(n_signals == 5, "signals");
    expect("writes heap %d\n", 5 * HEAP);
    expect("pages stack 1\n");
    expect("events 0  signal \n"); /* sent ones are not the processor's */
    expect("faults on_other_stack %d\n", HEAP);
}

static sigjmp_buf back;
static bytes *lowest;

static void leave(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    lowest = info->si_addr;
    siglongjmp(back, 1);
}

static KEEP unsigned deeper(unsigned n)
{
    bytes room[PAGE];
    room[0] = (unsigned char)n;
    return deeper(n + 1) + room[0]; /* not a tail call */
}

/* The stack overflows twice; a handler on another one leaves by siglongjmp. */
static void overflow(char **argv)
{
    struct rlimit small = { 1 << 20, 1 << 20 };
    char *const args[] = { argv[0], "overflow", "limited", NULL };
    if (argv[1] == NULL) { /* what the stack may grow to is set by exec */
        need(setrlimit(RLIMIT_STACK, &small) == 0, "setrlimit");
        execv("/proc/self/exe", args);
        need(0, "execv");
    }
    (void)other_stack();
    handle(SIGSEGV, leave, SA_ONSTACK);
    for (int i = 0; i < 2; i++)
        if (sigsetjmp(back, 1) == 0)
            (void)deeper(0);
        else
            n_signals++;
    need(n_signals == 2 && lowest != NULL, "two overflows");
    expect("events 2  signal signo=11 address=0x\n");
    expect("segv 2\n");
}

/* ---- inside one another ------------------------------------------------------------------ */

static void raise_next(int signo, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    n_signals++;
    heap[(size_t)(signo - SIGRTMIN) * PAGE] = 1;
    if (signo < SIGRTMIN + 9)
        raise(signo + 1);
}

static void nested(char **argv)
{
    (void)argv;
    heap = map(10, PRIVATE);
    region("heap", heap, 10);
    for (int i = 0; i < 10; i++)
        handle(SIGRTMIN + i, raise_next, 0);
    raise(SIGRTMIN);
    need(n_signals == 10, "signals");
    expect("writes heap 10\n");
    expect("pages heap 10\n");
}

/* A timer's signals come anywhere in a loop of known length. */
static void timer(char **argv)
{
    struct itimerval each = { { 0, 2000 }, { 0, 2000 } }, none = { { 0, 0 }, { 0, 0 } };
    (void)argv;
    heap = map(HEAP, PRIVATE);
    region("heap", heap, HEAP);
    handle(SIGALRM, note, SA_RESTART);
    setitimer(ITIMER_REAL, &each, NULL);
    for (int round = 0; round < 400; round++)
        on_other_stack(heap, HEAP);
    while (n_signals < 20)
        pause();
    setitimer(ITIMER_REAL, &none, NULL);
    expect("writes heap %d\n", 400 * HEAP);
    expect("reads heap 0\n");
    expect("faults on_other_stack %d\n", HEAP);
}

/* ---- other faults ------------------------------------------------------------------------- */

static void skip(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    n_signals++;
    siglongjmp(back, 1);
}

static void faults(char **argv)
{
    volatile int zero = 0;
    static const unsigned char illegal[] = { 0x0f, 0x0b, 0xc3 };
    (void)argv;
    bytes *code = map_at(NULL, 1, RW | PROT_EXEC, PRIVATE, -1);
    memcpy((void *)(uintptr_t)code, illegal, sizeof illegal);
    handle(SIGFPE, skip, 0);
    handle(SIGILL, skip, 0);
    handle(SIGTRAP, skip, 0);
    if (sigsetjmp(back, 1) == 0)
        zero = 7 / zero;
    if (sigsetjmp(back, 1) == 0)
        ((void (*)(void))(uintptr_t)code)();
    code[0] = 0xcc;
    code[1] = 0xc3;
    if (sigsetjmp(back, 1) == 0)
        ((void (*)(void))(uintptr_t)code)();
    need(n_signals == 3, "three faults");
    expect("events 1  signal signo=8 address=\n");
    expect("events 1  signal signo=4 address=\n");
    expect("events 1  signal signo=5 address=\n");
    expect("segv 0\n");
}

/* Dies of a write to what is mapped for reading, in a child that dies of one to nothing. */
static void die(char **argv)
{
    (void)argv;
    heap = map_at(NULL, 1, PROT_READ, PRIVATE, -1);
    pid_t child = start();
    if (child == 0)
        *(bytes *)(uintptr_t)16 = 1;
    need(join(child) == 128 + SIGSEGV, "child");
    expect("events 1  signal signo=11 address=0x10$\n");
    expect("events 1  signal signo=11 address=%#lx$\n", (unsigned long)heap);
    expect("events 2  exit pid=[0-9]* status=1*3*9*[0-9]*$\n");
    expect("segv 2\n");
    expect("exit %d\n", 128 + SIGSEGV);
    heap[0] = 1;
}

static const struct hard_case cases[] = {
    { "barrier", barrier }, { "alternate", alternate }, { "overflow", overflow },
    { "nested", nested },   { "timer", timer },         { "faults", faults },
    { "die", die },
};

HARD_MAIN(cases)
