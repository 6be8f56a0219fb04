/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sweep_part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include <faultline/json_write.h>
#include <faultline/units.h>

#define SCHEMA "faultline.part/1"
#define BEGINS "{\"schema\":\"" SCHEMA "\""
#define SUM_BEGINS ",\"xxh64\":\""
#define SUM_BYTES (sizeof SUM_BEGINS - 1 + 16 + 2) /* with the end: "} */

struct sweep_part {
    char *path;
    int fd;
};

static const struct answer {
    const char *name;
    size_t at;
} answers[SWEEP_COUNTS] = {
    { "minor", offsetof(struct fl_sweep_point, minor) },
    { "major", offsetof(struct fl_sweep_point, major) },
    { "swap_in", offsetof(struct fl_sweep_point, swap_in) },
    { "swap_out", offsetof(struct fl_sweep_point, swap_out) },
    { "oom_kills", offsetof(struct fl_sweep_point, oom_kills) },
    { "walks", offsetof(struct fl_sweep_point, walks) },
    { "walk_refs", offsetof(struct fl_sweep_point, walk_refs) },
    { "tlb_flushes", offsetof(struct fl_sweep_point, tlb_flushes) },
    { "tlb_page_flushes", offsetof(struct fl_sweep_point, tlb_page_flushes) },
};

/* ---- what is known ------------------------------------------------------------------------ */

int sweep_known_init(struct sweep_known *k, json_t *options, size_t n_traces, size_t n_points,
                     struct fl_err *err)
{
    *k = (struct sweep_known){ .options = options,
                               .n_traces = n_traces,
                               .n_points = n_points,
                               .facts = calloc(n_traces + 1, sizeof *k->facts),
                               .answers = calloc(n_traces * n_points + 1, sizeof *k->answers) };
    return options && k->facts && k->answers ? FL_OK : fl_nomem(err, "sweep");
}

void sweep_known_fini(struct sweep_known *k)
{
    for (size_t t = 0; k->facts && t < k->n_traces; t++)
        json_decref(k->facts[t]);
    json_decref(k->options);
    free(k->facts);
    free(k->answers);
    *k = (struct sweep_known){ 0 };
}

bool sweep_known_answer(const struct sweep_known *k, size_t trace, size_t point,
                        struct fl_sweep_point *p)
{
    const struct sweep_answer *a = &k->answers[trace * k->n_points + point];
    for (size_t i = 0; a->known && i < SWEEP_COUNTS; i++)
        *(uint64_t *)(void *)((char *)p + answers[i].at) = a->counts[i];
    return a->known;
}

/* ---- lines -------------------------------------------------------------------------------- */

/* @line to the end of @text. false: out of memory. */
static bool put_line(char **text, size_t *len, json_t *line)
{
    char *body = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    size_t n = body ? strlen(body) - 1 : 0; /* its closing brace comes after the sum */
    char *longer = body ? realloc(*text, *len + n + SUM_BYTES + 2) : NULL;
    if (longer) {
        memcpy(longer + *len, body, n);
        *len += n + (size_t)sprintf(longer + *len + n, SUM_BEGINS "%016" PRIx64 "\"}\n",
                                    (uint64_t)XXH64(body, n, 0));
        *text = longer;
    }
    free(body);
    return longer;
}

