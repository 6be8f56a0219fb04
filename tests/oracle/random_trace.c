/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "random_trace.h"

/* Pages that are ever used: three windows, two of them across a table's edge. */
#define WINDOWS 3
#define WINDOW_PAGES 20
static const uint64_t windows[WINDOWS] = { 0x1f8, 0x3fff4, 0x7ffff7fe0 };

#define PROCS_MAX 64
#define MMS_MAX 128
#define THREADS_MAX 3

enum page_state { UNMAPPED, MAPPED, SPECIAL };

struct proc {
    uint32_t pid, mm;
    uint32_t threads[THREADS_MAX], tids[THREADS_MAX];
    size_t n_threads;
    bool alive;
};

struct gen {
    struct item_list *out;
    uint64_t rng;
    struct proc procs[PROCS_MAX];
    size_t n_procs;
    uint32_t n_mms, n_threads, next_pid;
    uint8_t pages[MMS_MAX][WINDOWS * WINDOW_PAGES]; /* enum page_state */
};

struct range { /* within one window */
    size_t first, pages;
};

uint64_t random_below(uint64_t *state, uint64_t n)
{
    *state ^= *state << 13; /* xorshift64 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % n;
}

static uint64_t below(struct gen *g, uint64_t n)
{
    return random_below(&g->rng, n);
}

static uint64_t vpn_of(size_t page)
{
    return windows[page / WINDOW_PAGES] + page % WINDOW_PAGES;
}

static uint64_t address_of(size_t page)
{
    return vpn_of(page) << 12;
}

/* Lengths need not be whole pages: the last one counts. */
static uint64_t bytes_of(struct gen *g, size_t pages)
{
    return (pages << 12) - (below(g, 4) ? 0 : below(g, 4096));
}

static struct range random_range(struct gen *g, size_t max_pages)
{
    size_t window = below(g, WINDOWS), at = below(g, WINDOW_PAGES);
    size_t pages = 1 + below(g, max_pages);
    if (pages > WINDOW_PAGES - at)
        pages = WINDOW_PAGES - at;
    return (struct range){ .first = window * WINDOW_PAGES + at, .pages = pages };
}

static void mark(struct gen *g, uint32_t mm, struct range r, enum page_state state)
{
    for (size_t i = 0; i < r.pages; i++)
        g->pages[mm][r.first + i] = (uint8_t)state;
}

static void define_files(struct gen *g)
{
    static const struct {
        uint64_t dev, ino;
        const char *path;
    } files[] = {
        { 1, 10, "/lib/one.so" },    { 1, 10, "/lib/one-again.so" }, { 1, 11, "/data/two" },
        { 2, 10, "memfd:pool" },     { 3, 0, "/dev/shm/segment" },   { 0, 0, "/no-inode" },
        { 0, 0, "/other-no-inode" },
    };
    for (uint32_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct fl_event ev = { .kind = FL_EV_FILE, .thread = FL_NO_THREAD };
        ev.file.file = i;
        ev.file.dev = files[i].dev;
        ev.file.ino = files[i].ino;
        ev.file.size_bytes = 1 << 20;
        ev.file.path = files[i].path;
        item_list_event(g->out, &ev);
    }
}
#define FILES 7

static void start_thread(struct gen *g, struct proc *p)
{
    struct fl_event ev = { .kind = FL_EV_THREAD, .thread = g->n_threads };
    ev.thread_start.pid = p->pid;
    ev.thread_start.tid = p->n_threads == 0 ? p->pid : g->next_pid++;
    p->threads[p->n_threads] = g->n_threads++;
    p->tids[p->n_threads++] = ev.thread_start.tid;
    item_list_event(g->out, &ev);
}

static int32_t random_adj(struct gen *g)
{
    static const int32_t adj[] = { 0, 0, 0, 0, -1000, -300, 37, 500, 1000 };
    return adj[below(g, sizeof adj / sizeof *adj)];
}

/* A process in space @mm; @from: FL_NO_MM or the space it is a copy of. */
static void start_process(struct gen *g, uint32_t ppid, uint32_t mm, uint32_t from)
{
    if (g->n_procs == PROCS_MAX)
        return;
    struct proc *p = &g->procs[g->n_procs++];
    *p = (struct proc){ .pid = g->next_pid++, .mm = mm, .alive = true };
    for (size_t i = 0; i + 1 < g->n_procs && below(g, 3) == 0; i++)
        if (!g->procs[i].alive && g->procs[i].pid != 0) { /* numbers are used again */
            p->pid = g->procs[i].pid;
            g->procs[i].pid = 0;
            break;
        }
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = p->pid;
    ev.process.ppid = ppid;
    ev.process.mm = mm;
    ev.process.copied_mm = from;
    ev.process.oom_score_adj = random_adj(g);
    ev.process.comm = below(g, 2) ? "worker" : "sixteen-or-more-characters";
    item_list_event(g->out, &ev);
    start_thread(g, p);
}

static struct proc *random_proc(struct gen *g)
{
    size_t alive = 0;
    for (size_t i = 0; i < g->n_procs; i++)
        alive += g->procs[i].alive;
    if (alive == 0)
        return NULL;
    size_t pick = below(g, alive);
    for (size_t i = 0;; i++)
        if (g->procs[i].alive && pick-- == 0)
            return &g->procs[i];
}

static void do_map(struct gen *g, struct proc *p)
{
    static const uint32_t prots[] = { 3, 3, 3, 7, 7, 7, 7, 1, 5, 2, 4, 0 };
    struct range r = random_range(g, 10);
    struct fl_event ev = { .kind = FL_EV_MAP, .thread = p->threads[0] };
    ev.map.mm = p->mm;
    ev.map.prot = prots[below(g, sizeof prots / sizeof *prots)];
    ev.map.start = address_of(r.first);
    ev.map.length = bytes_of(g, r.pages);
    ev.map.file = FL_NO_FILE;
    uint64_t kind = below(g, 20);
    if (kind < 8)
        ev.map.flags = FL_MAP_ANON;
    else if (kind < 11)
        ev.map.flags = FL_MAP_ANON | FL_MAP_SHARED;
    else if (kind < 12)
        ev.map.flags = FL_MAP_ANON | FL_MAP_GROW | FL_MAP_HEAP;
    else if (kind < 13)
        ev.map.flags = FL_MAP_ANON | FL_MAP_SPECIAL;
    else
        ev.map.flags = kind < 16 ? 0 : FL_MAP_SHARED;
    if (!(ev.map.flags & FL_MAP_ANON)) {
        ev.map.file = (uint32_t)below(g, FILES);
        ev.map.offset = below(g, 4) << 12;
    }
    mark(g, p->mm, r, ev.map.flags & FL_MAP_SPECIAL ? SPECIAL : MAPPED);
    item_list_event(g->out, &ev);
}

static void do_unmap(struct gen *g, struct proc *p)
{
    struct range r = random_range(g, below(g, 4) ? 4 : WINDOW_PAGES);
    struct fl_event ev = { .kind = FL_EV_UNMAP, .thread = p->threads[0] };
    ev.unmap.mm = p->mm;
    ev.unmap.start = address_of(r.first);
    ev.unmap.length = bytes_of(g, r.pages);
    mark(g, p->mm, r, UNMAPPED);
    item_list_event(g->out, &ev);
}

static void do_protect(struct gen *g, struct proc *p)
{
    static const uint32_t prots[] = { 3, 3, 7, 7, 7, 1, 5, 0 };
    struct range r = random_range(g, 6);
    struct fl_event ev = { .kind = FL_EV_PROTECT, .thread = p->threads[0] };
    ev.protect.mm = p->mm;
    ev.protect.prot = prots[below(g, sizeof prots / sizeof *prots)];
    ev.protect.start = address_of(r.first);
    ev.protect.length = bytes_of(g, r.pages);
    item_list_event(g->out, &ev);
}

static void do_advise(struct gen *g, struct proc *p)
{
    static const uint32_t advice[] = { 4, 4, 4, 9, 8, 3, 14 };
    struct range r = random_range(g, 6);
    struct fl_event ev = { .kind = FL_EV_ADVISE, .thread = p->threads[0] };
    ev.advise.mm = p->mm;
    ev.advise.advice = advice[below(g, sizeof advice / sizeof *advice)];
    ev.advise.start = address_of(r.first);
    ev.advise.length = bytes_of(g, r.pages);
    item_list_event(g->out, &ev);
}

/* A range that is mapped throughout, as mremap(2) demands. False: none found. */
static bool mapped_range(struct gen *g, uint32_t mm, struct range *r)
{
    for (int tries = 0; tries < 8; tries++) {
        *r = random_range(g, 6);
        size_t n = 0;
        while (n < r->pages && g->pages[mm][r->first + n] == MAPPED)
            n++;
        r->pages = n;
        if (n > 0)
            return true;
    }
    return false;
}

static void do_remap(struct gen *g, struct proc *p)
{
    struct range old, new;
    if (!mapped_range(g, p->mm, &old))
        return;
    if (below(g, 3) == 0) { /* where it is: shrink, or grow into free room */
        new = old;
        size_t room = WINDOW_PAGES - old.first % WINDOW_PAGES;
        if (below(g, 2))
            new.pages = 1 + below(g, old.pages);
        else
            while (new.pages < room && g->pages[p->mm][new.first + new.pages] == UNMAPPED)
                new.pages++;
    } else {
        new = random_range(g, 8);
        if (new.first < old.first + old.pages && old.first < new.first + new.pages)
            return;
    }
    struct fl_event ev = { .kind = FL_EV_REMAP, .thread = p->threads[0] };
    ev.remap.mm = p->mm;
    ev.remap.old_start = address_of(old.first);
    ev.remap.old_length = bytes_of(g, old.pages);
    ev.remap.new_start = address_of(new.first);
    ev.remap.new_length = bytes_of(g, new.pages);
    mark(g, p->mm, old, UNMAPPED);
    mark(g, p->mm, new, MAPPED);
    item_list_event(g->out, &ev);
}

static void do_fork(struct gen *g, struct proc *p)
{
    if (g->n_mms == MMS_MAX || g->n_procs == PROCS_MAX)
        return;
    uint32_t mm = g->n_mms++;
    for (size_t i = 0; i < WINDOWS * WINDOW_PAGES; i++)
        g->pages[mm][i] = g->pages[p->mm][i];
    start_process(g, p->pid, mm, p->mm);
}

static void do_exec(struct gen *g, struct proc *p)
{
    if (g->n_mms == MMS_MAX)
        return;
    struct fl_event ev = { .kind = FL_EV_EXEC, .thread = p->threads[0] };
    ev.exec.pid = p->pid;
    ev.exec.mm = p->mm = g->n_mms++;
    ev.exec.path = "/bin/program";
    item_list_event(g->out, &ev);
    do_map(g, p);
    do_map(g, p);
}

static void do_exit(struct gen *g, struct proc *p)
{
    struct fl_event ev = { .kind = FL_EV_EXIT, .thread = p->threads[0] };
    ev.exit.pid = p->pid;
    p->alive = false;
    item_list_event(g->out, &ev);
}

static void do_small(struct gen *g, struct proc *p)
{
    struct fl_event ev = { .kind = FL_EV_OOM_ADJ, .thread = p->threads[0] };
    switch (below(g, 5)) {
    case 4:
        ev.kind = FL_EV_SIGNAL;
        ev.signal.signo = below(g, 4) ? 11 : 7;
        ev.signal.address = below(g, 4) ? 0x1000 * below(g, 100) : FL_NO_ADDRESS;
        break;
    case 0:
        ev.oom_adj.pid = p->pid;
        ev.oom_adj.oom_score_adj = random_adj(g);
        break;
    case 1:
        ev.kind = FL_EV_COMM;
        ev.comm.pid = p->pid;
        ev.comm.tid = p->tids[below(g, p->n_threads)];
        ev.comm.comm = "renamed";
        break;
    case 2:
        if (p->n_threads < THREADS_MAX)
            start_thread(g, p);
        return;
    default:
        if (p->n_threads < 2)
            return;
        ev.kind = FL_EV_THREAD_EXIT;
        ev.thread = p->threads[--p->n_threads];
        break;
    }
    item_list_event(g->out, &ev);
}

static void do_event(struct gen *g, struct proc *p)
{
    uint64_t what = below(g, 100);
    if (what < 38)
        do_map(g, p);
    else if (what < 47)
        do_unmap(g, p);
    else if (what < 56)
        do_protect(g, p);
    else if (what < 66)
        do_remap(g, p);
    else if (what < 75)
        do_advise(g, p);
    else if (what < 82)
        do_fork(g, p);
    else if (what < 85) /* vfork */
        start_process(g, p->pid, p->mm, FL_NO_MM);
    else if (what < 88)
        do_exec(g, p);
    else if (what < 93)
        do_exit(g, p);
    else
        do_small(g, p);
}

static void do_run(struct gen *g, struct proc *p)
{
    struct naive_item run = { .thread = p->threads[below(g, p->n_threads)], .mm = p->mm };
    size_t page = below(g, WINDOWS * WINDOW_PAGES);
    /* Mostly memory that is there, and mostly the low end of each window. */
    for (int i = 0; i < 6 && g->pages[p->mm][page] != MAPPED; i++)
        page = below(g, WINDOWS) * WINDOW_PAGES + below(g, 1 + below(g, WINDOW_PAGES));
    run.vpn = vpn_of(page);
    run.actor = below(g, 8) == 0 ? FL_ACTOR_KERNEL : FL_ACTOR_USER;
    switch (below(g, 8)) {
    case 0: run.fetches = (uint32_t)(1 + below(g, 5)); break;
    case 1:
        run.fetches = 1;
        run.reads = (uint32_t)below(g, 3);
        run.writes = (uint32_t)below(g, 2);
        break;
    case 2:
    case 3:
    case 4: run.writes = (uint32_t)(1 + below(g, 3)); break;
    default: run.reads = (uint32_t)(1 + below(g, 4)); break;
    }
    if (run.actor == FL_ACTOR_KERNEL) { /* system calls do not fetch */
        run.reads += run.fetches;
        run.fetches = 0;
    }
    item_list_run(g->out, &run);
}

static void first_process(struct gen *g)
{
    if (g->n_mms == MMS_MAX || g->n_procs == PROCS_MAX)
        return;
    uint32_t mm = g->n_mms++;
    start_process(g, 0, mm, FL_NO_MM);
    for (int i = 0; i < 4; i++)
        do_map(g, &g->procs[g->n_procs - 1]);
}

void random_processes(uint64_t seed, size_t n, struct item_list *out)
{
    struct gen *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    *out = (struct item_list){ 0 };
    g->out = out;
    g->rng = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    g->next_pid = below(g, 4) ? 100 : 1;
    uint64_t events_in = 3 + below(g, 12); /* one item in so many is an event */
    define_files(g);
    for (size_t i = 0; i < n; i++) {
        struct proc *p = random_proc(g);
        if (!p) {
            if (g->n_procs == PROCS_MAX || g->n_mms == MMS_MAX)
                break;
            first_process(g);
        } else if (below(g, events_in) == 0) {
            do_event(g, p);
        } else {
            do_run(g, p);
        }
    }
    free(g);
}

/* ---- pages only ------------------------------------------------------------- */

#define FIRST_VPN 0x400

static void one_mapping(struct item_list *out, uint32_t pages)
{
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    *out = (struct item_list){ 0 };
    ev.process.pid = 100;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.comm = "pages";
    item_list_event(out, &ev);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = 0 };
    ev.thread_start.pid = ev.thread_start.tid = 100;
    item_list_event(out, &ev);
    ev = (struct fl_event){ .kind = FL_EV_MAP, .thread = 0 };
    ev.map.prot = FL_PROT_READ | FL_PROT_WRITE;
    ev.map.flags = FL_MAP_ANON;
    ev.map.file = FL_NO_FILE;
    ev.map.start = (uint64_t)FIRST_VPN << 12;
    ev.map.length = (uint64_t)pages << 12;
    item_list_event(out, &ev);
}

void random_pages(uint64_t seed, enum random_pattern pattern, size_t n, uint32_t pages,
                  struct item_list *out)
{
    uint64_t rng = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    one_mapping(out, pages);
    for (size_t i = 0; i < n; i++) {
        uint64_t page = random_below(&rng, pages);
        switch (pattern) {
        case RANDOM_ZIPF: /* page k about 1 / (k + 1) of the time */
            while (random_below(&rng, page + 1) != 0)
                page = random_below(&rng, pages);
            break;
        case RANDOM_LOOP: page = i % pages; break;
        case RANDOM_PHASES: /* an eighth of the pages at a time */
            page = (i / 64 * 5 + page % (pages / 8 + 1)) % pages;
            break;
        default: break;
        }
        struct naive_item run = { .vpn = FIRST_VPN + page };
        run.writes = random_below(&rng, 3) == 0;
        run.reads = !run.writes;
        item_list_run(out, &run);
    }
}

void pages_trace(const uint32_t *page, size_t n, struct item_list *out)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = page[i] > most ? page[i] : most;
    one_mapping(out, most + 1);
    for (size_t i = 0; i < n; i++)
        item_list_run(out, &(struct naive_item){ .vpn = FIRST_VPN + page[i], .reads = 1 });
}
