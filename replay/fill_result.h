/* SPDX-License-Identifier: GPL-2.0-or-later */
/** fill_result.h - what each stage has counted, into the result. */
#ifndef REPLAY_FILL_RESULT_H
#define REPLAY_FILL_RESULT_H

#include "linux/linux_mm.h"
#include "paging.h"
#include "tlb.h"

void result_of_paging(struct fl_result *res, const struct paging_counts *n);
void result_of_kernel(struct fl_result *res, const struct linux_mm *k);
void result_of_tlb(struct fl_result *res, const struct tlb *tlb);

#endif
