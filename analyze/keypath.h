/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keypath.h - dotted paths into a document, as budgets have them.
 *
 * `faults.major`; `tlb.levels.0.misses` and `tlb.levels.L1D.misses`: an array's element by index
 * or by what it is called; `oom.kills.length`: how many elements there are. A name with dots is
 * quoted as in TOML: `by_mapping."/usr/lib/libc.so.6".major`, with \" and \\ inside, or between
 * single quotes as it stands.
 */
#ifndef FAULTLINE_KEYPATH_H
#define FAULTLINE_KEYPATH_H

#include <stdbool.h>
#include <stddef.h>

#include <faultline/err.h>

struct json_t;

struct keypath {
    char **part; /* n names, unquoted */
    bool *quoted;
    size_t n;
};

/** keypath_parse - split @text. Errors: FL_EUSAGE; FL_ENOMEM. Free with keypath_free(). */
int keypath_parse(const char *text, struct keypath *out, struct fl_err *err);
void keypath_free(struct keypath *path);

/** keypath_is - do the parts from @from on read @dotted, unquoted? */
bool keypath_is(const struct keypath *path, size_t from, const char *dotted);

/** What a path leads to. */
struct keypath_value {
    const struct json_t *json; /* borrowed; NULL for a length */
    size_t length;             /* when the path ends in `.length` of an array */
    size_t depth;              /* how many parts were found; path->n: all of them */
};

/**
 * keypath_find - follow the parts from @from on, into @doc.
 * Returns: FL_OK. Errors: FL_EDATA when a part is not there (->depth says which), with the
 * nearest that is; FL_EUSAGE when a name is that of several elements. @where: for messages.
 */
int keypath_find(const struct keypath *path, size_t from, const struct json_t *doc,
                 const char *where, struct keypath_value *out, struct fl_err *err);

/**
 * nearest_name - the one of @names (NULL at its end) that @word is likely meant to be, or NULL.
 * Cost: O(length of @word * length of all names).
 */
const char *nearest_name(const char *word, const char *const *names);

#endif
