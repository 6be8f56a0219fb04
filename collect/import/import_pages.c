/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw little-endian 64-bit page numbers, one a reference; bit 63 says it is a write. */
#include <endian.h>
#include <inttypes.h>

#include <faultline/units.h>

#include "importers.h"

#define WRITE_BIT (UINT64_C(1) << 63)

static int one_page(struct fl_writer *w, uint64_t word, uint64_t offset, struct fl_err *err)
{
    uint64_t vpn = word & ~WRITE_BIT;
    bool write = (word & WRITE_BIT) != 0;
    if (vpn >= IMPORT_PAGES_END) {
        fl_fail(err, FL_EFORMAT, "page number %" PRIu64 " at byte %" PRIu64 " is not below 2^36",
                vpn, offset);
        if (err)
            err->offset_bytes = offset;
        return FL_EFORMAT;
    }
    return fl_writer_run(w, 0, FL_ACTOR_USER, 0, vpn, !write, write, 0, err);
}

static int run_pages(FILE *in, struct fl_writer *w, struct fl_err *err)
{
    uint64_t words[8192], offset = 0;
    int rc = FL_OK;
    for (size_t got; rc == FL_OK && (got = fread(words, 1, sizeof words, in)) > 0;) {
        size_t n = got / sizeof words[0];
        for (size_t i = 0; i < n && rc == FL_OK; i++, offset += sizeof words[0])
            rc = one_page(w, le64toh(words[i]), offset, err);
        if (rc == FL_OK && got % sizeof words[0]) /* fread comes short only at the end */
            rc = fl_fail(err, FL_EFORMAT, "it ends within a page number, at byte %" PRIu64, offset);
    }
    if (rc == FL_OK && ferror(in))
        rc = fl_fail_errno(err, "cannot read the input");
    return rc;
}

const struct fl_importer fl_import_pages = {
    .name = "pages",
    .summary = "raw little-endian 64-bit page numbers, bit 63 set for a write",
    .run = run_pages,
};
