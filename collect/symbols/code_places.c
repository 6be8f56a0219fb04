/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places of instructions: the functions found in what is mapped, each once. */
#include <stdlib.h>

#include "code_places.h"

/* Offsets of places that are no function. */
#define IN_FILE UINT64_MAX /* of code without a symbol, or in no file */
#define IN_KERNEL (UINT64_MAX - 1)
#define IN_VDSO (UINT64_MAX - 2)

int places_nomem(struct fl_err *err)
{
    return fl_nomem(err, "the places of code");
}

struct fl_places *fl_places_new(const struct fl_places_opts *opts)
{
    struct fl_places *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->opts = *opts;
    p->opts.debug_root = NULL; /* the symbols have their copy */
    p->symbols = fl_symbols_new(opts->debug_root);
    if (!p->symbols) {
        free(p);
        return NULL;
    }
    return p;
}

void fl_places_free(struct fl_places *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_spaces; i++)
        space_free(p->spaces[i]);
    for (size_t i = 0; i < p->n_texts; i++)
        free(p->texts[i].path);
    free(p->spaces);
    free(p->texts);
    free(p->at);
    free(p->slots);
    free(p->last.at);
    call_tree_free(&p->calls);
    fl_symbols_free(p->symbols);
    free(p);
}

uint32_t fl_places_functions(const struct fl_places *p)
{
    return p->n_named;
}

static uint32_t *slot_of(const struct fl_places *p, uint32_t file, uint64_t offset)
{
    uint64_t h = (offset * 0x9e3779b97f4a7c15u ^ file) * 0xd6e8feb86659fd93u;
    size_t i = (size_t)(h >> 24) & (p->n_slots - 1);
    while (p->slots[i] &&
           (p->at[p->slots[i] - 1].file != file || p->at[p->slots[i] - 1].offset != offset))
        i = (i + 1) & (p->n_slots - 1);
    return &p->slots[i];
}

static bool grow_places(struct fl_places *p)
{
    uint32_t cap = p->cap ? 2 * p->cap : 512;
    if (p->cap > UINT32_MAX / 4)
        return false;
    struct place *grown = realloc(p->at, cap * sizeof *grown);
    if (!grown)
        return false;
    p->at = grown;
    uint32_t *slots = calloc(2 * (size_t)cap, sizeof *slots);
    if (!slots)
        return false;
    free(p->slots);
    p->slots = slots;
    p->n_slots = 2 * (size_t)cap;
    p->cap = cap;
    for (uint32_t i = 0; i < p->n; i++)
        *slot_of(p, p->at[i].file, p->at[i].offset) = i + 1;
    return true;
}

/* FL_NO_CODE: out of memory. */
static uint32_t place_index(struct fl_places *p, uint32_t file, uint64_t offset, const char *name)
{
    if (p->n == p->cap && !grow_places(p))
        return FL_NO_CODE;
    uint32_t *slot = slot_of(p, file, offset);
    if (*slot == 0) {
        p->at[p->n] = (struct place){ file, FL_NO_CODE, offset, name };
        *slot = ++p->n;
    }
    return *slot - 1;
}

static uint32_t look_up(struct fl_places *p, const struct space *s, uint64_t ip)
{
    const struct text_range *range = ranges_find(&s->ranges, ip);
    struct fl_symbol symbol;
    if (!range)
        return place_index(p, FL_NO_FILE, IN_FILE, "anonymous code");
    bool is_vdso = range->file == TEXT_VDSO;
    struct text *text = is_vdso ? &p->vdso : &p->texts[range->file];
    if (!text->symbols)
        text->symbols =
            is_vdso ? fl_symbols_vdso(p->symbols, text->vdso_bytes)
                    : fl_symbols_mapped(p->symbols, text->path, text->dev, text->ino, s->pid);
    if (!text->symbols)
        return FL_NO_CODE;
    bool named = fl_symbols_at(text->symbols, range->offset + (ip - range->start), &symbol);
    if (is_vdso)
        return named ? place_index(p, FL_NO_FILE, symbol.offset, symbol.name)
                     : place_index(p, FL_NO_FILE, IN_VDSO, "[vdso]");
    return named ? place_index(p, range->file, symbol.offset, symbol.name)
                 : place_index(p, range->file, IN_FILE, "");
}

uint32_t fl_places_find(struct fl_places *p, uint32_t space, uint64_t ip)
{
    struct space *s = space_find(p, space);
    if (is_kernel(ip))
        return place_index(p, FL_NO_FILE, IN_KERNEL, "[kernel]");
    if (!s)
        return place_index(p, FL_NO_FILE, IN_FILE, "anonymous code");
    struct cached *c = &s->cache[ip * 0x9e3779b97f4a7c15u >> 32 & (SPACE_CACHED - 1)];
    if (c->ip == ip && c->generation == s->generation)
        return c->place;
    uint32_t place = look_up(p, s, ip);
    if (place != FL_NO_CODE)
        *c = (struct cached){ ip, s->generation, place };
    return place;
}

uint32_t fl_places_defined(const struct fl_places *p, uint32_t place)
{
    return p->at[place].id;
}

int fl_places_code(struct fl_places *p, uint32_t place, uint32_t thread, uint32_t *code,
                   struct fl_err *err)
{
    if (place == FL_NO_CODE)
        return places_nomem(err);
    struct place *at = &p->at[place];
    if (at->id == FL_NO_CODE) {
        bool is_symbol = at->offset < IN_VDSO, is_told = at->file == FL_NO_FILE || !p->opts.redact;
        int rc = p->opts.emit(p->opts.ctx,
                              &(struct fl_event){ .kind = FL_EV_CODE,
                                                  .thread = thread,
                                                  .code = { .code = p->n_defined,
                                                            .file = at->file,
                                                            .offset = is_symbol ? at->offset : 0,
                                                            .name = is_told ? at->name : "" } },
                              err);
        if (rc != FL_OK)
            return rc;
        at->id = p->n_defined++;
        p->n_named += is_symbol;
    }
    *code = at->id;
    return FL_OK;
}
