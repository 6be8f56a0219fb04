/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#include "grow.h"
#include "region.h"

#define CHAINS 4096u

int regions_init(struct regions *r, struct fl_err *err)
{
    *r = (struct regions){ .code = FL_NO_CODE };
    r->chains = calloc(CHAINS, sizeof *r->chains);
    r->labels_room = grow_room(0);
    if (!r->chains || !grow(&r->labels, r->labels_room))
        return fl_nomem(err, "mappings' names");
    r->labels[r->n_labels++] = (struct region){ 0 };
    return FL_OK;
}

static void free_names(char **names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

void regions_fini(struct regions *r)
{
    free_names(r->files, r->n_files);
    free_names(r->codes, r->n_codes);
    free(r->is_runtime);
    free(r->labels);
    free(r->chains);
    *r = (struct regions){ 0 };
}

/* Ids are dense; a trace read again names them again. */
static int set_name(char ***names, uint32_t *n, uint32_t *room, uint32_t id, const char *name,
                    struct fl_err *err)
{
    if (id != *n)
        return FL_OK;
    if (*n == *room) {
        uint32_t more = grow_room(*room);
        if (!more || !grow(names, more))
            return fl_nomem(err, "names");
        *room = more;
    }
    char *copy = name && *name ? strdup(name) : NULL;
    if (name && *name && !copy)
        return fl_nomem(err, "names");
    (*names)[(*n)++] = copy;
    return FL_OK;
}

static bool is_runtime_file(const char *base)
{
    static const char *const begins[] = { "libc.so", "libc-",       "ld-linux",    "ld-musl",
                                          "ld-2",    "libjemalloc", "libtcmalloc", "libmimalloc" };
    for (size_t i = 0; i < FL_COUNT(begins); i++)
        if (!strncmp(base, begins[i], strlen(begins[i])))
            return true;
    return false;
}

/* A function without a symbol is known by its file, one without a file by nothing. */
static int set_code(struct regions *r, const struct fl_event *ev, struct fl_err *err)
{
    const char *file = ev->code.file < r->n_files ? r->files[ev->code.file] : NULL;
    const char *slash = file ? strrchr(file, '/') : NULL, *name = ev->code.name;
    const char *base = slash && slash[1] ? slash + 1 : file;
    uint32_t room = r->codes_room, n = r->n_codes;
    char in_file[300];
    if ((!name || !*name) && file) {
        snprintf(in_file, sizeof in_file, "[in %.280s]", base);
        name = in_file;
    }
    int rc = set_name(&r->codes, &r->n_codes, &r->codes_room, ev->code.code, name, err);
    if (rc != FL_OK || r->n_codes == n)
        return rc;
    if (r->codes_room != room && !grow(&r->is_runtime, r->codes_room))
        return fl_nomem(err, "names");
    r->is_runtime[n] = base && is_runtime_file(base);
    return FL_OK;
}

int regions_event(struct regions *r, const struct fl_event *ev, struct fl_err *err)
{
    if (ev->kind == FL_EV_FILE)
        return set_name(&r->files, &r->n_files, &r->files_room, ev->file.file, ev->file.path, err);
    if (ev->kind == FL_EV_CODE)
        return set_code(r, ev, err);
    return FL_OK;
}

static uint32_t hash(const struct region_key *key)
{
    uint64_t h = (uint64_t)key->kind * 0x9e3779b97f4a7c15u;
    h = (h ^ key->file) * 0xff51afd7ed558ccdu;
    h = (h ^ key->code) * 0xc4ceb9fe1a85ec53u;
    h = (h ^ key->pages) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 40) % CHAINS;
}

static bool same_key(const struct region_key *a, const struct region_key *b)
{
    return a->kind == b->kind && a->file == b->file && a->code == b->code && a->pages == b->pages;
}

/* REGION_OTHER: there are too many. */
static uint32_t new_label(struct regions *r, const struct region *label)
{
    if (r->n_labels == REGION_LABELS_MAX)
        return REGION_OTHER;
    if (r->n_labels == r->labels_room) {
        uint32_t room = grow_room(r->labels_room);
        if (!room || !grow(&r->labels, room))
            return REGION_OTHER;
        r->labels_room = room;
    }
    r->labels[r->n_labels] = *label;
    return r->n_labels++;
}

uint32_t regions_label(struct regions *r, const struct region_key *key)
{
    uint32_t *chain = &r->chains[hash(key)];
    for (uint32_t i = *chain; i; i = r->labels[i].next)
        if (same_key(&r->labels[i].key, key))
            return i;
    uint32_t label = new_label(r, &(struct region){ .key = *key, .next = *chain });
    if (label != REGION_OTHER)
        *chain = label;
    return label;
}

uint32_t regions_stand_in(struct regions *r, const struct region_key *key)
{
    if (r->n_stand_ins == REGION_STAND_INS_MAX)
        return regions_label(r, key);
    uint32_t label = new_label(r, &(struct region){ .key = *key, .stands_in = true });
    r->n_stand_ins += label != REGION_OTHER;
    return label;
}

void regions_replace(struct regions *r, uint32_t label, uint32_t better)
{
    struct region *l = &r->labels[label];
    l->stands_in = false;
    l->alias = better;
    r->labels[better].touched += l->touched;
    l->touched = 0;
}

void regions_settle(struct regions *r)
{
    for (uint32_t i = 1; i < r->n_labels; i++)
        if (r->labels[i].stands_in) {
            struct region_key key = r->labels[i].key;
            regions_replace(r, i, regions_label(r, &key));
        }
}

char *regions_code_name(const struct regions *r, uint32_t code)
{
    const char *name = code < r->n_codes ? r->codes[code] : NULL;
    return strdup(name ? name : "[unknown]");
}

static char *anonymous_name(const struct regions *r, const struct region_key *key)
{
    const char *what = key->kind == REGION_KIND_SHARED ? "shared anonymous" : "anonymous";
    const char *function = key->code < r->n_codes ? r->codes[key->code] : NULL;
    char size[FL_FORMAT_BYTES], *name = NULL;
    bool bracketed = function && *function == '['; /* "[in libfoo.so]" */
    int n = bracketed  ? asprintf(&name, "%s (%.*s)", what, (int)strlen(function) - 2, function + 1)
            : function ? asprintf(&name, "%s (%s)", what, function)
                       : asprintf(&name, "%s, %s", what,
                                  fl_format_bytes(size, key->pages * FL_PAGE_BYTES));
    return n < 0 ? NULL : name;
}

char *regions_name(const struct regions *r, uint32_t label)
{
    static const char *const plain[] = { [REGION_KIND_OTHER] = "[other]",
                                         [REGION_KIND_HEAP] = "[heap]",
                                         [REGION_KIND_STACK] = "[stack]",
                                         [REGION_KIND_SPECIAL] = "[vdso]",
                                         [REGION_KIND_FILE] = "[file]" };
    const struct region_key *key =
        &r->labels[label < r->n_labels ? regions_resolve(r, label) : REGION_OTHER].key;
    if (key->kind == REGION_KIND_ANON || key->kind == REGION_KIND_SHARED)
        return anonymous_name(r, key);
    if (key->kind == REGION_KIND_FILE && key->file < r->n_files && r->files[key->file])
        return strdup(r->files[key->file]);
    return strdup(plain[key->kind]);
}
