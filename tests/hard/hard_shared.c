/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that several mappings or processes share, by each way to have it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "hard.h"

typedef unsigned long ul;

enum { N = 307 };

WRITES(first_writes)
WRITES(second_writes)
WRITES(third_writes)
READS(child_reads)

/* One process, two mappings of it: the pages are one, the entries two. */
static void two_views(bytes *a, bytes *b)
{
    region("a", a, N);
    region("b", b, N);
    MEASURE("first_writes", first_writes(a, N));
    MEASURE("second_writes", second_writes(b, N));
    MEASURE("third_writes", third_writes(a, N));
    expect("writes a %d\n", 2 * N);
    expect("writes b %d\n", N);
    expect("faults first_writes %d\n", N);
    expect("faults second_writes %d\n", N);
    expect("faults third_writes 0\n");
    expect("cause shmem %d\n", 2 * N);
}

/* A process of its own that maps the same: it has the contents, not the entries. */
static void in_child(bytes *a)
{
    pid_t child = start();
    if (child == 0) {
        MEASURE("third_writes", third_writes(a, N));
        _exit(a[0] == 1 ? 0 : 1);
    }
    need(join(child) == 0, "child");
}

static void anonymous(char **argv)
{
    (void)argv;
    bytes *a = map(N, SHARED);
    region("a", a, N);
    MEASURE("first_writes", first_writes(a, N));
    in_child(a);
    expect("writes a %d t0\n", N);
    expect("writes a %d t1\n", N);
    expect("events 1  map mm=0 start=%#lx length=%#lx prot=rw- flags=shared,anon file=- \n", (ul)a,
           (ul)(N * PAGE));
    expect("faults first_writes %d\n", N);
    expect("faults third_writes %d\n", N);
}

/* /dev/zero shared is anonymous memory, each mapping its own. */
static void dev_zero(char **argv)
{
    (void)argv;
    int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    need(fd >= 0, "/dev/zero");
    bytes *a = map_at(NULL, N, RW, MAP_SHARED, fd), *b = map_at(NULL, N, RW, MAP_SHARED, fd);
    MEASURE("first_writes", first_writes(a, N));
    need(b[0] == 0, "another object");
    MEASURE("second_writes", second_writes(b + PAGE, N - 1));
    expect("events 2  length=%#lx prot=rw- flags=shared,anon file=- \n", (ul)(N * PAGE));
    expect("faults first_writes %d\n", N);
    expect("faults second_writes %d\n", N - 1);
}

static void memory_file(char **argv)
{
    (void)argv;
    int fd = memfd_create("hard", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, N * PAGE) == 0, "memfd");
    bytes *a = map_at(NULL, N, RW, MAP_SHARED, fd), *b = map_at(NULL, N, RW, MAP_SHARED, fd);
    two_views(a, b);
    expect("events 1  file file=.* path=\"memfd:hard\"\n");
    expect("events 2  map mm=0 .*length=%#lx prot=rw- flags=shared file=[0-9]* offset=0x0\n",
           (ul)(N * PAGE));
}

/* A private mapping of a written memory file: reads see it, writes copy. */
static void private_copy(char **argv)
{
    (void)argv;
    int fd = memfd_create("hard", MFD_CLOEXEC);
    need(fd >= 0 && ftruncate(fd, N * PAGE) == 0, "memfd");
    bytes *a = map_at(NULL, N, RW, MAP_SHARED, fd), *b = map_at(NULL, N, RW, MAP_PRIVATE, fd);
    region("b", b, N);
    MEASURE("first_writes", first_writes(a, N));
    MEASURE("second_writes", second_writes(b, N));
    b[0] = 9;
    need(a[0] == 1, "a copy");
    expect("writes b %d\n", N + 1);
    expect("faults first_writes %d\n", N);
    expect("faults second_writes %d\n", N);
}

static void named(char **argv)
{
    char name[64];
    (void)argv;
    snprintf(name, sizeof name, "/faultline-hard-%d", getpid());
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    need(fd >= 0, "shm_open");
    shm_unlink(name);
    need(ftruncate(fd, N * PAGE) == 0, "ftruncate");
    bytes *a = map_at(NULL, N, RW, MAP_SHARED, fd), *b = map_at(NULL, N, RW, MAP_SHARED, fd);
    two_views(a, b);
    expect("events 1  path=\"/dev/shm%s\n", name);
}

/* Attached twice, given up once, seen by a child; the size is no whole number of pages. */
static void system_v(char **argv)
{
    (void)argv;
    int id = shmget(IPC_PRIVATE, N * PAGE - 100, 0600);
    need(id >= 0, "shmget");
    bytes *a = shmat(id, NULL, 0), *b = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    need(a != (void *)-1 && b != (void *)-1, "shmat");
    two_views(a, b);
    need(shmdt((const void *)(uintptr_t)b) == 0 && shmdt((const void *)(uintptr_t)b) == -1,
         "shmdt");
    expect("events 2  map mm=0 .*length=%#lx prot=rw- flags=shared file=\n", (ul)(N * PAGE));
    expect("events 1  unmap mm=0 start=%#lx length=%#lx\n", (ul)b, (ul)(N * PAGE));
    expect("events 1  path=\"/SYSV00000000 \n");
}

/* What a child inherits of a segment and gives up. */
static void system_v_child(char **argv)
{
    (void)argv;
    int id = shmget(IPC_PRIVATE, N * PAGE, 0600);
    bytes *a = id < 0 ? NULL : shmat(id, NULL, 0);
    need(a != NULL && a != (void *)-1, "shmat");
    region("a", a, N);
    MEASURE("first_writes", first_writes(a, N));
    pid_t child = start();
    if (child == 0) {
        MEASURE("third_writes", third_writes(a, N));
        shmdt((const void *)(uintptr_t)a);
        _exit(0);
    }
    need(join(child) == 0, "child");
    bytes *r = shmat(id, NULL, SHM_RDONLY);
    shmctl(id, IPC_RMID, NULL);
    MEASURE("child_reads", child_reads(r, N));
    expect("writes a %d t0\n", N);
    expect("writes a %d t1\n", N);
    expect("events 1  unmap mm=1 start=%#lx length=%#lx\n", (ul)a, (ul)(N * PAGE));
    expect("events 1  map mm=0 start=%#lx length=%#lx prot=r-- flags=shared \n", (ul)r,
           (ul)(N * PAGE));
    expect("faults first_writes %d\n", N);
    expect("faults third_writes %d\n", N);
    expect("faults-lru child_reads %d\n", N);
}

static const struct hard_case cases[] = {
    { "anonymous", anonymous },           { "dev-zero", dev_zero }, { "memory-file", memory_file },
    { "private-copy", private_copy },     { "named", named },       { "system-v", system_v },
    { "system-v-child", system_v_child },
};

HARD_MAIN(cases)
