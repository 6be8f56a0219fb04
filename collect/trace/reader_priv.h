/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader_priv.h - the inside of a reader, shared by its parts: scan.c (checksums,
 * at open), reader.c (items), readlayer.c (the same from the reduced layer), walk.c (all items
 * against the invariants).
 */
#ifndef FL_TRACE_READER_PRIV_H
#define FL_TRACE_READER_PRIV_H

#include <zstd.h>

#include "blockdec.h"
#include "coarse.h"
#include "source.h"
#include "tstate.h"

/* What to read of a stretch of the trace. */
enum fl_wanted {
    FL_WANT_STREAM,  /* the full stream; an error where it is not there */
    FL_WANT_REDUCED, /* the reduced layer where it is there */
    FL_WANT_ALL,     /* the full stream where it is there */
};

struct fl_reader {
    struct fl_source source;
    struct fl_hash *hash; /* sha256.c, on its way; or NULL */
    uint32_t header_bytes;
    enum fl_fidelity fidelity;
    struct fl_meta *meta;

    /* What the scan found. */
    uint32_t good_blocks; /* before the END block or the damage */
    uint64_t good_bytes;  /* header and those blocks */
    uint64_t good_accesses;
    bool has_end; /* an END block that is whole */
    bool complete;
    bool checked;   /* all checksums; else a payload's when it is read */
    bool has_codes; /* a CODE block */
    bool has_coarse;
    struct fl_layer layer;
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

    enum fl_wanted wanted;
    bool coarse;          /* with FL_WANT_REDUCED: and the layer above it, but */
    uint32_t coarse_skip; /* of so many STREAM blocks there is none */
    bool block_reduced;   /* the open block is a layer's */
    struct fl_reduced *reduced;

    /* Only where the layer is to be checked: */
    struct fl_reduce *reduce;
    struct fl_coarse *again;       /* NULL: no layer above it */
    struct fl_reduce_input stream; /* the last STREAM block, in the buffers still; raw NULL: none */
    struct fl_buf layer_raw, layer_stored, layer_made;

    struct fl_tstate state;
    struct fl_pagetab pages;
    struct fl_blockdec *dec;
    ZSTD_DCtx *zstd;
    struct fl_buf stored, raw, stored_codes, raw_codes;
    struct fl_buf envelopes; /* of the good blocks, as they are in the file */
    char text[FL_STRING_MAX + 1];
};

/* fl_reader_new - open, check the header, scan all (or @glance). Damage behind the header is no
 * failure here. */
int fl_reader_new(const char *path, const void *mem, size_t len, bool glance,
                  struct fl_reader **out, struct fl_err *err);
/* fl_reader_scan - envelopes and checksums of all blocks. FL_EIO, FL_ENOMEM, FL_EVERSION. */
int fl_reader_scan(struct fl_reader *r, struct fl_err *err);
/* fl_reader_glance - the same, but of a sound trace with a layer its envelopes alone. */
int fl_reader_glance(struct fl_reader *r, struct fl_err *err);
/* fl_reader_vouch - all checksums, unless they have been looked at: a damaged trace is refused. */
int fl_reader_vouch(struct fl_reader *r, struct fl_err *err);
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

/* fl_reader_envelope - of block @block, below r->good_blocks, as the scan has seen it. */
void fl_reader_envelope(const struct fl_reader *r, uint32_t block, uint8_t head[FL_ENVELOPE_BYTES],
                        struct fl_envelope *e);
/* fl_payload_unpack - the decoded payload of @e, stored at @payload: in place or in @room. FL_ENOMEM,
 * FL_EFORMAT with a bare reason. */
int fl_payload_unpack(ZSTD_DCtx *zstd, const struct fl_envelope *e, const uint8_t *payload,
                      struct fl_buf *room, const uint8_t **raw, struct fl_err *err);
/* fl_reader_payload - what is behind it, decoded; lives as long as nothing uses the rooms. */
int fl_reader_payload(struct fl_reader *r, uint64_t at, const uint8_t head[FL_ENVELOPE_BYTES],
                      const struct fl_envelope *e, struct fl_buf *stored, struct fl_buf *room,
                      const uint8_t **raw, struct fl_err *err);

/* ---- readlayer.c ---- */

/* fl_layer_facts - r->layer, from the metadata and what the scan has counted in it. */
void fl_layer_facts(struct fl_reader *r);
/*
 * fl_layer_instead - the REDUCED block of the STREAM block with envelope @e at r->offset, opened in
 * its place; *taken is false, and nothing has changed, where there is none that this build reads.
 */
int fl_layer_instead(struct fl_reader *r, const struct fl_envelope *e, bool *taken,
                     struct fl_err *err);
/* fl_layer_above - likewise the COARSE block of it and of those behind it. */
int fl_layer_above(struct fl_reader *r, bool *taken, struct fl_err *err);
/* fl_layer_open - the REDUCED block at r->offset, in whose place there is no STREAM block. */
int fl_layer_open(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                  const struct fl_envelope *e, struct fl_err *err);
/* fl_layer_check - with r->reduce: is the REDUCED block at r->offset what it must be? And any other
 * block: the reducer has to see all of the stream. */
int fl_layer_check(struct fl_reader *r, const uint8_t head[FL_ENVELOPE_BYTES],
                   const struct fl_envelope *e, struct fl_err *err);

/* sha256.c: stop what fl_reader_hash_ahead() began */
void fl_hash_drop(struct fl_reader *r);

#endif
