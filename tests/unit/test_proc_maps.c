/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings of processes: made-up lines, and a child's real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <faultline/proc.h>

#include "proc_tree.h"

struct seen {
    struct fl_proc_map map[64];
    char name[64][256];
    size_t n, malformed;
};

static int keep(void *ctx, const struct fl_proc_map *map, struct fl_err *err)
{
    struct seen *s = ctx;
    (void)err;
    assert_true(s->n < 64);
    s->map[s->n] = *map;
    snprintf(s->name[s->n], sizeof s->name[0], "%s", map->name);
    s->map[s->n].name = s->name[s->n];
    s->n++;
    return FL_OK;
}

static const struct seen *parse(const char *text)
{
    static struct seen s;
    memset(&s, 0, sizeof s);
    assert_int_equal(fl_proc_maps_parse(text, strlen(text), keep, &s, &s.malformed, NULL), FL_OK);
    return &s;
}

static void a_line_gives_its_fields(void **state)
{
    (void)state;
    const struct seen *s = parse(
        "560f0cb36000-560f0cb3b000 r-xp 00002000 fe:1a 248056                     /usr/bin/sl eep\n"
        "7fb09614a000-7fb09614d000 rw-s 00000000 00:00 0 \n"
        "7fb0a0000000-7fb0a0001000 ---p 00000000 00:00 0\n");
    assert_int_equal(s->n, 3);
    assert_int_equal(s->malformed, 0);
    const struct fl_proc_map *m = &s->map[0];
    assert_int_equal(m->start, 0x560f0cb36000);
    assert_int_equal(m->end, 0x560f0cb3b000);
    assert_int_equal(m->offset, 0x2000);
    assert_int_equal(m->prot, FL_PROT_READ | FL_PROT_EXEC);
    assert_int_equal(m->dev, makedev(0xfe, 0x1a));
    assert_int_equal(m->ino, 248056);
    assert_int_equal(m->flags, 0);
    assert_true(m->has_file && !m->is_deleted);
    assert_string_equal(m->name, "/usr/bin/sl eep");
    assert_int_equal(s->map[1].flags, FL_MAP_ANON | FL_MAP_SHARED);
    assert_int_equal(s->map[1].prot, FL_PROT_READ | FL_PROT_WRITE);
    assert_false(s->map[1].has_file);
    assert_int_equal(s->map[2].prot, 0);
}

static void names_are_classified_and_labelled(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *label;
        uint32_t flags;
        bool has_file, is_deleted;
    } cases[] = {
        { "", "", "[anon]", FL_MAP_ANON, false, false },
        { "[heap]", "[heap]", "[heap]", FL_MAP_ANON | FL_MAP_HEAP, false, false },
        { "[stack]", "[stack]", "[stack]", FL_MAP_ANON | FL_MAP_STACK, false, false },
        { "[stack:77]", "[stack:77]", "[stack:77]", FL_MAP_ANON | FL_MAP_STACK, false, false },
        { "[anon:my pool]", "[anon:my pool]", "[anon:my pool]", FL_MAP_ANON, false, false },
        { "[anon_shmem:x]", "[anon_shmem:x]", "[anon_shmem:x]", FL_MAP_ANON, false, false },
        { "[vdso]", "[vdso]", "[vdso]", FL_MAP_ANON | FL_MAP_SPECIAL, false, false },
        { "[vvar]", "[vvar]", "[vvar]", FL_MAP_ANON | FL_MAP_SPECIAL, false, false },
        { "[vvar_vclock]", "[vvar_vclock]", "[vvar_vclock]", FL_MAP_ANON | FL_MAP_SPECIAL, false,
          false },
        { "[vsyscall]", "[vsyscall]", "[vsyscall]", FL_MAP_ANON | FL_MAP_SPECIAL, false, false },
        { "/dev/zero (deleted)", "/dev/zero (deleted)", "[shared anon]", FL_MAP_ANON, false,
          false },
        { "/anon_hugepage (deleted)", "/anon_hugepage (deleted)", "[anon huge]",
          FL_MAP_ANON | FL_MAP_HUGETLB, false, false },
        { "/memfd:jit (deleted)", "memfd:jit", "memfd:jit", 0, true, false },
        { "/memfd:a (deleted) (deleted)", "memfd:a (deleted)", "memfd:a (deleted)", 0, true,
          false },
        { "/SYSV0000beef (deleted)", "/SYSV0000beef (deleted)", "[sysv 0xbeef]", 0, true, true },
        { "/tmp/a (deleted)", "/tmp/a (deleted)", "/tmp/a (deleted)", 0, true, true },
        { "/tmp/two\\012lines", "/tmp/two\nlines", "/tmp/two\nlines", 0, true, false },
        { "/tmp/\x1b[2J", "/tmp/\x1b[2J", "/tmp/\x1b[2J", 0, true, false },
        { "anon_inode:[perf_event]", "anon_inode:[perf_event]", "anon_inode:[perf_event]", 0, true,
          false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[256], label[256];
        snprintf(line, sizeof line, "1000-2000 rw-p 00000000 00:01 9    %s\n", cases[i].text);
        const struct seen *s = parse(line);
        assert_int_equal(s->n, 1);
        assert_string_equal(s->map[0].name, cases[i].name);
        assert_int_equal(s->map[0].flags, cases[i].flags);
        assert_int_equal(s->map[0].has_file, cases[i].has_file);
        assert_int_equal(s->map[0].is_deleted, cases[i].is_deleted);
        assert_string_equal(fl_proc_map_label(&s->map[0], NULL, label, sizeof label),
                            cases[i].label);
    }
}

