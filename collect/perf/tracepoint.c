/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracepoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/units.h>

#define FORMAT_MAX_BYTES 65536u

/* Value of "KEY:NUMBER" between @line and @end. */
static bool number_after(const char *line, const char *end, const char *key, uint32_t *out)
{
    size_t n = strlen(key);
    for (const char *p = line; p + n < end; p++) {
        if (memcmp(p, key, n) != 0)
            continue;
        uint64_t v = 0;
        const char *digits = p + n, *q = digits;
        for (; q < end && *q >= '0' && *q <= '9' && v <= UINT32_MAX; q++)
            v = v * 10 + (uint64_t)(*q - '0');
        *out = (uint32_t)v;
        return q > digits && v <= UINT32_MAX;
    }
    return false;
}

/* Does the declaration [@decl, @end), as "unsigned long address" or "char comm[16]", name @name? */
static bool declares(const char *decl, const char *end, const char *name)
{
    const char *bracket = memchr(decl, '[', (size_t)(end - decl));
    const char *last = bracket ? bracket : end;
    size_t n = strlen(name);
    if ((size_t)(last - decl) <= n || memcmp(last - n, name, n) != 0)
        return false;
    char before = last[-(ptrdiff_t)n - 1];
    return before == ' ' || before == '*' || before == '\t';
}

bool fl_tp_parse_field(const char *format, const char *name, struct fl_tp_field *out)
{
    static const char tag[] = "field:";
    *out = (struct fl_tp_field){ 0 };
    for (const char *line = format; *line;) {
        const char *end = strchr(line, '\n');
        if (!end)
            end = line + strlen(line);
        const char *decl = line;
        while (decl < end && (*decl == '\t' || *decl == ' '))
            decl++;
        if ((size_t)(end - decl) > sizeof tag && memcmp(decl, tag, sizeof tag - 1) == 0) {
            decl += sizeof tag - 1;
            const char *stop = memchr(decl, ';', (size_t)(end - decl));
            if (stop && declares(decl, stop, name))
                return number_after(stop, end, "offset:", &out->offset_bytes) &&
                       number_after(stop, end, "size:", &out->size_bytes) && out->size_bytes >= 1 &&
                       out->size_bytes <= 8;
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

bool fl_tp_parse_id(const char *format, uint64_t *id)
{
    const char *line = strstr(format, "ID: ");
    if (!line)
        return false;
    char *end;
    errno = 0;
    *id = strtoull(line + 4, &end, 10);
    return errno == 0 && end > line + 4;
}

bool fl_tp_get(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_field *field, uint64_t *out)
{
    *out = 0;
    if (field->size_bytes == 0 || field->size_bytes > 8 || field->offset_bytes > raw_bytes ||
        field->size_bytes > raw_bytes - field->offset_bytes)
        return false;
    for (uint32_t i = field->size_bytes; i-- > 0;)
        *out = *out << 8 | raw[field->offset_bytes + i];
    return true;
}

char *fl_tp_read_format(const char *event, struct fl_err *err)
{
    static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
    char path[256];
    int fd = -1, why = ENOENT;
    for (size_t i = 0; i < FL_COUNT(mounts) && fd < 0; i++) {
        snprintf(path, sizeof path, "%s/events/%s/format", mounts[i], event);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
            why = errno;
    }
    if (fd < 0) {
        fl_fail(err, FL_EMACHINE,
                why == ENOENT ? "tracepoint %s is not to be found; mount -t tracefs tracefs "
                                "/sys/kernel/tracing"
                              : "tracepoint %s is not readable; run as root",
                event);
        return NULL;
    }
    char *text = malloc(FORMAT_MAX_BYTES);
    size_t n = 0;
    ssize_t got = text ? 1 : 0;
    while (got > 0 && n < FORMAT_MAX_BYTES - 1) {
        got = read(fd, text + n, FORMAT_MAX_BYTES - 1 - n);
        if (got > 0)
            n += (size_t)got;
    }
    close(fd);
    if (!text) {
        fl_nomem(err, "tracepoint format");
        return NULL;
    }
    text[n] = 0;
    return text;
}
