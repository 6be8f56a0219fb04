/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where code is: addresses of instructions, through the mappings of their process at
 * that time, to functions. Each is looked up once, when its superblock is described;
 * a function gets its id in the trace when the first run begins in it.
 */
#include <stdlib.h>
#include <string.h>

#include <faultline/symbols.h>

#include "exact.h"

#define ANONYMOUS "anonymous code"

/* A place in the trace's files where code is, or none. */
struct exact_code {
    uint32_t file;   /* FL_NO_FILE: in no file */
    uint32_t id;     /* in the trace; FL_NO_CODE: no run began here yet */
    uint64_t offset; /* of the function; UINT64_MAX: no symbol */
    const char *name;
};

/* A file of the trace that is or was mapped. */
struct exact_text {
    char *path;
    uint64_t dev, ino;
    const struct fl_symbol_file *symbols; /* NULL: not asked for yet */
};

struct exact_codes {
    struct fl_symbols *symbols;
    struct exact_text *texts; /* by file id */
    size_t n_texts;
    struct exact_code *at;
    uint32_t n, cap;
    uint32_t *slots; /* hash of file and offset -> index + 1 */
    size_t n_slots;  /* a power of two */
    uint32_t n_defined, n_named;
};

bool fl_exact_codes_open(struct exact_recorder *x)
{
    struct exact_codes *c = calloc(1, sizeof *c);
    if (c != NULL && (c->symbols = fl_symbols_new(NULL)) != NULL) {
        x->codes = c;
        return true;
    }
    free(c);
    return false;
}

void fl_exact_codes_close(struct exact_recorder *x)
{
    struct exact_codes *c = x->codes;
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->n_texts; i++)
        free(c->texts[i].path);
    free(c->texts);
    free(c->at);
    free(c->slots);
    fl_symbols_free(c->symbols);
    free(c);
    x->codes = NULL;
}

uint32_t fl_exact_functions(const struct exact_recorder *x)
{
    return x->codes != NULL ? x->codes->n_named : 0;
}

/* ---- mappings ------------------------------------------------------------------- */

/* Room for one more at @i. */
static struct exact_mapping *mapping_insert(struct exact_mappings *m, size_t i)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 16;
        struct exact_mapping *grown = realloc(m->at, cap * sizeof *grown);
        if (grown == NULL)
            return NULL;
        m->at = grown;
        m->cap = cap;
    }
    memmove(m->at + i + 1, m->at + i, (m->n - i) * sizeof *m->at);
    m->n++;
    return &m->at[i];
}

/* First mapping that ends behind @address. */
static size_t mapping_behind(const struct exact_mappings *m, uint64_t address)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->at[mid].end <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Nothing is mapped in [start, end) any more. Returns where it would be. */
static size_t mapping_carve(struct exact_mappings *m, uint64_t start, uint64_t end, bool *ok)
{
    size_t i = mapping_behind(m, start), last;
    if (i == m->n)
        return i;
    if (m->at[i].start < start) {
        struct exact_mapping whole = m->at[i];
        if (whole.end > end) { /* a hole: the part behind it */
            struct exact_mapping *rest = mapping_insert(m, i + 1);
            if (rest == NULL) {
                *ok = false;
                return i;
            }
            *rest = whole;
            rest->start = end;
            rest->offset += end - whole.start;
        }
        m->at[i++].end = start;
    }
    for (last = i; last < m->n && m->at[last].end <= end; last++)
        ;
    memmove(m->at + i, m->at + last, (m->n - last) * sizeof *m->at);
    m->n -= last - i;
    if (i < m->n && m->at[i].start < end) {
        m->at[i].offset += end - m->at[i].start;
        m->at[i].start = end;
    }
    return i;
}