static void lines_without_sense_are_skipped_and_counted(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\n",
        "garbage\n",
        "2000-1000 rw-p 00000000 00:00 0\n",
        "1000-1000 rw-p 00000000 00:00 0\n",
        "1000-2000 rwxq 00000000 00:00 0\n",
        "1000-2000 qw-p 00000000 00:00 0\n",
        "1001-2000 rw-p 00000000 00:00 0\n",
        "10000000000000000-20000000000000000 rw-p 0 00:00 0\n",
        "1000-2000 rw-p 00000000 00:00 99999999999999999999\n",
        "1000-2000 rw-p 00000000 00:00 0x /a\n",
        "1000-2000 rw-p 00000000 100000000:00 0\n",
        "-1000-2000 rw-p 00000000 00:00 0\n",
        "1000-2000 rw-p 00000000 00:00 0" /* cut short */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "800000-801000 rw-p 00000000 00:00 0 [heap]\n%s", bad[i]);
        const struct seen *s = parse(text);
        assert_int_equal(s->n, 1);
        assert_int_equal(s->malformed, 1);
    }
    assert_int_equal(parse("")->n, 0);
}

/*   |first.....|      the second is cut to what is new, the third goes
 *        |second....|
 *        |third|                                                     */
static void overlapping_lines_are_cut(void **state)
{
    (void)state;
    const struct seen *s =
        parse("1000-3000 r--p 00000000 00:01 5 /a\n2000-5000 r--p 00001000 00:01 5 /a\n"
              "2000-3000 r--p 00000000 00:01 5 /a\n");
    assert_int_equal(s->n, 2);
    assert_int_equal(s->malformed, 1);
    assert_int_equal(s->map[1].start, 0x3000);
    assert_int_equal(s->map[1].offset, 0x2000);
}

static void a_stack_pointer_names_the_stack(void **state)
{
    (void)state;
    struct fl_proc_stack sp[] = { { 0x2800, 11 }, { 0x5000, 12 }, { 0x5800, 13 }, { 0x9000, 14 } };
    struct fl_proc_stacks stacks = { sp, 4, 0 };
    const struct seen *s =
        parse("1000-2000 rw-p 0 00:00 0\n2000-3000 rw-p 0 00:00 0\n5000-6000 rw-p 0 00:00 0\n"
              "8000-9000 rw-p 0 00:00 0\n9000-a000 r--p 0 00:00 0\na000-b000 rw-p 0 00:00 0\n");
    static const uint32_t want[] = { 0, 11, 0, 0, 0, 0 };
    char label[32];
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(fl_proc_stack_tid(&s->map[i], &stacks), want[i]);
    assert_string_equal(fl_proc_map_label(&s->map[1], &stacks, label, sizeof label), "[stack:11]");
    assert_int_equal(fl_proc_stack_tid(&s->map[1], NULL), 0);
}

/* ---- a real child ----------------------------------------------------------------------------- */

struct known {
    uint64_t anon, shared, file, gone, memfd, sysv, stack[2];
    uint32_t tid[2];
};

static struct known *told;

static void *wait_for_ever(void *arg)
{
    volatile int here = 0;
    int i = *(int *)arg;
    told->stack[i] = (uint64_t)(uintptr_t)&here;
    __atomic_store_n(&told->tid[i], (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    while (here || !here)
        pause();
    return NULL;
}

static uint64_t map_fd(int fd)
{
    assert_int_equal(ftruncate(fd, 8192), 0);
    return (uint64_t)(uintptr_t)mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096);
}

static void map_every_kind(int fd)
{
    struct known k = { 0 };
    static int index[] = { 0, 1 };
    char kept[] = "/tmp/fl maps XXXXXX", gone[] = "/tmp/fl_gone_XXXXXX";
    pthread_t thread;
    told = &k;
    k.anon = (uint64_t)(uintptr_t)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    k.shared = (uint64_t)(uintptr_t)mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    k.file = map_fd(mkstemp(kept));
    k.gone = map_fd(mkstemp(gone));
    unlink(gone);
    k.memfd = map_fd(memfd_create("pool", 0));
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    k.sysv = (uint64_t)(uintptr_t)shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, NULL, wait_for_ever, &index[i]);
        while (!__atomic_load_n(&k.tid[i], __ATOMIC_ACQUIRE))
            usleep(1000);
    }
    ssize_t n = write(fd, &k, sizeof k);
    n += write(fd, kept, sizeof kept);
    while (n > 0) /* @k lives on this stack */
        pause();
}

