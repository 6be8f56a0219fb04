/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each kind of I/O on the files "data" and "copy" of the folder it is given. Before
 * each step it prints the events that step must have in a recording, as
 * "FILE OPERATION OFFSET LENGTH FLAGS" or "lock MODE START LENGTH".
 * Or: cold FILE (drop it from the page cache), warm FILE FIRST_PAGE PAGES... (read those).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static char buffer[16 * PAGE] __attribute__((aligned(4096)));

#define MUST(call, wanted)                                              \
    do {                                                                \
        long got_ = (long)(call);                                       \
        if (got_ != (long)(wanted)) {                                   \
            fprintf(stderr, "%s: %ld, errno %d\n", #call, got_, errno); \
            exit(1);                                                    \
        }                                                               \
    } while (0)

static int cold(const char *path)
{
    int fd = open(path, O_RDWR);
    MUST(fsync(fd), 0);
    MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    return close(fd);
}

static int warm(const char *path, int n, char **pages)
{
    int fd = open(path, O_RDONLY);
    MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
    for (int i = 0; i + 1 < n; i += 2)
        for (long page = atol(pages[i]), end = page + atol(pages[i + 1]); page < end; page++)
            MUST(pread(fd, buffer, 1, page * PAGE), 1);
    return close(fd);
}

static void by_position(int fd)
{
    struct iovec v[2] = { { buffer, 100 }, { buffer + 100, 200 } };
    puts("data write 0 10000 -");
    MUST(write(fd, buffer, 10000), 10000);
    puts("data write 50000 300 -");
    MUST(pwrite(fd, buffer, 300, 50000), 300);
    puts("data read 0 7000 -");
    MUST(lseek(fd, 0, SEEK_SET), 0);
    MUST(read(fd, buffer, 7000), 7000);
    puts("data read 49000 1300 -"); /* of 4096: the file ends at 50300 */
    MUST(pread(fd, buffer, 4096, 49000), 1300);
    MUST(pread(fd, buffer, 4096, 60000), 0);
    puts("data read 7000 300 -");
    MUST(readv(fd, v, 2), 300);
    puts("data read 1000 300 -");
    MUST(preadv(fd, v, 2, 1000), 300);
    puts("data read 7300 300 -");
    MUST(preadv2(fd, v, 2, -1, 0), 300);
    puts("data write 7600 300 -");
    MUST(writev(fd, v, 2), 300);
    puts("data write 40 300 -");
    MUST(pwritev(fd, v, 2, 40), 300);
    puts("data write 50300 300 durable");
    MUST(pwritev2(fd, v, 2, 8000, RWF_APPEND | RWF_DSYNC), 300);
}

static void by_append(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    puts("data write 50600 123 -");
    MUST(write(fd, buffer, 123), 123);
    puts("data write 50723 77 -"); /* the kernel appends, whatever the offset */
    MUST(pwrite(fd, buffer, 77, 5), 77);
    MUST(fcntl(fd, F_SETFL, 0), 0);
    puts("data write 5 77 -");
    MUST(pwrite(fd, buffer, 77, 5), 77);
    MUST(close(fd), 0);
    fd = open(path, O_RDWR | O_SYNC);
    puts("data write 0 1 durable");
    MUST(write(fd, buffer, 1), 1);
    puts("data read 1 1 -");
    MUST(read(fd, buffer, 1), 1);
    MUST(close(fd), 0);
}

static void by_advice(int fd)
{
    puts("data random 0 end -");
    MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
    puts("data sequential 0 end -");
    MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    puts("data normal 0 end -");
    MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL), 0);
    puts("data willneed 4096 8192 -");
    MUST(posix_fadvise(fd, 4096, 8192, POSIX_FADV_WILLNEED), 0);
    puts("data willneed 8192 4096 -");
    MUST(readahead(fd, 8192, 4096), 0);
    puts("data sync 0 end -");
    MUST(fsync(fd), 0);
    puts("data sync 0 end -");
    MUST(fdatasync(fd), 0);
    puts("data sync 4096 4096 -");
    MUST(sync_file_range(fd, 4096, 4096, SYNC_FILE_RANGE_WRITE), 0);
    puts("data dontneed 12288 end -");
    MUST(posix_fadvise(fd, 12288, 0, POSIX_FADV_DONTNEED), 0);
}

