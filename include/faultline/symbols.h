/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * symbols.h - which function of a file an offset is in.
 *
 * Names come from the file's .symtab; from that of its separate debug file when it was
 * stripped; else from its .dynsym. Files are read when they are first asked about, once.
 * They may be anything: a damaged file, or one that is no ELF file, has no symbols.
 */
#ifndef FAULTLINE_SYMBOLS_H
#define FAULTLINE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Files and their functions. Not for use by several threads at a time. */
struct fl_symbols;

/** The functions of one file; lives as long as the struct fl_symbols it came from. */
struct fl_symbol_file;

struct fl_symbol {
    const char *name;              /* as in the symbol table, without its version; "read@plt" for
                                     an entry of a procedure linkage table */
    uint64_t offset, length_bytes; /* where its code is in the file */
};

/**
 * fl_symbols_new - no file yet. @debug_root: where separate debug files are, copied;
 * NULL: /usr/lib/debug. Returns NULL when out of memory.
 */
struct fl_symbols *fl_symbols_new(const char *debug_root);
void fl_symbols_free(struct fl_symbols *s); /* NULL is fine */

/**
 * fl_symbols_file - the functions of @path, which is read when (@dev, @ino) is new here.
 * What is at @path now must be that file, as stat(2) identifies it; otherwise, and
 * when it cannot be read, the result has no symbols. Separate debug files are looked
 * for at @debug_root/.build-id/xx/rest.debug, and by .gnu_debuglink beside the file, in
 * .debug there, and below @debug_root; they must have the same build ID or, without
 * one, the checksum that the link says.
 * Returns NULL only when out of memory.
 * Cost: the first time the file's symbol table is read and sorted; later one hash look-up.
 */
const struct fl_symbol_file *fl_symbols_file(struct fl_symbols *s, const char *path, uint64_t dev,
                                             uint64_t ino);

/**
 * fl_symbols_at - the function whose code has byte @offset of the file; the inner one where
 * they are nested. A symbol without a size reaches to the next one or its section's end. Of
 * several names for one place: fewest underscores in front, then global, weak, local, then
 * the shortest, then the first in the alphabet.
 * Returns: false when no function is there. Cost: a binary search.
 */
bool fl_symbols_at(const struct fl_symbol_file *file, uint64_t offset, struct fl_symbol *out);

/** fl_symbols_count - functions known of @file. */
size_t fl_symbols_count(const struct fl_symbol_file *file);

#endif
