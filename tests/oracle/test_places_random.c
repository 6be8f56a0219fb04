/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random mappings, moves, forks and exits, and after each of them addresses and call
 * chains, against a table with an entry for every page and a list of names for every chain.
 */
#include "unit/places_fix.h"

#include <inttypes.h>

#define SPACES 6u
#define PAGES 48u
#define FIRST 100u /* number of page 0 */
#define CHAIN_MAX 12u

struct cell {
    uint32_t file; /* FL_NO_FILE: nothing is mapped */
    uint32_t function;
};

struct twin {
    uint32_t users[SPACES];
    struct cell cells[SPACES][PAGES];
};

struct run {
    struct fix *f;
    struct twin twin;
    uint64_t seed, random;
    uint32_t op;
};

static uint32_t pick(struct run *r, uint32_t n)
{
    r->random = r->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(r->random >> 33) % n;
}

static void clear(struct twin *t, uint32_t space)
{
    for (uint32_t i = 0; i < PAGES; i++)
        t->cells[space][i] = (struct cell){ FL_NO_FILE, 0 };
}

/* A space that nobody runs in is there as soon as it is told of. */
static void touch(struct twin *t, uint32_t space)
{
    if (t->users[space] == 0)
        t->users[space] = 1;
}

static void random_map(struct run *r, uint32_t space)
{
    uint32_t file = pick(r, 4), at = pick(r, PAGES), n = 1 + pick(r, 8), function = pick(r, 20);
    file = file < LIBS ? file : file == 2 ? FL_NO_FILE : 0;
    n = n < PAGES - at ? n : PAGES - at;
    fix_map(r->f, space, file, FIRST + at, function, n);
    touch(&r->twin, space);
    for (uint32_t i = 0; i < n; i++)
        r->twin.cells[space][at + i] = (struct cell){ file, function + i };
}

static void random_unmap(struct run *r, uint32_t space)
{
    struct fl_err err;
    uint32_t at = pick(r, PAGES), n = pick(r, 12);
    n = n < PAGES - at ? n : PAGES - at;
    assert_int_equal(fl_places_unmap(r->f->places, space, (FIRST + at) * PAGE, n * PAGE, &err),
                     FL_OK);
    for (uint32_t i = 0; i < n; i++)
        r->twin.cells[space][at + i].file = FL_NO_FILE;
}

/* Pages move one by one; what they grow by follows the last of them in its file. */
static void random_remap(struct run *r, uint32_t space)
{
    struct fl_err err;
    struct cell moved[PAGES], *cells = r->twin.cells[space];
    uint32_t from = pick(r, PAGES), to = pick(r, PAGES), n = pick(r, 8), m = 1 + pick(r, 8);
    n = n < PAGES - from ? n : PAGES - from;
    m = m < PAGES - to ? m : PAGES - to;
    assert_int_equal(fl_places_remap(r->f->places, space, (FIRST + from) * PAGE, n * PAGE,
                                     (FIRST + to) * PAGE, m * PAGE, &err),
                     FL_OK);
    for (uint32_t i = 0; i < m; i++) {
        uint32_t of = i < n ? from + i : n ? from + n - 1 : from;
        moved[i] = cells[of];
        moved[i].function += from + i - of;
    }
    for (uint32_t i = 0; i < n; i++)
        cells[from + i].file = FL_NO_FILE;
    for (uint32_t i = 0; i < m; i++)
        cells[to + i] = moved[i];
}

static void random_op(struct run *r)
{
    struct fl_err err;
    uint32_t space = pick(r, SPACES), other = pick(r, SPACES);
    struct twin *t = &r->twin;
    switch (pick(r, 12)) {
    case 0:
        if (space == other || t->users[other] > 0)
            return;
        assert_int_equal(fl_places_fork(r->f->places, other, space, &err), FL_OK);
        touch(t, other);
        memcpy(t->cells[other], t->cells[space], sizeof t->cells[other]);
        return;
    case 1:
        if (t->users[space] > 0 && --t->users[space] == 0)
            clear(t, space);
        fl_places_drop(r->f->places, space);
        return;
    case 2:
        if (t->users[space] == 0 || t->users[space] > 3)
            return;
        t->users[space]++;
        assert_int_equal(fl_places_share(r->f->places, space, &err), FL_OK);
        return;
    case 3:
    case 4: random_unmap(r, space); return;
    case 5:
    case 6: random_remap(r, space); return;
    default: random_map(r, space);
    }
}

