/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracecheck.c - judging and saving whole files.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader_priv.h"
#include "sink.h"

int fl_trace_check(const char *path, struct fl_check_report *report, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    struct fl_err why = { 0 };
    struct stat st;
    *report = (struct fl_check_report){ 0 };
    if (stat(path, &st) == 0 && st.st_size > 0)
        report->file_bytes = (uint64_t)st.st_size;
    int rc = fl_reader_new(path, NULL, 0, false, &r, &why);
    if (rc == FL_OK)
        rc = fl_reader_walk(r, true, &why);
    if (rc == FL_OK) {
        report->sound = r->complete;
        report->good_blocks = r->good_blocks;
        report->good_bytes = r->complete ? r->source.size_bytes : r->good_bytes;
        report->good_accesses = r->good_accesses;
        report->good_events = r->totals.events;
        report->file_bytes = r->source.size_bytes;
        report->layer = r->layer;
        snprintf(report->problem, sizeof report->problem, "%s", fl_reader_damage(r));
    } else if (rc == FL_EFORMAT || rc == FL_EVERSION) {
        size_t named = strlen(path); /* the message begins with the path; problems do not */
        if (strncmp(why.msg, path, named) || strncmp(why.msg + named, ": ", 2))
            snprintf(report->problem, sizeof report->problem, "%s", why.msg);
        else
            snprintf(report->problem, sizeof report->problem, "%s", why.msg + named + 2);
        rc = FL_OK;
    } else if (err) {
        *err = why;
    }
    fl_reader_free(r);
    return rc;
}

static int copy_good(struct fl_reader *r, struct fl_sink *to, struct fl_err *err)
{
    for (uint64_t at = 0; at < r->good_bytes;) {
        const uint8_t *p;
        uint64_t left = r->good_bytes - at;
        size_t n = left < (1u << 20) ? (size_t)left : 1u << 20;
        int rc = fl_source_get(&r->source, at, n, &r->stored, &p, err);
        if (rc == FL_OK)
            rc = fl_sink_put(to, p, n, NULL, 0, err);
        if (rc != FL_OK)
            return rc;
        at += n;
    }
    return FL_OK;
}

/*
 * The END block of the copy: counted totals, and why there is not more. Late metadata
 * goes in again when the old END block was sound (then nothing but its totals or what
 * follows it was wrong); keys of the header among it are harmless repetitions.
 */
static int put_new_end(struct fl_reader *r, struct fl_sink *to, struct fl_err *err)
{
    struct fl_buf end = { 0 };
    struct fl_meta *late = fl_meta_new();
    int rc = late ? FL_OK : fl_nomem(err, "trace metadata");
    const char *key, *value;
    for (size_t i = 0; rc == FL_OK && fl_meta_at(r->meta, i, &key, &value); i++)
        rc = fl_meta_set(late, key, value, err);
    if (rc == FL_OK && !r->complete)
        rc = fl_meta_setf(late, err, "quality.incomplete", "recovered from a trace that was %s",
                          r->damage_note);
    if (rc == FL_OK) {
        fl_end_encode(&end, r->good_blocks, &r->totals, late);
        struct fl_envelope e = {
            .kind = FL_BLOCK_END,
            .codec = FL_CODEC_RAW,
            .seq = r->good_blocks,
            .raw_len = (uint32_t)end.len,
            .stored_len = (uint32_t)end.len,
            .first_access = r->good_accesses,
            .first_time_ns = r->totals.duration_ns,
        };
        uint8_t envelope[FL_ENVELOPE_BYTES];
        rc = end.oom ? fl_nomem(err, "END block") : FL_OK;
        if (rc == FL_OK) {
            fl_envelope_encode(envelope, &e, end.data);
            rc = fl_sink_put(to, envelope, sizeof envelope, end.data, end.len, err);
        }
    }
    fl_buf_free(&end);
    fl_meta_free(late);
    return rc;
}

int fl_trace_salvage(const char *from, const char *to, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    struct stat a, b;
    if (stat(from, &a) == 0 && stat(to, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return fl_fail(err, FL_EUSAGE, "%s is the damaged trace itself: name another file", to);
    int rc = fl_reader_new(from, NULL, 0, false, &r, err);
    if (rc == FL_OK)
        rc = fl_reader_walk(r, true, err);
    if (rc == FL_OK && r->good_blocks == 0 && !r->complete)
        rc = fl_reader_refuse(r, err);
    if (rc == FL_OK) {
        struct fl_sink sink;
        rc = fl_sink_open_file(&sink, to, err);
        if (rc == FL_OK) {
            rc = copy_good(r, &sink, err);
            if (rc == FL_OK)
                rc = put_new_end(r, &sink, err);
            rc = fl_sink_end(&sink, to, rc, err);
        }
    }
    fl_reader_free(r);
    return rc;
}
