/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose faults they are: mappings' names, owners, refaults; each count worked out by hand. */
#include <string.h>

#include <faultline/attribution.h>
#include <faultline/units.h>

#include "scene.h"

static size_t mapping_named(const struct fl_attribution *a, const char *name)
{
    for (size_t i = 0; i < a->n_mappings; i++)
        if (strcmp(a->mappings[i].name, name) == 0)
            return i;
    print_error("no mapping \"%s\"\n", name);
    fail();
    return 0;
}

/* What the owners of one mapping of one process have together. */
static struct fl_owner sum_of(const struct fl_attribution *a, size_t process, const char *mapping)
{
    struct fl_owner sum = { .mapping = (uint32_t)mapping_named(a, mapping) };
    for (size_t i = 0; i < a->n_owners; i++)
        if (a->owners[i].process == process && a->owners[i].mapping == sum.mapping) {
            sum.minor += a->owners[i].minor;
            sum.major += a->owners[i].major;
            sum.refaults += a->owners[i].refaults;
        }
    return sum;
}

/* Under policy linux, @frames for data, swapping to zram. */
static const struct fl_result *replay_of_kernel(struct scene *s, uint32_t frames)
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    kernel.data_frames = true;
    struct fl_replay_opts opts = { .frames = frames,
                                   .swap_pages = UINT64_MAX,
                                   .policy = fl_policy_find("linux"),
                                   .machine = &scene_machine,
                                   .kernel = &kernel };
    assert_int_equal(try_replay(s, &opts), FL_OK);
    return s->r;
}

static void mappings_are_named_as_people_know_them(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/data/table");
    map(&s, 0, 10, 4, RW, FL_MAP_ANON | FL_MAP_HEAP, FL_NO_FILE, 0);
    map(&s, 0, 14, 4, RW, FL_MAP_ANON | FL_MAP_HEAP | FL_MAP_GROW, FL_NO_FILE, 0);
    map(&s, 0, 100, 8, RW, FL_MAP_ANON | FL_MAP_STACK, FL_NO_FILE, 0);
    map(&s, 0, 200, 4, FL_PROT_READ, 0, 0, 0);
    map(&s, 0, 300, 256, RW, FL_MAP_ANON, FL_NO_FILE, 0);
    map(&s, 0, 600, 256, RW, FL_MAP_ANON, FL_NO_FILE, 0);
    map(&s, 0, 900, 16, RW, FL_MAP_ANON | FL_MAP_SHARED, FL_NO_FILE, 0);
    writes(&s, 0, 0, 10);
    writes(&s, 0, 0, 15);
    writes(&s, 0, 0, 101);
    reads(&s, 0, 0, 200);
    reads(&s, 0, 0, 201);
    writes(&s, 0, 0, 300);
    writes(&s, 0, 0, 600);
    writes(&s, 0, 0, 900);
    const struct fl_attribution *a = replay_with(&s, "lru", 100, UINT64_MAX)->attribution;
    assert_int_equal(a->mappings[mapping_named(a, "[heap]")].pages, 2);
    assert_int_equal(a->mappings[mapping_named(a, "[stack]")].pages, 1);
    assert_int_equal(a->mappings[mapping_named(a, "/data/table")].pages, 2);
    assert_int_equal(a->mappings[mapping_named(a, "anonymous, 1.0 MiB")].pages, 2);
    assert_int_equal(a->mappings[mapping_named(a, "shared anonymous, 64.0 KiB")].pages, 1);
    assert_int_equal(sum_of(a, 0, "/data/table").minor, 2);
    assert_int_equal(a->n_functions, 0);
    scene_end(&s);
}

static void code(struct scene *s, uint32_t id, uint32_t file_id, const char *name)
{
    struct fl_event ev = { .kind = FL_EV_CODE, .thread = FL_NO_THREAD };
    ev.code.code = id;
    ev.code.file = file_id;
    ev.code.name = name;
    item_list_event(&s->list, &ev);
}

