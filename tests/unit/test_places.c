/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses to functions and call chains, one situation at a time. */
#include "places_fix.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT(page) ((page)*PAGE)

static int setup(void **state)
{
    *state = fix_new(false);
    return 0;
}

static int teardown(void **state)
{
    fix_free(*state);
    return 0;
}

static void code_is_named_after_its_symbol_its_file_or_nothing(void **state)
{
    struct fix *f = *state;
    fix_map(f, 0, 0, 100, 3, 2);
    fix_map(f, 0, 1, 200, 3, 1);
    assert_string_equal(fix_at(f, 0, AT(100)), "a_03");
    assert_string_equal(fix_at(f, 0, AT(101) + f->lib[0].bytes - 1), "a_04");
    assert_string_equal(fix_at(f, 0, AT(101) + f->lib[0].bytes + 1), "");
    assert_int_equal(f->codes[f->n_codes - 1]->code.file, 0);
    assert_int_equal(f->codes[f->n_codes - 1]->code.offset, 0);
    assert_string_equal(fix_at(f, 0, AT(200)), "b_03");
    assert_int_equal(f->codes[f->n_codes - 1]->code.file, 1);
    assert_int_equal(f->codes[f->n_codes - 1]->code.offset, f->lib[1].offset + 3 * PAGE);
    assert_int_equal(f->codes[f->n_codes - 1]->thread, 3);
    assert_string_equal(fix_at(f, 0, AT(102)), "anonymous code");
    assert_string_equal(fix_at(f, 0, UINT64_C(0xffffffff81000000)), "[kernel]");
    assert_string_equal(fix_at(f, 7, AT(100)), "anonymous code"); /* a space nobody told of */
    assert_string_equal(fix_at(f, 7, UINT64_C(1) << 63), "[kernel]");
    assert_int_equal(f->n_codes, 6);
    assert_int_equal(fl_places_functions(f->places), 3);
}

static void what_was_looked_up_is_forgotten_when_mappings_change(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    fix_map(f, 0, 0, 100, 0, 4);
    assert_string_equal(fix_at(f, 0, AT(102)), "a_02");
    fix_map(f, 0, 1, 102, 9, 1);
    assert_string_equal(fix_at(f, 0, AT(102)), "b_09");
    fix_map(f, 0, FL_NO_FILE, 102, 0, 1);
    assert_string_equal(fix_at(f, 0, AT(102)), "anonymous code");
    assert_string_equal(fix_at(f, 0, AT(103)), "a_03");
    assert_int_equal(fl_places_remap(f->places, 0, AT(103), PAGE, AT(200), 2 * PAGE, &err), FL_OK);
    assert_string_equal(fix_at(f, 0, AT(103)), "anonymous code");
    assert_string_equal(fix_at(f, 0, AT(201)), "a_04");
    assert_int_equal(fl_places_unmap(f->places, 0, AT(200), PAGE, &err), FL_OK);
    assert_string_equal(fix_at(f, 0, AT(200)), "anonymous code");
}

static void a_space_lives_until_its_last_process_leaves(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    fix_map(f, 0, 0, 100, 0, 1);
    assert_int_equal(fl_places_fork(f->places, 1, 0, &err), FL_OK);
    assert_int_equal(fl_places_share(f->places, 0, &err), FL_OK); /* a vfork */
    fl_places_drop(f->places, 0);
    assert_string_equal(fix_at(f, 0, AT(100)), "a_00");
    fl_places_drop(f->places, 0);
    assert_string_equal(fix_at(f, 0, AT(100)), "anonymous code");
    assert_string_equal(fix_at(f, 1, AT(100)), "a_00"); /* a copy */
    fl_places_drop(f->places, 0);                       /* nobody is there any more */
    fl_places_drop(f->places, 99);
}

static void a_redacted_trace_has_names_of_the_kernel_alone(void **state)
{
    struct fix *f = fix_new(true);
    (void)state;
    fix_map(f, 0, 0, 100, 0, 1);
    assert_string_equal(fix_at(f, 0, AT(100)), "");
    assert_int_equal(f->codes[0]->code.offset, f->lib[0].offset);
    assert_string_equal(fix_at(f, 0, AT(200)), "anonymous code");
    assert_string_equal(fix_at(f, 0, UINT64_MAX), "[kernel]");
    fix_free(f);
}

