/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

static bool differ(char *why, const char *what, uint64_t fast, uint64_t slow)
{
    snprintf(why, WHY_BYTES, "%s: fl_replay %" PRIu64 ", twin %" PRIu64, what, fast, slow);
    return false;
}

static bool same_counts(const struct fl_tlb_counts *a, const struct fl_tlb_counts *b, uint32_t n,
                        char *why)
{
    for (; n-- > 0; a++, b++) {
        char what[64];
        if (strcmp(a->name, b->name) != 0)
            return differ(why, "name of a TLB level or walk cache", n, n);
        snprintf(what, sizeof what, "%s lookups", b->name);
        if (a->lookups != b->lookups)
            return differ(why, what, a->lookups, b->lookups);
        snprintf(what, sizeof what, "%s hits", b->name);
        if (a->hits != b->hits)
            return differ(why, what, a->hits, b->hits);
        snprintf(what, sizeof what, "%s misses", b->name);
        if (a->misses != b->misses)
            return differ(why, what, a->misses, b->misses);
    }
    return true;
}

static bool same_flushes(const struct fl_result *f, const struct naive_result *s, char *why)
{
    for (int kind = 0; kind < FL_FLUSH_KINDS; kind++)
        if (f->tlb_flushes_by[kind] != s->tlb_flushes_by[kind])
            return differ(why, fl_flush_name((enum fl_flush_kind)kind), f->tlb_flushes_by[kind],
                          s->tlb_flushes_by[kind]);
    return true;
}

static bool same_kills(const struct fl_result *f, const struct naive_result *s, char *why)
{
    if (f->n_oom_kills != s->n_kills)
        return differ(why, "kills", f->n_oom_kills, s->n_kills);
    for (size_t i = 0; i < s->n_kills; i++) {
        const struct fl_oom_kill *a = &f->oom_kills[i], *b = &s->kills[i];
        if (a->pid != b->pid)
            return differ(why, "killed pid", a->pid, b->pid);
        if (a->badness != b->badness)
            return differ(why, "badness", (uint64_t)a->badness, (uint64_t)b->badness);
        if (a->rss_pages != b->rss_pages)
            return differ(why, "resident pages of the killed", a->rss_pages, b->rss_pages);
        if (a->swap_pages != b->swap_pages)
            return differ(why, "swapped pages of the killed", a->swap_pages, b->swap_pages);
        if (a->at_access != b->at_access)
            return differ(why, "access of the kill", a->at_access, b->at_access);
        if (strncmp(a->comm, b->comm, sizeof a->comm) != 0) {
            snprintf(why, WHY_BYTES, "killed comm: fl_replay %.16s, twin %.16s", a->comm, b->comm);
            return false;
        }
    }
    return true;
}

