/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fault_owners.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define OWNERS_MAX 65536u
#define SLOTS (OWNERS_MAX * 2)
#define COLUMNS (FL_TIMELINE_ROWS_MAX + 1)

int attribution_init(struct attribution *a, const struct vm *vm, uint64_t frames,
                     struct fl_err *err)
{
    *a = (struct attribution){ .vm = vm, .frames = frames, .owners_room = grow_room(0) };
    a->slots = calloc(SLOTS, sizeof *a->slots);
    a->before = calloc(FL_TIMELINE_ROWS_MAX * (size_t)COLUMNS, sizeof *a->before);
    if (!a->slots || !a->before || !grow(&a->owners, a->owners_room) ||
        !grow(&a->in_row, a->owners_room))
        return fl_nomem(err, "owners of faults");
    a->owners[0] = (struct fl_owner){ .process = FL_NO_PROCESS,
                                      .mapping = REGION_OTHER,
                                      .function = FL_NO_FUNCTION };
    a->in_row[0] = 0;
    a->n_owners = 1;
    return FL_OK;
}

void attribution_fini(struct attribution *a)
{
    free(a->past);
    free(a->owners);
    free(a->in_row);
    free(a->slots);
    free(a->touched);
    free(a->shares);
    free(a->before);
    *a = (struct attribution){ 0 };
}

static bool contents_room(struct attribution *a, uint32_t c)
{
    if (c < a->room)
        return true;
    uint32_t room = grow_room_for(a->room, (uint64_t)c + 1);
    if (!room || !grow(&a->past, room))
        return false;
    memset(a->past + a->room, 0, (room - a->room) * sizeof *a->past);
    a->room = room;
    return true;
}

int attribution_evicted(struct attribution *a, uint32_t c)
{
    if (!contents_room(a, c))
        return FL_ENOMEM;
    uint32_t number = (uint32_t)++a->evictions;
    a->past[c].evicted_at = number ? number : 1;
    return FL_OK;
}

void attribution_gone(struct attribution *a, uint32_t c)
{
    if (c < a->room)
        a->past[c] = (struct past){ 0, 0 };
}

/* ---- owners ------------------------------------------------------------------------- */

static bool new_owner(struct attribution *a, const struct fl_owner *owner)
{
    if (a->n_owners == OWNERS_MAX)
        return false;
    if (a->n_owners == a->owners_room) {
        uint32_t room = grow_room(a->owners_room);
        if (!room || !grow(&a->owners, room) || !grow(&a->in_row, room))
            return false;
        a->owners_room = room;
    }
    a->in_row[a->n_owners] = 0;
    a->owners[a->n_owners++] = *owner;
    return true;
}

static bool is_owner(const struct fl_owner *o, uint32_t process, uint32_t label, uint32_t code)
{
    return o->process == process && o->mapping == label && o->function == code;
}

/* Its index; 0, that of all others, when there are too many. */
static uint32_t find_owner(struct attribution *a, uint32_t process, uint32_t label, uint32_t code)
{
    uint64_t h = ((uint64_t)process << 32 ^ label) * 0x9e3779b97f4a7c15u;
    h = (h ^ code) * 0xff51afd7ed558ccdu;
    uint32_t slot = (uint32_t)(h >> 32) % SLOTS;
    for (; a->slots[slot]; slot = (slot + 1) % SLOTS)
        if (is_owner(&a->owners[a->slots[slot]], process, label, code))
            return a->slots[slot];
    if (!new_owner(a, &(struct fl_owner){ process, label, code, 0, 0, 0 }))
        return 0;
    return a->slots[slot] = a->n_owners - 1;
}

/* Most of the time it is the last one again. */
static inline uint32_t owner_of(struct attribution *a, uint32_t process, uint32_t label,
                                uint32_t code)
{
    if (!is_owner(&a->owners[a->owner], process, label, code))
        a->owner = find_owner(a, process, label, code);
    return a->owner;
}

/* ---- faults -------------------------------------------------------------------------- */

