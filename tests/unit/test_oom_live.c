/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the kernel would kill: its arithmetic on numbers worked out by hand, and a made-up proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <faultline/oom_live.h>

#include "oom_file.h"
#include "proc_tree.h"

enum { KTHREAD = 0x200000, EXITING = 0x4 };
#define MIB (UINT64_C(1) << 20)

/* ---- arithmetic ------------------------------------------------------------------------------ */

static struct fl_proc_memory memory(uint64_t anon, uint64_t file, uint64_t shmem, uint64_t swap,
                                    uint64_t tables, int32_t adj)
{
    return (struct fl_proc_memory){ .anon_bytes = anon * 4096,
                                    .file_bytes = file * 4096,
                                    .shmem_bytes = shmem * 4096,
                                    .swap_bytes = swap * 4096,
                                    .table_bytes = tables * 4096,
                                    .oom_score_adj = adj };
}

static void badness_is_the_kernels_sum(void **state)
{
    (void)state;
    struct fl_proc_memory m = memory(100, 20, 3, 50, 7, 0);
    assert_int_equal(fl_oom_badness(&m, 1000000), 180);
    m.oom_score_adj = 300; /* 300 thousandths of 1,000,000 */
    assert_int_equal(fl_oom_badness(&m, 1000000), 300180);
    m.oom_score_adj = -1;
    assert_int_equal(fl_oom_badness(&m, 1000000), 180 - 1000);
    /* the thousandth is rounded down before it is multiplied: 16383 / 1000 = 16 */
    m.oom_score_adj = 500;
    assert_int_equal(fl_oom_badness(&m, 16383), 180 + 8000);
    assert_int_equal(fl_oom_badness(&m, 999), 180);
}

static void score_is_what_proc_prints(void **state)
{
    (void)state;
    assert_int_equal(fl_oom_score(0, 1000000), 666);
    assert_int_equal(fl_oom_score(1000000, 1000000), 1333);
    assert_int_equal(fl_oom_score(500000, 1000000), 1000);
    assert_int_equal(fl_oom_score(1499, 1000000), 667);  /* (1000 + 1) * 2 / 3 */
    assert_int_equal(fl_oom_score(-999000, 1000000), 0); /* (1000 - 999) * 2 / 3 */
    assert_int_equal(fl_oom_score(-500000, 1000000), 333);
    assert_int_equal(fl_oom_score(5, 0), 0);
}

/* ---- a made-up machine ------------------------------------------------------------------------- */

struct person {
    unsigned pid, ppid, flags;
    const char *comm;
    char state;
    unsigned anon_mib, swap_mib, tables_kib;
    int adj, score;
};

static void add(const struct tree *t, const struct person *p)
{
    char line[512], text[512];
    snprintf(text, sizeof text,
             "Name:\t%s\nUid:\t%u\t1\t1\t1\nThreads:\t1\nVmSize:\t%u kB\nRssAnon:\t%u kB\n"
             "RssFile:\t0 kB\nRssShmem:\t0 kB\nVmPTE:\t%u kB\nVmSwap:\t%u kB\n"
             "SigPnd:\t0000000000000000\nShdPnd:\t%s\n",
             p->comm, 1000 + p->pid, p->anon_mib * 2048, p->anon_mib * 1024, p->tables_kib,
             p->swap_mib * 1024, p->state == 'k' ? "0000000000000100" : "0000000000000000");
    if (p->flags & KTHREAD || p->state == 'Z')
        snprintf(text, sizeof text, "Name:\t%s\nUid:\t0\t0\t0\t0\nThreads:\t1\n", p->comm);
    tree_text(t, text, "%u/status", p->pid);
    stat_line(line, sizeof line, p->pid, p->comm, p->state == 'k' ? 'R' : p->state, p->ppid,
              p->flags, 1);
    tree_text(t, line, "%u/stat", p->pid);
    snprintf(text, sizeof text, "%d\n", p->adj);
    tree_text(t, text, "%u/oom_score_adj", p->pid);
    snprintf(text, sizeof text, "%d\n", p->score);
    tree_text(t, text, "%u/oom_score", p->pid);
}