static void writes_from(struct scene *s, uint32_t code_id, uint64_t vpn)
{
    item_list_run(&s->list, &(struct naive_item){
                                .vpn = vpn, .writes = 1, .has_code = true, .code = code_id });
}

/* malloc writes its header into a mapping that build_table fills: the mapping is build_table's, all
   of it. What only the C library touches is its own. */
static void the_c_library_gives_its_name_for_want_of_a_better(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/usr/lib/libc.so.6");
    file(&s, 1, 8, "/bin/scene");
    code(&s, 0, 0, "sysmalloc");
    code(&s, 1, 1, "build_table");
    code(&s, 2, 1, "");
    map_anon(&s, 0, 100, 8);
    map_anon(&s, 0, 200, 8);
    map_anon(&s, 0, 300, 8);
    writes_from(&s, 0, 100);
    writes_from(&s, 1, 101);
    writes_from(&s, 0, 102);
    writes_from(&s, 0, 200);
    writes_from(&s, 2, 300);
    const struct fl_attribution *a = replay_with(&s, "lru", 100, UINT64_MAX)->attribution;
    assert_int_equal(a->mappings[mapping_named(a, "anonymous (build_table)")].pages, 3);
    assert_int_equal(sum_of(a, 0, "anonymous (build_table)").minor, 3);
    size_t pages = 0; /* the stand-in that was replaced has the name, and nothing of it */
    for (size_t i = 0; i < a->n_mappings; i++)
        pages += a->mappings[i].pages;
    assert_int_equal(pages, 5);
    assert_int_equal(sum_of(a, 0, "anonymous (in scene)").minor, 1);
    assert_int_equal(a->mappings[mapping_named(a, "anonymous (in scene)")].pages, 1);
    assert_int_equal(a->n_functions, 3);
    scene_end(&s);
}

/* malloc'ed and cleared by the C library, then walked: who walks it gives the name, to the faults
   before too, whatever memory there is. */
static void a_name_is_found_without_a_first_touch(void **state)
{
    (void)state;
    for (uint32_t frames = 50; frames <= 500; frames += 450) {
        struct scene s = { 0 };
        process(&s, 10, 0, 0, FL_NO_MM, 0);
        file(&s, 0, 7, "/usr/lib/libc.so.6");
        file(&s, 1, 8, "/bin/scene");
        code(&s, 0, 0, "memset");
        code(&s, 1, 1, "walk");
        map_anon(&s, 0, 100, 400);
        for (uint64_t vpn = 100; vpn < 500; vpn++)
            writes_from(&s, 0, vpn);
        for (uint64_t vpn = 100; vpn < 500; vpn++)
            writes_from(&s, 1, vpn);
        const struct fl_result *r = replay_with(&s, "lru", frames, UINT64_MAX);
        const struct fl_owner sum = sum_of(r->attribution, 0, "anonymous (walk)");
        assert_int_equal(sum.minor, 400);
        assert_int_equal(sum.major, frames < 400 ? 400 : 0);
        assert_int_equal(r->attribution->mappings[sum.mapping].pages, 400);
        scene_end(&s);
    }
}

/* The label goes with a mapping that is cut, moved or copied: all is one mapping's. */
static void a_name_stays_through_cuts_moves_and_forks(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 100, 16);
    writes(&s, 0, 0, 100);
    unmap(&s, 0, 104, 4);
    writes(&s, 0, 0, 110);
    remap(&s, 0, 108, 8, 300, 8);
    writes(&s, 0, 0, 302); /* was 110 */
    writes(&s, 0, 0, 305);
    process(&s, 11, 10, 1, 0, 1);
    writes(&s, 1, 1, 100); /* copied */
    writes(&s, 1, 1, 303);
    const struct fl_attribution *a = replay_with(&s, "lru", 100, UINT64_MAX)->attribution;
    assert_int_equal(sum_of(a, 0, "anonymous, 64.0 KiB").minor, 3);
    assert_int_equal(sum_of(a, 1, "anonymous, 64.0 KiB").minor, 2);
    assert_int_equal(a->processes[1].pid, 11);
    scene_end(&s);
}

