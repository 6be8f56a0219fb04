/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limits, and what the model says of them. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <faultline/units.h>

#include "validate.h"

enum { FIRST_BP = 4000, LAST_BP = 9500 };

static int room_for(struct validate *v, size_t n, struct fl_err *err)
{
    if (n > VALIDATE_POINTS_MAX)
        return fl_fail(err, FL_EUSAGE, "--ram: %zu sizes; %d are enough", n, VALIDATE_POINTS_MAX);
    v->points = calloc(n, sizeof *v->points);
    return v->points ? FL_OK : fl_nomem(err, "limits");
}

static int add_point(struct validate *v, uint64_t bytes, struct fl_err *err)
{
    struct validate_point *p = &v->points[v->n_points];
    p->ram_bytes = bytes & ~(FL_PAGE_BYTES - 1);
    if (p->ram_bytes == 0 || bytes == FL_SIZE_MAX_BYTES)
        return fl_fail(err, FL_EUSAGE, "--ram: a limit is at least one page and not max");
    p->runs = calloc(v->runs, sizeof *p->runs);
    if (!p->runs)
        return fl_nomem(err, "runs");
    v->n_points++;
    return FL_OK;
}

static int default_points(struct validate *v, struct fl_err *err)
{
    if (v->native.peak_bytes == 0)
        return fl_fail(err, FL_EMACHINE,
                       "this kernel does not tell a group's peak; give the limits with --ram");
    int rc = room_for(v, VALIDATE_DEFAULT_POINTS, err);
    for (unsigned i = 0; i < VALIDATE_DEFAULT_POINTS && rc == FL_OK; i++) {
        struct fl_size size = { .percent_bp = FIRST_BP + (LAST_BP - FIRST_BP) * i /
                                                             (VALIDATE_DEFAULT_POINTS - 1) };
        rc = add_point(v, fl_size_bytes(&size, v->native.peak_bytes), err);
    }
    return rc;
}

int validate_points(struct validate *v, const char *list, struct fl_reader *r, struct fl_err *err)
{
    struct fl_size *sizes;
    size_t n;
    uint64_t peak_pages = UINT64_MAX;
    if (!list)
        return default_points(v, err);
    int rc = fl_parse_size_list(list, &sizes, &n, err);
    if (rc == FL_OK)
        rc = room_for(v, n, err);
    for (size_t i = 0; i < n && rc == FL_OK; i++) {
        if (sizes[i].percent_bp && peak_pages == UINT64_MAX)
            rc = fl_footprint(r, &peak_pages, err);
        if (rc == FL_OK)
            rc = add_point(v, fl_size_bytes(&sizes[i], peak_pages * FL_PAGE_BYTES), err);
    }
    free(sizes);
    return rc;
}

static uint32_t frames_of(uint64_t bytes)
{
    uint64_t pages = bytes >> FL_PAGE_SHIFT;
    return pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages : FL_FRAMES_UNLIMITED - 1;
}

/* ---- replays, side by side ------------------------------------------------------------ */

struct pool {
    struct validate *v;
    const char *path;
    pthread_mutex_t lock; /* for all below, and the caller's progress */
    size_t next, done;
    int rc;
    struct fl_err err;
};

static void show_progress(const struct pool *pool)
{
    const struct validate *v = pool->v;
    uint64_t from_bp = v->steps_done * UINT64_C(10000) / v->steps_all;
    if (v->progress)
        v->progress(v->progress_arg, (unsigned)(from_bp + (10000 - from_bp) * pool->done /
                                                              (v->n_points * v->n_policies)));
}

/* What the kernel's own policies are to know of the swap that was there. */
static struct fl_kernel_opts kernel_of(const struct validate *v)
{
    struct fl_kernel_opts k = *fl_kernel_defaults();
    k.swap_kind = v->swap.kind == FL_SWAPDEV_ZRAM ? FL_SWAP_ZRAM
                  : v->swap.rotational            ? FL_SWAP_DISK
                                                  : FL_SWAP_SSD;
    if (v->swappiness >= 0)
        k.swappiness = (uint32_t)v->swappiness;
    k.memcg = v->cgroup_version == 1 ? FL_MEMCG_V1 : FL_MEMCG_V2;
    if (v->host.page_cluster >= 0)
        k.page_cluster = (uint32_t)v->host.page_cluster;
    return k;
}

static int predict(struct validate *v, size_t i, const char *path, struct fl_err *err)
{
    struct validate_point *p = &v->points[i % v->n_points];
    uint64_t *to = p->predicted[i / v->n_points];
    struct fl_kernel_opts kernel = kernel_of(v);
    struct fl_replay_opts opts = { .frames = frames_of(p->ram_bytes),
                                   .swap_pages = v->swap.pages,
                                   .policy = v->policies[i / v->n_points],
                                   .kernel = &kernel,
                                   .scope = "memcg",
                                   .no_tlb = true,
                                   .seed = 1 };
    struct fl_reader *r = NULL;
    struct fl_result *result = NULL;
    int rc = fl_reader_open_path(path, 0, &r, err);
    if (rc == FL_OK)
        rc = fl_replay(r, &opts, &result, err);
    if (rc == FL_OK) {
        to[V_MINOR] = result->minor;
        to[V_MAJOR] = result->major;
        to[V_SWAP_IN] = result->pages_in;
        to[V_SWAP_OUT] = result->pages_out;
        to[V_OOM] = result->n_oom_kills;
    }
    fl_result_free(result);
    fl_reader_free(r);
    return rc;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    struct validate *v = pool->v;
    pthread_mutex_lock(&pool->lock);
    while (pool->rc == FL_OK && pool->next < v->n_points * v->n_policies) {
        struct fl_err err = { 0 };
        size_t i = pool->next++;
        pthread_mutex_unlock(&pool->lock);
        int rc = predict(v, i, pool->path, &err);
        pthread_mutex_lock(&pool->lock);
        pool->done++;
        if (rc != FL_OK && pool->rc == FL_OK) {
            pool->rc = rc;
            pool->err = err;
        }
        show_progress(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int validate_predict(struct validate *v, const char *path, struct fl_err *err)
{
    enum { THREADS_MAX = 64 };
    struct pool pool = { .v = v, .path = path, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[THREADS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    long started = 0;
    while (started < cpus - 1 && started < THREADS_MAX &&
           pthread_create(&threads[started], NULL, work, &pool) == 0)
        started++;
    work(&pool); /* this thread works too */
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (pool.rc != FL_OK)
        *err = pool.err;
    return pool.rc;
}
