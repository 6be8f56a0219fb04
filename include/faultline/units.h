/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * units.h - the only conversions between numbers and the text people write.
 *
 * Inside the program sizes are bytes or 4 KiB pages, ratios are basis points
 * (1 bp = 0.01 %), times are nanoseconds; the unit is part of every name.
 */
#ifndef FAULTLINE_UNITS_H
#define FAULTLINE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>

#define FL_PAGE_SHIFT 12u
#define FL_PAGE_BYTES (UINT64_C(1) << FL_PAGE_SHIFT)
#define FL_SIZE_MAX_BYTES UINT64_MAX /* what `max` means */

#define FL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** fl_pages_of - pages needed for @bytes, rounded up. */
static inline uint64_t fl_pages_of(uint64_t bytes)
{
    return (bytes >> FL_PAGE_SHIFT) + ((bytes & (FL_PAGE_BYTES - 1)) != 0);
}

/** A size as a user writes it: absolute, or relative to a trace's peak resident set. */
struct fl_size {
    uint64_t bytes;      /* absolute size; FL_SIZE_MAX_BYTES for `max` */
    uint32_t percent_bp; /* 0: absolute; else basis points of the peak, 5000 = 50 % */
};

/**
 * fl_parse_u64 - a plain decimal number.
 * Errors: FL_EUSAGE when @text is empty, has trailing text, or exceeds 64 bits.
 */
int fl_parse_u64(const char *text, uint64_t *out, struct fl_err *err);

/**
 * fl_parse_size - `4096`, `64K`, `512M`, `2G`, `1T` (powers of 1024, suffix B or
 * iB allowed), `50%` (up to 1000000 %, two decimals), `max`.
 * Errors: FL_EUSAGE with the legal forms in the message.
 */
int fl_parse_size(const char *text, struct fl_size *out, struct fl_err *err);

/**
 * fl_parse_percent - `5%`, `0%`, `2.5%`: 0 to 1000000 %, two decimals.
 * @out_bp: basis points. Errors: FL_EUSAGE.
 */
int fl_parse_percent(const char *text, uint32_t *out_bp, struct fl_err *err);

/**
 * fl_parse_size_list - `64M,128M` or `64M..1G/16` (16 even steps, both ends
 * included), or a mixture separated by commas. All points of one range are of
 * one kind, absolute or percent.
 * @out: malloc'ed array, the caller frees. @n: at least 1 on success, at most 65536.
 */
int fl_parse_size_list(const char *text, struct fl_size **out, size_t *n, struct fl_err *err);

/** fl_parse_duration_ns - `2` (seconds), `1.5`, `250ms`, `3s`, `2m`. */
int fl_parse_duration_ns(const char *text, uint64_t *out, struct fl_err *err);

/** fl_size_bytes - @size made absolute with @peak_bytes as 100 %; rounds down. */
uint64_t fl_size_bytes(const struct fl_size *size, uint64_t peak_bytes);

/**
 * fl_format_bytes - `1.4 GiB`, `512 KiB`, `17 B`.
 * @buf: at least FL_FORMAT_BYTES. Returns @buf.
 */
#define FL_FORMAT_BYTES 32
char *fl_format_bytes(char *buf, uint64_t bytes);

/** fl_format_count - `1,234,567`. @buf: at least FL_FORMAT_BYTES. Returns @buf. */
char *fl_format_count(char *buf, uint64_t count);

#endif
