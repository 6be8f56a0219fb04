/* SPDX-License-Identifier: GPL-2.0-or-later */
/* document.h - between document*.c. */
#ifndef FAULTLINE_DOCUMENT_H
#define FAULTLINE_DOCUMENT_H

#include <faultline/err.h>

struct json_t;

/* of a result: what it has of `locality` and `tlb_reach`, except the timeline */
int document_check_locality(const struct json_t *doc, const char *name, struct fl_err *err);

#endif
