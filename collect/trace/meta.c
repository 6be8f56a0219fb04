/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "wire.h"

struct pair {
    char *key, *value;
};

struct fl_meta {
    struct pair *pairs;
    size_t n, cap;
};

#define PAIRS_MAX 4096u

struct fl_meta *fl_meta_new(void)
{
    return calloc(1, sizeof(struct fl_meta));
}

void fl_meta_free(struct fl_meta *meta)
{
    if (!meta)
        return;
    for (size_t i = 0; i < meta->n; i++) {
        free(meta->pairs[i].key);
        free(meta->pairs[i].value);
    }
    free(meta->pairs);
    free(meta);
}

static bool key_legal(const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (key[i] <= 0x20 || key[i] >= 0x7f || key[i] == '=')
            return false;
    return len > 0 && len <= FL_META_KEY_MAX;
}

static struct pair *find(const struct fl_meta *meta, const char *key)
{
    for (size_t i = 0; i < meta->n; i++)
        if (!strcmp(meta->pairs[i].key, key))
            return &meta->pairs[i];
    return NULL;
}

static int append(struct fl_meta *meta, const char *key, char *value, struct fl_err *err)
{
    if (meta->n >= PAIRS_MAX)
        return fl_fail(err, FL_EUSAGE, "more than %u metadata keys", PAIRS_MAX);
    if (meta->n == meta->cap) {
        size_t cap = meta->cap ? meta->cap * 2 : 16;
        struct pair *grown = realloc(meta->pairs, cap * sizeof *grown);
        if (!grown)
            return fl_nomem(err, "trace metadata");
        meta->pairs = grown;
        meta->cap = cap;
    }
    char *copy = strdup(key);
    if (!copy)
        return fl_nomem(err, "trace metadata");
    meta->pairs[meta->n++] = (struct pair){ copy, value };
    return FL_OK;
}

int fl_meta_set(struct fl_meta *meta, const char *key, const char *value, struct fl_err *err)
{
    if (!key_legal(key, strlen(key)))
        return fl_fail(err, FL_EUSAGE,
                       "metadata key '%.64s': use 1 to %u printable ASCII "
                       "characters without space and '='",
                       key, FL_META_KEY_MAX);
    if (strlen(value) > FL_META_VALUE_MAX)
        return fl_fail(err, FL_EUSAGE, "metadata %.64s: value over %u MiB", key,
                       FL_META_VALUE_MAX >> 20);
    char *copy = strdup(value);
    if (!copy)
        return fl_nomem(err, "trace metadata");
    struct pair *old = find(meta, key);
    if (old) {
        free(old->value);
        old->value = copy;
        return FL_OK;
    }
    int rc = append(meta, key, copy, err);
    if (rc != FL_OK)
        free(copy);
    return rc;
}

int fl_meta_setf(struct fl_meta *meta, struct fl_err *err, const char *key, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return fl_nomem(err, "trace metadata");
    int rc = fl_meta_set(meta, key, text, err);
    free(text);
    return rc;
}

const char *fl_meta_get(const struct fl_meta *meta, const char *key)
{
    const struct pair *p = find(meta, key);
    return p ? p->value : NULL;
}

uint64_t fl_meta_get_u64(const struct fl_meta *meta, const char *key, uint64_t missing)
{
    const char *text = fl_meta_get(meta, key);
    uint64_t v = 0;
    return text && fl_parse_u64(text, &v, NULL) == FL_OK ? v : missing;
}

bool fl_meta_at(const struct fl_meta *meta, size_t i, const char **key, const char **value)
{
    if (i >= meta->n)
        return false;
    *key = meta->pairs[i].key;
    *value = meta->pairs[i].value;
    return true;
}

void fl_meta_encode(struct fl_buf *out, const struct fl_meta *meta)
{
    fl_buf_put_varint(out, meta ? meta->n : 0);
    for (size_t i = 0; meta && i < meta->n; i++) {
        fl_buf_put_str(out, meta->pairs[i].key, strlen(meta->pairs[i].key));
        fl_buf_put_str(out, meta->pairs[i].value, strlen(meta->pairs[i].value));
    }
}

/* A copy with a NUL behind it, or NULL: out of memory (@bad clear) or malformed (set). */
static char *take_string(struct fl_cur *c, size_t max)
{
    uint64_t len = fl_cur_varint(c);
    if (len > max)
        c->bad = true;
    const uint8_t *p = fl_cur_bytes(c, c->bad ? 0 : (size_t)len);
    if (c->bad || (len && memchr(p, 0, (size_t)len))) {
        c->bad = true;
        return NULL;
    }
    char *s = malloc((size_t)len + 1);
    if (s) {
        memcpy(s, p, (size_t)len);
        s[len] = '\0';
    }
    return s;
}

int fl_meta_decode(struct fl_cur *c, struct fl_meta *meta, struct fl_err *err)
{
    uint64_t n = fl_cur_varint(c);
    if (n > PAIRS_MAX)
        c->bad = true;
    for (uint64_t i = 0; i < n && !c->bad; i++) {
        char *key = take_string(c, FL_META_KEY_MAX);
        char *value = key ? take_string(c, FL_META_VALUE_MAX) : NULL;
        int rc = FL_OK;
        if (!value && !c->bad)
            rc = fl_nomem(err, "trace metadata");
        else if (value && !key_legal(key, strlen(key)))
            c->bad = true;
        else if (value)
            rc = fl_meta_set(meta, key, value, err);
        free(key);
        free(value);
        if (rc != FL_OK)
            return rc;
    }
    return c->bad ? fl_fail(err, FL_EFORMAT, "malformed metadata") : FL_OK;
}
