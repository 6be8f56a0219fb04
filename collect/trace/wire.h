/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - the constants and the fixed parts of a .flt file; docs/trace-format.md
 * has the same numbers and is the authority.
 */
#ifndef FL_TRACE_WIRE_H
#define FL_TRACE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/trace.h>

#include "codec.h"

#define FL_HEADER_LAYOUT 1u
#define FL_HEADER_FIXED 33u           /* bytes before the metadata */
#define FL_HEADER_MAX (16u << 20)     /* bytes of a whole header */
#define FL_FEATURES_KNOWN UINT64_C(0) /* required-feature bits this build reads */

#define FL_ENVELOPE_BYTES 56u
#define FL_ENVELOPE_HASHED 48u        /* what the checksum's seed covers */
#define FL_ENVELOPE_MAGIC 0x4b424c46u /* "FLBK" */
#define FL_BLOCK_RAW_MAX (64u << 20)
#define FL_BLOCK_STORED_MAX (65u << 20)
#define FL_BLOCK_RUNS_MAX (1u << 20)
#define FL_BLOCK_EVENTS_BYTES (4u << 20) /* the writer ends a block beyond this */
#define FL_BLOCK_LISTS_MAX 4096u         /* threads with runs in a recency-coded block */
#define FL_RECENCY_MAX 240u
#define FL_SHAPES_MAX 254u
#define FL_SHAPE_ESCAPE 255u
#define FL_STRING_MAX 65536u
#define FL_META_VALUE_MAX (4u << 20)
#define FL_META_KEY_MAX 255u
#define FL_VPN_MAX (UINT64_MAX >> 1)
#define FL_TOTALS_FIELDS 17u
#define FL_STREAM_HEADER 40u /* bytes before a STREAM block's columns */
#define FL_CODE_HEADER 8u    /* and before a CODE block's */
#define FL_COARSE_HEADER 8u  /* and before the payload in a COARSE block's */

/* Where a stretch ends whose runs are reduced once more. */
#define FL_COARSE_RUNS (1u << 18) /* in the reduced layer */
#define FL_COARSE_BLOCKS 64u

enum {
    FL_BLOCK_STREAM = 1,
    FL_BLOCK_END = 2,
    FL_BLOCK_CODE = 3,
    FL_BLOCK_REDUCED = 4,
    FL_BLOCK_COARSE = 5
};
enum { FL_CODEC_RAW = 0, FL_CODEC_ZSTD = 1 };
enum { FL_BLOCKF_OPTIONAL = 1u << 0, FL_BLOCKF_IDS = 1u << 1, FL_BLOCKF_PAIRS = 1u << 2 };

struct fl_envelope {
    uint8_t kind, codec;
    uint16_t flags;
    uint32_t seq, raw_len, stored_len, runs;
    uint64_t first_access, first_time_ns, accesses, checksum;
};

/* A CODE block in a coding that this build knows; others are skipped. */
static inline bool fl_envelope_is_code(const struct fl_envelope *e)
{
    return e->kind == FL_BLOCK_CODE && e->codec <= FL_CODEC_ZSTD && e->flags == FL_BLOCKF_OPTIONAL;
}

/* A REDUCED block beside the STREAM block before it; and one in whose place there is none. */
static inline bool fl_envelope_is_reduced(const struct fl_envelope *e)
{
    return e->kind == FL_BLOCK_REDUCED && e->codec <= FL_CODEC_ZSTD &&
           e->flags == FL_BLOCKF_OPTIONAL;
}

static inline bool fl_envelope_is_only(const struct fl_envelope *e)
{
    return e->kind == FL_BLOCK_REDUCED && e->codec <= FL_CODEC_ZSTD && e->flags == 0;
}

/* The layer above it, of the blocks before. */
static inline bool fl_envelope_is_coarse(const struct fl_envelope *e)
{
    return e->kind == FL_BLOCK_COARSE && e->codec <= FL_CODEC_ZSTD &&
           e->flags == FL_BLOCKF_OPTIONAL;
}

