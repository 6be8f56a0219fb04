/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call chains, as addresses of instructions, to nodes of the call tree. */
#include <stdlib.h>

#include "code_places.h"

/* May @ip be of the caller of @inner? Programs have at most 56 bits of addresses, and the
   first page of them is never mapped. */
static bool can_be_caller(uint64_t ip, uint64_t inner)
{
    return is_kernel(ip) ? is_kernel(inner) : ip >= 4096 && ip < UINT64_C(1) << 56;
}

static bool chain_room(struct chain *c, size_t n)
{
    if (n <= c->cap)
        return true;
    struct frame *grown = realloc(c->at, n * sizeof *grown);
    if (!grown)
        return false;
    c->at = grown;
    c->cap = n;
    return true;
}

/*
 * How many frames, from the outermost, are the same as in the last chain. What a frame is
 * depends on the next inner one, too: of those that are equal, the last is looked up again.
 */
static size_t same_frames(const struct chain *c, const struct space *s, const uint64_t *ips,
                          size_t n)
{
    size_t d = 0, most = n < c->n ? n : c->n;
    if (!s || c->space != s)
        return 0;
    while (d < most && c->at[d].ip == ips[n - 1 - d])
        d++;
    return d == n && d == c->n ? d : d ? d - 1 : 0;
}

/* The stack that is @outer and one more frame. */
static int add_frame(struct fl_places *p, uint32_t place, uint32_t outer, uint32_t thread,
                     uint32_t *stack, struct fl_err *err)
{
    uint32_t code;
    bool fresh;
    int rc = fl_places_code(p, place, thread, &code, err);
    if (rc != FL_OK)
        return rc;
    *stack = call_tree_child(&p->calls, outer, code, &fresh);
    if (*stack == FL_NO_STACK)
        return places_nomem(err);
    return fresh ? p->opts.emit(p->opts.ctx,
                                &(struct fl_event){ .kind = FL_EV_STACK,
                                                    .thread = thread,
                                                    .stack = { *stack, outer, code } },
                                err)
                 : FL_OK;
}

int fl_places_chain(struct fl_places *p, uint32_t space, const uint64_t *ips, size_t n,
                    uint32_t thread, struct fl_place *out, struct fl_err *err)
{
    struct space *s = space_find(p, space);
    struct chain *c = &p->last;
    size_t usable = n ? 1 : 0;
    int rc = FL_OK;
    *out = (struct fl_place){ FL_NO_CODE, FL_NO_STACK };
    while (usable < n && can_be_caller(ips[usable], ips[usable - 1]))
        usable++;
    if (!chain_room(c, usable))
        return places_nomem(err);
    size_t d = same_frames(c, s, ips, usable);
    uint32_t stack = d ? c->at[d - 1].stack : FL_NO_STACK;
    c->space = NULL; /* until it is whole */
    for (; d < usable; d++) {
        size_t i = usable - 1 - d;
        bool is_call = i > 0 && !is_kernel(ips[i - 1]); /* else where it was interrupted */
        if (d == 0 || !is_kernel(ips[i]) || !is_kernel(ips[i + 1]))
            rc = add_frame(p, fl_places_find(p, space, ips[i] - is_call), stack, thread, &stack,
                           err);
        if (rc != FL_OK)
            return rc;
        c->at[d] = (struct frame){ ips[i], stack };
    }
    c->n = usable;
    c->space = s;
    if (usable)
        *out = (struct fl_place){ p->calls.at[stack].code, stack };
    return FL_OK;
}