/* 4 GiB and 1 GiB: 1,310,720 pages; a thousandth is 1310. */
#define MEMINFO                                                                                   \
    "MemTotal: 4194304 kB\nMemFree: 262144 kB\nMemAvailable: 1048576 kB\nAnonPages: 2097152 kB\n" \
    "Shmem: 0 kB\nSwapTotal: 1048576 kB\nSwapFree: 524288 kB\n"

static const struct person people[] = {
    { 1, 0, 0, "init", 'S', 4, 0, 40, 0, 0 },
    { 2, 0, KTHREAD, "kthreadd", 'S', 0, 0, 0, 0, 0 },
    { 10, 1, 0, "database", 'S', 1024, 256, 3072, 0, 829 }, /* 328448 pages: 250; 1250 * 2 / 3 */
    { 11, 1, 0, "exempt", 'S', 2048, 0, 4096, -1000, 0 },
    { 12, 1, 0, "tab", 'S', 100, 0, 400, 300, 879 }, /* 25700 + 393000: 319 */
    { 13, 1, 0, "twin", 'S', 10, 0, 40, 0, 667 },    /* 2570: 1 */
    { 14, 1, 0, "twin", 'S', 10, 0, 40, 0, 667 },
    { 15, 1, EXITING, "gone", 'Z', 0, 0, 0, 0, 0 },
    { 16, 1, 0, "dying", 'k', 20, 0, 40, 0, 668 }, /* 5130: 3 */
    { 17, 20, 0, "child", 'S', 30, 0, 60, 0, 0 },
    { 18, 1, 0, "reaped", 'S', 50, 0, 60, 0, 0 },
    { 20, 1, 0, "parent", 'D', 30, 0, 60, 0, 670 }, /* 7695: 5 */
};

static void make_machine(struct tree *t)
{
    tree_make(t);
    tree_text(t, MEMINFO, "meminfo");
    for (size_t i = 0; i < sizeof people / sizeof *people; i++)
        add(t, &people[i]);
}

