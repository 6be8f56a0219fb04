/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random streams, written and read back, against a list kept beside the writer. The
 * list merges runs, gives page ids and keeps each thread's recent pages by itself, in
 * the slowest obvious way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <faultline/trace.h>

struct want {
    bool is_event;
    struct fl_event ev;
    uint32_t thread, actor, mm, id, r, w, f;
    uint64_t vpn;
    uint32_t code; /* where the run began */
    bool far;      /* its page is not among the thread's last 64 */
};

#define RECENT 64u

struct recent {
    uint32_t n, mm[RECENT];
    uint64_t vpn[RECENT];
};

struct model {
    struct want *list;
    size_t n, cap;
    struct fl_page *pages;
    uint32_t n_pages;
    struct fl_totals totals;
    uint32_t thread_process[512], process_mm[512], mms, files, codes, names, probes, stacks;
    uint32_t code_of[512];
    struct recent recent[512];
    bool has_codes;
    uint64_t located;
    uint64_t seed, time_ns;
};

static uint64_t rnd(struct model *m)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static struct want *model_add(struct model *m)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 1024;
        m->list = realloc(m->list, m->cap * sizeof *m->list);
        assert_non_null(m->list);
    }
    m->list[m->n] = (struct want){ 0 };
    return &m->list[m->n++];
}

static uint32_t model_page(struct model *m, uint32_t mm, uint64_t vpn)
{
    for (uint32_t i = 0; i < m->n_pages; i++)
        if (m->pages[i].mm == mm && m->pages[i].vpn == vpn)
            return i;
    m->pages = realloc(m->pages, (m->n_pages + 1) * sizeof *m->pages);
    assert_non_null(m->pages);
    m->pages[m->n_pages] = (struct fl_page){ .mm = mm, .vpn = vpn };
    return m->n_pages++;
}

/* Was the page among the thread's recent ones? It is the most recent now. */
static bool model_touch(struct recent *l, uint32_t mm, uint64_t vpn)
{
    uint32_t at = 0;
    while (at < l->n && (l->vpn[at] != vpn || l->mm[at] != mm))
        at++;
    bool found = at < l->n;
    if (!found && l->n < RECENT)
        l->n++;
    at = found ? at : l->n - 1;
    for (; at > 0; at--) {
        l->vpn[at] = l->vpn[at - 1];
        l->mm[at] = l->mm[at - 1];
    }
    l->vpn[0] = vpn;
    l->mm[0] = mm;
    return found;
}

static void model_run(struct model *m, uint32_t thread, uint32_t actor, uint32_t mm, uint64_t vpn,
                      uint32_t r, uint32_t w, uint32_t f)
{
    struct want *last = m->n ? &m->list[m->n - 1] : NULL;
    if (actor == FL_ACTOR_USER) {
        m->totals.reads += r, m->totals.writes += w, m->totals.fetches += f;
    } else {
        m->totals.syscall_reads += r, m->totals.syscall_writes += w;
    }
    if (last && !last->is_event && last->thread == thread && last->actor == actor &&
        last->mm == mm && last->vpn == vpn && (uint64_t)last->r + r <= UINT32_MAX &&
        (uint64_t)last->w + w <= UINT32_MAX && (uint64_t)last->f + f <= UINT32_MAX) {
        last->r += r, last->w += w, last->f += f;
        return;
    }
    struct want *x = model_add(m);
    x->thread = thread, x->actor = actor, x->mm = mm, x->vpn = vpn;
    x->r = r, x->w = w, x->f = f;
    x->id = model_page(m, mm, vpn);
    x->code = m->code_of[thread];
    x->far = !model_touch(&m->recent[thread], mm, vpn);
    m->totals.runs++;
}

static const char *const names[] = { "", "a", "/usr/lib/x.so", "with\nnewline \"and\" quotes",
                                     "\xff\xfe not UTF-8" };

static const char *any_name(struct model *m)
{
    return names[rnd(m) % 5];
}

static void event_common(struct model *m, struct fl_event *ev, enum fl_event_kind kind)
{
    *ev = (struct fl_event){ .kind = kind, .thread = FL_NO_THREAD };
    if (m->totals.threads && rnd(m) % 4)
        ev->thread = (uint32_t)(rnd(m) % m->totals.threads);
    m->time_ns += rnd(m) >> (rnd(m) % 50 + 3);
    ev->time_ns = m->time_ns;
}

