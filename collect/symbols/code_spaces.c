/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address spaces, and which file is mapped where in them. */
#include <stdlib.h>
#include <string.h>

#include "code_places.h"

void space_free(struct space *s)
{
    if (s)
        ranges_free(&s->ranges);
    free(s);
}

/* The space, made if need be; NULL: out of memory. */
static struct space *space_of(struct fl_places *p, uint32_t space)
{
    if (space >= p->n_spaces) {
        size_t n = 2 * (size_t)space + 16;
        struct space **grown = realloc(p->spaces, n * sizeof(struct space *));
        if (!grown)
            return NULL;
        for (size_t i = p->n_spaces; i < n; i++)
            grown[i] = NULL;
        p->spaces = grown;
        p->n_spaces = n;
    }
    struct space *s = p->spaces[space];
    if (!s && (s = calloc(1, sizeof *s)) != NULL) {
        s->users = s->generation = 1;
        p->spaces[space] = s;
    }
    return s;
}

/* What was looked up in @s may be wrong now. */
static void forget(struct fl_places *p, struct space *s)
{
    if (p->last.space == s)
        p->last.space = NULL;
    if (++s->generation == 0) {
        memset(s->cache, 0, sizeof s->cache);
        s->generation = 1;
    }
}

int fl_places_fork(struct fl_places *p, uint32_t space, uint32_t from, struct fl_err *err)
{
    struct space *s = space_of(p, space), *parent = space_find(p, from);
    if (!s)
        return places_nomem(err);
    forget(p, s);
    ranges_free(&s->ranges);
    if (parent && !ranges_copy(&s->ranges, &parent->ranges))
        return places_nomem(err);
    return FL_OK;
}

int fl_places_share(struct fl_places *p, uint32_t space, struct fl_err *err)
{
    struct space *s = space_of(p, space);
    if (!s)
        return places_nomem(err);
    s->users++;
    return FL_OK;
}

void fl_places_drop(struct fl_places *p, uint32_t space)
{
    struct space *s = space_find(p, space);
    if (!s || --s->users > 0)
        return;
    forget(p, s);
    space_free(s);
    p->spaces[space] = NULL;
}

int fl_places_process(struct fl_places *p, uint32_t space, uint32_t pid, struct fl_err *err)
{
    struct space *s = space_of(p, space);
    if (!s)
        return places_nomem(err);
    s->pid = pid;
    return FL_OK;
}

/* ---- mappings ------------------------------------------------------------------- */

static bool keep_text(struct fl_places *p, const struct fl_place_map *m)
{
    if (m->file >= p->n_texts) {
        size_t n = 2 * (size_t)m->file + 16;
        struct text *grown = realloc(p->texts, n * sizeof *grown);
        if (!grown)
            return false;
        memset(grown + p->n_texts, 0, (n - p->n_texts) * sizeof *grown);
        p->texts = grown;
        p->n_texts = n;
    }
    struct text *t = &p->texts[m->file];
    if (!t->path) {
        t->path = strdup(m->path);
        t->dev = m->dev;
        t->ino = m->ino;
    }
    return t->path != NULL;
}

static bool is_range(uint64_t start, uint64_t length)
{
    return length > 0 && start + length > start;
}

int fl_places_map(struct fl_places *p, const struct fl_place_map *m, struct fl_err *err)
{
    struct text_range range = { m->start, m->start + m->length, m->offset, m->file };
    if (!is_range(m->start, m->length))
        return FL_OK;
    if (m->file == FL_NO_FILE && m->path && strcmp(m->path, "[vdso]") == 0) {
        range.file = TEXT_VDSO;
        range.offset = 0;
        p->vdso.vdso_bytes = m->length;
    }
    struct space *s = space_of(p, m->space);
    if (!s || (m->file != FL_NO_FILE && !keep_text(p, m)))
        return places_nomem(err);
    forget(p, s);
    return ranges_map(&s->ranges, &range) ? FL_OK : places_nomem(err);
}

int fl_places_unmap(struct fl_places *p, uint32_t space, uint64_t start, uint64_t length,
                    struct fl_err *err)
{
    struct space *s = space_find(p, space);
    if (!s || !is_range(start, length))
        return FL_OK;
    forget(p, s);
    return ranges_map(&s->ranges, &(struct text_range){ start, start + length, 0, FL_NO_FILE })
               ? FL_OK
               : places_nomem(err);
}

int fl_places_remap(struct fl_places *p, uint32_t space, uint64_t from, uint64_t from_length,
                    uint64_t to, uint64_t to_length, struct fl_err *err)
{
    struct space *s = space_find(p, space);
    if (!s || !is_range(to, to_length) || from + from_length < from)
        return FL_OK;
    forget(p, s);
    return ranges_remap(&s->ranges, from, from_length, to, to_length) ? FL_OK : places_nomem(err);
}