static void look(const struct tree *t, struct fl_oom_opts opts, struct fl_oom *oom)
{
    struct fl_err err = { .msg = "" };
    opts.root = t->root;
    if (fl_oom_look(&opts, oom, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

static enum fl_oom_guard guard(const struct fl_oom *oom, uint32_t pid)
{
    return oom->process[fl_oom_find(oom, pid)].guard;
}

static void machine_is_ranked_and_the_protected_are_named(void **state)
{
    struct tree t;
    struct fl_oom oom;
    (void)state;
    make_machine(&t);
    look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
    static const uint32_t order[] = { 12, 10, 20, 16, 14, 13 }; /* of twins the later */
    assert_int_equal(oom.n, 12);
    assert_int_equal(oom.total_pages, 1310720);
    assert_int_equal(oom.n_candidates, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(oom.process[i].memory.pid, order[i]);
    assert_int_equal(oom.process[0].badness, 25600 + 100 + 300 * 1310);
    assert_int_equal(oom.process[1].badness, 262144 + 65536 + 768);
    assert_int_equal(guard(&oom, 1), FL_OOM_INIT);
    assert_int_equal(guard(&oom, 2), FL_OOM_KERNEL_THREAD);
    assert_int_equal(guard(&oom, 11), FL_OOM_EXEMPT);
    assert_int_equal(guard(&oom, 15), FL_OOM_ENDED);
    assert_int_equal(guard(&oom, 17), FL_OOM_VFORK);
    assert_int_equal(guard(&oom, 18), FL_OOM_SKIPPED);
    assert_true(oom.process[3].memory.is_dying && !oom.process[2].memory.is_dying);
    assert_int_equal(oom.process[1].memory.uid, 1010);
    assert_int_equal(oom.n_compared, 12);
    assert_int_equal(oom.n_disagree, 1); /* the database's 829 is not 833 */
    assert_false(oom.process[1].agrees);
    assert_int_equal(oom.process[1].score, 833);
    assert_int_equal(fl_oom_find(&oom, 99), SIZE_MAX);
    fl_oom_free(&oom);
    look(&t, (struct fl_oom_opts){ .without_pid = 12 }, &oom);
    assert_int_equal(oom.process[0].memory.pid, 10);
    fl_oom_free(&oom);
    tree_remove(&t);
}

/* With 400,000 pages the tab's 300 thousandths are fewer than the database's own. */
static void another_size_scales_the_adjustment(void **state)
{
    struct tree t;
    struct fl_oom oom;
    (void)state;
    make_machine(&t);
    look(&t, (struct fl_oom_opts){ .has_at = true, .at_ram_bytes = 400000 * UINT64_C(4096) }, &oom);
    assert_int_equal(oom.process[0].memory.pid, 10);
    assert_int_equal(oom.process[1].badness, 25700 + 300 * 400);
    assert_int_equal(oom.n_disagree, 1); /* scores are compared with the machine as it is */
    assert_int_equal(oom.pressure, FL_OOM_KILLS);
    /* 3 GiB are not available and 512 MiB in swap */
    assert_int_equal(oom.in_use_bytes, 3584 * MIB);
    assert_int_equal(oom.pinned_bytes, 1024 * MIB);
    assert_int_equal(oom.short_bytes, 3584 * MIB - 400000 * UINT64_C(4096));
    fl_oom_free(&oom);
    look(&t, (struct fl_oom_opts){ .has_at = true, .at_ram_bytes = 3584 * MIB }, &oom);
    assert_int_equal(oom.pressure, FL_OOM_FITS);
    fl_oom_free(&oom);
    struct fl_oom_opts small = { .has_at = true, .at_ram_bytes = 1024 * MIB };
    small.at_swap_bytes = 2560 * MIB;
    look(&t, small, &oom);
    assert_int_equal(oom.pressure, FL_OOM_SWAPS);
    assert_int_equal(oom.short_bytes, 2560 * MIB);
    fl_oom_free(&oom);
    small.at_ram_bytes -= MIB; /* the kernel's own part does not fit, however much swap */
    small.at_swap_bytes += 10240 * MIB;
    look(&t, small, &oom);
    assert_int_equal(oom.pressure, FL_OOM_KILLS);
    assert_int_equal(oom.short_bytes, MIB);
    fl_oom_free(&oom);
    tree_remove(&t);
}

/* What is said changes the order, and a step less does not. */
static void change_is_the_least_that_does_it(void **state)
{
    struct tree t;
    struct fl_oom oom;
    (void)state;
    make_machine(&t);
    look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
    struct fl_oom_change c = fl_oom_change(&oom, 1);
    int64_t margin = 418700 - 328448 + 1; /* 10 is before 12 in the list: a tie would not do */
    assert_true(c.is_possible);
    assert_int_equal(c.margin_bytes, margin * 4096);
    assert_int_equal(c.raise, 69); /* 68 * 1310 = 89080 < margin <= 69 * 1310 */
    assert_int_equal(c.lower, 69);
    assert_false(fl_oom_change(&oom, 0).is_possible);
    assert_false(fl_oom_change(&oom, 6).is_possible);
    assert_int_equal(fl_oom_change(&oom, 2).lower, -1);
    fl_oom_free(&oom);
    struct person tab = people[4];
    for (int less = 68; less <= 69; less++) {
        tab.adj = 300 - less;
        tab.score = fl_oom_score(25700 + tab.adj * 1310, 1310720);
        add(&t, &tab);
        look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
        assert_int_equal(oom.process[0].memory.pid, less == 68 ? 12 : 10);
        fl_oom_free(&oom);
    }
    tree_remove(&t);
}

static void sentences_say_the_parts(void **state)
{
    struct tree t;
    struct fl_oom oom;
    (void)state;
    make_machine(&t);
    look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
    char *first = fl_oom_sentence(&oom, 0), *second = fl_oom_sentence(&oom, 1);
    char *exempt = fl_oom_sentence(&oom, fl_oom_find(&oom, 11));
    char *change = fl_oom_change_sentence(&oom, 1);
    assert_string_equal(first, "tab (12) would be killed first, with a badness of 418,700 pages: "
                               "100 MiB anonymous memory, 400 KiB page tables, and +393,000 pages "
                               "(1.5 GiB) by its oom_score_adj of 300.");
    assert_non_null(strstr(second, "database (10) would be killed only after 1 other"));
    assert_non_null(strstr(second, "256 MiB in swap"));
    assert_string_equal(exempt, "exempt (11) would not be killed: its oom_score_adj is -1000.");
    assert_string_equal(change, "database (10) would come first instead if it had 353 MiB more, or "
                                "an oom_score_adj of 69 (69 more), or tab (12) one of 231 (69 "
                                "less).");
    free(first), free(second), free(exempt), free(change);
    fl_oom_free(&oom);
    tree_remove(&t);
}

/* Scores that cannot be read, a pid that is no process, a proc that is none. */
static void what_is_missing_is_no_failure(void **state)
{
    struct tree t;
    struct fl_oom oom;
    struct fl_err err = { .msg = "" };
    (void)state;
    make_machine(&t);
    tree_text(&t, "", "77/task/77/stat"); /* it ends while it is looked at */
    tree_text(&t, "nonsense", "13/oom_score");
    look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
    assert_int_equal(oom.n, 12);
    assert_int_equal(oom.n_compared, 11);
    fl_oom_free(&oom);
    struct fl_oom_opts nowhere = { .root = "/nonexistent" };
    assert_int_equal(fl_oom_look(&nowhere, &oom, &err), FL_EMACHINE);
    assert_non_null(strstr(err.msg, "mount -t proc"));
    tree_remove(&t);
}

/* ---- daemons ------------------------------------------------------------------------------------- */

static struct fl_oom_earlyoom ask_earlyoom(const struct tree *t, struct fl_oom_earlyoom_opts opts,
                                           uint32_t *pid)
{
    struct fl_oom oom;
    struct fl_oom_earlyoom e;
    struct fl_err err;
    look(t, (struct fl_oom_opts){ .root = NULL }, &oom);
    assert_int_equal(fl_oom_earlyoom(&oom, &opts, &e, &err), FL_OK);
    *pid = e.victim == SIZE_MAX ? 0 : oom.process[e.victim].memory.pid;
    fl_oom_free(&oom);
    return e;
}

static void meminfo(const struct tree *t, unsigned available_mib, unsigned anon_mib,
                    unsigned swap_free_mib)
{
    char text[512];
    snprintf(text, sizeof text,
             "MemTotal: 4194304 kB\nMemAvailable: %u kB\nAnonPages: %u kB\nSwapTotal: 1024000 kB\n"
             "SwapFree: %u kB\n",
             available_mib * 1024, anon_mib * 1024, swap_free_mib * 1024);
    tree_text(t, text, "meminfo");
}

static void earlyoom_goes_by_its_manual(void **state)
{
    struct tree t;
    uint32_t pid;
    (void)state;
    make_machine(&t);
    struct fl_oom_earlyoom e = ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ NULL }, &pid);
    assert_int_equal(e.act, FL_OOM_NOTHING);
    assert_int_equal(e.available_bp, 3333); /* 1 of 1 + 2 GiB */
    assert_int_equal(e.swap_free_bp, 5000);
    assert_int_equal(pid, 12);
    assert_int_equal(e.victim_score, 879);
    meminfo(&t, 100, 900, 100); /* 10 % and 10 % */
    e = ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ NULL }, &pid);
    assert_int_equal(e.act, FL_OOM_TERM);
    meminfo(&t, 101, 899, 100);
    assert_int_equal(ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ NULL }, &pid).act,
                     FL_OOM_NOTHING);
    meminfo(&t, 50, 950, 50);
    assert_int_equal(ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ NULL }, &pid).act,
                     FL_OOM_KILL);
    e = ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ .avoid = "^tab$" }, &pid);
    assert_int_equal(pid, 10); /* 829 against 579 */
    e = ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ .prefer = "tw" }, &pid);
    assert_int_equal(pid, 13); /* 967; equals in score and memory: the first */
    e = ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ .ignore = "tab|data" }, &pid);
    assert_int_equal(pid, 20);
    e = ask_earlyoom(&t, (struct fl_oom_earlyoom_opts){ .by_rss = true }, &pid);
    assert_int_equal(pid, 10); /* the exempt one has more, and is exempt */
    assert_int_equal(e.victim_score, 1024 * 1024);
    struct fl_oom oom = { .n = 0 };
    struct fl_err err;
    struct fl_oom_earlyoom_opts bad = { .avoid = "(" };
    assert_int_equal(fl_oom_earlyoom(&oom, &bad, &e, &err), FL_EUSAGE);
    tree_remove(&t);
}

