/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page, through libxml2's writer: every text is escaped by the library. The
 * result is HTML5 that is well-formed XML too; elements that may be empty are
 * closed in full, because HTML has no self-closing ones.
 */
#include <faultline/report.h>

#include <stdlib.h>
#include <string.h>

#include <libxml/xmlwriter.h>

#include <faultline/units.h>

#include "report_css.h"
#include "svg_inline.h"

struct page {
    xmlTextWriter *w;
    bool failed;
};

static void check(struct page *p, int written)
{
    if (written < 0)
        p->failed = true;
}

static void open_tag(struct page *p, const char *name)
{
    check(p, xmlTextWriterStartElement(p->w, BAD_CAST name));
}

static void attribute(struct page *p, const char *name, const char *value)
{
    check(p, xmlTextWriterWriteAttribute(p->w, BAD_CAST name, BAD_CAST value));
}

static void open_class(struct page *p, const char *name, const char *css_class)
{
    open_tag(p, name);
    attribute(p, "class", css_class);
}

static void text(struct page *p, const char *s)
{
    if (s && *s)
        check(p, xmlTextWriterWriteString(p->w, BAD_CAST s));
}

static void raw(struct page *p, const char *s)
{
    check(p, xmlTextWriterWriteRaw(p->w, BAD_CAST s));
}

static void close_tag(struct page *p)
{
    check(p, xmlTextWriterFullEndElement(p->w));
}

static void line_break(struct page *p)
{
    raw(p, "\n");
}

/* <name class=...>text</name> and a new line. */
static void element(struct page *p, const char *name, const char *css_class, const char *s)
{
    open_tag(p, name);
    if (css_class)
        attribute(p, "class", css_class);
    text(p, s);
    close_tag(p);
    line_break(p);
}

static void meta(struct page *p, const char *key, const char *name, const char *content)
{
    open_tag(p, "meta");
    attribute(p, key, name);
    if (content)
        attribute(p, "content", content);
    check(p, xmlTextWriterEndElement(p->w));
    line_break(p);
}

static void head(struct page *p, const struct fl_view *view)
{
    open_tag(p, "head");
    line_break(p);
    meta(p, "charset", "utf-8", NULL);
    meta(p, "name", "viewport", "width=device-width, initial-scale=1");
    meta(p, "http-equiv", "Content-Security-Policy",
         "default-src 'none'; style-src 'unsafe-inline'");
    meta(p, "name", "generator", "faultline");
    open_tag(p, "title");
    text(p, view->title);
    text(p, " - faultline report");
    close_tag(p);
    line_break(p);
    open_tag(p, "style");
    raw(p, report_css);
    close_tag(p);
    line_break(p);
    close_tag(p);
    line_break(p);
}

/* ---- tables -------------------------------------------------------------------- */

static bool numeric(const struct fl_cell *cell)
{
    return cell->unit != FL_UNIT_TEXT && cell->unit != FL_UNIT_NONE;
}

static void cell_text(struct page *p, const struct fl_cell *cell)
{
    char *s = fl_cell_format(cell);
    if (!s)
        p->failed = true;
    text(p, s);
    free(s);
}

static void table(struct page *p, const struct fl_table *t)
{
    open_class(p, "div", t->n_columns == 2 ? "scroll pairs" : "scroll");
    open_tag(p, "table");
    open_tag(p, "thead");
    open_tag(p, "tr");
    for (size_t c = 0; c < t->n_columns; c++) {
        open_tag(p, "th");
        attribute(p, "scope", "col");
        if (c > 0 && t->columns[c].unit != FL_UNIT_TEXT)
            attribute(p, "class", "num");
        text(p, t->columns[c].name);
        close_tag(p);
    }
    close_tag(p);
    close_tag(p);
    line_break(p);
    open_tag(p, "tbody");
    line_break(p);
    for (size_t r = 0; r < t->n_rows; r++) {
        open_tag(p, "tr");
        for (size_t c = 0; c < t->n_columns; c++) {
            const struct fl_cell *cell = fl_table_at(t, r, c);
            open_tag(p, c == 0 ? "th" : "td");
            if (c == 0)
                attribute(p, "scope", "row");
            else if (numeric(cell))
                attribute(p, "class", "num");
            else if (t->columns[c].unit != FL_UNIT_TEXT)
                attribute(p, "class", "right");
            cell_text(p, cell);
            close_tag(p);
        }
        close_tag(p);
        line_break(p);
    }
    close_tag(p);
    close_tag(p);
    close_tag(p);
    line_break(p);
}

