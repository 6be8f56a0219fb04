/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAULTLINE_REPORT_CSS_H
#define FAULTLINE_REPORT_CSS_H

/** The page's style: light, dark, narrow and on paper. */
extern const char report_css[];

#endif
