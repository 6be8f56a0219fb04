/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * import.h - other tools' traces become .flt.
 *
 * An importer is one import_NAME.c and one row in import.c. Imported traces have
 * fidelity `exact`: one process, one thread, one anonymous mapping of the whole
 * 48-bit address range.
 */
#ifndef FAULTLINE_IMPORT_H
#define FAULTLINE_IMPORT_H

#include <stddef.h>
#include <stdio.h>

#include <faultline/err.h>
#include <faultline/trace.h>

struct fl_importer {
    const char *name, *summary;
    /**
     * run - all of @in into @w, as accesses of thread 0 in address space 0.
     * @in is not trusted. FL_EFORMAT with offset_bytes and the offending place
     * in the message; FL_EIO.
     */
    int (*run)(FILE *in, struct fl_writer *w, struct fl_err *err);
};

/** fl_importer_at - the i-th importer; NULL past the end. */
const struct fl_importer *fl_importer_at(size_t i);
const char *fl_importer_name_at(size_t i);
const struct fl_importer *fl_importer_find(const char *name);

/**
 * fl_import - the stream @in, named @in_name in messages, into the trace @out_path.
 * @opts: of the writer; NULL: its defaults, without a reduced layer.
 * On error nothing is left at @out_path that was not there before.
 */
int fl_import(const struct fl_importer *importer, FILE *in, const char *in_name,
              const char *out_path, const struct fl_writer_opts *opts, struct fl_totals *totals,
              struct fl_err *err);

/** fl_import_to - the same into an open writer; for tests and fuzzing. */
int fl_import_to(const struct fl_importer *importer, FILE *in, struct fl_writer *w,
                 struct fl_err *err);

#endif
