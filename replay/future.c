/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "future.h"
#include "grow.h"
#include "reduced.h"
#include "vm.h"

/* Words of the file. Of the forward pass: contents referenced, or one of these, */
#define NOTE_NO_REF NO_CONTENTS
#define NOTE_GONE (UINT32_C(1) << 31) /* with contents: they cease to exist here */

/* and each in its place, once the way back has been there: how many references on the next is, or */
#define NEXT_NO_REF 0u
#define NEXT_NEVER UINT32_MAX
#define NEXT_FAR (UINT32_MAX - 1) /* in a list of its own */
#define NEXT_GONE FUTURE_FAR      /* no reference */

#define AHEAD 16u    /* references between asking for memory and using it */
#define CHUNK 65536u /* words at a time */
#define STRETCH 512u /* runs at a time; less than that */

struct future {
    FILE *file;
    uint64_t n_words, n_refs; /* all; those that are of references */
    uint64_t word_at, at;     /* words read; references taken */
    uint32_t far_from;        /* how far on it is far */
    uint64_t *far;            /* next uses that no word holds, the earliest last */
    uint32_t n_far, far_room;
    uint32_t buf[CHUNK];
    uint32_t buf_n, buf_at;
};

struct notes {
    struct future *future; /* its buffer has what is not written yet */
    uint32_t n_contents;
    bool failed;
    struct vm vm;
    uint8_t need[STRETCH];
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
    struct future *f = notes->future;
    if (!notes->failed && !put_all(fileno(f->file), f->buf, f->buf_n * sizeof *f->buf))
        notes->failed = true;
    f->n_words += f->buf_n;
    f->buf_n = 0;
}

static inline void note(struct notes *notes, uint32_t word)
{
    if (notes->future->buf_n == CHUNK)
        flush_notes(notes);
    notes->future->buf[notes->future->buf_n++] = word;
}

static void note_gone(void *arg, uint32_t c)
{
    note(arg, c | NOTE_GONE);
}

/* Runs from @from on that their pages' rights cover, of at most @n. Returns how many. */
static uint32_t note_covered(struct notes *notes, const uint32_t *page, uint32_t from, uint32_t n)
{
    const struct vm *vm = &notes->vm;
    const uint32_t *contents = vm->contents;
    const uint8_t *rights = vm->rights, *need = notes->need;
    if (CHUNK - notes->future->buf_n < n)
        flush_notes(notes);
    uint32_t *to = notes->future->buf + notes->future->buf_n, i;
    for (i = from; i < n && !(need[i] & ~rights[page[i]]); i++)
        *to++ = contents[page[i]];
    notes->future->buf_n += i - from;
    return i - from;
}

static int note_stretch(struct notes *notes, const struct fl_runs *runs, size_t from, uint32_t n,
                        struct fl_err *err)
{
    const uint32_t *page = runs->page + from;
    int rc = FL_OK;
    run_needs(runs, from, n, notes->need);
    for (uint32_t i = 0; i < n && rc == FL_OK; i++) {
        uint32_t c;
        uint8_t info;
        i += note_covered(notes, page, i, n);
        if (i == n)
            break;
        rc = vm_run(&notes->vm, page[i], notes->need[i], runs->actor, &c, &info, err);
        note(notes, c);
    }
    return rc;
}

