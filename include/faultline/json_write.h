/* SPDX-License-Identifier: GPL-2.0-or-later */
/** json_write.h - documents as text, fit for people and diff. */
#ifndef FAULTLINE_JSON_WRITE_H
#define FAULTLINE_JSON_WRITE_H

#include <stddef.h>
#include <stdio.h>

struct json_t;

/**
 * fl_json_write - @doc as jansson's JSON_INDENT(1) has it, but an array of numbers alone in one
 * line: a row of a table is a row. @flags: of jansson's encoder, besides.
 * Returns 0, or -1 on a failed write or when out of memory.
 */
int fl_json_write(const struct json_t *doc, FILE *out, size_t flags);

#endif
