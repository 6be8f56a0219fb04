/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cmd_oom_whatif.h - the questions of `replay` about who is killed. */
#ifndef REPLAY_CMD_OOM_WHATIF_H
#define REPLAY_CMD_OOM_WHATIF_H

#include <stdio.h>

#include <faultline/replay.h>

/** cmd_oom_adj - "PID=VALUE[,PID=VALUE]" (NULL: none), malloc'ed into *@out. FL_EUSAGE, FL_ENOMEM. */
int cmd_oom_adj(const char *text, struct fl_oom_adj **out, size_t *n, struct fl_err *err);

/** cmd_oom_adj_known - FL_EUSAGE when the replay met no process of an asked pid. */
int cmd_oom_adj_known(const struct fl_result *result, struct fl_err *err);

/** cmd_saved_print - what would have saved the victim, as text. */
void cmd_saved_print(const struct fl_result *result, FILE *out);

#endif
