/* SPDX-License-Identifier: GPL-2.0-or-later */
/** report_folder.h - a report's folder on disk, whole or not at all. */
#ifndef ANALYZE_REPORT_FOLDER_H
#define ANALYZE_REPORT_FOLDER_H

#include <faultline/report.h>

/**
 * report_folder_write - the report into @dir, which is made if it is not there.
 * Everything is written under temporary names first: on error what was there is
 * as it was, and no folder is left that was not there before.
 */
int report_folder_write(const char *dir, const struct fl_view *view, const struct json_t *report,
                        struct fl_err *err);

#endif
