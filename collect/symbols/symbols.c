/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include <faultline/symbols.h>

#include "functions.h"

struct fl_symbol_file {
    uint64_t dev, ino;
    struct functions functions;
};

struct fl_symbols {
    char *debug_root;
    struct fl_symbol_file **files; /* open addressing; cap a power of two */
    size_t n, cap;
};

struct fl_symbols *fl_symbols_new(const char *debug_root)
{
    struct fl_symbols *s = calloc(1, sizeof *s);
    if (s)
        s->debug_root = strdup(debug_root ? debug_root : "/usr/lib/debug");
    if (s && !s->debug_root) {
        free(s);
        return NULL;
    }
    return s;
}

void fl_symbols_free(struct fl_symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->cap; i++) {
        if (s->files[i])
            functions_free(&s->files[i]->functions);
        free(s->files[i]);
    }
    free(s->files);
    free(s->debug_root);
    free(s);
}

static struct fl_symbol_file **slot(struct fl_symbol_file **files, size_t cap, uint64_t dev,
                                    uint64_t ino)
{
    size_t i = (size_t)((dev * 0x9e3779b97f4a7c15u ^ ino) * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);
    while (files[i] && (files[i]->dev != dev || files[i]->ino != ino))
        i = (i + 1) & (cap - 1);
    return &files[i];
}

static bool grow(struct fl_symbols *s)
{
    size_t cap = s->cap ? 2 * s->cap : 64;
    struct fl_symbol_file **grown = calloc(cap, sizeof(struct fl_symbol_file *));
    if (!grown)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->files[i])
            *slot(grown, cap, s->files[i]->dev, s->files[i]->ino) = s->files[i];
    free(s->files);
    s->files = grown;
    s->cap = cap;
    return true;
}

const struct fl_symbol_file *fl_symbols_file(struct fl_symbols *s, const char *path, uint64_t dev,
                                             uint64_t ino)
{
    if (2 * s->n >= s->cap && !grow(s))
        return NULL;
    struct fl_symbol_file **at = slot(s->files, s->cap, dev, ino);
    if (*at)
        return *at;
    struct fl_symbol_file *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->dev = dev;
    f->ino = ino;
    if (!functions_read(&f->functions, path, dev, ino, s->debug_root)) {
        functions_free(&f->functions);
        free(f);
        return NULL;
    }
    s->n++;
    return *at = f;
}

bool fl_symbols_at(const struct fl_symbol_file *file, uint64_t offset, struct fl_symbol *out)
{
    uint32_t i = functions_find(&file->functions, offset);
    if (i == NO_FUNCTION)
        return false;
    const struct function *f = &file->functions.at[i];
    *out = (struct fl_symbol){ .name = file->functions.names + f->name,
                               .offset = f->start,
                               .length_bytes = f->end - f->start };
    return true;
}

size_t fl_symbols_count(const struct fl_symbol_file *file)
{
    return file->functions.n;
}
