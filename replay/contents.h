/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * contents.h - what occupies a frame: private anonymous pages and pages of objects.
 *
 * Ids are dense and reused. An object is a file, a memory-backed file or a shared
 * anonymous area; it finds its pages by offset.
 */
#ifndef REPLAY_CONTENTS_H
#define REPLAY_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>

#define NO_CONTENTS UINT32_MAX
#define NO_OBJECT UINT32_MAX
#define NO_PAGE UINT32_MAX

enum contents_kind {
    CONTENTS_ANON,   /* private anonymous: swapped */
    CONTENTS_FILE,   /* a file's page: read again from the file */
    CONTENTS_MEMORY, /* a page of shared anonymous memory, memfd, shm: swapped */
};

struct object {
    enum contents_kind kind; /* FILE or MEMORY */
    bool keeps_pages;        /* its pages outlive the last mapping */
    uint32_t mappings;
    uint64_t dev, ino;
    /* pages by offset: open addressing, cap a power of two; empty: contents NO_CONTENTS */
    struct object_page {
        uint64_t offset;
        uint32_t contents;
    } * pages;
    uint32_t n_pages, cap;
};

struct contents {
    /* by contents id */
    uint8_t *kind;        /* enum contents_kind */
    uint32_t *mappers;    /* virtual pages that map it */
    uint32_t *first_page; /* head of the list of mapping dense page ids, NO_PAGE at its end */
    uint32_t n, room;     /* ids handed out so far; all are < n */
    uint32_t *free_ids;
    uint32_t n_free, free_room;
    uint32_t live, live_peak;

    struct object *objects;
    uint32_t n_objects, objects_room;

    /* contents with more than one mapper, and the pages that saves; at its best */
    uint64_t shared, saved, shared_at_best, saved_at_best;
};

void contents_fini(struct contents *cs);

/** contents_new - a fresh id; NO_CONTENTS: out of memory. */
uint32_t contents_new(struct contents *cs, enum contents_kind kind);
/** contents_free - the id may be used again. */
void contents_free(struct contents *cs, uint32_t c);
void contents_mapper_added(struct contents *cs, uint32_t c);
void contents_mapper_left(struct contents *cs, uint32_t c);

/** contents_object_new - index of a new object; NO_OBJECT: out of memory. */
uint32_t contents_object_new(struct contents *cs, enum contents_kind kind, bool keeps_pages,
                             uint64_t dev, uint64_t ino);
/** contents_object_page - the object's page, NO_CONTENTS when it has none yet. */
uint32_t contents_object_page(const struct contents *cs, uint32_t object, uint64_t offset);
/** contents_object_add - give page @offset of @object contents. NO_CONTENTS: out of memory. */
uint32_t contents_object_add(struct contents *cs, uint32_t object, uint64_t offset);

#endif