static void oomd_goes_by_its_manual(void **state)
{
    struct tree t;
    struct fl_oom oom;
    struct fl_oom_oomd d;
    char text[512];
    (void)state;
    make_machine(&t);
    look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
    fl_oom_oomd(t.root, &oom, &d);
    assert_false(d.is_possible);
    snprintf(text, sizeof text, "30 1 0:26 / %s/cg rw - cgroup2 cgroup2 rw\n", t.root);
    tree_text(&t, text, "self/mountinfo");
    tree_text(&t, "cpu memory pids\n", "cg/cgroup.controllers");
    tree_text(&t, "full avg10=99.00 avg60=0 avg300=0 total=1\n", "cg/memory.pressure");
    static const char *const groups[] = { "user.slice", "user.slice/app", "sys" };
    static const char *const swap[] = { "900000000", "700000000", "30000000" };
    for (int i = 0; i < 3; i++) {
        tree_text(&t, swap[i], "cg/%s/memory.swap.current", groups[i]);
        tree_text(&t, "some avg10=9.00\nfull avg10=4.50 avg60=0\n", "cg/%s/memory.pressure",
                  groups[i]);
    }
    fl_oom_oomd(t.root, &oom, &d);
    assert_true(d.is_possible);
    assert_int_equal(d.act, FL_OOM_NOTHING);
    assert_int_equal(d.pressed.bp, 450); /* the root is no group of anybody's */
    assert_string_equal(d.swap_victim.path, "/user.slice/app"); /* a leaf with over a twentieth */
    tree_text(&t, "full avg10=61.00 avg60=0\n", "cg/sys/memory.pressure");
    fl_oom_oomd(t.root, &oom, &d);
    assert_int_equal(d.act, FL_OOM_UNDECIDED);
    assert_string_equal(d.pressed.path, "/sys");
    fl_oom_free(&oom);
    meminfo(&t, 300, 900, 50);
    look(&t, (struct fl_oom_opts){ .root = NULL }, &oom);
    tree_text(&t, "full avg10=1.00 avg60=0\n", "cg/sys/memory.pressure");
    tree_text(&t, "1\n", "cg/user.slice/memory.oom.group");
    fl_oom_oomd(t.root, &oom, &d);
    assert_true(d.swap_met && d.act == FL_OOM_UNDECIDED);
    assert_string_equal(d.swap_victim.path, "/user.slice");
    assert_non_null(strstr(d.why, "ManagedOOMSwap"));
    fl_oom_free(&oom);
    tree_remove(&t);
}