/* A program that runs another stays one process; a pid used again is another. */
static void processes_are_told_apart_by_more_than_their_pid(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 100, 16);
    writes(&s, 0, 0, 100);
    process_exec(&s, 10, 1);
    map_anon(&s, 1, 100, 16);
    writes(&s, 0, 1, 100);
    writes(&s, 0, 1, 101);
    process_exit(&s, 10);
    process(&s, 10, 0, 2, FL_NO_MM, 1);
    map_anon(&s, 2, 100, 16);
    writes(&s, 1, 2, 100);
    const struct fl_attribution *a = replay_with(&s, "lru", 100, UINT64_MAX)->attribution;
    assert_int_equal(a->n_processes, 2);
    assert_int_equal(a->processes[0].pid, 10);
    assert_int_equal(a->processes[1].pid, 10);
    assert_int_equal(sum_of(a, 0, "anonymous, 64.0 KiB").minor, 3);
    assert_int_equal(sum_of(a, 1, "anonymous, 64.0 KiB").minor, 1);
    scene_end(&s);
}

/* 2 frames, lru, pages 1 2 3 in turn, four times: 3 first touches, then all 9 are refaults, of 3
   pages. Each was evicted one eviction before it comes back: 2 evicted pages later at most. */
static void refaults_are_counted_by_page_and_distance(void **state)
{
    struct scene s = { 0 };
    uint64_t refaults = 0, near = 0, shares = 0;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 3);
    for (int round = 0; round < 4; round++)
        for (uint64_t vpn = 1; vpn <= 3; vpn++)
            writes(&s, 0, 0, vpn);
    const struct fl_result *r = replay_with(&s, "lru", 2, UINT64_MAX);
    const struct fl_attribution *a = r->attribution;
    assert_int_equal(r->minor, 3);
    assert_int_equal(r->major, 9);
    assert_int_equal(a->n_rows, r->n_rows);
    for (size_t i = 0; i < a->n_rows; i++) {
        refaults += a->rows[i].refaults;
        near += a->rows[i].near;
    }
    for (size_t i = 0; i < a->n_shares; i++)
        shares += a->shares[i].refaults;
    assert_int_equal(refaults, 9);
    assert_int_equal(near, 9);
    assert_int_equal(shares, 9);
    assert_int_equal(fl_attribution_pages(a, 0, a->n_rows), 3);
    assert_int_equal(sum_of(a, 0, "anonymous, 12.0 KiB").refaults, 9);
    scene_end(&s);
}

/* A page unmapped and mapped anew is another page: its first touch is no refault. */
static void what_is_gone_does_not_come_back(void **state)
{
    struct scene s = { 0 };
    uint64_t refaults = 0;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 1, 3);
    writes(&s, 0, 0, 1);
    writes(&s, 0, 0, 2);
    writes(&s, 0, 0, 3); /* 1 is evicted */
    unmap(&s, 0, 1, 1);
    map_anon(&s, 0, 1, 1);
    writes(&s, 0, 0, 1);
    const struct fl_attribution *a = replay_with(&s, "lru", 2, UINT64_MAX)->attribution;
    for (size_t i = 0; i < a->n_rows; i++)
        refaults += a->rows[i].refaults;
    assert_int_equal(refaults, 0);
    scene_end(&s);
}

/* Two processes in memory for 40 pages. The second's runs evict 1 to 20 of the first, whose
   MADV_POPULATE_READ brings them back: its faults, on its mapping, and refaults. */
