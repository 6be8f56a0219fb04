/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Working set, sharing, heat and phases of traces that are drawn column by column. */
#include "scene.h"

#include <string.h>

#include <faultline/locality.h>

#define AT UINT64_C(0x100000)
#define ROOM UINT64_C(4096)     /* pages of the mapping at AT */
#define DATA UINT64_C(0x200000) /* a file, ROOM pages */
#define PER_COLUMN 16u

static void begin(struct scene *s)
{
    process(s, 7, 1, 0, FL_NO_MM, 0);
    file(s, 0, 5, "/data");
    map_anon(s, 0, AT, ROOM);
    map(s, 0, DATA, ROOM, FL_PROT_READ, 0, 0, 0);
}

/* Columns [from, to), in each of which PER_COLUMN accesses go round @pages pages from @vpn on. */
static void columns(struct scene *s, uint32_t from, uint32_t to, uint64_t vpn, uint64_t pages)
{
    for (uint32_t c = from; c < to; c++)
        for (uint64_t i = 0; i < PER_COLUMN; i++)
            reads(s, 0, 0, vpn + i % pages);
}

static void one_set_is_one_steady_phase(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    columns(&s, 0, 256, AT, 8);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->n_phases, 1);
    assert_int_equal(l->phases[0].kind, FL_PHASE_STEADY);
    assert_int_equal(l->phases[0].pages, 8);
    assert_int_equal(l->phases[0].new_pages, 8);
    for (uint32_t w = 0; w < FL_LOCALITY_WINDOWS; w++) {
        assert_int_equal(l->window_accesses[w], PER_COLUMN << w);
        assert_int_equal(l->window[w].mean_pages, 8);
        assert_int_equal(l->window[w].peak_pages, 8);
    }
    fl_locality_free(l);
    scene_end(&s);
}

/*  8 pages until column 100, 4 others until 200, then the 8 again.  W of 8 columns right after a
 *  change has both: 12. */
static void sets_in_turn_are_phases_and_the_first_comes_back(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    columns(&s, 0, 100, AT, 8);
    columns(&s, 100, 200, AT + 100, 4);
    columns(&s, 200, 256, AT, 8);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->n_phases, 3);
    assert_int_equal(l->phases[1].from_column, 100);
    assert_int_equal(l->phases[1].from_access, 100 * PER_COLUMN);
    assert_int_equal(l->phases[2].from_column, 200);
    assert_int_equal(l->phases[2].to_access, 256 * PER_COLUMN);
    assert_int_equal(l->phases[0].kind, FL_PHASE_STEADY);
    assert_int_equal(l->phases[1].kind, FL_PHASE_STEADY);
    assert_int_equal(l->phases[1].pages, 4);
    assert_int_equal(l->phases[1].new_pages, 4);
    assert_int_equal(l->phases[1].common_pages, 0);
    assert_int_equal(l->phases[2].kind, FL_PHASE_REVISITS);
    assert_int_equal(l->phases[2].revisits, 0);
    assert_int_equal(l->phases[2].new_pages, 0);
    assert_int_equal(l->working_set[3][99], 8);
    assert_int_equal(l->working_set[3][100], 12);
    assert_int_equal(l->working_set[3][106], 12);
    assert_int_equal(l->working_set[3][107], 4);
    fl_locality_free(l);
    scene_end(&s);
}

/* Every column touches a page more of anonymous memory, and what it touched in the last few. */
static void new_memory_all_the_time_is_growing(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    for (uint32_t c = 0; c < 256; c++)
        columns(&s, c, c + 1, AT + c, 15);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->n_phases, 1);
    assert_int_equal(l->phases[0].kind, FL_PHASE_GROWING);
    assert_int_equal(l->distinct_pages, 255 + 15);
    assert_int_equal(l->resident_pages[255], 255 + 15);
    fl_locality_free(l);
    scene_end(&s);
}

/* A loop over 512 pages of a file, 16 a column: no page comes again within 32 columns. */
static void a_long_loop_is_one_streaming_phase(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    for (uint32_t c = 0; c < 256; c++)
        columns(&s, c, c + 1, DATA + c * 16, 16);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->n_phases, 1);
    assert_int_equal(l->phases[0].kind, FL_PHASE_STREAMING);
    assert_int_equal(l->window[0].peak_pages, 16);
    assert_int_equal(l->window[6].peak_pages, 16 * 64);
    fl_locality_free(l);
    scene_end(&s);
}

