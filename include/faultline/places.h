/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * places.h - where instructions are: from addresses, through what is mapped there at that
 * time, to functions and call chains, as code and stack events of a trace define them.
 *
 * A recorder tells of each address space what is mapped and asks for addresses. A space is
 * a number that the recorder picks, from 0, without large gaps; its address spaces' ids
 * will do. Besides the functions of files there are four places: "anonymous code" is all code
 * that is in no file, "[kernel]" the upper half of the addresses, "[vdso]" what of the vdso
 * has no symbol, and for each file one without a name for what of it has no symbol. A
 * space that nothing was told of has only anonymous code and the kernel.
 */
#ifndef FAULTLINE_PLACES_H
#define FAULTLINE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>

/** Not for use by several threads at a time. */
struct fl_places;

struct fl_places_opts {
    /** Takes a code or stack event; thread is set, the time is not. */
    int (*emit)(void *ctx, const struct fl_event *ev, struct fl_err *err);
    void *ctx;
    const char *debug_root; /* where separate debug files are; NULL: /usr/lib/debug */
    bool redact;            /* no name out of a file; those of the kernel and its vdso stay */
};

/** fl_places_new - no space yet. @opts is copied. NULL: out of memory. */
struct fl_places *fl_places_new(const struct fl_places_opts *opts);
void fl_places_free(struct fl_places *p); /* NULL is fine */

/* ---- what is mapped ------------------------------------------------------------- */

struct fl_place_map {
    uint32_t space, file;           /* file: its id in the trace; FL_NO_FILE for none */
    uint64_t start, length, offset; /* bytes; offset: into the file */
    const char *path;  /* as the kernel names it; "[vdso]" without a file is the vdso */
    uint64_t dev, ino; /* of the file, as stat(2) has them */
};

/**
 * fl_places_map - @m replaces what was mapped there. Tell of every mapping, also of those
 * without a file, and of files whatever their protection: that may change later. An empty
 * range, or one beyond the end of the addresses, is none. The path and device of a file
 * are those it was first told with.
 * Errors: FL_ENOMEM. Cost: a binary search, and moving the mappings behind it.
 */
int fl_places_map(struct fl_places *p, const struct fl_place_map *m, struct fl_err *err);

/** fl_places_unmap - nothing is mapped in [start, start + length) any more. As fl_places_map(). */
int fl_places_unmap(struct fl_places *p, uint32_t space, uint64_t start, uint64_t length,
                    struct fl_err *err);

/**
 * fl_places_remap - mremap(2): what is mapped at @from moves to @to and is cut, or grows by
 * more of the same file. @from_length 0: it also stays. As fl_places_map().
 */
int fl_places_remap(struct fl_places *p, uint32_t space, uint64_t from, uint64_t from_length,
                    uint64_t to, uint64_t to_length, struct fl_err *err);

/** fl_places_fork - @space, new or dropped, becomes a copy of @from. FL_ENOMEM. */
int fl_places_fork(struct fl_places *p, uint32_t space, uint32_t from, struct fl_err *err);

/** fl_places_share - one more process runs in @space (vfork, CLONE_VM). FL_ENOMEM. */
int fl_places_share(struct fl_places *p, uint32_t space, struct fl_err *err);

/**
 * fl_places_drop - a process has left @space, by exec or exit; when it was the last one,
 * all that is mapped there is forgotten, and the number may be used for another space.
 */
void fl_places_drop(struct fl_places *p, uint32_t space);

/**
 * fl_places_process - process @pid runs in @space: files that their path does not lead to
 * (deleted, replaced, in another mount namespace) are looked for in its /proc. FL_ENOMEM.
 */
int fl_places_process(struct fl_places *p, uint32_t space, uint32_t pid, struct fl_err *err);

/* ---- looking up ------------------------------------------------------------------ */

/**
 * fl_places_find - the place of the instruction at @ip, as a number that stays its own.
 * Writes no event. FL_NO_CODE: out of memory.
 * Cost: for one of the last 64 or so addresses of the space, a few comparisons; else
 * a binary search over mappings and one over functions. The first time in a file, its
 * symbols are read: about 1 us a function.
 */
uint32_t fl_places_find(struct fl_places *p, uint32_t space, uint64_t ip);

/**
 * fl_places_code - the code id of @place; the first time a code event of @thread is emitted.
 * Errors: FL_ENOMEM, when @place is FL_NO_CODE, and whatever emit() returned.
 */
int fl_places_code(struct fl_places *p, uint32_t place, uint32_t thread, uint32_t *code,
                   struct fl_err *err);

/** fl_places_defined - the code id of @place, not FL_NO_CODE; FL_NO_CODE while no event defined it. */
uint32_t fl_places_defined(const struct fl_places *p, uint32_t place);

struct fl_place {
    uint32_t code, stack;
};

/**
 * fl_places_chain - the call chain @ips, innermost first: the instruction itself, then
 * return addresses, as PERF_SAMPLE_CALLCHAIN has them once the PERF_CONTEXT_* markers are
 * taken out. Code and stack events of @thread are emitted for what is new in it.
 *
 * A return address stands for the call before it. Neighbours in the kernel are one frame.
 * Where a caller's address can be no code's (the first page, no canonical address, the kernel
 * for a program's function) the chain ends: frame pointers led astray. Equal chains of functions have the same stack,
 * chains with the same callers share those.
 *
 * @out: the stack and the code of its innermost frame; FL_NO_STACK and FL_NO_CODE when
 * @n is 0. Errors: as fl_places_code(). Cost: frames that it shares, from the outermost
 * on, with the chain asked for before: a comparison each; others as fl_places_find() and
 * a look-up in a hash.
 */
int fl_places_chain(struct fl_places *p, uint32_t space, const uint64_t *ips, size_t n,
                    uint32_t thread, struct fl_place *out, struct fl_err *err);

/** fl_places_functions - functions with a symbol that code events were emitted for. */
uint32_t fl_places_functions(const struct fl_places *p);

#endif
