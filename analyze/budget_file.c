/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "budget_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/table.h>

#include "budget.h"
#include "toml_json.h"

#define FILE_MAX_BYTES (256u << 10)

static int json_parse(const char *text, size_t len, const char *name, json_t **out,
                      struct fl_err *err)
{
    json_error_t why;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (*out)
        return FL_OK;
    char *clean = fl_text_clean(why.text, 160);
    int rc = fl_fail(err, FL_EUSAGE, "%s:%d:%d: %s", name, why.line, why.column,
                     clean ? clean : "no JSON");
    free(clean);
    return rc;
}

int budget_text_read(const char *text, size_t len, const char *name, struct budgets **out,
                     struct fl_err *err)
{
    json_t *doc = NULL;
    size_t start = 0;
    while (start < len && text[start] && strchr(" \t\r\n", text[start]))
        start++;
    /* No TOML begins with a brace. */
    bool is_json = start < len && text[start] == '{';
    int rc = (is_json ? json_parse : toml_json_parse)(text, len, name, &doc, err);
    if (rc == FL_OK)
        rc = budgets_read(doc, name, out, err);
    json_decref(doc);
    return rc;
}

int budget_file_read(const char *path, struct budgets **out, struct fl_err *err)
{
    FILE *in = fopen(path, "re");
    char *text = malloc(FILE_MAX_BYTES + 1);
    size_t len = in && text ? fread(text, 1, FILE_MAX_BYTES + 1, in) : 0;
    int rc;
    if (!in || ferror(in))
        rc = fl_fail_errno(err, "%s", path);
    else if (!text)
        rc = fl_nomem(err, "the budget file");
    else if (len > FILE_MAX_BYTES)
        rc = fl_fail(err, FL_EUSAGE, "%s: more than %u KiB; a budget file is short", path,
                     FILE_MAX_BYTES >> 10);
    else
        rc = budget_text_read(text, len, path, out, err);
    if (in)
        fclose(in);
    free(text);
    return rc;
}
