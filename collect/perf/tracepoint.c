/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracepoint.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/units.h>

#define FORMAT_MAX_BYTES 65536u

/* ---- a line of a format --------------------------------------------------------- */

/* "field:TYPE NAME[N];  offset:..;  size:..;  signed:..;", a line of it */
struct decl {
    const char *type, *type_end;
    const char *name, *name_end;
    const char *places, *line_end; /* what is behind the declaration */
    bool array;                    /* NAME[N] */
};

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

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static const char *without_blanks(const char *begin, const char *end)
{
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return end;
}

/* [@text, @end) as type and name: "unsigned long address", "char comm[16]", "void * p". */
static bool split(const char *text, const char *end, struct decl *d)
{
    end = without_blanks(text, end);
    d->array = end > text && end[-1] == ']';
    if (d->array) {
        const char *bracket = memrchr(text, '[', (size_t)(end - text));
        if (!bracket)
            return false;
        end = without_blanks(text, bracket);
    }
    d->name = d->name_end = end;
    while (d->name > text && is_name_char(d->name[-1]))
        d->name--;
    d->type = text;
    d->type_end = without_blanks(text, d->name);
    return d->name_end > d->name && d->type_end > d->type;
}

/* The next declaration of a field from @*at on, which moves past its line. */
static bool next_decl(const char **at, struct decl *d)
{
    static const char tag[] = "field:";
    while (**at) {
        const char *line = *at, *end = strchr(line, '\n');
        if (!end)
            end = line + strlen(line);
        *at = *end ? end + 1 : end;
        while (line < end && (*line == '\t' || *line == ' '))
            line++;
        if ((size_t)(end - line) <= sizeof tag || memcmp(line, tag, sizeof tag - 1) != 0)
            continue;
        line += sizeof tag - 1;
        d->places = memchr(line, ';', (size_t)(end - line));
        d->line_end = end;
        if (d->places && split(line, d->places, d))
            return true;
    }
    return false;
}

static bool is(const char *begin, const char *end, const char *what)
{
    return (size_t)(end - begin) == strlen(what) && memcmp(begin, what, strlen(what)) == 0;
}

static bool begins(const char *begin, const char *end, const char *what)
{
    return (size_t)(end - begin) >= strlen(what) && memcmp(begin, what, strlen(what)) == 0;
}

static bool place_of(const struct decl *d, struct fl_tp_field *out)
{
    return number_after(d->places, d->line_end, "offset:", &out->offset_bytes) &&
           number_after(d->places, d->line_end, "size:", &out->size_bytes) && out->size_bytes >= 1;
}

