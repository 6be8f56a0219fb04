/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cmd_locality.h - what `replay --locality` adds. */
#ifndef REPLAY_CMD_LOCALITY_H
#define REPLAY_CMD_LOCALITY_H

#include <faultline/locality.h>

struct locality_answers {
    struct fl_locality *locality; /* NULL: not asked */
    struct fl_tlb_reach *reach;   /* NULL: not asked, or the trace does not tell */
};

/** cmd_locality_ask - both, with progress on a terminal. */
int cmd_locality_ask(struct fl_reader *r, const struct fl_machine *machine, bool no_tlb,
                     struct locality_answers *out, struct fl_err *err);
void cmd_locality_free(struct locality_answers *answers);
/** cmd_locality_add - into @result, which may be NULL. FL_ENOMEM. */
int cmd_locality_add(const struct locality_answers *answers, struct json_t *result,
                     struct fl_err *err);
/** cmd_locality_print - as tables. */
void cmd_locality_print(const struct locality_answers *answers, FILE *out);

#endif
