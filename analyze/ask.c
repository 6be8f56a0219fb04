/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/jobs.h>
#include <faultline/locality.h>
#include <faultline/lru_timeline.h>
#include <faultline/policy.h>
#include <faultline/replay.h>
#include <faultline/thrash.h>

enum group { GROUP_FUTURE, GROUP_KERNEL, GROUP_TEXTBOOK, GROUPS };

static uint32_t frames_of(uint64_t pages)
{
    if (pages == 0)
        return 1;
    return pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages : FL_FRAMES_UNLIMITED;
}

static uint64_t pages_of_size(const struct fl_size *size, uint64_t peak_pages)
{
    if (size->bytes == FL_SIZE_MAX_BYTES && !size->percent_bp)
        return UINT64_MAX;
    return fl_size_bytes(size, peak_pages * FL_PAGE_BYTES) / FL_PAGE_BYTES;
}

/* ---- inputs ------------------------------------------------------------------- */

/* JSON begins with a brace; a trace with its magic number. */
int ask_is_json(const char *path, bool *json, struct fl_err *err)
{
    struct stat st;
    char buf[64];
    *json = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fl_fail_errno(err, "%s", path);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return fl_fail(err, FL_EFORMAT, "%s is a folder, not a trace or a result", path);
    }
    ssize_t n = read(fd, buf, sizeof buf);
    close(fd);
    for (ssize_t i = 0; i < n; i++) {
        if (strchr(" \t\r\n", buf[i]) && buf[i])
            continue;
        *json = buf[i] == '{' || buf[i] == '[';
        break;
    }
    return FL_OK;
}

int ask_peak(const char *path, uint64_t *peak_pages, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    int rc = fl_reader_open_path(path, 0, &r, err);
    *peak_pages = 0;
    if (rc == FL_OK && fl_reader_fidelity(r) <= FL_FIDELITY_PAGE_EXACT)
        rc = fl_footprint(r, peak_pages, err);
    fl_reader_free(r);
    return rc;
}

/* ---- the curve ----------------------------------------------------------------- */

/* What the kernel's policies are told: what the recording says, and the kind of swap asked for. */
static struct fl_kernel_opts kernel_of(const struct fl_reader *r, const struct ask *ask)
{
    struct fl_kernel_opts kernel = *fl_kernel_defaults();
    fl_kernel_from_trace(r, &kernel);
    kernel.swap_kind = ask->swap_kind;
    return kernel;
}

/* What the kernel's policies are asked: each size is a replay of its own, so every third of @all,
   the last two, and @asked if it is among them. @out has room for one more than @all. */
static size_t kernel_sizes(const uint32_t *all, size_t n_all, uint32_t asked, uint32_t *out)
{
    size_t n = 0;
    bool again = false;
    for (size_t i = 0; i < n_all; i++)
        if (i % 3 == 2 || i + 2 >= n_all) {
            out[n++] = all[i];
            again |= all[i] == asked;
        }
    if (!again && n_all > 0 && asked >= all[0] && asked <= all[n_all - 1])
        out[n++] = asked;
    return n;
}

static int next_policy(const char **list, const struct fl_policy_ops **out, struct fl_err *err)
{
    char name[64];
    size_t len = strcspn(*list, ",");
    snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), *list);
    *list += len + ((*list)[len] == ',');
    *out = fl_policy_find(name);
    return *out ? FL_OK
                : fl_fail(err, FL_EUSAGE, "no policy \"%s\"; see `faultline policies`", name);
}

