/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_fix.h - documents written in the tests, and comparisons of two of them. Include cmocka first. */
#ifndef FAULTLINE_TEST_DIFF_FIX_H
#define FAULTLINE_TEST_DIFF_FIX_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/report.h>

#include "diff.h"

#define MIB UINT64_C(1048576)

/* JSON with single quotes, to be readable here. */
static inline json_t *parse(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_error_t why;
    json_t *doc = json_loads(copy, 0, &why);
    if (!doc)
        fail_msg("%s in %s", why.text, text);
    free(copy);
    return doc;
}

static inline json_t *report_of(json_t *doc)
{
    struct fl_err err = { .msg = "" };
    json_t *report = fl_report_new();
    if (fl_document_check(doc, "x", &err) != FL_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    json_decref(doc);
    return report;
}

/* A replay of @ram MiB with these totals; @more: further keys, each with a comma before it. */
static inline json_t *replay_doc(int ram, int minor, int major, const char *more)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{'schema':'faultline.replay/1','trace':{'path':'/t/x.flt','fidelity':'exact',"
             "'peak_resident_pages':%d},'machine':{'ram_bytes':%d,'policy':'lru'},"
             "'faults':{'minor':%d,'major':%d}%s}",
             minor, ram * 1048576, minor, major, more);
    return parse(text);
}

static inline json_t *replay(int ram, int minor, int major, const char *more)
{
    return report_of(replay_doc(ram, minor, major, more));
}

/* One that fl_document_check() may not let in. */
static inline json_t *unchecked(int ram, int minor, int major, const char *more)
{
    json_t *doc = replay_doc(ram, minor, major, more), *report = fl_report_new();
    assert_int_equal(fl_report_add(report, doc, NULL), FL_OK);
    json_decref(doc);
    return report;
}

/* A sweep whose i-th point has (i + 1) MiB and major[i] faults. */
static inline json_t *sweep(const char *policy, const int *major, size_t n, uint64_t first_mib)
{
    json_t *points = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            points, json_pack("{s:I, s:s, s:i, s:i, s:i}", "ram_bytes",
                              (json_int_t)((first_mib + i) * MIB), "policy", policy, "minor", 50,
                              "major", major[i] < 0 ? 7 : major[i], "oom_kills", major[i] < 0));
    return report_of(json_pack("{s:s, s:o}", "schema", "faultline.sweep/1", "points", points));
}

struct pair {
    json_t *a, *b;
    struct diff *d;
    char *verdict;
};

static inline struct pair compare(json_t *a, json_t *b)
{
    struct fl_err err = { .msg = "" };
    struct pair p = { a, b, NULL, NULL };
    if (diff_new(a, b, false, &p.d, &err) != FL_OK)
        fail_msg("%s", err.msg);
    p.verdict = diff_verdict(p.d);
    return p;
}

static inline void done(struct pair *p)
{
    diff_free(p->d);
    free(p->verdict);
    json_decref(p->a);
    json_decref(p->b);
}

static inline void refused(json_t *a, json_t *b, const char *says)
{
    struct fl_err err = { .msg = "" };
    struct diff *d = NULL;
    int rc = diff_new(a, b, false, &d, &err);
    if (rc != FL_EDATA || !strstr(err.msg, says) || strchr(err.msg, '\n'))
        fail_msg("got %d \"%s\", want \"%s\"", rc, err.msg, says);
    json_decref(a);
    json_decref(b);
}

#endif
