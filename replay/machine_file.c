/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine profile from a file: the object that `faultline machines NAME --json` prints. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <faultline/costs.h>
#include <faultline/units.h>

#include "machine_doc.h"

enum {
    FILE_MAX_BYTES = 64 << 10,
    ENTRIES_MAX = 65536,
    ASIDS_MAX = 65536, /* arm64's have 16 bits, a PCID 12 */
    NAME_MAX_BYTES = 64,
    TEXT_MAX_BYTES = 1024,
};

/* The profile's texts stay in the document. */
struct loaded {
    struct fl_machine machine; /* first: what the caller holds */
    struct fl_costs costs;     /* where it has any */
    json_t *doc;
};

/* Where in the file, for messages: "tlb[2]." or "". */
struct place {
    const json_t *object;
    char prefix[48];
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

/* One of @names, by its index; NULL ends them. */
static int get_choice(const struct place *at, const char *key, const char *const *names, int *out,
                      struct fl_err *err)
{
    const char *text = json_string_value(json_object_get(at->object, key));
    char legal[96] = "";
    for (int i = 0; names[i]; i++) {
        size_t n = strlen(legal);
        if (text && !strcmp(text, names[i])) {
            *out = i;
            return FL_OK;
        }
        snprintf(legal + n, sizeof legal - n, "%s\"%s\"", i ? ", " : "", names[i]);
    }
    return fl_fail(err, FL_EFORMAT, "'%s%s' must be one of %s", at->prefix, key, legal);
}

static int get_role(const struct place *at, enum fl_tlb_role *out, struct fl_err *err)
{
    const char *names[FL_TLB_ROLE_END] = { 0 };
    int i = 0;
    for (int role = FL_TLB_FETCH; role < FL_TLB_ROLE_END; role++)
        names[role - FL_TLB_FETCH] = fl_tlb_role_name((enum fl_tlb_role)role);
    int rc = get_choice(at, "role", names, &i, err);
    *out = (enum fl_tlb_role)(i + FL_TLB_FETCH);
    return rc;
}

/* Without the key: 4 KiB alone. */
static int get_pages(const struct place *at, uint32_t *out, struct fl_err *err)
{
    const json_t *list = json_object_get(at->object, "pages");
    bool good = !list || json_array_size(list) > 0;
    *out = list ? 0 : 1u << FL_PAGE_4K;
    for (size_t i = 0; good && i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        int size = 0;
        while (text && size < FL_PAGE_SIZES &&
               strcmp(text, fl_page_size_name((enum fl_page_size)size)) != 0)
            size++;
        good = text && size < FL_PAGE_SIZES && !(*out >> size & 1);
        *out |= good ? 1u << size : 0;
    }
    return good ? FL_OK
                : fl_fail(err, FL_EFORMAT,
                          "'%spages' must list some of \"4K\", \"2M\", \"1G\", each once",
                          at->prefix);
}

static int get_geometry(const struct place *at, uint32_t *entries, uint32_t *ways,
                        struct fl_err *err)
{
    int rc = get_number(at, "entries", 1, ENTRIES_MAX, entries, err);
    if (rc == FL_OK)
        rc = get_number(at, "ways", 1, *entries, ways, err);
    if (rc == FL_OK && *entries % *ways != 0)
        rc = fl_fail(err, FL_EFORMAT, "'%sways' must divide 'entries': %u by %u", at->prefix,
                     *entries, *ways);
    return rc;
}

static int get_level(const struct place *at, struct fl_tlb_level *level, struct fl_err *err)
{
    static const char *const keys[] = { "name", "role", "pages", "entries", "ways" };
    if (!json_is_object(at->object))
        return fl_fail(err, FL_EFORMAT, "every element of 'tlb' must be an object");
    int rc = known_keys(at, keys, FL_COUNT(keys), err);
    if (rc == FL_OK)
        rc = get_text(at, "name", NAME_MAX_BYTES, &level->name, err);
    if (rc == FL_OK)
        rc = get_role(at, &level->role, err);
    if (rc == FL_OK)
        rc = get_pages(at, &level->pages, err);
    return rc == FL_OK ? get_geometry(at, &level->entries, &level->ways, err) : rc;
}

static int get_walk_cache(const struct place *at, const struct fl_machine *m,
                          struct fl_walk_cache *cache, struct fl_err *err)
{
    static const char *const keys[] = { "holds", "entries", "ways" };
    const char *names[FL_WALK_CACHES_MAX + 1] = { 0 };
    int i = 0;
    if (!json_is_object(at->object))
        return fl_fail(err, FL_EFORMAT, "every element of 'walk_caches' must be an object");
    for (uint32_t level = 2; level <= m->levels; level++)
        names[level - 2] = fl_walk_cache_name(level);
    int rc = known_keys(at, keys, FL_COUNT(keys), err);
    if (rc == FL_OK)
        rc = get_choice(at, "holds", names, &i, err);
    cache->level = (uint32_t)i + 2;
    if (rc == FL_OK && m->n_walk && m->walk[m->n_walk - 1].level >= cache->level)
        rc = fl_fail(err, FL_EFORMAT, "'%sholds' must come before, and once: lowest level first",
                     at->prefix);
    return rc == FL_OK ? get_geometry(at, &cache->entries, &cache->ways, err) : rc;
}

/* With the caches come how they are flushed, and who says so. */
static int get_walk_caches(const struct place *top, struct fl_machine *m, struct fl_err *err)
{
    static const char *const flushes[] = { "space", "page", NULL };
    const json_t *list = json_object_get(top->object, "walk_caches");
    int flush = 0, rc = FL_OK;
    if (!list &&
        (json_object_get(top->object, "walk_flush") || json_object_get(top->object, "walk_source")))
        return fl_fail(err, FL_EFORMAT, "'walk_flush' and 'walk_source' need 'walk_caches'");
    if (!list)
        return FL_OK;
    if (!json_is_array(list) || !json_array_size(list) ||
        json_array_size(list) > FL_WALK_CACHES_MAX)
        return fl_fail(err, FL_EFORMAT, "'walk_caches' must be an array of 1 to %d caches",
                       FL_WALK_CACHES_MAX);
    for (size_t i = 0; rc == FL_OK && i < json_array_size(list); i++) {
        struct place at = { .object = json_array_get(list, i) };
        snprintf(at.prefix, sizeof at.prefix, "walk_caches[%zu].", i);
        rc = get_walk_cache(&at, m, &m->walk[i], err);
        m->n_walk++;
    }
    if (rc == FL_OK)
        rc = get_choice(top, "walk_flush", flushes, &flush, err);
    m->walk_flush_page = flush == 1;
    return rc == FL_OK ? get_text(top, "walk_source", TEXT_MAX_BYTES, &m->walk_source, err) : rc;
}

static int get_flushes(const struct place *top, struct fl_machine *m, struct fl_err *err)
{
    const json_t *broadcast = json_object_get(top->object, "broadcast_flush");
    int rc = FL_OK;
    m->flush_pages = FL_FLUSH_PAGES_X86;
    m->broadcast = json_is_true(broadcast);
    if (json_object_get(top->object, "flush_pages"))
        rc = get_number(top, "flush_pages", 1, FL_FLUSH_PAGES_MAX, &m->flush_pages, err);
    if (rc == FL_OK && broadcast && !json_is_boolean(broadcast))
        rc = fl_fail(err, FL_EFORMAT, "'broadcast_flush' must be true or false");
    return rc;
}

/* What the TLB stage is built for: unified levels last, and every 4 KiB access served. */
static int check_order(const struct fl_machine *m, struct fl_err *err)
{
    unsigned seen[FL_TLB_ROLE_END] = { 0 };
    bool unified = false;
    for (uint32_t i = 0; i < m->n_tlb; i++) {
        const struct fl_tlb_level *level = &m->tlb[i];
        if (level->role != FL_TLB_UNIFIED && unified)
            return fl_fail(err, FL_EFORMAT, "'tlb[%u]': a unified level before a first level", i);
        unified |= level->role == FL_TLB_UNIFIED;
        seen[level->role] += fl_tlb_holds(level, FL_PAGE_4K);
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(m->tlb[k].name, level->name))
                return fl_fail(err, FL_EFORMAT, "'tlb[%u].name' is that of 'tlb[%u]' too", i, k);
    }
    if (!seen[FL_TLB_FETCH] || (!seen[FL_TLB_DATA] && (!seen[FL_TLB_LOAD] || !seen[FL_TLB_STORE])))
        return fl_fail(err, FL_EFORMAT,
                       "'tlb' must have a level of role \"fetch\" for 4K pages and one of role "
                       "\"data\", or one of \"load\" and one of \"store\"");
    return FL_OK;
}