/* One that a pass may come to read. */
static inline bool fl_envelope_is_known(const struct fl_envelope *e)
{
    return e->kind == FL_BLOCK_STREAM || fl_envelope_is_code(e) || fl_envelope_is_reduced(e) ||
           fl_envelope_is_only(e) || fl_envelope_is_coarse(e);
}

extern const uint8_t fl_trace_magic[8];

/* The checksum is over envelope bytes 0-47 and @payload; it fills e->checksum. */
void fl_envelope_encode(uint8_t out[FL_ENVELOPE_BYTES], struct fl_envelope *e, const void *payload);
/* False: the magic is wrong. Nothing else is judged. */
bool fl_envelope_decode(struct fl_envelope *e, const uint8_t in[FL_ENVELOPE_BYTES]);
bool fl_envelope_sound(const uint8_t in[FL_ENVELOPE_BYTES], const struct fl_envelope *e,
                       const void *payload);

/* XXH3-64 that a fuzzing build (FAULTLINE_FUZZING) takes as right whatever it is. */
bool fl_checksum_equal(uint64_t stored, uint64_t computed);

int fl_header_encode(struct fl_buf *out, enum fl_fidelity fidelity, const struct fl_meta *meta,
                     struct fl_err *err);

/* The first bytes of a header, enough to know how long it is. */
struct fl_header_fixed {
    uint32_t length;
    uint64_t required, optional;
    enum fl_fidelity fidelity;
};
/* fl_header_peek - judge the first FL_HEADER_FIXED bytes of @len. FL_EFORMAT, FL_EVERSION. */
int fl_header_peek(const char *name, const uint8_t *p, size_t len, struct fl_header_fixed *out,
                   struct fl_err *err);
/* fl_header_meta - check the whole header's checksum, and give its metadata. */
int fl_header_meta(const char *name, const uint8_t *p, const struct fl_header_fixed *fixed,
                   struct fl_meta *meta, struct fl_err *err);

/* Metadata as [count][key][value]...; shared by header and END block. */
void fl_meta_encode(struct fl_buf *out, const struct fl_meta *meta);
int fl_meta_decode(struct fl_cur *c, struct fl_meta *meta, struct fl_err *err);

void fl_end_encode(struct fl_buf *out, uint32_t blocks, const struct fl_totals *totals,
                   const struct fl_meta *meta);
/* @meta may be NULL: then the late metadata is not looked at. */
int fl_end_decode(const uint8_t *p, size_t len, uint32_t *blocks, struct fl_totals *totals,
                  struct fl_meta *meta, struct fl_err *err);

/* fl_totals_event - count one event record. Threads, files and spaces are the caller's. */
void fl_totals_event(struct fl_totals *t, const struct fl_event *ev);
/* fl_totals_runs - count decoded runs. Returns the user accesses among them. */
uint64_t fl_totals_runs(struct fl_totals *t, const struct fl_runs *runs);
/* fl_totals_differ - name of the first field that differs, or NULL. */
const char *fl_totals_differ(const struct fl_totals *a, const struct fl_totals *b,
                             uint64_t *value_a, uint64_t *value_b);

/* Event records. @last_time_ns: of the event before; the caller advances it. */
int fl_event_encode(struct fl_buf *out, const struct fl_event *ev, uint64_t last_time_ns,
                    struct fl_err *err);
/*
 * fl_event_decode - one record at @c. @text: FL_STRING_MAX + 1 bytes for its string.
 * Returns: 1 for an event, 0 for a record of a kind not known here (time and thread
 * are filled), FL_EFORMAT.
 */
int fl_event_decode(struct fl_cur *c, struct fl_event *ev, uint64_t last_time_ns, char *text,
                    struct fl_err *err);
const char *fl_event_name(enum fl_event_kind kind);

#endif
