/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which page is touched in which column of time, and by whom: one pass, the vm stage alone. */
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "run_code.h"
#include "touched.h"
#include "trace_pass.h"

#define NEVER UINT16_MAX /* in latest[]: not touched yet */
#define SEVERAL (UINT32_C(1) << 31)

struct tally { /* of a process */
    uint64_t pages, unique;
};

struct pass {
    struct vm vm;
    struct regions regions;
    struct fl_locality *l;
    /* by dense page id */
    struct columns *columns;
    uint16_t *latest; /* the column it was touched in last */
    uint8_t *is_file;
    uint32_t pages_room;
    /* by contents: the process that touched them, + 1; with SEVERAL, there were more; 0: none */
    uint32_t *toucher;
    uint32_t contents_room;
    struct run_codes codes;
    struct tally *tallies; /* by process */
    uint32_t tallies_room;
    uint32_t *process_of; /* by address space: the first that ran in it */
    uint32_t n_spaces, spaces_room;
    uint64_t end[FL_LOCALITY_COLUMNS], accesses;
    uint32_t column;
};

uint64_t fl_locality_end(uint64_t accesses, uint32_t column)
{
    unsigned __int128 n = (unsigned __int128)accesses * (column + 1);
    return (uint64_t)((n + FL_LOCALITY_COLUMNS - 1) / FL_LOCALITY_COLUMNS);
}

/* ---- room ----------------------------------------------------------------------------------- */

static int pages_room(struct pass *p, struct fl_err *err)
{
    uint32_t n = p->vm.n_pages, room = grow_room_for(p->pages_room, n);
    if (n <= p->pages_room)
        return FL_OK;
    if (!room || !grow(&p->columns, room) || !grow(&p->latest, room) || !grow(&p->is_file, room))
        return fl_nomem(err, "locality");
    memset(p->columns + p->pages_room, 0, (room - p->pages_room) * sizeof *p->columns);
    memset(p->latest + p->pages_room, 0xff, (room - p->pages_room) * sizeof *p->latest);
    memset(p->is_file + p->pages_room, 0, room - p->pages_room);
    p->pages_room = room;
    return FL_OK;
}

static int contents_room(struct pass *p, struct fl_err *err)
{
    uint32_t room = grow_room_for(p->contents_room, p->vm.cs.n);
    if (!room || !grow(&p->toucher, room))
        return fl_nomem(err, "locality");
    memset(p->toucher + p->contents_room, 0, (room - p->contents_room) * sizeof *p->toucher);
    p->contents_room = room;
    return FL_OK;
}

static int tallies_room(struct pass *p, struct fl_err *err)
{
    uint32_t room = grow_room_for(p->tallies_room, p->vm.n_processes);
    if (p->vm.n_processes <= p->tallies_room)
        return FL_OK;
    if (!room || !grow(&p->tallies, room))
        return fl_nomem(err, "locality");
    memset(p->tallies + p->tallies_room, 0, (room - p->tallies_room) * sizeof *p->tallies);
    p->tallies_room = room;
    return FL_OK;
}

/* Spaces that the last event made belong to its process, the latest that runs in them. */
static int note_spaces(struct pass *p, struct fl_err *err)
{
    uint32_t n = p->vm.n_mms, room = grow_room_for(p->spaces_room, n);
    if (n <= p->n_spaces)
        return FL_OK;
    if (n > p->spaces_room && (!room || !grow(&p->process_of, room)))
        return fl_nomem(err, "locality");
    p->spaces_room = room;
    for (; p->n_spaces < n; p->n_spaces++) {
        uint32_t i = p->vm.n_processes;
        while (i-- > 0 && p->vm.processes[i].mm != p->n_spaces)
            ;
        p->process_of[p->n_spaces] = i == UINT32_MAX ? 0 : i;
    }
    return FL_OK;
}

static void on_contents_gone(void *arg, uint32_t c)
{
    struct pass *p = arg;
    if (c < p->contents_room)
        p->toucher[c] = 0;
}

/* ---- the pass ------------------------------------------------------------------------------- */

/* @process touches contents @c, perhaps for the first time. */
static void note_toucher(struct pass *p, uint32_t c, uint32_t process)
{
    uint32_t *who = &p->toucher[c];
    if (*who == process + 1 || *who & SEVERAL)
        return;
    if (*who == 0) {
        *who = process + 1;
        p->l->contents++;
        p->tallies[process].unique++;
        return;
    }
    p->tallies[*who - 1].unique--;
    *who |= SEVERAL;
    p->l->shared_contents++;
}