#define SAME(field)                                         \
    do {                                                    \
        if (f->field != s->field)                           \
            return differ(why, #field, f->field, s->field); \
    } while (0)

static bool same(const struct fl_result *f, const struct naive_result *s, char *why)
{
    if (!same_kills(f, s, why))
        return false;
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        if (f->faults[c] != s->faults[c])
            return differ(why, fl_cause_name((enum fl_cause)c), f->faults[c], s->faults[c]);
    SAME(minor);
    SAME(major);
    SAME(segv);
    SAME(evictions);
    SAME(pages_in);
    SAME(pages_out);
    SAME(swap_peak_pages);
    SAME(file_pages_read);
    SAME(file_pages_written);
    SAME(resident_peak_pages);
    SAME(unlimited_peak_pages);
    SAME(page_tables_peak);
    SAME(flat_bytes_avoided);
    SAME(shared_pages);
    SAME(saved_pages);
    SAME(skipped_accesses);
    SAME(n_tlb);
    SAME(n_walk);
    if (!same_flushes(f, s, why))
        return false;
    SAME(tlb_flushes);
    SAME(tlb_page_flushes);
    SAME(walks);
    SAME(walk_refs);
    return same_counts(f->tlb, s->tlb, s->n_tlb, why) &&
           same_counts(f->walk, s->walk, s->n_walk, why);
}

bool compare_sane(const struct fl_result *r, char why[WHY_BYTES])
{
    uint64_t faults = 0, rows_faults = 0, rows_evictions = 0, rows_out = 0, rows_walks = 0;
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        faults += r->faults[c];
    for (size_t i = 0; i < r->n_rows; i++) {
        for (int c = 0; c < FL_CAUSE_COUNT; c++)
            rows_faults += r->rows[i].faults[c];
        rows_evictions += r->rows[i].evictions;
        rows_out += r->rows[i].pages_out;
        rows_walks += r->rows[i].tlb_misses;
        if (r->rows[i].resident_pages > r->resident_peak_pages)
            return differ(why, "row's residents over peak", r->rows[i].resident_pages,
                          r->resident_peak_pages);
    }
    if (r->minor + r->major != faults)
        return differ(why, "minor + major against causes", r->minor + r->major, faults);
    if (r->major != r->faults[FL_CAUSE_SWAP_IN] + r->faults[FL_CAUSE_FILE_READ])
        return differ(why, "major against causes", r->major, r->faults[FL_CAUSE_SWAP_IN]);
    if (r->pages_in != r->faults[FL_CAUSE_SWAP_IN])
        return differ(why, "pages_in against swap_in", r->pages_in, r->faults[FL_CAUSE_SWAP_IN]);
    if (r->resident_peak_pages > r->opts.frames)
        return differ(why, "more residents than frames", r->resident_peak_pages, r->opts.frames);
    if (r->swap_peak_pages > r->opts.swap_pages)
        return differ(why, "more slots than swap", r->swap_peak_pages, r->opts.swap_pages);
    if (r->n_rows > FL_TIMELINE_ROWS_MAX)
        return differ(why, "timeline rows", r->n_rows, FL_TIMELINE_ROWS_MAX);
    if (rows_faults != faults)
        return differ(why, "timeline's faults", rows_faults, faults);
    if (rows_evictions != r->evictions)
        return differ(why, "timeline's evictions", rows_evictions, r->evictions);
    if (rows_out != r->pages_out)
        return differ(why, "timeline's pages_out", rows_out, r->pages_out);
    if (rows_walks != r->walks)
        return differ(why, "timeline's walks", rows_walks, r->walks);
    return true;
}

bool compare_replays(const struct item_list *list, const struct naive_opts *opts,
                     char why[WHY_BYTES])
{
    struct fl_replay_opts fast_opts = { .frames = opts->frames,
                                        .swap_pages = opts->swap_pages,
                                        .policy = fl_policy_find(opts->policy),
                                        .machine = opts->machine,
                                        .no_tlb = opts->no_tlb,
                                        .seed = opts->seed };
    struct fl_err err = { .msg = "" };
    struct fl_reader *reader = NULL;
    struct fl_result *fast = NULL;
    struct naive_result *slow = malloc(sizeof *slow);
    void *bytes = NULL;
    size_t len = 0;
    bool agree = false;

    if (!slow)
        abort();
    int rc = item_list_trace(list, &bytes, &len, &err);
    if (rc == FL_OK)
        rc = fl_reader_open_mem(bytes, len, 0, &reader, &err);
    if (rc != FL_OK) {
        snprintf(why, WHY_BYTES, "the trace itself: %.400s", err.msg);
        goto out;
    }
    rc = fl_replay(reader, &fast_opts, &fast, &err);
    naive_replay(list->at, list->n, opts, slow);
    if (slow->stuck && rc != FL_OK && rc != FL_EINTERNAL)
        agree = true;
    else if (rc != FL_OK)
        snprintf(why, WHY_BYTES, "fl_replay fails: %.400s", err.msg);
    else if (slow->stuck)
        snprintf(why, WHY_BYTES, "fl_replay goes on though nobody is left to kill");
    else
        agree = compare_sane(fast, why) && same(fast, slow, why);
out:
    fl_result_free(fast);
    fl_reader_free(reader);
    free(bytes);
    free(slow);
    return agree;
}

/* ---- reproducers --------------------------------------------------------------- */

/* Without this the rest is still plausible. */
static bool can_go(const struct naive_item *item)
{
    return item->is_run || item->event.kind == FL_EV_PROTECT || item->event.kind == FL_EV_ADVISE ||
           item->event.kind == FL_EV_COMM || item->event.kind == FL_EV_OOM_ADJ;
}

/* @list without items [at, at + n) that can go, and only up to @end. */
static struct item_list without(const struct item_list *list, size_t at, size_t n, size_t end)
{
    struct item_list out = { 0 };
    for (size_t i = 0; i < list->n && i < end; i++) {
        if (i >= at && i < at + n && can_go(&list->at[i]))
            continue;
        if (list->at[i].is_run)
            item_list_run(&out, &list->at[i]);
        else
            item_list_event(&out, &list->at[i].event);
    }
    return out;
}

static bool try_shorter(struct item_list *list, size_t at, size_t n, size_t end,
                        const struct naive_opts *opts)
{
    char why[WHY_BYTES];
    struct item_list less = without(list, at, n, end);
    if (less.n < list->n && !compare_replays(&less, opts, why)) {
        item_list_free(list);
        *list = less;
        return true;
    }
    item_list_free(&less);
    return false;
}

void compare_shrink(struct item_list *list, const struct naive_opts *opts)
{
    for (size_t cut = list->n / 2; cut > 0; cut /= 2)
        while (list->n > cut && try_shorter(list, 0, 0, list->n - cut, opts))
            ;
    for (size_t n = list->n / 2; n > 0; n /= 2)
        for (size_t at = 0; at < list->n;)
            if (!try_shorter(list, at, n, SIZE_MAX, opts))
                at += n;
}

static void print_event(const struct fl_event *e)
{
    switch (e->kind) {
    case FL_EV_PROCESS:
        fprintf(stderr, "process pid %u ppid %u mm %u copied %d adj %d\n", e->process.pid,
                e->process.ppid, e->process.mm, (int)e->process.copied_mm,
                e->process.oom_score_adj);
        break;
    case FL_EV_THREAD:
        fprintf(stderr, "thread %u of pid %u\n", e->thread, e->thread_start.pid);
        break;
    case FL_EV_EXEC: fprintf(stderr, "exec pid %u mm %u\n", e->exec.pid, e->exec.mm); break;
    case FL_EV_EXIT: fprintf(stderr, "exit pid %u\n", e->exit.pid); break;
    case FL_EV_MAP:
        fprintf(stderr,
                "map mm %u %#" PRIx64 "+%" PRIu64 " prot %u flags %#x file %d off %" PRIu64 "\n",
                e->map.mm, e->map.start >> 12, e->map.length >> 12, e->map.prot, e->map.flags,
                (int)e->map.file, e->map.offset >> 12);
        break;
    case FL_EV_UNMAP:
        fprintf(stderr, "unmap mm %u %#" PRIx64 "+%" PRIu64 "\n", e->unmap.mm, e->unmap.start >> 12,
                e->unmap.length >> 12);
        break;
    case FL_EV_PROTECT:
        fprintf(stderr, "protect mm %u %#" PRIx64 "+%" PRIu64 " prot %u\n", e->protect.mm,
                e->protect.start >> 12, e->protect.length >> 12, e->protect.prot);
        break;
    case FL_EV_REMAP:
        fprintf(stderr, "remap mm %u %#" PRIx64 "+%" PRIu64 " to %#" PRIx64 "+%" PRIu64 "\n",
                e->remap.mm, e->remap.old_start >> 12, e->remap.old_length >> 12,
                e->remap.new_start >> 12, e->remap.new_length >> 12);
        break;
    case FL_EV_ADVISE:
        fprintf(stderr, "advise mm %u %#" PRIx64 "+%" PRIu64 " advice %u\n", e->advise.mm,
                e->advise.start >> 12, e->advise.length >> 12, e->advise.advice);
        break;
    case FL_EV_OOM_ADJ:
        fprintf(stderr, "oom_adj pid %u %d\n", e->oom_adj.pid, e->oom_adj.oom_score_adj);
        break;
    case FL_EV_FILE_IO:
        fprintf(stderr, "io file %u op %u flags %u bytes %" PRIu64 "+%" PRId64 "\n",
                e->file_io.file, e->file_io.op, e->file_io.flags, e->file_io.offset,
                (int64_t)e->file_io.length);
        break;
    case FL_EV_RESIDENT:
        fprintf(stderr, "resident file %u page %" PRIu64 "+%" PRIu64 " read-ahead %u\n",
                e->resident.file, e->resident.offset >> 12, e->resident.length >> 12,
                e->resident.read_ahead_pages);
        break;
    case FL_EV_THREAD_EXIT: fprintf(stderr, "thread-exit %u\n", e->thread); break;
    case FL_EV_FILE: fprintf(stderr, "file %u %s\n", e->file.file, e->file.path); break;
    default: fprintf(stderr, "event kind %d\n", (int)e->kind); break;
    }
}

void compare_print(const struct item_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct naive_item *it = &list->at[i];
        fprintf(stderr, "%4zu ", i);
        if (it->is_run)
            fprintf(stderr, "run thread %u %s mm %u page %#" PRIx64 " r%u w%u f%u\n", it->thread,
                    it->actor == FL_ACTOR_USER ? "user" : "kernel", it->mm, it->vpn, it->reads,
                    it->writes, it->fetches);
        else
            print_event(&it->event);
    }
}
