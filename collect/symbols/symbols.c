/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/symbols.h>

#include "functions.h"

struct fl_symbol_file {
    struct file_id id;
    bool was_read;
    off_t size; /* when it was read, as the next two */
    struct timespec modified;
    struct functions functions;
    struct fl_symbol_file *before; /* what the file was before it was changed */
};

struct fl_symbols {
    char *debug_root;
    struct fl_symbol_file **files; /* open addressing; cap a power of two */
    size_t n, cap;
    char *vdso;
    size_t vdso_bytes;
    struct fl_symbol_file *vdso_file, *none; /* NULL: not asked for yet */
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

static void file_free(struct fl_symbol_file *f)
{
    while (f) {
        struct fl_symbol_file *before = f->before;
        functions_free(&f->functions);
        free(f);
        f = before;
    }
}

void fl_symbols_free(struct fl_symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->cap; i++)
        file_free(s->files[i]);
    file_free(s->vdso_file);
    file_free(s->none);
    free(s->vdso);
    free(s->files);
    free(s->debug_root);
    free(s);
}

static struct fl_symbol_file **slot(struct fl_symbol_file **files, size_t cap,
                                    const struct file_id *id)
{
    uint64_t h = (id->dev * 0x9e3779b97f4a7c15u ^ id->ino) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 20) & (cap - 1);
    while (files[i] && (files[i]->id.dev != id->dev || files[i]->id.ino != id->ino))
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
            *slot(grown, cap, &s->files[i]->id) = s->files[i];
    free(s->files);
    s->files = grown;
    s->cap = cap;
    return true;
}

/* Is what we know of @f what is at @path now? Yes, too, when that cannot be told. */
static bool is_current(const struct fl_symbol_file *f, const char *path)
{
    struct stat st;
    if (!f->was_read)
        return false;
    return stat(path, &st) != 0 || !file_id_is(&f->id, &st) ||
           (st.st_size == f->size && st.st_mtim.tv_sec == f->modified.tv_sec &&
            st.st_mtim.tv_nsec == f->modified.tv_nsec);
}

/* NULL: out of memory. */
static struct fl_symbol_file *read_file(const struct fl_symbols *s, const char *path,
                                        const struct file_id *id, uint32_t pid)
{
    struct fl_symbol_file *f = calloc(1, sizeof *f);
    struct stat st;
    if (!f)
        return NULL;
    f->id = *id;
    int fd = mapped_file_open(path, id, pid, &st);
    if (fd < 0)
        return f;
    f->was_read = true;
    f->size = st.st_size;
    f->modified = st.st_mtim;
    bool ok = functions_read(&f->functions, fd, path, s->debug_root);
    close(fd);
    if (ok)
        return f;
    file_free(f);
    return NULL;
}

const struct fl_symbol_file *fl_symbols_mapped(struct fl_symbols *s, const char *path, uint64_t dev,
                                               uint64_t ino, uint32_t pid)
{
    struct file_id id = { dev, ino };
    if (2 * s->n >= s->cap && !grow(s))
        return NULL;
    struct fl_symbol_file **at = slot(s->files, s->cap, &id);
    if (*at && is_current(*at, path))
        return *at;
    struct fl_symbol_file *f = read_file(s, path, &id, pid);
    if (!f)
        return NULL;
    if (*at && !f->was_read) { /* still not there */
        file_free(f);
        return *at;
    }
    s->n += !*at;
    f->before = *at;
    return *at = f;
}

const struct fl_symbol_file *fl_symbols_file(struct fl_symbols *s, const char *path, uint64_t dev,
                                             uint64_t ino)
{
    return fl_symbols_mapped(s, path, dev, ino, 0);
}

const struct fl_symbol_file *fl_symbols_vdso(struct fl_symbols *s, uint64_t length_bytes)
{
    if (!s->none)
        s->none = calloc(1, sizeof *s->none);
    if (!s->none)
        return NULL;
    if (!s->vdso_file) {
        if ((s->vdso_file = calloc(1, sizeof *s->vdso_file)) == NULL)
            return NULL;
        s->vdso = vdso_image(&s->vdso_bytes);
        if (s->vdso &&
            !functions_read_memory(&s->vdso_file->functions, s->vdso, s->vdso_bytes, s->debug_root))
            return NULL;
    }
    return s->vdso && s->vdso_bytes == length_bytes ? s->vdso_file : s->none;
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