static void put_event(struct model *m, struct fl_writer *w, const struct fl_event *ev)
{
    struct fl_err err;
    struct want *x = model_add(m);
    x->is_event = true;
    x->ev = *ev;
    m->totals.events++;
    assert_int_equal(fl_writer_event(w, ev, &err), FL_OK);
}

static void start_thread(struct model *m, struct fl_writer *w, uint32_t process)
{
    struct fl_event ev;
    event_common(m, &ev, FL_EV_THREAD);
    ev.thread = m->totals.threads;
    ev.thread_start.pid = 100 + process;
    ev.thread_start.tid = 1000 + ev.thread;
    m->code_of[m->totals.threads] = FL_NO_CODE;
    m->thread_process[m->totals.threads++] = process;
    put_event(m, w, &ev);
}

static void start_process(struct model *m, struct fl_writer *w)
{
    struct fl_event ev;
    uint32_t p = m->totals.processes++;
    event_common(m, &ev, FL_EV_PROCESS);
    ev.process.pid = 100 + p;
    ev.process.ppid = p ? 100 + (uint32_t)(rnd(m) % p) : 0;
    ev.process.copied_mm = FL_NO_MM;
    ev.process.oom_score_adj = (int32_t)(rnd(m) % 2001) - 1000;
    ev.process.comm = any_name(m);
    ev.process.mm = m->mms;
    if (m->mms && rnd(m) % 2)
        ev.process.copied_mm = (uint32_t)(rnd(m) % m->mms);
    else if (m->mms && rnd(m) % 2)
        ev.process.mm = (uint32_t)(rnd(m) % m->mms);
    m->process_mm[p] = ev.process.mm;
    m->mms += ev.process.mm == m->mms;
    put_event(m, w, &ev);
    start_thread(m, w, p);
}

/* An id below @n, or none. */
static uint32_t any_below(struct model *m, uint32_t n)
{
    return n && rnd(m) % 3 ? (uint32_t)(rnd(m) % n) : UINT32_MAX;
}