static bool touch(struct attribution *a, uint32_t owner)
{
    if (a->in_row[owner]++)
        return true;
    if (a->n_touched == a->touched_room) {
        uint32_t room = grow_room(a->touched_room);
        if (!room || !grow(&a->touched, room))
            return false;
        a->touched_room = room;
    }
    a->touched[a->n_touched++] = owner;
    return true;
}

static int refault(struct attribution *a, uint32_t c, uint32_t owner, uint64_t accesses)
{
    struct fl_refault_row *row = &a->rows[a->row];
    uint32_t distance = (uint32_t)a->evictions - a->past[c].evicted_at;
    uint32_t *before = &a->before[a->row * (size_t)COLUMNS + a->past[c].seen_row];
    a->past[c] = (struct past){ .seen_row = a->row + 1 };
    *before += *before < UINT32_MAX;
    if (row->refaults++ == 0)
        row->first = accesses;
    row->last = accesses;
    row->near += distance <= a->frames;
    a->owners[owner].refaults++;
    return touch(a, owner) ? FL_OK : FL_ENOMEM;
}

int attribution_fault(struct attribution *a, uint32_t process, uint32_t page, uint32_t c,
                      bool major, uint64_t accesses)
{
    uint32_t owner = owner_of(a, process, a->vm->label_of[page], a->vm->regions->code);
    *(major ? &a->owners[owner].major : &a->owners[owner].minor) += 1;
    return c < a->room && a->past[c].evicted_at ? refault(a, c, owner, accesses) : FL_OK;
}

int attribution_row(struct attribution *a)
{
    if (a->n_shares + a->n_touched > a->shares_room) {
        size_t room = a->shares_room ? a->shares_room * 2 : 1024;
        while (room < a->n_shares + a->n_touched)
            room *= 2;
        if (!grow(&a->shares, room))
            return FL_ENOMEM;
        a->shares_room = room;
    }
    for (uint32_t i = 0; i < a->n_touched; i++) {
        uint32_t owner = a->touched[i];
        a->shares[a->n_shares++] = (struct fl_refault_share){ a->row, owner, a->in_row[owner] };
        a->in_row[owner] = 0;
    }
    a->n_touched = 0;
    a->row++;
    return FL_OK;
}

static void halve_before(struct attribution *a)
{
    for (uint32_t r = 0; r < a->row; r++)
        for (uint32_t p = 0; p < COLUMNS; p++) {
            uint32_t *from = &a->before[r * (size_t)COLUMNS + p], n = *from;
            uint32_t *to = &a->before[r / 2 * (size_t)COLUMNS + (p ? (p - 1) / 2 + 1 : 0)];
            *from = 0;
            *to += n < UINT32_MAX - *to ? n : UINT32_MAX - *to;
        }
}

void attribution_halve(struct attribution *a)
{
    halve_before(a);
    for (uint32_t c = 0; c < a->room; c++)
        if (a->past[c].seen_row)
            a->past[c].seen_row = (a->past[c].seen_row - 1) / 2 + 1;
    for (size_t i = 0; i < a->n_shares; i++)
        a->shares[i].row /= 2;
    for (uint32_t r = 0; r < a->row / 2; r++) {
        struct fl_refault_row x = a->rows[2 * r], y = a->rows[2 * r + 1];
        a->rows[r] = (struct fl_refault_row){ x.refaults + y.refaults, x.near + y.near,
                                              x.refaults ? x.first : y.first,
                                              y.refaults ? y.last : x.last };
    }
    a->row /= 2;
    for (uint32_t r = a->row; r < FL_TIMELINE_ROWS_MAX; r++)
        a->rows[r] = (struct fl_refault_row){ 0 };
}

/* ---- the result ----------------------------------------------------------------------- */

