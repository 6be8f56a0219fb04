/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two TLBs of one machine over one pass: in one every page is 4 KiB, in the other an aligned
 * 2 MiB of private anonymous memory is one page. No stage of paging: memory is unlimited.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/locality.h>
#include <faultline/units.h>

#include "grow.h"
#include "linux/huge.h"
#include "place.h"
#include "run_code.h"
#include "tlb_follow.h"
#include "trace_pass.h"

enum { SMALL, HUGE, SIDES };

/* Of a page: what it is mapped as, from the last change of any mapping on. */
enum fit { FIT_NONE, FIT_RAGGED, FIT_HUGE };
#define FIT_BITS 2u

/* Of a page, for good. */
enum { TOUCHED = 1, WAS_HUGE = 2 };

struct walks {
    uint64_t of[SIDES], ragged;
};

#define NO_KEY UINT64_MAX

/*
 * What was looked up last, by fetches and by data: looking it up once more changes nothing but the
 * number of look-ups, which nobody asks for. In use only where the two have levels of their own.
 */
struct latest {
    bool in_use;
    uint64_t fetch, data;
};

struct reach {
    struct vm vm;
    struct regions regions;
    struct tlb tlb[SIDES];
    struct tlb_follow follow[SIDES];
    struct latest latest[SIDES];
    uint32_t n_tlbs; /* that are there */
    /* by dense page id */
    uint32_t *fit;   /* mappings' generation << FIT_BITS | enum fit */
    uint64_t *range; /* with FIT_HUGE: its 2 MiB, unlike any page id */
    uint8_t *flags;
    uint32_t pages_room, generation;
    struct run_codes codes;
    struct walks *walks; /* by label */
    uint32_t labels_room;
};

/* ---- what fits ------------------------------------------------------------------------------ */

static enum fit fit_now(const struct reach *s, uint32_t page)
{
    struct fl_page at = fl_reader_page(s->vm.reader, page);
    if (at.mm >= s->vm.n_mms)
        return FIT_NONE;
    const struct mm *mm = &s->vm.mms[at.mm];
    const struct vma *vma = mm_find(mm, at.vpn);
    uint64_t from = at.vpn & ~(uint64_t)(HUGE_PAGES - 1);
    if (!vma || vma->object != NO_OBJECT || vma->flags & (VMA_SHARED | VMA_SPECIAL))
        return FIT_NONE;
    if (vma->flags & (VMA_NO_HUGE | VMA_LOCKED) ||
        !huge_holds_range(mm, vma, from, from + HUGE_PAGES))
        return FIT_RAGGED;
    return FIT_HUGE;
}

static inline enum fit fit_of(struct reach *s, uint32_t page)
{
    if (__builtin_expect(s->fit[page] >> FIT_BITS != s->generation, 0)) {
        s->fit[page] = s->generation << FIT_BITS | fit_now(s, page);
        s->range[page] = UINT64_C(1) << 63 | fl_reader_page(s->vm.reader, page).vpn >> HUGE_SHIFT;
    }
    return (enum fit)(s->fit[page] & ((1u << FIT_BITS) - 1));
}

/* A page was mapped as it was looked up last, whatever has happened to its mapping since. */
static enum fl_page_size size_was(const struct reach *s, uint32_t page)
{
    bool huge = (s->fit[page] & ((1u << FIT_BITS) - 1)) == FIT_HUGE;
    return huge && s->fit[page] ? FL_PAGE_2M : FL_PAGE_4K;
}

/* ---- what was looked up last ------------------------------------------------------------------- */

static void forget_latest(struct reach *s)
{
    for (int side = 0; side < SIDES; side++)
        s->latest[side].fetch = s->latest[side].data = NO_KEY;
}

static bool sides_are_apart(const struct tlb *tlb)
{
    for (int size = FL_PAGE_4K; size <= FL_PAGE_2M; size++) {
        const struct tlb_chain *fetch = &tlb->chain[TLB_SIDE_FETCH][size];
        for (int other = FL_PAGE_4K; other <= FL_PAGE_2M; other++)
            if (fetch->level[0] == tlb->chain[TLB_SIDE_LOAD][other].level[0])
                return false;
        if (tlb->split_data[size] ||
            tlb->chain[TLB_SIDE_LOAD][size].held_as != (enum fl_page_size)size ||
            fetch->held_as != (enum fl_page_size)size)
            return false;
    }
    return true;
}

