/* SPDX-License-Identifier: GPL-2.0-or-later */
/** thrash_text.h - thrashing in words. */
#ifndef ANALYZE_THRASH_TEXT_H
#define ANALYZE_THRASH_TEXT_H

#include <faultline/thrash.h>

/** thrash_verdict - one sentence on @t, whose intervals are found; malloc'ed, NULL: no memory. */
char *thrash_verdict(const struct fl_thrash *t, const struct fl_result *res);

/**
 * thrash_culprits - an interval's drivers. Text as fl_culprit_text(), "; " between; malloc'ed, NULL:
 * no memory.
 */
char *thrash_culprits(const struct fl_thrash_interval *iv, const struct fl_attribution *a);

#endif
