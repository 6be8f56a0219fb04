/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sweep_batch.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <faultline/jobs.h>
#include <faultline/json_write.h>

/* ---- traces and points -------------------------------------------------------------------- */

static int parse_machines(const char *text, struct sweep_axes *a, struct fl_err *err)
{
    while (text && *text) {
        size_t len = strcspn(text, ",");
        if (a->n_machine == FL_COUNT(a->machine))
            return fl_fail(err, FL_EUSAGE, "--machine: more than %zu names", FL_COUNT(a->machine));
        if (!(a->machine[a->n_machine++] = strndup(text, len)))
            return fl_nomem(err, "sweep");
        text += len + (text[len] == ',');
    }
    return FL_OK;
}

static int parse_axes(const struct sweep_cfg *cfg, struct sweep_axes *a, struct fl_err *err)
{
    int rc = fl_parse_size_list(cfg->ram, &a->ram, &a->n_ram, err);
    if (rc == FL_OK)
        rc = fl_parse_size_list(cfg->swap, &a->swap, &a->n_swap, err);
    for (const char *p = cfg->policy; rc == FL_OK && *p; p += *p == ',') {
        char name[32];
        size_t len = strcspn(p, ",");
        snprintf(name, sizeof name, "%.*s", (int)len, p);
        if (a->n_policy == FL_COUNT(a->policy))
            rc = fl_fail(err, FL_EUSAGE, "--policy: more than %zu names", FL_COUNT(a->policy));
        else
            a->policy[a->n_policy++] = fl_policy_find(name);
        p += len;
    }
    return rc == FL_OK ? parse_machines(cfg->machine, a, err) : rc;
}

/* The paths of a list, a line each; they stay in b->list_text. */
static int read_list(struct batch *b, const char *path, struct fl_err *err)
{
    FILE *f = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
    size_t room = 0;
    if (!f)
        return fl_fail_errno(err, "%s: cannot open", path);
    ssize_t len = getdelim(&b->list_text, &room, '\0', f);
    bool failed = ferror(f);
    if (f != stdin)
        fclose(f);
    if (failed)
        return fl_fail_errno(err, "%s: cannot read", path);
    for (char *line = len > 0 ? b->list_text : NULL, *next; line && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        if (!*line)
            continue;
        struct batch_trace *more = realloc(b->traces, (b->n_traces + 1) * sizeof *more);
        if (!more)
            return fl_nomem(err, "sweep");
        b->traces = more;
        b->traces[b->n_traces++] = (struct batch_trace){ .path = line };
    }
    return b->n_traces ? FL_OK : fl_fail(err, FL_EUSAGE, "%s names no trace", path);
}

/* What depends on no trace. Whether swap is limited decides how a point is answered. */
static int outline(struct batch *b, struct batch_trace *t, struct fl_err *err)
{
    const struct sweep_axes *a = &b->axes;
    struct fl_sweep_point *p = t->points = calloc(b->n_points, sizeof *t->points);
    t->to_ask = calloc(b->n_points, sizeof(void *));
    if (!t->points || !t->to_ask)
        return fl_nomem(err, "sweep");
    for (size_t m = 0; m < (a->n_machine ? a->n_machine : 1); m++)
        for (size_t k = 0; k < a->n_policy; k++)
            for (size_t s = 0; s < a->n_swap; s++)
                for (size_t i = 0; i < a->n_ram; i++)
                    *p++ = (struct fl_sweep_point){
                        .policy = a->policy[k],
                        .swap_pages = a->swap[s].bytes == FL_SIZE_MAX_BYTES ? UINT64_MAX : 0,
                        .seed = b->cfg->seed,
                        .machine = a->n_machine ? fl_machine_at(0) : NULL,
                    };
    return FL_OK;
}

