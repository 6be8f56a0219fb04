/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_io.c - what the tree has to ask about the tasks whose records it reads. */
#include <stdio.h>
#include <sys/stat.h>

#include "session.h"

static bool is_file_map_of(const struct fl_perf_rec *rec, const void *key)
{
    return rec->type == PERF_RECORD_MMAP2 && rec->pid == *(const uint32_t *)key &&
           rec->mmap.path[0] == '/' && rec->mmap.path[1] != '/';
}

/* The first file a new program maps is itself: for a script, its interpreter. */
static const char *io_exec_path(void *ctx, uint32_t pid)
{
    struct session *s = ctx;
    struct fl_perf_rec rec;
    if (!fl_merge_peek(s->merge, is_file_map_of, &pid, &rec))
        return NULL;
    snprintf(s->exec_path, sizeof s->exec_path, "%s", rec.mmap.path);
    return s->exec_path;
}

struct newtask_key {
    const struct session *s;
    uint32_t tid;
};

static bool is_newtask_of(const struct fl_perf_rec *rec, const void *key)
{
    const struct newtask_key *k = key;
    uint64_t tid;
    return rec->type == PERF_RECORD_SAMPLE && rec->source == FL_SRC_TP_NEWTASK &&
           fl_tp_get(rec->tp.raw, rec->tp.raw_bytes, &k->s->set.fields.task_pid, &tid) &&
           tid == k->tid;
}

static bool io_clone_flags(void *ctx, uint32_t tid, uint64_t *flags)
{
    struct session *s = ctx;
    struct newtask_key key = { .s = s, .tid = tid };
    struct fl_perf_rec rec;
    return s->set.have[FL_SRC_TP_NEWTASK] && fl_merge_peek(s->merge, is_newtask_of, &key, &rec) &&
           fl_tp_get(rec.tp.raw, rec.tp.raw_bytes, &s->set.fields.clone_flags, flags);
}

/* perf does not say; the file may have been replaced since, or lie in another namespace. */
static uint64_t io_file_size(void *ctx, const char *path, uint64_t dev, uint64_t ino)
{
    struct stat st;
    (void)ctx;
    if (path[0] != '/' || stat(path, &st) != 0 || st.st_dev != dev || st.st_ino != ino ||
        !S_ISREG(st.st_mode))
        return 0;
    return (uint64_t)st.st_size;
}

static int32_t io_exit_status(void *ctx, uint32_t pid)
{
    struct session *s = ctx;
    if (pid != (uint32_t)s->child.pid || !fl_child_poll(&s->child))
        return FL_EXIT_UNKNOWN;
    return s->child.wait_status;
}

struct fl_tree_io fl_session_io(struct session *s)
{
    return (struct fl_tree_io){
        .ctx = s,
        .emit = fl_session_emit,
        .exec_path = io_exec_path,
        .clone_flags = io_clone_flags,
        .file_size = io_file_size,
        .exit_status = io_exit_status,
    };
}
