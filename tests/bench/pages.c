/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages - writes a string of page references for the measurements, the same on every machine.
   Built by run.sh together with tests/oracle/page_stream.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page_stream.h"

enum { CHUNK = 1 << 16 };

static const char usage[] =
    "usage: pages mix|uniform|zipf|loop|phases REFS PAGES [SEED] >FILE\n"
    "Raw little-endian u64 page numbers, bit 63 = write: what `faultline import --from pages` reads.\n";

static const struct {
    const char *name;
    enum page_stream_kind kind;
} kinds[] = { { "mix", PAGE_STREAM_MIX },
              { "uniform", PAGE_STREAM_UNIFORM },
              { "zipf", PAGE_STREAM_ZIPF },
              { "loop", PAGE_STREAM_LOOP },
              { "phases", PAGE_STREAM_PHASES } };

static int write_pages(struct page_stream *s, uint64_t refs)
{
    static uint64_t chunk[CHUNK];
    while (refs) {
        size_t n = refs < CHUNK ? (size_t)refs : CHUNK;
        for (size_t i = 0; i < n; i++)
            chunk[i] = page_stream_next(s);
        if (fwrite(chunk, sizeof *chunk, n, stdout) != n)
            return 1;
        refs -= n;
    }
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    size_t kind = 0;
    if (argc < 4 || argc > 5) {
        fputs(usage, stderr);
        return 2;
    }
    while (kind < sizeof kinds / sizeof *kinds && strcmp(kinds[kind].name, argv[1]) != 0)
        kind++;
    uint64_t refs = strtoull(argv[2], NULL, 10), pages = strtoull(argv[3], NULL, 10);
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    if (kind == sizeof kinds / sizeof *kinds || pages > UINT32_MAX) {
        fputs(usage, stderr);
        return 2;
    }
    struct page_stream *s = page_stream_new(kinds[kind].kind, (uint32_t)pages, seed);
    if (!s) {
        fputs("pages: not so many pages, or no memory\n", stderr);
        return 1;
    }
    int bad = write_pages(s, refs);
    page_stream_free(s);
    if (bad)
        fputs("pages: cannot write\n", stderr);
    return bad;
}
