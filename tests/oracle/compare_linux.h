/* SPDX-License-Identifier: GPL-2.0-or-later */
/** compare_linux.h - policy linux and its slow twin, over one list. */
#ifndef FAULTLINE_COMPARE_LINUX_H
#define FAULTLINE_COMPARE_LINUX_H

#include "compare.h"
#include "naive_linux.h"

/** compare_linux - the two agree; @why: the first difference if not. @sum: counts are added. */
bool compare_linux(const struct item_list *list, const struct naive_linux_opts *opts,
                   struct naive_linux_result *sum, char why[WHY_BYTES]);

/** compare_linux_shrink - leave out what the difference does not need. @list: still differs. */
void compare_linux_shrink(struct item_list *list, const struct naive_linux_opts *opts);

#endif
