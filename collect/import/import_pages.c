/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw little-endian 64-bit page numbers, one a reference; bit 63 says it is a write. */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

#include <faultline/units.h>

#include "importers.h"

#define WRITE_BIT (UINT64_C(1) << 63)

enum { CHUNK = 8192 };

/* Runs that the writer has not had yet. */
struct batch {
    struct fl_writer *w;
    size_t n;
    uint64_t vpn[CHUNK], counts[CHUNK];
};

static int flush(struct batch *b, struct fl_err *err)
{
    size_t n = b->n;
    b->n = 0;
    return fl_writer_runs(b->w, 0, 0, b->vpn, b->counts, NULL, n, err);
}

static int bad_page(uint64_t vpn, uint64_t offset, struct fl_err *err)
{
    fl_fail(err, FL_EFORMAT, "page number %" PRIu64 " at byte %" PRIu64 " is not below 2^36", vpn,
            offset);
    if (err)
        err->offset_bytes = offset;
    return FL_EFORMAT;
}

/* @n words, at @offset of the input; to @b, which is empty before and after. */
static int put_words(struct batch *b, const uint64_t *words, size_t n, uint64_t offset,
                     struct fl_err *err)
{
    uint64_t last = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t word = le64toh(words[i]), vpn = word & ~WRITE_BIT;
        uint64_t count = UINT64_C(1) << (word >> 63) * FL_COUNT_BITS;
        if (vpn >= IMPORT_PAGES_END) {
            int rc = flush(b, err);
            return rc == FL_OK ? bad_page(vpn, offset + i * sizeof *words, err) : rc;
        }
        if (vpn == last) {
            b->counts[b->n - 1] += count;
            continue;
        }
        b->vpn[b->n] = last = vpn;
        b->counts[b->n++] = count;
    }
    return flush(b, err);
}

_Static_assert(CHUNK < FL_COUNT_MAX, "a run of a chunk has no more accesses than a count holds");

static int run_pages(FILE *in, struct fl_writer *w, struct fl_err *err)
{
    uint64_t words[CHUNK], offset = 0;
    struct batch *b = calloc(1, sizeof *b);
    int rc = b ? FL_OK : fl_nomem(err, "pages to import");
    if (b)
        b->w = w;
    for (size_t got; rc == FL_OK && (got = fread(words, 1, sizeof words, in)) > 0;) {
        size_t n = got / sizeof words[0];
        rc = put_words(b, words, n, offset, err);
        offset += n * sizeof words[0];
        if (rc == FL_OK && got % sizeof words[0]) /* fread comes short only at the end */
            rc = fl_fail(err, FL_EFORMAT, "it ends within a page number, at byte %" PRIu64, offset);
    }
    if (rc == FL_OK && ferror(in))
        rc = fl_fail_errno(err, "cannot read the input");
    free(b);
    return rc;
}

const struct fl_importer fl_import_pages = {
    .name = "pages",
    .summary = "raw little-endian 64-bit page numbers, bit 63 set for a write",
    .run = run_pages,
};
