/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a TLB loses to the kernel's work. A page whose accessed bit was cleared, but whose translation the
 * processor still has, is used without the bit being set: x86 sets it when it walks. So a child uses
 * some pages, we clear their bits from another processor (/proc/PID/clear_refs, which flushes
 * nothing), the child faults elsewhere and uses them again, and the bits that are set by then (Referenced
 * in /proc/PID/smaps) are the translations that were lost in between.
 */
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <faultline/cgroup.h>
#include <faultline/hostinfo.h>
#include <faultline/machine.h>
#include <faultline/trace.h>

#include "cal.h"

enum {
    KEPT = 512,   /* pages watched: more than a first-level TLB has entries, fewer than a second */
    FRESH = 64,   /* new pages of one sample */
    TOUCHES = 80, /* of pages half of which are on swap, of one sample */
    REPS = 60,
    HEAP = FL_CALIBRATE_HEAP_PAGES,
};

enum request { NOTHING, WARM, IDLE, NEW_PAGES, FILL, SWAPPED };

/* What we and the child share. */
struct desk {
    atomic_int request; /* back to NOTHING when it is done */
    char *kept;
    uint64_t major; /* faults of the last SWAPPED */
};

struct samples {
    double lost[REPS]; /* shares */
    uint64_t majors, outs;
};

/* ---- the child ------------------------------------------------------------------------------ */

/* A line of each page, not always the same: no cache set gets more than its share. */
static void use_kept(const struct desk *d)
{
    for (size_t i = 0; i < KEPT; i++)
        (void)*(const volatile char *)(d->kept + i * FL_PAGE_BYTES + i * 29 % 64 * 64);
}

static void new_pages(const struct desk *d)
{
    char *at = cal_map(FRESH);
    if (at)
        cal_write(at, FRESH);
    use_kept(d);
    cal_unmap(at, FRESH);
}

static void swapped(struct desk *d, const char *heap, uint64_t *x)
{
    uint64_t before = cal_faults(true);
    for (size_t i = 0; i < TOUCHES; i++) {
        cal_read(heap + cal_random(x) % HEAP * FL_PAGE_BYTES, 1);
    }
    use_kept(d);
    d->major = cal_faults(true) - before;
}

static _Noreturn void serve(struct desk *d, char *heap)
{
    uint64_t x = 88172645463325252u;
    for (;;) {
        int request;
        while ((request = atomic_load(&d->request)) == NOTHING)
            ;
        for (int i = 0; request == WARM && i < 4; i++)
            use_kept(d);
        if (request == IDLE)
            use_kept(d);
        else if (request == NEW_PAGES)
            new_pages(d);
        else if (request == FILL)
            cal_fill(heap, HEAP, &x);
        else if (request == SWAPPED)
            swapped(d, heap, &x);
        atomic_store(&d->request, NOTHING);
    }
}

/* Until it is killed; returns where it cannot begin. */
static int child(struct desk *d, const struct fl_cgroup *group)
{
    char *kept = cal_map(KEPT + 2), *heap = cal_map(HEAP);
    if (fl_cgroup_join(group, NULL) != FL_OK || !kept || !heap ||
        mprotect(kept, FL_PAGE_BYTES, PROT_NONE) != 0 || /* a mapping of its own in smaps */
        mprotect(kept + (KEPT + 1) * FL_PAGE_BYTES, FL_PAGE_BYTES, PROT_NONE) != 0 ||
        mlock(kept + FL_PAGE_BYTES, KEPT * FL_PAGE_BYTES) != 0)
        return 1;
    d->kept = kept + FL_PAGE_BYTES;
    atomic_store(&d->request, NOTHING);
    serve(d, heap);
}

/* ---- ours ------------------------------------------------------------------------------------- */

struct watch {
    struct desk *desk;
    pid_t pid;
    int clear_refs, smaps;
};

/* It stays ours to wait for, so that nobody else gets its number. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = { .si_pid = 0 };
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

/* false: the child has ended. */
static bool ask(const struct watch *w, enum request request)
{
    if (request != NOTHING)
        atomic_store(&w->desk->request, (int)request);
    for (unsigned n = 1; atomic_load(&w->desk->request) != NOTHING; n++)
        if (n % (1u << 20) == 0 && has_ended(w->pid))
            return false;
    return true;
}