static inline bool is_latest(struct latest *latest, uint64_t key, bool fetch, bool data)
{
    if (latest->in_use && (!fetch || latest->fetch == key) && (!data || latest->data == key))
        return true;
    if (fetch)
        latest->fetch = key;
    if (data)
        latest->data = key;
    return false;
}

static inline void run_in_space(struct reach *s, uint32_t mm)
{
    if (__builtin_expect(s->tlb[SMALL].current_mm == mm && s->tlb[HUGE].current_mm == mm, 1))
        return;
    forget_latest(s);
    for (int side = 0; side < SIDES; side++)
        tlb_switch(&s->tlb[side], mm);
}

/* ---- what the virtual memory stage tells ------------------------------------------------------ */

static void on_page_dropped(void *arg, uint32_t page)
{
    struct reach *s = arg;
    if (page >= s->pages_room)
        return;
    forget_latest(s);
    tlb_follow_dropped(&s->follow[SMALL], page, FL_PAGE_4K);
    tlb_follow_dropped(&s->follow[HUGE], page, size_was(s, page));
}

static void on_mm_gone(void *arg, uint32_t mm)
{
    struct reach *s = arg;
    for (int side = 0; side < SIDES; side++)
        tlb_follow_mm_gone(&s->follow[side], mm);
}

static bool changes_mappings(const struct fl_event *ev)
{
    switch (ev->kind) {
    case FL_EV_MAP:
    case FL_EV_UNMAP:
    case FL_EV_PROTECT:
    case FL_EV_REMAP:
    case FL_EV_ADVISE:
    case FL_EV_LOCK: return true;
    default: return false; /* a new space has new pages */
    }
}

static int on_event(void *arg, const struct fl_event *ev, struct fl_err *err)
{
    struct reach *s = arg;
    uint32_t spaces = s->vm.n_spaces;
    forget_latest(s);
    for (int side = 0; side < SIDES; side++)
        tlb_follow_begin(&s->follow[side], ev);
    int rc = vm_event(&s->vm, ev, err);
    for (int side = 0; side < SIDES && rc == FL_OK; side++)
        tlb_follow_end(&s->follow[side], &s->vm, spaces);
    if (changes_mappings(ev))
        s->generation =
            s->generation << FIT_BITS >> FIT_BITS == UINT32_MAX >> FIT_BITS ? 1 : s->generation + 1;
    return rc;
}

/* ---- runs ----------------------------------------------------------------------------------- */

static int make_room(struct reach *s, struct fl_err *err)
{
    int rc = vm_new_pages(&s->vm, err);
    uint32_t room = grow_room_for(s->pages_room, s->vm.n_pages);
    for (int side = 0; side < SIDES && rc == FL_OK; side++)
        rc = tlb_room(&s->tlb[side], s->vm.n_pages, err);
    if (rc != FL_OK || s->vm.n_pages <= s->pages_room)
        return rc;
    if (!room || !grow(&s->fit, room) || !grow(&s->range, room) || !grow(&s->flags, room))
        return fl_nomem(err, "TLB reach");
    memset(s->fit + s->pages_room, 0, (room - s->pages_room) * sizeof *s->fit);
    memset(s->flags + s->pages_room, 0, room - s->pages_room);
    s->pages_room = room;
    return FL_OK;
}

static int labels_room(struct reach *s, struct fl_err *err)
{
    uint32_t n = s->regions.n_labels, room = grow_room_for(s->labels_room, n);
    if (n <= s->labels_room)
        return FL_OK;
    if (!room || !grow(&s->walks, room))
        return fl_nomem(err, "TLB reach");
    memset(s->walks + s->labels_room, 0, (room - s->labels_room) * sizeof *s->walks);
    s->labels_room = room;
    return FL_OK;
}

