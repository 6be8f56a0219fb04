/* SPDX-License-Identifier: GPL-2.0-or-later */
/** json_write.h - numbers and names as JSON values, and documents as text fit for people and diff. */
#ifndef FAULTLINE_JSON_WRITE_H
#define FAULTLINE_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_t;

/** fl_json_u64 - a count; INT64_MAX when it is more. A new reference; NULL: out of memory. */
struct json_t *fl_json_u64(uint64_t n);
/**
 * fl_json_text - a name that may be any bytes, or NULL, as text: where it is no UTF-8, bytes that
 * are not ASCII become '?'. A new reference; NULL: out of memory.
 */
struct json_t *fl_json_text(const char *text);

/**
 * fl_json_write - @doc as jansson's JSON_INDENT(1) has it, but an array of numbers alone in one
 * line: a row of a table is a row. @flags: of jansson's encoder, besides.
 * Returns 0, or -1 on a failed write or when out of memory.
 */
int fl_json_write(const struct json_t *doc, FILE *out, size_t flags);

#endif