static void any_event(struct model *m, struct fl_writer *w)
{
    struct fl_event ev;
    enum fl_event_kind kind = (enum fl_event_kind)(rnd(m) % 27 + 1);
    uint32_t p = (uint32_t)(rnd(m) % m->totals.processes), mm = (uint32_t)(rnd(m) % m->mms);
    uint64_t start = rnd(m) << 12, length = (rnd(m) % 1000 + 1) << 12;
    if (kind == FL_EV_PROCESS || kind == FL_EV_THREAD) {
        if (m->totals.threads > 500 || m->totals.processes > 500)
            return;
        if (kind == FL_EV_PROCESS)
            start_process(m, w);
        else
            start_thread(m, w, p);
        return;
    }
    if (kind == FL_EV_CODE && !m->has_codes)
        return;
    if ((kind == FL_EV_FILE_IO || kind == FL_EV_RESIDENT) && !m->files)
        return;
    if ((kind == FL_EV_HIT && !m->probes) || (kind == FL_EV_SAMPLE && !m->names) ||
        (kind == FL_EV_STACK && !m->codes))
        return;
    event_common(m, &ev, kind);
    switch (kind) {
    case FL_EV_THREAD_EXIT:
        if (ev.thread == FL_NO_THREAD)
            ev.thread = 0;
        break;
    case FL_EV_EXEC:
        ev.exec.pid = 100 + p, ev.exec.mm = m->mms, ev.exec.path = any_name(m);
        m->process_mm[p] = m->mms++;
        break;
    case FL_EV_EXIT:
        ev.exit.pid = 100 + p;
        ev.exit.status = rnd(m) % 2 ? FL_EXIT_UNKNOWN : (int32_t)(rnd(m) % 65536);
        break;
    case FL_EV_COMM:
        ev.comm.pid = 100 + p, ev.comm.tid = (uint32_t)rnd(m), ev.comm.comm = any_name(m);
        break;
    case FL_EV_OOM_ADJ: ev.oom_adj.pid = 100 + p, ev.oom_adj.oom_score_adj = -1000; break;
    case FL_EV_FILE:
        ev.file.file = m->files++, ev.file.dev = rnd(m), ev.file.ino = rnd(m);
        ev.file.size_bytes = UINT64_MAX, ev.file.path = any_name(m);
        break;
    case FL_EV_MAP:
        ev.map.mm = mm, ev.map.prot = 7, ev.map.flags = (uint32_t)(rnd(m) % 256);
        ev.map.file = m->files ? (uint32_t)(rnd(m) % m->files) : FL_NO_FILE;
        ev.map.start = start, ev.map.length = length, ev.map.offset = rnd(m) << 12;
        break;
    case FL_EV_UNMAP: ev.unmap.mm = mm, ev.unmap.start = start, ev.unmap.length = length; break;
    case FL_EV_PROTECT:
        ev.protect.mm = mm, ev.protect.prot = 1, ev.protect.start = start;
        ev.protect.length = length;
        break;
    case FL_EV_REMAP:
        ev.remap.mm = mm, ev.remap.old_start = start, ev.remap.old_length = length;
        ev.remap.new_start = rnd(m) << 12, ev.remap.new_length = length + 4096;
        break;
    case FL_EV_ADVISE:
        ev.advise.mm = mm, ev.advise.advice = 4, ev.advise.start = start;
        ev.advise.length = length;
        break;
    case FL_EV_SIGNAL: ev.signal.signo = 11, ev.signal.address = UINT64_MAX; break;
    case FL_EV_FAULT:
        ev.fault.address = rnd(m), ev.fault.ip = rnd(m), ev.fault.flags = (uint32_t)(rnd(m) % 256);
        ev.fault.code = any_below(m, m->codes), ev.fault.stack = any_below(m, m->stacks);
        if (ev.fault.flags & FL_FAULT_MAJOR)
            m->totals.faults_major++;
        else if (ev.fault.flags & FL_FAULT_MINOR)
            m->totals.faults_minor++;
        else
            m->totals.faults_unknown++;
        break;
    case FL_EV_FILE_IO:
        ev.file_io.file = (uint32_t)(rnd(m) % m->files), ev.file_io.op = (uint32_t)rnd(m);
        ev.file_io.flags = (uint32_t)(rnd(m) % 4), ev.file_io.offset = rnd(m);
        ev.file_io.length = rnd(m) % 2 ? FL_IO_TO_END : rnd(m);
        break;
    case FL_EV_RESIDENT:
        ev.resident.file = (uint32_t)(rnd(m) % m->files);
        ev.resident.read_ahead_pages = (uint32_t)rnd(m);
        ev.resident.offset = start, ev.resident.length = length;
        break;
    case FL_EV_LOCK:
        ev.lock.mm = mm, ev.lock.mode = (uint32_t)(rnd(m) % 3), ev.lock.start = start;
        ev.lock.length = rnd(m) % 2 ? FL_LOCK_ALL : length;
        break;
    case FL_EV_CODE:
        ev.code.code = m->codes++, ev.code.offset = rnd(m), ev.code.name = any_name(m);
        ev.code.file = m->files ? (uint32_t)(rnd(m) % m->files) : FL_NO_FILE;
        break;
    case FL_EV_NAME: ev.name.name = m->names++, ev.name.text = any_name(m); break;
    case FL_EV_PROBE: ev.probe.probe = m->probes++, ev.probe.signature = any_name(m); break;
    case FL_EV_HIT:
        ev.hit.probe = (uint32_t)(rnd(m) % m->probes), ev.hit.cpu = (uint32_t)(rnd(m) % 8192);
        ev.hit.tid = (uint32_t)rnd(m), ev.hit.n_values = (uint32_t)(rnd(m) % (FL_HIT_VALUES + 1));
        for (uint32_t i = 0; i < ev.hit.n_values; i++)
            ev.hit.values[i] = rnd(m) % 4 ? (int64_t)(rnd(m) << 11) : INT64_MIN;
        break;
    case FL_EV_SNAPSHOT:
        ev.snapshot.pid = (uint32_t)rnd(m), ev.snapshot.moment = (uint32_t)(rnd(m) % 2);
        ev.snapshot.text = any_name(m);
        break;
    case FL_EV_PRESENT:
        ev.present.mm = mm, ev.present.state = (uint32_t)(rnd(m) % 8), ev.present.start = start;
        ev.present.length = length;
        break;
    case FL_EV_STACK:
        ev.stack.parent = any_below(m, m->stacks), ev.stack.stack = m->stacks++;
        ev.stack.code = (uint32_t)(rnd(m) % m->codes);
        break;
    case FL_EV_SAMPLE:
        ev.sample.event = (uint32_t)(rnd(m) % m->names), ev.sample.flags = (uint32_t)(rnd(m) % 16);
        ev.sample.address = rnd(m), ev.sample.ip = rnd(m), ev.sample.period = rnd(m);
        ev.sample.data_source = rnd(m), ev.sample.weight = rnd(m), ev.sample.physical = rnd(m);
        ev.sample.code = any_below(m, m->codes), ev.sample.stack = any_below(m, m->stacks);
        break;
    default: ev.lost.count = rnd(m) % 100; m->totals.lost_events += ev.lost.count;
    }
    put_event(m, w, &ev);
}