static size_t count_policies(const char *list)
{
    size_t n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = list; (p = strstr(p, name)); p += len)
        if ((p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'))
            return true;
    return false;
}

/* The policies of the curve, @of that of the result that it stands beside. */
static char *curve_policies(const struct ask *ask, const char *of)
{
    char *list = NULL;
    bool add = of && fl_policy_find(of) && !is_listed(ask->policies, of);
    return asprintf(&list, "%s%s%s", ask->policies, add ? "," : "", add ? of : "") < 0 ? NULL
                                                                                       : list;
}

/* A replay that a curve stands beside. */
struct beside {
    const char *policy;
    uint32_t frames;
};

/* What is asked for a curve. */
struct asked {
    struct fl_sweep_point *points; /* in their order in the report */
    size_t n;
    /* the same by what can share a pass over the trace: those that need the future, other
       textbook policies, the kernel's */
    struct fl_sweep_point *grouped[GROUPS];
    size_t n_grouped[GROUPS];
};

static enum group group_of(const struct fl_policy_ops *policy)
{
    return policy->needs & FL_IS_KERNEL      ? GROUP_KERNEL
           : policy->needs & FL_NEEDS_FUTURE ? GROUP_FUTURE
                                             : GROUP_TEXTBOOK;
}

static int group_points(struct asked *a, struct fl_err *err)
{
    for (size_t g = 0; g < GROUPS; g++) {
        a->grouped[g] = calloc(a->n + 1, sizeof *a->points);
        if (!a->grouped[g])
            return fl_nomem(err, "the curve");
    }
    for (size_t i = 0; i < a->n; i++) {
        enum group g = group_of(a->points[i].policy);
        a->grouped[g][a->n_grouped[g]++] = a->points[i];
    }
    return FL_OK;
}

/* Back into the report's order. Points without an answer are left out. */
static void ungroup_points(struct asked *a)
{
    size_t taken[GROUPS] = { 0 }, some = 0;
    for (size_t i = 0; i < a->n; i++) {
        enum group g = group_of(a->points[i].policy);
        const struct fl_sweep_point *p = &a->grouped[g][taken[g]++];
        if (p->rc == FL_OK)
            a->points[some++] = *p;
    }
    a->n = some;
}

static void asked_free(struct asked *a)
{
    for (size_t g = 0; g < GROUPS; g++)
        free(a->grouped[g]);
    free(a->points);
}

static int add_points(struct asked *a, const struct ask *ask, const char *list,
                      const struct fl_kernel_opts *kernel, uint32_t beside_frames,
                      uint64_t peak_pages, struct fl_err *err)
{
    uint32_t all[FL_CURVE_SIZES], few[FL_CURVE_SIZES + 1];
    size_t n_all = fl_curve_sizes(ask->curve_pages ? ask->curve_pages : peak_pages, all);
    size_t n_few = kernel_sizes(all, n_all, beside_frames, few);
    int rc = FL_OK;
    a->points = calloc(count_policies(list) * (FL_CURVE_SIZES + 1), sizeof *a->points);
    if (!a->points)
        return fl_nomem(err, "the curve");
    for (int is_kernel = 0; is_kernel < 2; is_kernel++) {
        const struct fl_policy_ops *policy;
        for (const char *p = list; rc == FL_OK && *p;) {
            rc = next_policy(&p, &policy, err);
            bool of_kernel = rc == FL_OK && policy->needs & FL_IS_KERNEL;
            if (rc != FL_OK || of_kernel != is_kernel)
                continue;
            for (size_t i = 0; i < (is_kernel ? n_few : n_all); i++)
                a->points[a->n++] = (struct fl_sweep_point){
                    .policy = policy,
                    .frames = is_kernel ? few[i] : all[i],
                    .swap_pages = pages_of_size(&ask->swap, peak_pages),
                    .kernel = kernel,
                };
        }
    }
    return rc == FL_OK ? group_points(a, err) : rc;
}

/* ---- questions ------------------------------------------------------------------- */

/*
 * What a report asks of a trace. Each question reads the trace on its own, so that they can be
 * answered at once, and what they find is added to the report in their order. A new question is a
 * row of ask_questions().
 */
struct question {
    /* FL_OK or an error */
    int (*answer)(struct question *q, struct fl_reader *r, struct fl_job_progress *progress,
                  struct fl_err *err);
    const char *path;
    /* of the replay */
    const struct fl_replay_opts *opts;
    uint64_t peak_pages;
    struct fl_result *result;
    struct fl_thrash *thrash; /* of that result */
    /* of what does not depend on RAM */
    struct fl_locality *locality;
    struct fl_tlb_reach *reach;
    /* of a part of the curve */
    struct fl_sweep_point *points;
    size_t n;
};

static int answer_replay(struct question *q, struct fl_reader *r, struct fl_job_progress *progress,
                         struct fl_err *err)
{
    struct fl_replay_opts opts = *q->opts;
    opts.progress = fl_job_tell;
    opts.progress_arg = progress;
    opts.no_peak = true; /* it is known */
    int rc = fl_replay(r, &opts, &q->result, err);
    if (rc == FL_OK)
        q->result->unlimited_peak_pages = q->peak_pages;
    return rc == FL_OK ? fl_thrash_of(r, q->result, NULL, NULL, &q->thrash, err) : rc;
}

static int answer_locality(struct question *q, struct fl_reader *r,
                           struct fl_job_progress *progress, struct fl_err *err)
{
    return fl_locality(r, fl_job_tell, progress, &q->locality, err);
}

static int answer_reach(struct question *q, struct fl_reader *r, struct fl_job_progress *progress,
                        struct fl_err *err)
{
    if (fl_reader_fidelity(r) != FL_FIDELITY_EXACT)
        return FL_OK; /* it does not tell */
    return fl_tlb_reach(r, NULL, fl_job_tell, progress, &q->reach, err);
}

/* The answer of answer_replay(), and those of @all that go with it; takes @trace over. NULL: out
   of memory. */
static json_t *replay_document(const struct question *q, const struct question *all, size_t n,
                               const struct fl_reader *r, json_t *trace)
{
    json_t *doc = fl_result_json(q->result, r, trace);
    json_object_set_new(doc, "thrash", fl_thrash_json(q->thrash, q->result));
    for (size_t i = 0; i < n; i++) {
        if (all[i].locality)
            json_object_set_new(doc, "locality", fl_locality_json(all[i].locality));
        if (all[i].reach)
            json_object_set_new(doc, "tlb_reach", fl_tlb_reach_json(all[i].reach));
    }
    return doc;
}

/* A group can be too small for the kernel's own memory, where nothing may be killed for it: such
   sizes have no answer, which their rc says. */
static int answer_points(struct question *q, struct fl_reader *r, struct fl_job_progress *progress,
                         struct fl_err *err)
{
    int rc = fl_sweep(r, q->points, q->n, fl_job_tell, progress, err);
    for (size_t i = 0; i < q->n && rc == FL_EDATA; i++)
        if (q->points[i].rc == FL_EDATA)
            rc = FL_OK;
    return rc;
}

static int run_question(void *arg, struct fl_job_progress *progress, struct fl_err *err)
{
    struct question *q = arg;
    struct fl_reader *r = NULL;
    int rc = fl_reader_open_path(q->path, 0, &r, err);
    if (rc == FL_OK)
        rc = q->answer(q, r, progress, err);
    fl_reader_free(r);
    return rc;
}

enum { QUESTIONS_MAX = 3 + GROUPS };

/* The longest first: opt takes two passes. @replay: NULL if it has been made already. */
static size_t ask_questions(struct question *q, const char *path,
                            const struct fl_replay_opts *replay, uint64_t peak_pages,
                            struct asked *a)
{
    size_t n = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        if (a->n_grouped[g])
            q[n++] = (struct question){
                .answer = answer_points, .path = path, .points = a->grouped[g], .n = a->n_grouped[g]
            };
        if (g == GROUP_FUTURE && replay) {
            q[n++] = (struct question){
                .answer = answer_replay, .path = path, .opts = replay, .peak_pages = peak_pages
            };
            q[n++] = (struct question){ .answer = answer_reach, .path = path };
            q[n++] = (struct question){ .answer = answer_locality, .path = path };
        }
    }
    return n;
}