int batch_begin(struct batch *b, const struct sweep_cfg *cfg, char **paths, int n_paths,
                struct fl_err *err)
{
    *b = (struct batch){ .cfg = cfg, .shards = 1 };
    int rc = parse_axes(cfg, &b->axes, err);
    if (rc == FL_OK && n_paths)
        b->traces = calloc((size_t)n_paths, sizeof *b->traces);
    if (rc == FL_OK && n_paths && !b->traces)
        rc = fl_nomem(err, "sweep");
    for (int i = 0; i < n_paths && rc == FL_OK; i++)
        b->traces[b->n_traces++].path = paths[i];
    if (rc == FL_OK && cfg->list)
        rc = read_list(b, cfg->list, err);
    b->several = cfg->list || b->n_traces > 1;
    b->n_points = b->axes.n_ram * b->axes.n_swap * b->axes.n_policy *
                  (b->axes.n_machine ? b->axes.n_machine : 1);
    for (size_t t = 0; t < b->n_traces && rc == FL_OK; t++)
        rc = outline(b, &b->traces[t], err);
    return rc;
}

void batch_free(struct batch *b)
{
    sweep_part_close(b->part);
    sweep_known_fini(&b->known);
    for (size_t t = 0; t < b->n_traces; t++) {
        free(b->traces[t].points);
        free(b->traces[t].to_ask);
        for (size_t m = 0; m < b->axes.n_machine; m++)
            fl_machine_free(b->traces[t].loaded[m]);
    }
    for (size_t m = 0; m < b->axes.n_machine; m++)
        free(b->axes.machine[m]);
    free(b->traces);
    free(b->axes.ram);
    free(b->axes.swap);
    free(b->list_text);
}

/* ---- what is known ------------------------------------------------------------------------ */

static json_t *options_of(const struct sweep_cfg *cfg)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)cfg->seed);
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "ram", cfg->ram, "swap", cfg->swap, "policy",
                     cfg->policy, "machine", cfg->machine ? cfg->machine : "", "swap-device",
                     cfg->swap_device, "seed", seed, "partial", cfg->partial ? "yes" : "no");
}

static void warn_damaged(const char *path, uint64_t line)
{
    if (line)
        fl_warn("%s: line %llu is damaged; what it may have had is done again", path,
                (unsigned long long)line);
}

static int is_part(const struct dirent *e)
{
    size_t len = strlen(e->d_name);
    return len > 5 && strcmp(e->d_name + len - 5, ".part") == 0;
}

/* NULL: out of memory. */
static char *in_folder(const char *folder, const char *name)
{
    char *path;
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    return asprintf(&path, "%.*s/%s", (int)len, folder, name) >= 0 ? path : NULL;
}

