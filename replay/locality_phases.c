/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Phases, after Dhodapkar and Smith, "Managing multi-configuration hardware via dynamic working
 * set analysis", ISCA 2002: a change is where the relative distance of the working sets before and
 * after, |A xor B| / |A or B|, is more than half. Their sets are signatures, these are exact, and
 * so is what follows from them. docs/locality.md has the rules in words.
 */
#include <stdlib.h>
#include <string.h>

#include "touched.h"

#define SCALES 3u
#define CUTS_MAX FL_LOCALITY_COLUMNS
#define ONE 10000u             /* distances are in basis points */
#define APART (ONE / 2)        /* two sets are different ones, */
#define ALIKE (ONE * 35 / 100) /* or the same again */
#define START_COLUMNS (FL_LOCALITY_COLUMNS / 10)
#define BURST_COLUMNS_MIN 2u
#define BURST_SHARE 8u /* of a phase's length: a burst is no longer */

static const uint32_t widths[SCALES] = { 2, 8, 32 }; /* columns before and after */

struct finder {
    const struct touched *t;
    struct fl_locality *l;
    uint32_t distance[SCALES][FL_LOCALITY_COLUMNS]; /* of what is before and after a column */
    uint32_t cut[CUTS_MAX + 1], n_cuts;             /* where phases begin, ascending, and the end */
};

static uint32_t distance_of(uint64_t common, uint64_t all)
{
    return all ? (uint32_t)(((unsigned __int128)(all - common) * ONE + all / 2) / all) : 0;
}

/* ---- distances ------------------------------------------------------------------------------ */

/* @s drawn out over @width columns, a power of two. */
static struct columns drawn_out(struct columns s, uint32_t width, bool later)
{
    for (uint32_t by = 1; by < width; by *= 2)
        s = columns_or(s, later ? columns_later(s, by) : columns_earlier(s, by));
    return s;
}

static void measure(struct finder *f, uint32_t scale)
{
    int64_t common[FL_LOCALITY_COLUMNS] = { 0 }, all[FL_LOCALITY_COLUMNS] = { 0 }, c = 0, a = 0;
    for (uint32_t page = 0; page < f->t->n; page++) {
        struct columns s = f->t->columns[page];
        struct columns before = columns_later(drawn_out(s, widths[scale], true), 1);
        struct columns after = drawn_out(s, widths[scale], false);
        columns_tally(columns_and(before, after), common);
        columns_tally(columns_or(before, after), all);
    }
    for (uint32_t k = 0; k < FL_LOCALITY_COLUMNS; k++) {
        c += common[k];
        a += all[k];
        f->distance[scale][k] = distance_of((uint64_t)c, (uint64_t)a);
    }
}

/* Of what is touched in the @width columns before @from and from @to on. */
static uint32_t distance_across(const struct finder *f, uint32_t from, uint32_t to, uint32_t width)
{
    struct columns before = columns_range(from - width, from);
    struct columns after = columns_range(to, to + width);
    uint64_t common = 0, all = 0;
    for (uint32_t page = 0; page < f->t->n; page++) {
        bool was = columns_any(columns_and(f->t->columns[page], before));
        bool is = columns_any(columns_and(f->t->columns[page], after));
        common += was && is;
        all += was || is;
    }
    return distance_of(common, all);
}

/* ---- cuts ----------------------------------------------------------------------------------- */

static void add_cut(struct finder *f, uint32_t column)
{
    if (f->n_cuts < CUTS_MAX && (f->n_cuts == 0 || f->cut[f->n_cuts - 1] < column))
        f->cut[f->n_cuts++] = column;
}

/*
 * Cut [lo, hi) where its sets change. Where they change for longer than a change takes, nothing
 * has settled: that is one stretch, in which a longer view may see more.
 */
