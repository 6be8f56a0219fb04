/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * cmd.h - what a subcommand is.
 *
 * Each lives in a cmd_NAME.c beside the engine it drives and is one row in
 * analyze/main.c. Help text and the man page are generated from this descriptor.
 */
#ifndef FAULTLINE_CMD_H
#define FAULTLINE_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/err.h>
#include <faultline/opt.h>

struct fl_cmd {
    const char *name;
    const char *summary;     /* one line, starts with a verb, no full stop */
    const char *synopsis;    /* without "faultline NAME"; one form a line */
    const char *description; /* paragraphs separated by an empty line, filled as fl_wrap() does */
    const char *examples;    /* lines "command   what it does", or NULL; not indented */
    const struct fl_opt *opts;
    size_t cfg_size;                /* bytes of the option struct */
    bool takes_command;             /* operands are a command line: stop at the first */
    int min_operands, max_operands; /* checked before run(); max < 0: any number */
    int fail_status; /* exit status of any failure; 0: by error code (record has 125) */
    /**
     * run - do it. @cfg: zeroed, defaults set, options parsed.
     * Returns: FL_OK, a negative fl_code with @err filled, or a positive exit
     * status to pass through without a message (record).
     */
    int (*run)(void *cfg, int n_operands, char **operands, struct fl_err *err);
};

/** fl_warn - one line to stderr, "faultline: warning: ...". For cmd_*.c only. */
void fl_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** fl_note - one line to stderr, "faultline: ...". For cmd_*.c only. */
void fl_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** fl_put_clean - @text to @out with control characters as '?': a name can hold anything. */
void fl_put_clean(FILE *out, const char *text);

/** How far a long command is, on a terminal: "what: 42 %, 3 min left", from its second second on. */
struct fl_progress {
    const char *what;
    FILE *out;                  /* NULL: no terminal, nothing is shown */
    uint64_t begun_ns, from_ns; /* CLOCK_MONOTONIC; silent until @from_ns */
    unsigned shown_bp;
    bool visible;
};
/** fl_progress_begin - @out: stderr if it is a terminal, else NULL. */
void fl_progress_begin(struct fl_progress *p, const char *what, FILE *out);
/** fl_progress_step - @arg: the fl_progress; fits the progress callbacks. Cheap. */
void fl_progress_step(void *arg, unsigned done_bp);
/**
 * fl_progress_left - what is left when @done_bp took @elapsed_ns: "12 s", "3 min", "2 h 5 min".
 * @buf: FL_PROGRESS_LEFT bytes; "" when too little is done to tell. Returns @buf.
 */
#define FL_PROGRESS_LEFT 32
char *fl_progress_left(char buf[FL_PROGRESS_LEFT], uint64_t elapsed_ns, unsigned done_bp);
/** fl_progress_end - take it off the screen; before anything else is printed. */
void fl_progress_end(struct fl_progress *p);

/**
 * Output to a file that appears only when it is whole: written to a temporary
 * name beside @path, renamed at commit, removed on abort. @path NULL or "-" is
 * stdout, where commit flushes and checks.
 */
struct fl_outfile {
    FILE *stream;
    char *path, *tmp_path; /* NULL for stdout */
};
int fl_outfile_open(struct fl_outfile *out, const char *path, struct fl_err *err);
int fl_outfile_commit(struct fl_outfile *out, struct fl_err *err);
void fl_outfile_abort(struct fl_outfile *out);

/** fl_outfile_apart - FL_EUSAGE when writing @path (NULL is fine) would destroy the input @input. */
int fl_outfile_apart(const char *path, const char *input, struct fl_err *err);

#endif
