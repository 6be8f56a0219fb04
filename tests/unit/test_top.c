/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live faults: counted against a plain list, and drawn as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "top.h"

#define PAGE UINT64_C(4096)
#define PROCESSES 5u
#define MAPS 4u

static void put(struct top_tally *t, struct fl_event ev)
{
    assert_int_equal(top_tally_event(t, &ev, NULL), FL_OK);
}

/* Process i has pid 100 + i, space i, thread i; its mapping k is file k's, at page 100 * k. */
static struct top_tally *with_processes(void)
{
    struct top_tally *t = top_tally_new();
    assert_non_null(t);
    for (uint32_t k = 0; k < MAPS; k++) {
        char path[32];
        snprintf(path, sizeof path, "/lib/f%u", k);
        put(t, (struct fl_event){
                   .kind = FL_EV_FILE, .thread = FL_NO_THREAD, .file = { k, 1, k + 1, 99, path } });
        snprintf(path, sizeof path, "work%u", k);
        put(t, (struct fl_event){
                   .kind = FL_EV_CODE, .thread = FL_NO_THREAD, .code = { k, k, 16, path } });
    }
    for (uint32_t i = 0; i < PROCESSES; i++) {
        char comm[16];
        snprintf(comm, sizeof comm, "p%u", i);
        put(t, (struct fl_event){ .kind = FL_EV_PROCESS,
                                  .thread = FL_NO_THREAD,
                                  .process = { 100 + i, 1, i, FL_NO_MM, 0, comm } });
        put(t, (struct fl_event){
                   .kind = FL_EV_THREAD, .thread = i, .thread_start = { 100 + i, 100 + i } });
        for (uint32_t k = 0; k < MAPS; k++)
            put(t,
                (struct fl_event){ .kind = FL_EV_MAP,
                                   .thread = i,
                                   .map = { i, 1, 0, k, (100 * k + 100) * PAGE, 50 * PAGE, 0 } });
    }
    return t;
}

static void fault(struct top_tally *t, uint32_t thread, uint32_t map, uint32_t code, bool major)
{
    put(t, (struct fl_event){ .kind = FL_EV_FAULT,
                              .thread = thread,
                              .fault = { (100 * map + 107) * PAGE, 0,
                                         major ? FL_FAULT_MAJOR : FL_FAULT_MINOR, code,
                                         FL_NO_STACK } });
}

static const struct top_row *row_of(const struct top_rows *rows, uint32_t pid, const char *name)
{
    const struct top_row *found = NULL;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->row[i].pid == pid && (!name || strcmp(rows->row[i].name, name) == 0)) {
            assert_null(found); /* each is there once */
            found = &rows->row[i];
        }
    return found;
}

/* Every count of every screen, against arrays that any reader can add up. */
static void counts_are_those_of_a_plain_list(void **state)
{
    (void)state;
    struct top_tally *t = with_processes();
    uint64_t seed = 42;
    for (int screen = 0; screen < 20; screen++) {
        uint64_t by_place[PROCESSES][MAPS][2] = { 0 }, by_code[MAPS][2] = { 0 }, all[2] = { 0 };
        for (int i = 0; i < screen * 37; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint32_t r = (uint32_t)(seed >> 33), p = r % PROCESSES, m = r / 7 % MAPS;
            uint32_t c = r / 31 % MAPS, major = r / 127 % 3 == 0;
            fault(t, p, m, c, major);
            by_place[p][m][major]++, by_code[c][major]++, all[major]++;
        }
        struct top_rows processes, mappings, functions;
        assert_int_equal(top_tally_processes(t, &processes, NULL), FL_OK);
        assert_int_equal(top_tally_mappings(t, &mappings, NULL), FL_OK);
        assert_int_equal(top_tally_functions(t, &functions, NULL), FL_OK);
        assert_int_equal(processes.n, PROCESSES);
        assert_int_equal(top_tally_totals(t).minor, all[0]);
        assert_int_equal(top_tally_totals(t).major, all[1]);
        for (uint32_t p = 0; p < PROCESSES; p++) {
            uint64_t sum[2] = { 0 };
            for (uint32_t m = 0; m < MAPS; m++) {
                char name[16];
                snprintf(name, sizeof name, "/lib/f%u", m);
                const struct top_row *r = row_of(&mappings, 100 + p, name);
                assert_int_equal(r ? r->minor : 0, by_place[p][m][0]);
                assert_int_equal(r ? r->major : 0, by_place[p][m][1]);
                sum[0] += by_place[p][m][0], sum[1] += by_place[p][m][1];
            }
            assert_int_equal(row_of(&processes, 100 + p, NULL)->minor, sum[0]);
            assert_int_equal(row_of(&processes, 100 + p, NULL)->major, sum[1]);
        }
        for (uint32_t c = 0; c < MAPS; c++) {
            char name[32];
            snprintf(name, sizeof name, "work%u in f%u", c, c);
            const struct top_row *r = row_of(&functions, 0, name);
            assert_int_equal(r ? r->minor + r->major : 0, by_code[c][0] + by_code[c][1]);
        }
        free(processes.row), free(mappings.row), free(functions.row);
        top_tally_clear(t);
    }
    top_tally_free(t);
}

