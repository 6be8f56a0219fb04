/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why somebody was killed, in plain language, and as the kernel's own log would have it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "an.h"
#include "view.h"

#define ROWS_SHOWN_MAX 20u

static int64_t signed_of(const json_t *entry, const char *key)
{
    return json_integer_value(json_object_get(entry, key));
}

static uint64_t kib_of(const json_t *entry, const char *key, uint64_t page_bytes)
{
    return an_mul(an_count(entry, key), page_bytes) / 1024;
}

static const char *comm_of(const json_t *entry)
{
    const char *comm = fl_document_text(entry, "comm");
    return comm ? comm : "a process";
}

static const char *badness_words(const json_t *entry)
{
    static _Thread_local char bufs[4][32];
    static _Thread_local unsigned turn;
    int64_t n = signed_of(entry, "badness");
    char *buf = bufs[turn++ % 4];
    snprintf(buf, 32, "%s%s", n < 0 ? "-" : "", view_count(n < 0 ? 0 - (uint64_t)n : (uint64_t)n));
    return buf;
}

/* ---- in plain language -------------------------------------------------------------------- */

/* More text behind what there is; NULL when out of memory. */
static char *add(struct view_builder *b, char *text, char *more)
{
    char *both = text && more ? view_text(b, "%s%s", text, more) : NULL;
    free(text);
    free(more);
    return both;
}

static char *say_where(struct view_builder *b, const json_t *result, const json_t *kill)
{
    uint64_t ram = 0, swap = 0;
    bool has_ram = an_ram_limit(result, &ram);
    bool has_swap = fl_document_count(result, "machine.swap_bytes", &swap);
    return view_text(b,
                     "%s (process %" PRIu64 ") was killed after %s accesses: memory was needed, no "
                     "page of the %s of RAM could be freed, and %s. ",
                     comm_of(kill), an_count(kill, "pid"), view_count(an_count(kill, "at_access")),
                     has_ram ? view_bytes(ram) : "unlimited amount",
                     !has_swap ? "swap did not help"
                     : swap    ? "the swap was full"
                               : "there is no swap");
}

static char *say_parts(struct view_builder *b, const json_t *c, uint64_t page)
{
    uint64_t parts =
        an_count(c, "rss_pages") + an_count(c, "swap_pages") + an_count(c, "page_table_pages");
    int64_t adj = (int64_t)((uint64_t)signed_of(c, "badness") - parts);
    char *text = view_text(b, "Its badness of %s pages is %s resident, %s in swap, %s page tables",
                           badness_words(c), view_bytes(an_mul(an_count(c, "rss_pages"), page)),
                           view_bytes(an_mul(an_count(c, "swap_pages"), page)),
                           view_bytes(an_mul(an_count(c, "page_table_pages"), page)));
    return add(b, text,
               adj ? view_text(b, ", and %s%s pages for its oom_score_adj of %" PRId64 ". ",
                               adj < 0 ? "-" : "+",
                               view_count(adj < 0 ? 0 - (uint64_t)adj : (uint64_t)adj),
                               signed_of(c, "oom_score_adj"))
                   : view_text(b, ". "));
}

/* The one that would have gone next, and how many were exempt. */
static char *say_others(struct view_builder *b, const json_t *list, const json_t *victim)
{
    const json_t *v, *next = NULL;
    size_t i, exempt = 0;
    json_array_foreach(list, i, v)
    {
        bool safe = json_is_true(json_object_get(v, "protected"));
        exempt += safe;
        if (!next && !safe && v != victim)
            next = v;
    }
    char *text = next ? view_text(b,
                                  "It was the highest; %s (process %" PRIu64
                                  ") comes next with %s pages. ",
                                  comm_of(next), an_count(next, "pid"), badness_words(next))
                      : view_text(b, "Nobody else could be killed. ");
    return exempt ? add(b, text,
                        view_text(b, "%zu %s exempt, by oom_score_adj -1000 or as pid 1. ", exempt,
                                  exempt == 1 ? "process is" : "processes are"))
                  : text;
}

