/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_linux.h"

static bool differ(char *why, const char *what, uint64_t fast, uint64_t slow)
{
    snprintf(why, WHY_BYTES, "%s: fl_replay %" PRIu64 ", twin %" PRIu64, what, fast, slow);
    return false;
}

static bool same_kills(const struct fl_result *f, const struct naive_result *s, char *why)
{
    if (f->n_oom_kills != s->n_kills)
        return differ(why, "kills", f->n_oom_kills, s->n_kills);
    for (size_t i = 0; i < s->n_kills && i < NAIVE_KILLS_MAX; i++) {
        const struct fl_oom_kill *a = &f->oom_kills[i], *b = &s->kills[i];
        if (a->pid != b->pid)
            return differ(why, "killed pid", a->pid, b->pid);
        if (a->rss_pages != b->rss_pages)
            return differ(why, "resident pages of the killed", a->rss_pages, b->rss_pages);
        if (a->swap_pages != b->swap_pages)
            return differ(why, "swapped pages of the killed", a->swap_pages, b->swap_pages);
        if (a->badness != b->badness)
            return differ(why, "badness", (uint64_t)a->badness, (uint64_t)b->badness);
        if (a->at_access != b->at_access)
            return differ(why, "access of the kill", a->at_access, b->at_access);
    }
    return true;
}

#define SAME(field, in)                                        \
    do {                                                       \
        if (f->field != (in)->field)                           \
            return differ(why, #field, f->field, (in)->field); \
    } while (0)

static bool same(const struct fl_result *f, const struct naive_linux_result *s, char *why)
{
    const struct naive_result *r = &s->r;
    SAME(stat_flushes, s);
    if (!same_kills(f, r, why))
        return false;
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        if (f->faults[c] != r->faults[c])
            return differ(why, fl_cause_name((enum fl_cause)c), f->faults[c], r->faults[c]);
    SAME(minor, r);
    SAME(major, r);
    SAME(segv, r);
    SAME(evictions, r);
    SAME(pages_in, r);
    SAME(pages_out, r);
    SAME(swap_peak_pages, r);
    SAME(file_pages_read, r);
    SAME(file_pages_written, r);
    SAME(skipped_accesses, r);
    SAME(page_tables_peak, r);
    SAME(kernel_pages_peak, s);
    SAME(usage_peak, s);
    SAME(scanned, s);
    SAME(activated, s);
    SAME(deactivated, s);
    SAME(refaults, s);
    SAME(reclaims, s);
    SAME(readahead_pages, s);
    SAME(readahead_hits, s);
    SAME(file_readahead_pages, s);
    SAME(file_readahead_hits, s);
    return true;
}

static void add(struct naive_linux_result *sum, const struct naive_linux_result *s)
{
    for (int c = 0; c < FL_CAUSE_COUNT; c++)
        sum->r.faults[c] += s->r.faults[c];
    sum->r.n_kills += s->r.n_kills;
    sum->r.evictions += s->r.evictions;
    sum->r.pages_in += s->r.pages_in;
    sum->r.pages_out += s->r.pages_out;
    sum->r.file_pages_read += s->r.file_pages_read;
    sum->r.file_pages_written += s->r.file_pages_written;
    sum->activated += s->activated;
    sum->deactivated += s->deactivated;
    sum->refaults += s->refaults;
    sum->stat_flushes += s->stat_flushes;
    sum->readahead_pages += s->readahead_pages;
    sum->readahead_hits += s->readahead_hits;
    sum->file_readahead_pages += s->file_readahead_pages;
    sum->file_readahead_hits += s->file_readahead_hits;
}

/* 1 agree, 0 differ, -1 no trace. */
static int both(const struct item_list *list, const struct naive_linux_opts *opts,
                struct naive_linux_result *sum, char *why)
{
    struct fl_replay_opts fast_opts = { .frames = opts->limit,
                                        .swap_pages = opts->swap_pages,
                                        .policy = fl_policy_find("linux"),
                                        .machine = opts->machine,
                                        .costs = opts->costs,
                                        .kernel = &opts->kernel,
                                        .scope = "memcg",
                                        .no_tlb = true,
                                        .seed = opts->seed };
    struct fl_err err = { .msg = "" };
    struct fl_reader *reader = NULL;
    struct fl_result *fast = NULL;
    struct naive_linux_result *slow = malloc(sizeof *slow);
    void *bytes = NULL;
    size_t len = 0;
    int agree = -1;
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
    naive_linux_replay(list->at, list->n, opts, slow);
    agree = 0;
    if (slow->r.stuck && rc != FL_OK && rc != FL_EINTERNAL)
        agree = 1;
    else if (rc != FL_OK)
        snprintf(why, WHY_BYTES, "fl_replay fails: %.400s", err.msg);
    else if (slow->r.stuck)
        snprintf(why, WHY_BYTES, "fl_replay goes on though nobody is left to kill");
    else
        agree = same(fast, slow, why);
    if (sum)
        add(sum, slow);
out:
    fl_result_free(fast);
    fl_reader_free(reader);
    free(bytes);
    free(slow);
    return agree;
}

bool compare_linux(const struct item_list *list, const struct naive_linux_opts *opts,
                   struct naive_linux_result *sum, char why[WHY_BYTES])
{
    return both(list, opts, sum, why) == 1;
}

static bool try_without(struct item_list *list, size_t at, size_t n,
                        const struct naive_linux_opts *opts)
{
    char why[WHY_BYTES];
    struct item_list less = { 0 };
    for (size_t i = 0; i < list->n; i++) {
        if (i >= at && i < at + n)
            continue;
        if (list->at[i].is_run)
            item_list_run(&less, &list->at[i]);
        else
            item_list_event(&less, &list->at[i].event);
    }
    if (both(&less, opts, NULL, why) == 0) {
        item_list_free(list);
        *list = less;
        return true;
    }
    item_list_free(&less);
    return false;
}

void compare_linux_shrink(struct item_list *list, const struct naive_linux_opts *opts)
{
    for (size_t n = list->n / 2; n > 0; n /= 2)
        while (list->n > n && try_without(list, list->n - n, n, opts))
            ;
    for (size_t n = list->n / 2; n > 0; n /= 2)
        for (size_t at = 0; at < list->n;)
            if (!try_without(list, at, n, opts))
                at += n;
}