static void look_up(struct reach *s, const struct fl_runs *runs, size_t i)
{
    uint32_t page = runs->page[i];
    enum fit fit = fit_of(s, page);
    bool fetch = runs->fetches[i], data = runs->reads[i] | runs->writes[i];
    uint64_t key[SIDES] = { page, fit == FIT_HUGE ? s->range[page] : page };
    s->flags[page] |= fit == FIT_HUGE ? TOUCHED | WAS_HUGE : TOUCHED;
    for (int side = 0; side < SIDES; side++) {
        struct tlb *tlb = &s->tlb[side];
        uint64_t before = tlb->walks;
        if (is_latest(&s->latest[side], key[side], fetch, data))
            continue;
        tlb_run(tlb, page, side == HUGE && fit == FIT_HUGE ? FL_PAGE_2M : FL_PAGE_4K,
                runs->fetches[i], runs->reads[i], runs->writes[i]);
        if (__builtin_expect(tlb->walks == before, 1))
            continue;
        struct walks *w = &s->walks[s->vm.label_of[page]];
        w->of[side] += tlb->walks - before;
        w->ragged += side == HUGE && fit == FIT_RAGGED ? tlb->walks - before : 0;
    }
}

static int on_runs(void *arg, const struct fl_runs *runs, struct fl_err *err)
{
    struct reach *s = arg;
    if (vm_thread_process(&s->vm, runs->thread) == UINT32_MAX)
        return fl_fail(err, FL_EFORMAT, "the trace has accesses of unknown thread %u",
                       runs->thread);
    int rc = make_room(s, err);
    if (rc == FL_OK)
        rc = labels_room(s, err);
    if (rc == FL_OK)
        rc = run_codes_begin(&s->codes, runs, &s->regions, err);
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint32_t page = runs->page[i], c = 0;
        uint8_t info, need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        run_codes_at(&s->codes, i, &s->vm, runs->page[i]);
        run_in_space(s, s->vm.mm_of[page]);
        if (__builtin_expect(need & ~s->vm.rights[page], 0)) {
            rc = vm_slow_run(&s->vm, page, need, runs->actor, &c, &info, err);
            if (rc == FL_OK)
                rc = labels_room(s, err);
        }
        if (rc == FL_OK && c != NO_CONTENTS && runs->actor == FL_ACTOR_USER)
            look_up(s, runs, i);
        else if (rc == FL_OK && c != NO_CONTENTS)
            s->flags[page] |= TOUCHED;
    }
    if (rc == FL_OK)
        run_codes_end(&s->codes, runs->thread, &s->regions);
    return rc;
}

/* ---- ranges --------------------------------------------------------------------------------- */

struct stretch { /* of neighbouring ranges of one label */
    uint32_t mm, label;
    uint64_t first, end; /* page numbers >> HUGE_SHIFT */
};

/* One range of 2 MiB that holds places[0 .. n). */
static void add_range(const struct reach *s, const struct place *places, uint32_t n,
                      struct stretch *last, struct fl_tlb_reach_mapping *mappings)
{
    uint64_t number = places[0].vpn >> HUGE_SHIFT;
    bool huge = false;
    for (uint32_t i = 0; i < n; i++)
        huge |= s->flags[places[i].page] & WAS_HUGE;
    if (!huge)
        return;
    uint32_t label = s->vm.label_of[places[0].page];
    struct fl_tlb_reach_mapping *m = &mappings[label];
    m->huge_ranges++;
    m->extra_pages += HUGE_PAGES - n;
    if (last->mm != places[0].mm || last->label != label || last->end != number)
        *last = (struct stretch){ places[0].mm, label, number, number };
    last->end = number + 1;
    uint64_t length = (last->end - last->first) << (HUGE_SHIFT + FL_PAGE_SHIFT);
    if (length > m->length) {
        m->start = last->first << (HUGE_SHIFT + FL_PAGE_SHIFT);
        m->length = length;
    }
}