static void what_an_event_brings_in_is_its_process(void **state)
{
    struct scene s = { 0 };
    struct fl_event ev = { .kind = FL_EV_ADVISE, .thread = 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    process(&s, 11, 0, 1, FL_NO_MM, 1);
    map_anon(&s, 0, 512, 20);
    map_anon(&s, 1, 512, 200);
    for (uint64_t vpn = 512; vpn < 532; vpn++)
        writes(&s, 0, 0, vpn);
    for (uint64_t vpn = 512; vpn < 712; vpn++)
        writes(&s, 1, 1, vpn);
    ev.advise.start = 512 << 12;
    ev.advise.length = 20 << 12;
    ev.advise.advice = 22; /* MADV_POPULATE_READ */
    item_list_event(&s.list, &ev);
    const struct fl_result *r = replay_of_kernel(&s, 40);
    struct fl_owner first = sum_of(r->attribution, 0, "anonymous, 80.0 KiB");
    assert_int_equal(first.minor + first.major, 40);
    assert_int_equal(first.refaults, 20);
    assert_int_equal(sum_of(r->attribution, 1, "anonymous, 800 KiB").minor, 200);
    scene_end(&s);
}

/* Given up with MADV_FREE, evicted without being written: what is touched there is new. */
static void what_is_given_up_does_not_come_back(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    map_anon(&s, 0, 512, 20);
    map_anon(&s, 0, 1024, 200);
    for (uint64_t vpn = 512; vpn < 532; vpn++)
        writes(&s, 0, 0, vpn);
    advise(&s, 0, 512, 20, 8); /* MADV_FREE */
    for (uint64_t vpn = 1024; vpn < 1224; vpn++)
        writes(&s, 0, 0, vpn);
    for (uint64_t vpn = 512; vpn < 532; vpn++)
        writes(&s, 0, 0, vpn);
    const struct fl_result *r = replay_of_kernel(&s, 40);
    struct fl_owner freed = sum_of(r->attribution, 0, "anonymous, 80.0 KiB");
    assert_int_equal(freed.minor, 40);
    assert_int_equal(freed.refaults, 0);
    scene_end(&s);
}

static void owners_have_all_faults_whatever_the_policy(void **state)
{
    static const char *const policies[] = { "fifo", "clock", "opt", "linux", "mglru" };
    (void)state;
    for (size_t p = 0; p < FL_COUNT(policies); p++) {
        struct scene s = { 0 };
        uint64_t minor = 0, major = 0;
        process(&s, 10, 0, 0, FL_NO_MM, 0);
        map_anon(&s, 0, 1, 400);
        for (int round = 0; round < 5; round++)
            for (uint64_t vpn = 1; vpn <= 400; vpn++)
                writes(&s, 0, 0, vpn);
        const struct fl_result *r = replay_with(&s, policies[p], 300, UINT64_MAX);
        for (size_t i = 0; i < r->attribution->n_owners; i++) {
            minor += r->attribution->owners[i].minor;
            major += r->attribution->owners[i].major;
        }
        assert_int_equal(minor, r->minor);
        assert_int_equal(major, r->major);
        assert_true(major > 0);
        scene_end(&s);
    }
}

/* 64 mappings in each of 1100 processes are more owners than are kept: what the others have is
   nobody's, not the first process's. */
static void too_many_owners_are_nobody(void **state)
{
    struct scene s = { 0 };
    uint64_t of_first = 0, all = 0;
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    for (uint64_t i = 1; i <= 64; i++)
        map_anon(&s, 0, 100 * i, i);
    for (uint32_t p = 0; p < 1100; p++) {
        if (p)
            process(&s, 10 + p, 10, p, 0, p);
        for (uint64_t i = 1; i <= 64; i++)
            writes(&s, p, p, 100 * i);
    }
    const struct fl_result *r = replay_with(&s, "lru", 100000, UINT64_MAX);
    for (size_t i = 0; i < r->attribution->n_owners; i++) {
        const struct fl_owner *o = &r->attribution->owners[i];
        all += o->minor;
        of_first += o->process == 0 ? o->minor : 0;
    }
    assert_int_equal(r->minor, 64 * 1100);
    assert_int_equal(all, r->minor);
    assert_int_equal(of_first, 64);
    scene_end(&s);
}

static void adjust(struct scene *s, uint32_t pid, int32_t adj)
{
    struct fl_event ev = { .kind = FL_EV_OOM_ADJ, .thread = FL_NO_THREAD };
    ev.oom_adj.pid = pid;
    ev.oom_adj.oom_score_adj = adj;
    item_list_event(&s->list, &ev);
}

/* 10 touches 600 pages, 11 touches 1200 and is exempt, 12 touches 400 and has 500 thousandths of
   2000 frames added; each has page tables of three levels without the root. 1 is init. */
static void candidates_are_in_the_killers_order(void **state)
{
    struct scene s = { 0 };
    static const uint32_t pids[] = { 1, 10, 11, 12 };
    static const uint64_t pages[] = { 100, 600, 1200, 400 };
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        process(&s, pids[i], 0, i, FL_NO_MM, i);
        map_anon(&s, i, 1, 2000);
    }
    adjust(&s, 11, -1000);
    adjust(&s, 12, 500);
    for (uint32_t i = 0; i < 4; i++)
        for (uint64_t vpn = 1; vpn <= pages[i]; vpn++)
            writes(&s, i, i, vpn);
    const struct fl_result *r = replay_with(&s, "lru", 2000, 0);
    assert_int_equal(r->n_oom_kills, 1);
    assert_int_equal(r->oom_kills[0].pid, 12); /* at the 2001st page, its 101st */
    assert_int_equal(r->n_oom_candidates, 4);
    assert_int_equal(r->oom_candidates[0].pid, 12);
    assert_int_equal(r->oom_candidates[0].badness, 100 + 3 + 500 * 2);
    assert_int_equal(r->oom_candidates[1].pid, 10);
    assert_int_equal(r->oom_candidates[1].badness, 600 + 4);
    assert_int_equal(r->oom_candidates[1].anon_pages, 600);
    assert_int_equal(r->oom_candidates[1].virtual_pages, 2000);
    assert_false(r->oom_candidates[1].is_protected);
    assert_int_equal(r->oom_candidates[2].pid, 1);
    assert_int_equal(r->oom_candidates[3].pid, 11);
    assert_true(r->oom_candidates[2].is_protected && r->oom_candidates[3].is_protected);
    assert_int_equal(r->oom_candidates_at, r->oom_kills[0].at_access);
    scene_end(&s);
}