/* The few numbers to see first, when there is one result to see. */
static void tiles(struct page *p, const struct fl_table *figures)
{
    static const char *const wanted[] = { "RAM given",    "Peak resident set, unlimited",
                                          "Major faults", "Minor faults",
                                          "Most in swap", "TLB misses (page walks)" };
    if (figures->n_columns != 2)
        return;
    open_class(p, "div", "tiles");
    line_break(p);
    for (size_t k = 0; k < FL_COUNT(wanted); k++)
        for (size_t r = 0; r < figures->n_rows; r++) {
            const char *name = fl_table_at(figures, r, 0)->text;
            if (!name || strcmp(name, wanted[k]) != 0)
                continue;
            open_class(p, "dl", "tile");
            open_tag(p, "dt");
            text(p, name);
            close_tag(p);
            open_tag(p, "dd");
            cell_text(p, fl_table_at(figures, r, 1));
            close_tag(p);
            close_tag(p);
            line_break(p);
        }
    close_tag(p);
    line_break(p);
}

/* ---- charts ------------------------------------------------------------------------ */

static int draw(struct page *p, const struct fl_view_chart *c, const char *svg, size_t len,
                const char *size, struct fl_err *err)
{
    char prefix[96], *element_text = NULL;
    snprintf(prefix, sizeof prefix, "%s-%s", c->id, size);
    int rc = svg_inline(svg, len, prefix, size, c->table->title ? c->table->title : c->id,
                        &element_text, err);
    if (rc == FL_OK)
        raw(p, element_text);
    line_break(p);
    free(element_text);
    return rc;
}

static int figure(struct page *p, const struct fl_view_chart *c, struct fl_err *err)
{
    int rc = FL_OK;
    if (c->svg) {
        open_tag(p, "figure");
        attribute(p, "id", c->id);
        element(p, "figcaption", NULL, c->chart->heading);
        open_class(p, "div", c->svg_narrow ? "chart both" : "chart");
        line_break(p);
        rc = draw(p, c, c->svg, c->svg_len, "wide", err);
        if (rc == FL_OK && c->svg_narrow)
            rc = draw(p, c, c->svg_narrow, c->svg_narrow_len, "narrow", err);
        close_tag(p);
        close_tag(p);
        line_break(p);
    } else if (c->note) {
        open_class(p, "p", "absent");
        element(p, "strong", NULL, c->chart->heading);
        text(p, c->note);
        close_tag(p);
        line_break(p);
    }
    return rc;
}

static int charts(struct page *p, const struct fl_view *view, struct fl_err *err)
{
    bool any = false;
    int rc = FL_OK;
    for (size_t i = 0; i < view->n_charts; i++)
        any |= !view->charts[i].section && (view->charts[i].svg || view->charts[i].note);
    if (!any)
        return FL_OK;
    open_tag(p, "section");
    attribute(p, "id", "charts");
    line_break(p);
    element(p, "h2", NULL, "Charts");
    for (size_t i = 0; i < view->n_charts && rc == FL_OK; i++)
        if (!view->charts[i].section)
            rc = figure(p, &view->charts[i], err);
    close_tag(p);
    line_break(p);
    return rc;
}

/* ---- the page ------------------------------------------------------------------------ */

