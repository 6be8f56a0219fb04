/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * places_fix.h - two libraries of tests/symbols/paged_lib.c, where the dynamic linker and the
 * kernel say that their functions are, and what fl_places emits.
 */
#ifndef PLACES_FIX_H
#define PLACES_FIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <link.h>

#include <faultline/places.h>

#define PAGE UINT64_C(4096)
#define LIBS 2
#define FUNCTIONS 16

struct lib {
    char path[512];
    uint64_t dev, ino;
    uint64_t offset; /* of the first function in the file; function k is k pages behind it */
    uint64_t bytes;  /* of a function */
};

struct fix {
    struct fl_places *places;
    struct lib lib[LIBS];
    struct fl_event *events; /* all that were emitted; names are copies */
    size_t n_events, room, n_codes, n_stacks;
    const struct fl_event **codes, **stacks; /* by id */
    bool fails;                              /* emit() does */
};

static int fix_emit(void *ctx, const struct fl_event *ev, struct fl_err *err)
{
    struct fix *f = ctx;
    if (f->fails)
        return fl_fail(err, FL_EIO, "no more");
    assert_true(f->n_events < f->room);
    struct fl_event *kept = &f->events[f->n_events++];
    *kept = *ev;
    if (ev->kind == FL_EV_CODE) {
        assert_int_equal(ev->code.code, f->n_codes);
        kept->code.name = strdup(ev->code.name);
        f->codes[f->n_codes++] = kept;
    } else {
        assert_int_equal(ev->kind, FL_EV_STACK);
        assert_int_equal(ev->stack.stack, f->n_stacks);
        assert_true(ev->stack.code < f->n_codes);
        assert_true(ev->stack.parent == FL_NO_STACK || ev->stack.parent < f->n_stacks);
        f->stacks[f->n_stacks++] = kept;
    }
    return FL_OK;
}

/* Where @address is in the file that the kernel has mapped there. */
static inline uint64_t fix_file_offset(uint64_t address, char path[512])
{
    char line[1024];
    unsigned long start, end, offset;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %511s", &start, &end, &offset, path) == 4 &&
            address >= start && address < end) {
            fclose(maps);
            return address - start + offset;
        }
    fail_msg("nothing is mapped at %#lx", (unsigned long)address);
    return 0;
}

static inline void fix_load(struct lib *lib, const char *path, const char *first)
{
    struct stat st;
    Dl_info info;
    ElfW(Sym) * symbol;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    void *at = dlsym(handle, first);
    assert_true(dladdr1(at, &info, (void **)(void *)&symbol, RTLD_DL_SYMENT) != 0);
    lib->bytes = symbol->st_size;
    lib->offset = fix_file_offset((uint64_t)(uintptr_t)at, lib->path);
    assert_int_equal(lib->offset % PAGE, 0);
    assert_int_equal(stat(lib->path, &st), 0);
    lib->dev = st.st_dev;
    lib->ino = st.st_ino;
}

static inline struct fix *fix_new(bool redact)
{
    struct fix *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->room = 1u << 20;
    f->events = calloc(f->room, sizeof *f->events);
    f->codes = calloc(f->room, sizeof *f->codes);
    f->stacks = calloc(f->room, sizeof *f->stacks);
    assert_true(f->events && f->codes && f->stacks);
    fix_load(&f->lib[0], SYMBOLS_DIR "/libpages_a.so", "a_00");
    fix_load(&f->lib[1], SYMBOLS_DIR "/libpages_b.so", "b_00");
    f->places =
        fl_places_new(&(struct fl_places_opts){ .emit = fix_emit, .ctx = f, .redact = redact });
    assert_non_null(f->places);
    return f;
}

static inline void fix_free(struct fix *f)
{
    fl_places_free(f->places);
    for (size_t i = 0; i < f->n_codes; i++)
        free((char *)(uintptr_t)f->codes[i]->code.name);
    free(f->events);
    free(f->codes);
    free(f->stacks);
    free(f);
}

/* @pages of library @file, from its function @function on, at page @at; FL_NO_FILE: of nothing. */
static inline void fix_map(struct fix *f, uint32_t space, uint32_t file, uint64_t at,
                           uint64_t function, uint64_t pages)
{
    struct fl_err err;
    struct fl_place_map m = {
        .space = space, .file = file, .start = at * PAGE, .length = pages * PAGE, .path = "//anon"
    };
    if (file != FL_NO_FILE) {
        m.offset = f->lib[file].offset + function * PAGE;
        m.path = f->lib[file].path;
        m.dev = f->lib[file].dev;
        m.ino = f->lib[file].ino;
    }
    assert_int_equal(fl_places_map(f->places, &m, &err), FL_OK);
}

/* Name of the code of @place. */
static inline const char *fix_name(struct fix *f, uint32_t place)
{
    struct fl_err err;
    uint32_t code;
    assert_int_equal(fl_places_code(f->places, place, 3, &code, &err), FL_OK);
    return f->codes[code]->code.name;
}

static inline const char *fix_at(struct fix *f, uint32_t space, uint64_t ip)
{
    return fix_name(f, fl_places_find(f->places, space, ip));
}

static inline struct fl_place fix_chain(struct fix *f, uint32_t space, const uint64_t *ips,
                                        size_t n)
{
    struct fl_err err;
    struct fl_place place;
    assert_int_equal(fl_places_chain(f->places, space, ips, n, 3, &place, &err), FL_OK);
    if (n) {
        assert_true(place.stack < f->n_stacks);
        assert_int_equal(place.code, f->stacks[place.stack]->stack.code);
    }
    return place;
}

/* "inner < outer < outermost" */
static inline const char *fix_text(const struct fix *f, uint32_t stack, char *buf, size_t size)
{
    size_t used = 0;
    *buf = 0;
    for (; stack != FL_NO_STACK; stack = f->stacks[stack]->stack.parent)
        used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " < " : "",
                                 f->codes[f->stacks[stack]->stack.code]->code.name);
    assert_true(used < size);
    return buf;
}

#endif
