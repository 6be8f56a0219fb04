/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The call chains with most faults. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "an.h"
#include "view.h"

#define FRAMES_SHOWN_MAX 8u
#define CHAINS_SHOWN_MAX 20u

/* "memset, called by fill, by main": the innermost functions, and how many more there are. */
static void put_names(struct fl_table *t, size_t row, const json_t *functions)
{
    size_t n = json_array_size(functions), shown = n > FRAMES_SHOWN_MAX ? FRAMES_SHOWN_MAX : n;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out && i < shown; i++) {
        const char *name = json_string_value(json_array_get(functions, i));
        fprintf(out, "%s%s", i == 0 ? "" : i == 1 ? ", called by " : ", by ", name ? name : "");
    }
    if (out && n > shown)
        fprintf(out, ", by %zu more", n - shown);
    if (out)
        fclose(out);
    fl_table_text(t, row, 0, text ? text : "");
    free(text);
}

struct fl_table *view_chains_table(const json_t *result)
{
    const json_t *list = json_object_get(result, "call_chains"), *v;
    size_t i;
    if (json_array_size(list) == 0)
        return NULL;
    struct fl_table *t = fl_table_new("chains");
    fl_table_column(t, "Function and its callers", FL_UNIT_TEXT, 0);
    fl_table_column(t, "Minor faults", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Major faults", FL_UNIT_COUNT, 0);
    fl_table_column(t, "Share", FL_UNIT_BP, 0);
    json_array_foreach(list, i, v)
    {
        size_t row = fl_table_row(t);
        put_names(t, row, json_object_get(v, "functions"));
        view_put_count(t, row, 1, v, "minor");
        view_put_count(t, row, 2, v, "major");
        view_put_count(t, row, 3, v, "share_bp");
        if (i + 1 == CHAINS_SHOWN_MAX)
            break;
    }
    return t;
}
