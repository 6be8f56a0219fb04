/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live, where this machine lets us: whole flushes by reclaim of a process that moved, and none of one that did not. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultline/tlb_flushes.h>

enum { BYTES = 64 << 12 };

static cpu_set_t all, first, second;

/* Clean pages of @file, mapped and given to reclaim. */
static void child(int file, bool moves)
{
    char *at = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file, 0);
    if (at == MAP_FAILED || (moves && sched_setaffinity(0, sizeof second, &second) != 0))
        _exit(1);
    for (size_t i = 0; i < BYTES; i += 4096)
        (void)*(volatile char *)(at + i);
    _exit(madvise(at, BYTES, MADV_PAGEOUT) != 0);
}

static uint64_t whole_flushes(const struct fl_tlb_flushes *f, int file, bool moves)
{
    struct fl_err err;
    uint64_t before, after;
    int status = 1;
    assert_int_equal(sched_setaffinity(0, sizeof first, &first), 0);
    assert_int_equal(fl_tlb_flushes_count(f, &before, &err), FL_OK);
    pid_t pid = fork();
    if (pid == 0)
        child(file, moves);
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    assert_int_equal(fl_tlb_flushes_count(f, &after, &err), FL_OK);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(status, 0);
    return after - before;
}

static bool two_processors(void)
{
    int n = 0;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return false;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            cpu_set_t *one = n++ ? &second : &first;
            CPU_ZERO(one);
            CPU_SET(cpu, one);
        }
    return n == 2;
}

static void a_process_that_moved_is_flushed_whole(void **state)
{
    struct fl_guard *guard = NULL;
    struct fl_tlb_flushes *f = NULL;
    struct fl_err err = { .msg = "one processor" };
    char path[] = "/var/tmp/faultline-test-XXXXXX", page[4096];
    uint64_t least = UINT64_MAX;
    int file = mkostemp(path, O_CLOEXEC);
    (void)state;
    assert_true(file >= 0);
    unlink(path);
    if (!two_processors() || fl_guard_start(&guard, &err) != FL_OK ||
        fl_tlb_flushes_open(guard, &f, &err) != FL_OK) {
        print_message("skipped: %s\n", err.msg);
        fl_guard_end(guard, NULL);
        skip();
    }
    memset(page, 1, sizeof page);
    for (size_t i = 0; i < BYTES; i += sizeof page)
        assert_int_equal(write(file, page, sizeof page), sizeof page);
    assert_int_equal(fsync(file), 0);
    assert_true(whole_flushes(f, file, true) > 0);
    for (int i = 0; i < 5 && least; i++) { /* others on the machine may be reclaimed from as well */
        uint64_t n = whole_flushes(f, file, false);
        least = n < least ? n : least;
    }
    assert_int_equal(least, 0);
    close(file);
    fl_tlb_flushes_close(f);
    assert_int_equal(fl_guard_end(guard, &err), FL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_moved_is_flushed_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
