/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of ELF files, against what the programs themselves say about where the
 * kernel mapped their code: tests/symbols/.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include <faultline/symbols.h>

#define PLACES_MAX 16

struct place {
    char name[64], path[512];
    uint64_t offset;
};

struct fixture {
    char dir[64];
    struct fl_symbols *symbols;
    struct place at[PLACES_MAX]; /* of the program that ran last */
    size_t n;
};

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *fmt, ...)
{
    char command[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/fl-symbols-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->symbols = fl_symbols_new(f->dir);
    assert_non_null(f->symbols);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fl_symbols_free(f->symbols);
    shell("rm -rf '%s'", f->dir);
    free(f);
    return 0;
}

/* Run @program of ours and keep what it says. */
static void ask(struct fixture *f, const char *program)
{
    char line[1024];
    FILE *p = popen(program, "re");
    assert_non_null(p);
    f->n = 0;
    while (fgets(line, sizeof line, p)) {
        struct place *at = &f->at[f->n++];
        assert_true(f->n <= PLACES_MAX);
        unsigned long long offset;
        assert_int_equal(sscanf(line, "%63s %llu %511s", at->name, &offset, at->path), 3);
        at->offset = offset;
    }
    assert_int_equal(pclose(p), 0);
    assert_true(f->n >= 8);
}

static const struct fl_symbol_file *file_at(struct fixture *f, const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    const struct fl_symbol_file *file = fl_symbols_file(f->symbols, path, st.st_dev, st.st_ino);
    assert_non_null(file);
    return file;
}

static void name_is(const struct fl_symbol_file *file, const struct place *at, const char *want)
{
    struct fl_symbol s;
    if (!fl_symbols_at(file, at->offset, &s))
        s.name = "nothing";
    else
        assert_true(s.offset <= at->offset && at->offset - s.offset < s.length_bytes);
    assert_string_equal(s.name, want);
}

/* Every place has its name, whatever file it is in. */
static void all_named(struct fixture *f, const char *program)
{
    ask(f, program);
    for (size_t i = 0; i < f->n; i++)
        name_is(file_at(f, f->at[i].path), &f->at[i], f->at[i].name);
}

static void functions_of_a_position_independent_program_are_found(void **state)
{
    all_named(*state, SYMBOLS_DIR "/pie");
}

static void functions_and_plt_of_a_fixed_program_are_found(void **state)
{
    struct fixture *f = *state;
    all_named(f, SYMBOLS_DIR "/fixed");
    assert_string_equal(f->at[f->n - 1].name, "library_second@plt");
    assert_string_equal(f->at[f->n - 1].path, SYMBOLS_DIR "/fixed");
}

static void a_stripped_program_has_no_functions_and_its_library_those_it_exports(void **state)
{
    struct fixture *f = *state;
    char program[128], library[128];
    struct fl_symbol s;
    snprintf(program, sizeof program, "%s/pie", f->dir);
    snprintf(library, sizeof library, "%s/libplaces.so", f->dir);
    shell(OBJCOPY " -S " SYMBOLS_DIR "/pie '%s'", program);
    shell(OBJCOPY " -S " SYMBOLS_DIR "/libplaces.so '%s'", library);
    ask(f, program);
    const struct fl_symbol_file *file = file_at(f, program);
    assert_string_equal(f->at[0].name, "local_function");
    assert_string_equal(f->at[0].path, program);
    assert_false(fl_symbols_at(file, f->at[0].offset, &s));
    assert_string_equal(f->at[f->n - 1].name, "library_function");
    name_is(file_at(f, library), &f->at[f->n - 1], "library_function");
    /* The static function before it is not exported: it has no name, not its neighbour's. */
    assert_false(fl_symbols_at(file_at(f, library), f->at[f->n - 1].offset - 1, &s) &&
                 strncmp(s.name, "library", 7) == 0);
}

static void a_debug_file_is_found_by_build_id(void **state)
{
    struct fixture *f = *state;
    char program[128];
    snprintf(program, sizeof program, "%s/pie", f->dir);
    shell(OBJCOPY " -S " SYMBOLS_DIR "/pie '%s'", program);
    shell("id=$(readelf -n " SYMBOLS_DIR "/pie | sed -n 's/.*Build ID: //p') && d='%s/.build-id/'"
          "$(echo $id | cut -c1-2) && mkdir -p $d && " OBJCOPY " --only-keep-debug " SYMBOLS_DIR
          "/pie $d/$(echo $id | cut -c3-).debug",
          f->dir);
    all_named(f, program);
    assert_string_equal(f->at[0].path, program);
}

static void a_debug_file_is_found_by_its_link_when_the_checksum_is_right(void **state)
{
    struct fixture *f = *state;
    static const char *const places[] = { "", "/.debug", "/usr" };
    struct fl_symbol s;
    char program[128];
    snprintf(program, sizeof program, "%s/fixed", f->dir);
    for (size_t i = 0; i < 3; i++) {
        for (int wrong = 0; wrong < 2; wrong++) {
            char folder[256];
            snprintf(folder, sizeof folder, "%s%s", f->dir, places[i]);
            if (i == 2) /* below the root, as the program's folder is named */
                snprintf(folder, sizeof folder, "%s%s", f->dir, f->dir);
            shell("mkdir -p '%s' && cd '%s' && " OBJCOPY " --only-keep-debug " SYMBOLS_DIR
                  "/fixed d.debug && " OBJCOPY " -S --add-gnu-debuglink=d.debug " SYMBOLS_DIR
                  "/fixed '%s.new' && mv '%s.new' '%s'",
                  folder, folder, program, program, program);
            if (wrong)
                shell("printf x >> '%s/d.debug'", folder);
            struct fl_symbols *fresh = fl_symbols_new(f->dir);
            struct stat st;
            ask(f, program);
            assert_int_equal(stat(program, &st), 0);
            const struct fl_symbol_file *file =
                fl_symbols_file(fresh, program, st.st_dev, st.st_ino);
            assert_string_equal(f->at[0].name, "local_function");
            if (wrong)
                assert_false(fl_symbols_at(file, f->at[0].offset, &s));
            else
                name_is(file, &f->at[0], "local_function");
            fl_symbols_free(fresh);
            shell("rm '%s/d.debug'", folder);
        }
    }
}

/* Prelinking moves a program to other addresses; its debug file stays as it was. */
static void a_debug_file_is_used_for_a_file_that_was_moved_since(void **state)
{
    struct fixture *f = *state;
    char program[128];
    snprintf(program, sizeof program, "%s/moved", f->dir);
    shell("cd '%s' && " OBJCOPY " --only-keep-debug " SYMBOLS_DIR "/fixed d.debug && " OBJCOPY
          " -S --add-gnu-debuglink=d.debug " SYMBOLS_DIR "/moved moved",
          f->dir);
    ask(f, program);
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->at[i].path, program) == 0)
            name_is(file_at(f, program), &f->at[i], f->at[i].name);
    assert_string_equal(f->at[0].path, program);
}