/* Work, then a stream, then the work again: bounds within two columns, and what each is. */
static void a_stream_between_is_a_phase(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    columns(&s, 0, 10, AT + 200, 5);
    columns(&s, 10, 90, AT, 8);
    for (uint32_t c = 90; c < 150; c++)
        columns(&s, c, c + 1, DATA + c * 16, 16);
    columns(&s, 150, 256, AT, 8);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->n_phases, 4);
    assert_int_equal(l->phases[0].kind, FL_PHASE_START_UP);
    assert_int_equal(l->phases[1].kind, FL_PHASE_STEADY);
    assert_int_equal(l->phases[1].from_column, 10);
    assert_int_equal(l->phases[2].kind, FL_PHASE_STREAMING);
    assert_in_range(l->phases[2].from_column, 88, 92);
    assert_in_range(l->phases[2].to_column, 148, 152);
    assert_int_equal(l->phases[3].kind, FL_PHASE_REVISITS);
    assert_int_equal(l->phases[3].revisits, 1);
    assert_string_equal(l->mappings[l->phases[2].hottest].name, "/data");
    fl_locality_free(l);
    scene_end(&s);
}

/* One column of something else in the middle, what a collector of garbage does: no phase of it. */
static void what_lasts_a_moment_splits_no_phase(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    columns(&s, 0, 120, AT, 8);
    columns(&s, 120, 121, AT, 16); /* twice as much, once */
    columns(&s, 121, 256, AT, 8);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->n_phases, 1);
    fl_locality_free(l);
    scene_end(&s);
}

/* A page of a file that both read is one page of memory, shared; each has one of its own. */
static void memory_of_two_processes_is_shared_or_unique(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    process(&s, 8, 7, 1, FL_NO_MM, 1);
    map(&s, 1, AT, ROOM, FL_PROT_READ, 0, 0, 0);
    map_anon(&s, 1, DATA, ROOM);
    reads(&s, 0, 0, DATA + 3);
    reads(&s, 0, 0, AT);
    reads(&s, 1, 1, AT + 3); /* the same page of the file */
    reads(&s, 1, 1, DATA);
    reads(&s, 1, 1, DATA + 1);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->distinct_pages, 5);
    assert_int_equal(l->contents, 4);
    assert_int_equal(l->resident_peak_pages, 4);
    assert_int_equal(l->shared_contents, 1);
    assert_int_equal(l->n_processes, 2);
    assert_int_equal(l->processes[0].pid, 8);
    assert_int_equal(l->processes[0].pages, 3);
    assert_int_equal(l->processes[0].unique_pages, 2);
    assert_int_equal(l->processes[1].pid, 7);
    assert_int_equal(l->processes[1].pages, 2);
    assert_int_equal(l->processes[1].unique_pages, 1);
    fl_locality_free(l);
    scene_end(&s);
}

/* A single run of 256 accesses is in every column; a system call's touch after it in the last. */
static void a_long_run_is_in_every_column(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    item_list_run(&s.list, &(struct naive_item){ .thread = 0, .mm = 0, .vpn = AT, .reads = 256 });
    item_list_run(&s.list,
                  &(struct naive_item){
                      .thread = 0, .mm = 0, .vpn = AT + 1, .actor = FL_ACTOR_KERNEL, .reads = 1 });
    struct fl_locality *l = item_list_locality(&s.list);
    for (uint32_t c = 0; c < 255; c++)
        assert_int_equal(l->working_set[0][c], 1);
    assert_int_equal(l->working_set[0][255], 2);
    assert_int_equal(l->mappings[0].n_rows, 2);
    assert_int_equal(l->mappings[0].heat[0][0], 100);
    assert_int_equal(l->mappings[0].heat[1][126], 0);
    assert_int_equal(l->mappings[0].heat[1][127], 100);
    fl_locality_free(l);
    scene_end(&s);
}

static void an_empty_trace_has_nothing(void **state)
{
    struct scene s = { 0 };
    (void)state;
    begin(&s);
    struct fl_locality *l = item_list_locality(&s.list);
    assert_int_equal(l->distinct_pages, 0);
    assert_int_equal(l->n_phases, 0);
    assert_int_equal(l->n_mappings, 0);
    fl_locality_free(l);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_set_is_one_steady_phase),
        cmocka_unit_test(sets_in_turn_are_phases_and_the_first_comes_back),
        cmocka_unit_test(new_memory_all_the_time_is_growing),
        cmocka_unit_test(a_long_loop_is_one_streaming_phase),
        cmocka_unit_test(a_stream_between_is_a_phase),
        cmocka_unit_test(what_lasts_a_moment_splits_no_phase),
        cmocka_unit_test(memory_of_two_processes_is_shared_or_unique),
        cmocka_unit_test(a_long_run_is_in_every_column),
        cmocka_unit_test(an_empty_trace_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