/* How many of the watched pages have their bit set; -1: the kernel does not say. */
static int accessed(const struct watch *w)
{
    static char text[1 << 16];
    char key[40];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text - 1 &&
           (got = pread(w->smaps, text + n, sizeof text - 1 - n, (off_t)n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    snprintf(key, sizeof key, "%lx-", (unsigned long)(uintptr_t)w->desk->kept);
    const char *at = strstr(text, key);
    at = at ? strstr(at, "Referenced:") : NULL;
    return at ? atoi(at + sizeof "Referenced:" - 1) / (int)(FL_PAGE_BYTES / 1024) : -1;
}

static bool sample(const struct watch *w, enum request request, struct samples *s, unsigned rep)
{
    struct fl_vm_counts before, after;
    int lost;
    if (!ask(w, WARM) || pwrite(w->clear_refs, "1", 1, 0) != 1 ||
        fl_vm_counts_read(&before, NULL) != FL_OK || !ask(w, request) ||
        fl_vm_counts_read(&after, NULL) != FL_OK || (lost = accessed(w)) < 0)
        return false;
    s->lost[rep] = (double)lost / KEPT;
    s->majors += w->desk->major;
    s->outs += fl_vm_swap_out(&after) - fl_vm_swap_out(&before);
    return true;
}

static int by_share(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Putting one page out may lose everything: where the host of a virtual machine backs large pages of
   the kernel's by small ones, an Intel processor flushes all for any page (docs/model-linux.md, 22). */
static bool loses_all(const struct samples *s)
{
    unsigned n = 0;
    for (unsigned rep = 0; rep < REPS; rep++)
        n += s->lost[rep] > 0.9;
    return n > REPS / 10;
}

/* The first quartile: what the work itself loses, not what else the machine did meanwhile. */
static double lost_share(struct samples *s)
{
    qsort(s->lost, REPS, sizeof s->lost[0], by_share);
    return s->lost[REPS / 4];
}

/* Entries displaced by a sample of @request more than by nothing, each entry with the same chance
   each time: a share of exp(-displaced / entries) is left. Negative: cannot be told. */
static double displaced(const struct watch *w, enum request request, uint32_t entries,
                        struct samples *s)
{
    struct samples idle = { .majors = 0 };
    *s = (struct samples){ .majors = 0 };
    for (unsigned rep = 0; rep < REPS; rep++)
        if (!sample(w, IDLE, &idle, rep) || !sample(w, request, s, rep))
            return -1;
    if (loses_all(s))
        return -1;
    double left = (1 - lost_share(s)) / (1 - lost_share(&idle));
    if (left <= 0 || left > 1.05) /* more by nothing than by this: it is the machine's other work */
        return -1;
    return left < 1 ? -log(left) * entries : 0;
}

static void measure(const struct watch *w, uint32_t entries, struct fl_tlb_kept *out)
{
    struct samples s;
    if (!ask(w, NOTHING))
        return;
    double by_new = displaced(w, NEW_PAGES, entries, &s) / FRESH;
    if (by_new < 0 || !ask(w, FILL))
        return;
    double by_swapped = displaced(w, SWAPPED, entries, &s) * REPS;
    if (by_swapped < 0 || !s.majors || !s.outs)
        return;
    double by_out = (by_swapped - by_new * (double)s.majors) / (double)s.outs;
    *out = (struct fl_tlb_kept){ .entries = entries,
                                 .per_fault = (uint32_t)lround(by_new),
                                 .per_page_out = (uint32_t)lround(by_out > 0 ? by_out : 0) };
}

/* The most 4 KiB entries for data that one level has; 0: not known. */
static uint32_t tlb_entries(void)
{
    struct fl_meta *meta = fl_meta_new();
    struct fl_machine *m = NULL;
    uint32_t most = 0;
    if (meta && fl_host_meta(meta, NULL) == FL_OK &&
        fl_machine_host(fl_meta_get(meta, "host.tlb"), &m, NULL) == FL_OK)
        for (uint32_t i = 0; i < m->n_tlb; i++)
            if (m->tlb[i].role != FL_TLB_FETCH && fl_tlb_holds(&m->tlb[i], FL_PAGE_4K) &&
                m->tlb[i].entries > most)
                most = m->tlb[i].entries;
    fl_machine_free(m);
    fl_meta_free(meta);
    return most;
}

static int proc_file(pid_t pid, const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return open(path, flags | O_CLOEXEC);
}

/* The child never runs but on @on: one that has is flushed whole by each reclaim. */
static void with_child(const struct fl_cgroup *group, struct desk *d, const cpu_set_t *on,
                       const cpu_set_t *off, struct fl_tlb_kept *out)
{
    uint32_t entries = tlb_entries();
    if (!entries || sched_setaffinity(0, sizeof *on, on) != 0)
        return;
    struct watch w = { .desk = d, .pid = fork() };
    if (w.pid == 0)
        _exit(child(d, group));
    if (w.pid > 0 && sched_setaffinity(0, sizeof *off, off) == 0) {
        w.clear_refs = proc_file(w.pid, "clear_refs", O_WRONLY);
        w.smaps = proc_file(w.pid, "smaps", O_RDONLY);
        if (w.clear_refs >= 0 && w.smaps >= 0)
            measure(&w, entries, out);
        if (w.clear_refs >= 0)
            close(w.clear_refs);
        if (w.smaps >= 0)
            close(w.smaps);
    }
    if (w.pid > 0) {
        kill(w.pid, SIGKILL);
        waitpid(w.pid, NULL, 0);
    }
}

void fl_calibrate_tlb(const struct fl_cgroup *group, struct fl_tlb_kept *out)
{
    cpu_set_t all, one[2];
    size_t n = 0;
    struct desk *d =
        mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (d == MAP_FAILED)
        return;
    *d = (struct desk){
        .request = WARM,
    };
    if (sched_getaffinity(0, sizeof all, &all) == 0) {
        for (size_t cpu = 0; cpu < CPU_SETSIZE && n < FL_COUNT(one); cpu++)
            if (CPU_ISSET(cpu, &all)) {
                CPU_ZERO(&one[n]);
                CPU_SET(cpu, &one[n++]);
            }
        if (n == FL_COUNT(one))
            with_child(group, d, &one[1], &one[0], out);
        sched_setaffinity(0, sizeof all, &all);
    }
    munmap(d, sizeof *d);
}