static void findings(struct page *p, const struct fl_view *view)
{
    if (view->n_lines == 0)
        return;
    open_tag(p, "section");
    attribute(p, "id", "findings");
    line_break(p);
    element(p, "h2", NULL, "Findings");
    open_class(p, "ul", "findings");
    line_break(p);
    for (size_t i = 0; i < view->n_lines; i++)
        element(p, "li", NULL, view->lines[i]);
    close_tag(p);
    close_tag(p);
    line_break(p);
}

static int sections(struct page *p, const struct fl_view *view, struct fl_err *err)
{
    int rc = FL_OK;
    if (view->figures->n_columns > 1 && view->figures->n_rows > 0) {
        open_tag(p, "section");
        attribute(p, "id", "figures");
        element(p, "h2", NULL, "Key figures");
        table(p, view->figures);
        close_tag(p);
        line_break(p);
    }
    for (size_t i = 0; i < view->n_sections; i++) {
        const struct fl_section *s = &view->sections[i];
        open_tag(p, "section");
        attribute(p, "id", s->id);
        element(p, "h2", NULL, s->heading);
        if (s->text)
            element(p, "p", NULL, s->text);
        for (size_t k = 0; k < view->n_charts && rc == FL_OK; k++)
            if (view->charts[k].section && strcmp(view->charts[k].section, s->id) == 0)
                rc = figure(p, &view->charts[k], err);
        if (s->table && s->table->n_rows > 30) {
            open_tag(p, "details");
            element(p, "summary", NULL, "Show the table");
            table(p, s->table);
            close_tag(p);
        } else if (s->table)
            table(p, s->table);
        close_tag(p);
        line_break(p);
    }
    return rc;
}

static int body(struct page *p, const struct fl_view *view, struct fl_err *err)
{
    open_tag(p, "body");
    line_break(p);
    open_class(p, "div", "wrap");
    line_break(p);
    open_tag(p, "header");
    line_break(p);
    element(p, "p", "brand", "faultline report");
    element(p, "h1", NULL, view->title);
    element(p, "p", "verdict", view->verdict);
    close_tag(p);
    line_break(p);
    open_tag(p, "main");
    line_break(p);
    tiles(p, view->figures);
    findings(p, view);
    int rc = charts(p, view, err);
    if (rc == FL_OK)
        rc = sections(p, view, err);
    if (view->command && *view->command) {
        open_tag(p, "section");
        attribute(p, "id", "reproduce");
        element(p, "h2", NULL, "Make this report again");
        open_tag(p, "pre");
        element(p, "code", NULL, view->command);
        close_tag(p);
        close_tag(p);
        line_break(p);
    }
    close_tag(p);
    line_break(p);
    element(p, "footer", NULL,
            "Made by faultline. This page is one file and loads nothing; report.json beside it "
            "has every number, report.md the same as Markdown.");
    close_tag(p);
    close_tag(p);
    line_break(p);
    return rc;
}

int fl_report_html(const struct fl_view *view, FILE *out, struct fl_err *err)
{
    xmlBuffer *buf = xmlBufferCreate();
    struct page p = { .w = buf ? xmlNewTextWriterMemory(buf, 0) : NULL };
    int rc = FL_OK;
    if (!p.w) {
        xmlBufferFree(buf);
        return fl_nomem(err, "the HTML page");
    }
    raw(&p, "<!DOCTYPE html>\n");
    open_tag(&p, "html");
    attribute(&p, "lang", "en");
    attribute(&p, "xmlns", "http://www.w3.org/1999/xhtml");
    line_break(&p);
    head(&p, view);
    rc = body(&p, view, err);
    close_tag(&p);
    line_break(&p);
    check(&p, xmlTextWriterEndDocument(p.w));
    xmlFreeTextWriter(p.w);
    if (rc == FL_OK && p.failed)
        rc = fl_nomem(err, "the HTML page");
    size_t len = (size_t)xmlBufferLength(buf);
    if (rc == FL_OK && fwrite(xmlBufferContent(buf), 1, len, out) != len)
        rc = fl_fail_errno(err, "writing the HTML page");
    xmlBufferFree(buf);
    return rc;
}
