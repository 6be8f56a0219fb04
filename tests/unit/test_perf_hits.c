/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <faultline/trace.h>

#include "hits.h"

/* kmem_cache_free as it could be: a pointer, a text elsewhere in the record, a node. */
static const char cache_format[] =
    "ID: 656\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
    "\tfield:const void * ptr;\toffset:8;\tsize:8;\tsigned:0;\n"
    "\tfield:__data_loc char[] name;\toffset:16;\tsize:4;\tsigned:0;\n"
    "\tfield:int node;\toffset:20;\tsize:4;\tsigned:1;\n";
static const char adj_format[] = "ID: 611\n"
                                 "\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
                                 "\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;\n"
                                 "\tfield:short oom_score_adj;\toffset:28;\tsize:2;\tsigned:1;\n";

/* 32 bytes: ptr 0x1122, text of 7 bytes at 24 ("dentry"), node -1. */
static const uint8_t cache_raw[32] = { [8] = 0x22, 0x11, [16] = 24, 0,   7,   0,   0xff, 0xff, 0xff,
                                       0xff,       'd',  'e',       'n', 't', 'r', 'y',  0 };
static const uint8_t adj_raw[32] = { [8] = 42, [12] = 'm', 'a', 'k', 'e', [28] = 0x18, 0xfc };

struct fixture {
    struct fl_hits *hits;
    struct fl_tp_event cache, adj;
    char log[4096];
    int fail; /* what emit returns */
};

static int emit(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct fixture *f = ctx;
    (void)err;
    char *at = f->log + strlen(f->log);
    size_t room = sizeof f->log - strlen(f->log);
    if (ev->kind == FL_EV_NAME) {
        snprintf(at, room, "%u=\"%s\" @%llu; ", ev->name.name, ev->name.text,
                 (unsigned long long)ev->time_ns);
    } else if (ev->kind == FL_EV_PROBE) {
        snprintf(at, room, "%u=<%s> @%llu; ", ev->probe.probe, ev->probe.signature,
                 (unsigned long long)ev->time_ns);
    } else {
        assert_int_equal(ev->kind, FL_EV_HIT);
        snprintf(at, room, "hit %u cpu %u tid %u t%d @%llu:", ev->hit.probe, ev->hit.cpu,
                 ev->hit.tid, (int)ev->thread, (unsigned long long)ev->time_ns);
        for (uint32_t i = 0; i < ev->hit.n_values; i++)
            sprintf(f->log + strlen(f->log), " %lld", (long long)ev->hit.values[i]);
        strcat(f->log, "; ");
    }
    return f->fail;
}

static struct fixture *fixture(bool redact)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_true(fl_tp_parse("kmem/kmem_cache_free", cache_format, &f->cache));
    assert_true(fl_tp_parse("oom/oom_score_adj_update", adj_format, &f->adj));
    f->hits = fl_hits_new(emit, f, redact);
    assert_non_null(f->hits);
    return f;
}

static void done(struct fixture *f)
{
    fl_hits_free(f->hits);
    free(f);
}

static void push(struct fixture *f, uint32_t index, uint64_t time_ns, const uint8_t *raw,
                 uint32_t n)
{
    const struct fl_raw_hit hit = { .cpu = 1,
                                    .tid = 42,
                                    .thread = index ? FL_NO_THREAD : 5,
                                    .time_ns = time_ns,
                                    .raw = raw,
                                    .raw_bytes = n };
    struct fl_err err;
    f->log[0] = 0;
    assert_int_equal(fl_hits_push(f->hits, index ? &f->adj : &f->cache, index, &hit, &err), FL_OK);
}

static void first_hit_defines_what_later_ones_use(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    push(f, 7, 100, adj_raw, sizeof adj_raw);
    assert_string_equal(f->log, "0=<oom:oom_score_adj_update pid:i comm:s oom_score_adj:i> @100; "
                                "0=\"make\" @100; hit 0 cpu 1 tid 42 t-1 @100: 42 0 -1000; ");
    push(f, 0, 200, cache_raw, sizeof cache_raw);
    assert_string_equal(f->log, "1=<kmem:kmem_cache_free ptr:u name:s node:i> @200; "
                                "1=\"dentry\" @200; hit 1 cpu 1 tid 42 t5 @200: 4386 1 -1; ");
    push(f, 0, 300, cache_raw, sizeof cache_raw);
    assert_string_equal(f->log, "hit 1 cpu 1 tid 42 t5 @300: 4386 1 -1; ");
    assert_int_equal(fl_hits_count(f->hits, 0), 2);
    assert_int_equal(fl_hits_count(f->hits, 7), 1);
    assert_int_equal(fl_hits_count(f->hits, 3), 0);
    assert_int_equal(fl_hits_count(f->hits, 1000000), 0);
    assert_int_equal(fl_hits_counts(f->hits).hits, 3);
    assert_int_equal(fl_hits_counts(f->hits).cut, 0);
    done(f);
}