/* All parts of @folder but @own. */
static int read_others(struct batch *b, const char *folder, const char *own, struct fl_err *err)
{
    struct dirent **names;
    int rc = FL_OK, n = scandir(folder, &names, is_part, alphasort);
    if (n < 0)
        return fl_fail_errno(err, "%s: cannot read", folder);
    for (int i = 0; i < n; i++) {
        uint64_t damaged = 0;
        char *path = in_folder(folder, names[i]->d_name);
        if (!path)
            rc = fl_nomem(err, "sweep");
        else if (rc == FL_OK && strcmp(names[i]->d_name, own) != 0)
            rc = sweep_part_read(path, &b->known, &damaged, err);
        if (b->shards == 1) /* who puts them together says it, once */
            warn_damaged(path, damaged);
        free(path);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* A folder has a part for each shard, a file is one. Nothing is written for a dry run. */
static int open_parts(struct batch *b, const char *at, struct fl_err *err)
{
    char shard[32], own[40];
    size_t len = strlen(at);
    struct stat st;
    uint64_t damaged = 0;
    bool there = stat(at, &st) == 0,
         folder = there ? S_ISDIR(st.st_mode) : len && at[len - 1] == '/';
    snprintf(shard, sizeof shard, "%u/%u", b->shard + 1, b->shards);
    snprintf(own, sizeof own, "%u-of-%u.part", b->shard + 1, b->shards);
    if (folder && !there && !b->cfg->dry_run && mkdir(at, 0777) != 0 && errno != EEXIST)
        return fl_fail_errno(err, "%s: cannot create", at);
    char *path = folder ? in_folder(at, own) : strdup(at);
    if (!path)
        return fl_nomem(err, "sweep");
    int rc = folder && there ? read_others(b, at, own, err) : FL_OK;
    if (rc == FL_OK && !b->cfg->dry_run)
        rc = sweep_part_open(path, shard, &b->known, &b->part, &damaged, err);
    else if (rc == FL_OK && stat(path, &st) == 0)
        rc = sweep_part_read(path, &b->known, &damaged, err);
    warn_damaged(path, damaged);
    free(path);
    return rc;
}

/* Who answers which: a trace's work goes by the size of its file. */
static int share_out(struct batch *b, struct fl_err *err)
{
    struct sweep_share *shares = calloc(b->n_traces, sizeof *shares);
    uint32_t *owners = calloc(b->n_traces * b->n_points + 1, sizeof *owners);
    struct stat st;
    int rc = shares && owners ? FL_OK : fl_nomem(err, "shards");
    for (size_t t = 0; t < b->n_traces && rc == FL_OK; t++) {
        const struct batch_trace *of = &b->traces[t];
        if (b->shards > 1 && stat(of->path, &st) != 0)
            rc = fl_fail_errno(err, "%s: cannot open", of->path);
        shares[t] = (struct sweep_share){ .weight = b->shards > 1 ? (uint64_t)st.st_size + 1 : 1,
                                          .points = of->points,
                                          .owner = owners + t * b->n_points,
                                          .n = b->n_points };
    }
    if (rc == FL_OK)
        rc = sweep_share_out(shares, b->n_traces, b->shards, err);
    for (size_t t = 0; t < b->n_traces && rc == FL_OK; t++) {
        struct batch_trace *of = &b->traces[t];
        for (size_t i = 0; i < b->n_points; i++)
            if (!sweep_known_answer(&b->known, t, i, &of->points[i]) &&
                owners[t * b->n_points + i] == b->shard)
                of->to_ask[of->n_to_ask++] = &of->points[i];
        b->n_to_ask += of->n_to_ask;
    }
    free(shares);
    free(owners);
    return rc;
}

int batch_resume(struct batch *b, struct fl_err *err)
{
    int rc = sweep_known_init(&b->known, options_of(b->cfg), b->n_traces, b->n_points, err);
    if (rc == FL_OK && b->cfg->resume)
        rc = open_parts(b, b->cfg->resume, err);
    return rc == FL_OK ? share_out(b, err) : rc;
}

/* ---- what is to be done ------------------------------------------------------------------- */

unsigned batch_threads(const struct batch *b)
{
    if (b->cfg->jobs == 0)
        return fl_jobs_threads();
    return b->cfg->jobs < 1024 ? (unsigned)b->cfg->jobs : 1024;
}

int batch_plan(struct batch *b, struct sweep_trace **traces, struct sweep_plan *plan,
               struct fl_err *err)
{
    bool must = b->cfg->memory.bytes != 0;
    struct sweep_trace *list = *traces = calloc(b->n_traces, sizeof *list);
    if (!list)
        return fl_nomem(err, "sweep");
    for (size_t t = 0; t < b->n_traces; t++)
        list[t] = (struct sweep_trace){ .path = b->traces[t].path,
                                        .read_flags = b->cfg->partial ? FL_READ_PARTIAL : 0,
                                        .distinct_pages = b->traces[t].distinct_pages,
                                        .runs = b->traces[t].runs,
                                        .points = b->traces[t].to_ask,
                                        .n = b->traces[t].n_to_ask };
    return sweep_plan(list, b->n_traces, batch_threads(b),
                      must ? b->cfg->memory.bytes : SWEEP_BYTES_DEFAULT, must, plan, err);
}

int batch_keep(void *batch, const struct sweep_job *job, struct fl_err *err)
{
    struct batch *b = batch;
    size_t t = 0;
    if (!b->part)
        return FL_OK;
    while (job->trace->points != b->traces[t].to_ask)
        t++;
    return sweep_part_answers(b->part, t, b->traces[t].points, job->points, job->n, err);
}

json_t *batch_json(const struct batch *b, size_t t)
{
    json_t *facts = b->known.facts[t], *trace = json_copy(json_object_get(facts, "trace"));
    if (!trace || json_object_set_new(trace, "path", fl_json_text(b->traces[t].path)) != 0) {
        json_decref(trace);
        return NULL;
    }
    return fl_sweep_json(b->traces[t].points, b->n_points, trace,
                         json_incref(json_object_get(facts, "quality")));
}
