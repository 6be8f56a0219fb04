/* SPDX-License-Identifier: GPL-2.0-or-later */
/** importers.h - the built-in importers, one in each import_NAME.c. */
#ifndef IMPORT_IMPORTERS_H
#define IMPORT_IMPORTERS_H

#include <faultline/import.h>

#define IMPORT_PID 2u /* the process's; 1 would be init, which is never killed */
#define IMPORT_PAGES_END (UINT64_C(1) << 36) /* page numbers of 48-bit addresses */

extern const struct fl_importer fl_import_pages;
extern const struct fl_importer fl_import_lackey;

#endif