/* The name that the twin has for an address, and the id of its file. */
static const char *twin_name(const struct run *r, uint32_t space, uint64_t ip, uint32_t *file)
{
    static char name[8];
    uint64_t page = ip / PAGE - FIRST;
    *file = FL_NO_FILE;
    if (ip >> 63)
        return "[kernel]";
    if (ip / PAGE < FIRST || page >= PAGES || r->twin.cells[space][page].file == FL_NO_FILE)
        return "anonymous code";
    const struct cell *c = &r->twin.cells[space][page];
    *file = c->file;
    if (c->function >= FUNCTIONS || ip % PAGE >= r->f->lib[c->file].bytes)
        return "";
    snprintf(name, sizeof name, "%c_%02u", c->file ? 'b' : 'a', c->function);
    return name;
}

static void is_place(const struct run *r, uint32_t code, uint32_t space, uint64_t ip)
{
    uint32_t file;
    const char *want = twin_name(r, space, ip, &file);
    const struct fl_event *ev = r->f->codes[code];
    if (strcmp(ev->code.name, want) != 0 || ev->code.file != file)
        fail_msg("seed %" PRIu64 ", operation %u, space %u: %#" PRIx64 " is \"%s\", not \"%s\"",
                 r->seed, r->op, space, ip, ev->code.name, want);
}

/* The first byte of a page is called from the page before. */
static uint64_t random_ip(struct run *r)
{
    uint32_t kind = pick(r, 30);
    return kind == 0   ? UINT64_MAX - pick(r, 5)
           : kind == 1 ? pick(r, 4096)
                       : (FIRST + pick(r, PAGES + 2) - 1) * PAGE + pick(r, 2);
}

static void check_chain(struct run *r, uint32_t space, const uint64_t *ips, uint32_t n)
{
    uint32_t stack = fix_chain(r->f, space, ips, n).stack, end = n ? 1 : 0;
    while (end < n && ips[end] >= 4096 && !(ips[end] >> 63 && !(ips[end - 1] >> 63)))
        end++;
    for (uint32_t i = 0; i < end; i++) {
        if (i + 1 < end && ips[i] >> 63 && ips[i + 1] >> 63)
            continue; /* the kernel calls itself: shown once */
        if (stack == FL_NO_STACK)
            fail_msg("seed %" PRIu64 ", operation %u: a chain of %u is short", r->seed, r->op, end);
        bool is_call = i > 0 && !(ips[i - 1] >> 63);
        is_place(r, r->f->stacks[stack]->stack.code, space, ips[i] - is_call);
        stack = r->f->stacks[stack]->stack.parent;
    }
    if (stack != FL_NO_STACK)
        fail_msg("seed %" PRIu64 ", operation %u: a chain of %u is long", r->seed, r->op, end);
}

static void check(struct run *r)
{
    static uint64_t chain[CHAIN_MAX]; /* the next one differs from it at its inner end */
    static uint32_t n;
    struct fl_err err;
    for (uint32_t k = 0; k < 12; k++) {
        uint32_t space = pick(r, SPACES), code;
        uint64_t ip = random_ip(r);
        assert_int_equal(
            fl_places_code(r->f->places, fl_places_find(r->f->places, space, ip), 3, &code, &err),
            FL_OK);
        is_place(r, code, space, ip);
    }
    uint32_t space = pick(r, SPACES);
    for (uint32_t k = 0; k < 6; k++) {
        uint32_t keep = pick(r, n + 1), fresh = pick(r, CHAIN_MAX - keep + 1);
        memmove(chain + fresh, chain + n - keep, keep * sizeof *chain);
        for (uint32_t i = 0; i < fresh; i++)
            chain[i] = random_ip(r);
        n = keep + fresh;
        check_chain(r, pick(r, 8) ? space : pick(r, SPACES), chain, n);
    }
}

static void every_address_and_chain_is_what_a_table_of_pages_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct run *r = calloc(1, sizeof *r);
        assert_non_null(r);
        r->f = fix_new(false);
        r->seed = seed;
        r->random = seed * UINT64_C(0x9e3779b97f4a7c15);
        for (uint32_t s = 0; s < SPACES; s++)
            clear(&r->twin, s);
        for (r->op = 0; r->op < 1500; r->op++) {
            random_op(r);
            check(r);
        }
        /* Two libraries' functions and code without one, anonymous code, the kernel: once each. */
        assert_int_equal(r->f->n_codes, LIBS * (FUNCTIONS + 1) + 2);
        for (size_t i = 0; i < r->f->n_stacks; i++)
            for (size_t j = i + 1; j < r->f->n_stacks && j < i + 50; j++)
                assert_false(r->f->stacks[i]->stack.code == r->f->stacks[j]->stack.code &&
                             r->f->stacks[i]->stack.parent == r->f->stacks[j]->stack.parent);
        fix_free(r->f);
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_and_chain_is_what_a_table_of_pages_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
