/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cmd_allocator.h - `replay --allocator`: the kernel's allocators from recorded events. */
#ifndef REPLAY_CMD_ALLOCATOR_H
#define REPLAY_CMD_ALLOCATOR_H

#include <faultline/trace.h>

/** cmd_allocator - replay the events of @r, opened from @path; a table on stdout, or with @json or
 *  @out a result. FL_EDATA when the trace has none. */
int cmd_allocator(struct fl_reader *r, const char *path, bool json, const char *out,
                  struct fl_err *err);

#endif
