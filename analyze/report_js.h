/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAULTLINE_REPORT_JS_H
#define FAULTLINE_REPORT_JS_H

/** The page's script: tables that sort, values under the pointer, all of it open on paper. */
extern const char report_js[];

enum { REPORT_JS_HASH_CHARS = 64 };
/** report_js_hash - what a content security policy calls it: "sha256-...". Returns @out. */
char *report_js_hash(char out[REPORT_JS_HASH_CHARS]);

#endif
