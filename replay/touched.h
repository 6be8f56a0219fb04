/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * touched.h - what fl_locality() knows of each page when the pass is over.
 *
 * locality.c          the pass
 * locality_windows.c  working sets, heat
 * locality_phases.c   phases
 */
#ifndef REPLAY_TOUCHED_H
#define REPLAY_TOUCHED_H

#include <faultline/locality.h>

#include "columns.h"
#include "vm.h"

struct touched {
    const struct vm *vm;
    struct columns *columns; /* by dense page id */
    uint8_t *is_file;        /* its first contents were a file's */
    uint32_t *mapping;       /* index in fl_locality.mappings, or their number */
    uint32_t n;              /* pages */
};

/** locality_windows - working sets of all and of each mapping. FL_ENOMEM. */
int locality_windows(const struct touched *t, struct fl_locality *l, struct fl_err *err);
/** locality_heat - the picture of each mapping. FL_ENOMEM. */
int locality_heat(const struct touched *t, struct fl_locality *l, struct fl_err *err);
/** locality_phases - FL_ENOMEM. */
int locality_phases(const struct touched *t, struct fl_locality *l, struct fl_err *err);

#endif