static int answer_all(struct question *q, size_t n, const struct ask *ask, struct fl_err *err)
{
    struct fl_job jobs[QUESTIONS_MAX];
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct fl_job){ .run = run_question, .arg = &q[i] };
    return fl_jobs_run(jobs, n, fl_jobs_threads(), ask->progress, ask->arg, err);
}

static int add_document(json_t *report, json_t *doc, const char *what, struct fl_err *err)
{
    int rc = doc ? fl_report_add(report, doc, err) : fl_nomem(err, what);
    json_decref(doc);
    return rc;
}

/* The replay with @opts, if not NULL, and the curve, which has a replay like @beside. */
static int ask_all(struct fl_reader *r, const char *path, const struct ask *ask,
                   const struct fl_replay_opts *opts, const struct beside *beside,
                   uint64_t peak_pages, json_t *trace, json_t *report, struct fl_err *err)
{
    struct fl_kernel_opts kernel = kernel_of(r, ask);
    struct question q[QUESTIONS_MAX];
    struct asked a = { .n = 0 };
    size_t n = 0;
    int rc = FL_OK;
    if (peak_pages > 0) {
        char *policies = curve_policies(ask, beside->policy);
        rc = policies ? add_points(&a, ask, policies, &kernel, beside->frames, peak_pages, err)
                      : fl_nomem(err, "the curve");
        free(policies);
    }
    if (rc == FL_OK) {
        n = ask_questions(q, path, opts, peak_pages, &a);
        rc = answer_all(q, n, ask, err);
    }
    for (size_t i = 0; i < n && rc == FL_OK; i++)
        if (q[i].result)
            rc = add_document(report, replay_document(&q[i], q, n, r, json_incref(trace)),
                              "the replay's result", err);
    if (rc == FL_OK && peak_pages > 0) {
        ungroup_points(&a);
        rc = add_document(report,
                          fl_sweep_json(a.points, a.n, json_incref(trace), fl_quality_json(r)),
                          "the curve", err);
    }
    for (size_t i = 0; i < n; i++) {
        fl_thrash_free(q[i].thrash);
        fl_result_free(q[i].result);
        fl_locality_free(q[i].locality);
        fl_tlb_reach_free(q[i].reach);
    }
    asked_free(&a);
    return rc;
}

