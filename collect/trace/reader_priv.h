/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader_priv.h - the inside of a reader, shared by its parts: scan.c (checksums,
 * at open), reader.c (items), walk.c (all items against the invariants).
 */
#ifndef FL_TRACE_READER_PRIV_H
#define FL_TRACE_READER_PRIV_H

#include <zstd.h>

#include "blockdec.h"
#include "source.h"
#include "tstate.h"

struct fl_reader {
    struct fl_source source;
    uint32_t header_bytes;
    enum fl_fidelity fidelity;
    struct fl_meta *meta;

    /* What the scan found. */
    uint32_t good_blocks; /* before the END block or the damage */
    uint64_t good_bytes;  /* header and those blocks */
    uint64_t good_accesses;
    bool has_end; /* an END block that is whole */
    bool complete;
    bool has_codes;        /* a CODE block */
    uint64_t damage_at;    /* offset */
    char damage[200];      /* what is wrong and where; "" when complete */
    char damage_note[400]; /* damage, and how much before it is good */
    struct fl_totals totals;

    /* Where it stands. */
    uint64_t offset;         /* of the next block */
    uint32_t block;          /* its number */
    uint64_t block_offset;   /* of the open block */
    uint32_t block_number;   /* likewise */
    uint64_t block_accesses; /* as its envelope says */
    bool block_open;
    uint64_t codes_time_ns; /* as the envelope of its code locations says */
    uint32_t segment_left, segment_thread, events_left;
    enum fl_actor segment_actor;
    uint64_t time_ns;
    uint64_t foreign_events; /* records of kinds not known here */
    struct fl_err failed;

    struct fl_tstate state;
    struct fl_pagetab pages;
    struct fl_blockdec *dec;
    ZSTD_DCtx *zstd;
    struct fl_buf stored, raw, stored_codes, raw_codes;
    char text[FL_STRING_MAX + 1];
};

/* fl_reader_new - open, check the header, scan. Damage behind the header is no failure here. */
int fl_reader_new(const char *path, const void *mem, size_t len, struct fl_reader **out,
                  struct fl_err *err);
/* fl_reader_scan - envelopes and checksums of all blocks. FL_EIO, FL_ENOMEM, FL_EVERSION. */
int fl_reader_scan(struct fl_reader *r, struct fl_err *err);
/* fl_reader_note - compose damage_note from damage and what is good. */
void fl_reader_note(struct fl_reader *r);
/* fl_reader_refuse - FL_EFORMAT with damage_note and the way to recover. */
int fl_reader_refuse(const struct fl_reader *r, struct fl_err *err);

/*
 * fl_reader_step - towards the next item; *got says whether @item is one. Between
 * two blocks, and only there, block_open is false. Errors are bare reasons.
 */
int fl_reader_step(struct fl_reader *r, struct fl_item *item, bool *got, struct fl_err *err);

/*
 * fl_reader_walk - read all items, count totals (into r->totals unless there is an END
 * block), and rewind. A block that cannot be decoded becomes the trace's damage. With
 * @strict every invariant of docs/trace-format.md is checked.
 */
int fl_reader_walk(struct fl_reader *r, bool strict, struct fl_err *err);

#endif