static void functions_of_the_vdso_have_names(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    char line[512];
    unsigned long start = 0, end = 0;
    void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
    uint64_t function = vdso ? (uint64_t)(uintptr_t)dlsym(vdso, "__vdso_clock_gettime") : 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) && !strstr(line, "[vdso]"))
        ;
    fclose(maps);
    if (!function || sscanf(line, "%lx-%lx", &start, &end) != 2) {
        print_message("no vdso here\n");
        skip();
    }
    struct fl_place_map m = {
        .space = 0, .file = FL_NO_FILE, .start = AT(500), .length = end - start, .path = "[vdso]"
    };
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
    assert_string_equal(fix_at(f, 0, AT(500) + (function - start)), "clock_gettime");
    assert_int_equal(f->codes[0]->code.file, FL_NO_FILE);
    assert_int_equal(f->codes[0]->code.offset, function - start);
    assert_string_equal(fix_at(f, 0, AT(500)), "[vdso]"); /* its headers */
    assert_string_equal(fix_at(f, 0, AT(499)), "anonymous code");
}

static void another_kernels_vdso_has_none(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    struct fl_place_map m = {
        .file = FL_NO_FILE, .start = AT(500), .length = 64 * PAGE, .path = "[vdso]"
    };
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
    for (uint64_t at = AT(500); at < AT(564); at += 64)
        assert_string_equal(fix_at(f, 0, at), "[vdso]");
}

/* ---- files that are no longer where they were -------------------------------------- */