static bool keep_text(struct exact_codes *c, uint32_t file, const char *path, uint64_t dev,
                      uint64_t ino)
{
    if (file >= c->n_texts) {
        size_t n = 2 * (size_t)file + 16;
        struct exact_text *grown = realloc(c->texts, n * sizeof *grown);
        if (grown == NULL)
            return false;
        memset(grown + c->n_texts, 0, (n - c->n_texts) * sizeof *grown);
        c->texts = grown;
        c->n_texts = n;
    }
    struct exact_text *t = &c->texts[file];
    if (t->path == NULL) {
        t->path = strdup(path);
        t->dev = dev;
        t->ino = ino;
    }
    return t->path != NULL;
}

void fl_exact_code_map(struct exact_recorder *x, struct exact_process *p, const struct flr_map *m,
                       uint32_t file, const char *path)
{
    bool ok = true;
    if (x->codes == NULL || m->length == 0 || m->start + m->length < m->start)
        return;
    size_t i = mapping_carve(&p->mappings, m->start, m->start + m->length, &ok);
    if (ok && file != FL_NO_FILE) {
        ok = keep_text(x->codes, file, path, m->dev, m->ino);
        struct exact_mapping *at = ok ? mapping_insert(&p->mappings, i) : NULL;
        ok = at != NULL;
        if (at != NULL)
            *at = (struct exact_mapping){ m->start, m->start + m->length, m->offset, file };
    }
    if (!ok)
        fl_exact_nomem(x);
}

void fl_exact_code_unmap(struct exact_recorder *x, struct exact_process *p, uint64_t start,
                         uint64_t length)
{
    bool ok = true;
    if (x->codes == NULL || start + length < start)
        return;
    mapping_carve(&p->mappings, start, start + length, &ok);
    if (!ok)
        fl_exact_nomem(x);
}

/* @w: old start, old length, new start, new length. */
void fl_exact_code_remap(struct exact_recorder *x, struct exact_process *p, const uint64_t *w)
{
    if (x->codes == NULL)
        return;
    size_t i = mapping_behind(&p->mappings, w[0]);
    struct flr_map moved = { .start = w[2], .length = w[3] };
    uint32_t file = FL_NO_FILE;
    const char *path = "";
    if (i < p->mappings.n && p->mappings.at[i].start <= w[0]) {
        const struct exact_mapping *from = &p->mappings.at[i];
        const struct exact_text *text = &x->codes->texts[from->file];
        file = from->file;
        path = text->path;
        moved.offset = from->offset + (w[0] - from->start);
    }
    fl_exact_code_unmap(x, p, w[0], w[1]);
    fl_exact_code_map(x, p, &moved, file, path);
}

bool fl_exact_mappings_copy(struct exact_mappings *to, const struct exact_mappings *from)
{
    *to = (struct exact_mappings){ 0 };
    if (from->n == 0)
        return true;
    to->at = malloc(from->n * sizeof *to->at);
    if (to->at == NULL)
        return false;
    memcpy(to->at, from->at, from->n * sizeof *to->at);
    to->n = to->cap = from->n;
    return true;
}

void fl_exact_mappings_drop(struct exact_mappings *m)
{
    free(m->at);
    *m = (struct exact_mappings){ 0 };
}

/* ---- functions ------------------------------------------------------------------- */

static size_t slot_of(const struct exact_codes *c, uint32_t file, uint64_t offset)
{
    uint64_t h = (offset * 0x9e3779b97f4a7c15u ^ file) * 0xd6e8feb86659fd93u;
    size_t i = (size_t)(h >> 24) & (c->n_slots - 1);
    while (c->slots[i] != 0 &&
           (c->at[c->slots[i] - 1].file != file || c->at[c->slots[i] - 1].offset != offset))
        i = (i + 1) & (c->n_slots - 1);
    return i;
}

