/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "svg_inline.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "svg_tidy.h"

/* @value with @prefix put in behind the '#' of "#id" or "url(#id)"; NULL: nothing to do. */
static char *prefixed_reference(const char *value, const char *prefix)
{
    const char *hash = strncmp(value, "url(#", 5) == 0 ? value + 4 : value[0] == '#' ? value : NULL;
    char *out = NULL;
    if (!hash || strspn(hash + 1, "0123456789abcdefABCDEF") == strlen(hash + 1))
        return NULL; /* a colour is no reference */
    if (asprintf(&out, "%.*s#%s-%s", (int)(hash - value), value, prefix, hash + 1) < 0)
        return NULL;
    return out;
}

/* What a picture may be: one that is in the file itself. */
static bool is_embedded_png(const char *value)
{
    static const char start[] = "data:image/png;base64,";
    size_t len = strlen(start);
    return strncmp(value, start, len) == 0 &&
           value[len + strspn(value + len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                           "0123456789+/= \n")] == '\0';
}

static void rewrite_attributes(xmlNode *node, const char *prefix)
{
    xmlAttr *next;
    for (xmlAttr *a = node->properties; a; a = next) {
        next = a->next;
        const char *name = (const char *)a->name;
        if (strncmp(name, "on", 2) == 0) {
            xmlRemoveProp(a);
            continue;
        }
        xmlChar *value = xmlNodeGetContent((xmlNode *)a);
        char *changed = NULL;
        if (strcmp(name, "href") == 0 &&
            (!value || (value[0] != '#' && !is_embedded_png((const char *)value)))) {
            xmlRemoveProp(a);
            xmlFree(value);
            continue;
        }
        if (value && strcmp(name, "id") == 0) {
            if (asprintf(&changed, "%s-%s", prefix, (const char *)value) < 0)
                changed = NULL;
        } else if (value)
            changed = prefixed_reference((const char *)value, prefix);
        if (changed) {
            xmlNode *text = xmlNewDocText(node->doc, BAD_CAST changed);
            xmlFreeNodeList(a->children);
            a->children = a->last = text;
            if (text)
                text->parent = (xmlNode *)a;
        }
        free(changed);
        xmlFree(value);
    }
}

static bool unwanted(const xmlNode *node)
{
    static const char *const names[] = { "script", "title", "desc", "foreignObject" };
    if (node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE)
        return true;
    for (size_t i = 0; node->type == XML_ELEMENT_NODE && i < sizeof names / sizeof *names; i++)
        if (strcmp((const char *)node->name, names[i]) == 0)
            return true;
    return false;
}

/* Depth first without recursion: the file's depth is not ours to choose. */
static void rewrite_tree(xmlNode *root, const char *prefix)
{
    xmlNode *node = root;
    while (node) {
        xmlNode *next;
        if (node != root && unwanted(node)) {
            for (next = node; next != root && !next->next; next = next->parent)
                ;
            next = next == root ? NULL : next->next;
            xmlUnlinkNode(node);
            xmlFreeNode(node);
            node = next;
            continue;
        }
        if (node->type == XML_ELEMENT_NODE)
            rewrite_attributes(node, prefix);
        if (node->type == XML_ELEMENT_NODE && node->children)
            node = node->children;
        else {
            while (node != root && !node->next)
                node = node->parent;
            node = node == root ? NULL : node->next;
        }
    }
}

int svg_inline(const char *svg, size_t len, const char *prefix, const char *css_class,
               const char *label, char **out, struct fl_err *err)
{
    if (len > INT_MAX)
        return fl_fail(err, FL_EFORMAT, "the chart is too large a file");
    xmlDoc *doc = xmlReadMemory(svg, (int)len, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                    XML_PARSE_NOBLANKS);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    xmlBuffer *buf = xmlBufferCreate();
    int rc = FL_OK;
    if (!root || strcmp((const char *)root->name, "svg") != 0)
        rc = fl_fail(err, FL_EFORMAT, "gnuplot's chart is no SVG");
    else if (!buf)
        rc = fl_nomem(err, "the chart");
    if (rc == FL_OK) {
        rewrite_tree(root, prefix);
        svg_tidy(root);
        xmlUnsetProp(root, BAD_CAST "width");
        xmlUnsetProp(root, BAD_CAST "height");
        xmlSetProp(root, BAD_CAST "class", BAD_CAST css_class);
        xmlSetProp(root, BAD_CAST "role", BAD_CAST "img");
        xmlSetProp(root, BAD_CAST "aria-label", BAD_CAST label);
        if (xmlNodeDump(buf, doc, root, 0, 0) < 0 ||
            !(*out = strdup((const char *)xmlBufferContent(buf))))
            rc = fl_nomem(err, "the chart");
    }
    xmlBufferFree(buf);
    xmlFreeDoc(doc);
    return rc;
}