/* This program again, from a file that is gone: it waits until its input ends. */
static void a_deleted_program_is_read_through_its_process(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    struct stat st;
    char dir[] = "/tmp/fl-places-XXXXXX", program[64], self[512], command[1200], *argv[3];
    int in[2], out[2], status;
    pid_t pid;
    char ready;
    posix_spawn_file_actions_t files;
    uint64_t offset = fix_file_offset((uint64_t)(uintptr_t)fix_emit, self);
    assert_non_null(mkdtemp(dir));
    snprintf(program, sizeof program, "%s/program", dir);
    snprintf(command, sizeof command, "cp '%s' '%s'", self, program);
    assert_int_equal(system(command), 0);
    assert_int_equal(stat(program, &st), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], 0);
    posix_spawn_file_actions_adddup2(&files, out[1], 1);
    argv[0] = program, argv[1] = "wait", argv[2] = NULL;
    assert_int_equal(posix_spawn(&pid, program, &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    assert_int_equal(read(out[0], &ready, 1), 1);
    unlink(program);
    rmdir(dir);
    struct fl_place_map m = { .start = AT(100),
                              .length = AT(4096),
                              .offset = offset & ~(PAGE - 1),
                              .path = program,
                              .dev = st.st_dev,
                              .ino = st.st_ino };
    assert_int_equal(fl_places_process(f->places, 0, (uint32_t)pid, &err), FL_OK);
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
    m.space = 1, m.file = 1, m.ino++; /* another file: not in that process */
    assert_int_equal(fl_places_process(f->places, 1, (uint32_t)pid, &err), FL_OK);
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
    assert_string_equal(fix_at(f, 0, AT(100) + offset % PAGE), "fix_emit");
    assert_string_equal(fix_at(f, 1, AT(100) + offset % PAGE), "");
    close(in[0]), close(in[1]), close(out[0]), close(out[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_deleted_library_is_read_through_a_mapping(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    struct lib lib;
    char path[] = "/tmp/fl-places-XXXXXX", command[1200], probe[600];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(command, sizeof command, "cp '%s' '%s'", f->lib[0].path, path);
    assert_int_equal(system(command), 0);
    fix_load(&lib, path, "a_00");
    unlink(path);
    snprintf(command, sizeof command,
             "f=$(ls -l /proc/%d/map_files 2>/dev/null | grep -m1 -F '%s' | "
             "sed 's/.*map_files.//; s/.* \\([0-9a-f]*-[0-9a-f]*\\) ->.*/\\1/') && "
             "head -c4 /proc/%d/map_files/$f >/dev/null 2>&1",
             getpid(), path, getpid());
    snprintf(probe, sizeof probe, "/proc/%d/map_files", getpid());
    if (access(probe, R_OK) != 0 || system(command) != 0) {
        print_message("may not read %s\n", probe);
        skip();
    }
    struct fl_place_map m = { .start = AT(100),
                              .length = AT(16),
                              .offset = lib.offset,
                              .path = path,
                              .dev = lib.dev,
                              .ino = lib.ino };
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
    assert_string_equal(fix_at(f, 0, AT(107)), ""); /* whose it is was not told */
    m.space = m.file = 1;
    assert_int_equal(fl_places_process(f->places, 1, (uint32_t)getpid(), &err), FL_OK);
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
    assert_string_equal(fix_at(f, 1, AT(107)), "a_07");
}

/* ---- chains ------------------------------------------------------------------------- */

/* Instructions of the functions @of, an "a" or "b" and two digits each: pages 100 on and 200 on.
   In the middle of the function, so that the call before is in it, too. */
static size_t ips_of(uint64_t *ips, const char *of)
{
    size_t n = 0;
    for (; *of; of += 3 + (of[3] == ' '))
        ips[n++] = AT((of[0] == 'a' ? 100 : 200) + (uint64_t)(of[1] - '0') * 10 +
                      (uint64_t)(of[2] - '0')) +
                   1;
    return n;
}

static struct fl_place ask(struct fix *f, const char *of)
{
    uint64_t ips[64] = { 0 };
    return fix_chain(f, 0, ips, ips_of(ips, of));
}

static void map_both(struct fix *f)
{
    fix_map(f, 0, 0, 100, 0, 16);
    fix_map(f, 0, 1, 200, 0, 16);
}

/* main (a00) calls a01, which is interrupted in b05 and then in b06:
 *   a00 - a01 +- b05
 *             `- b06        By hand: four codes, four stacks, each once. */
static void chains_share_their_callers(void **state)
{
    struct fix *f = *state;
    char text[256], golden[1024] = "";
    map_both(f);
    struct fl_place first = ask(f, "b05 a01 a00"), second = ask(f, "b06 a01 a00");
    for (size_t i = 0, used = 0; i < f->n_events; i++) {
        const struct fl_event *ev = &f->events[i];
        used += (size_t)(ev->kind == FL_EV_CODE
                             ? snprintf(golden + used, sizeof golden - used, "code %u %s; ",
                                        ev->code.code, ev->code.name)
                             : snprintf(golden + used, sizeof golden - used, "stack %u %d %u; ",
                                        ev->stack.stack, (int)ev->stack.parent, ev->stack.code));
    }
    assert_string_equal(golden, "code 0 a_00; stack 0 -1 0; code 1 a_01; stack 1 0 1; "
                                "code 2 b_05; stack 2 1 2; code 3 b_06; stack 3 1 3; ");
    assert_int_equal(first.stack, 2);
    assert_int_equal(second.stack, 3);
    assert_string_equal(fix_text(f, first.stack, text, sizeof text), "b_05 < a_01 < a_00");
    assert_int_equal(ask(f, "b05 a01 a00").stack, 2);
    assert_int_equal(ask(f, "a01 a00").stack, 1);
    assert_int_equal(ask(f, "a00").stack, 0);
    assert_int_equal(f->n_events, 8);
    assert_string_equal(fix_text(f, ask(f, "a00 a01").stack, text, sizeof text), "a_00 < a_01");
}

static void a_chain_of_none_is_no_chain(void **state)
{
    struct fix *f = *state;
    struct fl_place place = fix_chain(f, 0, NULL, 0);
    assert_int_equal(place.code, FL_NO_CODE);
    assert_int_equal(place.stack, FL_NO_STACK);
    map_both(f);
    ask(f, "a00");
    assert_int_equal(fix_chain(f, 0, NULL, 0).stack, FL_NO_STACK);
    assert_int_equal(ask(f, "a00").stack, 0);
}

static void a_chain_of_127_frames_is_whole(void **state)
{
    struct fix *f = *state;
    uint64_t ips[127];
    size_t depth = 0;
    map_both(f);
    for (size_t i = 0; i < 127; i++)
        ips[i] = AT((i % 3 ? 100 : 200) + i % 16) + 1;
    struct fl_place place = fix_chain(f, 0, ips, 127);
    for (uint32_t s = place.stack; s != FL_NO_STACK; s = f->stacks[s]->stack.parent, depth++) {
        char want[8];
        snprintf(want, sizeof want, "%c_%02zu", depth % 3 ? 'a' : 'b', depth % 16);
        assert_string_equal(f->codes[f->stacks[s]->stack.code]->code.name, want);
    }
    assert_int_equal(depth, 127);
    assert_int_equal(fix_chain(f, 0, ips, 127).stack, place.stack);
    assert_int_equal(f->n_stacks, 127);
}

static void a_return_address_is_of_the_call_before_it(void **state)
{
    struct fix *f = *state;
    char text[256];
    map_both(f);
    /* A call that never returns is the last instruction of a01: the address behind it is no
       code of a01 any more. The innermost address is the instruction itself. */
    uint64_t behind = AT(101) + f->lib[0].bytes, ips[] = { AT(102), behind, AT(100) + 1 };
    assert_string_equal(fix_at(f, 0, behind), "");
    assert_string_equal(fix_text(f, fix_chain(f, 0, ips, 3).stack, text, sizeof text),
                        "a_02 < a_01 < a_00");
}

static void the_kernel_is_one_frame_and_its_caller_was_interrupted_where_it_says(void **state)
{
    struct fix *f = *state;
    char text[256];
    map_both(f);
    const uint64_t kernel = UINT64_C(0xffffffff81000000);
    uint64_t ips[] = { kernel, kernel + 999, kernel + 5, AT(102), AT(101) + 1 };
    assert_string_equal(fix_text(f, fix_chain(f, 0, ips, 5).stack, text, sizeof text),
                        "[kernel] < a_02 < a_01");
    uint64_t other[] = { kernel + 7, AT(102), AT(101) + 1 };
    assert_int_equal(fix_chain(f, 0, other, 3).stack, fix_chain(f, 0, ips, 5).stack);
    /* Called from a_02's first instruction it would be what is before: no function. */
    uint64_t called[] = { AT(103), AT(102), AT(101) + 1 };
    assert_string_equal(fix_text(f, fix_chain(f, 0, called, 3).stack, text, sizeof text),
                        "a_03 <  < a_01");
}

static void a_chain_ends_where_no_code_can_be(void **state)
{
    struct fix *f = *state;
    char text[256];
    map_both(f);
    uint64_t null[] = { AT(102) + 1, AT(101) + 1, 0, AT(100) + 1 };
    uint64_t wild[] = { AT(102) + 1, AT(101) + 1, UINT64_C(0x7473657400000000), AT(100) + 1 };
    assert_string_equal(fix_text(f, fix_chain(f, 0, null, 4).stack, text, sizeof text),
                        "a_02 < a_01");
    assert_string_equal(fix_text(f, fix_chain(f, 0, wild, 4).stack, text, sizeof text),
                        "a_02 < a_01");
    uint64_t up[] = { AT(102) + 1, AT(101) + 1, UINT64_MAX - 5, AT(100) + 1 };
    assert_string_equal(fix_text(f, fix_chain(f, 0, up, 4).stack, text, sizeof text),
                        "a_02 < a_01");
    uint64_t jump[] = { 0, AT(101) + 1 }; /* a call through a null pointer */
    assert_string_equal(fix_text(f, fix_chain(f, 0, jump, 2).stack, text, sizeof text),
                        "anonymous code < a_01");
}

static void what_emit_returns_is_passed_on(void **state)
{
    struct fix *f = *state;
    struct fl_err err;
    struct fl_place place;
    uint64_t ips[] = { AT(102) + 1, AT(101) + 1 };
    uint32_t code;
    map_both(f);
    f->fails = true;
    assert_int_equal(
        fl_places_code(f->places, fl_places_find(f->places, 0, AT(101)), 0, &code, &err), FL_EIO);
    assert_int_equal(fl_places_chain(f->places, 0, ips, 2, 0, &place, &err), FL_EIO);
    assert_int_equal(fl_places_code(f->places, FL_NO_CODE, 0, &code, &err), FL_ENOMEM);
    assert_int_equal(f->n_events, 0);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "wait") == 0) {
        char c;
        return write(1, "r", 1) == 1 && read(0, &c, 1) == 0 ? 0 : 1;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(code_is_named_after_its_symbol_its_file_or_nothing),
        TEST(what_was_looked_up_is_forgotten_when_mappings_change),
        TEST(a_space_lives_until_its_last_process_leaves),
        cmocka_unit_test(a_redacted_trace_has_names_of_the_kernel_alone),
        TEST(functions_of_the_vdso_have_names),
        TEST(another_kernels_vdso_has_none),
        TEST(a_deleted_program_is_read_through_its_process),
        TEST(a_deleted_library_is_read_through_a_mapping),
        TEST(chains_share_their_callers),
        TEST(a_chain_of_none_is_no_chain),
        TEST(a_chain_of_127_frames_is_whole),
        TEST(a_return_address_is_of_the_call_before_it),
        TEST(the_kernel_is_one_frame_and_its_caller_was_interrupted_where_it_says),
        TEST(a_chain_ends_where_no_code_can_be),
        TEST(what_emit_returns_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