/* ---- groups ----------------------------------------------------------------------------------------- */

static void group(const struct tree *t, const char *path, struct fl_oom_group *g)
{
    struct fl_err err = { .msg = "" };
    struct fl_meminfo info;
    assert_int_equal(fl_proc_meminfo(t->root, &info, &err), FL_OK);
    if (fl_oom_group_open(t->root, path, &info, g, &err) != FL_OK)
        fail_msg("%s", err.msg);
}

static void group_has_its_own_total(void **state)
{
    struct tree t;
    struct fl_oom oom;
    struct fl_oom_group g;
    struct fl_err err = { .msg = "" };
    char text[512];
    (void)state;
    make_machine(&t);
    snprintf(text, sizeof text, "31 1 0:27 / %s/v1 rw - cgroup cgroup rw,cpu,memory\n", t.root);
    tree_text(&t, text, "self/mountinfo");
    tree_text(&t, "1073741824\n", "v1/a/memory.limit_in_bytes");
    tree_text(&t, "1342177280\n", "v1/a/memory.memsw.limit_in_bytes");
    tree_text(&t, "900000000\n", "v1/a/memory.usage_in_bytes");
    tree_text(&t, "950000000\n", "v1/a/memory.memsw.usage_in_bytes");
    tree_text(&t, "60\n", "v1/a/memory.swappiness");
    tree_text(&t, "cache 5\ntotal_inactive_anon 500\ntotal_active_file 100000000\n",
              "v1/a/memory.stat");
    tree_text(&t, "10\n", "v1/a/cgroup.procs");
    tree_text(&t, "12\n0\n", "v1/a/b/cgroup.procs");
    group(&t, "/a", &g);
    assert_int_equal(g.version, 1);
    assert_true(g.has_limit);
    assert_int_equal(g.limit_bytes, 1024 * MIB);
    assert_int_equal(g.swap_bytes, 256 * MIB);
    assert_int_equal(g.swap_used_bytes, 50000000);
    assert_int_equal(g.n_pids, 2);
    look(&t, (struct fl_oom_opts){ .group = &g }, &oom);
    assert_int_equal(oom.n, 2);
    assert_int_equal(oom.total_pages, 327680);
    assert_int_equal(oom.process[0].memory.pid, 10); /* 300 * 327 do not suffice here */
    assert_int_equal(oom.process[1].badness, 25700 + 300 * 327);
    assert_int_equal(oom.in_use_bytes, 850000000);
    assert_int_equal(oom.pressure, FL_OOM_FITS);
    fl_oom_free(&oom);
    fl_oom_group_close(&g);
    tree_text(&t, "0\n", "v1/a/memory.swappiness");
    group(&t, "a", &g);
    assert_int_equal(g.swap_bytes, 0);
    fl_oom_group_close(&g);
    struct fl_meminfo info = { .ram_bytes = 1 };
    assert_int_equal(fl_oom_group_open(t.root, "/none", &info, &g, &err), FL_EUSAGE);
    /* version 2, by its folder */
    tree_text(&t, "memory\n", "v2/c/cgroup.controllers");
    tree_text(&t, "1048576\n", "v2/c/memory.current");
    tree_text(&t, "max\n", "v2/c/memory.max");
    tree_text(&t, "max\n", "v2/c/memory.swap.max");
    tree_text(&t, "1\n", "v2/c/memory.oom.group");
    snprintf(text, sizeof text, "%s/v2/c", t.root);
    group(&t, text, &g);
    assert_true(g.version == 2 && !g.has_limit && g.kills_all);
    assert_int_equal(g.swap_bytes, 1024 * MIB); /* the machine's */
    fl_oom_group_close(&g);
    tree_remove(&t);
}

