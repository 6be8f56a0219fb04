/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * tlb_flushes.h - how often reclaim flushed a whole TLB for what it unmapped.
 *
 * It does so, at each page it writes and at each batch's end, for a process that has run on several
 * processors; else it flushes just the pages. Source: Linux mm/rmap.c, should_defer_flush();
 * arch/x86/mm/tlb.c, arch_tlbbatch_flush().
 */
#ifndef FAULTLINE_TLB_FLUSHES_H
#define FAULTLINE_TLB_FLUSHES_H

#include <stdint.h>

#include <faultline/err.h>
#include <faultline/guard.h>

struct fl_tlb_flushes;

/**
 * fl_tlb_flushes_open - count them from now on, of all processes, by the tracepoint tlb:tlb_flush in a
 * tracing instance of our own. @guard: gets the steps that undo it.
 * Errors: FL_EMACHINE when this kernel has no such tracepoint or we may not use it; FL_ENOMEM.
 * @out: the caller ends with fl_tlb_flushes_close(), before the guard's steps are undone.
 */
int fl_tlb_flushes_open(struct fl_guard *guard, struct fl_tlb_flushes **out, struct fl_err *err);

/** fl_tlb_flushes_close - NULL is fine. */
void fl_tlb_flushes_close(struct fl_tlb_flushes *f);

/** fl_tlb_flushes_count - so far. Errors: FL_EIO when the kernel no longer says. */
int fl_tlb_flushes_count(const struct fl_tlb_flushes *f, uint64_t *out, struct fl_err *err);

#endif
