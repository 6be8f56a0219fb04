/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "future.h"
#include "reduced.h"
#include "vm.h"

/* Notes of the forward pass, a word each: contents referenced, or one of these. */
#define NOTE_NO_REF UINT32_MAX
#define NOTE_GONE (UINT32_C(1) << 31) /* with contents: they cease to exist here */

#define NEXT_BYTES 5u
#define NEXT_NEVER ((UINT64_C(1) << (8 * NEXT_BYTES)) - 1)
#define AHEAD 16u    /* references between asking for memory and using it */
#define CHUNK 65536u /* notes or next uses at a time */

struct future {
    FILE *file; /* NEXT_BYTES a reference of the stream */
    uint64_t n_refs, at;
    uint8_t buf[CHUNK * NEXT_BYTES];
    uint32_t buf_n, buf_at;
};

struct notes {
    FILE *file;
    uint32_t buf[CHUNK]; /* not written yet */
    uint32_t buf_n;
    uint64_t n, n_refs; /* all; those that are not NOTE_GONE */
    uint32_t n_contents;
    bool failed;
    struct vm vm;
};

static FILE *temp_file(struct fl_err *err)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/faultline-XXXXXX", dir && *dir ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd >= 0)
        unlink(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (!file) {
        fl_fail_errno(err, "cannot make a temporary file for opt in %s (set TMPDIR)",
                      dir && *dir ? dir : "/tmp");
        if (fd >= 0)
            close(fd);
    }
    return file;
}

static int disk_failed(struct fl_err *err)
{
    return fl_fail_errno(err, "cannot write opt's temporary file (set TMPDIR to a larger disk)");
}

static bool put_all(int fd, const void *from, size_t len)
{
    for (ssize_t some; len; from = (const char *)from + some, len -= (size_t)some)
        if ((some = write(fd, from, len)) <= 0)
            return false;
    return true;
}

static void flush_notes(struct notes *notes)
{
    if (!notes->failed &&
        !put_all(fileno(notes->file), notes->buf, notes->buf_n * sizeof *notes->buf))
        notes->failed = true;
    notes->n += notes->buf_n;
    notes->buf_n = 0;
}

static inline void note(struct notes *notes, uint32_t word)
{
    if (notes->buf_n == CHUNK)
        flush_notes(notes);
    notes->buf[notes->buf_n++] = word;
}

static void note_gone(void *arg, uint32_t c)
{
    note(arg, c | NOTE_GONE);
}

static inline void note_ref(struct notes *notes, uint32_t c)
{
    note(notes, c == NO_CONTENTS ? NOTE_NO_REF : c);
    notes->n_refs++;
}

static int note_runs(struct notes *notes, const struct fl_runs *runs, struct fl_err *err)
{
    int rc = vm_new_pages(&notes->vm, err);
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint32_t c;
        if (i + AHEAD < runs->n)
            vm_run_soon(&notes->vm, runs->page[i + AHEAD]);
        uint8_t info;
        uint8_t need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        rc = vm_run(&notes->vm, runs->page[i], need, runs->actor, &c, &info, err);
        note_ref(notes, c);
    }
    return rc == FL_OK && notes->failed ? disk_failed(err) : rc;
}

/* The forward pass: which contents the stream refers to, and when contents go. */
static int take_notes(struct fl_reader *r, uint32_t levels, uint32_t reduced, struct notes *notes,
                      struct fl_err *err)
{
    struct vm_hooks hooks = { .arg = notes, .contents_gone = note_gone };
    struct fl_item item;
    int rc = reduced_begin(r, reduced, err);

    vm_init(&notes->vm, r, levels, &hooks);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK && item.kind != FL_ITEM_END)
        rc = item.kind == FL_ITEM_EVENT ? vm_event(&notes->vm, &item.event, err)
                                        : note_runs(notes, &item.runs, err);
    notes->n_contents = notes->vm.cs.n;
    vm_fini(&notes->vm);
    flush_notes(notes);
    if (rc == FL_OK && notes->failed)
        rc = disk_failed(err);
    return rc;
}

static void put_next(uint8_t *p, uint64_t v)
{
    uint32_t low = (uint32_t)v;
    memcpy(p, &low, sizeof low);
    p[sizeof low] = (uint8_t)(v >> 32);
}

static uint64_t get_next(const uint8_t *p)
{
    uint32_t low;
    memcpy(&low, p, sizeof low);
    return low | (uint64_t)p[sizeof low] << 32;
}