static void a_file_that_was_changed_is_read_again(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat before, after;
    snprintf(path, sizeof path, "%s/x", f->dir);
    shell("cp " SYMBOLS_DIR "/libplaces.so '%s'", path);
    assert_int_equal(stat(path, &before), 0);
    const struct fl_symbol_file *old = file_at(f, path), *new;
    size_t n = fl_symbols_count(old);
    assert_ptr_equal(file_at(f, path), old);
    shell("cat " SYMBOLS_DIR "/pie > '%s'", path);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    new = file_at(f, path);
    assert_int_not_equal(fl_symbols_count(new), n);
    assert_int_equal(fl_symbols_count(old), n); /* who has it keeps it */
    assert_ptr_equal(file_at(f, path), new);
}

static void a_file_that_was_missing_is_looked_for_again(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/x", f->dir);
    shell("cp " SYMBOLS_DIR "/pie '%s'", path);
    assert_int_equal(stat(path, &st), 0);
    const struct fl_symbol_file *none = fl_symbols_file(f->symbols, "/no", st.st_dev, st.st_ino);
    assert_int_equal(fl_symbols_count(none), 0);
    assert_ptr_equal(fl_symbols_file(f->symbols, "/no", st.st_dev, st.st_ino), none);
    assert_true(fl_symbols_count(file_at(f, path)) > 5);
    assert_int_equal(fl_symbols_count(none), 0);
}

