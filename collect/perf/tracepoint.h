/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracepoint.h - a tracepoint's id and the places of its fields, from tracefs.
 *
 * Formats and raw bytes are the kernel's and still not believed: text that is no
 * format gives nothing, and no field is read past its record.
 */
#ifndef FL_PERF_TRACEPOINT_H
#define FL_PERF_TRACEPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>
#include <faultline/kernel_events.h>

struct fl_tp_field {
    uint32_t offset_bytes, size_bytes; /* size 0: the format has no such field */
};

/** A field whose value goes into a trace. */
struct fl_tp_value {
    char name[FL_PROBE_FIELD_BYTES];
    char type;             /* as in a probe's signature: 'u', 'i', 's' */
    bool data_loc;         /* s: the record has the place of the text, not the text */
    struct fl_tp_field at; /* s: the whole array, or the four bytes of the place */
};

#define FL_TP_ID_BPF UINT64_MAX /* instead of an id: no tracepoint, but what a BPF program writes */

struct fl_tp_event {
    char name[FL_PROBE_NAME_BYTES]; /* "system:event" */
    uint64_t id;
    uint32_t n_fields, left_out; /* left out: no number and no text, or too many */
    struct fl_tp_value fields[FL_HIT_VALUES];
};

/**
 * fl_tp_parse - id and fields of the tracepoint @name ("system:event" or
 * "system/event") from the text of its `format` file.
 * All fields but those named common_*, in order, FL_HIT_VALUES at most. Texts are `char` arrays
 * and `__data_loc char[]`; other arrays, and what is over 8 bytes, are left out.
 * Returns: false when the text has no id, or the name does not fit in a signature.
 */
bool fl_tp_parse(const char *name, const char *format, struct fl_tp_event *out);

/**
 * fl_tp_number - value of a field of type 'u' or 'i', in two's complement.
 * Returns: false when it is not within the record.
 */
bool fl_tp_number(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_value *field,
                  int64_t *out);

/**
 * fl_tp_text - value of a field of type 's', up to its first 0 byte; it lies in @raw.
 * Returns: false when it is not within the record.
 */
bool fl_tp_text(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_value *field,
                const char **text, size_t *len);

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

/**
 * fl_tp_read_format_at - as above, below @root, where a tracefs is mounted.
 * @err: sys_errno is ENOENT when there is no such tracepoint.
 */
char *fl_tp_read_format_at(const char *root, const char *event, struct fl_err *err);

/**
 * fl_tp_root - where a readable tracefs is mounted, one of the usual two places.
 * Returns: NULL, with the reason and its remedy in @err as FL_EMACHINE.
 */
const char *fl_tp_root(struct fl_err *err);

/** fl_tp_root_ok - FL_OK when the events of the tracefs at @root can be listed; else FL_EMACHINE. */
int fl_tp_root_ok(const char *root, struct fl_err *err);

#endif
