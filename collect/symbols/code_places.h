/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * code_places.h - what the files behind <faultline/places.h> share: code_spaces.c keeps what
 * is mapped, code_places.c finds functions, call_chains.c call chains.
 */
#ifndef FL_SYMBOLS_CODE_PLACES_H
#define FL_SYMBOLS_CODE_PLACES_H

#include <faultline/places.h>
#include <faultline/symbols.h>

#include "call_tree.h"
#include "text_ranges.h"

#define TEXT_VDSO (FL_NO_FILE - 1) /* as the file of a range */

#define SPACE_CACHED 64u /* addresses a space; a power of two */

struct place {
    uint32_t file; /* FL_NO_FILE: in none */
    uint32_t id;   /* in the trace; FL_NO_CODE: not defined yet */
    uint64_t offset;
    const char *name; /* lives as long as the symbols, or for ever */
};

struct cached {
    uint64_t ip;
    uint32_t generation; /* of the space when it was looked up; 0: never */
    uint32_t place;
};

struct space {
    uint32_t users; /* processes that run in it */
    uint32_t pid;   /* the one heard of last, or 0 */
    uint32_t generation;
    struct text_ranges ranges;
    struct cached cache[SPACE_CACHED];
};

/* A file of the trace that is or was mapped. */
struct text {
    char *path;
    uint64_t dev, ino, vdso_bytes;
    const struct fl_symbol_file *symbols; /* NULL: not asked for yet */
};

/* The chain asked for last, outermost frame first. */
struct chain {
    struct space *space; /* NULL: none, or its mappings have changed */
    size_t n, cap;
    struct frame {
        uint64_t ip;
        uint32_t stack;
    } * at;
};

struct fl_places {
    struct fl_places_opts opts;
    struct fl_symbols *symbols;
    struct space **spaces; /* by number; NULL: nothing is known of it */
    size_t n_spaces;
    struct text *texts; /* by file id */
    size_t n_texts;
    struct text vdso;
    struct place *at;
    uint32_t n, cap;
    uint32_t *slots; /* hash of file and offset -> index + 1 */
    size_t n_slots;  /* a power of two */
    uint32_t n_defined, n_named;
    struct call_tree calls;
    struct chain last;
};

/* The space, or NULL: nothing is known of it. */
static inline struct space *space_find(const struct fl_places *p, uint32_t space)
{
    return space < p->n_spaces ? p->spaces[space] : NULL;
}

void space_free(struct space *s);

/* The kernel has the upper half of the addresses. */
static inline bool is_kernel(uint64_t ip)
{
    return ip >> 63;
}

/* places_nomem - FL_ENOMEM. */
int places_nomem(struct fl_err *err);

#endif
