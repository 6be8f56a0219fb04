/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine profile from a file: the object that `faultline machines --json` prints. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <faultline/machine.h>
#include <faultline/units.h>

enum {
    FILE_MAX_BYTES = 64 << 10,
    ENTRIES_MAX = 65536,
    ASIDS_MAX = 4096, /* a PCID has 12 bits */
    NAME_MAX_BYTES = 64,
    TEXT_MAX_BYTES = 1024,
};

/* The profile's texts stay in the document. */
struct loaded {
    struct fl_machine machine; /* first: what the caller holds */
    json_t *doc;
};

/* Where in the file, for messages: "tlb[2]." or "". */
struct place {
    const json_t *object;
    char prefix[32];
};

static int known_keys(const struct place *at, const char *const *keys, size_t n, struct fl_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)at->object, key, value)
    {
        size_t i = 0;
        while (i < n && strcmp(keys[i], key) != 0)
            i++;
        if (i < n)
            continue;
        char shown[41];
        snprintf(shown, sizeof shown, "%s", key);
        for (char *p = shown; *p; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                *p = '?';
        return fl_fail(err, FL_EFORMAT, "unknown key '%s%s'", at->prefix, shown);
    }
    return FL_OK;
}

static int get_text(const struct place *at, const char *key, size_t max, const char **out,
                    struct fl_err *err)
{
    const json_t *v = json_object_get(at->object, key);
    const char *text = json_string_value(v);
    size_t len = text ? strlen(text) : 0;
    if (len < 1 || len > max)
        return fl_fail(err, FL_EFORMAT, "'%s%s' must be a text of 1 to %zu bytes", at->prefix, key,
                       max);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return fl_fail(err, FL_EFORMAT, "'%s%s' has a control character", at->prefix, key);
    *out = text;
    return FL_OK;
}

static int get_number(const struct place *at, const char *key, uint32_t min, uint32_t max,
                      uint32_t *out, struct fl_err *err)
{
    const json_t *v = json_object_get(at->object, key);
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < (json_int_t)min || n > (json_int_t)max)
        return fl_fail(err, FL_EFORMAT, "'%s%s' must be a whole number from %u to %u", at->prefix,
                       key, min, max);
    *out = (uint32_t)n;
    return FL_OK;
}

static int get_role(const struct place *at, enum fl_tlb_role *out, struct fl_err *err)
{
    const char *text = json_string_value(json_object_get(at->object, "role"));
    for (int role = FL_TLB_FETCH; text && role <= FL_TLB_UNIFIED; role++)
        if (!strcmp(text, fl_tlb_role_name((enum fl_tlb_role)role))) {
            *out = (enum fl_tlb_role)role;
            return FL_OK;
        }
    return fl_fail(err, FL_EFORMAT, "'%srole' must be \"fetch\", \"data\" or \"unified\"",
                   at->prefix);
}

static int get_level(const struct place *at, struct fl_tlb_level *level, struct fl_err *err)
{
    static const char *const keys[] = { "name", "role", "entries", "ways" };
    if (!json_is_object(at->object))
        return fl_fail(err, FL_EFORMAT, "every element of 'tlb' must be an object");
    int rc = known_keys(at, keys, FL_COUNT(keys), err);
    if (rc == FL_OK)
        rc = get_text(at, "name", NAME_MAX_BYTES, &level->name, err);
    if (rc == FL_OK)
        rc = get_role(at, &level->role, err);
    if (rc == FL_OK)
        rc = get_number(at, "entries", 1, ENTRIES_MAX, &level->entries, err);
    if (rc == FL_OK)
        rc = get_number(at, "ways", 1, level->entries, &level->ways, err);
    if (rc == FL_OK && level->entries % level->ways != 0)
        rc = fl_fail(err, FL_EFORMAT, "'%sways' must divide 'entries': %u by %u", at->prefix,
                     level->entries, level->ways);
    return rc;
}

/* What the TLB stage is built for: a first level for each side, then the shared ones. */
static int check_order(const struct fl_machine *m, struct fl_err *err)
{
    unsigned seen[FL_TLB_UNIFIED + 1] = { 0 };
    for (uint32_t i = 0; i < m->n_tlb; i++) {
        enum fl_tlb_role role = m->tlb[i].role;
        if (role != FL_TLB_UNIFIED && seen[FL_TLB_UNIFIED])
            return fl_fail(err, FL_EFORMAT, "'tlb[%u]': a unified level before a first level", i);
        seen[role]++;
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(m->tlb[k].name, m->tlb[i].name))
                return fl_fail(err, FL_EFORMAT, "'tlb[%u].name' is that of 'tlb[%u]' too", i, k);
    }
    if (seen[FL_TLB_FETCH] != 1 || seen[FL_TLB_DATA] != 1)
        return fl_fail(err, FL_EFORMAT,
                       "'tlb' must have one level of role \"fetch\" and one of role \"data\"");
    return FL_OK;
}

