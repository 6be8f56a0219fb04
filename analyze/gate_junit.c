/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JUnit XML. There are two schemas in use, Ant's and Jenkins's; this is valid by both, which is why
 * the suite has an empty `properties`, output elements, and a time and host: constants, because a
 * verdict repeats to the byte.
 */
#include "gate.h"

#include <libxml/xmlwriter.h>

struct xml {
    xmlTextWriter *w;
    bool failed;
};

static void check(struct xml *x, int written)
{
    if (written < 0)
        x->failed = true;
}

static void open_tag(struct xml *x, const char *name)
{
    check(x, xmlTextWriterStartElement(x->w, BAD_CAST name));
}

static void close_tag(struct xml *x)
{
    check(x, xmlTextWriterEndElement(x->w));
}

static void attribute(struct xml *x, const char *name, const char *value)
{
    check(x, xmlTextWriterWriteAttribute(x->w, BAD_CAST name, BAD_CAST value));
}

static void attribute_count(struct xml *x, const char *name, size_t n)
{
    check(x, xmlTextWriterWriteFormatAttribute(x->w, BAD_CAST name, "%zu", n));
}

static void empty_tag(struct xml *x, const char *name)
{
    open_tag(x, name);
    close_tag(x);
}

static void test_case(struct xml *x, const struct gate *gate, const struct gate_row *row)
{
    char value[GATE_NUMBER_BYTES], baseline[GATE_NUMBER_BYTES], change[GATE_NUMBER_BYTES];
    open_tag(x, "testcase");
    attribute(x, "name", row->budget->label);
    attribute(x, "classname", "faultline.gate");
    attribute(x, "time", "0");
    if (row->failed) {
        open_tag(x, "failure");
        attribute(x, "message", row->reason);
        attribute(x, "type", "budget");
        check(x, xmlTextWriterWriteFormatString(
                     x->w, "%s\nkey: %s\nvalue: %s\nlimit: %s\nresult: %s\n", row->reason,
                     row->budget->key, gate_number(value, row->value, row->unit), row->limit,
                     gate->result));
        if (row->has_baseline)
            check(x, xmlTextWriterWriteFormatString(
                         x->w, "baseline: %s\nchange: %s\nbaseline result: %s\n",
                         gate_number(baseline, row->baseline, row->unit), gate_change(change, row),
                         gate->baseline));
        close_tag(x);
    }
    close_tag(x);
}

static void suite(struct xml *x, const struct gate *gate)
{
    open_tag(x, "testsuite");
    attribute(x, "name", "faultline gate");
    attribute(x, "package", "faultline");
    attribute(x, "id", "0");
    attribute(x, "timestamp", "1970-01-01T00:00:00");
    attribute(x, "hostname", "localhost");
    attribute_count(x, "tests", gate->n);
    attribute_count(x, "failures", gate->failed);
    attribute(x, "errors", "0");
    attribute(x, "time", "0");
    empty_tag(x, "properties");
    for (size_t i = 0; i < gate->n; i++)
        test_case(x, gate, &gate->rows[i]);
    empty_tag(x, "system-out");
    empty_tag(x, "system-err");
    close_tag(x);
}

int gate_junit(const struct gate *gate, FILE *out, struct fl_err *err)
{
    xmlBuffer *buf = xmlBufferCreate();
    struct xml x = { .w = buf ? xmlNewTextWriterMemory(buf, 0) : NULL };
    int rc = FL_OK;
    if (!x.w) {
        xmlBufferFree(buf);
        return fl_nomem(err, "the JUnit file");
    }
    check(&x, xmlTextWriterSetIndent(x.w, 1));
    check(&x, xmlTextWriterStartDocument(x.w, NULL, "UTF-8", NULL));
    open_tag(&x, "testsuites");
    suite(&x, gate);
    check(&x, xmlTextWriterEndDocument(x.w));
    xmlFreeTextWriter(x.w);
    size_t len = (size_t)xmlBufferLength(buf);
    if (x.failed)
        rc = fl_nomem(err, "the JUnit file");
    else if (fwrite(xmlBufferContent(buf), 1, len, out) != len)
        rc = fl_fail_errno(err, "writing the JUnit file");
    xmlBufferFree(buf);
    return rc;
}
