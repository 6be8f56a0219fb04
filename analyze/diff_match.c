/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matching by levels, the most certain first. At each level what is still alone gets a
 * key, a text; entries of equal key become one, the first with the first. Sorting by key
 * keeps it quick however many entries a document has.
 */
#include "diff_match.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ALONE SIZE_MAX
#define COMM_MAX 15u /* of the kernel's names of processes */

struct keyed {
    char *key;
    uint64_t order;
    size_t index; /* of the entry, or of a group */
};

struct matcher {
    struct diff_names side[2];
    const struct diff_renamed *renamed;
    size_t n_renamed;
    struct diff_groups *out;
    bool failed; /* out of memory */
};

/* The text that two entries have in common at a level: malloc'ed; NULL: none at this level. */
typedef char *key_fn(struct matcher *m, const char *name, int side);

static char *kept(struct matcher *m, char *text)
{
    m->failed |= !text;
    return text;
}

/* ---- functions ------------------------------------------------------------------- */

static const char *const suffixes[] = { "constprop", "isra", "part",       "cold",
                                        "lto_priv",  "llvm", "localalias", "clone" };

/* The length of @name without its last suffix, ".isra.2" say; @len when it has none. */
static size_t without_suffix(const char *name, size_t len)
{
    size_t end = len;
    while (end > 0 && isdigit((unsigned char)name[end - 1]))
        end--;
    if (end == len || end == 0 || name[end - 1] != '.')
        end = len; /* no number */
    else
        end--;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t n = strlen(suffixes[i]);
        if (end > n + 1 && name[end - n - 1] == '.' && memcmp(name + end - n, suffixes[i], n) == 0)
            return end - n - 1;
    }
    return len;
}

/* As demanglers write suffixes: " [clone .constprop.0]", " (.llvm.123)". */
static size_t without_bracket(const char *name, size_t len)
{
    static const char *const open[] = { " [clone .", " (." };
    static const char close[] = { ']', ')' };
    for (size_t k = 0; k < 2; k++) {
        size_t n = strlen(open[k]);
        if (len == 0 || name[len - 1] != close[k])
            continue;
        for (size_t i = len - 1; i-- > 0;) {
            if (name[i] == close[k])
                break;
            if (i + n < len && memcmp(name + i, open[k], n) == 0)
                return i ? i : len;
        }
    }
    return len;
}

static char *plain(const char *name, size_t len)
{
    for (size_t before = len + 1; before != len;) {
        before = len;
        len = without_suffix(name, len);
        len = without_bracket(name, len);
    }
    return strndup(name, len);
}

char *diff_plain_function(const char *name)
{
    return plain(name, strlen(name));
}

static char *key_function(struct matcher *m, const char *name, int side)
{
    (void)side;
    return kept(m, diff_plain_function(name));
}

/* ---- mappings -------------------------------------------------------------------- */

static char *key_exact(struct matcher *m, const char *name, int side)
{
    (void)side;
    return kept(m, strdup(name));
}

static const char *base_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static char *key_base(struct matcher *m, const char *name, int side)
{
    (void)side;
    return *name == '/' && *base_of(name) ? kept(m, strdup(base_of(name))) : NULL;
}

/* With the folder it is in: of two files of one name, the nearer. */
static char *key_base_and_folder(struct matcher *m, const char *name, int side)
{
    (void)side;
    if (*name != '/' || base_of(name) == name + 1)
        return NULL;
    const char *p = base_of(name) - 1;
    while (p > name && p[-1] != '/')
        p--;
    return kept(m, strdup(p));
}

/* libfoo.so.1.2.3 and libfoo-1.4.so are libfoo.so. */
static char *key_without_digits(struct matcher *m, const char *name, int side)
{
    char *key = key_base(m, name, side);
    size_t n = 0;
    for (size_t i = 0; key && key[i]; i++) {
        if (!isdigit((unsigned char)key[i])) {
            key[n++] = key[i];
            continue;
        }
        if (i > 0 && strchr(".-_", key[i - 1]))
            n -= n > 0;
        while (isdigit((unsigned char)key[i + 1]))
            i++;
    }
    if (key && n == 0) {
        free(key);
        return NULL;
    }
    if (key)
        key[n] = '\0';
    return key;
}