struct search {
    uint64_t address;
    struct fl_proc_map map;
    char name[4096], label[4096];
    const struct fl_proc_stacks *stacks;
    bool found;
};

static int look(void *ctx, const struct fl_proc_map *map, struct fl_err *err)
{
    struct search *s = ctx;
    (void)err;
    if (s->address < map->start || s->address >= map->end)
        return FL_OK;
    s->found = true;
    s->map = *map;
    snprintf(s->name, sizeof s->name, "%s", map->name);
    fl_proc_map_label(map, s->stacks, s->label, sizeof s->label);
    return FL_OK;
}

static const struct search *find(pid_t pid, uint64_t address, const struct fl_proc_stacks *stacks)
{
    static struct search s;
    struct fl_err err;
    size_t malformed;
    s = (struct search){ .address = address, .stacks = stacks };
    assert_int_equal(fl_proc_maps(FL_PROC_ROOT, (uint32_t)pid, look, &s, &malformed, &err), FL_OK);
    assert_int_equal(malformed, 0);
    assert_true(s.found);
    return &s;
}

static void a_childs_mappings_are_as_it_made_them(void **state)
{
    (void)state;
    struct {
        struct known k;
        char kept[sizeof "/tmp/fl maps XXXXXX"];
    } __attribute__((packed)) said;
    struct fl_proc_stacks stacks;
    struct fl_err err;
    struct stat st;
    char label[32];
    pid_t pid = child_start(map_every_kind, &said, sizeof said);
    const struct known k = said.k;
    for (int i = 0; i < 500; i++) { /* until both threads sleep */
        assert_int_equal(fl_proc_stacks(FL_PROC_ROOT, (uint32_t)pid, &stacks, &err), FL_OK);
        if (stacks.n == 2)
            break;
        fl_proc_stacks_free(&stacks);
        usleep(10000);
    }

    const struct search *s = find(pid, k.anon, &stacks);
    assert_int_equal(s->map.start, k.anon);
    assert_int_equal(s->map.end, k.anon + (1 << 20));
    assert_int_equal(s->map.prot, FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC);
    assert_int_equal(s->map.flags, FL_MAP_ANON);
    s = find(pid, k.shared, &stacks);
    assert_int_equal(s->map.flags, FL_MAP_ANON | FL_MAP_SHARED);
    assert_string_equal(s->label, "[shared anon]");
    s = find(pid, k.file, &stacks);
    assert_int_equal(stat(said.kept, &st), 0);
    assert_string_equal(s->name, said.kept);
    assert_int_equal(s->map.ino, st.st_ino);
    assert_int_equal(s->map.dev, st.st_dev);
    assert_int_equal(s->map.offset, 4096);
    assert_true(s->map.has_file && s->map.flags == FL_MAP_SHARED && !s->map.is_deleted);
    s = find(pid, k.gone, &stacks);
    assert_true(s->map.is_deleted && strstr(s->label, " (deleted)"));
    s = find(pid, k.memfd, &stacks);
    assert_string_equal(s->name, "memfd:pool");
    s = find(pid, k.sysv, &stacks);
    assert_string_equal(s->label, "[sysv 0x0]");
    s = find(pid, (uint64_t)(uintptr_t)&st, &stacks); /* the child is a copy: the same stack */
    assert_string_equal(s->label, "[stack]");
    assert_int_equal(stacks.n, 2);
    assert_int_equal(stacks.unknown, 0);
    for (int i = 0; i < 2; i++) {
        s = find(pid, k.stack[i], &stacks);
        snprintf(label, sizeof label, "[stack:%u]", k.tid[i]);
        assert_string_equal(s->label, label);
    }
    fl_proc_stacks_free(&stacks);
    child_end(pid);
    unlink(said.kept);
}

static int stop_at_once(void *ctx, const struct fl_proc_map *map, struct fl_err *err)
{
    (void)map;
    ++*(int *)ctx;
    return fl_fail(err, FL_EDATA, "enough");
}

static void a_callbacks_error_ends_the_walk(void **state)
{
    (void)state;
    int calls = 0;
    struct fl_err err;
    assert_int_equal(
        fl_proc_maps(FL_PROC_ROOT, (uint32_t)getpid(), stop_at_once, &calls, NULL, &err), FL_EDATA);
    assert_int_equal(calls, 1);
    assert_int_equal(fl_proc_maps("/nowhere", 7, stop_at_once, &calls, NULL, &err), FL_EUSAGE);
    assert_int_equal(err.sys_errno, ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_gives_its_fields),
        cmocka_unit_test(names_are_classified_and_labelled),
        cmocka_unit_test(lines_without_sense_are_skipped_and_counted),
        cmocka_unit_test(overlapping_lines_are_cut),
        cmocka_unit_test(a_stack_pointer_names_the_stack),
        cmocka_unit_test(a_childs_mappings_are_as_it_made_them),
        cmocka_unit_test(a_callbacks_error_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
