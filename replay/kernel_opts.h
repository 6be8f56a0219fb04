/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kernel_opts.h - between fl_kernel_opts and those who use them. */
#ifndef REPLAY_KERNEL_OPTS_H
#define REPLAY_KERNEL_OPTS_H

#include <faultline/replay.h>

#include "linux/zones.h"

/** kernel_memcg_find - the version called @name; @otherwise if there is none, or it is NULL. */
enum fl_memcg_version kernel_memcg_find(const char *name, enum fl_memcg_version otherwise);

/** kernel_from_meta - fl_kernel_from_trace() of what it noted. */
void kernel_from_meta(const struct fl_meta *meta, struct fl_kernel_opts *kernel);

/** kernel_thp_find - the mode called @name; @otherwise if there is none, or it is NULL. */
enum fl_thp_mode kernel_thp_find(const char *name, enum fl_thp_mode otherwise);

/** kernel_scope - "memcg" or "machine": as asked for, or the policy's own. */
const char *kernel_scope(const struct fl_replay_opts *opts);

/** kernel_zones - the machine that @opts describe: the one replayed, or around the group, of ram_pages 0 if there is none. */
struct zones_config kernel_zones(const struct fl_kernel_opts *kernel,
                                 const struct fl_replay_opts *opts);

#endif