static void split(struct finder *f, uint32_t lo, uint32_t hi, uint32_t scale)
{
    const uint32_t width = widths[scale], *d = f->distance[scale];
    uint32_t first_at = lo + width, end_at = hi >= width ? hi - width + 1 : 0;
    for (uint32_t k = first_at; k < end_at;) {
        uint32_t first = k, peak = k;
        if (d[k++] < APART)
            continue;
        for (; k < end_at && d[k] >= ALIKE; k++)
            if (d[k] > d[peak])
                peak = k;
        uint32_t from = first == first_at ? lo : first + width - 1;
        uint32_t to = k == end_at ? hi : k - width;
        if (k - first <= 2 * width || from >= to) {
            /* a moment of something else is no change when all is as before afterwards */
            if (from >= to || from < lo + width || to + width > hi ||
                distance_across(f, from, to, width) >= APART)
                add_cut(f, peak);
            continue;
        }
        add_cut(f, from);
        if (scale + 1 < SCALES)
            split(f, from, to, scale + 1);
        add_cut(f, to);
    }
}

/* ---- phases from cuts ----------------------------------------------------------------------- */

/* Pages in phase i, and in both i - 1 and i. */
struct overlap {
    uint64_t pages[CUTS_MAX], common[CUTS_MAX];
};

static void count_overlap(const struct finder *f, struct overlap *o)
{
    uint32_t n = f->n_cuts - 1;
    struct columns range[CUTS_MAX];
    *o = (struct overlap){ { 0 }, { 0 } };
    for (uint32_t i = 0; i < n; i++)
        range[i] = columns_range(f->cut[i], f->cut[i + 1]);
    for (uint32_t page = 0; page < f->t->n; page++) {
        struct columns s = f->t->columns[page];
        bool before = false;
        for (uint32_t i = 0; i < n; i++) {
            bool here = columns_any(columns_and(s, range[i]));
            o->pages[i] += here;
            o->common[i] += here && before;
            before = here;
        }
    }
}

/* How different phase i is from the one before. */
static uint32_t step(const struct overlap *o, uint32_t i)
{
    return distance_of(o->common[i], o->pages[i - 1] + o->pages[i] - o->common[i]);
}

/*
 * Neighbours that touch the same pages all in all are one phase: those first that are more alike
 * than either is to its other neighbour. Too many phases: the most alike are one, whatever they
 * touch. Returns whether any cut went.
 */
static bool merge_once(struct finder *f)
{
    struct overlap o;
    uint32_t n = f->n_cuts - 1, best = 1, kept = 1;
    bool merged = false, gone = false;
    if (n < 2)
        return false;
    count_overlap(f, &o);
    for (uint32_t i = 2; i < n; i++)
        if (step(&o, i) < step(&o, best))
            best = i;
    bool too_many = n > FL_PHASES_MAX;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t d = step(&o, i);
        bool least = (i == 1 || d <= step(&o, i - 1)) && (i + 1 == n || d <= step(&o, i + 1));
        gone = !gone && ((d < APART && least) || (too_many && i == best));
        if (!gone)
            f->cut[kept++] = f->cut[i];
        merged |= gone;
    }
    f->cut[kept++] = f->cut[n];
    f->n_cuts = kept;
    return merged;
}

/* ---- what a phase is ------------------------------------------------------------------------ */

struct facts {
    struct columns range[FL_PHASES_MAX];
    uint64_t both[FL_PHASES_MAX][FL_PHASES_MAX]; /* [i][j], j <= i: pages in i and in j */
    uint64_t new_anon[FL_PHASES_MAX];            /* anonymous pages never touched before, */
    uint64_t late[FL_PHASES_MAX];                /* of these, in its second half */
    uint64_t bursts[FL_PHASES_MAX];
    uint64_t heat[FL_PHASES_MAX][FL_LOCALITY_MAPPINGS_MAX + 1];
};

static void add_facts(struct facts *facts, const struct touched *t, uint32_t page,
                      struct fl_phase *phases, uint32_t n)
{
    uint32_t in[FL_PHASES_MAX], n_in = 0;
    struct columns s = t->columns[page];
    if (!columns_any(s))
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct columns here = columns_and(s, facts->range[i]);
        if (!columns_any(here))
            continue;
        uint32_t span = columns_last(here) - columns_first(here) + 1;
        uint32_t burst = (phases[i].to_column - phases[i].from_column) / BURST_SHARE;
        facts->bursts[i] += span <= (burst > BURST_COLUMNS_MIN ? burst : BURST_COLUMNS_MIN);
        facts->heat[i][t->mapping[page]] += columns_count(here);
        if (n_in == 0) {
            phases[i].new_pages++;
            facts->new_anon[i] += !t->is_file[page];
            facts->late[i] += !t->is_file[page] && columns_first(here) * 2 >=
                                                       phases[i].from_column + phases[i].to_column;
        }
        in[n_in++] = i;
        for (uint32_t j = 0; j < n_in; j++)
            facts->both[i][in[j]]++;
    }
}

