/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <faultline/kernel_events.h>
#include <faultline/trace.h>

static struct fl_event name_event(uint32_t id, const char *text)
{
    struct fl_event ev = { .kind = FL_EV_NAME, .thread = FL_NO_THREAD };
    ev.name.name = id;
    ev.name.text = text;
    return ev;
}

static struct fl_event probe_event(uint32_t id, const char *signature)
{
    struct fl_event ev = { .kind = FL_EV_PROBE, .thread = FL_NO_THREAD };
    ev.probe.probe = id;
    ev.probe.signature = signature;
    return ev;
}

static struct fl_event piece(uint64_t time_ns, uint32_t pid, uint32_t moment, const char *text)
{
    struct fl_event ev = { .kind = FL_EV_SNAPSHOT, .thread = FL_NO_THREAD, .time_ns = time_ns };
    ev.snapshot.pid = pid;
    ev.snapshot.moment = moment;
    ev.snapshot.text = text;
    return ev;
}

static void signature_gives_name_and_fields(void **state)
{
    (void)state;
    struct fl_probe p;
    assert_true(fl_probe_parse("kmem:kmem_cache_alloc ptr:u name:s node:i", &p));
    assert_string_equal(p.name, "kmem:kmem_cache_alloc");
    assert_int_equal(p.n_fields, 3);
    assert_string_equal(p.fields[1].name, "name");
    assert_int_equal(p.fields[1].type, 's');
    assert_int_equal(fl_probe_field(&p, "ptr"), 0);
    assert_int_equal(fl_probe_field(&p, "node"), 2);
    assert_int_equal(fl_probe_field(&p, "nod"), -1);
    assert_int_equal(fl_probe_field(&p, "pfn"), -1);
    assert_true(fl_probe_parse("vmscan:nothing", &p));
    assert_int_equal(p.n_fields, 0);
}

static void signature_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         " ",      "a",         "a b:u",   "a:b ",
        "a:b  c:u", "a:b c",  "a:b c:",    "a:b c:x", "a:b c:uu",
        "a:b c:u ", "a:b :u", "a:b c:u:i", "a:b\n",   "a:b \x1b[2J:u",
        "a:b\tc:u", " a:b",
    };
    struct fl_probe p;
    char longest[FL_PROBE_NAME_BYTES + 8], many[256] = "a:b";
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (fl_probe_parse(bad[i], &p))
            fail_msg("'%s' was taken for a signature", bad[i]);
        assert_int_equal(p.n_fields + (uint32_t)strlen(p.name), 0);
    }
    snprintf(longest, sizeof longest, "a:%0*d", FL_PROBE_NAME_BYTES - 3,
             0); /* the last that fits */
    assert_true(fl_probe_parse(longest, &p));
    snprintf(longest, sizeof longest, "a:%0*d", FL_PROBE_NAME_BYTES - 2, 0);
    assert_false(fl_probe_parse(longest, &p));
    for (int i = 0; i < FL_HIT_VALUES; i++)
        strcat(many, " f:u");
    assert_true(fl_probe_parse(many, &p));
    assert_int_equal(p.n_fields, FL_HIT_VALUES);
    assert_false(fl_probe_parse(strcat(many, " f:u"), &p));
}