static int name_functions(const struct attribution *a, struct fl_attribution *out)
{
    uint32_t n = a->vm->regions->n_codes;
    out->functions = calloc(n ? n : 1, sizeof *out->functions);
    if (!out->functions)
        return FL_ENOMEM;
    for (; out->n_functions < n; out->n_functions++)
        if (!(out->functions[out->n_functions] =
                  regions_code_name(a->vm->regions, (uint32_t)out->n_functions)))
            return FL_ENOMEM;
    return FL_OK;
}

static int name_places(const struct attribution *a, struct fl_attribution *out)
{
    const struct vm *vm = a->vm;
    const struct regions *r = vm->regions;
    out->processes = calloc(vm->n_processes ? vm->n_processes : 1, sizeof *out->processes);
    out->mappings = calloc(r->n_labels, sizeof *out->mappings);
    if (!out->processes || !out->mappings)
        return FL_ENOMEM;
    for (; out->n_processes < vm->n_processes; out->n_processes++) {
        const struct process *p = &vm->processes[out->n_processes];
        out->processes[out->n_processes].pid = p->pid;
        memcpy(out->processes[out->n_processes].comm, p->comm, sizeof p->comm);
    }
    for (; out->n_mappings < r->n_labels; out->n_mappings++) {
        out->mappings[out->n_mappings].pages = r->labels[out->n_mappings].touched;
        bool replaced = r->labels[out->n_mappings].alias; /* no owner has it any more */
        out->mappings[out->n_mappings].name = replaced ? strdup("")
                                                       : regions_name(r, (uint32_t)out->n_mappings);
        if (!out->mappings[out->n_mappings].name)
            return FL_ENOMEM;
    }
    return name_functions(a, out);
}

/* Owners whose mappings turn out to be called the same are one. An owner's place only falls. */
static int merge_owners(struct attribution *a)
{
    const struct regions *r = a->vm->regions;
    uint32_t n = a->n_owners, *place = calloc(n, sizeof *place);
    if (!place)
        return FL_ENOMEM;
    memset(a->slots, 0, SLOTS * sizeof *a->slots);
    a->n_owners = 1;
    a->owner = 0;
    for (uint32_t i = 1; i < n; i++) {
        struct fl_owner o = a->owners[i];
        place[i] = owner_of(a, o.process, regions_resolve(r, o.mapping), o.function);
        struct fl_owner *to = &a->owners[place[i]];
        to->minor += o.minor;
        to->major += o.major;
        to->refaults += o.refaults;
    }
    for (size_t i = 0; i < a->n_shares; i++)
        a->shares[i].owner = place[a->shares[i].owner];
    free(place);
    return FL_OK;
}

int attribution_result(struct attribution *a, struct fl_attribution **result, struct fl_err *err)
{
    struct fl_attribution *out = calloc(1, sizeof *out);
    if (out)
        out->rows = malloc(sizeof a->rows);
    regions_settle(a->vm->regions);
    if (!out || !out->rows || merge_owners(a) != FL_OK || name_places(a, out) != FL_OK) {
        fl_attribution_free(out);
        return fl_nomem(err, "owners of faults");
    }
    memcpy(out->rows, a->rows, sizeof a->rows);
    out->n_rows = a->row;
    out->owners = a->owners;
    out->n_owners = a->n_owners;
    out->shares = a->shares;
    out->n_shares = a->n_shares;
    out->before = a->before;
    a->owners = NULL;
    a->shares = NULL;
    a->before = NULL;
    *result = out;
    return FL_OK;
}

uint64_t fl_attribution_pages(const struct fl_attribution *a, size_t from, size_t to)
{
    uint64_t pages = 0;
    for (size_t r = from; r < to; r++)
        for (size_t p = 0; p <= from; p++) /* before this stretch, or never */
            pages += a->before[r * COLUMNS + p];
    return pages;
}

void fl_attribution_free(struct fl_attribution *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_mappings; i++)
        free(a->mappings[i].name);
    for (size_t i = 0; i < a->n_functions; i++)
        free(a->functions[i]);
    free(a->processes);
    free(a->mappings);
    free(a->functions);
    free(a->owners);
    free(a->shares);
    free(a->rows);
    free(a->before);
    free(a);
}
