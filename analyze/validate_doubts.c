/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may make measured and predicted differ, apart from the model. */
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>

#include "validate.h"

/* The first line of @path contains @word. */
static bool says(const char *path, const char *word)
{
    char line[256];
    FILE *f = fopen(path, "re");
    bool yes = f && fgets(line, sizeof line, f) && strstr(line, word);
    if (f)
        fclose(f);
    return yes;
}

static int number_in(const char *path)
{
    int n = -1;
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%d", &n) != 1)
        n = -1;
    if (f)
        fclose(f);
    return n;
}

void validate_look(struct validate *v)
{
    glob_t found;
    struct validate_host *h = &v->host;
    if (glob("/sys/kernel/mm/damon/admin/kdamonds/*/state", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            h->damon = h->damon || says(found.gl_pathv[i], "on");
        globfree(&found);
    }
    h->thp_always = says("/sys/kernel/mm/transparent_hugepage/enabled", "[always]");
    h->mglru = says("/sys/kernel/mm/lru_gen/enabled", "0x") &&
               !says("/sys/kernel/mm/lru_gen/enabled", "0x0000");
    h->page_cluster = number_in("/proc/sys/vm/page-cluster");
    h->zswap = says("/sys/module/zswap/parameters/enabled", "Y");
}

static void machine_doubts(const struct validate *v, json_t *q)
{
    char text[160];
    if (v->host.damon)
        fl_quality_add(q, "damon", "DAMON runs and may page out memory that lies idle");
    if (v->host.thp_always)
        fl_quality_add(q, "thp_always", "the kernel gives huge pages without being asked");
    if (v->host.mglru)
        fl_quality_add(q, "mglru", "the kernel reclaims by multi-generational LRU");
    if (v->host.zswap)
        fl_quality_add(q, "zswap", "zswap is on: pages to swap go through its pool first");
    if (v->swap.was_on)
        fl_quality_add(q, "swap_was_on",
                       "swap was on already: what others swap counts as the command's");
    if (v->swap.was_on && v->swap.devices > 1)
        fl_quality_add(q, "swap_devices", "more than one swap device is on");
    if (!v->aligned)
        fl_quality_add(q, "unaligned", v->unaligned);
    if (v->foreign_swaps) {
        snprintf(text, sizeof text, "%" PRIu64 " pages were swapped while no run was on",
                 v->foreign_swaps);
        fl_quality_add(q, "foreign_swap", text);
    }
}

static bool same_end(int a, int b)
{
    return WIFSIGNALED(a) == WIFSIGNALED(b) &&
           (WIFSIGNALED(a) ? WTERMSIG(a) == WTERMSIG(b) : WEXITSTATUS(a) == WEXITSTATUS(b));
}

/* Limits at which some runs had a process killed and others had none. */
static unsigned undecided(const struct validate *v)
{
    unsigned n = 0;
    for (size_t i = 0; i < v->n_points; i++) {
        unsigned killed = validate_killed(&v->points[i]);
        n += killed > 0 && killed < v->points[i].n_runs;
    }
    return n;
}

static void run_doubts(const struct validate *v, json_t *q)
{
    uint64_t zero = 0, outlived = v->native.outlived, other_end = 0, timeouts = 0;
    char text[160];
    for (size_t i = 0; i < v->n_points; i++) {
        timeouts += v->points[i].timeouts;
        for (unsigned j = 0; j < v->points[i].n_runs; j++) {
            const struct fl_run *run = &v->points[i].runs[j];
            const struct fl_vm_counts *swap = fl_run_swap(run);
            zero += swap->count[FL_VM_swpin_zero] + swap->count[FL_VM_swpout_zero];
            outlived += run->outlived;
            other_end += !run->oom_kills && !same_end(run->wait_status, v->native.wait_status);
        }
    }
    if (zero) {
        snprintf(text, sizeof text, "%" PRIu64 " pages of zeros were swapped without I/O", zero);
        fl_quality_add(q, "zero_pages", text);
    }
    if (undecided(v)) {
        snprintf(text, sizeof text, "at %u of %zu limits the kernel killed in some runs only",
                 undecided(v), v->n_points);
        fl_quality_add(q, "oom_by_chance", text);
    }
    if (outlived) {
        snprintf(text, sizeof text, "%" PRIu64 " processes outlived the command and were killed",
                 outlived);
        fl_quality_add(q, "outlived", text);
    }
    if (other_end) {
        snprintf(text, sizeof text, "%" PRIu64 " runs ended with another status than without limit",
                 other_end);
        fl_quality_add(q, "other_status", text);
    }
    if (timeouts) {
        snprintf(text, sizeof text,
                 "a run exceeded --timeout and was killed at %" PRIu64 " of %zu limits", timeouts,
                 v->n_points);
        fl_quality_add(q, "timeout", text);
    }
}

static bool has_flag(const json_t *quality, const char *flag)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(quality, i, entry)
    {
        const char *there = json_string_value(json_object_get(entry, "flag"));
        if (there && flag && strcmp(there, flag) == 0)
            return true;
    }
    return false;
}

/* What there was to doubt when the runs were made. */
static void earlier_doubts(const struct validate *v, json_t *quality)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(v->measured, "quality"), i, entry)
    {
        if (!has_flag(quality, json_string_value(json_object_get(entry, "flag"))))
            json_array_append(quality, entry);
    }
}

void validate_doubts(const struct validate *v, json_t *quality)
{
    char text[160];
    if (v->measured) {
        earlier_doubts(v, quality);
        return;
    }
    machine_doubts(v, quality);
    if (!same_end(v->native.wait_status, 0)) {
        bool killed = WIFSIGNALED(v->native.wait_status);
        snprintf(text, sizeof text, "without a limit the command ended with %s %d",
                 killed ? "signal" : "status",
                 killed ? WTERMSIG(v->native.wait_status) : WEXITSTATUS(v->native.wait_status));
        fl_quality_add(quality, "failed_command", text);
    }
    run_doubts(v, quality);
}
