/* SPDX-License-Identifier: GPL-2.0-or-later */
/** samples_info.h - what a trace's samples stand for, in text and JSON. */
#ifndef REPLAY_SAMPLES_INFO_H
#define REPLAY_SAMPLES_INFO_H

#include <faultline/sampled.h>

struct json_t;

/** samples_info_read - one pass over @r, from the first item on. Free *@out. */
int samples_info_read(struct fl_reader *r, struct fl_sampled **out, struct fl_err *err);

/** samples_info_print - a table on @out, an event a line; nothing when there are none. */
void samples_info_print(const struct fl_sampled *s, FILE *out);

/** samples_info_json - add "samples" to @object. FL_ENOMEM. */
int samples_info_json(const struct fl_sampled *s, struct json_t *object, struct fl_err *err);

#endif
