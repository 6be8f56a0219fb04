/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * trace.h - writing and reading .flt traces.
 *
 * A trace is one ordered stream of events and runs. A run is a stretch of
 * consecutive accesses of one thread to one page. Pages have dense ids, from 0
 * in order of first appearance; an id stands for one (address space, virtual
 * page number) pair for the whole trace, whatever is mapped there.
 *
 * docs/trace-format.md is the format, byte by byte.
 */
#ifndef FAULTLINE_TRACE_H
#define FAULTLINE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>
#include <faultline/event.h>

#define FL_TRACE_VERSION 1u

/* ---- metadata ------------------------------------------------------------ */

/** Key and value strings in the header, e.g. "host.kernel" "6.18.44". */
struct fl_meta;

struct fl_meta *fl_meta_new(void); /* NULL: out of memory */
void fl_meta_free(struct fl_meta *meta);
/** fl_meta_set - copies both; replaces an earlier value. FL_ENOMEM, FL_EUSAGE (key). */
int fl_meta_set(struct fl_meta *meta, const char *key, const char *value, struct fl_err *err);
int fl_meta_setf(struct fl_meta *meta, struct fl_err *err, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/** fl_meta_get - value, or NULL. */
const char *fl_meta_get(const struct fl_meta *meta, const char *key);
/** fl_meta_get_u64 - value as a number, or @missing when absent or no number. */
uint64_t fl_meta_get_u64(const struct fl_meta *meta, const char *key, uint64_t missing);
/** fl_meta_at - the i-th pair in order of setting; false past the end. */
bool fl_meta_at(const struct fl_meta *meta, size_t i, const char **key, const char **value);

/* ---- totals --------------------------------------------------------------- */

struct fl_totals {
    uint64_t reads, writes, fetches;        /* accesses of user instructions */
    uint64_t syscall_reads, syscall_writes; /* pages touched by system calls, each time */
    uint64_t runs;                          /* runs of both kinds */
    uint64_t events;
    uint64_t faults_minor, faults_major, faults_unknown; /* FL_EV_FAULT events */
    uint64_t lost_events;
    uint64_t distinct_pages;
    uint32_t processes, threads, address_spaces, files;
    uint64_t duration_ns; /* time of the last event */
};

/** fl_totals_accesses - reads + writes + fetches. */
static inline uint64_t fl_totals_accesses(const struct fl_totals *t)
{
    return t->reads + t->writes + t->fetches;
}

/* ---- writer --------------------------------------------------------------- */

struct fl_writer;

#define FL_LAYER_FLOOR 256u /* frames, unless somebody says otherwise */
#define FL_LAYER_FLOOR_MAX 65536u

/** fl_layer_coarse - the usual floor of the layer above one of @floor; 0: there is to be none. */
static inline uint32_t fl_layer_coarse(uint32_t floor)
{
    return floor <= FL_LAYER_FLOOR_MAX / 16 ? 16 * floor : 0;
}

struct fl_writer_opts {
    uint32_t block_runs;   /* runs a block holds at most; 0: 1048576, which is the limit too */
    int zstd_level;        /* 0: 3 */
    uint32_t layer_floor;  /* put the reduced layer (docs/reduction.md) behind blocks where it pays,
                             for memories of so many frames or more; 0: no layer */
    uint32_t layer_coarse; /* and above it one for memories of so many or more; 0: none */
    bool layer_always;     /* and where it does not pay; for tests */
};

/**
 * fl_writer_open - create @path (mode 0600) and write the header.
 * @fidelity and @meta travel in the header; @meta is copied and may grow until
 * fl_writer_close() through fl_writer_meta(), which appends.
 * Errors: FL_EIO, FL_ENOMEM.
 */
int fl_writer_open(const char *path, enum fl_fidelity fidelity, const struct fl_meta *meta,
                   const struct fl_writer_opts *opts, struct fl_writer **out, struct fl_err *err);

/** fl_writer_open_mem - as above, into memory; fl_writer_close() hands over the bytes. */
int fl_writer_open_mem(enum fl_fidelity fidelity, const struct fl_meta *meta,
                       const struct fl_writer_opts *opts, struct fl_writer **out,
                       struct fl_err *err);

/**
 * fl_writer_event - append @ev at this point of the stream.
 * A time earlier than the last event's is raised to it. Strings are copied.
 * Errors: FL_EIO (disk full among them: what is on disk stays readable),
 * FL_EUSAGE for ids out of order. After an error every later call returns it again.
 */
int fl_writer_event(struct fl_writer *w, const struct fl_event *ev, struct fl_err *err);

/** Who made the accesses of a run. */
enum fl_actor {
    FL_ACTOR_USER = 0,   /* the thread's own instructions */
    FL_ACTOR_KERNEL = 1, /* a system call of the thread, on its user memory */
};

/**
 * fl_writer_run - append accesses of @thread to page @vpn of address space @mm.
 * A call that continues the last run (same thread, page and actor, no event
 * between) is merged into it. reads + writes + fetches must be > 0.
 * Cost: amortised O(1), no system call except once a block.
 */
int fl_writer_run(struct fl_writer *w, uint32_t thread, enum fl_actor actor, uint32_t mm,
                  uint64_t vpn, uint32_t reads, uint32_t writes, uint32_t fetches,
                  struct fl_err *err);

/* A run's counts in one number, each at most FL_COUNT_MAX. */
#define FL_COUNT_BITS 21
#define FL_COUNT_MAX ((UINT64_C(1) << FL_COUNT_BITS) - 1)
#define FL_COUNT_READS(c) ((uint32_t)((c)&FL_COUNT_MAX))
#define FL_COUNT_WRITES(c) ((uint32_t)((c) >> FL_COUNT_BITS & FL_COUNT_MAX))
#define FL_COUNT_FETCHES(c) ((uint32_t)((c) >> 2 * FL_COUNT_BITS & FL_COUNT_MAX))

/**
 * fl_writer_runs - append @n runs of @thread's own instructions in address space @mm.
 * @vpn: their pages, no two in a row the same. @counts: reads, writes << FL_COUNT_BITS,
 * fetches << 2 * FL_COUNT_BITS; bit 63 is 0, and at least one of them is not. @code: where
 * each began, as fl_writer_code() takes it, which it then replaces; NULL: where the
 * thread is. The first may be merged and the last continued, as with fl_writer_run().
 * Cost: amortised O(n), some ns a run.
 */
int fl_writer_runs(struct fl_writer *w, uint32_t thread, uint32_t mm, const uint64_t *vpn,
                   const uint64_t *counts, const uint32_t *code, size_t n, struct fl_err *err);

/** No page, where fl_writer_page() failed. */
#define FL_NO_PAGE UINT32_MAX
/**
 * fl_writer_page - the id that page @vpn of address space @mm has in this trace, for good; a page
 * that has none gets the next. Every page that got one must appear in a run, and first in the order
 * in which they got theirs. Returns: FL_NO_PAGE when out of memory or ids, when @vpn is over 63 bits,
 * or when the writer has failed before; it has failed then.
 * Cost: a look into a hash table.
 */
uint32_t fl_writer_page(struct fl_writer *w, uint32_t mm, uint64_t vpn, struct fl_err *err);
/** A run of a page whose id is known; counts and code as fl_writer_runs() takes them. */
struct fl_page_run {
    uint64_t counts;
    uint32_t page, code;
};
/**
 * fl_writer_page_runs - the same as fl_writer_runs(). All pages must be in address space @mm, which
 * is not checked.
 */
int fl_writer_page_runs(struct fl_writer *w, uint32_t thread, uint32_t mm,
                        const struct fl_page_run *runs, size_t n, struct fl_err *err);

/**
 * fl_writer_code - @thread's runs from here on begin in @code, of an FL_EV_CODE event
 * (FL_NO_CODE: not known, as at the thread's begin). The writer keeps it for the runs
 * that can fault: those whose page is not among the thread's last 64.
 * A run that fl_writer_run() merges stays where it began.
 * Threads that do not exist are ignored; after a code that does not exist, every later call
 * returns FL_EUSAGE.
 * Cost: one store.
 */
void fl_writer_code(struct fl_writer *w, uint32_t thread, uint32_t code);

/** fl_writer_meta - add a key that is known only at the end; stored in the END block. */
int fl_writer_meta(struct fl_writer *w, const char *key, const char *value, struct fl_err *err);

/** fl_writer_flush - finish the block under construction, so that it survives a kill. */
int fl_writer_flush(struct fl_writer *w, struct fl_err *err);

/** fl_writer_totals - what has been written so far. */
const struct fl_totals *fl_writer_totals(const struct fl_writer *w);

/**
 * fl_writer_close - write the last block and the END block, sync, close, free @w.
 * @bytes, @len: for open_mem, malloc'ed; NULL otherwise. After an earlier error
 * the file keeps the finished blocks; the error is returned once more.
 */
int fl_writer_close(struct fl_writer *w, void **bytes, size_t *len, struct fl_err *err);

/** fl_writer_abandon - free @w without an END block, as a kill would leave it. NULL is fine. */
void fl_writer_abandon(struct fl_writer *w);

/* ---- reader --------------------------------------------------------------- */

struct fl_reader;

enum {
    /* Accept a trace whose end is missing or damaged: read the good blocks, and
       stop there. Without it such a trace is refused at open with FL_EFORMAT and
       a message that says how much is good. */
    FL_READ_PARTIAL = 1u << 0,
};

struct fl_page {
    uint64_t vpn;
    uint32_t mm;
};

enum fl_item_kind { FL_ITEM_END, FL_ITEM_EVENT, FL_ITEM_RUNS };

/** Where a thread was when a run began. */
struct fl_run_code {
    uint32_t run;  /* index in the batch */
    uint32_t code; /* defined by an FL_EV_CODE event that came before; never FL_NO_CODE */
};

/** What holds for some run of a batch; a bit that is not set holds for none. */
enum fl_run_facts {
    FL_RUNS_LONG = 1u << 0, /* of more than one access; else reads + writes + fetches is 1 in all */
    FL_RUNS_WRITES = 1u << 1,
    FL_RUNS_FETCHES = 1u << 2,
};

/** Consecutive runs of one thread and actor, as columns of @n. */
struct fl_runs {
    uint32_t thread;
    enum fl_actor actor;
    size_t n;
    const uint32_t *page; /* dense page ids, all < fl_reader_pages() */
    const uint32_t *reads, *writes, *fetches;
    unsigned facts; /* enum fl_run_facts, exact */
    /* Locations of the runs that have one, ascending by run; of no run when n_codes is 0.
       Any other run is where its thread's last run with a location was, in an earlier
       batch perhaps; before the first of a thread it is not known. */
    size_t n_codes;
    const struct fl_run_code *codes;
};

struct fl_item {
    enum fl_item_kind kind;
    union {
        struct fl_event event;
        struct fl_runs runs; /* columns live until the next reader call */
    };
};

/**
 * fl_reader_open_path / _open_mem - check header and every block's checksum, and
 * stand at the first item. Of a trace with a reduced layer only the envelopes are looked
 * at: fl_reader_next() checks all checksums before the stream's first item, or each block of
 * the layer when it comes to it, and then refuses what is damaged as opening would. The
 * input is never trusted: any bytes give a reader or an error, and a reader gives items or
 * an error.
 * @buf must outlive the reader.
 * Errors: FL_EIO, FL_ENOMEM, FL_EFORMAT (with offset_bytes), FL_EVERSION.
 * Cost: one sequential read of the file; with a layer one small read a block.
 */
int fl_reader_open_path(const char *path, unsigned flags, struct fl_reader **out,
                        struct fl_err *err);
int fl_reader_open_mem(const void *buf, size_t len_bytes, unsigned flags, struct fl_reader **out,
                       struct fl_err *err);

/** fl_reader_next - the next item. FL_OK (item->kind says END at the end) or an error. */
int fl_reader_next(struct fl_reader *r, struct fl_item *item, struct fl_err *err);

/**
 * fl_reader_rewind - stand at the first item again. Page ids stay as they were.
 * A trace that has kept its reduced layer only fails in fl_reader_next() then: FL_EDATA.
 */
int fl_reader_rewind(struct fl_reader *r, struct fl_err *err);

/** What a trace's reduced layer is: docs/reduction.md. */
struct fl_layer {
    uint32_t floor;       /* frames: it is exact for memories of these and more */
    uint32_t coarse;      /* likewise, of the layer above it; 0: there is none */
    bool only;            /* of some blocks the full stream is not there */
    uint32_t blocks, of;  /* stretches of the trace that are reduced, and all */
    uint64_t bytes;       /* that its blocks take in the file */
    uint64_t coarse_runs; /* that are left in the one above it, and */
    uint64_t runs,
        of_runs; /* in this, as the recorder counted at the end; 0 in a trace cut short */
};

/** fl_reader_layer - of the trace, or NULL when it has none. Lives as long as the reader. */
const struct fl_layer *fl_reader_layer(const struct fl_reader *r);

/**
 * fl_reader_rewind_reduced - stand at the first item of the reduced layer, of the coarser one where
 * it is exact for memories of @frames (UINT32_MAX: any) or more: the same events, and of the runs
 * those that LRU and OPT need in memories of its floor or more. Until the next rewind.
 * A run has reads, writes, fetches as the full one has them or not, one each, and then those of
 * user runs left out behind it are added to the first kind it has: how many accesses are before a
 * run or an event is exact, which of them are reads is not. Blocks that are not reduced come
 * whole. Without a layer it is fl_reader_rewind().
 */
int fl_reader_rewind_reduced(struct fl_reader *r, uint32_t frames, struct fl_err *err);

/** fl_reader_pages - ids handed out so far; ids are 0 .. this - 1. */
uint32_t fl_reader_pages(const struct fl_reader *r);
/** fl_reader_page - what @id stands for; @id < fl_reader_pages(). */
struct fl_page fl_reader_page(const struct fl_reader *r, uint32_t id);

/** fl_reader_has_codes - does any run have a code location? Known from the open on. */
bool fl_reader_has_codes(const struct fl_reader *r);

enum fl_fidelity fl_reader_fidelity(const struct fl_reader *r);
const struct fl_meta *fl_reader_meta(const struct fl_reader *r);
/**
 * fl_reader_totals - the whole trace's, from its END block; for a partial one,
 * counted while opening.
 */
const struct fl_totals *fl_reader_totals(const struct fl_reader *r);
/** fl_reader_complete - false when FL_READ_PARTIAL let a damaged trace in. */
bool fl_reader_complete(const struct fl_reader *r);
/** fl_reader_damage - why it is not complete, one line; "" when it is. */
const char *fl_reader_damage(const struct fl_reader *r);
void fl_reader_free(struct fl_reader *r); /* NULL is fine */

/**
 * fl_reader_hash_ahead - begin with fl_reader_sha256() on a thread of its own; where there can be
 * none it is done when asked for.
 */
void fl_reader_hash_ahead(struct fl_reader *r);
/**
 * fl_reader_sha256 - lower-case hex of the trace's SHA-256 into @hex (65 bytes): of the file as it
 * was opened. Errors: FL_EIO, FL_EFORMAT when it became shorter. Cost: a read of all of it, now or ahead.
 */
int fl_reader_sha256(struct fl_reader *r, char hex[65], struct fl_err *err);

/* ---- whole files ---------------------------------------------------------- */

/** fl_sha256_file - lower-case hex of the file's SHA-256 into @hex (65 bytes). */
int fl_sha256_file(const char *path, char hex[65], struct fl_err *err);

struct fl_check_report {
    bool sound;
    uint64_t good_blocks, good_bytes, good_accesses, good_events, file_bytes;
    char problem[512];     /* "" when sound */
    struct fl_layer layer; /* floor 0: it has none */
};

/**
 * fl_trace_check - walk every invariant of docs/trace-format.md, section "Invariants".
 * Returns: FL_OK when the walk could be made, whatever it found; FL_EIO otherwise.
 */
int fl_trace_check(const char *path, struct fl_check_report *report, struct fl_err *err);

/**
 * fl_trace_reduce - copy @from to @to with a reduced layer of @floor (1 to FL_LAYER_FLOOR_MAX) in
 * place of any that it has. @only: a block that is reduced is left out itself. @layer: what came
 * of it. Refuses damaged traces, and to reduce one again whose full stream is gone: FL_EDATA.
 */
int fl_trace_reduce(const char *from, const char *to, uint32_t floor, bool only,
                    struct fl_layer *layer, struct fl_err *err);

#define FL_COMPRESS_LEVEL_MAX 22 /* zstd's */
#define FL_COMPRESS_THREADS_MAX 1024

/**
 * fl_trace_compress - copy @from to @to with its blocks compressed again at @level (1 to
 * FL_COMPRESS_LEVEL_MAX): a block that does not get smaller stays as it is, nothing else changes.
 * @threads: at most FL_COMPRESS_THREADS_MAX, 0 for one a processor. @progress: called with 0..10000;
 * or NULL. Refuses damaged traces.
 * Cost: at level 19 some 0.4 us a run, on each thread.
 */
int fl_trace_compress(const char *from, const char *to, int level, unsigned threads,
                      void (*progress)(void *arg, unsigned done_bp), void *arg, struct fl_err *err);

/** fl_trace_salvage - copy the good blocks of @from to @to and close it properly. */
int fl_trace_salvage(const char *from, const char *to, struct fl_err *err);

struct fl_probes; /* kernel_events.h */

/**
 * fl_dump_item - @item as text, one line an event or run.
 * @probes: what names and tracepoints the trace has defined so far, this item included; NULL, or
 * one that does not know an id: the id and values stand there as numbers.
 */
void fl_dump_item(const struct fl_reader *r, const struct fl_item *item,
                  const struct fl_probes *probes, FILE *out);

#endif
