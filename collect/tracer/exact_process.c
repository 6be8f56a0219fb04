/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process tree of a recording, and every event that is not an access. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exact.h"

void fl_exact_fail(struct exact_recorder *x, int rc, const struct fl_err *err)
{
    if (x->first_rc != FL_OK)
        return;
    x->first_rc = rc;
    x->err = *err;
}

void fl_exact_nomem(struct exact_recorder *x)
{
    struct fl_err err;
    int rc = fl_nomem(&err, "the process tree of the recording");
    fl_exact_fail(x, rc, &err);
}

static uint64_t now_ns(const struct exact_recorder *x)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - x->start_ns;
}

void fl_exact_put(struct exact_recorder *x, struct fl_event *ev)
{
    struct fl_err err;
    fl_exact_flush(x);
    if (x->first_rc != FL_OK)
        return;
    ev->time_ns = now_ns(x);
    int rc = fl_writer_event(x->writer, ev, &err);
    if (rc != FL_OK)
        fl_exact_fail(x, rc, &err);
}

/* A name as the trace may tell it: "redacted-3" for the third name seen. */
static const char *shown(struct exact_recorder *x, const char *name, char buf[32])
{
    size_t i = 0;
    if (!x->redact)
        return name;
    while (i < x->n_redacted && strcmp(x->redacted[i], name) != 0)
        i++;
    if (i == x->n_redacted) {
        if (x->n_redacted == x->cap_redacted) {
            size_t cap = x->cap_redacted ? 2 * x->cap_redacted : 16;
            char **grown = realloc(x->redacted, cap * sizeof *grown);
            if (grown == NULL)
                return "redacted";
            x->redacted = grown;
            x->cap_redacted = cap;
        }
        if ((x->redacted[i] = strdup(name)) == NULL)
            return "redacted";
        x->n_redacted++;
    }
    snprintf(buf, 32, "redacted-%zu", i + 1);
    return buf;
}

/* ---- superblocks ------------------------------------------------------------- */

static void blocks_drop(struct exact_blocks *b)
{
    for (size_t i = 0; i < b->n; i++)
        fl_exact_block_drop(b->at[i].block);
    free(b->at);
    *b = (struct exact_blocks){ 0 };
}

static bool blocks_copy(struct exact_blocks *to, const struct exact_blocks *from)
{
    *to = (struct exact_blocks){ 0 };
    if (from->n == 0)
        return true;
    to->at = malloc(from->n * sizeof *to->at);
    if (to->at == NULL)
        return false;
    memcpy(to->at, from->at, from->n * sizeof *to->at);
    to->n = to->cap = from->n;
    for (size_t i = 0; i < to->n; i++)
        if (to->at[i].block != NULL)
            to->at[i].block->refs++;
    return true;
}

#define MAX_BLOCKS (1u << 26)

static bool blocks_room(struct exact_blocks *b, size_t id)
{
    size_t cap = b->cap ? b->cap : 1024;
    if (id >= MAX_BLOCKS)
        return false;
    while (cap <= id)
        cap *= 2;
    if (cap != b->cap) {
        struct exact_known *grown = realloc(b->at, cap * sizeof *grown);
        if (grown == NULL)
            return false;
        b->at = grown;
        b->cap = cap;
    }
    while (b->n <= id)
        b->at[b->n++] = (struct exact_known){ NULL, NULL };
    return true;
}

bool fl_exact_describe(struct exact_recorder *x, struct exact_process *p, const uint64_t *words,
                       size_t n_words)
{
    size_t id = n_words > 0 ? words[0] & UINT32_MAX : MAX_BLOCKS;
    if (!blocks_room(&p->blocks, id))
        return false;
    struct exact_block *b = fl_exact_block(words, n_words);
    if (b == NULL)
        return false;
    size_t fixed = 1 + (size_t)b->n_ops + b->n_exits;
    fl_exact_code_marks(x, p, b, words + fixed, n_words - fixed);
    fl_exact_block_drop(p->blocks.at[id].block);
    p->blocks.at[id] = (struct exact_known){ .block = b };
    return true;
}

/* ---- threads ------------------------------------------------------------------ */