static char *say_saved(struct view_builder *b, const json_t *result)
{
    const json_t *saved = fl_document_at(result, "oom.saved_by");
    uint64_t ram, swap;
    if (!json_is_object(saved))
        return view_text(b, "%s", "");
    char *text = view_text(b, "It would have lived with");
    bool some = false;
    if (fl_document_count(saved, "ram_bytes", &ram)) {
        text = add(b, text, view_text(b, " %s of RAM", view_bytes(ram)));
        some = true;
    }
    if (fl_document_count(saved, "swap_bytes", &swap)) {
        text = add(b, text, view_text(b, "%s %s of swap", some ? ", or" : "", view_bytes(swap)));
        some = true;
    }
    if (json_is_integer(json_object_get(saved, "oom_score_adj"))) {
        text = add(b, text,
                   view_text(b, "%s an oom_score_adj of %" PRId64, some ? ", or" : "",
                             signed_of(saved, "oom_score_adj")));
        some = true;
    }
    return add(b, text, view_text(b, some ? ". " : " nothing that was tried. "));
}

static char *say_log(struct view_builder *b, const json_t *result, const json_t *c, uint64_t page)
{
    const char *scope = fl_document_text(result, "machine.scope");
    bool group = scope && strcmp(scope, "memcg") == 0;
    return view_text(
        b,
        "The kernel's log would say, with the user's id besides: \"%s: Killed process %" PRIu64
        " (%s) total-vm:%" PRIu64 "kB, anon-rss:%" PRIu64 "kB, file-rss:%" PRIu64
        "kB, shmem-rss:%" PRIu64 "kB, pgtables:%" PRIu64 "kB oom_score_adj:%" PRId64
        "\", after the tasks below.",
        group ? "Memory cgroup out of memory" : "Out of memory", an_count(c, "pid"), comm_of(c),
        kib_of(c, "virtual_pages", page), kib_of(c, "anon_pages", page),
        kib_of(c, "file_pages", page), kib_of(c, "shmem_pages", page),
        kib_of(c, "page_table_pages", page), signed_of(c, "oom_score_adj"));
}

/* ---- the dump of tasks ---------------------------------------------------------------------- */

static struct fl_table *tasks_table(const json_t *list, uint64_t page)
{
    static const char *const keys[] = { "pid",        "virtual_pages", "rss_pages", "anon_pages",
                                        "file_pages", "shmem_pages",   NULL,        "swap_pages" };
    static const char *const heads[] = { "pid",      "total_vm",  "rss",      "rss_anon",
                                         "rss_file", "rss_shmem", "pgtables", "swapents" };
    const json_t *v;
    size_t i;
    struct fl_table *t = fl_table_new("oom-tasks");
    for (size_t k = 0; k < sizeof heads / sizeof *heads; k++)
        fl_table_column(t, heads[k], keys[k] ? FL_UNIT_COUNT : FL_UNIT_BYTES, 0);
    fl_table_column(t, "oom_score_adj", FL_UNIT_TEXT, 0);
    fl_table_column(t, "name", FL_UNIT_TEXT, 0);
    json_array_foreach(list, i, v)
    {
        char adj[24];
        size_t row = fl_table_row(t);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if (keys[k])
                view_put_count(t, row, k, v, keys[k]);
        fl_table_put(t, row, 6, an_mul(an_count(v, "page_table_pages"), page));
        snprintf(adj, sizeof adj, "%" PRId64, signed_of(v, "oom_score_adj"));
        fl_table_text(t, row, 8, adj);
        fl_table_text(t, row, 9, comm_of(v));
        if (i + 1 == ROWS_SHOWN_MAX)
            break;
    }
    return t;
}

static const json_t *find_pid(const json_t *list, uint64_t pid)
{
    const json_t *v;
    size_t i;
    json_array_foreach(list, i, v) if (an_count(v, "pid") == pid) return v;
    return NULL;
}

void view_oom_why(struct view_builder *b, size_t i)
{
    const json_t *result = fl_report_result(b->report, i);
    const json_t *kill = json_array_get(fl_document_at(result, "oom.kills"), 0);
    const json_t *list = fl_document_at(result, "oom.candidates");
    const json_t *victim = kill ? find_pid(list, an_count(kill, "pid")) : NULL;
    uint64_t page = an_page_bytes(result);
    if (!victim || !json_object_get(victim, "virtual_pages"))
        return;
    char *text = say_where(b, result, kill);
    text = add(b, text, say_parts(b, victim, page));
    text = add(b, text, say_others(b, list, victim));
    text = add(b, text, say_saved(b, result));
    text = add(b, text, say_log(b, result, victim, page));
    if (text)
        view_list_with(b, i, "oom-why", "Why it was killed", text, tasks_table(list, page));
    free(text);
}
