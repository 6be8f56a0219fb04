/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One balanced tree (tsearch) of disjoint intervals an address space. Comparing
 * calls overlapping intervals equal, so a lookup of any range finds an interval
 * in its way; a new mapping first cuts away what it replaces.
 */
#include "mapping.h"

#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/table.h>

#define NODES_MAX 8000000u /* of all spaces together: about 700 MiB */
#define SPACES_MAX 4000000u

struct interval {
    uint64_t start, end; /* [start, end) */
    uint32_t label;
};

struct space {
    void *tree;
    uint32_t users; /* processes that run in it */
};

struct label {
    char *text;
    uint32_t index;
};

struct pid_space {
    uint32_t pid, mm; /* mm: FL_NO_MM once it has ended */
};

struct mappings {
    struct space *spaces;
    uint32_t n_spaces, cap_spaces;
    struct label **labels;
    uint32_t n_labels, cap_labels;
    void *label_tree;
    uint32_t *files; /* label of each file id */
    uint32_t n_files, cap_files;
    void *pid_tree; /* struct pid_space */
    uint32_t n_nodes;
};

static int compare_intervals(const void *a, const void *b)
{
    const struct interval *x = a, *y = b;
    return x->end <= y->start ? -1 : x->start >= y->end;
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->text, ((const struct label *)b)->text);
}

static int compare_pids(const void *a, const void *b)
{
    const struct pid_space *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static int grow(void **array, uint32_t *cap, uint32_t want, size_t size, struct fl_err *err)
{
    if (want <= *cap)
        return FL_OK;
    uint32_t cap_new = want < 16 ? 16 : want + want / 2;
    void *grown = reallocarray(*array, cap_new, size);
    if (!grown)
        return fl_nomem(err, "following mappings");
    memset((char *)grown + (size_t)*cap * size, 0, (size_t)(cap_new - *cap) * size);
    *array = grown;
    *cap = cap_new;
    return FL_OK;
}

/* ---- labels ------------------------------------------------------------------ */

static int intern(struct mappings *m, const char *text, uint32_t *out, struct fl_err *err)
{
    char *clean = fl_text_clean(text, 1024);
    if (!clean)
        return fl_nomem(err, "following mappings");
    struct label key = { .text = clean };
    struct label **found = tfind(&key, &m->label_tree, compare_labels);
    if (found) {
        *out = (*found)->index;
        free(clean);
        return FL_OK;
    }
    struct label *label = malloc(sizeof *label);
    if (!label || grow((void **)&m->labels, &m->cap_labels, m->n_labels + 1, sizeof *m->labels,
                       NULL) != FL_OK) {
        free(label);
        free(clean);
        return fl_nomem(err, "following mappings");
    }
    *label = (struct label){ .text = clean, .index = m->n_labels };
    m->labels[m->n_labels] = label;
    if (!tsearch(label, &m->label_tree, compare_labels)) {
        free(clean);
        free(label);
        return fl_nomem(err, "following mappings");
    }
    *out = m->n_labels++;
    return FL_OK;
}

struct mappings *mappings_new(void)
{
    struct mappings *m = calloc(1, sizeof *m);
    uint32_t unknown;
    if (m && intern(m, "[unknown]", &unknown, NULL) != FL_OK) {
        free(m->labels);
        free(m);
        m = NULL;
    }
    return m;
}

static void free_nothing(void *node)
{
    (void)node;
}

void mappings_free(struct mappings *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; i < m->n_spaces; i++)
        tdestroy(m->spaces[i].tree, free);
    tdestroy(m->pid_tree, free);
    tdestroy(m->label_tree, free_nothing);
    for (uint32_t i = 0; i < m->n_labels; i++) {
        free(m->labels[i]->text);
        free(m->labels[i]);
    }
    free(m->labels);
    free(m->spaces);
    free(m->files);
    free(m);
}

uint32_t mappings_labels(const struct mappings *m)
{
    return m->n_labels;
}

const char *mappings_label(const struct mappings *m, uint32_t label)
{
    return label < m->n_labels ? m->labels[label]->text : "[unknown]";
}

/* ---- intervals ------------------------------------------------------------------ */

