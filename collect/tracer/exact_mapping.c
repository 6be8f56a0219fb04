/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and mappings of the recorded processes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"

static struct exact_file *file_slot(struct exact_file *files, size_t cap, uint64_t dev,
                                    uint64_t ino)
{
    size_t i = (size_t)((dev * 0x9e3779b97f4a7c15u ^ ino) * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);
    while (files[i].id != FL_NO_FILE && (files[i].dev != dev || files[i].ino != ino))
        i = (i + 1) & (cap - 1);
    return &files[i];
}

static bool grow_files(struct exact_recorder *x)
{
    size_t cap = x->cap_files ? 2 * x->cap_files : 64;
    struct exact_file *grown = malloc(cap * sizeof *grown);
    if (grown == NULL)
        return false;
    for (size_t i = 0; i < cap; i++)
        grown[i].id = FL_NO_FILE;
    for (size_t i = 0; i < x->cap_files; i++)
        if (x->files[i].id != FL_NO_FILE)
            *file_slot(grown, cap, x->files[i].dev, x->files[i].ino) = x->files[i];
    free(x->files);
    x->files = grown;
    x->cap_files = cap;
    return true;
}

/* "/memfd:NAME (deleted)" is shown as "memfd:NAME". */
static void plain_path(const char *path, char *out, size_t cap)
{
    size_t n;
    snprintf(out, cap, "%s", strncmp(path, "/memfd:", 7) == 0 ? path + 1 : path);
    n = strlen(out);
    if (n > 10 && strncmp(out, "memfd:", 6) == 0 && strcmp(out + n - 10, " (deleted)") == 0)
        out[n - 10] = 0;
}

/* Who a file is, by FLR_REC_MAP or FLR_REC_FILE. */
struct file_key {
    uint64_t dev, ino, birth_ns, size_bytes;
};

/* Its id, defined now if it has none; *@fresh says so. A number used again is another file. */
static uint32_t file_id(struct exact_recorder *x, const struct file_key *key, const char *path,
                        bool *fresh)
{
    char name[4200];
    *fresh = false;
    if (2 * x->n_defined >= x->cap_files && !grow_files(x)) {
        fl_exact_nomem(x);
        return FL_NO_FILE;
    }
    struct exact_file *f = file_slot(x->files, x->cap_files, key->dev, key->ino);
    bool same = !f->birth_ns || !key->birth_ns || f->birth_ns == key->birth_ns;
    if (f->id != FL_NO_FILE && same) {
        f->birth_ns = f->birth_ns ? f->birth_ns : key->birth_ns;
        return f->id;
    }
    x->n_defined += f->id == FL_NO_FILE;
    *f = (struct exact_file){ key->dev, key->ino, key->birth_ns, (uint32_t)x->n_files++ };
    *fresh = true;
    plain_path(path, name, sizeof name);
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_FILE,
                                        .thread = FL_NO_THREAD,
                                        .file = { .file = f->id,
                                                  .dev = key->dev,
                                                  .ino = key->ino,
                                                  .size_bytes = key->size_bytes,
                                                  .path = x->redact ? "" : name } });
    return f->id;
}

static void put_resident(struct exact_recorder *x, const struct exact_process *p, uint64_t offset,
                         uint64_t length)
{
    if (p->fresh_file != FL_NO_FILE)
        fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_RESIDENT,
                                            .thread = FL_NO_THREAD,
                                            .resident = { .file = p->fresh_file,
                                                          .read_ahead_pages = p->read_ahead_pages,
                                                          .offset = offset,
                                                          .length = length } });
}

void fl_exact_file(struct exact_recorder *x, struct exact_process *p, const uint64_t *words,
                   const char *path)
{
    struct flr_file f;
    bool fresh;
    memcpy(&f, words, sizeof f);
    struct file_key key = { f.dev, f.ino, f.birth_ns, f.size_bytes };
    uint32_t id = file_id(x, &key, path, &fresh);
    p->fresh_file = fresh && f.n_ranges != UINT64_MAX ? id : FL_NO_FILE;
    p->read_ahead_pages = (uint32_t)f.read_ahead_pages;
    if (f.n_ranges == 0)
        put_resident(x, p, 0, 0);
}

void fl_exact_resident(struct exact_recorder *x, struct exact_process *p, const uint64_t *words)
{
    put_resident(x, p, words[0], words[1]);
}

void fl_exact_file_io(struct exact_recorder *x, struct exact_process *p, const uint64_t *words)
{
    struct flr_file_io io;
    memcpy(&io, words, sizeof io);
    if (x->cap_files == 0)
        return;
    const struct exact_file *f = file_slot(x->files, x->cap_files, io.dev, io.ino);
    if (f->id != FL_NO_FILE) /* else not a file we follow: msync of a device */
        fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_FILE_IO,
                                            .thread = p->thread,
                                            .file_io = { .file = f->id,
                                                         .op = (uint32_t)io.op,
                                                         .flags = (uint32_t)io.flags,
                                                         .offset = io.offset,
                                                         .length = io.length } });
}

void fl_exact_map(struct exact_recorder *x, struct exact_process *p, const uint64_t *words,
                  const char *path)
{
    struct flr_map m;
    bool fresh;
    memcpy(&m, words, sizeof m);
    struct file_key key = { m.dev, m.ino, 0, m.size_bytes };
    uint32_t file = m.flags & FL_MAP_ANON ? FL_NO_FILE : file_id(x, &key, path, &fresh);
    fl_exact_code_map(x, p, &m, file, path);
    fl_exact_put(x, &(struct fl_event){ .kind = FL_EV_MAP,
                                        .thread = p->thread,
                                        .map = { .mm = p->mm,
                                                 .prot = (uint32_t)m.prot,
                                                 .flags = (uint32_t)m.flags,
                                                 .file = file,
                                                 .start = m.start,
                                                 .length = m.length,
                                                 .offset = m.offset } });
}

bool fl_exact_range(struct exact_recorder *x, struct exact_process *p, enum flr_record kind,
                    const uint64_t *w)
{
    struct fl_event ev = { .thread = p->thread };
    switch (kind) {
    case FLR_REC_UNMAP:
        ev.kind = FL_EV_UNMAP;
        ev.unmap.mm = p->mm;
        ev.unmap.start = w[0];
        ev.unmap.length = w[1];
        fl_exact_code_unmap(x, p, w[0], w[1]);
        break;
    case FLR_REC_PROTECT:
        ev.kind = FL_EV_PROTECT;
        ev.protect.mm = p->mm;
        ev.protect.start = w[0];
        ev.protect.length = w[1];
        ev.protect.prot = (uint32_t)w[2];
        break;
    case FLR_REC_ADVISE:
        ev.kind = FL_EV_ADVISE;
        ev.advise.mm = p->mm;
        ev.advise.start = w[0];
        ev.advise.length = w[1];
        ev.advise.advice = (uint32_t)w[2];
        break;
    case FLR_REC_LOCK:
        ev.kind = FL_EV_LOCK;
        ev.lock.mm = p->mm;
        ev.lock.start = w[0];
        ev.lock.length = w[1];
        ev.lock.mode = (uint32_t)w[2];
        break;
    case FLR_REC_REMAP:
        ev.kind = FL_EV_REMAP;
        ev.remap.mm = p->mm;
        ev.remap.old_start = w[0];
        ev.remap.old_length = w[1];
        ev.remap.new_start = w[2];
        ev.remap.new_length = w[3];
        fl_exact_code_remap(x, p, w);
        break;
    default: return false;
    }
    fl_exact_put(x, &ev);
    return true;
}
