/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/policy.h>
#include <faultline/replay.h>

#define CURVE_SIZES 24u

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

/* Even sizes from 5 % of the peak to the peak, and 5 % more; without repeats. Returns how many. */
static size_t curve_sizes(uint64_t peak_pages, uint32_t sizes[CURVE_SIZES])
{
    size_t n = 0;
    for (unsigned i = 0; i < CURVE_SIZES; i++) {
        uint64_t bp = i + 1 < CURVE_SIZES ? 500 + (uint64_t)9500 * i / (CURVE_SIZES - 2) : 10500;
        uint32_t frames = frames_of((peak_pages * bp + 9999) / 10000);
        if (n == 0 || frames != sizes[n - 1])
            sizes[n++] = frames;
    }
    return n;
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
    struct fl_sweep_point *points;
    size_t n, n_textbook; /* the kernel's policies come after these */
};

static int add_points(struct asked *a, const struct ask *ask, const char *list,
                      const struct fl_kernel_opts *kernel, uint32_t beside_frames,
                      uint64_t peak_pages, struct fl_err *err)
{
    uint32_t all[CURVE_SIZES], few[CURVE_SIZES + 1];
    size_t n_all = curve_sizes(ask->curve_pages ? ask->curve_pages : peak_pages, all);
    size_t n_few = kernel_sizes(all, n_all, beside_frames, few);
    int rc = FL_OK;
    a->points = calloc(count_policies(list) * (CURVE_SIZES + 1), sizeof *a->points);
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
        if (!is_kernel)
            a->n_textbook = a->n;
    }
    return rc;
}

/* A group can be too small for the kernel's own memory, where nothing may be killed for it: such
   sizes have no answer and are left out. */
static int answer_kernel(const char *path, const struct ask *ask, unsigned jobs, struct asked *a,
                         struct fl_err *err)
{
    size_t n = a->n_textbook;
    int rc = fl_sweep_file(path, 0, a->points + n, a->n - n, jobs, ask->progress, ask->arg, err);
    if (rc != FL_EDATA)
        return rc;
    for (size_t i = n; i < a->n; i++) {
        rc = fl_sweep_file(path, 0, &a->points[i], 1, 1, ask->progress, ask->arg, err);
        if (rc == FL_OK)
            a->points[n++] = a->points[i];
        else if (rc != FL_EDATA)
            return rc;
    }
    a->n = n;
    return FL_OK;
}

/* Takes @trace over. */
static int sweep(struct fl_reader *r, const char *path, const struct ask *ask,
                 const struct beside *beside, uint64_t peak_pages, json_t *trace, json_t *report,
                 struct fl_err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = cpus > 0 ? (unsigned)cpus : 1;
    struct fl_kernel_opts kernel = kernel_of(r, ask);
    struct asked a = { .n = 0 };
    char *policies = curve_policies(ask, beside->policy);
    int rc = policies ? add_points(&a, ask, policies, &kernel, beside->frames, peak_pages, err)
                      : fl_nomem(err, "the curve");
    if (rc == FL_OK && a.n_textbook)
        rc = fl_sweep_file(path, 0, a.points, a.n_textbook, jobs, ask->progress, ask->arg, err);
    if (rc == FL_OK && a.n > a.n_textbook)
        rc = answer_kernel(path, ask, jobs, &a, err);
    if (rc == FL_OK) {
        json_t *doc = fl_sweep_json(a.points, a.n, r, trace);
        trace = NULL;
        rc = doc ? fl_report_add(report, doc, err) : fl_nomem(err, "the curve");
        json_decref(doc);
    }
    json_decref(trace);
    free(a.points);
    free(policies);
    return rc;
}

/* ---- a trace --------------------------------------------------------------------- */

/* Takes @trace over. */
static int replay(struct fl_reader *r, const struct ask *ask, uint64_t peak_pages, json_t *trace,
                  json_t *report, struct fl_err *err)
{
    struct fl_result *result = NULL;
    uint64_t ram_pages = pages_of_size(&ask->ram, peak_pages);
    struct fl_kernel_opts kernel = kernel_of(r, ask);
    struct fl_replay_opts opts = {
        .frames = frames_of(ram_pages),
        .swap_pages = pages_of_size(&ask->swap, peak_pages),
        .policy = fl_policy_find(ask->policy),
        .kernel = &kernel,
        .progress = ask->progress,
        .progress_arg = ask->arg,
    };
    int rc = FL_OK;
    if (!opts.policy)
        rc = fl_fail(err, FL_EUSAGE, "no policy \"%s\"; see `faultline policies`", ask->policy);
    else if (ram_pages == 0 && !ask->ram.percent_bp)
        rc = fl_fail(err, FL_EUSAGE, "--ram: less than one page of %u bytes",
                     (unsigned)FL_PAGE_BYTES);
    if (rc == FL_OK)
        rc = fl_replay(r, &opts, &result, err);
    if (rc == FL_OK) {
        json_t *doc = fl_result_json(result, r, trace);
        trace = NULL;
        rc = doc ? fl_report_add(report, doc, err) : fl_nomem(err, "the replay's result");
        json_decref(doc);
    }
    json_decref(trace);
    fl_result_free(result);
    return rc;
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
    bool events = fidelity == FL_FIDELITY_EVENTS;
    if (fidelity == FL_FIDELITY_SAMPLED)
        rc = fl_fail(err, FL_EDATA,
                     "%s: a sampled trace cannot be replayed; record it with "
                     "`faultline record --mode exact`",
                     path);
    if (rc == FL_OK && !events && peak_pages == 0)
        rc = fl_footprint(r, &peak_pages, err);
    if (rc == FL_OK)
        rc = fl_sha256_file(path, sha256, err);
    if (rc == FL_OK && !(trace = fl_trace_json(r, path, sha256, peak_pages)))
        rc = fl_nomem(err, "describing the trace");
    if (rc == FL_OK && events)
        rc = observe(r, json_incref(trace), report, err);
    else if (rc == FL_OK)
        rc = replay(r, ask, peak_pages, json_incref(trace), report, err);
    if (rc == FL_OK && !events && peak_pages > 0) {
        struct beside beside = { ask->policy, frames_of(pages_of_size(&ask->ram, peak_pages)) };
        rc = sweep(r, path, ask, &beside, peak_pages, json_incref(trace), report, err);
    }
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
        rc = trace ? sweep(r, path, ask, &beside, peak_pages, trace, report, err)
                   : fl_nomem(err, "the curve");
    }
    fl_reader_free(r);
    free(shown);
    return rc;
}