static void add_thread(struct exact_recorder *x, struct exact_process *p, uint32_t tid)
{
    if (p->n_threads == p->cap_threads) {
        size_t cap = p->cap_threads ? 2 * p->cap_threads : 4;
        struct exact_thread *grown = realloc(p->threads, cap * sizeof *grown);
        if (grown == NULL) {
            fl_exact_nomem(x);
            return;
        }
        p->threads = grown;
        p->cap_threads = cap;
    }
    if (p->n_threads > 0)
        x->n_threads_started++;
    p->threads[p->n_threads++] = (struct exact_thread){ tid, x->next_thread };
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_THREAD,
                                        .thread = x->next_thread++,
                                        .thread_start = { p->pid, tid } });
}

static void end_thread(struct exact_recorder *x, struct exact_process *p, size_t i)
{
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_THREAD_EXIT, .thread = p->threads[i].index });
    p->threads[i] = p->threads[--p->n_threads];
}

static size_t find_thread(const struct exact_process *p, uint32_t tid)
{
    size_t i = 0;
    while (i < p->n_threads && p->threads[i].tid != tid)
        i++;
    return i;
}

void fl_exact_switch(struct exact_recorder *x, struct exact_process *p, uint32_t tid)
{
    fl_exact_flush(x);
    size_t i = find_thread(p, tid);
    if (i == p->n_threads)
        add_thread(x, p, tid);
    if (i < p->n_threads) {
        p->thread = p->threads[i].index;
        p->tid = tid;
    }
}

/* ---- processes ------------------------------------------------------------------ */

static int32_t read_oom_score_adj(uint32_t pid, int32_t otherwise)
{
    char path[64];
    int value = otherwise;
    snprintf(path, sizeof path, "/proc/%u/oom_score_adj", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return otherwise;
    if (fscanf(f, "%d", &value) != 1)
        value = otherwise;
    fclose(f);
    return value;
}

void fl_exact_look_at_adj(struct exact_recorder *x, struct exact_process *p)
{
    int32_t adj = read_oom_score_adj(p->pid, p->oom_score_adj);
    if (adj == p->oom_score_adj || p->n_threads == 0)
        return;
    fl_exact_flush(x);
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_OOM_ADJ,
                                        .thread = FL_NO_THREAD,
                                        .oom_adj = { p->pid, adj } });
    p->oom_score_adj = adj;
}

static void begin_process(struct exact_recorder *x, struct exact_process *p, uint32_t copied_mm,
                          uint32_t tid)
{
    char buf[32];
    x->n_processes++;
    p->mm = x->next_mm++;
    p->fresh_file = FL_NO_FILE;
    fl_exact_code_begin(x, p);
    p->oom_score_adj = read_oom_score_adj(p->pid, p->oom_score_adj);
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_PROCESS,
                                        .thread = FL_NO_THREAD,
                                        .process = { .pid = p->pid,
                                                     .ppid = p->ppid,
                                                     .mm = p->mm,
                                                     .copied_mm = copied_mm,
                                                     .oom_score_adj = p->oom_score_adj,
                                                     .comm = shown(x, p->comm, buf) } });
    fl_exact_switch(x, p, tid);
}

static bool on_forking(struct exact_recorder *x, struct exact_process *p, uint64_t token)
{
    struct exact_fork *f = calloc(1, sizeof *f);
    if (f == NULL)
        return false;
    f->token = token;
    f->inherited =
        (struct exact_process){ .mm = p->mm, .stack = p->stack, .oom_score_adj = p->oom_score_adj };
    memcpy(f->inherited.comm, p->comm, sizeof p->comm);
    if (!blocks_copy(&f->inherited.blocks, &p->blocks)) {
        free(f);
        return false;
    }
    f->inherited.space = fl_exact_code_fork(x, p);
    f->next = x->forks;
    x->forks = f;
    return true;
}

static bool on_forked(struct exact_recorder *x, struct exact_process **pp, const uint64_t *words)
{
    struct flr_forked forked;
    memcpy(&forked, words, sizeof forked);
    struct exact_fork **at = &x->forks;
    while (*at != NULL && (*at)->token != forked.token)
        at = &(*at)->next;
    struct exact_fork *f = *at;
    if (f == NULL || *pp != NULL)
        return false;
    *at = f->next;
    struct exact_process *p = malloc(sizeof *p);
    if (p == NULL) {
        blocks_drop(&f->inherited.blocks);
        fl_exact_code_drop(x, &f->inherited);
        free(f);
        return false;
    }
    *p = f->inherited;
    free(f);
    uint32_t parent_mm = p->mm;
    p->pid = (uint32_t)forked.pid;
    p->ppid = (uint32_t)forked.ppid;
    *pp = p;
    begin_process(x, p, parent_mm, (uint32_t)forked.tid);
    return true;
}

