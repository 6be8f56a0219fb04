/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keypath.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#define PARTS_MAX 16u
#define NEAR_BYTES 63u /* longer words have no near one */

/* ---- names alike ------------------------------------------------------------------ */

/* How many letters to put in, take out or change (Levenshtein, 1966), with one row of the table. */
static size_t edits(const char *a, const char *b)
{
    size_t row[NEAR_BYTES + 1], na = strlen(a), nb = strlen(b);
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

const char *nearest_name(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t len = strlen(word), less_than = len < 6 ? 2 : len / 3 + 1;
    if (len > NEAR_BYTES)
        return NULL;
    for (; *names; names++) {
        if (strlen(*names) > NEAR_BYTES || strlen(*names) < 2)
            continue;
        size_t n = edits(word, *names);
        if (n < less_than) {
            less_than = n;
            best = *names;
        }
    }
    return best;
}

/* ---- splitting ------------------------------------------------------------------------ */

/* One part from *@text on into @part, which has room for all of it; NULL when it is fine. */
static const char *take_part(const char **text, char *part, bool *quoted)
{
    const char *p = *text;
    char quote = *p == '"' || *p == '\'' ? *p++ : '\0';
    *quoted = quote != '\0';
    while (*p && (quote ? *p != quote : *p != '.')) {
        if (quote == '"' && *p == '\\') {
            p++;
            if (*p != '"' && *p != '\\')
                return "has a backslash that is before neither \" nor \\";
        }
        *part++ = *p++;
    }
    *part = '\0';
    if (quote && *p++ != quote)
        return "has a quote that does not end";
    if (*p && *p != '.')
        return "goes on after a closing quote without a dot";
    *text = p;
    return NULL;
}

int keypath_parse(const char *text, struct keypath *out, struct fl_err *err)
{
    const char *p = text, *why = NULL;
    *out = (struct keypath){ .part = calloc(PARTS_MAX, sizeof *out->part),
                             .quoted = calloc(PARTS_MAX, sizeof *out->quoted) };
    if (!out->part || !out->quoted)
        goto no_memory;
    do {
        if (out->n == PARTS_MAX) {
            why = "has more parts than any result";
            break;
        }
        char *part = out->part[out->n] = malloc(strlen(p) + 1);
        if (!part)
            goto no_memory;
        out->n++;
        why = take_part(&p, part, &out->quoted[out->n - 1]);
        if (!why && !*part)
            why = "has an empty part";
    } while (!why && *p++ == '.');
    if (!why)
        return FL_OK;
    keypath_free(out);
    return fl_fail(err, FL_EUSAGE, "key '%.100s' %s", text, why);
no_memory:
    keypath_free(out);
    return fl_nomem(err, "a budget's key");
}

void keypath_free(struct keypath *path)
{
    for (size_t i = 0; path->part && i < path->n; i++)
        free(path->part[i]);
    free(path->part);
    free(path->quoted);
    *path = (struct keypath){ 0 };
}

bool keypath_is(const struct keypath *path, size_t from, const char *dotted)
{
    for (size_t i = from; i < path->n; i++) {
        size_t len = strcspn(dotted, ".");
        if (len == 0 || strlen(path->part[i]) != len || strncmp(path->part[i], dotted, len) != 0)
            return false;
        dotted += len + (dotted[len] == '.');
    }
    return from < path->n && !*dotted;
}

/* ---- finding ----------------------------------------------------------------------------- */

/* What an element of an array is called, by the keys that name things in results. */
static bool is_called(const json_t *element, const char *name)
{
    static const char *const by[] = { "name", "mapping", "function", "comm", "flag", "label" };
    for (size_t i = 0; i < FL_COUNT(by); i++) {
        const json_t *v = json_object_get(element, by[i]);
        if (json_is_string(v) && strcmp(json_string_value(v), name) == 0)
            return true;
    }
    return false;
}

static bool is_source(const json_t *element, const char *name)
{
    const json_t *v = json_object_get(element, "source");
    return json_is_string(v) && strcmp(json_string_value(v), name) == 0;
}

static int find_element(const json_t *array, const char *name, bool quoted, const char *where,
                        const json_t **out, struct fl_err *err)
{
    size_t i, found = 0;
    const json_t *v;
    uint64_t index;
    *out = NULL;
    if (!quoted && fl_parse_u64(name, &index, NULL) == FL_OK) {
        *out = json_array_get(array, index);
        return FL_OK;
    }
    for (int pass = 0; pass < 2 && found == 0; pass++)
        json_array_foreach(array, i, v)
        {
            if (!(pass == 0 ? is_called : is_source)(v, name))
                continue;
            if (found++ == 0)
                *out = v;
        }
    if (found > 1)
        return fl_fail(err, FL_EUSAGE, "%s: %zu elements are called '%.80s': give an index, 0 on",
                       where, found, name);
    return FL_OK;
}

static const char *nearest_member(const json_t *object, const char *word)
{
    const char *key, **names;
    json_t *v;
    size_t n = 0;
    if (!json_is_object(object) || !(names = calloc(json_object_size(object) + 1, sizeof *names)))
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)object, key, v) names[n++] = key;
    const char *near = nearest_name(word, names);
    free(names);
    return near;
}

int keypath_find(const struct keypath *path, size_t from, const json_t *doc, const char *where,
                 struct keypath_value *out, struct fl_err *err)
{
    *out = (struct keypath_value){ .json = doc };
    for (size_t i = from; i < path->n; i++) {
        const json_t *in = out->json, *next = NULL;
        const char *part = path->part[i];
        out->depth = i;
        if (json_is_array(in) && i + 1 == path->n && strcmp(part, "length") == 0) {
            *out = (struct keypath_value){ .length = json_array_size(in), .depth = path->n };
            return FL_OK;
        }
        if (json_is_array(in)) {
            int rc = find_element(in, part, path->quoted[i], where, &next, err);
            if (rc != FL_OK)
                return rc;
        } else
            next = json_object_get(in, part);
        if (!next) {
            const char *near = nearest_member(in, part);
            return fl_fail(err, FL_EDATA,
                           "%s has no '%.80s': it is not modelled or was not asked for%s%.80s%s",
                           where, part, near ? "; is '" : "", near ? near : "",
                           near ? "' meant?" : "");
        }
        out->json = next;
    }
    out->depth = path->n;
    return FL_OK;
}
