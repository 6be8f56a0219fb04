/* SPDX-License-Identifier: GPL-2.0-or-later */
/* svg_tidy.h - gnuplot's SVG made small, and of the colours of the page around it. */
#ifndef FAULTLINE_SVG_TIDY_H
#define FAULTLINE_SVG_TIDY_H

struct _xmlNode;

/**
 * svg_tidy - below @root: shapes shortened, neighbours of one look made one, empty groups gone;
 * ink, grid and series colours become the style sheet's variables, with themselves as what is
 * drawn without one. What cannot be done for want of memory stays as it is.
 */
void svg_tidy(struct _xmlNode *root);

#endif