static void fields_outside_the_record_end_the_values(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    uint8_t raw[32];
    memcpy(raw, cache_raw, sizeof raw);
    raw[18] = 9; /* the text would end a byte behind the record */
    push(f, 0, 1, raw, sizeof raw);
    assert_non_null(strstr(f->log, "hit 0 cpu 1 tid 42 t5 @1: 4386; "));
    push(f, 0, 2, cache_raw, 16); /* there is no place of the text */
    assert_string_equal(f->log, "hit 0 cpu 1 tid 42 t5 @2: 4386; ");
    push(f, 0, 3, cache_raw, 0);
    assert_string_equal(f->log, "hit 0 cpu 1 tid 42 t5 @3:; ");
    assert_int_equal(fl_hits_count(f->hits, 0), 3);
    assert_int_equal(fl_hits_counts(f->hits).cut, 3);
    f->cache.id = FL_TP_ID_BPF; /* its records are as long as there are objects */
    push(f, 0, 4, cache_raw, 16);
    assert_int_equal(fl_hits_counts(f->hits).cut, 3);
    done(f);
}

static void redacted_hits_name_no_program(void **state)
{
    (void)state;
    struct fixture *f = fixture(true);
    push(f, 7, 1, adj_raw, sizeof adj_raw);
    assert_null(strstr(f->log, "make"));
    assert_non_null(strstr(f->log, "0=\"\" @1; hit 0 cpu 1 tid 42 t-1 @1: 42 0 -1000; "));
    push(f, 0, 2, cache_raw, sizeof cache_raw);
    assert_non_null(strstr(f->log, "1=\"dentry\"")); /* the kernel's own */
    done(f);
}

static void names_beyond_the_limit_become_one(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    struct fl_err err;
    uint32_t id;
    for (uint32_t i = 0; i < FL_HITS_NAMES - 1; i++) {
        char text[32];
        snprintf(text, sizeof text, "n%u", i);
        f->log[0] = 0;
        assert_int_equal(fl_hits_name(f->hits, text, 9, &id, &err), FL_OK);
        assert_int_equal(id, i);
        assert_true(f->log[0]);
    }
    f->log[0] = 0;
    assert_int_equal(fl_hits_name(f->hits, "one more", 9, &id, &err), FL_OK);
    assert_int_equal(id, FL_HITS_NAMES - 1);
    assert_string_equal(f->log, "65535=\"(more names)\" @9; ");
    f->log[0] = 0;
    push(f, 0, 10, cache_raw, sizeof cache_raw);
    assert_non_null(strstr(f->log, "@10: 4386 65535 -1; "));
    assert_int_equal(fl_hits_name(f->hits, "n77", 9, &id, &err), FL_OK);
    assert_int_equal(id, 77);
    assert_int_equal(fl_hits_counts(f->hits).other_names, 2);
    done(f);
}

static void bytes_of_names_have_a_limit(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    struct fl_err err;
    uint32_t id, other = 0;
    static char text[60001];
    memset(text, 'x', 60000);
    for (uint32_t i = 0; i < 300; i++) { /* 18 MB */
        snprintf(text, 8, "%u", i);
        text[strlen(text)] = 'x';
        f->log[0] = 0;
        assert_int_equal(fl_hits_name(f->hits, text, 9, &id, &err), FL_OK);
        other += strstr(f->log, "(more names)") != NULL;
    }
    assert_int_equal(other, 1);
    assert_int_equal(id, FL_HITS_NAME_BYTES / 60001);
    assert_int_equal(fl_hits_counts(f->hits).other_names, 300 - FL_HITS_NAME_BYTES / 60001);
    done(f);
}