/* A run that may make a page's first touch, or give it other contents. */
static int slow_run(struct pass *p, uint32_t page, uint8_t need, enum fl_actor actor, uint32_t *c,
                    struct fl_err *err)
{
    uint8_t info;
    int rc = vm_slow_run(&p->vm, page, need, actor, c, &info, err);
    if (rc != FL_OK || *c == NO_CONTENTS)
        return rc;
    if (p->vm.cs.n > p->contents_room && (rc = contents_room(p, err)) != FL_OK)
        return rc;
    uint32_t process = p->process_of[p->vm.mm_of[page]]; /* there are contents: a space, too */
    note_toucher(p, *c, process);
    if (p->latest[page] == NEVER) {
        p->tallies[process].pages++;
        p->is_file[page] = p->vm.cs.kind[*c] == CONTENTS_FILE;
    }
    return FL_OK;
}

static void touch(struct pass *p, uint32_t page)
{
    columns_set(&p->columns[page], p->column);
    p->latest[page] = (uint16_t)p->column;
}

/* The accesses so far end columns; a long run, of @page unless that is NO_PAGE, spans them. */
static void next_columns(struct pass *p, uint32_t page)
{
    while (p->column + 1 < FL_LOCALITY_COLUMNS && p->end[p->column] <= p->accesses) {
        uint64_t from = p->end[p->column];
        p->l->resident_pages[p->column++] = p->vm.cs.live;
        if (page != NO_PAGE && from < p->accesses && from < p->end[p->column])
            touch(p, page);
    }
}

static int on_runs(void *arg, const struct fl_runs *runs, struct fl_err *err)
{
    struct pass *p = arg;
    bool user = runs->actor == FL_ACTOR_USER;
    if (vm_thread_process(&p->vm, runs->thread) == UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "the trace has accesses of unknown thread %u",
                       runs->thread);
    int rc = vm_new_pages(&p->vm, err);
    if (rc == FL_OK)
        rc = pages_room(p, err);
    if (rc == FL_OK)
        rc = tallies_room(p, err);
    if (rc == FL_OK)
        rc = run_codes_begin(&p->codes, runs, &p->regions, err);
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint32_t page = runs->page[i], c = 0;
        uint8_t need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        run_codes_at(&p->codes, i, &p->vm, runs->page[i]);
        if (__builtin_expect(need & ~p->vm.rights[page], 0))
            rc = slow_run(p, page, need, runs->actor, &c, err);
        if (p->latest[page] != p->column && c != NO_CONTENTS && rc == FL_OK)
            touch(p, page);
        if (user)
            p->accesses += (uint64_t)runs->reads[i] + runs->writes[i] + runs->fetches[i];
        if (__builtin_expect(p->accesses >= p->end[p->column], 0))
            next_columns(p, c == NO_CONTENTS ? NO_PAGE : page);
    }
    if (rc == FL_OK)
        run_codes_end(&p->codes, runs->thread, &p->regions);
    return rc;
}

static int on_event(void *arg, const struct fl_event *ev, struct fl_err *err)
{
    struct pass *p = arg;
    int rc = vm_event(&p->vm, ev, err);
    return rc == FL_OK ? note_spaces(p, err) : rc;
}

/* ---- what comes of it ------------------------------------------------------------------------ */

struct ranked {
    uint64_t pages;
    uint32_t id;
};

static int most_pages_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->pages != y->pages)
        return x->pages < y->pages ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The mappings with most touched pages; @mapping_of: by page, its index among them. */
static int list_mappings(struct pass *p, uint32_t *mapping_of, struct fl_err *err)
{
    struct fl_locality *l = p->l;
    uint32_t n = p->regions.n_labels, *index = calloc(n, sizeof *index);
    struct ranked *ranked = calloc(n, sizeof *ranked);
    int rc = index && ranked ? FL_OK : fl_nomem(err, "locality");
    for (uint32_t i = 0; i < n && rc == FL_OK; i++)
        ranked[i].id = i;
    for (uint32_t page = 0; page < p->vm.n_pages && rc == FL_OK; page++)
        ranked[p->vm.label_of[page]].pages += p->latest[page] != NEVER;
    if (rc == FL_OK)
        qsort(ranked, n, sizeof *ranked, most_pages_first);
    for (uint32_t i = 0; i < n && rc == FL_OK; i++) {
        index[ranked[i].id] = FL_LOCALITY_MAPPINGS_MAX;
        if (!ranked[i].pages)
            continue;
        if (l->n_mappings == FL_LOCALITY_MAPPINGS_MAX) {
            l->left_out_mappings++;
            continue;
        }
        struct fl_locality_mapping *m = &l->mappings[l->n_mappings];
        m->pages = ranked[i].pages;
        m->name = regions_name(&p->regions, ranked[i].id);
        if (!m->name)
            rc = fl_nomem(err, "locality");
        index[ranked[i].id] = (uint32_t)l->n_mappings++;
    }
    for (uint32_t page = 0; page < p->vm.n_pages && rc == FL_OK; page++)
        mapping_of[page] = index[p->vm.label_of[page]];
    free(index);
    free(ranked);
    return rc;
}

