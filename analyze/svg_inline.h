/* SPDX-License-Identifier: GPL-2.0-or-later */
/* svg_inline.h - an SVG file as part of an HTML page. */
#ifndef FAULTLINE_SVG_INLINE_H
#define FAULTLINE_SVG_INLINE_H

#include <stddef.h>

#include <faultline/err.h>

/**
 * svg_inline - the <svg> element of a file, fit to stand in a page: ids and the
 * references to them carry @prefix, so that two pictures do not meet; scripts and
 * fixed sizes are gone; it is small and of the page's colours (svg_tidy); @label is its text for those who cannot see it.
 * @out: malloc'ed. Errors: FL_EFORMAT when it is no SVG; FL_ENOMEM.
 */
int svg_inline(const char *svg, size_t len, const char *prefix, const char *css_class,
               const char *label, char **out, struct fl_err *err);

#endif
