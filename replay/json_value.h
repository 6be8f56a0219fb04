/* SPDX-License-Identifier: GPL-2.0-or-later */
/** json_value.h - numbers and names as JSON values. */
#ifndef REPLAY_JSON_VALUE_H
#define REPLAY_JSON_VALUE_H

#include <stdint.h>

#include <jansson.h>

static inline json_t *u64(uint64_t v)
{
    return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* Text from a trace may be any bytes; JSON is UTF-8. */
static inline json_t *text(const char *s)
{
    json_t *j = json_string(s ? s : "");
    char clean[4096];
    size_t n = 0;
    if (j)
        return j;
    for (; s && *s && n + 1 < sizeof clean; s++)
        clean[n++] = (unsigned char)*s < 0x80 ? *s : '?';
    return json_stringn(clean, n);
}

#endif
