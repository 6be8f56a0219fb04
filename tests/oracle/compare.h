/* SPDX-License-Identifier: GPL-2.0-or-later */
/** compare.h - one list, one question, two answers. */
#ifndef FAULTLINE_COMPARE_H
#define FAULTLINE_COMPARE_H

#include "naive.h"
#include "random_trace.h"

#define WHY_BYTES 512

/** compare_replays - fl_replay() and the twin agree; @why: the first difference if not. */
bool compare_replays(const struct item_list *list, const struct naive_opts *opts,
                     char why[WHY_BYTES]);

/** compare_sane - what must hold within any one result, whatever the rules. */
bool compare_sane(const struct fl_result *r, char why[WHY_BYTES]);

/** compare_shrink - leave out what the difference does not need. @list: still differs. */
void compare_shrink(struct item_list *list, const struct naive_opts *opts);

/** compare_print - @list as text, on stderr. */
void compare_print(const struct item_list *list);

#endif