static void on_comm(struct exact_recorder *x, struct exact_process *p, uint32_t tid,
                    const char *name)
{
    char buf[32];
    if (tid == p->pid)
        snprintf(p->comm, sizeof p->comm, "%s", name);
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_COMM,
                                        .thread = p->thread,
                                        .comm = { p->pid, tid, shown(x, name, buf) } });
}

static void on_exec(struct exact_recorder *x, struct exact_process *p, const char *path)
{
    fl_exact_flush(x);
    for (size_t i = p->n_threads; i-- > 0;)
        if (p->threads[i].tid != p->pid && p->n_threads > 1)
            end_thread(x, p, i);
    fl_exact_switch(x, p, p->pid);
    blocks_drop(&p->blocks);
    fl_exact_code_drop(x, p);
    fl_exact_code_begin(x, p);
    p->mm = x->next_mm++;
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_EXEC,
                                        .thread = p->thread,
                                        .exec = { p->pid, p->mm, x->redact ? "" : path } });
    fl_exact_look_at_adj(x, p);
}

static bool on_image(struct exact_recorder *x, struct exact_process **pp, const uint64_t *words,
                     const char *path)
{
    struct flr_image image;
    memcpy(&image, words, sizeof image);
    image.comm[sizeof image.comm - 1] = 0;
    if ((*pp == NULL) != !image.is_exec)
        return false;
    struct exact_process *p = *pp;
    if (p == NULL) {
        p = *pp = calloc(1, sizeof *p);
        if (p == NULL)
            return false;
        p->pid = (uint32_t)image.pid;
        p->ppid = (uint32_t)image.ppid;
        memcpy(p->comm, image.comm, sizeof p->comm);
        p->space = x->next_space++;
        begin_process(x, p, FL_NO_MM, (uint32_t)image.tid);
        fl_exact_program_put(x, p);
    } else {
        on_exec(x, p, path);
        on_comm(x, p, p->pid, image.comm);
    }
    p->stack.low = (image.stack_pointer >> 12) - (128u << 10 >> 12);
    p->stack.floor = (image.stack_end - image.stack_limit_bytes) >> 12;
    return true;
}

void fl_exact_grow_stack(struct exact_recorder *x, struct exact_process *p, uint64_t vpn)
{
    struct fl_event ev = { .kind = FL_EV_MAP,
                           .thread = p->thread,
                           .map = { .mm = p->mm,
                                    .prot = FL_PROT_READ | FL_PROT_WRITE,
                                    .flags = FL_MAP_ANON | FL_MAP_STACK | FL_MAP_GROW,
                                    .file = FL_NO_FILE,
                                    .start = vpn << 12,
                                    .length = (p->stack.low - vpn) << 12 } };
    p->stack.low = vpn;
    fl_exact_put(x, &ev);
}

void fl_exact_ended(struct exact_recorder *x, struct exact_process *p, int status)
{
    if (p->ended)
        return;
    p->ended = true;
    while (p->n_threads > 0)
        end_thread(x, p, p->n_threads - 1);
    fl_exact_put(x, &(struct fl_event){
                        .kind = FL_EV_EXIT, .thread = FL_NO_THREAD, .exit = { p->pid, status } });
    blocks_drop(&p->blocks);
    fl_exact_code_drop(x, p);
}

void fl_exact_process_free(struct exact_process *p)
{
    if (p == NULL)
        return;
    blocks_drop(&p->blocks);
    free(p->threads);
    free(p);
}

void fl_exact_recorder_free(struct exact_recorder *x)
{
    while (x->forks != NULL) {
        struct exact_fork *f = x->forks;
        x->forks = f->next;
        blocks_drop(&f->inherited.blocks);
        free(f);
    }
    for (size_t i = 0; i < x->n_redacted; i++)
        free(x->redacted[i]);
    free(x->redacted);
    free(x->files);
    free(x->runs);
    free(x->looked_up);
    fl_exact_codes_close(x);
    fl_exact_program_free(x);
}

