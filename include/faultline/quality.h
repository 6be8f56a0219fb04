/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * quality.h - the closed list of doubts a recording or a replay can leave.
 *
 * A recorder stores a doubt as the metadata key "quality.FLAG" with what happened
 * as its text; results repeat every one, with what to do about it from here.
 */
#ifndef FAULTLINE_QUALITY_H
#define FAULTLINE_QUALITY_H

#include <stdbool.h>

#define FL_QUALITY_PREFIX "quality."

/** fl_quality_remedy - what helps against @flag (without prefix); NULL for a flag not on the list. */
const char *fl_quality_remedy(const char *flag);

/**
 * fl_quality_spoils_counts - can counts be of a part only, or of something else, because of @flag?
 * No verdict may rest on them then. True for a flag that is not on the list: nobody knows.
 */
bool fl_quality_spoils_counts(const char *flag);

#endif