/* A line without its end; NULL: it is not as it was written. */
static json_t *take_line(const char *text, size_t len)
{
    char sum[SUM_BYTES + 1];
    if (len <= SUM_BYTES)
        return NULL;
    snprintf(sum, sizeof sum, SUM_BEGINS "%016" PRIx64 "\"}",
             (uint64_t)XXH64(text, len - SUM_BYTES, 0));
    return memcmp(sum, text + len - SUM_BYTES, SUM_BYTES) == 0 ? json_loadb(text, len, 0, NULL)
                                                               : NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int check_head(const json_t *head, const struct sweep_known *k, const char *path,
                      struct fl_err *err)
{
    const json_t *theirs = json_object_get(head, "options"), *ours;
    const char *key;
    if (strcmp(text_of(head, "version"), FAULTLINE_VERSION) != 0)
        return fl_fail(err, FL_EUSAGE,
                       "%s is of faultline %.20s, this is " FAULTLINE_VERSION
                       ": delete it, or give another --resume",
                       path, text_of(head, "version"));
    json_object_foreach(
        (json_t *)k->options, key,
        ours) if (strcmp(text_of(theirs, key), json_string_value(ours)) !=
                  0) return fl_fail(err, FL_EUSAGE,
                                    "%s is of other options: --%s was '%.100s', now it is '%.100s'",
                                    path, key, text_of(theirs, key), json_string_value(ours));
    if ((size_t)json_integer_value(json_object_get(head, "traces")) != k->n_traces ||
        (size_t)json_integer_value(json_object_get(head, "points")) != k->n_points)
        return fl_fail(err, FL_EUSAGE,
                       "%s is of another sweep: of %" JSON_INTEGER_FORMAT " traces, not %zu", path,
                       json_integer_value(json_object_get(head, "traces")), k->n_traces);
    return FL_OK;
}

/* Takes over @line. FL_EFORMAT without a message: what it says cannot be. */
static int learn(struct sweep_known *k, json_t *line, const char *path, struct fl_err *err)
{
    const json_t *trace = json_object_get(line, "trace"), *point = json_object_get(line, "point");
    json_t *facts = json_object_get(line, "facts");
    size_t t = (size_t)json_integer_value(trace), p = (size_t)json_integer_value(point);
    int rc = FL_EFORMAT;
    if (json_is_integer(trace) && t < k->n_traces && facts) {
        rc = FL_OK;
        if (!k->facts[t])
            k->facts[t] = json_incref(facts);
        else if (!sweep_facts_alike(k->facts[t], facts))
            rc = fl_fail(err, FL_EUSAGE,
                         "%s is of another trace than the other parts: sha256 %.12s..., not "
                         "%.12s...",
                         path, text_of(json_object_get(facts, "trace"), "sha256"),
                         text_of(json_object_get(k->facts[t], "trace"), "sha256"));
    } else if (json_is_integer(trace) && t < k->n_traces && json_is_integer(point) &&
               p < k->n_points) {
        struct sweep_answer *a = &k->answers[t * k->n_points + p];
        rc = FL_OK;
        a->known = true;
        for (size_t i = 0; i < SWEEP_COUNTS; i++)
            a->counts[i] = (uint64_t)json_integer_value(json_object_get(line, answers[i].name));
    }
    json_decref(line);
    return rc;
}

bool sweep_facts_alike(const json_t *a, const json_t *b)
{
    return strcmp(text_of(json_object_get(a, "trace"), "sha256"),
                  text_of(json_object_get(b, "trace"), "sha256")) == 0 &&
           json_equal(json_object_get(a, "machines"), json_object_get(b, "machines"));
}

/* What a file turned out to be. */
struct seen {
    bool begun;       /* it has its first line */
    off_t good;       /* bytes of whole lines */
    uint64_t damaged; /* the first such line; 0: none */
};

static int read_lines(FILE *f, const char *path, struct sweep_known *k, struct seen *seen,
                      struct fl_err *err)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t len;
    uint64_t n = 0;
    int rc = FL_OK;
    while (rc == FL_OK && (len = getline(&text, &room, f)) > 0) {
        size_t begins = (size_t)len < sizeof BEGINS - 1 ? (size_t)len : sizeof BEGINS - 1;
        if (n++ == 0 && memcmp(text, BEGINS, begins) != 0) {
            rc = fl_fail(err, FL_EFORMAT, "%s is no part of a sweep: give another --resume", path);
            break;
        }
        if (text[len - 1] != '\n')
            break; /* whoever wrote it did not come to its end */
        json_t *line = take_line(text, (size_t)len - 1);
        seen->good += len;
        if (!seen->begun && line) {
            rc = check_head(line, k, path, err);
            json_decref(line);
            seen->begun = true;
        } else if (!seen->begun) {
            rc = fl_fail(err, FL_EFORMAT, "%s: its first line is damaged: delete it", path);
        } else if (!line || (rc = learn(k, line, path, err)) == FL_EFORMAT) {
            seen->damaged = seen->damaged ? seen->damaged : n;
            rc = FL_OK;
        }
    }
    if (rc == FL_OK && ferror(f))
        rc = fl_fail_errno(err, "%s: cannot read", path);
    free(text);
    return rc;
}

