/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * report_page.h - the parts the HTML report is written with.
 *
 * Through libxml2's writer: every text is escaped by the library. The result is HTML5 that is
 * well-formed XML too; elements that may be empty are closed in full, because HTML has no
 * self-closing ones. A failed write is remembered until the end.
 */
#ifndef FAULTLINE_REPORT_PAGE_H
#define FAULTLINE_REPORT_PAGE_H

#include <faultline/report.h>

struct page {
    struct _xmlTextWriter *w;
    const struct fl_view *view;
    bool failed;
};

void page_open(struct page *p, const char *name);
void page_open_class(struct page *p, const char *name, const char *css_class);
void page_attribute(struct page *p, const char *name, const char *value);
void page_text(struct page *p, const char *s); /* NULL is fine */
/** page_raw - @s as it is: never anything from a trace. */
void page_raw(struct page *p, const char *s);
/** page_close - the element opened last; page_end: and a new line. */
void page_close(struct page *p);
void page_end(struct page *p);
/** page_element - <name class=...>text</name> and a new line. @css_class may be NULL. */
void page_element(struct page *p, const char *name, const char *css_class, const char *s);
/** page_heading - an h2 or h3 whose id is @id with "-h" behind it. */
void page_heading(struct page *p, const char *name, const char *id, const char *s);
/** page_cell - a cell as fl_cell_format() has it. */
void page_cell(struct page *p, const struct fl_cell *cell);

enum { PAGE_TABLE_SORTS = 1, PAGE_TABLE_FOLDS = 2 };
/**
 * page_table - @t, named by the heading of @id. Flags: PAGE_TABLE_SORTS when its rows may be
 * sorted, PAGE_TABLE_FOLDS to fold it away when it is long.
 */
void page_table(struct page *p, const struct fl_table *t, const char *id, unsigned flags);

/** page_chart - a chart with its numbers under a heading h3, or why there is none. */
int page_chart(struct page *p, const struct fl_view_chart *c, struct fl_err *err);

#endif
