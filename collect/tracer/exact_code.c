/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where code is: instructions to functions, as <faultline/places.h> finds them. Each is
 * looked up once, when its superblock is described; a function gets its id in the trace when
 * the first run begins in it.
 */
#include <stdlib.h>

#include <faultline/places.h>

#include "exact.h"

/* fl_exact_put() keeps the errors itself. */
static int put_event(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct fl_event timed = *ev;
    (void)err;
    fl_exact_put(ctx, &timed);
    return FL_OK;
}

bool fl_exact_codes_open(struct exact_recorder *x)
{
    struct fl_places_opts opts = { .emit = put_event, .ctx = x, .redact = x->redact };
    x->places = fl_places_new(&opts);
    return x->places != NULL;
}

void fl_exact_codes_close(struct exact_recorder *x)
{
    fl_places_free(x->places);
    x->places = NULL;
}

uint32_t fl_exact_functions(const struct exact_recorder *x)
{
    return x->places != NULL ? fl_places_functions(x->places) : 0;
}

/* ---- mappings ------------------------------------------------------------------- */

static void keep_error(struct exact_recorder *x, int rc, const struct fl_err *err)
{
    if (rc != FL_OK)
        fl_exact_fail(x, rc, err);
}

void fl_exact_code_map(struct exact_recorder *x, const struct exact_process *p,
                       const struct flr_map *m, uint32_t file, const char *path)
{
    struct fl_err err;
    struct fl_place_map map = { .space = p->space,
                                .file = file,
                                .start = m->start,
                                .length = m->length,
                                .offset = m->offset,
                                .path = path,
                                .dev = m->dev,
                                .ino = m->ino };
    if (x->places != NULL)
        keep_error(x, fl_places_map(x->places, &map, &err), &err);
}

void fl_exact_code_unmap(struct exact_recorder *x, const struct exact_process *p, uint64_t start,
                         uint64_t length)
{
    struct fl_err err;
    if (x->places != NULL)
        keep_error(x, fl_places_unmap(x->places, p->space, start, length, &err), &err);
}

/* @w: old start, old length, new start, new length. */
void fl_exact_code_remap(struct exact_recorder *x, const struct exact_process *p, const uint64_t *w)
{
    struct fl_err err;
    if (x->places != NULL)
        keep_error(x, fl_places_remap(x->places, p->space, w[0], w[1], w[2], w[3], &err), &err);
}

void fl_exact_code_begin(struct exact_recorder *x, const struct exact_process *p)
{
    struct fl_err err;
    if (x->places != NULL)
        keep_error(x, fl_places_process(x->places, p->space, p->pid, &err), &err);
}

uint32_t fl_exact_code_fork(struct exact_recorder *x, const struct exact_process *parent)
{
    struct fl_err err;
    uint32_t space = x->next_space++;
    if (x->places != NULL)
        keep_error(x, fl_places_fork(x->places, space, parent->space, &err), &err);
    return space;
}

void fl_exact_code_drop(struct exact_recorder *x, const struct exact_process *p)
{
    if (x->places != NULL)
        fl_places_drop(x->places, p->space);
}

/* ---- functions ------------------------------------------------------------------- */

void fl_exact_code_marks(struct exact_recorder *x, const struct exact_process *p,
                         struct exact_block *b, const uint64_t *marks, size_t n)
{
    uint32_t code = FL_NO_CODE;
    size_t op = 0;
    for (size_t i = 0; i < n && x->places != NULL; i++) {
        for (; op < FLR_MARK_OP(marks[i]) && op < b->n_ops; op++)
            b->codes[op] = code;
        code = fl_places_find(x->places, p->space, FLR_MARK_ADDRESS(marks[i]));
        if (code == FL_NO_CODE)
            fl_exact_nomem(x);
    }
    for (; op < b->n_ops; op++)
        b->codes[op] = code;
}

uint32_t fl_exact_code_traced(const struct exact_recorder *x, uint32_t place)
{
    return x->places == NULL || place == FL_NO_CODE ? FL_NO_CODE
                                                    : fl_places_defined(x->places, place);
}

bool fl_exact_code_known(const struct exact_recorder *x, uint32_t place)
{
    return x->places == NULL || place == FL_NO_CODE ||
           fl_places_defined(x->places, place) != FL_NO_CODE;
}

uint32_t fl_exact_code_id(struct exact_recorder *x, const struct exact_process *p, uint32_t place)
{
    struct fl_err err;
    uint32_t code = FL_NO_CODE;
    if (x->places == NULL || place == FL_NO_CODE)
        return FL_NO_CODE;
    int rc = fl_places_code(x->places, place, p->thread, &code, &err);
    keep_error(x, rc, &err);
    return code;
}
