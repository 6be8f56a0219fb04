/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer_trace - writes page references, or lackey's accesses, as the programs we are measured beside read them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: peer_trace libcachesim <PAGES >FILE   oracleGeneral records, with next uses\n"
    "       peer_trace parda <PAGES >FILE         u64 page numbers without the write bit\n"
    "       peer_trace dynamorio <PAGES >FILE     drmemtrace records: loads and stores of 8 bytes\n"
    "       peer_trace lackey <TEXT >FILE         drmemtrace records of lackey's --trace-mem=yes text\n"
    "PAGES: u64 page numbers, bit 63 = write.\n";

enum { CHUNK = 1 << 16 };
#define WRITE (UINT64_C(1) << 63)

static void put(const void *bytes, size_t n)
{
    if (fwrite(bytes, n, 1, stdout) != 1) {
        fputs("peer_trace: cannot write\n", stderr);
        exit(1);
    }
}

/* All of standard input as page numbers, the write bit left in. */
static uint64_t *read_pages(size_t *count)
{
    size_t n = 0, room = CHUNK, got;
    uint64_t *page = malloc(room * sizeof *page);
    while (page && (got = fread(page + n, sizeof *page, room - n, stdin)) > 0) {
        n += got;
        if (n == room)
            page = realloc(page, (room *= 2) * sizeof *page);
    }
    if (!page) {
        fputs("peer_trace: no memory\n", stderr);
        exit(1);
    }
    *count = n;
    return page;
}

/* u32 time, u64 object, u32 size, i64 position of the next use or -1; 24 bytes without gaps. */
static void libcachesim(void)
{
    size_t n;
    uint64_t *page = read_pages(&n), pages = 0;
    for (size_t i = 0; i < n; i++) {
        page[i] &= ~WRITE;
        pages = page[i] >= pages ? page[i] + 1 : pages;
    }
    int64_t *next = calloc(n + 1, sizeof *next), *seen = calloc(pages + 1, sizeof *seen);
    if (!next || !seen) {
        fputs("peer_trace: no memory for so many pages\n", stderr);
        exit(1);
    }
    for (size_t i = n; i-- > 0;) {
        next[i] = seen[page[i]] ? seen[page[i]] : -1;
        seen[page[i]] = (int64_t)i;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char record[24];
        uint32_t time = (uint32_t)i, size = 1;
        memcpy(record, &time, 4);
        memcpy(record + 4, &page[i], 8);
        memcpy(record + 12, &size, 4);
        memcpy(record + 16, &next[i], 8);
        put(record, sizeof record);
    }
    free(page);
    free(next);
    free(seen);
}

static void parda(void)
{
    uint64_t page;
    while (fread(&page, sizeof page, 1, stdin) == 1) {
        page &= ~WRITE;
        put(&page, sizeof page);
    }
}

/* A record of drmemtrace: u16 type, u16 size or kind of marker, u64 address or value. */
enum {
    READ = 0,
    STORE = 1,
    FETCH = 10,
    THREAD = 22,
    EXIT = 23,
    PROCESS = 24,
    HEADER = 25,
    FOOTER = 26,
    MARKER = 28
};
enum {
    MARK_TIME = 2,
    MARK_CPU = 3,
    MARK_FILE = 9,
    MARK_LINE = 10,
    MARK_VERSION = 12,
    MARK_PAGE = 18
};
enum { VERSION = 3, X86_64 = 0x40, FILTERED = 0x180 };

static void record(unsigned type, unsigned size, uint64_t value)
{
    unsigned char bytes[12] = { (unsigned char)type, 0, (unsigned char)size,
                                (unsigned char)(size >> 8) };
    memcpy(bytes + 4, &value, 8);
    put(bytes, sizeof bytes);
}

static void begin(uint64_t kind)
{
    record(HEADER, 0, VERSION);
    record(MARKER, MARK_VERSION, VERSION);
    record(MARKER, MARK_FILE, kind);
    record(THREAD, 4, 1);
    record(PROCESS, 4, 1);
    record(MARKER, MARK_LINE, 64);
    record(MARKER, MARK_PAGE, 4096);
    record(MARKER, MARK_TIME, 1);
    record(MARKER, MARK_CPU, 0);
}
static void end(void)
{
    record(EXIT, 4, 1);
    record(FOOTER, 0, 0);
}

static void dynamorio(void)
{
    uint64_t page;
    begin(X86_64 | FILTERED);
    while (fread(&page, sizeof page, 1, stdin) == 1)
        record(page & WRITE ? STORE : READ, 8, (page & ~WRITE) << 12);
    end();
}

static void lackey(void)
{
    char line[128];
    begin(X86_64);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t address;
        unsigned size;
        if (!strchr("I ", line[0]) || !strchr("LSM ", line[1]) ||
            sscanf(line + 2, "%" SCNx64 ",%u", &address, &size) != 2)
            continue;
        if (line[0] == 'I')
            record(FETCH, size, address);
        if (line[1] == 'L' || line[1] == 'M')
            record(READ, size, address);
        if (line[1] == 'S' || line[1] == 'M')
            record(STORE, size, address);
    }
    end();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(void);
    } formats[] = { { "libcachesim", libcachesim },
                    { "parda", parda },
                    { "dynamorio", dynamorio },
                    { "lackey", lackey } };
    for (size_t i = 0; argc == 2 && i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(argv[1], formats[i].name) == 0) {
            formats[i].write();
            return fflush(stdout) != 0;
        }
    }
    fputs(usage, stderr);
    return 2;
}