int sweep_part_read(const char *path, struct sweep_known *k, uint64_t *damaged_line,
                    struct fl_err *err)
{
    struct seen seen = { 0 };
    FILE *f = fopen(path, "re");
    if (!f)
        return fl_fail_errno(err, "%s: cannot open", path);
    int rc = read_lines(f, path, k, &seen, err);
    fclose(f);
    *damaged_line = seen.damaged;
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------ */

static int append(struct sweep_part *part, const char *text, size_t len, struct fl_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(part->fd, text + done, len - done);
        if (n < 0 && errno != EINTR)
            return fl_fail_errno(err, "cannot write %s", part->path);
        done += n > 0 ? (size_t)n : 0;
    }
    if (fdatasync(part->fd) != 0 && errno != EINVAL && errno != EROFS)
        return fl_fail_errno(err, "cannot write %s", part->path);
    return FL_OK;
}

static int append_line(struct sweep_part *part, json_t *line, struct fl_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = line && put_line(&text, &len, line) ? append(part, text, len, err)
                                                 : fl_nomem(err, "sweep");
    free(text);
    return rc;
}

static int begin(struct sweep_part *part, const char *shard, const struct sweep_known *k,
                 struct fl_err *err)
{
    return append_line(part,
                       json_pack("{s:s,s:s,s:O,s:I,s:I,s:s}", "schema", SCHEMA, "version",
                                 FAULTLINE_VERSION, "options", k->options, "traces",
                                 (json_int_t)k->n_traces, "points", (json_int_t)k->n_points,
                                 "shard", shard),
                       err);
}

static int lock_and_read(struct sweep_part *part, const char *shard, struct sweep_known *k,
                         uint64_t *damaged_line, struct fl_err *err)
{
    struct seen seen = { 0 };
    if (flock(part->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return fl_fail(err, FL_EIO, "%s is in use by another sweep: wait for its end", part->path);
    int fd = fcntl(part->fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!f) {
        if (fd >= 0)
            close(fd);
        return fl_fail_errno(err, "%s: cannot read", part->path);
    }
    int rc = read_lines(f, part->path, k, &seen, err);
    fclose(f);
    *damaged_line = seen.damaged;
    if (rc == FL_OK && ftruncate(part->fd, seen.good) != 0)
        rc = fl_fail_errno(err, "cannot write %s", part->path);
    return rc == FL_OK && !seen.begun ? begin(part, shard, k, err) : rc;
}

int sweep_part_open(const char *path, const char *shard, struct sweep_known *k,
                    struct sweep_part **out, uint64_t *damaged_line, struct fl_err *err)
{
    struct sweep_part *part = calloc(1, sizeof *part);
    *out = NULL;
    if (!part)
        return fl_nomem(err, "sweep");
    part->path = strdup(path);
    part->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int rc = !part->path    ? fl_nomem(err, "sweep")
             : part->fd < 0 ? fl_fail_errno(err, "%s: cannot open", path)
                            : lock_and_read(part, shard, k, damaged_line, err);
    if (rc == FL_OK)
        *out = part;
    else
        sweep_part_close(part);
    return rc;
}

int sweep_part_facts(struct sweep_part *part, struct sweep_known *k, size_t trace, json_t *facts,
                     struct fl_err *err)
{
    int rc =
        append_line(part, json_pack("{s:I,s:O}", "trace", (json_int_t)trace, "facts", facts), err);
    if (rc == FL_OK && !k->facts[trace])
        k->facts[trace] = json_incref(facts);
    return rc;
}

int sweep_part_answers(struct sweep_part *part, size_t trace, const struct fl_sweep_point *all,
                       struct fl_sweep_point *const *points, size_t n, struct fl_err *err)
{
    char *text = NULL;
    size_t len = 0;
    bool whole = true;
    for (size_t i = 0; i < n && whole; i++) {
        if (points[i]->rc != FL_OK)
            continue; /* to be asked again, as only then there is a reason to give */
        json_t *line = json_pack("{s:I,s:I}", "trace", (json_int_t)trace, "point",
                                 (json_int_t)(points[i] - all));
        for (size_t a = 0; a < SWEEP_COUNTS; a++)
            json_object_set_new(
                line, answers[a].name,
                fl_json_u64(
                    *(const uint64_t *)(const void *)((const char *)points[i] + answers[a].at)));
        whole = line && put_line(&text, &len, line);
    }
    int rc = whole ? append(part, text, len, err) : fl_nomem(err, "sweep");
    free(text);
    return rc;
}

void sweep_part_close(struct sweep_part *part)
{
    if (!part)
        return;
    if (part->fd >= 0)
        close(part->fd);
    free(part->path);
    free(part);
}