/* One chunk of notes, last to first; @run is the number of the reference after its last. */
static uint64_t chunk_backwards(const uint32_t *words, size_t n, uint64_t *next, uint64_t run,
                                uint8_t *out, uint8_t **out_first)
{
    for (size_t i = n; i-- > 0;) {
        uint32_t w = words[i];
        if (i >= AHEAD) /* of what is no contents nothing is read */
            __builtin_prefetch(&next[words[i - AHEAD] & ~NOTE_GONE], 1);
        if (w != NOTE_NO_REF && (w & NOTE_GONE)) {
            next[w & ~NOTE_GONE] = NEXT_NEVER;
            continue;
        }
        run--;
        out -= NEXT_BYTES;
        put_next(out, w == NOTE_NO_REF ? 0 : next[w]);
        if (w != NOTE_NO_REF)
            next[w] = run;
    }
    *out_first = out;
    return run;
}

static int write_backwards(const struct notes *notes, struct future *f, struct fl_err *err)
{
    uint32_t *words = malloc(CHUNK * sizeof *words);
    uint8_t *out = malloc((size_t)CHUNK * NEXT_BYTES), *first;
    uint64_t *next = malloc((notes->n_contents + 1u) * sizeof *next), run = f->n_refs;
    int rc = words && out && next ? FL_OK : fl_nomem(err, "opt");

    for (uint32_t c = 0; rc == FL_OK && c < notes->n_contents; c++)
        next[c] = NEXT_NEVER;
    for (uint64_t end = notes->n; end > 0 && rc == FL_OK;) {
        size_t n = end < CHUNK ? (size_t)end : CHUNK;
        end -= n;
        if (pread(fileno(notes->file), words, n * sizeof *words, (off_t)(end * sizeof *words)) !=
            (ssize_t)(n * sizeof *words)) {
            rc = fl_fail_errno(err, "cannot read opt's temporary file");
            break;
        }
        uint8_t *out_end = out + (size_t)CHUNK * NEXT_BYTES;
        run = chunk_backwards(words, n, next, run, out_end, &first);
        size_t len = (size_t)(out_end - first);
        if (len && pwrite(fileno(f->file), first, len, (off_t)(run * NEXT_BYTES)) != (ssize_t)len)
            rc = disk_failed(err);
    }
    free(words);
    free(out);
    free(next);
    return rc;
}

int future_build(struct fl_reader *r, uint32_t levels, uint32_t reduced, struct future **out,
                 struct fl_err *err)
{
    struct future *f = calloc(1, sizeof *f);
    struct notes *notes = calloc(1, sizeof *notes);
    int rc = f && notes ? FL_OK : fl_nomem(err, "opt");

    *out = NULL;
    if (rc == FL_OK && (!(notes->file = temp_file(err)) || !(f->file = temp_file(err))))
        rc = FL_EIO;
    if (rc == FL_OK) {
        rc = take_notes(r, levels, reduced, notes, err);
        f->n_refs = notes->n_refs;
    }
    if (rc == FL_OK)
        rc = write_backwards(notes, f, err);
    if (notes && notes->file)
        fclose(notes->file);
    free(notes);
    if (rc == FL_OK)
        rc = reduced_begin(r, reduced, err);
    if (rc != FL_OK) {
        future_free(f);
        return rc;
    }
    *out = f;
    return FL_OK;
}

static int refill(struct future *f, struct fl_err *err)
{
    uint64_t left = f->n_refs - f->at;
    uint32_t n = left < CHUNK ? (uint32_t)left : CHUNK;
    size_t len = (size_t)n * NEXT_BYTES;
    if (n == 0)
        return fl_fail(err, FL_EINTERNAL, "opt was asked for a run past the trace's end");
    if (pread(fileno(f->file), f->buf, len, (off_t)(f->at * NEXT_BYTES)) != (ssize_t)len)
        return fl_fail_errno(err, "cannot read opt's temporary file");
    f->buf_n = n;
    f->buf_at = 0;
    return FL_OK;
}

int future_take(struct future *f, uint64_t *next_use, size_t n, struct fl_err *err)
{
    while (n) {
        int rc = f->buf_at == f->buf_n ? refill(f, err) : FL_OK;
        if (rc != FL_OK)
            return rc;
        size_t some = f->buf_n - f->buf_at < n ? f->buf_n - f->buf_at : n;
        for (size_t i = 0; i < some; i++) {
            uint64_t v = get_next(&f->buf[(f->buf_at + i) * NEXT_BYTES]);
            next_use[i] = v == NEXT_NEVER ? FL_NEVER_USED - (f->at + i) : v;
        }
        f->buf_at += (uint32_t)some;
        f->at += some;
        next_use += some;
        n -= some;
    }
    return FL_OK;
}

void future_free(struct future *f)
{
    if (f && f->file)
        fclose(f->file);
    free(f);
}
