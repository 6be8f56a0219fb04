/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report_page.h"

#include <stdlib.h>

#include <libxml/xmlwriter.h>

static void check(struct page *p, int written)
{
    if (written < 0)
        p->failed = true;
}

void page_open(struct page *p, const char *name)
{
    check(p, xmlTextWriterStartElement(p->w, BAD_CAST name));
}

void page_attribute(struct page *p, const char *name, const char *value)
{
    check(p, xmlTextWriterWriteAttribute(p->w, BAD_CAST name, BAD_CAST value));
}

void page_open_class(struct page *p, const char *name, const char *css_class)
{
    page_open(p, name);
    page_attribute(p, "class", css_class);
}

void page_text(struct page *p, const char *s)
{
    if (s && *s)
        check(p, xmlTextWriterWriteString(p->w, BAD_CAST s));
}

void page_raw(struct page *p, const char *s)
{
    check(p, xmlTextWriterWriteRaw(p->w, BAD_CAST s));
}

void page_close(struct page *p)
{
    check(p, xmlTextWriterFullEndElement(p->w));
}

void page_end(struct page *p)
{
    page_close(p);
    page_raw(p, "\n");
}

void page_element(struct page *p, const char *name, const char *css_class, const char *s)
{
    page_open(p, name);
    if (css_class)
        page_attribute(p, "class", css_class);
    page_text(p, s);
    page_end(p);
}

void page_heading(struct page *p, const char *name, const char *id, const char *s)
{
    char *full = NULL;
    if (asprintf(&full, "%s-h", id) < 0) {
        p->failed = true;
        return;
    }
    page_open(p, name);
    page_attribute(p, "id", full);
    page_text(p, s);
    page_end(p);
    free(full);
}

void page_cell(struct page *p, const struct fl_cell *cell)
{
    char *s = fl_cell_format(cell);
    if (!s)
        p->failed = true;
    page_text(p, s);
    free(s);
}
