/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A verdict as "faultline.gate/1", and its values for benchmark dashboards. */
#include "gate.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json_write.h>
#include <faultline/report.h>

json_t *gate_json_number(millionths value)
{
    millionths whole = value / MILLION;
    if (value % MILLION == 0 && whole <= INT64_MAX && whole >= INT64_MIN)
        return json_integer((json_int_t)whole);
    return json_real((double)value / MILLION);
}

/* What the value is of, as far as the document says. */
static void set_question(json_t *o, const struct gate_row *row)
{
    const struct gate_question *q = &row->asked;
    if (q->has_ram)
        json_object_set_new(o, "ram_bytes",
                            q->ram_bytes == UINT64_MAX ? json_null()
                                                       : json_integer((json_int_t)q->ram_bytes));
    if (q->has_swap)
        json_object_set_new(o, "swap_bytes",
                            q->swap_bytes == UINT64_MAX ? json_null()
                                                        : json_integer((json_int_t)q->swap_bytes));
    if (q->policy)
        json_object_set_new(o, "policy", fl_json_text(q->policy));
    if (q->machine)
        json_object_set_new(o, "machine", fl_json_text(q->machine));
}

static json_t *rules_json(const struct gate_row *row)
{
    json_t *list = json_array();
    for (int r = 0; r < BUDGET_RULES; r++) {
        const struct budget_limit *limit = &row->budget->limit[r];
        if (!limit->kind)
            continue;
        json_t *o = json_object();
        json_object_set_new(o, "rule", json_string(budget_rule_name((enum budget_rule)r)));
        if (limit->kind == LIMIT_PERCENT)
            json_object_set_new(o, "limit_bp", json_integer(limit->percent_bp));
        else
            json_object_set_new(o, "limit", gate_json_number(limit->number));
        json_object_set_new(o, "kept", json_boolean(!row->broken[r]));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *row_json(const struct gate_row *row)
{
    json_t *o = json_object();
    json_object_set_new(o, "verdict", json_string(row->failed ? "fail" : "pass"));
    json_object_set_new(o, "name", json_string(row->budget->label));
    json_object_set_new(o, "key", fl_json_text(row->budget->key));
    set_question(o, row);
    json_object_set_new(o, "unit", json_string(row->unit));
    json_object_set_new(o, "value", gate_json_number(row->value));
    if (row->has_baseline) {
        json_object_set_new(o, "baseline", gate_json_number(row->baseline));
        json_object_set_new(o, "change", gate_json_number(row->value - row->baseline));
    }
    json_object_set_new(o, "rules", rules_json(row));
    if (row->reason)
        json_object_set_new(o, "reason", fl_json_text(row->reason));
    return o;
}

static int dump(json_t *json, FILE *out, const char *what, struct fl_err *err)
{
    /* 15 digits: six decimals as they were written. */
    int failed = !json || json_dumpf(json, out,
                                     JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
    json_decref(json);
    if (failed || fputc('\n', out) == EOF)
        return fl_fail_errno(err, "writing %s", what);
    return FL_OK;
}

int gate_json(const struct gate *gate, FILE *out, struct fl_err *err)
{
    json_t *o = json_object(), *rows = json_array();
    for (size_t i = 0; i < gate->n; i++)
        json_array_append_new(rows, row_json(&gate->rows[i]));
    json_object_set_new(o, "schema", json_string("faultline.gate/1"));
    json_object_set_new(o, "verdict", json_string(gate->failed ? "fail" : "pass"));
    json_object_set_new(o, "result", json_string(gate->result));
    json_object_set_new(o, "baseline", gate->baseline ? json_string(gate->baseline) : json_null());
    json_object_set_new(o, "failed", json_integer((json_int_t)gate->failed));
    json_object_set_new(o, "budgets", rows);
    return dump(o, out, "the verdict's JSON", err);
}

static json_t *bench_json(const struct gate_row *row)
{
    char size[GATE_SIZE_BYTES];
    const char *fidelity = fl_document_text(row->document, "trace.fidelity");
    json_t *o = json_object(), *extra;
    json_object_set_new(o, "name", json_string(row->budget->label));
    json_object_set_new(o, "unit", json_string(row->unit));
    json_object_set_new(o, "value", gate_json_number(row->value));
    /* A replayed count repeats to the last digit. */
    json_object_set_new(o, "range",
                        row->range ? json_string(row->range) : json_string(row->exact ? "0" : ""));
    extra = json_sprintf(
        "%s%s%s%s%s\nfidelity: %s\nlimit: %s", row->asked.policy ? "policy: " : "document: ",
        row->asked.policy ? row->asked.policy : "itself", row->asked.has_ram ? "\nRAM: " : "",
        row->asked.has_ram ? gate_size(size, row->asked.ram_bytes) : "", "",
        fidelity ? fidelity : "not stated", row->limit);
    json_object_set_new(o, "extra", extra ? extra : json_string(""));
    return o;
}

int gate_bench(const struct gate *gate, FILE *out, struct fl_err *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < gate->n; i++)
        json_array_append_new(list, bench_json(&gate->rows[i]));
    return dump(list, out, "the benchmark JSON", err);
}