static bool is_temporary(const char *path)
{
    static const char *const folders[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/run/" };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return true;
    return false;
}

#define RANDOM_LEN 6u /* mkstemp's XXXXXX; mktemp(1) takes more */

/*
 * The last run of at least six letters and digits is mkstemp's: a whole one when it stands
 * behind a dot or the like (xyz.AbC123), else its last six (xyzAbC123). Python's names
 * are "tmp" and eight.
 */
static char *key_temporary(struct matcher *m, const char *name, int side)
{
    char *base = is_temporary(name) ? key_base(m, name, side) : NULL, *key = NULL;
    if (!base)
        return NULL;
    size_t end = strlen(base), start = end;
    while (end > 0) {
        for (start = end; start > 0 && isalnum((unsigned char)base[start - 1]);)
            start--;
        if (end - start >= RANDOM_LEN || start == 0)
            break;
        end = start - 1;
    }
    bool python = strncmp(base, "tmp", 3) == 0 && strlen(base) == 11;
    if (python) {
        start = 3;
        end = 11;
    } else if (start == 0 && end >= RANDOM_LEN)
        start = end - RANDOM_LEN;
    if (end >= start + RANDOM_LEN) {
        key = malloc(strlen(base) + 2);
        if (kept(m, key)) {
            memcpy(key, base, start);
            key[start] = '*';
            memcpy(key + start + 1, base + end, strlen(base + end) + 1);
        }
    }
    free(base);
    return key;
}

static bool is_program(const char *base, const char *comm)
{
    size_t n = strlen(comm);
    return n > 0 &&
           (strcmp(base, comm) == 0 || (n == COMM_MAX && strncmp(base, comm, COMM_MAX) == 0));
}

/* The program's own file, when the program was renamed. */
static char *key_program(struct matcher *m, const char *name, int side)
{
    if (*name != '/')
        return NULL;
    for (size_t i = 0; i < m->n_renamed; i++)
        if (is_program(base_of(name), side ? m->renamed[i].b : m->renamed[i].a))
            return kept(m, strdup(m->renamed[i].a));
    return NULL;
}

/* Length of "anonymous" or "shared anonymous"; 0 for other mappings. */
static size_t anonymous(const char *name)
{
    static const char *const kinds[] = { "anonymous", "shared anonymous" };
    for (size_t i = 0; i < 2; i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
            return strlen(kinds[i]);
    return 0;
}

static bool has_function(const char *name)
{
    size_t kind = anonymous(name), len = strlen(name);
    return kind && len > kind + 3 && strncmp(name + kind, " (", 2) == 0 && name[len - 1] == ')';
}

/* anonymous (build_table.constprop.0) is anonymous (build_table). */
static char *key_anonymous_function(struct matcher *m, const char *name, int side)
{
    (void)side;
    if (!has_function(name))
        return NULL;
    size_t start = anonymous(name) + 2;
    char *function = kept(m, plain(name + start, strlen(name) - start - 1));
    char *key = function ? malloc(start + strlen(function) + 1) : NULL;
    if (function && kept(m, key)) {
        memcpy(key, name, start);
        memcpy(key + start, function, strlen(function) + 1);
    }
    free(function);
    return key;
}

/* Those that are told by their size alone. */
static char *key_anonymous_size(struct matcher *m, const char *name, int side)
{
    (void)side;
    size_t kind = anonymous(name);
    return kind && !has_function(name) ? kept(m, strndup(name, kind)) : NULL;
}

/* Where one side does not know functions, what is left is paired by rank alone. */
static char *key_anonymous_any(struct matcher *m, const char *name, int side)
{
    (void)side;
    size_t kind = anonymous(name);
    return kind ? kept(m, strndup(name, kind)) : NULL;
}

/* ---- levels ------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = strcmp(x->key, y->key);
    if (c)
        return c;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void free_keyed(struct keyed *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        free(list[i].key);
    free(list);
}

static size_t *groups_of(const struct matcher *m, int side)
{
    return side ? m->out->of_b : m->out->of_a;
}

/* What of a side is still alone and has a key, sorted. */
static struct keyed *alone(struct matcher *m, int side, key_fn *key, size_t *n)
{
    const struct diff_names *names = &m->side[side];
    struct keyed *list = malloc((names->n ? names->n : 1) * sizeof *list);
    *n = 0;
    m->failed |= !list;
    for (size_t i = 0; list && i < names->n; i++) {
        if (groups_of(m, side)[i] != ALONE)
            continue;
        char *text = key(m, names->of[i].text, side);
        if (text)
            list[(*n)++] = (struct keyed){ text, names->of[i].order, i };
    }
    if (list)
        qsort(list, *n, sizeof *list, by_key);
    return list;
}

static void level(struct matcher *m, key_fn *key, enum diff_how how)
{
    size_t n_a, n_b, i = 0, j = 0;
    struct keyed *a = alone(m, 0, key, &n_a), *b = alone(m, 1, key, &n_b);
    while (!m->failed && i < n_a && j < n_b) {
        int c = strcmp(a[i].key, b[j].key);
        if (c == 0) {
            m->out->of_a[a[i].index] = m->out->of_b[b[j].index] = m->out->n;
            m->out->how[m->out->n++] = how;
        }
        i += c <= 0;
        j += c >= 0;
    }
    free_keyed(a, n_a);
    free_keyed(b, n_b);
}

/* A part that a compiler split off, and the other side did not, goes to where it came from. */
static void fold(struct matcher *m, key_fn *key)
{
    size_t n = 0, cap = m->side[0].n + m->side[1].n;
    struct keyed *pairs = malloc((cap ? cap : 1) * sizeof *pairs);
    m->failed |= !pairs;
    for (int side = 0; side < 2 && pairs; side++)
        for (size_t i = 0; i < m->side[side].n; i++) {
            size_t group = groups_of(m, side)[i];
            char *text = group == ALONE ? NULL : key(m, m->side[side].of[i].text, side);
            if (text)
                pairs[n++] = (struct keyed){ text, 0, group };
        }
    if (pairs)
        qsort(pairs, n, sizeof *pairs, by_key);
    for (int side = 0; side < 2 && !m->failed; side++) {
        size_t n_alone, at = 0;
        struct keyed *list = alone(m, side, key, &n_alone);
        for (size_t i = 0; i < n_alone; i++) {
            while (at < n && strcmp(pairs[at].key, list[i].key) < 0)
                at++;
            if (at < n && strcmp(pairs[at].key, list[i].key) == 0)
                groups_of(m, side)[list[i].index] = pairs[at].index;
        }
        free_keyed(list, n_alone);
    }
    free_keyed(pairs, n);
}

/* One left on each side: a program under a new name. */
static void last_two(struct matcher *m)
{
    size_t left[2] = { 0 }, which[2] = { 0 };
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < m->side[side].n; i++)
            if (groups_of(m, side)[i] == ALONE) {
                which[side] = i;
                left[side]++;
            }
    if (left[0] != 1 || left[1] != 1)
        return;
    m->out->of_a[which[0]] = m->out->of_b[which[1]] = m->out->n;
    m->out->how[m->out->n++] = DIFF_GUESS;
}

static bool knows_functions(const struct diff_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (has_function(names->of[i].text))
            return true;
    return false;
}

static void mappings(struct matcher *m)
{
    static key_fn *const keys[] = { key_base_and_folder, key_base,    key_temporary,
                                    key_without_digits,  key_program, key_anonymous_function };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !m->failed; i++)
        level(m, keys[i], DIFF_ALIKE);
    fold(m, key_anonymous_function);
    level(m, key_anonymous_size, DIFF_GUESS);
    if (!knows_functions(&m->side[0]) || !knows_functions(&m->side[1]))
        level(m, key_anonymous_any, DIFF_GUESS);
}