/* Ranges and pages of each label. */
static int add_ranges(const struct reach *s, struct fl_tlb_reach_mapping *mappings,
                      struct fl_err *err)
{
    struct place *places = calloc((size_t)s->vm.n_pages + 1, sizeof *places);
    struct stretch last = { .mm = FL_NO_MM };
    uint32_t n = 0;
    if (!places)
        return fl_nomem(err, "TLB reach");
    for (uint32_t page = 0; page < s->vm.n_pages; page++)
        if (s->flags[page] & TOUCHED) {
            struct fl_page at = fl_reader_page(s->vm.reader, page);
            places[n++] = (struct place){ .vpn = at.vpn, .mm = at.mm, .page = page };
            mappings[s->vm.label_of[page]].pages++;
        }
    qsort(places, n, sizeof *places, place_by_address);
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && places[end].mm == places[i].mm &&
                          places[end].vpn >> HUGE_SHIFT == places[i].vpn >> HUGE_SHIFT;)
            end++;
        add_range(s, &places[i], end - i, &last, mappings);
    }
    free(places);
    return FL_OK;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Worth saying: a tenth of the mapping's walks, a hundredth of all, in 10,000 accesses one. */
static int advise(struct fl_tlb_reach_mapping *m, uint64_t all_walks, uint64_t accesses,
                  struct fl_err *err)
{
    uint64_t saved = m->walks > m->walks_huge ? m->walks - m->walks_huge : 0;
    char length[FL_FORMAT_BYTES], extra[FL_FORMAT_BYTES];
    if (!m->huge_ranges || saved * 10 < m->walks || saved * 100 < all_walks || !saved ||
        saved < accesses / 10000)
        return FL_OK;
    fl_format_bytes(length, m->length);
    fl_format_bytes(extra, m->extra_pages * FL_PAGE_BYTES);
    if (asprintf(&m->advice,
                 "madvise(0x%" PRIx64 ", %" PRIu64 ", MADV_HUGEPAGE) on %s of %s%s: saves %u %% of "
                 "its page walks, costs %s",
                 m->start, m->length, length, m->name,
                 m->length < m->huge_ranges << (HUGE_SHIFT + FL_PAGE_SHIFT) ? ", and the like" : "",
                 (unsigned)((double)saved * 100.0 / (double)m->walks), extra) < 0) {
        m->advice = NULL;
        return fl_nomem(err, "TLB reach");
    }
    return FL_OK;
}

struct ranked {
    uint64_t walks;
    uint32_t label;
};

static int most_walks_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->walks != y->walks)
        return x->walks < y->walks ? 1 : -1;
    return x->label < y->label ? -1 : x->label > y->label;
}

static int list_mappings(const struct reach *s, struct fl_tlb_reach_mapping *all,
                         struct fl_tlb_reach *out, struct fl_err *err)
{
    uint32_t n = s->regions.n_labels;
    struct ranked *ranked = calloc(n, sizeof *ranked);
    out->mappings = calloc(FL_LOCALITY_MAPPINGS_MAX, sizeof *out->mappings);
    int rc = ranked && out->mappings ? FL_OK : fl_nomem(err, "TLB reach");
    for (uint32_t i = 0; i < n && rc == FL_OK; i++) {
        const struct walks *w = &s->walks[i];
        all[i].walks = w->of[SMALL];
        all[i].walks_huge = w->of[HUGE];
        all[i].walks_ragged = w->ragged;
        ranked[i] = (struct ranked){ .walks = w->of[SMALL] + w->of[HUGE], .label = i };
        out->extra_pages += all[i].extra_pages;
        out->walks_ragged += w->ragged;
    }
    if (rc == FL_OK)
        qsort(ranked, n, sizeof *ranked, most_walks_first);
    for (uint32_t i = 0; i < n && rc == FL_OK && ranked[i].walks; i++) {
        if (out->n_mappings == FL_LOCALITY_MAPPINGS_MAX) {
            out->left_out++;
            continue;
        }
        struct fl_tlb_reach_mapping *m = &out->mappings[out->n_mappings++];
        *m = all[ranked[i].label];
        m->name = regions_name(&s->regions, ranked[i].label);
        rc = m->name
                 ? advise(m, out->walks, fl_totals_accesses(fl_reader_totals(s->vm.reader)), err)
                 : fl_nomem(err, "TLB reach");
    }
    free(ranked);
    return rc;
}