static int get_machine(const json_t *doc, struct fl_machine *m, struct fl_err *err)
{
    static const char *const keys[] = { "name", "summary", "source", "levels", "asids", "tlb" };
    const struct place top = { .object = doc };
    const json_t *tlb = json_object_get(doc, "tlb");
    if (!json_is_object(doc))
        return fl_fail(err, FL_EFORMAT,
                       "it must be one object, as each of 'faultline machines --json' is");
    int rc = known_keys(&top, keys, FL_COUNT(keys), err);
    if (rc == FL_OK)
        rc = get_text(&top, "name", NAME_MAX_BYTES, &m->name, err);
    if (rc == FL_OK)
        rc = get_text(&top, "summary", TEXT_MAX_BYTES, &m->summary, err);
    if (rc == FL_OK)
        rc = get_text(&top, "source", TEXT_MAX_BYTES, &m->source, err);
    if (rc == FL_OK)
        rc = get_number(&top, "levels", 4, 5, &m->levels, err);
    if (rc == FL_OK)
        rc = get_number(&top, "asids", 1, ASIDS_MAX, &m->asids, err);
    if (rc == FL_OK && (!json_is_array(tlb) || json_array_size(tlb) > FL_TLB_LEVELS_MAX))
        rc = fl_fail(err, FL_EFORMAT, "'tlb' must be an array of at most %d levels",
                     FL_TLB_LEVELS_MAX);
    for (size_t i = 0; rc == FL_OK && i < json_array_size(tlb); i++) {
        struct place at = { .object = json_array_get(tlb, i) };
        snprintf(at.prefix, sizeof at.prefix, "tlb[%zu].", i);
        rc = get_level(&at, &m->tlb[m->n_tlb++], err);
    }
    return rc == FL_OK ? check_order(m, err) : rc;
}

/* All of the file; a byte more than it may have, so that the caller can tell. */
static int read_file(const char *path, char *buf, size_t *len, struct fl_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : 1;
    for (*len = 0; n > 0 && *len <= FILE_MAX_BYTES; *len += n > 0 ? (size_t)n : 0)
        do
            n = read(fd, buf + *len, FILE_MAX_BYTES + 1 - *len);
        while (n < 0 && errno == EINTR);
    int rc = n < 0 ? fl_fail_errno(err, "cannot read the machine profile %s", path) : FL_OK;
    if (fd >= 0)
        close(fd);
    return rc;
}

static int parse(const char *text, size_t len, json_t **doc, struct fl_err *err)
{
    json_error_t why;
    if (len > FILE_MAX_BYTES)
        return fl_fail(err, FL_EFORMAT, "it has more than %d bytes", FILE_MAX_BYTES);
    *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (*doc)
        return FL_OK;
    if (json_error_code(&why) == json_error_out_of_memory)
        return fl_nomem(err, "a machine profile");
    for (char *p = why.text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    return fl_fail(err, FL_EFORMAT, "line %d: %s", why.line, why.text);
}

int fl_machine_load(const char *path, struct fl_machine **out, struct fl_err *err)
{
    struct fl_err why = { .code = FL_OK };
    struct loaded *l = calloc(1, sizeof *l);
    char *buf = malloc(FILE_MAX_BYTES + 1);
    size_t len = 0;
    int rc = l && buf ? read_file(path, buf, &len, &why) : fl_nomem(&why, "a machine profile");

    *out = NULL;
    if (rc == FL_OK)
        rc = parse(buf, len, &l->doc, &why);
    if (rc == FL_OK)
        rc = get_machine(l->doc, &l->machine, &why);
    free(buf);
    if (rc == FL_OK) {
        *out = &l->machine;
        return FL_OK;
    }
    if (rc == FL_EFORMAT)
        fl_fail(err, rc, "%s is no machine profile: %s", path, why.msg);
    else if (err)
        *err = why;
    fl_machine_free(l ? &l->machine : NULL);
    return rc;
}

void fl_machine_free(struct fl_machine *machine)
{
    struct loaded *l = (struct loaded *)machine;
    if (!l)
        return;
    json_decref(l->doc);
    free(l);
}