static void the_rest(struct matcher *m)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < m->side[side].n; i++)
            if (groups_of(m, side)[i] == ALONE) {
                groups_of(m, side)[i] = m->out->n;
                m->out->how[m->out->n++] = side ? DIFF_NEW : DIFF_GONE;
            }
}

int diff_match(enum diff_kind kind, struct diff_names a, struct diff_names b,
               const struct diff_renamed *renamed, size_t n_renamed, struct diff_groups *out,
               struct fl_err *err)
{
    struct matcher m = { { a, b }, renamed, n_renamed, out, false };
    *out = (struct diff_groups){ .of_a = malloc((a.n + 1) * sizeof *out->of_a),
                                 .of_b = malloc((b.n + 1) * sizeof *out->of_b),
                                 .how = malloc((a.n + b.n + 1) * sizeof *out->how) };
    if (!out->of_a || !out->of_b || !out->how)
        return fl_nomem(err, "matching names");
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < m.side[side].n; i++)
            groups_of(&m, side)[i] = ALONE;
    level(&m, key_exact, DIFF_SAME);
    switch (kind) {
    case DIFF_PROCESSES: last_two(&m); break;
    case DIFF_MAPPINGS: mappings(&m); break;
    case DIFF_FUNCTIONS:
        level(&m, key_function, DIFF_ALIKE);
        fold(&m, key_function);
        break;
    }
    the_rest(&m);
    return m.failed ? fl_nomem(err, "matching names") : FL_OK;
}

void diff_groups_free(struct diff_groups *g)
{
    free(g->of_a);
    free(g->of_b);
    free(g->how);
    *g = (struct diff_groups){ .n = 0 };
}