static struct space *space_at(struct mappings *m, uint32_t mm, struct fl_err *err)
{
    if (mm >= SPACES_MAX) {
        fl_fail(err, FL_EFORMAT, "address space %u: the trace has too many", mm);
        return NULL;
    }
    if (mm >= m->n_spaces) {
        if (grow((void **)&m->spaces, &m->cap_spaces, mm + 1, sizeof *m->spaces, err) != FL_OK)
            return NULL;
        m->n_spaces = mm + 1;
    }
    return &m->spaces[mm];
}

static int add(struct mappings *m, struct space *s, struct interval what, struct fl_err *err)
{
    if (what.start >= what.end)
        return FL_OK;
    if (m->n_nodes >= NODES_MAX)
        return fl_fail(err, FL_EDATA, "more than %u mappings live at once", NODES_MAX);
    struct interval *node = malloc(sizeof *node);
    if (!node)
        return fl_nomem(err, "following mappings");
    *node = what;
    if (!tsearch(node, &s->tree, compare_intervals)) {
        free(node);
        return fl_nomem(err, "following mappings");
    }
    m->n_nodes++;
    return FL_OK;
}

/* Take everything in [start, end) out; what sticks out on either side stays. */
static int cut(struct mappings *m, struct space *s, uint64_t start, uint64_t end,
               struct fl_err *err)
{
    const struct interval range = { .start = start, .end = end };
    struct interval **found;
    int rc = FL_OK;
    while (rc == FL_OK && start < end && (found = tfind(&range, &s->tree, compare_intervals))) {
        struct interval *old = *found, was = *old;
        tdelete(old, &s->tree, compare_intervals);
        free(old);
        m->n_nodes--;
        if (was.start < start)
            rc = add(m, s, (struct interval){ was.start, start, was.label }, err);
        if (rc == FL_OK && was.end > end)
            rc = add(m, s, (struct interval){ end, was.end, was.label }, err);
    }
    return rc;
}

static uint64_t end_of(uint64_t start, uint64_t length)
{
    uint64_t end;
    return __builtin_add_overflow(start, length, &end) ? UINT64_MAX : end;
}

struct copying {
    struct mappings *m;
    struct space *to;
    struct fl_err *err;
    int rc;
};

static void copy_node(const void *node, VISIT visit, void *arg)
{
    struct copying *c = arg;
    if ((visit == postorder || visit == leaf) && c->rc == FL_OK)
        c->rc = add(c->m, c->to, **(struct interval *const *)node, c->err);
}

static void drop_space(struct mappings *m, uint32_t mm)
{
    if (mm >= m->n_spaces || m->spaces[mm].users == 0 || --m->spaces[mm].users > 0)
        return;
    /* Counting the nodes would take a walk: taking them out one by one is that walk. */
    const struct interval all = { .start = 0, .end = UINT64_MAX };
    struct interval **found;
    while ((found = tfind(&all, &m->spaces[mm].tree, compare_intervals))) {
        struct interval *old = *found;
        tdelete(old, &m->spaces[mm].tree, compare_intervals);
        free(old);
        m->n_nodes--;
    }
}

/* ---- events ------------------------------------------------------------------------ */

static int run_in(struct mappings *m, uint32_t pid, uint32_t mm, struct fl_err *err)
{
    struct pid_space key = { .pid = pid }, **found = tfind(&key, &m->pid_tree, compare_pids);
    if (!space_at(m, mm, err))
        return FL_EFORMAT;
    m->spaces[mm].users++;
    if (found) {
        uint32_t before = (*found)->mm;
        (*found)->mm = mm;
        if (before != FL_NO_MM)
            drop_space(m, before);
        return FL_OK;
    }
    struct pid_space *entry = malloc(sizeof *entry);
    if (entry)
        *entry = (struct pid_space){ pid, mm };
    if (!entry || !tsearch(entry, &m->pid_tree, compare_pids)) {
        free(entry);
        return fl_nomem(err, "following processes");
    }
    return FL_OK;
}

static int on_process(struct mappings *m, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t mm = ev->process.mm, from = ev->process.copied_mm;
    if (!space_at(m, mm, err))
        return FL_EFORMAT;
    if (from != FL_NO_MM && from < m->n_spaces && from != mm && !m->spaces[mm].tree) {
        struct copying c = { m, &m->spaces[mm], err, FL_OK };
        twalk_r(m->spaces[from].tree, copy_node, &c);
        if (c.rc != FL_OK)
            return c.rc;
    }
    return run_in(m, ev->process.pid, mm, err);
}

