/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page: verdict first, then what it rests on, down to the command that makes it again. Its
 * parts are in report_page.h; report_css.c is its style, report_js.c its script.
 */
#include <faultline/report.h>

#include <stdlib.h>
#include <string.h>

#include <libxml/xmlwriter.h>

#include <faultline/units.h>

#include "report_css.h"
#include "report_js.h"
#include "report_page.h"

static void meta(struct page *p, const char *key, const char *name, const char *content)
{
    page_open(p, "meta");
    page_attribute(p, key, name);
    if (content)
        page_attribute(p, "content", content);
    if (xmlTextWriterEndElement(p->w) < 0)
        p->failed = true;
    page_raw(p, "\n");
}

static void head(struct page *p)
{
    char hash[REPORT_JS_HASH_CHARS], policy[300];
    snprintf(policy, sizeof policy,
             "default-src 'none'; style-src 'unsafe-inline'; script-src '%s'; img-src data:; "
             "base-uri 'none'; form-action 'none'",
             report_js_hash(hash));
    page_open(p, "head");
    page_raw(p, "\n");
    meta(p, "charset", "utf-8", NULL);
    meta(p, "name", "viewport", "width=device-width, initial-scale=1");
    meta(p, "http-equiv", "Content-Security-Policy", policy);
    meta(p, "name", "generator", "faultline");
    meta(p, "name", "color-scheme", "light dark");
    page_open(p, "title");
    page_text(p, p->view->title);
    page_text(p, " - faultline report");
    page_end(p);
    page_raw(p, "<link rel=\"icon\" href=\"data:,\"/>\n"); /* or a browser asks for one */
    page_open(p, "style");
    page_raw(p, report_css);
    page_end(p);
    page_end(p);
}

/* ---- contents ------------------------------------------------------------------ */

static void link_to(struct page *p, const char *id, const char *words)
{
    char *ref = NULL;
    if (asprintf(&ref, "#%s", id) < 0) {
        p->failed = true;
        return;
    }
    page_open(p, "li");
    page_open(p, "a");
    page_attribute(p, "href", ref);
    page_text(p, words);
    page_close(p);
    page_end(p);
    free(ref);
}

static bool has_charts(const struct fl_view *view)
{
    for (size_t i = 0; i < view->n_charts; i++)
        if (!view->charts[i].section && (view->charts[i].svg || view->charts[i].note))
            return true;
    return false;
}

static bool has_figures(const struct fl_view *view)
{
    return view->figures->n_columns > 1 && view->figures->n_rows > 0;
}

#define CONTENTS_FROM 4u  /* sections; fewer are in view anyway */
#define CONTENTS_OPEN 16u /* more are folded away */

static void contents(struct page *p)
{
    const struct fl_view *view = p->view;
    bool fold = view->n_sections > CONTENTS_OPEN;
    if (view->n_sections < CONTENTS_FROM)
        return;
    page_open(p, "nav");
    page_attribute(p, "aria-label", "Contents");
    if (fold) {
        page_open(p, "details");
        page_element(p, "summary", NULL, "Contents");
    }
    page_open(p, "ul");
    page_raw(p, "\n");
    if (view->n_lines > 0)
        link_to(p, "findings", "Findings");
    if (has_charts(view))
        link_to(p, "charts", "Charts");
    if (has_figures(view))
        link_to(p, "figures", "Key figures");
    for (size_t i = 0; i < view->n_sections; i++)
        link_to(p, view->sections[i].id, view->sections[i].heading);
    if (view->command && *view->command)
        link_to(p, "reproduce", "Make this report again");
    page_close(p);
    if (fold)
        page_close(p);
    page_end(p);
}

/* ---- what comes first ------------------------------------------------------------ */

/* The few numbers to see first, when there is one result to see. */
static void tiles(struct page *p, const struct fl_table *figures)
{
    static const char *const wanted[] = { "RAM given",    "Peak resident set, unlimited",
                                          "Major faults", "Minor faults",
                                          "Most in swap", "TLB misses (page walks)" };
    if (figures->n_columns != 2)
        return;
    page_open_class(p, "div", "tiles");
    page_raw(p, "\n");
    for (size_t k = 0; k < FL_COUNT(wanted); k++)
        for (size_t r = 0; r < figures->n_rows; r++) {
            const char *name = fl_table_at(figures, r, 0)->text;
            if (!name || strcmp(name, wanted[k]) != 0)
                continue;
            page_open_class(p, "dl", "tile");
            page_open(p, "dt");
            page_text(p, name);
            page_close(p);
            page_open(p, "dd");
            page_cell(p, fl_table_at(figures, r, 1));
            page_close(p);
            page_end(p);
        }
    page_end(p);
}

static void open_section(struct page *p, const char *id, const char *heading)
{
    page_open(p, "section");
    page_attribute(p, "id", id);
    page_raw(p, "\n");
    page_heading(p, "h2", id, heading);
}

