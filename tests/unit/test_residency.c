/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a file are cached: holes of a file just written are not, the pages
 * written are.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "residency.h"

#define NR_CACHESTAT 451

static int sparse_file(unsigned n_pages)
{
    char path[] = "/tmp/faultline-residency-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(ftruncate(fd, (off_t)n_pages * 4096 - 100), 0);
    return fd;
}

static void write_pages(int fd, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        assert_int_equal(pwrite(fd, "x", 1, (off_t)i * 4096), 1);
}

/* "FIRST+PAGES ..." or "unknown" */
static void ranges_of(int fd, char *text, size_t cap)
{
    static struct flr_range ranges[FLR_RANGES];
    struct flr_identity id;
    size_t at = 0;
    assert_int_equal(flr_identify(fd, "", 1, &id), 0);
    int n = flr_residency(fd, &id, ranges);
    snprintf(text, cap, "%s", n < 0 ? "unknown" : "");
    for (int i = 0; i < n && at < cap; i++)
        at += (size_t)snprintf(text + at, cap - at, "%s%llu+%llu", i ? " " : "",
                               ranges[i].offset / 4096, ranges[i].length / 4096);
}

/* The same in a child whose kernel has no cachestat(2). */
static void ranges_without_cachestat(int fd, char *text, size_t cap)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_CACHESTAT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
            _exit(77);
        ranges_of(fd, text, cap);
        _exit(write(ends[1], text, cap) != (ssize_t)cap);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], text, cap);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("no seccomp here\n");
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(n, cap);
}

static void a_file_of_1024_pages_is_known_to_the_page(void **state)
{
    (void)state;
    char got[256];
    int fd = sparse_file(1024);
    ranges_of(fd, got, sizeof got);
    assert_string_equal(got, "");
    write_pages(fd, 3, 1);
    write_pages(fd, 5, 1);
    write_pages(fd, 511, 2);
    write_pages(fd, 1023, 1);
    ranges_of(fd, got, sizeof got);
    assert_string_equal(got, "3+1 5+1 511+2 1023+1");
    write_pages(fd, 0, 1024);
    ranges_of(fd, got, sizeof got);
    assert_string_equal(got, "0+1024");
    close(fd);
}

/* 8192 pages: 1/1024th is 8. Of a part's pages the first are taken; their number is right. */
static void a_larger_file_is_known_in_parts(void **state)
{
    (void)state;
    char got[256];
    int fd = sparse_file(8192);
    write_pages(fd, 5, 2);
    write_pages(fd, 4096, 904);
    ranges_of(fd, got, sizeof got);
    assert_string_equal(got, "0+2 4096+904");
    close(fd);
}

static void an_old_kernel_gives_the_same_answers(void **state)
{
    (void)state;
    char got[256];
    int fd = sparse_file(8192);
    write_pages(fd, 5, 2);
    write_pages(fd, 4090, 910); /* over the border of two windows */
    ranges_without_cachestat(fd, got, sizeof got);
    assert_string_equal(got, "0+2 4088+6 4096+904"); /* 6 of the 8 from 4088 on */
    close(fd);
    fd = sparse_file(40);
    ranges_without_cachestat(fd, got, sizeof got);
    assert_string_equal(got, "");
    write_pages(fd, 38, 2);
    ranges_without_cachestat(fd, got, sizeof got);
    assert_string_equal(got, "38+2");
    close(fd);
}

static void identity_is_what_stat_says(void **state)
{
    (void)state;
    struct stat st;
    struct flr_identity id;
    struct flr_device device = { 0 };
    int fd = sparse_file(3);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(flr_identify(fd, "", 1, &id), 0);
    assert_int_equal(id.dev, st.st_dev);
    assert_int_equal(id.ino, st.st_ino);
    assert_int_equal(id.size_bytes, 3 * 4096 - 100);
    assert_int_equal(id.n_links, 0);
    assert_true(id.is_regular);
    flr_device(fd, &id, &device);
    assert_true(device.is_cached);
    close(fd);
    fd = open("/proc/self/stat", O_RDONLY);
    assert_int_equal(flr_identify(fd, "", 1, &id), 0);
    flr_device(fd, &id, &device);
    assert_false(device.is_cached);
    close(fd);
    assert_true(flr_identify(AT_FDCWD, "/no/such", 1, &id) < 0);
}

static void interpreters_are_found(void **state)
{
    (void)state;
    char path[FLR_PATH];
    static const char *const heads[][2] = {
        { "#! /bin/sh -e\n", "/bin/sh" }, { "#!/x/y", "/x/y" }, { "#!\n", NULL },
        { "no program", NULL },           { "", NULL },         { "\177ELF", NULL },
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        int fd = sparse_file(1);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(write(fd, heads[i][0], strlen(heads[i][0])), strlen(heads[i][0]));
        int found = flr_interpreter(fd, path);
        assert_int_equal(found, heads[i][1] != NULL);
        if (found)
            assert_string_equal(path, heads[i][1]);
        close(fd);
    }
    int fd = flr_open(AT_FDCWD, "/bin/sh"); /* dynamically linked wherever this builds */
    assert_true(fd >= 0 && flr_interpreter(fd, path) && path[0] == '/');
    flr_close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_1024_pages_is_known_to_the_page),
        cmocka_unit_test(a_larger_file_is_known_in_parts),
        cmocka_unit_test(an_old_kernel_gives_the_same_answers),
        cmocka_unit_test(identity_is_what_stat_says),
        cmocka_unit_test(interpreters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
