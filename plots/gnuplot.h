/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gnuplot.h - running gnuplot and finding its scripts. */
#ifndef FAULTLINE_GNUPLOT_H
#define FAULTLINE_GNUPLOT_H

#include <stdio.h>

#include <faultline/err.h>

/** A folder of our own that gnuplot works in. */
struct gp_workdir {
    char path[512];
};

/** gp_workdir_make - under $TMPDIR or /tmp. Errors: FL_EIO. */
int gp_workdir_make(struct gp_workdir *dir, struct fl_err *err);
/** gp_workdir_create - a new file in it, open for writing; NULL with @err filled. */
FILE *gp_workdir_create(const struct gp_workdir *dir, const char *name, struct fl_err *err);
/** gp_workdir_finish - fclose() that reports a failed write. */
int gp_workdir_finish(FILE *file, const char *name, struct fl_err *err);
/** gp_workdir_slurp - a whole file in it, zero-terminated, malloc'ed; at most 64 MiB. */
int gp_workdir_slurp(const struct gp_workdir *dir, const char *name, char **bytes, size_t *len,
                     struct fl_err *err);
/** gp_workdir_remove - it and everything in it. */
void gp_workdir_remove(struct gp_workdir *dir);

/** gp_run - `gnuplot main.gp` in @dir. Errors: FL_EMACHINE, FL_EIO with gnuplot's first line. */
int gp_run(const struct gp_workdir *dir, struct fl_err *err);

/** gp_share - the folder that holds plots/NAME.gp. @out: at least 4096 bytes. */
int gp_share(char *out, size_t size, struct fl_err *err);

/** gp_quote - @text as a gnuplot string expression: nothing in it is ever evaluated. */
void gp_quote(FILE *out, const char *text);

#endif
