/* SPDX-License-Identifier: GPL-2.0-or-later */
/** frames_json.h - key `buddy` of a replay that has a machine's frames. */
#ifndef REPLAY_FRAMES_JSON_H
#define REPLAY_FRAMES_JSON_H

#include <jansson.h>

#include <faultline/replay.h>

json_t *frames_json(const struct fl_buddy_counts *counts);

#endif