static bool grow_codes(struct exact_codes *c)
{
    uint32_t cap = c->cap ? 2 * c->cap : 512;
    struct exact_code *grown = realloc(c->at, cap * sizeof *grown);
    if (grown == NULL)
        return false;
    c->at = grown;
    uint32_t *slots = calloc(2 * (size_t)cap, sizeof *slots);
    if (slots == NULL)
        return false;
    free(c->slots);
    c->slots = slots;
    c->n_slots = 2 * (size_t)cap;
    c->cap = cap;
    for (uint32_t i = 0; i < c->n; i++)
        c->slots[slot_of(c, c->at[i].file, c->at[i].offset)] = i + 1;
    return true;
}

/* The index of a place; FL_NO_CODE: out of memory. @name lives as long as the symbols. */
static uint32_t code_index(struct exact_codes *c, uint32_t file, uint64_t offset, const char *name)
{
    if (c->n == c->cap && (c->cap > UINT32_MAX / 4 || !grow_codes(c)))
        return FL_NO_CODE;
    uint32_t *slot = &c->slots[slot_of(c, file, offset)];
    if (*slot == 0) {
        c->at[c->n] = (struct exact_code){ file, FL_NO_CODE, offset, name };
        *slot = ++c->n;
    }
    return *slot - 1;
}

static uint32_t locate(struct exact_codes *c, const struct exact_process *p, uint64_t address)
{
    size_t i = mapping_behind(&p->mappings, address);
    if (i == p->mappings.n || p->mappings.at[i].start > address)
        return code_index(c, FL_NO_FILE, UINT64_MAX, ANONYMOUS);
    const struct exact_mapping *m = &p->mappings.at[i];
    struct exact_text *text = &c->texts[m->file];
    struct fl_symbol symbol;
    if (text->symbols == NULL)
        text->symbols = fl_symbols_file(c->symbols, text->path, text->dev, text->ino);
    if (text->symbols == NULL)
        return FL_NO_CODE;
    if (!fl_symbols_at(text->symbols, m->offset + (address - m->start), &symbol))
        return code_index(c, m->file, UINT64_MAX, "");
    return code_index(c, m->file, symbol.offset, symbol.name);
}

void fl_exact_code_marks(struct exact_recorder *x, const struct exact_process *p,
                         struct exact_block *b, const uint64_t *marks, size_t n)
{
    uint32_t code = FL_NO_CODE;
    size_t op = 0;
    for (size_t i = 0; i < n && x->codes != NULL; i++) {
        for (; op < FLR_MARK_OP(marks[i]) && op < b->n_ops; op++)
            b->codes[op] = code;
        code = locate(x->codes, p, FLR_MARK_ADDRESS(marks[i]));
        if (code == FL_NO_CODE)
            fl_exact_nomem(x);
    }
    for (; op < b->n_ops; op++)
        b->codes[op] = code;
}

static void define(struct exact_recorder *x, const struct exact_process *p, struct exact_code *code)
{
    struct exact_codes *c = x->codes;
    bool is_symbol = code->offset != UINT64_MAX;
    code->id = c->n_defined++;
    c->n_named += is_symbol;
    fl_exact_put(
        x, &(struct fl_event){ .kind = FL_EV_CODE,
                               .thread = p->thread,
                               .code = { .code = code->id,
                                         .file = code->file,
                                         .offset = is_symbol ? code->offset : 0,
                                         .name = x->redact && is_symbol ? "" : code->name } });
}

bool fl_exact_code_known(const struct exact_recorder *x, uint32_t code)
{
    return x->codes == NULL || code == FL_NO_CODE || x->codes->at[code].id != FL_NO_CODE;
}

uint32_t fl_exact_code_traced(const struct exact_recorder *x, uint32_t code)
{
    return x->codes == NULL || code == FL_NO_CODE ? FL_NO_CODE : x->codes->at[code].id;
}

uint32_t fl_exact_code_id(struct exact_recorder *x, const struct exact_process *p, uint32_t code)
{
    if (x->codes == NULL || code == FL_NO_CODE)
        return FL_NO_CODE;
    if (x->codes->at[code].id == FL_NO_CODE)
        define(x, p, &x->codes->at[code]);
    return x->codes->at[code].id;
}