static void findings(struct page *p)
{
    if (p->view->n_lines == 0)
        return;
    open_section(p, "findings", "Findings");
    page_open_class(p, "ul", "findings");
    page_raw(p, "\n");
    for (size_t i = 0; i < p->view->n_lines; i++)
        page_element(p, "li", NULL, p->view->lines[i]);
    page_end(p);
    page_end(p);
}

/* ---- the sections ---------------------------------------------------------------- */

static int charts(struct page *p, struct fl_err *err)
{
    int rc = FL_OK;
    if (!has_charts(p->view))
        return FL_OK;
    open_section(p, "charts", "Charts");
    for (size_t i = 0; i < p->view->n_charts && rc == FL_OK; i++)
        if (!p->view->charts[i].section)
            rc = page_chart(p, &p->view->charts[i], err);
    page_end(p);
    return rc;
}

/* Rows that are all of one kind may be sorted; these are not. */
static bool is_list(const struct fl_table *t)
{
    return t->n_columns > 2 || (t->n_columns == 2 && t->columns[1].unit != FL_UNIT_TEXT);
}

static int one_section(struct page *p, const struct fl_section *s, struct fl_err *err)
{
    int rc = FL_OK;
    open_section(p, s->id, s->heading);
    if (s->text)
        page_element(p, "p", NULL, s->text);
    for (size_t k = 0; k < p->view->n_charts && rc == FL_OK; k++) {
        const struct fl_view_chart *c = &p->view->charts[k];
        if (c->section && strcmp(c->section, s->id) == 0)
            rc = page_chart(p, c, err);
    }
    if (s->table)
        page_table(p, s->table, s->id,
                   PAGE_TABLE_FOLDS | (is_list(s->table) ? PAGE_TABLE_SORTS : 0));
    page_end(p);
    return rc;
}

static int sections(struct page *p, struct fl_err *err)
{
    int rc = FL_OK;
    if (has_figures(p->view)) {
        open_section(p, "figures", "Key figures");
        page_table(p, p->view->figures, "figures", 0);
        page_end(p);
    }
    for (size_t i = 0; i < p->view->n_sections && rc == FL_OK; i++)
        rc = one_section(p, &p->view->sections[i], err);
    return rc;
}

static void reproduce(struct page *p)
{
    if (!p->view->command || !*p->view->command)
        return;
    open_section(p, "reproduce", "Make this report again");
    page_open(p, "pre");
    page_element(p, "code", NULL, p->view->command);
    page_end(p);
    page_end(p);
}

static int body(struct page *p, struct fl_err *err)
{
    page_open(p, "body");
    page_raw(p, "\n<a class=\"skip\" href=\"#main\">Skip to the findings</a>\n");
    page_open_class(p, "div", "wrap");
    page_raw(p, "\n");
    page_open(p, "header");
    page_raw(p, "\n");
    page_element(p, "p", "brand", "faultline report");
    page_element(p, "h1", NULL, p->view->title);
    page_element(p, "p", "verdict", p->view->verdict);
    page_end(p);
    contents(p);
    page_open(p, "main");
    page_attribute(p, "id", "main");
    page_raw(p, "\n");
    tiles(p, p->view->figures);
    findings(p);
    int rc = charts(p, err);
    if (rc == FL_OK)
        rc = sections(p, err);
    reproduce(p);
    page_end(p);
    page_element(p, "footer", NULL,
                 "Made by faultline. This page is one file and loads nothing; report.json beside "
                 "it has every number, report.md the same as Markdown.");
    page_end(p);
    page_open(p, "script");
    page_raw(p, report_js);
    page_end(p);
    page_end(p);
    return rc;
}

int fl_report_html(const struct fl_view *view, FILE *out, struct fl_err *err)
{
    xmlBuffer *buf = xmlBufferCreate();
    struct page p = { .w = buf ? xmlNewTextWriterMemory(buf, 0) : NULL, .view = view };
    int rc = FL_OK;
    if (!p.w) {
        xmlBufferFree(buf);
        return fl_nomem(err, "the HTML page");
    }
    page_raw(&p, "<!DOCTYPE html>\n");
    page_open(&p, "html");
    page_attribute(&p, "lang", "en");
    page_attribute(&p, "xmlns", "http://www.w3.org/1999/xhtml");
    page_raw(&p, "\n");
    head(&p);
    rc = body(&p, err);
    page_end(&p);
    if (xmlTextWriterEndDocument(p.w) < 0)
        p.failed = true;
    xmlFreeTextWriter(p.w);
    if (rc == FL_OK && p.failed)
        rc = fl_nomem(err, "the HTML page");
    size_t len = (size_t)xmlBufferLength(buf);
    if (rc == FL_OK && fwrite(xmlBufferContent(buf), 1, len, out) != len)
        rc = fl_fail_errno(err, "writing the HTML page");
    xmlBufferFree(buf);
    return rc;
}