static void failures_of_the_trace_are_passed_on(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    struct fl_err err;
    const struct fl_raw_hit hit = { .raw = cache_raw, .raw_bytes = sizeof cache_raw };
    f->fail = FL_EIO;
    assert_int_equal(fl_hits_push(f->hits, &f->cache, 0, &hit, &err), FL_EIO);
    assert_int_equal(fl_hits_push(f->hits, &f->cache, UINT32_MAX, &hit, &err), FL_EINTERNAL);
    assert_non_null(strstr(err.msg, "kmem:kmem_cache_free"));
    done(f);
}

/* ---- cost, and the way through a trace ----------------------------------------------- */

static int count_only(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    (void)err;
    *(uint64_t *)ctx += (uint64_t)ev->hit.n_values;
    return FL_OK;
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 1 M hits a second are real: told, not judged, for the machine may be busy or slow. */
static void a_million_hits_are_counted(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    struct fl_err err;
    uint64_t values = 0;
    fl_hits_free(f->hits);
    f->hits = fl_hits_new(count_only, &values, false);
    const struct fl_raw_hit hit = { .raw = cache_raw, .raw_bytes = sizeof cache_raw };
    uint64_t begin = cpu_ns();
    for (uint32_t i = 0; i < 1000000; i++)
        assert_int_equal(fl_hits_push(f->hits, &f->cache, 0, &hit, &err), FL_OK);
    print_message("%llu ns a hit\n", (unsigned long long)((cpu_ns() - begin) / 1000000));
    assert_int_equal(fl_hits_count(f->hits, 0), 1000000);
    assert_true(values >= 3000000);
    done(f);
}

static int to_writer(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    return fl_writer_event(ctx, ev, err);
}

static void hits_come_back_from_a_trace_as_they_were(void **state)
{
    (void)state;
    struct fixture *f = fixture(false);
    struct fl_writer *w;
    struct fl_reader *r;
    struct fl_err err;
    struct fl_item item;
    struct fl_probes *probes = fl_probes_new();
    void *bytes;
    size_t len;
    uint64_t begin = cpu_ns(), hits = 0;
    const uint32_t n = 500000;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EVENTS, NULL, NULL, &w, &err), FL_OK);
    fl_hits_free(f->hits);
    f->hits = fl_hits_new(to_writer, w, false);
    for (uint32_t i = 0; i < n; i++) {
        const struct fl_raw_hit hit = { .cpu = i & 1,
                                        .tid = i,
                                        .thread = FL_NO_THREAD,
                                        .time_ns = i * UINT64_C(900),
                                        .raw = i & 1 ? adj_raw : cache_raw,
                                        .raw_bytes = 32 };
        assert_int_equal(fl_hits_push(f->hits, i & 1 ? &f->adj : &f->cache, i & 1, &hit, &err),
                         FL_OK);
    }
    assert_int_equal(fl_writer_close(w, &bytes, &len, &err), FL_OK);
    print_message("%llu ns and %.2f bytes a hit, written\n",
                  (unsigned long long)((cpu_ns() - begin) / n), (double)len / n);
    assert_int_equal(fl_reader_open_mem(bytes, len, 0, &r, &err), FL_OK);
    while (fl_reader_next(r, &item, &err) == FL_OK && item.kind == FL_ITEM_EVENT) {
        assert_int_equal(fl_probes_event(probes, &item.event, &err), FL_OK);
        if (item.event.kind != FL_EV_HIT)
            continue;
        const struct fl_probe *p = fl_probes_at(probes, item.event.hit.probe);
        int name = fl_probe_field(p, hits & 1 ? "comm" : "name");
        assert_in_range(name, 0, item.event.hit.n_values - 1);
        assert_string_equal(fl_probes_name(probes, (uint64_t)item.event.hit.values[name]),
                            hits & 1 ? "make" : "dentry");
        assert_int_equal(item.event.hit.tid, hits);
        assert_int_equal(item.event.time_ns, hits * 900);
        hits++;
    }
    assert_int_equal(hits, n);
    fl_reader_free(r);
    free(bytes);
    fl_probes_free(probes);
    done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_hit_defines_what_later_ones_use),
        cmocka_unit_test(fields_outside_the_record_end_the_values),
        cmocka_unit_test(redacted_hits_name_no_program),
        cmocka_unit_test(names_beyond_the_limit_become_one),
        cmocka_unit_test(bytes_of_names_have_a_limit),
        cmocka_unit_test(failures_of_the_trace_are_passed_on),
        cmocka_unit_test(a_million_hits_are_counted),
        cmocka_unit_test(hits_come_back_from_a_trace_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