bool fl_tp_parse_field(const char *format, const char *name, struct fl_tp_field *out)
{
    struct decl d;
    *out = (struct fl_tp_field){ 0 };
    while (next_decl(&format, &d))
        if (is(d.name, d.name_end, name))
            return place_of(&d, out) && out->size_bytes <= 8;
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

/* ---- a whole format -------------------------------------------------------------- */

/* Type and place of what @d declares; false: nothing that a hit can keep. */
static bool value_of(const struct decl *d, struct fl_tp_value *out)
{
    static const char loc[] = "__data_loc ";
    uint32_t is_signed = 0;
    size_t len = (size_t)(d->name_end - d->name);
    *out = (struct fl_tp_value){ .type = 's' };
    if (len >= sizeof out->name || !place_of(d, &out->at))
        return false;
    memcpy(out->name, d->name, len);
    if (begins(d->type, d->type_end, loc)) {
        out->data_loc = true;
        return !d->array && is(d->type + strlen(loc), d->type_end, "char[]") &&
               out->at.size_bytes == 4;
    }
    if (d->array)
        return is(d->type, d->type_end, "char") || is(d->type, d->type_end, "const char");
    bool pointer = memchr(d->type, '*', (size_t)(d->type_end - d->type)) != NULL;
    (void)number_after(d->places, d->line_end, "signed:", &is_signed);
    out->type = is_signed && !pointer ? 'i' : 'u';
    return out->at.size_bytes <= 8 && !begins(d->type, d->type_end, "__rel_loc ");
}

/* "system:event" of that or of "system/event"; one word, as a signature needs. */
static bool set_name(struct fl_tp_event *out, const char *name)
{
    size_t len = strlen(name), system = strcspn(name, ":/");
    if (len >= sizeof out->name || system == 0 || system + 1 >= len)
        return false;
    memcpy(out->name, name, len);
    out->name[system] = ':';
    for (size_t i = 0; i < len; i++)
        if (!is_name_char(name[i]) && name[i] != '-' && i != system)
            return false;
    return true;
}

bool fl_tp_parse(const char *name, const char *format, struct fl_tp_event *out)
{
    struct decl d;
    *out = (struct fl_tp_event){ 0 };
    if (!set_name(out, name) || !fl_tp_parse_id(format, &out->id))
        return false;
    while (next_decl(&format, &d)) {
        struct fl_tp_value value;
        if (begins(d.name, d.name_end, "common_"))
            continue;
        if (out->n_fields < FL_HIT_VALUES && value_of(&d, &value))
            out->fields[out->n_fields++] = value;
        else
            out->left_out++;
    }
    return true;
}

/* ---- values ------------------------------------------------------------------------ */

static bool within(const struct fl_tp_field *field, size_t raw_bytes)
{
    return field->offset_bytes <= raw_bytes && field->size_bytes <= raw_bytes - field->offset_bytes;
}

bool fl_tp_get(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_field *field, uint64_t *out)
{
    *out = 0;
    if (field->size_bytes == 0 || field->size_bytes > 8 || !within(field, raw_bytes))
        return false;
    for (uint32_t i = field->size_bytes; i-- > 0;)
        *out = *out << 8 | raw[field->offset_bytes + i];
    return true;
}

bool fl_tp_number(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_value *field,
                  int64_t *out)
{
    uint64_t v;
    if (!fl_tp_get(raw, raw_bytes, &field->at, &v))
        return false;
    unsigned unused = 64 - 8 * field->at.size_bytes;
    *out = field->type == 'i' ? (int64_t)(v << unused) >> unused : (int64_t)v;
    return true;
}

bool fl_tp_text(const uint8_t *raw, size_t raw_bytes, const struct fl_tp_value *field,
                const char **text, size_t *len)
{
    struct fl_tp_field at = field->at;
    if (field->data_loc) {
        uint64_t place; /* length in the high half, offset in the low one */
        if (!fl_tp_get(raw, raw_bytes, &field->at, &place))
            return false;
        at = (struct fl_tp_field){ place & 0xffff, (uint32_t)(place >> 16) };
    }
    if (!within(&at, raw_bytes))
        return false;
    *text = (const char *)raw + at.offset_bytes;
    *len = strnlen(*text, at.size_bytes);
    return true;
}

/* ---- tracefs -------------------------------------------------------------------------- */

static const char *const mounts[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

static int no_format(struct fl_err *err, const char *event, int why)
{
    fl_fail(err, FL_EMACHINE,
            why == ENOENT ? "tracepoint %s is not to be found; mount -t tracefs tracefs "
                            "/sys/kernel/tracing"
                          : "tracepoint %s is not readable; run as root",
            event);
    if (err)
        err->sys_errno = why;
    return FL_EMACHINE;
}

static int open_format(const char *root, const char *event)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/events/%s/format", root, event);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* All of @fd, which is closed. */
static char *read_text(int fd, struct fl_err *err)
{
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

char *fl_tp_read_format_at(const char *root, const char *event, struct fl_err *err)
{
    int fd = open_format(root, event);
    if (fd >= 0)
        return read_text(fd, err);
    no_format(err, event, errno);
    return NULL;
}

char *fl_tp_read_format(const char *event, struct fl_err *err)
{
    int fd = -1, why = ENOENT;
    for (size_t i = 0; i < FL_COUNT(mounts) && fd < 0; i++) {
        fd = open_format(mounts[i], event);
        if (fd < 0 && errno != ENOENT)
            why = errno;
    }
    if (fd >= 0)
        return read_text(fd, err);
    no_format(err, event, why);
    return NULL;
}

int fl_tp_root_ok(const char *root, struct fl_err *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/events", root);
    DIR *dir = n > 0 && (size_t)n < sizeof path ? opendir(path) : NULL;
    if (dir) {
        closedir(dir);
        return FL_OK;
    }
    int why = errno;
    fl_fail(err, FL_EMACHINE,
            why == ENOENT || why == ENOTDIR
                ? "%s has no events: tracefs is not mounted; mount -t tracefs tracefs "
                  "/sys/kernel/tracing"
                : "%s is not readable; run as root",
            root);
    if (err)
        err->sys_errno = why;
    return FL_EMACHINE;
}

const char *fl_tp_root(struct fl_err *err)
{
    struct fl_err other;
    for (size_t i = 0; i < FL_COUNT(mounts); i++)
        if (fl_tp_root_ok(mounts[i], i ? &other : err) == FL_OK)
            return mounts[i];
    return NULL; /* as the first of them fails */
}
