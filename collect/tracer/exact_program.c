/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page cache's share of the program that is recorded, and of the interpreters
 * it needs. Finding out what kind of program it is reads it: this comes before.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/command.h>

#include "exact.h"
#include "residency.h"

#define FILES_MAX 5 /* a script's interpreter's interpreter's ... */

struct program_file {
    struct flr_file file;
    char path[FLR_PATH];
    struct flr_range ranges[FLR_RANGES];
};

struct exact_program {
    size_t n;
    struct program_file at[FILES_MAX];
};

static void note(struct program_file *f, int fd, const struct flr_identity *id)
{
    struct flr_device device;
    flr_device(fd, id, &device);
    int n = flr_residency(fd, id, f->ranges);
    f->file = (struct flr_file){ .dev = id->dev,
                                 .ino = id->ino,
                                 .size_bytes = id->size_bytes,
                                 .birth_ns = id->birth_ns,
                                 .read_ahead_pages = device.read_ahead_pages,
                                 .n_ranges = n < 0 ? ~0ULL : (unsigned long long)n };
    flr_path_of(fd, f->path);
}

void fl_exact_program_note(struct exact_recorder *x, const char *name)
{
    char path[2][FLR_PATH];
    struct flr_identity id;
    if (fl_command_find(name, path[0]) != 0)
        return;
    struct exact_program *program = x->program = calloc(1, sizeof *program);
    bool more = program != NULL;
    while (more && program->n < FILES_MAX) {
        const char *at = path[program->n & 1];
        int fd = flr_identify(AT_FDCWD, at, 1, &id) == 0 && id.is_regular ? flr_open(AT_FDCWD, at)
                                                                          : -1;
        if (fd < 0)
            return;
        note(&program->at[program->n++], fd, &id);
        more = flr_interpreter(fd, path[program->n & 1]);
        flr_close(fd);
    }
}

void fl_exact_program_put(struct exact_recorder *x, struct exact_process *p)
{
    uint64_t words[sizeof(struct flr_file) / 8];
    for (size_t i = 0; x->program != NULL && i < x->program->n; i++) {
        const struct program_file *f = &x->program->at[i];
        memcpy(words, &f->file, sizeof words);
        fl_exact_file(x, p, words, f->path);
        for (size_t k = 0; f->file.n_ranges != UINT64_MAX && k < f->file.n_ranges; k++)
            fl_exact_resident(x, p, (uint64_t[]){ f->ranges[k].offset, f->ranges[k].length });
    }
}

void fl_exact_program_free(struct exact_recorder *x)
{
    free(x->program);
    x->program = NULL;
}
