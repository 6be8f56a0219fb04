/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader of budget files over any bytes; what it accepts is judged against a small result. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "budget.h"
#include "budget_file.h"
#include "gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char result[] =
    "{\"schema\":\"faultline.report/1\",\"results\":[{\"label\":\"a\",\"source\":\"model\","
    "\"trace\":{\"fidelity\":\"exact\",\"peak_resident_pages\":32},\"machine\":{\"ram_bytes\":65536,"
    "\"swap_bytes\":null,\"policy\":\"lru\"},\"faults\":{\"minor\":9,\"major\":4},\"oom\":{\"kills\":"
    "[]},\"by_mapping\":[{\"mapping\":\"[heap]\",\"major\":3},{\"mapping\":\"/lib/c.so.6\","
    "\"major\":1}],\"quality\":[]}],\"sweeps\":[{\"label\":\"a\",\"points\":[{\"ram_bytes\":65536,"
    "\"swap_bytes\":null,\"policy\":\"lru\",\"minor\":9,\"major\":4,\"oom_kills\":0},"
    "{\"ram_bytes\":131072,\"swap_bytes\":null,\"policy\":\"lru\",\"minor\":9,\"major\":0,"
    "\"oom_kills\":1}]}],\"validations\":[]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *doc;
    static gate_writer *const writers[] = { gate_text, gate_json, gate_junit, gate_markdown,
                                            gate_bench };
    struct fl_err err = { 0 };
    struct budgets *budgets = NULL;
    struct gate *gate = NULL;
    if (!doc && !(doc = json_loads(result, 0, NULL)))
        abort();
    if (budget_text_read((const char *)data, size, "b", &budgets, &err) != FL_OK) {
        if (!err.msg[0])
            abort(); /* refused without a reason */
        return 0;
    }
    if (gate_judge(budgets, doc, "r", doc, "r", &gate, &err) == FL_OK)
        for (size_t i = 0; i < FL_COUNT(writers); i++) {
            char *text = NULL;
            size_t len;
            FILE *out = open_memstream(&text, &len);
            if (out && (writers[i](gate, out, &err) != FL_OK || fclose(out) != 0 || len == 0))
                abort();
            free(text);
        }
    gate_free(gate);
    budgets_free(budgets);
    return 0;
}
