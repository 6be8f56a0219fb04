/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report document: collecting results and sweeps under labels of their own. */
#include <faultline/report.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/units.h>

json_t *fl_report_new(void)
{
    return json_pack("{s:s, s:[], s:[], s:[]}", "schema", "faultline.report/1", "results", "sweeps",
                     "validations");
}

size_t fl_report_results(const json_t *report)
{
    return json_array_size(json_object_get(report, "results"));
}

const json_t *fl_report_result(const json_t *report, size_t i)
{
    return json_array_get(json_object_get(report, "results"), i);
}

const json_t *fl_report_sweep(const json_t *report, size_t i)
{
    return json_array_get(json_object_get(report, "sweeps"), i);
}

size_t fl_report_validations(const json_t *report)
{
    return json_array_size(json_object_get(report, "validations"));
}

const json_t *fl_report_validation(const json_t *report, size_t i)
{
    return json_array_get(json_object_get(report, "validations"), i);
}

static bool label_taken(const json_t *list, const char *label)
{
    const json_t *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        const char *other = fl_document_text(v, "label");
        if (other && strcmp(other, label) == 0)
            return true;
    }
    return false;
}

/* "cc1.flt, 96 MiB, lru": enough to tell results apart, short enough for a table's head. A
   measurement's is its command. */
static char *make_label(const json_t *list, const json_t *doc)
{
    const char *path = fl_document_text(doc, "trace.path");
    const char *policy = fl_document_text(doc, "machine.policy");
    const char *base = path && strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (fl_document_text(doc, "command"))
        base = fl_document_text(doc, "command");
    char *clean = fl_text_clean(base && *base ? base : "result", 60), ram[FL_FORMAT_BYTES] = "";
    char *clean_policy = fl_text_clean(policy, 40), *label = NULL;
    uint64_t ram_bytes;
    if (fl_document_count(doc, "machine.ram_bytes", &ram_bytes) && ram_bytes < INT64_MAX)
        fl_format_bytes(ram, ram_bytes);
    for (unsigned n = 1; clean && clean_policy; n++) {
        char number[24] = "";
        if (n > 1)
            snprintf(number, sizeof number, " #%u", n);
        if (asprintf(&label, "%s%s%s%s%s%s", clean, ram[0] ? ", " : "", ram,
                     clean_policy[0] ? ", " : "", clean_policy, number) < 0)
            label = NULL;
        if (!label || !label_taken(list, label))
            break;
        free(label);
        label = NULL;
    }
    free(clean);
    free(clean_policy);
    return label;
}

static int append(json_t *list, const json_t *doc, bool is_result, struct fl_err *err)
{
    json_t *copy = json_deep_copy(doc);
    const char *given = fl_document_text(doc, "label");
    char *label = given && *given && !label_taken(list, given) ? fl_text_clean(given, 120)
                                                               : make_label(list, doc);
    int bad = !copy || !label;
    if (!bad)
        bad = json_object_set_new(copy, "label", json_string(label));
    if (!bad && is_result && !fl_document_text(copy, "source"))
        bad = json_object_set_new(copy, "source", json_string("model"));
    free(label);
    if (bad) {
        json_decref(copy);
        return fl_nomem(err, "adding a result");
    }
    return json_array_append_new(list, copy) ? fl_nomem(err, "adding a result") : FL_OK;
}

int fl_report_add(json_t *report, const json_t *doc, struct fl_err *err)
{
    json_t *results = json_object_get(report, "results"), *v;
    json_t *sweeps = json_object_get(report, "sweeps");
    json_t *validations = json_object_get(report, "validations");
    const char *schema = fl_document_text(doc, "schema");
    size_t i;
    int rc = FL_OK;
    if (schema && strcmp(schema, "faultline.sweep/1") == 0)
        return append(sweeps, doc, false, err);
    if (schema && strcmp(schema, "faultline.validate/1") == 0)
        return append(validations, doc, false, err);
    if (!schema || strcmp(schema, "faultline.report/1") != 0)
        return append(results, doc, true, err);
    json_array_foreach(json_object_get(doc, "results"), i, v) if (rc == FL_OK)
        rc = append(results, v, true, err);
    json_array_foreach(json_object_get(doc, "sweeps"), i, v) if (rc == FL_OK)
        rc = append(sweeps, v, false, err);
    json_array_foreach(json_object_get(doc, "validations"), i, v) if (rc == FL_OK)
        rc = append(validations, v, false, err);
    return rc;
}

int fl_report_json(const json_t *report, FILE *out, struct fl_err *err)
{
    if (fl_json_write(report, out, JSON_ENSURE_ASCII) != 0 || fputc('\n', out) == EOF)
        return fl_fail_errno(err, "writing the report's JSON");
    return FL_OK;
}