/* What a fault maps around is not counted as touched first, so not when it changes its name. */
static void a_better_name_takes_what_was_counted(void **state)
{
    struct scene s = { 0 };
    (void)state;
    process(&s, 10, 0, 0, FL_NO_MM, 0);
    file(&s, 0, 7, "/usr/lib/libc.so.6");
    file(&s, 1, 8, "/bin/scene");
    code(&s, 0, 0, "memcpy");
    code(&s, 1, 1, "build_table");
    map(&s, 0, 512, 32, RW, FL_MAP_ANON | FL_MAP_SHARED, FL_NO_FILE, 0);
    process(&s, 11, 10, 1, 0, 1);
    for (uint64_t vpn = 512; vpn < 528; vpn++)
        writes(&s, 1, 1, vpn);
    for (uint64_t vpn = 512; vpn < 528; vpn++)
        item_list_run(&s.list, &(struct naive_item){ .vpn = vpn, .reads = 1, .has_code = true });
    writes_from(&s, 1, 528);
    const struct fl_attribution *a = replay_of_kernel(&s, 100)->attribution;
    for (size_t i = 0; i < a->n_mappings; i++)
        assert_in_range(a->mappings[i].pages, 0, 17);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_are_named_as_people_know_them),
        cmocka_unit_test(a_better_name_takes_what_was_counted),
        cmocka_unit_test(the_c_library_gives_its_name_for_want_of_a_better),
        cmocka_unit_test(a_name_is_found_without_a_first_touch),
        cmocka_unit_test(a_name_stays_through_cuts_moves_and_forks),
        cmocka_unit_test(processes_are_told_apart_by_more_than_their_pid),
        cmocka_unit_test(refaults_are_counted_by_page_and_distance),
        cmocka_unit_test(what_is_gone_does_not_come_back),
        cmocka_unit_test(what_an_event_brings_in_is_its_process),
        cmocka_unit_test(what_is_given_up_does_not_come_back),
        cmocka_unit_test(owners_have_all_faults_whatever_the_policy),
        cmocka_unit_test(too_many_owners_are_nobody),
        cmocka_unit_test(candidates_are_in_the_killers_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
