/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/json_write.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

json_t *fl_json_u64(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *fl_json_text(const char *text)
{
    json_t *s = json_string(text ? text : "");
    char *ascii = s || !text ? NULL : strdup(text);
    for (char *p = ascii; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    if (ascii)
        s = json_string(ascii);
    free(ascii);
    return s;
}

static bool is_row(const json_t *array)
{
    const json_t *v;
    size_t i;
    json_array_foreach(array, i, v) if (!json_is_number(v)) return false;
    return true;
}

static int new_line(FILE *out, int depth)
{
    return fprintf(out, "\n%*s", depth, "") < 0 ? -1 : 0;
}

static int write_key(const char *key, FILE *out, size_t flags)
{
    json_t *text = json_string(key);
    int rc = text ? json_dumpf(text, out, JSON_ENCODE_ANY | flags) : -1;
    json_decref(text);
    return rc || fputs(": ", out) == EOF ? -1 : 0;
}

static int write_value(const json_t *v, FILE *out, size_t flags, int depth)
{
    const char *key;
    json_t *member;
    size_t i, n = 0;
    int rc = 0;
    bool object = json_is_object(v);
    if ((!object && !json_is_array(v)) || (object ? json_object_size(v) == 0 : is_row(v)))
        return json_dumpf(v, out, JSON_ENCODE_ANY | flags);
    fputc(object ? '{' : '[', out);
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        if (n++)
            fputc(',', out);
        if (rc == 0)
            rc = new_line(out, depth + 1) || write_key(key, out, flags) ||
                 write_value(member, out, flags, depth + 1);
    }
    json_array_foreach(v, i, member)
    {
        if (i)
            fputc(',', out);
        if (rc == 0)
            rc = new_line(out, depth + 1) || write_value(member, out, flags, depth + 1);
    }
    if (rc == 0)
        rc = new_line(out, depth);
    fputc(object ? '}' : ']', out);
    return rc || ferror(out) ? -1 : 0;
}

int fl_json_write(const struct json_t *doc, FILE *out, size_t flags)
{
    return write_value(doc, out, flags, 0);
}