static int note_runs(struct notes *notes, const struct fl_runs *runs, struct fl_err *err)
{
    int rc = vm_new_pages(&notes->vm, err);
    notes->future->n_refs += runs->n;
    for (size_t at = 0, n; at < runs->n && rc == FL_OK; at += n) {
        n = runs->n - at < STRETCH ? runs->n - at : STRETCH;
        rc = note_stretch(notes, runs, at, (uint32_t)n, err);
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

static bool keep_far(struct future *f, uint64_t next)
{
    if (f->n_far == f->far_room) {
        uint32_t room = grow_room(f->far_room);
        if (!room || !grow(&f->far, room))
            return false;
        f->far_room = room;
    }
    f->far[f->n_far++] = next;
    return true;
}

/* The first @n words of the buffer, last to first, from notes to what is next; *@run: the number of
   the reference after its last. false: out of memory. */
static bool chunk_backwards(struct future *f, size_t n, uint64_t *next, uint64_t *run)
{
    uint32_t *words = f->buf;
    for (size_t i = n; i-- > 0;) {
        uint32_t w = words[i];
        if (i >= AHEAD) /* of what is no contents nothing is read */
            __builtin_prefetch(&next[words[i - AHEAD] & ~NOTE_GONE], 1);
        if (__builtin_expect(w & NOTE_GONE, 0)) { /* or none at all */
            words[i] = w == NOTE_NO_REF ? NEXT_NO_REF : NEXT_GONE;
            if (w == NOTE_NO_REF)
                --*run;
            else
                next[w & ~NOTE_GONE] = FL_NEVER_USED;
            continue;
        }
        uint64_t distance = next[w] - --*run;
        bool never = next[w] == FL_NEVER_USED;
        words[i] = never ? NEXT_NEVER : (uint32_t)distance;
        if (__builtin_expect(distance >= f->far_from, 0) && !never) {
            words[i] = NEXT_FAR;
            if (!keep_far(f, next[w]))
                return false;
        }
        next[w] = *run;
    }
    return true;
}

static int turn_backwards(struct future *f, uint32_t n_contents, struct fl_err *err)
{
    uint64_t *next = malloc((n_contents + 1u) * sizeof *next), run = f->n_refs;
    int rc = next ? FL_OK : fl_nomem(err, "opt");

    for (uint32_t c = 0; rc == FL_OK && c < n_contents; c++)
        next[c] = FL_NEVER_USED;
    for (uint64_t end = f->n_words; end > 0 && rc == FL_OK;) {
        size_t n = end < CHUNK ? (size_t)end : CHUNK, len = n * sizeof *f->buf;
        end -= n;
        off_t at = (off_t)(end * sizeof *f->buf);
        if (pread(fileno(f->file), f->buf, len, at) != (ssize_t)len)
            rc = fl_fail_errno(err, "cannot read opt's temporary file");
        else if (!chunk_backwards(f, n, next, &run))
            rc = fl_nomem(err, "opt");
        else if (pwrite(fileno(f->file), f->buf, len, at) != (ssize_t)len)
            rc = disk_failed(err);
    }
    free(next);
    return rc;
}

int future_build_far(struct fl_reader *r, uint32_t levels, uint32_t reduced, uint32_t far,
                     struct future **out, struct fl_err *err)
{
    struct future *f = calloc(1, sizeof *f);
    struct notes *notes = calloc(1, sizeof *notes);
    int rc = f && notes ? FL_OK : fl_nomem(err, "opt");

    *out = NULL;
    if (rc == FL_OK && !(f->file = temp_file(err)))
        rc = FL_EIO;
    if (rc == FL_OK) {
        f->far_from = far;
        notes->future = f;
        rc = take_notes(r, levels, reduced, notes, err);
    }
    if (rc == FL_OK)
        rc = turn_backwards(f, notes->n_contents, err);
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

int future_build(struct fl_reader *r, uint32_t levels, uint32_t reduced, struct future **out,
                 struct fl_err *err)
{
    return future_build_far(r, levels, reduced, FUTURE_FAR, out, err);
}

static int refill(struct future *f, struct fl_err *err)
{
    uint64_t left = f->n_words - f->word_at;
    uint32_t n = left < CHUNK ? (uint32_t)left : CHUNK;
    size_t len = n * sizeof *f->buf;
    if (n == 0)
        return fl_fail(err, FL_EINTERNAL, "opt was asked for a run past the trace's end");
    if (pread(fileno(f->file), f->buf, len, (off_t)(f->word_at * sizeof *f->buf)) != (ssize_t)len)
        return fl_fail_errno(err, "cannot read opt's temporary file");
    f->word_at += n;
    f->buf_n = n;
    f->buf_at = 0;
    return FL_OK;
}

/* What is next of reference @at, of which @word is not how far on. */
static uint64_t no_distance(struct future *f, uint64_t at, uint32_t word)
{
    if (word == NEXT_NO_REF)
        return 0;
    return word == NEXT_NEVER ? FL_NEVER_USED - at : f->far[--f->n_far];
}

int future_take(struct future *f, uint64_t *next_use, size_t n, struct fl_err *err)
{
    for (uint64_t end = f->at + n, at = f->at; at < end; f->at = at) {
        int rc = f->buf_at == f->buf_n ? refill(f, err) : FL_OK;
        if (rc != FL_OK)
            return rc;
        uint32_t i = f->buf_at;
        for (; i < f->buf_n && at < end; i++) {
            uint32_t word = f->buf[i];
            *next_use = at + word;
            if (__builtin_expect(word - 1 >= NEXT_GONE - 1, 0)) {
                if (word == NEXT_GONE)
                    continue;
                *next_use = no_distance(f, at, word);
            }
            next_use++;
            at++;
        }
        f->buf_at = i;
    }
    return FL_OK;
}

void future_free(struct future *f)
{
    if (!f)
        return;
    if (f->file)
        fclose(f->file);
    free(f->far);
    free(f);
}
