/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mapping of each kind, the calls that change them, and a system call that
 * writes 11 pages and reads 11. Prints "NAME ADDRESS" for each.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

enum { PAGE = 4096 };

static void say(const char *name, const void *p)
{
    printf("%s %p\n", name, p);
    fflush(stdout);
}

static void *map(const char *name, size_t pages, int prot, int flags, int fd, off_t offset)
{
    void *p = mmap(NULL, pages * PAGE, prot, flags, fd, offset);
    if (p == MAP_FAILED)
        exit(1);
    say(name, p);
    return p;
}

/* A stack 40 pages deeper than before: past what the kernel maps at the start. */
static __attribute__((noinline)) int deep(void)
{
    volatile char room[40 * PAGE];
    for (int i = 39; i >= 0; i--)
        room[i * PAGE] = 1;
    return room[0];
}

int main(void)
{
    int rw = PROT_READ | PROT_WRITE, pipe_fds[2];
    int fd = memfd_create("exact-maps", MFD_CLOEXEC), zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    if (ftruncate(fd, 20 * PAGE) != 0 || pipe(pipe_fds) != 0)
        return 1;
    char *anon = map("anon", 13, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map("shared", 5, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    map("file-shared", 7, rw, MAP_SHARED, fd, 2 * PAGE);
    map("file-private", 3, PROT_READ, MAP_PRIVATE, fd, PAGE);
    map("zero", 2, rw, MAP_PRIVATE, zero, 0);
    char *moved = map("moved", 4, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("moved-to", mremap(moved, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE));
    int id = shmget(IPC_PRIVATE, 6 * PAGE, 0600);
    void *shm = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    say("shm", shm);
    shmdt(shm);
    mprotect(anon + PAGE, 2 * PAGE, PROT_READ);
    madvise(anon + 4 * PAGE, 3 * PAGE, MADV_DONTNEED);
    munmap(anon + 8 * PAGE, PAGE);
    void *heap = sbrk(9 * PAGE);
    say("heap", heap);
    sbrk(-4 * PAGE);
    char *buffer = map("buffer", 11, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (read(zero, buffer, 11 * PAGE) != 11 * PAGE || write(pipe_fds[1], buffer, 11 * PAGE) < 0)
        return 1;
    return deep() != 1;
}