static void a_file_system_without_a_device_is_known_by_the_inode(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    FILE *file;
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/fl-symbols-%d", getpid()); /* tmpfs: major number 0 */
    file = fopen(path, "we");
    if (!file || fstat(fileno(file), &st) != 0 || major(st.st_dev) != 0) {
        if (file) {
            fclose(file);
            unlink(path);
        }
        print_message("/dev/shm is no tmpfs\n");
        skip();
    }
    fclose(file);
    shell("cat " SYMBOLS_DIR "/pie > '%s'", path);
    size_t n[3] = {
        fl_symbols_count(fl_symbols_file(f->symbols, path, makedev(0, 9999), st.st_ino)),
        fl_symbols_count(fl_symbols_file(f->symbols, path, makedev(8, 1), st.st_ino)),
        fl_symbols_count(fl_symbols_file(f->symbols, path, makedev(0, 9998), st.st_ino + 1)),
    };
    unlink(path);
    assert_true(n[0] > 5);
    assert_int_equal(n[1], 0);
    assert_int_equal(n[2], 0);
}

static void a_file_is_read_once_and_must_be_the_one_that_is_meant(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    char path[128];
    snprintf(path, sizeof path, "%s/pie", f->dir);
    shell("cp " SYMBOLS_DIR "/pie '%s'", path);
    assert_int_equal(stat(path, &st), 0);
    const struct fl_symbol_file *other =
        fl_symbols_file(f->symbols, path, st.st_dev, st.st_ino + 1);
    assert_int_equal(fl_symbols_count(other), 0);
    if (major(st.st_dev) != 0)
        assert_int_equal(
            fl_symbols_count(fl_symbols_file(f->symbols, path, makedev(0, 9999), st.st_ino)), 0);
    const struct fl_symbol_file *file = file_at(f, path);
    assert_true(fl_symbols_count(file) > 5);
    unlink(path);
    assert_ptr_equal(fl_symbols_file(f->symbols, path, st.st_dev, st.st_ino), file);
    assert_int_equal(fl_symbols_count(fl_symbols_file(f->symbols, "/dev/null", 1, 2)), 0);
    assert_int_equal(fl_symbols_count(fl_symbols_file(f->symbols, "/nonexistent", 1, 3)), 0);
}

/* Whatever bytes there are: symbols or none, and no place outside a function's length. */
static void damaged_files_give_what_they_can(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    uint64_t seed = 1;
    int fd = open(SYMBOLS_DIR "/pie", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    size_t len = (size_t)st.st_size;
    uint8_t *whole = malloc(len), *bytes = malloc(len);
    assert_true(whole && bytes && read(fd, whole, len) == (ssize_t)len);
    close(fd);
    snprintf(path, sizeof path, "%s/x", f->dir);
    for (unsigned round = 0; round < 600; round++) {
        memcpy(bytes, whole, len);
        size_t n = round % 3 == 0 ? len * (round / 3) / 200 : len;
        for (unsigned k = 0; k < 1 + round % 7 && round % 3; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            /* Headers are at both ends, tables near the end. */
            size_t at = (size_t)(seed >> 33) % (k % 3 == 0 ? 1024 : len);
            bytes[k % 3 == 1 ? len - 1 - at % 6000 : at] = (uint8_t)(seed >> 20);
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
        close(fd);
        struct fl_symbols *fresh = fl_symbols_new(f->dir);
        assert_int_equal(stat(path, &st), 0);
        const struct fl_symbol_file *file = fl_symbols_file(fresh, path, st.st_dev, st.st_ino);
        assert_non_null(file);
        for (uint64_t at = 0; at < len; at += 61) {
            struct fl_symbol s;
            if (fl_symbols_at(file, at, &s))
                assert_true(s.name[0] && at >= s.offset && at - s.offset < s.length_bytes);
        }
        fl_symbols_free(fresh);
    }
    free(whole);
    free(bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(functions_of_a_position_independent_program_are_found),
        TEST(functions_and_plt_of_a_fixed_program_are_found),
        TEST(a_stripped_program_has_no_functions_and_its_library_those_it_exports),
        TEST(a_debug_file_is_found_by_build_id),
        TEST(a_debug_file_is_found_by_its_link_when_the_checksum_is_right),
        TEST(a_debug_file_is_used_for_a_file_that_was_moved_since),
        TEST(a_file_that_was_changed_is_read_again),
        TEST(a_file_that_was_missing_is_looked_for_again),
        TEST(a_file_system_without_a_device_is_known_by_the_inode),
        TEST(a_file_is_read_once_and_must_be_the_one_that_is_meant),
        TEST(damaged_files_give_what_they_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
