/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <faultline/locality.h>

#include "random_trace.h"

static struct naive_item *item_list_new(struct item_list *list)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->at = realloc(list->at, list->cap * sizeof *list->at);
        if (!list->at)
            abort();
    }
    return &list->at[list->n++];
}

void item_list_event(struct item_list *list, const struct fl_event *ev)
{
    struct naive_item item = { .is_run = false, .event = *ev };
    item.event.time_ns = list->n * 1000;
    *item_list_new(list) = item;
}

void item_list_run(struct item_list *list, const struct naive_item *run)
{
    struct naive_item *last = list->n ? &list->at[list->n - 1] : NULL;
    if (last && last->is_run && last->thread == run->thread && last->actor == run->actor &&
        last->mm == run->mm && last->vpn == run->vpn) {
        last->reads += run->reads;
        last->writes += run->writes;
        last->fetches += run->fetches;
        return;
    }
    struct naive_item item = *run;
    item.is_run = true;
    *item_list_new(list) = item;
}

void item_list_free(struct item_list *list)
{
    free(list->at);
    *list = (struct item_list){ 0 };
}

int item_list_trace(const struct item_list *list, void **bytes, size_t *len_bytes,
                    struct fl_err *err)
{
    struct fl_writer *w = NULL;
    /* Small blocks, so that even a short list has several. */
    struct fl_writer_opts opts = { .block_runs = 64, .zstd_level = 1 };
    int rc = fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, &opts, &w, err);
    for (size_t i = 0; rc == FL_OK && i < list->n; i++) {
        const struct naive_item *it = &list->at[i];
        if (it->has_code)
            fl_writer_code(w, it->thread, it->code);
        rc = it->is_run ? fl_writer_run(w, it->thread, it->actor, it->mm, it->vpn, it->reads,
                                        it->writes, it->fetches, err)
                        : fl_writer_event(w, &it->event, err);
    }
    if (rc != FL_OK) {
        fl_writer_abandon(w);
        return rc;
    }
    return fl_writer_close(w, bytes, len_bytes, err);
}

struct fl_locality *item_list_locality(const struct item_list *list)
{
    struct fl_reader *r = NULL;
    struct fl_locality *l = NULL;
    struct fl_err err = { .msg = "" };
    void *bytes = NULL;
    size_t len = 0;
    if (item_list_trace(list, &bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(bytes, len, 0, &r, &err) != FL_OK ||
        fl_locality(r, NULL, NULL, &l, &err) != FL_OK)
        fail_msg("%s", err.msg);
    fl_reader_free(r);
    free(bytes);
    return l;
}