static void table_knows_what_was_defined(void **state)
{
    (void)state;
    struct fl_probes *t = fl_probes_new();
    struct fl_err err;
    const struct fl_event events[] = {
        name_event(0, "dentry"), probe_event(0, "kmem:x name:s"), probe_event(1, "no signature"),
        name_event(1, ""),       probe_event(2, "a:b"),           { .kind = FL_EV_LOST },
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        assert_int_equal(fl_probes_event(t, &events[i], &err), FL_OK);
    assert_int_equal(fl_probes_count(t), 3);
    assert_string_equal(fl_probes_at(t, 0)->name, "kmem:x");
    assert_null(fl_probes_at(t, 1));
    assert_string_equal(fl_probes_at(t, 2)->name, "a:b");
    assert_null(fl_probes_at(t, 3));
    assert_string_equal(fl_probes_name(t, 0), "dentry");
    assert_string_equal(fl_probes_name(t, 1), "");
    assert_null(fl_probes_name(t, 2));
    assert_null(fl_probes_name(t, UINT64_MAX)); /* what a hit of a damaged trace may hold */
    for (uint32_t i = 2; i < 3000; i++) {
        char text[32];
        snprintf(text, sizeof text, "name %u", i);
        struct fl_event ev = name_event(i, text);
        assert_int_equal(fl_probes_event(t, &ev, &err), FL_OK);
    }
    assert_string_equal(fl_probes_name(t, 0), "dentry");
    assert_string_equal(fl_probes_name(t, 2999), "name 2999");
    fl_probes_free(t);
}

static void pieces_of_a_snapshot_are_joined(void **state)
{
    (void)state;
    const struct fl_event events[] = {
        piece(5, 0, FL_SNAPSHOT_START, "meminfo\nMemTotal: 1 kB\n"),
        piece(6, 0, FL_SNAPSHOT_START, "meminfo\nMemFree: 2 kB\n"),
        { .kind = FL_EV_LOST },
        piece(6, 0, FL_SNAPSHOT_START, "meminfo\nCached: 3 kB\n"),
        piece(6, 0, FL_SNAPSHOT_START, "mem\nother name\n"),
        piece(7, 9, FL_SNAPSHOT_START, "status\nName: a\n"),
        piece(7, 10, FL_SNAPSHOT_START, "status\nName: b\n"),
        piece(9, 0, FL_SNAPSHOT_END, "meminfo\nlast\n"),
        piece(9, 0, FL_SNAPSHOT_END, "empty\n"),
        piece(9, 0, FL_SNAPSHOT_END, "no line break"),
    };
    struct fl_snapshots *s = fl_snapshots_new();
    struct fl_snapshot x;
    struct fl_err err;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        assert_int_equal(fl_snapshots_event(s, &events[i], &err), FL_OK);
    assert_int_equal(fl_snapshots_count(s), 7);
    assert_true(fl_snapshots_find(s, 0, FL_SNAPSHOT_START, "meminfo", &x));
    assert_string_equal(x.text, "MemTotal: 1 kB\nMemFree: 2 kB\nCached: 3 kB\n");
    assert_int_equal(x.bytes, strlen(x.text));
    assert_int_equal(x.time_ns, 5);
    assert_true(fl_snapshots_find(s, 0, FL_SNAPSHOT_END, "meminfo", &x));
    assert_string_equal(x.text, "last\n");
    assert_true(fl_snapshots_find(s, 10, FL_SNAPSHOT_START, "status", &x));
    assert_string_equal(x.text, "Name: b\n");
    assert_false(fl_snapshots_find(s, 10, FL_SNAPSHOT_END, "status", &x));
    assert_null(x.name);
    x = fl_snapshots_at(s, 1);
    assert_string_equal(x.name, "mem");
    assert_string_equal(x.text, "other name\n");
    x = fl_snapshots_at(s, 5);
    assert_string_equal(x.name, "empty");
    assert_string_equal(x.text, "");
    x = fl_snapshots_at(s, 6);
    assert_string_equal(x.name, "no line break");
    assert_int_equal(x.bytes, 0);
    fl_snapshots_free(s);
}

static void large_snapshots_are_joined(void **state)
{
    (void)state;
    struct fl_snapshots *s = fl_snapshots_new();
    struct fl_err err;
    static char text[60001];
    memset(text, 'x', 60000);
    memcpy(text, "slabinfo\n", 9);
    for (int i = 0; i < 100; i++) {
        struct fl_event ev = piece(0, 0, FL_SNAPSHOT_END, text);
        assert_int_equal(fl_snapshots_event(s, &ev, &err), FL_OK);
    }
    assert_int_equal(fl_snapshots_count(s), 1);
    assert_int_equal(fl_snapshots_at(s, 0).bytes, 100 * (60000 - 9));
    assert_int_equal(strspn(fl_snapshots_at(s, 0).text, "x"), 100 * (60000 - 9));
    fl_snapshots_free(s);
}

static char *dumped(const struct fl_event *ev, const struct fl_probes *probes)
{
    char *text = NULL;
    size_t len;
    struct fl_item item = { .kind = FL_ITEM_EVENT, .event = *ev };
    FILE *out = open_memstream(&text, &len);
    fl_dump_item(NULL, &item, probes, out);
    fclose(out);
    return text;
}

static void same_dump(const struct fl_event *ev, const struct fl_probes *probes, const char *want)
{
    char *got = dumped(ev, probes);
    assert_string_equal(got, want);
    free(got);
}

static void hits_are_dumped_with_names(void **state)
{
    (void)state;
    struct fl_probes *t = fl_probes_new();
    struct fl_err err;
    const struct fl_event defs[] = {
        name_event(0, "dentry"),
        name_event(1, "a \"b\"\n"),
        probe_event(0, "kmem:x ptr:u bytes:u gfp_flags:u node:i name:s other:s"),
        probe_event(1, "not one"),
    };
    for (size_t i = 0; i < sizeof defs / sizeof defs[0]; i++)
        assert_int_equal(fl_probes_event(t, &defs[i], &err), FL_OK);
    struct fl_event ev = { .kind = FL_EV_HIT, .thread = FL_NO_THREAD, .time_ns = 12 };
    ev.hit.cpu = 3;
    ev.hit.tid = 77;
    ev.hit.n_values = 6;
    const int64_t values[6] = { (int64_t)0xffff888000001000, 192, 0xcc0, -1, 0, 1 };
    memcpy(ev.hit.values, values, sizeof values);
    same_dump(&ev, t,
              "12 t- hit probe=kmem:x cpu=3 tid=77 ptr=0xffff888000001000 bytes=192 "
              "gfp_flags=0xcc0 node=-1 name=\"dentry\" other=\"a \\\"b\\\"\\x0a\"\n");
    same_dump(&ev, NULL,
              "12 t- hit probe=0 cpu=3 tid=77 values=-131391639515136,192,3264,-1,0,1\n");
    ev.hit.values[4] = 9; /* a name that was not defined */
    ev.hit.values[6] = 5; /* a value too many */
    ev.hit.n_values = 7;
    same_dump(&ev, t,
              "12 t- hit probe=kmem:x cpu=3 tid=77 ptr=0xffff888000001000 bytes=192 "
              "gfp_flags=0xcc0 node=-1 name=9 other=\"a \\\"b\\\"\\x0a\" ?=5\n");
    ev.hit.n_values = 1;
    same_dump(&ev, t, "12 t- hit probe=kmem:x cpu=3 tid=77 ptr=0xffff888000001000\n");
    ev.hit.probe = 1;
    same_dump(&ev, t, "12 t- hit probe=1 cpu=3 tid=77 values=-131391639515136\n");
    fl_probes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_gives_name_and_fields),
        cmocka_unit_test(signature_of_another_form_is_refused),
        cmocka_unit_test(table_knows_what_was_defined),
        cmocka_unit_test(pieces_of_a_snapshot_are_joined),
        cmocka_unit_test(large_snapshots_are_joined),
        cmocka_unit_test(hits_are_dumped_with_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