static void mounts_are_found_by_type(void **state)
{
    struct tree t;
    struct oom_mounts m;
    (void)state;
    tree_make(&t);
    tree_text(&t,
              "1 2 0:1 / /x rw - cgroup cgroup rw,cpu\nno sense\n"
              "2 2 0:2 / /sys/memory rw shared:1 - cgroup cgroup rw,memory\n"
              "3 2 0:3 / /sys/unified rw - cgroup2 none rw\n4 2 0:4 / /proc rw - proc proc rw\n",
              "self/mountinfo");
    oom_mounts(t.root, &m);
    assert_string_equal(m.v1, "/sys/memory");
    assert_string_equal(m.v2, "/sys/unified");
    tree_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(badness_is_the_kernels_sum),
        cmocka_unit_test(score_is_what_proc_prints),
        cmocka_unit_test(machine_is_ranked_and_the_protected_are_named),
        cmocka_unit_test(another_size_scales_the_adjustment),
        cmocka_unit_test(change_is_the_least_that_does_it),
        cmocka_unit_test(sentences_say_the_parts),
        cmocka_unit_test(what_is_missing_is_no_failure),
        cmocka_unit_test(earlyoom_goes_by_its_manual),
        cmocka_unit_test(oomd_goes_by_its_manual),
        cmocka_unit_test(group_has_its_own_total),
        cmocka_unit_test(mounts_are_found_by_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
