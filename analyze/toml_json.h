/* SPDX-License-Identifier: GPL-2.0-or-later */
/* toml_json.h - TOML text as the JSON value of the same structure. */
#ifndef FAULTLINE_TOML_JSON_H
#define FAULTLINE_TOML_JSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include <faultline/err.h>

struct json_t;

/**
 * toml_json_parse - @text, TOML 1.0, as an object.
 * @name: of the file, for messages. @out: a new reference.
 * Errors: FL_EUSAGE with "NAME:LINE:COLUMN: ..." when it is no TOML, or holds what JSON cannot
 * (dates, times, infinite numbers, a NUL in a text); FL_ENOMEM.
 */
int toml_json_parse(const char *text, size_t len_bytes, const char *name, struct json_t **out,
                    struct fl_err *err);

#ifdef __cplusplus
}
#endif

#endif