/* ---- a trace --------------------------------------------------------------------- */

static int replay_opts(const struct ask *ask, uint64_t peak_pages,
                       const struct fl_kernel_opts *kernel, struct fl_replay_opts *opts,
                       struct fl_err *err)
{
    uint64_t ram_pages = pages_of_size(&ask->ram, peak_pages);
    *opts = (struct fl_replay_opts){ .frames = frames_of(ram_pages),
                                     .swap_pages = pages_of_size(&ask->swap, peak_pages),
                                     .policy = fl_policy_find(ask->policy),
                                     .kernel = kernel };
    if (!opts->policy)
        return fl_fail(err, FL_EUSAGE, "no policy \"%s\"; see `faultline policies`", ask->policy);
    if (ram_pages == 0 && !ask->ram.percent_bp)
        return fl_fail(err, FL_EUSAGE, "--ram: less than one page of %u bytes",
                       (unsigned)FL_PAGE_BYTES);
    return FL_OK;
}

static int observe(struct fl_reader *r, json_t *trace, json_t *report, struct fl_err *err)
{
    json_t *doc = NULL;
    json_object_del(trace, "peak_resident_pages"); /* faults do not tell how much stayed */
    int rc = fl_observe(r, trace, &doc, err);
    if (rc == FL_OK)
        rc = fl_report_add(report, doc, err);
    json_decref(doc);
    return rc;
}

