/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * symbols.h - which function of a file an offset is in.
 *
 * Names come from the file's .symtab; from that of its separate debug file when it was
 * stripped; else from its .dynsym. Files are read when they are first asked about.
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
 * fl_symbols_file - the functions of @path, which is read when (@dev, @ino) is new here, or
 * has been changed since, as its size and time of modification tell. What is at @path
 * now must be that file, as stat(2) identifies it; otherwise, and when it cannot be read,
 * the result has no symbols. File systems without a device of their own (major number 0:
 * btrfs, overlayfs) are identified by the inode alone: stat(2) and the kernel's records
 * number them differently. Separate debug files are looked for at
 * @debug_root/.build-id/xx/rest.debug, and by .gnu_debuglink beside the file, in .debug
 * there, and below @debug_root; they must have the same build ID or, without one, the
 * checksum that the link says. The file may have been moved to other addresses since
 * (prelinked).
 * Returns NULL only when out of memory.
 * Cost: the first time the file's symbol table is read and sorted; later a stat(2).
 */
const struct fl_symbol_file *fl_symbols_file(struct fl_symbols *s, const char *path, uint64_t dev,
                                             uint64_t ino);

/**
 * fl_symbols_mapped - as fl_symbols_file(), of a file that process @pid has mapped: where
 * @path does not lead to it, it is looked for in the process's root folder, as its program
 * and among its mappings (/proc/PID/root, exe, map_files), as far as we may. 0: no process.
 */
const struct fl_symbol_file *fl_symbols_mapped(struct fl_symbols *s, const char *path, uint64_t dev,
                                               uint64_t ino, uint32_t pid);

/**
 * fl_symbols_vdso - the functions of the kernel's vdso, which is the same in all processes;
 * read from our own. @length_bytes: of the mapping, as a process has it; where ours is
 * another (32-bit programs have), there are no symbols.
 * Returns NULL only when out of memory.
 */
const struct fl_symbol_file *fl_symbols_vdso(struct fl_symbols *s, uint64_t length_bytes);

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