/* Those of a label that means another are the other's. */
static void add_walks(struct walks *to, struct walks *from)
{
    if (to == from)
        return;
    for (int side = 0; side < SIDES; side++)
        to->of[side] += from->of[side];
    to->ragged += from->ragged;
    *from = (struct walks){ 0 };
}

static int conclude(struct reach *s, const char *machine, struct fl_tlb_reach **out,
                    struct fl_err *err)
{
    struct fl_tlb_reach *reach = calloc(1, sizeof *reach);
    vm_settle_labels(&s->vm);
    int rc = reach ? labels_room(s, err) : fl_nomem(err, "TLB reach");
    struct fl_tlb_reach_mapping *all = calloc(s->regions.n_labels + 1u, sizeof *all);
    if (rc == FL_OK && (!all || !(reach->machine = strdup(machine))))
        rc = fl_nomem(err, "TLB reach");
    for (uint32_t i = 0; i < s->regions.n_labels && rc == FL_OK; i++)
        add_walks(&s->walks[regions_resolve(&s->regions, i)], &s->walks[i]);
    if (rc == FL_OK)
        rc = add_ranges(s, all, err);
    if (rc == FL_OK) {
        reach->walks = s->tlb[SMALL].walks;
        reach->walks_huge = s->tlb[HUGE].walks;
        rc = list_mappings(s, all, reach, err);
    }
    free(all);
    if (rc == FL_OK)
        *out = reach;
    else
        fl_tlb_reach_free(reach);
    return rc;
}

int fl_tlb_reach(struct fl_reader *r, const struct fl_machine *machine,
                 void (*progress)(void *arg, unsigned done_bp), void *arg,
                 struct fl_tlb_reach **out, struct fl_err *err)
{
    struct reach s = { .generation = 1 };
    struct vm_hooks hooks = { .arg = &s, .page_dropped = on_page_dropped, .mm_gone = on_mm_gone };
    const struct trace_pass pass = { &s, on_event, on_runs, progress, arg, false };
    *out = NULL;
    if (!machine)
        machine = fl_machine_at(0);
    if (fl_reader_fidelity(r) != FL_FIDELITY_EXACT)
        return fl_fail(err, FL_EDATA,
                       "a trace of fidelity '%s' does not tell what a TLB misses; record it with "
                       "--mode exact",
                       fl_fidelity_name(fl_reader_fidelity(r)));
    int rc = fl_reader_rewind(r, err);
    vm_init(&s.vm, r, machine->levels, &hooks);
    if (rc == FL_OK)
        rc = regions_init(&s.regions, err);
    s.vm.regions = &s.regions;
    for (; s.n_tlbs < SIDES && rc == FL_OK; s.n_tlbs++) {
        rc = tlb_init(&s.tlb[s.n_tlbs], machine, r, err);
        s.follow[s.n_tlbs] = (struct tlb_follow){ .tlb = &s.tlb[s.n_tlbs] };
        s.latest[s.n_tlbs].in_use = rc == FL_OK && sides_are_apart(&s.tlb[s.n_tlbs]);
    }
    forget_latest(&s);
    if (rc == FL_OK)
        rc = trace_pass(r, &pass, err);
    if (rc == FL_OK)
        rc = conclude(&s, machine->name, out, err);
    s.vm.hooks = (struct vm_hooks){ 0 };
    vm_fini(&s.vm);
    regions_fini(&s.regions);
    for (uint32_t i = 0; i < s.n_tlbs; i++)
        tlb_fini(&s.tlb[i]);
    free(s.fit);
    free(s.range);
    free(s.flags);
    free(s.walks);
    run_codes_fini(&s.codes);
    return rc;
}

void fl_tlb_reach_free(struct fl_tlb_reach *reach)
{
    if (!reach)
        return;
    for (size_t i = 0; i < reach->n_mappings; i++) {
        free(reach->mappings[i].name);
        free(reach->mappings[i].advice);
    }
    free(reach->mappings);
    free(reach->machine);
    free(reach);
}