static void the_dead_are_shown_once_more_and_their_place_is_used_again(void **state)
{
    (void)state;
    struct top_tally *t = with_processes();
    struct top_rows rows;
    fault(t, 2, 1, 0, false);
    put(t, (struct fl_event){ .kind = FL_EV_EXIT, .thread = 2, .exit = { 102, 0 } });
    /* The same number again, before the dead has been shown: another process of that name. */
    put(t, (struct fl_event){ .kind = FL_EV_PROCESS,
                              .thread = FL_NO_THREAD,
                              .process = { 102, 1, PROCESSES, FL_NO_MM, 0, "p2" } });
    put(t, (struct fl_event){
               .kind = FL_EV_THREAD, .thread = PROCESSES, .thread_start = { 102, 102 } });
    fault(t, PROCESSES, 1, 0, true);
    put(t, (struct fl_event){ .kind = FL_EV_EXIT, .thread = PROCESSES, .exit = { 102, 0 } });
    assert_int_equal(top_tally_processes(t, &rows, NULL), FL_OK);
    assert_int_equal(rows.n, PROCESSES); /* the two in one row */
    const struct top_row *ended = row_of(&rows, 0, "p2");
    assert_int_equal(ended->ended, 2);
    assert_int_equal(ended->minor, 1);
    assert_int_equal(ended->major, 1);
    free(rows.row);
    top_tally_clear(t);
    assert_int_equal(top_tally_processes(t, &rows, NULL), FL_OK);
    assert_int_equal(rows.n, PROCESSES - 1);
    assert_null(row_of(&rows, 102, NULL));
    free(rows.row);
    put(t, (struct fl_event){ .kind = FL_EV_PROCESS,
                              .thread = FL_NO_THREAD,
                              .process = { 900, 1, PROCESSES + 1, FL_NO_MM, 0, "new\033[31m" } });
    assert_int_equal(top_tally_processes(t, &rows, NULL), FL_OK);
    assert_int_equal(rows.n, PROCESSES);
    assert_null(strchr(row_of(&rows, 900, NULL)->name, '\033')); /* no control of the terminal */
    free(rows.row);
    top_tally_free(t);
}

static char *drawn(const struct top_screen *s, unsigned width, unsigned rows, bool ends)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    top_screen_text(s, width, rows, ends, f);
    fclose(f);
    return text;
}

static void a_screen_has_rates_of_its_own_time(void **state)
{
    (void)state;
    struct top_row processes[] = { { "one", "one", 7, 0, 30, 10, 0, 0 },
                                   { "two", "two", 8, 0, 160, 0, 5 << 20, 4096 } };
    struct top_screen s = { .clock = "12:00:00",
                            .elapsed_ns = 2000000000,
                            .totals = { 190, 10, 0 },
                            .has_memory = true,
                            .memory.ram_bytes = UINT64_C(4) << 30,
                            .memory.available_bytes = UINT64_C(1) << 30,
                            .memory.swap_bytes = 2 << 20,
                            .memory.swap_free_bytes = 1 << 20,
                            .processes = { processes, 2 } };
    top_sort(&s.processes, TOP_BY_FAULTS);
    char *text = drawn(&s, 200, 10, false);
    assert_string_equal(text,
                        "faultline top  12:00:00  faults/s: 95 minor, 5 major\n"
                        "memory 4.0 GiB, 1.0 GiB available; swap 2.0 MiB, 1.0 MiB used\n"
                        "\n"
                        "    PID    minor/s   major/s  share    resident     swapped  process\n"
                        "      8         80         0    80%     5.0 MiB     4.0 KiB  two\n"
                        "      7         15         5    20%           -         0 B  one\n");
    free(text);
    top_sort(&s.processes, TOP_BY_MAJOR);
    text = drawn(&s, 200, 1, false);
    assert_non_null(strstr(text, "  one\n"));
    assert_null(strstr(text, "  two\n"));
    free(text);
}

static void lines_are_cut_at_the_width_between_characters(void **state)
{
    (void)state;
    struct top_row functions[] = { { "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", "", 0, 0, 1, 0, 0, 0 } };
    struct top_screen s = { .clock = "x", .elapsed_ns = 1000000000, .functions = { functions, 1 } };
    for (unsigned width = 30; width < 44; width++) {
        char *text = drawn(&s, width, 3, true);
        for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
            unsigned columns = 0;
            for (const char *c = line; *c != '\033'; c++)
                columns += ((unsigned char)*c & 0xc0) != 0x80;
            assert_true(columns <= width);
        }
        /* Two columns behind "%" the name begins, at the 38th: whole characters, then the end. */
        if (width >= 38)
            assert_non_null(strstr(text, "\xc3\xa4\033[K\n"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_a_plain_list),
        cmocka_unit_test(the_dead_are_shown_once_more_and_their_place_is_used_again),
        cmocka_unit_test(a_screen_has_rates_of_its_own_time),
        cmocka_unit_test(lines_are_cut_at_the_width_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