/* The earlier phase, but not the one before, whose pages are these again; UINT32_MAX: none. */
static uint32_t revisited(const struct facts *facts, uint32_t i)
{
    uint32_t best = UINT32_MAX, least = APART;
    for (uint32_t j = 0; j + 1 < i; j++) {
        uint64_t common = facts->both[i][j];
        uint32_t d = distance_of(common, facts->both[i][i] + facts->both[j][j] - common);
        if (d < least) {
            least = d;
            best = j;
        }
    }
    return best;
}

static void name_phase(const struct facts *facts, struct fl_phase *phases, uint32_t i, uint32_t n)
{
    struct fl_phase *p = &phases[i];
    uint32_t length = p->to_column - p->from_column;
    p->revisits = revisited(facts, i);
    if (i == 0 && n > 1 && length <= START_COLUMNS)
        p->kind = FL_PHASE_START_UP;
    else if (p->revisits != UINT32_MAX)
        p->kind = FL_PHASE_REVISITS;
    else if (p->pages && facts->new_anon[i] * 4 >= p->pages &&
             facts->late[i] * 4 >= facts->new_anon[i])
        p->kind = FL_PHASE_GROWING;
    else if (facts->bursts[i] * 2 >= p->pages && length >= BURST_COLUMNS_MIN * 4)
        p->kind = FL_PHASE_STREAMING;
    else
        p->kind = FL_PHASE_STEADY;
}

static void describe(const struct finder *f, struct facts *facts)
{
    struct fl_locality *l = f->l;
    uint32_t n = f->n_cuts - 1;
    l->n_phases = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = f->cut[i], to = f->cut[i + 1];
        facts->range[i] = columns_range(from, to);
        l->phases[i] = (struct fl_phase){
            .from_column = from,
            .to_column = to,
            .from_access = from ? fl_locality_end(l->accesses, from - 1) : 0,
            .to_access = fl_locality_end(l->accesses, to - 1),
        };
    }
    for (uint32_t page = 0; page < f->t->n; page++)
        add_facts(facts, f->t, page, l->phases, n);
    for (uint32_t i = 0; i < n; i++) {
        struct fl_phase *p = &l->phases[i];
        uint32_t hottest = 0;
        p->pages = facts->both[i][i];
        p->common_pages = i ? facts->both[i][i - 1] : 0;
        for (uint32_t m = 1; m < FL_LOCALITY_MAPPINGS_MAX; m++)
            if (facts->heat[i][m] > facts->heat[i][hottest])
                hottest = m;
        p->hottest = facts->heat[i][hottest] ? hottest : FL_LOCALITY_MAPPINGS_MAX;
        name_phase(facts, l->phases, i, n);
    }
}

const char *fl_phase_name(enum fl_phase_kind kind)
{
    static const char *const names[] = { [FL_PHASE_START_UP] = "start-up",
                                         [FL_PHASE_REVISITS] = "revisits",
                                         [FL_PHASE_GROWING] = "growing",
                                         [FL_PHASE_STREAMING] = "streaming",
                                         [FL_PHASE_STEADY] = "steady" };
    return names[kind];
}

int locality_phases(const struct touched *t, struct fl_locality *l, struct fl_err *err)
{
    struct finder *f = calloc(1, sizeof *f);
    struct facts *facts = calloc(1, sizeof *facts);
    int rc = f && facts ? FL_OK : fl_nomem(err, "locality");
    if (rc == FL_OK && l->distinct_pages) {
        f->t = t;
        f->l = l;
        for (uint32_t scale = 0; scale < SCALES; scale++)
            measure(f, scale);
        add_cut(f, 0);
        split(f, 0, FL_LOCALITY_COLUMNS, 0);
        add_cut(f, FL_LOCALITY_COLUMNS);
        while (merge_once(f))
            ;
        describe(f, facts);
    }
    free(f);
    free(facts);
    return rc;
}