static int ask_model(struct fl_reader *r, const char *path, const struct ask *ask,
                     uint64_t peak_pages, json_t *trace, json_t *report, struct fl_err *err)
{
    struct fl_kernel_opts kernel = kernel_of(r, ask);
    struct fl_replay_opts opts;
    int rc = replay_opts(ask, peak_pages, &kernel, &opts, err);
    if (rc != FL_OK)
        return rc;
    struct beside beside = { ask->policy, opts.frames };
    return ask_all(r, path, ask, &opts, &beside, peak_pages, trace, report, err);
}

int ask_trace(const char *path, const struct ask *ask, json_t *report, struct fl_err *err)
{
    struct fl_reader *r = NULL;
    json_t *trace = NULL;
    uint64_t peak_pages = ask->peak_pages;
    char sha256[65];
    int rc = fl_reader_open_path(path, 0, &r, err);
    if (rc != FL_OK)
        return rc;
    enum fl_fidelity fidelity = fl_reader_fidelity(r);
    bool events = fidelity > FL_FIDELITY_PAGE_EXACT;
    if (fidelity == FL_FIDELITY_SAMPLED && !ask->samples)
        rc = fl_fail(err, FL_EDATA,
                     "%s: what a sampled trace tells are estimates; record with "
                     "`faultline record --mode exact`",
                     path);
    if (rc == FL_OK && !events && peak_pages == 0)
        rc = fl_footprint(r, &peak_pages, err);
    if (rc == FL_OK)
        rc = fl_reader_sha256(r, sha256, err);
    if (rc == FL_OK && !(trace = fl_trace_json(r, path, sha256, peak_pages)))
        rc = fl_nomem(err, "describing the trace");
    if (rc == FL_OK && events)
        rc = observe(r, json_incref(trace), report, err);
    else if (rc == FL_OK)
        rc = ask_model(r, path, ask, peak_pages, trace, report, err);
    json_decref(trace);
    fl_reader_free(r);
    return rc;
}

int ask_curve(const json_t *result, const struct ask *ask, json_t *report, struct fl_err *err)
{
    const char *path = fl_document_text(result, "trace.path");
    const char *want = fl_document_text(result, "trace.sha256");
    struct fl_reader *r = NULL;
    struct stat st;
    uint64_t peak_pages = 0;
    char have[65];
    /* A result may name anything as its trace: only a plain file that hashes right is opened. */
    if (!path || !want)
        return fl_fail(err, FL_EDATA, "the result does not name its trace");
    char *shown = fl_text_clean(path, 120);
    int rc = shown ? FL_OK : fl_nomem(err, "the curve");
    if (rc == FL_OK && (stat(path, &st) != 0 || !S_ISREG(st.st_mode)))
        rc = fl_fail(err, FL_EDATA,
                     "its trace %s is not here any more; add a result of "
                     "`faultline sweep`",
                     shown);
    if (rc == FL_OK && fl_sha256_file(path, have, NULL) != FL_OK)
        rc = fl_fail(err, FL_EDATA, "its trace %s cannot be read", shown);
    else if (rc == FL_OK && strcmp(have, want) != 0)
        rc = fl_fail(err, FL_EDATA, "its trace %s has changed since the replay", shown);
    if (rc == FL_OK)
        rc = fl_reader_open_path(path, 0, &r, err);
    if (rc == FL_OK)
        rc = fl_footprint(r, &peak_pages, err);
    if (rc == FL_OK && peak_pages == 0)
        rc = fl_fail(err, FL_EDATA, "its trace %s touches no page", shown);
    if (rc == FL_OK) {
        json_t *trace = fl_trace_json(r, path, have, peak_pages);
        struct beside beside = { .policy = fl_document_text(result, "machine.policy") };
        uint64_t bytes = 0;
        if (fl_document_count(result, "machine.ram_bytes", &bytes))
            beside.frames = frames_of(bytes / FL_PAGE_BYTES);
        rc = trace ? ask_all(r, path, ask, NULL, &beside, peak_pages, trace, report, err)
                   : fl_nomem(err, "the curve");
        json_decref(trace);
    }
    fl_reader_free(r);
    free(shown);
    return rc;
}
