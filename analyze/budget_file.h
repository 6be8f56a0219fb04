/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget_file.h - a budget file, TOML or JSON, told apart by its content. */
#ifndef FAULTLINE_BUDGET_FILE_H
#define FAULTLINE_BUDGET_FILE_H

#include <stddef.h>

#include <faultline/err.h>

struct budgets;

/** budget_text_read - @text, checked. @name: for messages. Errors: FL_EUSAGE; FL_ENOMEM. */
int budget_text_read(const char *text, size_t len_bytes, const char *name, struct budgets **out,
                     struct fl_err *err);

/** budget_file_read - the same from a file, which may be a pipe. Errors: FL_EIO besides. */
int budget_file_read(const char *path, struct budgets **out, struct fl_err *err);

#endif
