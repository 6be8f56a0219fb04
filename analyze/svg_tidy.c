/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "svg_tidy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/tree.h>

#include <faultline/units.h>

#include "svg_path.h"

/* ---- colours ------------------------------------------------------------------- */

/* The colours of plots/style.gp by what they are for. */
static const struct {
    unsigned rgb;
    const char *name;
} themed[] = {
    { 0xFFFFFF, "card" }, { 0x111111, "ink" },  { 0x222222, "ink" },  { 0x000000, "ink" },
    { 0x333333, "tick" }, { 0x444444, "mark" }, { 0x666666, "soft" }, { 0x777777, "axis" },
    { 0xDDDDDD, "grid" }, { 0x0072B2, "s1" },   { 0xE69F00, "s2" },   { 0x009E73, "s3" },
    { 0xCC79A7, "s4" },   { 0x56B4E9, "s5" },   { 0xD55E00, "s6" },   { 0xF0E442, "s7" },
    { 0x555555, "s8" },
};

static bool read_colour(const char *value, unsigned *rgb)
{
    unsigned r, g, b;
    char end;
    if (strcmp(value, "black") == 0)
        *rgb = 0;
    else if (sscanf(value, " rgb( %3u , %3u , %3u %c", &r, &g, &b, &end) == 4 && end == ')' &&
             r < 256 && g < 256 && b < 256)
        *rgb = r << 16 | g << 8 | b;
    else if (strlen(value) != 7 || sscanf(value, "#%6x", rgb) != 1)
        return false;
    return true;
}

static void theme(xmlNode *node, const char *attribute)
{
    xmlChar *value = xmlGetNoNsProp(node, BAD_CAST attribute);
    unsigned rgb;
    if (value && read_colour((const char *)value, &rgb)) {
        char text[48];
        snprintf(text, sizeof text, "#%06x", rgb);
        for (size_t i = 0; i < FL_COUNT(themed); i++)
            if (themed[i].rgb == rgb)
                snprintf(text, sizeof text, "var(--%s,#%06x)", themed[i].name, rgb);
        xmlSetProp(node, BAD_CAST attribute, BAD_CAST text);
    }
    xmlFree(value);
}

/* ---- shapes -------------------------------------------------------------------- */

static bool is_element(const xmlNode *node, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* Have both the same attributes but for @except? */
static bool same_look(const xmlNode *a, const xmlNode *b, const char *except)
{
    int difference = 0;
    for (const xmlAttr *p = a->properties; p; p = p->next)
        difference++;
    for (const xmlAttr *p = b->properties; p; p = p->next) {
        xmlChar *x = xmlGetNoNsProp(a, p->name), *y = xmlGetNoNsProp(b, p->name);
        bool same = strcmp((const char *)p->name, except) == 0 || (x && xmlStrEqual(x, y));
        xmlFree(x);
        xmlFree(y);
        if (!same)
            return false;
        difference--;
    }
    return difference == 0;
}

static char *shortened(const xmlNode *node, const char *attribute, bool polygon)
{
    xmlChar *data = xmlGetNoNsProp(node, BAD_CAST attribute);
    char *text = data ? svg_path_shorten((const char *)data, polygon) : NULL;
    xmlFree(data);
    return text;
}

static bool append(char **text, char *more)
{
    char *grown = realloc(*text, strlen(*text) + strlen(more) + 1);
    if (grown)
        *text = strcat(grown, more);
    free(more);
    return grown != NULL;
}

/* A polygon and those behind it that look the same: one path. */
static void merge_polygons(xmlNode *node)
{
    char *text = shortened(node, "points", true), *more;
    xmlNode *next;
    if (!text)
        return;
    while ((next = node->next) && is_element(next, "polygon") && same_look(node, next, "points") &&
           (more = shortened(next, "points", true)) && append(&text, more)) {
        xmlUnlinkNode(next);
        xmlFreeNode(next);
    }
    xmlUnsetProp(node, BAD_CAST "points");
    xmlNodeSetName(node, BAD_CAST "path");
    xmlSetProp(node, BAD_CAST "d", BAD_CAST text);
    free(text);
}

static void shorten_path(xmlNode *node)
{
    char *text = shortened(node, "d", false);
    if (text)
        xmlSetProp(node, BAD_CAST "d", BAD_CAST text);
    free(text);
}

static bool is_empty(const xmlNode *node)
{
    if (is_element(node, "path")) {
        xmlChar *d = xmlGetNoNsProp(node, BAD_CAST "d");
        bool nothing = d && !*d;
        xmlFree(d);
        return nothing;
    }
    bool group = is_element(node, "g") && !xmlHasProp(node, BAD_CAST "id");
    const xmlNode *child = group ? node->children : node;
    while (child && child != node && xmlIsBlankNode((xmlNode *)(uintptr_t)child))
        child = child->next;
    return !child;
}

/* ---- the tree ------------------------------------------------------------------- */

static xmlNode *deepest(xmlNode *node)
{
    while (node->children && node->type == XML_ELEMENT_NODE)
        node = node->children;
    return node;
}

void svg_tidy(xmlNode *root)
{
    /* Children before their parents: a group is empty once what it held is. */
    for (xmlNode *node = deepest(root), *next; node != root; node = next) {
        if (is_element(node, "polygon"))
            merge_polygons(node);
        else if (is_element(node, "path") && !is_element(node->parent, "defs"))
            shorten_path(node); /* point shapes are drawn larger than they are defined */
        if (node->type == XML_ELEMENT_NODE) {
            theme(node, "fill");
            theme(node, "stroke");
            theme(node, "color");
        }
        next = node->next ? deepest(node->next) : node->parent;
        if (is_empty(node)) {
            xmlUnlinkNode(node);
            xmlFreeNode(node);
        }
    }
}
