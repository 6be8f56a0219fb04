/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * kernel_slab.h - the kernel's object caches: what recorded events make of them, and what processes imply.
 *
 * docs/slab.md has the rules.
 */
#ifndef FAULTLINE_KERNEL_SLAB_H
#define FAULTLINE_KERNEL_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/trace.h>

struct json_t;

#define FL_SLAB_NAME_BYTES 48
#define FL_SLAB_OCCUPANCY 5

/** What /proc/slabinfo says of a cache. */
struct fl_slab_state {
    uint64_t objects; /* active_objs: all but the free ones of slabs on the node's partial list */
    uint64_t slabs;   /* num_slabs */
    uint64_t all_objects; /* num_objs: there is room for */
};

/** One cache of a replayed recording. */
struct fl_slab_row {
    char name[FL_SLAB_NAME_BYTES];
    uint32_t object_bytes; /* what the owner asked for; a kmalloc class's own size */
    uint32_t size_bytes;   /* from one object to the next */
    uint32_t objects_per_slab, order;
    uint64_t allocs, frees;          /* events */
    struct fl_slab_state start, end; /* recorded; end only with fl_slab_replay.has_end */
    struct fl_slab_state predicted;  /* at the end */
    /* When the kernel had shrunk the cache, after that: objects are what is in use; with has_settled: */
    struct fl_slab_state settled, predicted_settled; /* recorded, predicted */
    bool has_settled;
    uint64_t slabs_new, slabs_given_back;
    uint64_t requested_bytes, given_bytes; /* of all @allocs */
    uint64_t internal_waste_bytes;         /* at the end: objects' padding and slabs' tails */
    uint64_t free_bytes; /* at the end: objects that are in slabs and not in use */
    /* Slabs seen, at the end, by the part in use: up to 1/8, 1/4, 1/2, less than all, all. */
    uint64_t occupancy[FL_SLAB_OCCUPANCY];
    uint64_t unseen_frees; /* an object was handed out that no event had freed */
    /* no event told these, but the end of whose they were, or what took their place: */
    uint64_t inferred_frees;
    uint64_t unseen_allocs; /* one was freed that no event had handed out again */
};

struct fl_slab_replay {
    struct fl_slab_row *rows; /* the one with the most events first, then by name */
    size_t n_rows;
    bool has_end;           /* the recording has slabinfo of its end too */
    bool has_settled;       /* and caches were shrunk after it: some rows have it */
    uint64_t events;        /* taken */
    uint64_t lost;          /* records the recorder lost */
    uint64_t unknown_cache; /* events of caches that the first slabinfo has not */
    uint64_t
        unknown_frees; /* kfree of objects older than the recording, in slabs not seen either */
    uint64_t large;    /* kmalloc above 8 KiB: pages, no slab */
};

/**
 * fl_slab_replay - start from the recording's first /proc/slabinfo and apply its events of the
 * group "slab". @r: read from its first item on.
 * Errors: FL_EDATA when the recording has no slabinfo of its start or no such events; the reader's;
 * FL_ENOMEM. Cost: two passes and a bit; memory for each slab that an event names and, with events of pages, for
 * each page that the kernel takes for itself.
 */
int fl_slab_replay(struct fl_reader *r, struct fl_slab_replay *out, struct fl_err *err);
void fl_slab_replay_free(struct fl_slab_replay *out);

/**
 * fl_slab_replay_json - "slab" of a result: caches[] and what else is known, into @object.
 * Errors: FL_ENOMEM.
 */
int fl_slab_replay_json(const struct fl_slab_replay *replay, struct json_t *object,
                        struct fl_err *err);

/** fl_slab_cpus - of the machine that @meta is of: at least 1, at most the 8192 that Linux can be built for. */
uint32_t fl_slab_cpus(const struct fl_meta *meta);

/* ---- what processes imply ------------------------------------------------------------ */

/** One kind of kernel object that the processes of a trace need. */
struct fl_slab_implied_row {
    const char *name;      /* of the cache */
    uint32_t object_bytes; /* what its owner asks for */
    uint64_t objects_end, objects_peak, slabs_end, slabs_peak, created;
    uint64_t internal_waste_bytes; /* at the peak */
};

struct fl_slab_implied {
    struct fl_slab_implied_row *rows; /* in the order of the table in docs/slab.md */
    size_t n_rows;
    uint64_t page_table_pages, stack_pages; /* at their peaks: of the page allocator */
};

/**
 * fl_slab_implied - kernel objects that @r's processes, threads, mappings and files imply, made and
 * freed as its events go, in slabs of a machine with @cpus processors.
 * Errors: the reader's; FL_ENOMEM. Cost: one pass over the events, which reads past the accesses.
 */
int fl_slab_implied(struct fl_reader *r, uint32_t cpus, struct fl_slab_implied *out,
                    struct fl_err *err);
void fl_slab_implied_free(struct fl_slab_implied *out);
int fl_slab_implied_json(const struct fl_slab_implied *implied, struct json_t *object,
                         struct fl_err *err);

#endif