static void by_kernel_copies(int fd, int copy)
{
    int ends[2];
    off_t from = 100;
    loff_t at = 200, to = 6000;
    puts("data read 100 5000 -\ncopy write 0 5000 -");
    MUST(sendfile(copy, fd, &from, 5000), 5000);
    puts("data read 200 1000 -\ncopy write 6000 1000 -");
    MUST(copy_file_range(fd, &at, copy, &to, 1000, 0), 1000);
    MUST(pipe(ends), 0);
    at = 4096, to = 8192;
    puts("data read 4096 2000 -");
    MUST(splice(fd, &at, ends[1], NULL, 2000, 0), 2000);
    puts("copy write 8192 2000 -");
    MUST(splice(ends[0], NULL, copy, &to, 2000, 0), 2000);
    MUST(write(ends[1], buffer, 10), 10); /* pipes are no files */
    MUST(read(ends[0], buffer, 10), 10);
    puts("copy write 5000 10 -"); /* another number of the same descriptor */
    MUST(dup2(copy, ends[0]), ends[0]);
    MUST(write(ends[0], buffer, 10), 10);
    MUST(close(ends[0]), 0);
    MUST(close(ends[1]), 0);
}

static void by_child(int fd)
{
    int status;
    puts("data read 0 17 -\ndata read 17 19 -");
    fflush(stdout);
    MUST(lseek(fd, 0, SEEK_SET), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read(fd, buffer, 17) != 17);
    MUST(waitpid(pid, &status, 0), pid);
    MUST(status, 0);
    MUST(read(fd, buffer, 19), 19);
}

static void by_mapping(int fd)
{
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
    map[2 * PAGE] = 1;
    puts("data sync 12288 4096 -");
    MUST(msync(map + 2 * PAGE, PAGE, MS_SYNC), 0);
    MUST(msync(map, PAGE, MS_ASYNC), 0); /* does nothing */
    printf("lock now %p 0x2000\n", map);
    MUST(mlock(map + 10, PAGE), 0);
    if (syscall(SYS_mlock2, map + 2 * PAGE, PAGE, 1 /* MLOCK_ONFAULT */) ==
        0) /* not every tracer */
        printf("lock on-fault %p 0x1000\n", map + 2 * PAGE);
    printf("lock off %p 0x1000\n", map);
    MUST(munlock(map, PAGE), 0);
    MUST(mlockall(MCL_FUTURE | 4 /* MCL_ONFAULT */), 0);
    char *later = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("lock on-fault %p 0x1000\n", later);
    puts("lock off 0x0 0xfffffffffffff000");
    MUST(munlockall(), 0);
    MUST(munmap(map, 4 * PAGE), 0);
}

static void by_direct(const char *path)
{
    int fd = open(path, O_RDWR | O_DIRECT);
    if (fd < 0)
        return; /* not on this filesystem */
    puts("data write 4096 4096 direct");
    MUST(pwrite(fd, buffer, PAGE, PAGE), PAGE);
    puts("data read 0 4096 direct");
    MUST(read(fd, buffer, PAGE), PAGE);
    MUST(close(fd), 0);
}

static int all_kinds(const char *folder)
{
    char data[4096], copy[4096];
    static char out[1 << 16];
    setvbuf(stdout, out, _IOFBF, sizeof out);
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(copy, sizeof copy, "%s/copy", folder);
    puts("data truncate 0 0 -");
    int fd = open(data, O_RDWR | O_CREAT | O_TRUNC, 0600);
    by_position(fd);
    by_append(data);
    by_advice(fd);
    int to = open(copy, O_RDWR | O_CREAT | O_EXCL, 0600);
    by_kernel_copies(fd, to);
    by_child(fd);
    by_mapping(fd);
    by_direct(data);
    puts("data truncate 20000 0 -");
    MUST(ftruncate(fd, 20000), 0);
    puts("data truncate 30000 0 -");
    MUST(truncate(data, 30000), 0);
    MUST(close(fd), 0);
    puts("data unlink 0 0 -"); /* closed: gone at once */
    MUST(unlink(data), 0);
    MUST(unlink(copy), 0);
    MUST(pwrite(to, buffer, 5, 0), 5);
    puts("copy write 0 5 -"); /* open: still there, */
    MUST(close(dup(to)), 0);
    fflush(stdout);
    return 0; /* and not known: a fork's child had it too */
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "cold") == 0)
        return cold(argv[2]);
    if (argc >= 3 && strcmp(argv[1], "warm") == 0)
        return warm(argv[2], argc - 3, argv + 3);
    return argc == 2 ? all_kinds(argv[1]) : 2;
}
