/* SPDX-License-Identifier: GPL-2.0-or-later */
/** command.h - a command line to be recorded: finding its program, and noting it in a trace. */
#ifndef FAULTLINE_COMMAND_H
#define FAULTLINE_COMMAND_H

#include <stdbool.h>

#include <faultline/err.h>
#include <faultline/trace.h>

#define FL_COMMAND_PATH_BYTES 4096

/**
 * fl_command_find - look @name up as execvp(3) would. @path: the file found.
 * Returns: 0, or the status a shell gives for it: 126 cannot be run, 127 not found.
 */
int fl_command_find(const char *name, char path[FL_COMMAND_PATH_BYTES]);

/** fl_command_quote - @argv as a shell would take it back, malloc'ed; NULL: out of memory. */
char *fl_command_quote(char *const *argv);

/**
 * fl_command_meta - the keys every recording starts with: command.argv and command.cwd, or
 * record.redacted if @redact (@argv NULL: neither); record.mode (@mode), record.time (now), record.tool.
 * Errors: FL_ENOMEM.
 */
int fl_command_meta(struct fl_meta *meta, char *const *argv, bool redact, const char *mode,
                    struct fl_err *err);

#endif
