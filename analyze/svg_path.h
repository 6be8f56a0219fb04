/* SPDX-License-Identifier: GPL-2.0-or-later */
/* svg_path.h - shapes of an SVG in fewer bytes. */
#ifndef FAULTLINE_SVG_PATH_H
#define FAULTLINE_SVG_PATH_H

#include <stdbool.h>

/**
 * svg_path_shorten - path data to a tenth of a unit, relative, without points that lie on a
 * horizontal or vertical line between others.
 * @data: of M, L and Z alone; or, with @polygon, the points of a polygon, which becomes nothing
 * when it has no area.
 * Returns: malloc'ed; NULL when it is anything else, or out of memory.
 */
char *svg_path_shorten(const char *data, bool polygon);

#endif
