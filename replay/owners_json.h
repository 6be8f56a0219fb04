/* SPDX-License-Identifier: GPL-2.0-or-later */
/** owners_json.h - whose the faults were, as JSON. */
#ifndef REPLAY_OWNERS_JSON_H
#define REPLAY_OWNERS_JSON_H

#include <faultline/attribution.h>

struct json_t;

/** owners_json - add by_process, by_mapping and, if functions are known, by_function. */
void owners_json(struct json_t *result, const struct fl_attribution *a);

#endif