static int list_processes(struct pass *p, struct fl_err *err)
{
    struct fl_locality *l = p->l;
    uint32_t n = p->vm.n_processes < p->tallies_room ? p->vm.n_processes : p->tallies_room;
    struct ranked *ranked = calloc(n + 1u, sizeof *ranked);
    if (!ranked)
        return fl_nomem(err, "locality");
    for (uint32_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){ .pages = p->tallies[i].pages, .id = i };
    qsort(ranked, n, sizeof *ranked, most_pages_first);
    for (uint32_t i = 0; i < n; i++) {
        const struct process *process = &p->vm.processes[ranked[i].id];
        if (l->n_processes == FL_LOCALITY_PROCESSES_MAX) {
            l->left_out_processes++;
            continue;
        }
        struct fl_locality_process *out = &l->processes[l->n_processes++];
        out->pid = process->pid;
        memcpy(out->comm, process->comm, sizeof out->comm);
        out->pages = ranked[i].pages;
        out->unique_pages = p->tallies[ranked[i].id].unique;
    }
    free(ranked);
    return FL_OK;
}

static int conclude(struct pass *p, struct fl_err *err)
{
    struct fl_locality *l = p->l;
    struct touched t = { .vm = &p->vm,
                         .columns = p->columns,
                         .is_file = p->is_file,
                         .mapping = calloc(p->vm.n_pages + 1u, sizeof *t.mapping),
                         .n = p->vm.n_pages };
    vm_settle_labels(&p->vm);
    int rc = t.mapping ? list_mappings(p, t.mapping, err) : fl_nomem(err, "locality");
    l->resident_peak_pages = p->vm.cs.live_peak;
    for (uint32_t page = 0; page < t.n; page++)
        if (p->latest[page] != NEVER) {
            l->distinct_pages++;
            l->new_pages[columns_first(p->columns[page])]++;
        }
    if (rc == FL_OK)
        rc = list_processes(p, err);
    if (rc == FL_OK)
        rc = locality_windows(&t, l, err);
    if (rc == FL_OK)
        rc = locality_heat(&t, l, err);
    if (rc == FL_OK)
        rc = locality_phases(&t, l, err);
    free(t.mapping);
    return rc;
}

int fl_locality(struct fl_reader *r, void (*progress)(void *arg, unsigned done_bp), void *arg,
                struct fl_locality **out, struct fl_err *err)
{
    struct pass p = { .column = 0 };
    struct vm_hooks hooks = { .arg = &p, .contents_gone = on_contents_gone };
    *out = NULL;
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(err, FL_EDATA,
                       "a trace of fidelity '%s' does not tell its working set; record it with "
                       "--mode exact",
                       fl_fidelity_name(fl_reader_fidelity(r)));
    int rc = fl_reader_rewind(r, err);
    vm_init(&p.vm, r, PGTABLE_LEVELS_MAX, &hooks);
    if (rc == FL_OK)
        rc = regions_init(&p.regions, err);
    p.vm.regions = &p.regions;
    p.l = calloc(1, sizeof *p.l);
    if (rc == FL_OK && !p.l)
        rc = fl_nomem(err, "locality");
    if (rc == FL_OK) {
        p.l->accesses = fl_totals_accesses(fl_reader_totals(r));
        for (uint32_t c = 0; c < FL_LOCALITY_COLUMNS; c++)
            p.end[c] = fl_locality_end(p.l->accesses, c);
        const struct trace_pass pass = { &p, on_event, on_runs, progress, arg, false };
        rc = trace_pass(r, &pass, err);
        for (uint32_t c = p.column; c < FL_LOCALITY_COLUMNS; c++)
            p.l->resident_pages[c] = p.vm.cs.live;
    }
    if (rc == FL_OK)
        rc = conclude(&p, err);
    if (rc == FL_OK)
        *out = p.l;
    else
        fl_locality_free(p.l);
    p.vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&p.vm);
    regions_fini(&p.regions);
    free(p.columns);
    free(p.latest);
    free(p.is_file);
    free(p.toucher);
    free(p.tallies);
    free(p.process_of);
    run_codes_fini(&p.codes);
    return rc;
}

void fl_locality_free(struct fl_locality *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n_mappings; i++)
        free(l->mappings[i].name);
    free(l);
}