static int get_machine(const json_t *doc, struct fl_machine *m, struct fl_err *err)
{
    static const char *const keys[] = { "name",        "summary",     "source",
                                        "levels",      "asids",       "flush_pages",
                                        "tlb",         "walk_caches", "broadcast_flush",
                                        "walk_source", "walk_flush",  "costs" };
    const struct place top = { .object = doc };
    const json_t *tlb = json_object_get(doc, "tlb");
    if (!json_is_object(doc))
        return fl_fail(err, FL_EFORMAT,
                       "it must be one object, as 'faultline machines NAME --json' prints it");
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
    if (rc == FL_OK)
        rc = get_flushes(&top, m, err);
    if (rc == FL_OK && (!json_is_array(tlb) || json_array_size(tlb) > FL_TLB_LEVELS_MAX))
        rc = fl_fail(err, FL_EFORMAT, "'tlb' must be an array of at most %d levels",
                     FL_TLB_LEVELS_MAX);
    for (size_t i = 0; rc == FL_OK && i < json_array_size(tlb); i++) {
        struct place at = { .object = json_array_get(tlb, i) };
        snprintf(at.prefix, sizeof at.prefix, "tlb[%zu].", i);
        rc = get_level(&at, &m->tlb[m->n_tlb++], err);
    }
    if (rc == FL_OK)
        rc = get_walk_caches(&top, m, err);
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

static int get_costs(const json_t *doc, struct loaded *l, struct fl_err *err)
{
    struct fl_err why = { .code = FL_OK };
    const json_t *costs = json_object_get(doc, "costs");
    if (!costs)
        return FL_OK;
    l->machine.costs = &l->costs;
    int rc = fl_costs_parse(costs, &l->costs, &why);
    return rc == FL_OK ? rc : fl_fail(err, rc, "'costs': %s", why.msg);
}

int machine_of_doc(json_t *doc, struct fl_machine **out, struct fl_err *err)
{
    struct loaded *l = doc ? calloc(1, sizeof *l) : NULL;
    *out = NULL;
    if (!l) {
        json_decref(doc);
        return fl_nomem(err, "a machine profile");
    }
    l->doc = doc;
    int rc = get_machine(doc, &l->machine, err);
    if (rc == FL_OK)
        rc = get_costs(doc, l, err);
    if (rc == FL_OK)
        *out = &l->machine;
    else
        fl_machine_free(&l->machine);
    return rc;
}

int fl_machine_load(const char *path, struct fl_machine **out, struct fl_err *err)
{
    struct fl_err why = { .code = FL_OK };
    char *buf = malloc(FILE_MAX_BYTES + 1);
    json_t *doc = NULL;
    size_t len = 0;
    int rc = buf ? read_file(path, buf, &len, &why) : fl_nomem(&why, "a machine profile");

    *out = NULL;
    if (rc == FL_OK)
        rc = parse(buf, len, &doc, &why);
    if (rc == FL_OK)
        rc = machine_of_doc(doc, out, &why);
    free(buf);
    if (rc == FL_EFORMAT)
        fl_fail(err, rc, "%s is no machine profile: %s", path, why.msg);
    else if (rc != FL_OK && err)
        *err = why;
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