static uint32_t any_count(struct model *m)
{
    switch (rnd(m) % 12) {
    case 0: return UINT32_MAX;
    case 1: return (uint32_t)rnd(m);
    case 2:
    case 3: return (uint32_t)(rnd(m) % 1000);
    default: return (uint32_t)(rnd(m) % 4);
    }
}

/* @spread: distinct pages; small ones are local, large ones make plain blocks. */
static void any_runs(struct model *m, struct fl_writer *w, uint64_t spread, size_t n)
{
    uint32_t thread = (uint32_t)(rnd(m) % m->totals.threads);
    uint32_t actor = rnd(m) % 5 == 0, mm = m->process_mm[m->thread_process[thread]];
    for (size_t i = 0; i < n; i++) {
        uint64_t vpn = (rnd(m) % 64 ? 0x7f0000000 : 0x10) + rnd(m) % spread;
        uint32_t r = any_count(m), wr = any_count(m), f = actor ? 0 : any_count(m);
        struct fl_err err;
        if (rnd(m) % 1000 == 0)
            vpn = UINT64_MAX >> 1;
        if (!(r | wr | f))
            r = 1;
        if (m->codes && rnd(m) % 4 == 0) {
            m->code_of[thread] = rnd(m) % 20 ? (uint32_t)(rnd(m) % m->codes) : FL_NO_CODE;
            fl_writer_code(w, thread, m->code_of[thread]);
        }
        model_run(m, thread, actor, mm, vpn, r, wr, f);
        assert_int_equal(fl_writer_run(w, thread, actor, mm, vpn, r, wr, f, &err), FL_OK);
    }
}

static void same_text(const char *a, const char *b)
{
    assert_string_equal(a, b);
}

static void same_event(const struct fl_event *a, const struct fl_event *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->thread, b->thread);
    assert_int_equal(a->time_ns, b->time_ns);
    struct fl_event x = *a, y = *b;
    if (a->kind == FL_EV_PROCESS) {
        same_text(a->process.comm, b->process.comm);
        x.process.comm = y.process.comm = NULL;
    } else if (a->kind == FL_EV_EXEC) {
        same_text(a->exec.path, b->exec.path);
        x.exec.path = y.exec.path = NULL;
    } else if (a->kind == FL_EV_COMM) {
        same_text(a->comm.comm, b->comm.comm);
        x.comm.comm = y.comm.comm = NULL;
    } else if (a->kind == FL_EV_FILE) {
        same_text(a->file.path, b->file.path);
        x.file.path = y.file.path = NULL;
    } else if (a->kind == FL_EV_CODE) {
        same_text(a->code.name, b->code.name);
        x.code.name = y.code.name = NULL;
    } else if (a->kind == FL_EV_NAME) {
        same_text(a->name.text, b->name.text);
        x.name.text = y.name.text = NULL;
    } else if (a->kind == FL_EV_PROBE) {
        same_text(a->probe.signature, b->probe.signature);
        x.probe.signature = y.probe.signature = NULL;
    } else if (a->kind == FL_EV_SNAPSHOT) {
        same_text(a->snapshot.text, b->snapshot.text);
        x.snapshot.text = y.snapshot.text = NULL;
    }
    /* Both came from zeroed events whose members were set one by one. */
    assert_memory_equal(&x.process, &y.process, sizeof x - offsetof(struct fl_event, process));
}

/* @next: of the batch's locations. */
static size_t same_location(const struct want *x, const struct fl_runs *runs, size_t i, size_t next)
{
    if (next < runs->n_codes && runs->codes[next].run == i) {
        assert_int_equal(runs->codes[next].code, x->code);
        assert_int_not_equal(x->code, FL_NO_CODE);
        return next + 1;
    }
    assert_true(!x->far || x->code == FL_NO_CODE);
    return next;
}