/* ---- records ------------------------------------------------------------------------ */

static void on_limit(struct exact_recorder *x, enum flr_limit limit)
{
    switch (limit) {
    case FLR_LIMIT_VFORK: x->n_vfork++; break;
    case FLR_LIMIT_BRK: x->n_brk++; break;
    }
}

/* Words a record has before its text; the text may be missing. */
static const struct {
    uint8_t n_words;
    bool has_text;
} shapes[] = {
    [FLR_REC_IMAGE] = { sizeof(struct flr_image) / 8, true },
    [FLR_REC_FORKED] = { sizeof(struct flr_forked) / 8, false },
    [FLR_REC_FORKING] = { 1, false },
    [FLR_REC_THREAD_START] = { 1, false },
    [FLR_REC_THREAD_END] = { 1, false },
    [FLR_REC_MAP] = { sizeof(struct flr_map) / 8, true },
    [FLR_REC_UNMAP] = { 2, false },
    [FLR_REC_PROTECT] = { 3, false },
    [FLR_REC_REMAP] = { 4, false },
    [FLR_REC_ADVISE] = { 3, false },
    [FLR_REC_SIGNAL] = { 2, false },
    [FLR_REC_COMM] = { 1, true },
    [FLR_REC_ENDED] = { 1, false },
    [FLR_REC_LIMIT] = { 1, true },
    [FLR_REC_FILE] = { sizeof(struct flr_file) / 8, true },
    [FLR_REC_RESIDENT] = { 2, false },
    [FLR_REC_FILE_IO] = { sizeof(struct flr_file_io) / 8, false },
    [FLR_REC_LOCK] = { 3, false },
};

/* The text behind a record's words; "" when there is none, NULL when it has no end. */
static const char *text_of(enum flr_record kind, const uint64_t *words, size_t n_words)
{
    if (kind < 1 || (size_t)kind >= sizeof shapes / sizeof shapes[0] ||
        n_words < shapes[kind].n_words)
        return NULL;
    if (n_words == shapes[kind].n_words)
        return "";
    const char *text = (const char *)(words + shapes[kind].n_words);
    size_t room = (n_words - shapes[kind].n_words) * 8;
    return shapes[kind].has_text && memchr(text, 0, room) != NULL ? text : NULL;
}

bool fl_exact_record(struct exact_recorder *x, struct exact_process **pp, enum flr_record kind,
                     const uint64_t *w, size_t n_words)
{
    const char *text = text_of(kind, w, n_words);
    if (text == NULL)
        return false;
    fl_exact_flush(x);
    if (kind == FLR_REC_IMAGE)
        return on_image(x, pp, w, text);
    if (kind == FLR_REC_FORKED)
        return on_forked(x, pp, w);
    struct exact_process *p = *pp;
    if (p == NULL || p->ended)
        return false;
    switch (kind) {
    case FLR_REC_FORKING: return on_forking(x, p, w[0]);
    case FLR_REC_THREAD_START: {
        if (find_thread(p, (uint32_t)w[0]) == p->n_threads)
            add_thread(x, p, (uint32_t)w[0]);
        return true;
    }
    case FLR_REC_THREAD_END: {
        size_t i = find_thread(p, (uint32_t)w[0]);
        if (i < p->n_threads && w[0] != p->pid)
            end_thread(x, p, i);
        return true;
    }
    case FLR_REC_MAP: fl_exact_map(x, p, w, text); return true;
    case FLR_REC_FILE: fl_exact_file(x, p, w, text); return true;
    case FLR_REC_RESIDENT: fl_exact_resident(x, p, w); return true;
    case FLR_REC_FILE_IO: fl_exact_file_io(x, p, w); return true;
    case FLR_REC_SIGNAL:
        fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_SIGNAL,
                                            .thread = p->thread,
                                            .signal = { (uint32_t)w[0], w[1] } });
        return true;
    case FLR_REC_COMM: on_comm(x, p, (uint32_t)w[0], text); return true;
    case FLR_REC_ENDED: fl_exact_ended(x, p, (int)w[0]); return true;
    case FLR_REC_LIMIT: on_limit(x, (enum flr_limit)w[0]); return true;
    default: return fl_exact_range(x, p, kind, w);
    }
}
