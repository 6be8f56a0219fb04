/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_map.h - what a PERF_RECORD_MMAP2 says about a mapping, from its name and flags.
 */
#ifndef FL_PERF_MAP_H
#define FL_PERF_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

#define FL_MAP_NAME_BYTES 256

struct fl_map_view {
    uint32_t flags; /* FL_MAP_* */
    bool has_file;
    const char *path; /* of the file, as the trace shows it */
};

/** fl_map_dev - the device as stat(2) gives it. */
uint64_t fl_map_dev(const struct fl_perf_rec *rec);

/**
 * fl_map_classify - fill @out for the MMAP2 record @rec.
 * @name: room for a path that had to be changed; @out->path points there or into @rec.
 */
void fl_map_classify(const struct fl_perf_rec *rec, char name[FL_MAP_NAME_BYTES],
                     struct fl_map_view *out);

#endif