static void same_stream(struct model *m, struct fl_reader *r)
{
    struct fl_item item;
    struct fl_err err = { 0 };
    size_t at = 0;
    for (;;) {
        int rc = fl_reader_next(r, &item, &err);
        if (rc != FL_OK)
            print_error("%s\n", err.msg);
        assert_int_equal(rc, FL_OK);
        if (item.kind == FL_ITEM_END)
            break;
        if (item.kind == FL_ITEM_EVENT) {
            assert_true(at < m->n && m->list[at].is_event);
            same_event(&m->list[at++].ev, &item.event);
            continue;
        }
        assert_true(item.runs.n > 0 && item.runs.n <= 4096);
        size_t located = 0;
        for (size_t i = 0; i < item.runs.n; i++, at++) {
            assert_true(at < m->n && !m->list[at].is_event);
            const struct want *x = &m->list[at];
            uint32_t id = item.runs.page[i];
            assert_true(id < fl_reader_pages(r));
            assert_int_equal(item.runs.thread, x->thread);
            assert_int_equal(item.runs.actor, x->actor);
            assert_int_equal(id, x->id);
            assert_int_equal(fl_reader_page(r, id).mm, x->mm);
            assert_int_equal(fl_reader_page(r, id).vpn, x->vpn);
            assert_int_equal(item.runs.reads[i], x->r);
            assert_int_equal(item.runs.writes[i], x->w);
            assert_int_equal(item.runs.fetches[i], x->f);
            located = same_location(x, &item.runs, i, located);
        }
        assert_int_equal(located, item.runs.n_codes);
        m->located += located;
    }
    assert_int_equal(at, m->n);
}

static void same_totals(const struct fl_totals *a, const struct fl_totals *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

static void one_round(uint64_t seed, uint32_t block_runs, uint64_t spread, size_t steps)
{
    struct model m = { .seed = seed * 2654435761u + 1, .has_codes = seed % 4 != 0 };
    struct fl_writer *w;
    struct fl_reader *r;
    struct fl_err err;
    struct fl_writer_opts opts = { .block_runs = block_runs, .zstd_level = 1 };
    void *bytes;
    size_t len;
    assert_int_equal(fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, &opts, &w, &err), FL_OK);
    start_process(&m, w);
    for (size_t i = 0; i < steps; i++) {
        if (rnd(&m) % 8 == 0)
            any_event(&m, w);
        else
            any_runs(&m, w, spread, rnd(&m) % 100 ? rnd(&m) % 40 + 1 : 5000);
    }
    m.totals.address_spaces = m.mms;
    m.totals.files = m.files;
    m.totals.distinct_pages = m.n_pages;
    m.totals.duration_ns = m.time_ns;
    same_totals(fl_writer_totals(w), &m.totals);
    assert_int_equal(fl_writer_close(w, &bytes, &len, &err), FL_OK);

    for (unsigned flags = 0; flags <= FL_READ_PARTIAL; flags++) {
        assert_int_equal(fl_reader_open_mem(bytes, len, flags, &r, &err), FL_OK);
        assert_true(fl_reader_complete(r));
        assert_string_equal(fl_reader_damage(r), "");
        same_totals(fl_reader_totals(r), &m.totals);
        m.located = 0;
        same_stream(&m, r);
        assert_int_equal(fl_reader_pages(r), m.n_pages);
        assert_int_equal(fl_reader_has_codes(r), m.located > 0);
        assert_true(m.has_codes ? m.located > 0 || steps < 1200 : m.located == 0);
        assert_int_equal(fl_reader_rewind(r, &err), FL_OK);
        assert_int_equal(fl_reader_pages(r), m.n_pages);
        same_stream(&m, r);
        fl_reader_free(r);
    }
    free(bytes);
    free(m.list);
    free(m.pages);
}

static void streams_of_few_pages_come_back_as_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        one_round(seed, 0, 50, 1200);
}

static void streams_of_many_pages_come_back_as_they_were(void **state)
{
    (void)state;
    one_round(77, 0, 3000, 1200);
    one_round(78, 2000, 3000, 1200);
    one_round(79, 512, 100, 1200);
}

static void tiny_blocks_come_back_as_they_were(void **state)
{
    (void)state;
    for (uint32_t runs = 1; runs <= 7; runs++)
        one_round(100 + runs, runs, 200, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_few_pages_come_back_as_they_were),
        cmocka_unit_test(streams_of_many_pages_come_back_as_they_were),
        cmocka_unit_test(tiny_blocks_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
