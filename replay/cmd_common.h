/* SPDX-License-Identifier: GPL-2.0-or-later */
/** cmd_common.h - what the replay commands share: a trace and its identity, sizes, JSON out. */
#ifndef REPLAY_CMD_COMMON_H
#define REPLAY_CMD_COMMON_H

#include <faultline/cmd.h>
#include <faultline/replay.h>
#include <faultline/units.h>

struct json_t;

/** cmd_open_trace - open @path; with @partial, say on stderr what is missing. */
int cmd_open_trace(const char *path, bool partial, struct fl_reader **out, struct fl_err *err);

/**
 * cmd_frames - @ram in pages, at least 1; the footprint pass is made only for a
 * percentage, and once: *peak_pages is UINT64_MAX until then.
 */
int cmd_frames(struct fl_reader *r, const struct fl_size *ram, uint64_t *peak_pages,
               uint32_t *frames, struct fl_err *err);

/** cmd_swap_pages - `max` is UINT64_MAX; a percentage is of the peak, as for RAM. */
int cmd_swap_pages(struct fl_reader *r, const struct fl_size *swap, uint64_t *peak_pages,
                   uint64_t *pages, struct fl_err *err);

/**
 * cmd_machine - the profile @name: a built-in one, a file, or `host`, the machine @r was
 * recorded on. @loaded: what the caller frees with fl_machine_free(), NULL for a built-in.
 * @r: NULL when there is no trace to ask. FL_EUSAGE lists the names.
 */
int cmd_machine(const struct fl_reader *r, const char *name, const struct fl_machine **machine,
                struct fl_machine **loaded, struct fl_err *err);

/** cmd_trace_json - the `trace` object, checksum included. */
int cmd_trace_json(struct fl_reader *r, const char *path, uint64_t peak_pages, struct json_t **out,
                   struct fl_err *err);

/** cmd_write_json - @json (stolen) to @path or stdout. */
int cmd_write_json(struct json_t *json, const char *path, struct fl_err *err);

#endif
