/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracepoint.h - a tracepoint's id and the places of its fields, from tracefs.
 */
#ifndef FL_PERF_TRACEPOINT_H
#define FL_PERF_TRACEPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

struct fl_tp_field {
    uint32_t offset_bytes, size_bytes; /* size 0: the format has no such field */
};

/**
 * fl_tp_parse_field - find field @name in the text of a `format` file.
 * Returns: false when it is not there or its place makes no sense.
 */
bool fl_tp_parse_field(const char *format, const char *name, struct fl_tp_field *out);

/** fl_tp_parse_id - the number behind "ID:". */
bool fl_tp_parse_id(const char *format, uint64_t *id);

/** fl_tp_get - value of @field, zero-extended, in the raw bytes of a sample. */
bool fl_tp_get(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_field *field,
               uint64_t *out);

/**
 * fl_tp_read_format - text of tracefs's events/@event/format, malloc'ed.
 * @event: "system/name". Looks at the usual two mount points and mounts nothing.
 * Returns: NULL, with the reason and its remedy in @err as FL_EMACHINE.
 */
char *fl_tp_read_format(const char *event, struct fl_err *err);

#endif
