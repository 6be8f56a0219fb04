/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cmd_slab.h - kernel objects that a trace implies, for the command replay. */
#ifndef REPLAY_CMD_SLAB_H
#define REPLAY_CMD_SLAB_H

#include <stdio.h>

#include <faultline/kernel_slab.h>

/** cmd_slab_ask - of a machine with the recording's processors. Freed by fl_slab_implied_free(). */
int cmd_slab_ask(struct fl_reader *r, struct fl_slab_implied *out, struct fl_err *err);
/** cmd_slab_print - as a table. */
void cmd_slab_print(const struct fl_slab_implied *slab, FILE *out);

#endif
