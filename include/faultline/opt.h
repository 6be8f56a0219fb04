/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * opt.h - a command's options as a table.
 *
 * One row an option: name, type, default, where it goes in the command's own
 * struct, and a line of help. Parsing (getopt_long underneath), `--help` and the
 * man page all come from that row.
 */
#ifndef FAULTLINE_OPT_H
#define FAULTLINE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <faultline/err.h>

enum fl_opt_kind {
    FL_OPT_FLAG,     /* bool; takes no value */
    FL_OPT_STRING,   /* const char *, points into argv or at the default */
    FL_OPT_UINT,     /* uint64_t */
    FL_OPT_SIZE,     /* struct fl_size */
    FL_OPT_SIZES,    /* const char *, checked to be a size list */
    FL_OPT_DURATION, /* uint64_t nanoseconds */
    FL_OPT_CHOICE,   /* const char *, one of names() */
    FL_OPT_CHOICES,  /* const char *, comma-separated list of names() */
};

struct fl_opt {
    const char *name;               /* long name without dashes */
    char letter;                    /* short name, or 0 */
    enum fl_opt_kind kind;          /* decides the type at @at */
    size_t at;                      /* offsetof the member in the command's struct */
    const char *arg;                /* what --help calls the value, e.g. "SIZE" */
    const char *def;                /* default as text, parsed like a user's; NULL: zeroed */
    const char *help;               /* starts in lower case, no full stop */
    const char *(*names)(size_t i); /* CHOICE, CHOICES: i-th legal name; NULL past the end */
};

/** Ends every option table. */
#define FL_OPT_END   \
    {                \
        .name = NULL \
    }

/**
 * fl_opts_parse - defaults, then argv, into @cfg.
 * @argv: argv[0] is the command's name. Parsing stops at `--`, and at the first
 * operand when @stop_at_operand; otherwise options and operands may mix, and
 * argv is permuted so that operands come last.
 * @first_operand: index into @argv of the first operand.
 * Returns: FL_OK; 1 when --help was asked for; FL_EUSAGE with the option named.
 */
int fl_opts_parse(const struct fl_opt *opts, void *cfg, int argc, char **argv, bool stop_at_operand,
                  int *first_operand, struct fl_err *err);

/** fl_opt_help - what @opt does and its default, in @buf or as it stands. */
#define FL_OPT_HELP_BYTES 512
const char *fl_opt_help(const struct fl_opt *opt, char buf[FL_OPT_HELP_BYTES]);

/** fl_opts_help - the option list of `--help`, aligned and wrapped at 79 columns. */
void fl_opts_help(const struct fl_opt *opts, FILE *out);

/**
 * fl_wrap - one paragraph, filled to 79 columns, and a line break.
 * @text, @len: its line breaks count as spaces; a line of it that begins with a
 * blank stays as it is. What is in brackets stays on one line.
 * @column: where the first line starts. @indent: blanks before each further one.
 */
void fl_wrap(const char *text, size_t len, size_t column, size_t indent, FILE *out);

#endif
