/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * proc_text.h - the texts of proc, as functions of bytes alone. Source: proc(5).
 */
#ifndef FL_PROC_TEXT_H
#define FL_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/proc.h>

/**
 * text_number - digits at *@p, before @end, moved past. Returns: false, *@p as it was, when
 * there are none or the number does not fit 64 bits. @base: 10 or 16 (without 0x).
 */
bool text_number(const char **p, const char *end, unsigned base, uint64_t *out);

/** What /proc/PID/stat, or a thread's, has. */
struct text_stat {
    char comm[FL_PROC_COMM_BYTES];
    char state;
    uint32_t ppid, flags, threads;
    uint64_t minor_faults, major_faults, start_ticks, stack_pointer;
};

/** text_stat - @text: @len bytes. Returns: false when it is not such a line. */
bool text_stat(const char *text, size_t len, struct text_stat *out);

/**
 * text_field - the number behind "NAME:" at a line's begin, as in status and smaps; KiB are not
 * converted. @text: NUL-terminated. Returns: false when there is none.
 */
bool text_field(const char *text, const char *name, uint64_t *out);

/** text_stack_pointer - of /proc/PID/task/TID/syscall; 0: it does not say. */
uint64_t text_stack_pointer(const char *text, size_t len);

/** text_pressure - of pressure/memory; false when "some" is missing ("full" may be). */
bool text_pressure(const char *text, struct fl_proc_pressure *out);

/**
 * text_pieces - @text in FL_EV_SNAPSHOT events of @pid and @moment, @name the first line of each.
 * @text: @len bytes. Errors: FL_ENOMEM; what @emit returns.
 */
int text_pieces(const char *name, const char *text, size_t len, uint32_t pid, uint32_t moment,
                fl_proc_emit_fn *emit, void *ctx, struct fl_err *err);

/** Lines of a text that grows. */
struct text_lines {
    FILE *out;  /* NULL: no memory */
    char *text; /* once @out is closed */
    size_t len;
};

static inline void text_lines_open(struct text_lines *l)
{
    l->out = open_memstream(&l->text, &l->len);
}

/** text_lines_emit - close @l, and text_pieces() of it for the machine unless it is empty; frees it. */
int text_lines_emit(struct text_lines *l, const char *name, uint32_t moment, fl_proc_emit_fn *emit,
                    void *ctx, struct fl_err *err);

/**
 * text_redact - take the names of processes and control groups out of the file @name's @text,
 * in place. Returns: its new length.
 */
size_t text_redact(const char *name, char *text, size_t len);

#endif
