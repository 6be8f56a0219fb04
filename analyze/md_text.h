/* SPDX-License-Identifier: GPL-2.0-or-later */
/* md_text.h - text in Markdown that stays text. */
#ifndef FAULTLINE_MD_TEXT_H
#define FAULTLINE_MD_TEXT_H

#include <stdio.h>

/**
 * md_text - write @s (NULL is "") so that neither Markdown nor HTML acts on it. Everything they
 * could act on is escaped with a backslash or an entity; an at-sign or a "#1" would call people
 * and issues, a bare URL would become a link.
 */
void md_text(FILE *out, const char *s);

#endif
