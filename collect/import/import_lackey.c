/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of `valgrind --tool=lackey --trace-mem=yes`: lines "I  ADDR,SIZE" for an
 * instruction, " L", " S" and " M" for a load, a store and both, addresses in hex.
 * Everything else in the stream (Valgrind's own lines, the program's output) is
 * passed over, as long as some accesses are found. An access that crosses into the
 * next page counts once on each.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "importers.h"

#define SIZE_MAX_BYTES 4096u /* the largest access x86-64 makes is xsave's */

struct access {
    uint64_t address, size;
    char kind;
};

static const char *parse_hex(const char *p, uint64_t *value)
{
    const char *start = p;
    for (*value = 0;; p++) {
        unsigned digit;
        if (*p >= '0' && *p <= '9')
            digit = (unsigned)(*p - '0');
        else if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')
            digit = (unsigned)((*p | 0x20) - 'a') + 10;
        else
            break;
        if (*value >> 60)
            return NULL;
        *value = *value << 4 | digit;
    }
    return p == start ? NULL : p;
}

/* Is @line an access? The forms are fixed: two columns of kind, a space, address, comma, size. */
static bool parse_line(const char *line, struct access *a)
{
    if (line[0] == 'I' && line[1] == ' ' && line[2] == ' ')
        a->kind = 'I';
    else if (line[0] == ' ' && strchr("LSM", line[1]) && line[1] && line[2] == ' ')
        a->kind = line[1];
    else
        return false;
    const char *p = parse_hex(line + 3, &a->address);
    if (!p || *p++ != ',')
        return false;
    for (a->size = 0; *p >= '0' && *p <= '9' && a->size <= SIZE_MAX_BYTES; p++)
        a->size = a->size * 10 + (uint64_t)(*p - '0');
    while (*p == '\r' || *p == '\n')
        p++;
    return !*p && a->size > 0 && a->size <= SIZE_MAX_BYTES;
}

static int put_access(struct fl_writer *w, const struct access *a, struct fl_err *err)
{
    uint64_t first = a->address >> FL_PAGE_SHIFT;
    uint64_t last = (a->address + a->size - 1) >> FL_PAGE_SHIFT;
    int rc = FL_OK;
    for (uint64_t vpn = first; vpn <= last && rc == FL_OK; vpn++)
        rc = fl_writer_run(w, 0, FL_ACTOR_USER, 0, vpn, a->kind == 'L' || a->kind == 'M',
                           a->kind == 'S' || a->kind == 'M', a->kind == 'I', err);
    return rc;
}

static int run_lackey(FILE *in, struct fl_writer *w, struct fl_err *err)
{
    const uint64_t end = IMPORT_PAGES_END << FL_PAGE_SHIFT;
    char line[256], text[64];
    uint64_t outside = 0;
    int rc = FL_OK;
    bool whole = true; /* the last read ended a line */

    while (rc == FL_OK && fgets(line, sizeof line, in)) {
        struct access a;
        bool starts = whole;
        whole = strchr(line, '\n') != NULL;
        if (!starts || !parse_line(line, &a))
            continue;
        if (a.address >= end - SIZE_MAX_BYTES)
            outside++; /* the vsyscall page: kernel memory */
        else
            rc = put_access(w, &a, err);
    }
    if (rc == FL_OK && ferror(in))
        rc = fl_fail_errno(err, "cannot read the input");
    if (rc == FL_OK && outside) {
        snprintf(text, sizeof text, "%" PRIu64 " accesses above 48-bit addresses left out",
                 outside);
        rc = fl_writer_meta(w, "quality.outside", text, err);
    }
    return rc;
}

const struct fl_importer fl_import_lackey = {
    .name = "lackey",
    .summary = "text of valgrind --tool=lackey --trace-mem=yes",
    .run = run_lackey,
};