static void on_exit_event(struct mappings *m, uint32_t pid)
{
    struct pid_space key = { .pid = pid }, **found = tfind(&key, &m->pid_tree, compare_pids);
    if (!found || (*found)->mm == FL_NO_MM)
        return;
    drop_space(m, (*found)->mm);
    (*found)->mm = FL_NO_MM;
}

static int on_map(struct mappings *m, const struct fl_event *ev, struct fl_err *err)
{
    struct space *s = space_at(m, ev->map.mm, err);
    struct interval what = { ev->map.start, end_of(ev->map.start, ev->map.length), 0 };
    unsigned flags = ev->map.flags;
    int rc = FL_OK;
    if (!s)
        return FL_EFORMAT;
    if (flags & FL_MAP_HEAP)
        rc = intern(m, "[heap]", &what.label, err);
    else if (flags & FL_MAP_STACK)
        rc = intern(m, "[stack]", &what.label, err);
    else if (flags & FL_MAP_SPECIAL)
        rc = intern(m, "[vdso]", &what.label, err);
    else if (ev->map.file != FL_NO_FILE && ev->map.file < m->n_files)
        what.label = m->files[ev->map.file];
    else if (flags & FL_MAP_SHARED)
        rc = intern(m, "[shared anonymous]", &what.label, err);
    else
        rc = intern(m, "[anonymous]", &what.label, err);
    if (rc == FL_OK)
        rc = cut(m, s, what.start, what.end, err);
    return rc == FL_OK ? add(m, s, what, err) : rc;
}

static int on_remap(struct mappings *m, const struct fl_event *ev, struct fl_err *err)
{
    struct space *s = space_at(m, ev->remap.mm, err);
    uint64_t old_end = end_of(ev->remap.old_start, ev->remap.old_length);
    struct interval what = { ev->remap.new_start, end_of(ev->remap.new_start, ev->remap.new_length),
                             0 };
    if (!s)
        return FL_EFORMAT;
    what.label = mappings_find(m, ev->remap.mm, ev->remap.old_start);
    int rc = cut(m, s, ev->remap.old_start, old_end, err);
    if (rc == FL_OK)
        rc = cut(m, s, what.start, what.end, err);
    return rc == FL_OK ? add(m, s, what, err) : rc;
}

static int on_file(struct mappings *m, const struct fl_event *ev, struct fl_err *err)
{
    uint32_t file = ev->file.file;
    if (file != m->n_files)
        return fl_fail(err, FL_EFORMAT, "file %u is defined out of order", file);
    int rc = grow((void **)&m->files, &m->cap_files, file + 1, sizeof *m->files, err);
    if (rc != FL_OK)
        return rc;
    m->n_files++;
    const char *path = ev->file.path;
    return intern(m, path && *path ? path : "[file]", &m->files[file], err);
}

int mappings_event(struct mappings *m, const struct fl_event *ev, struct fl_err *err)
{
    struct space *s;
    switch (ev->kind) {
    case FL_EV_PROCESS: return on_process(m, ev, err);
    case FL_EV_EXEC: return run_in(m, ev->exec.pid, ev->exec.mm, err);
    case FL_EV_EXIT: on_exit_event(m, ev->exit.pid); return FL_OK;
    case FL_EV_FILE: return on_file(m, ev, err);
    case FL_EV_MAP: return on_map(m, ev, err);
    case FL_EV_REMAP: return on_remap(m, ev, err);
    case FL_EV_UNMAP:
        s = space_at(m, ev->unmap.mm, err);
        return s ? cut(m, s, ev->unmap.start, end_of(ev->unmap.start, ev->unmap.length), err)
                 : FL_EFORMAT;
    default: return FL_OK;
    }
}

uint32_t mappings_find(const struct mappings *m, uint32_t mm, uint64_t address)
{
    const struct interval at = { .start = address, .end = end_of(address, 1) };
    if (mm >= m->n_spaces || at.start >= at.end)
        return MAPPING_UNKNOWN;
    struct interval **found = tfind(&at, &m->spaces[mm].tree, compare_intervals);
    return found ? (*found)->label : MAPPING_UNKNOWN;
}
