/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine a trace was recorded on, from the text that CPUID gave: "L1d 4K 64x4; L2u ...". */
#include <stdio.h>
#include <string.h>

#include "machine_doc.h"

enum { TEXT_MAX_BYTES = 1024, NAME_BYTES = 40, LEVELS_MAX = 3 };

struct array {
    char kind[8];
    char name[NAME_BYTES];
    unsigned level, entries, ways;
    json_t *pages;
};

static const char *role_of(const char *kind)
{
    static const char *const roles[][2] = { { "i", "fetch" },
                                            { "d", "data" },
                                            { "u", "unified" },
                                            { "load", "load" },
                                            { "store", "store" } };
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(kind, roles[i][0]))
            return roles[i][1];
    return NULL;
}

/* "L1d 4K 2M 64x4"; ways 0: fully associative. 4M pages are of 32-bit paging. */
static bool parse_array(char *text, struct array *a)
{
    char *rest = NULL, *word = strtok_r(text, " ", &rest);
    int n = 0;
    bool sized = false;
    if (!word || sscanf(word, "L%1u%7s", &a->level, a->kind) != 2 || !role_of(a->kind))
        return false;
    snprintf(a->name, sizeof a->name, "%s", word);
    while ((word = strtok_r(NULL, " ", &rest)) && !sized) {
        size_t at = strlen(a->name);
        sized = sscanf(word, "%5ux%5u%n", &a->entries, &a->ways, &n) == 2 && !word[n];
        if (sized || !strcmp(word, "4M"))
            continue;
        snprintf(a->name + at, sizeof a->name - at, "-%s", word);
        json_array_append_new(a->pages, json_string(word));
    }
    return sized && !word;
}

/* The arrays of one level, in the order they are told in. */
static bool add_level(json_t *tlb, const char *text, unsigned level)
{
    char copy[TEXT_MAX_BYTES], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *part = strtok_r(copy, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
        struct array a = { .pages = json_array() };
        bool good = parse_array(part, &a);
        if (good && a.level == level && a.entries && json_array_size(a.pages))
            json_array_append_new(tlb, json_pack("{s:s,s:s,s:O,s:i,s:i}", "name", a.name, "role",
                                                 role_of(a.kind), "pages", a.pages, "entries",
                                                 (int)a.entries, "ways",
                                                 (int)(a.ways ? a.ways : a.entries)));
        json_decref(a.pages);
        if (!good)
            return false;
    }
    return true;
}

int fl_machine_host(const char *text, struct fl_machine **out, struct fl_err *err)
{
    struct fl_err why = { .msg = "it is not recorded" };
    json_t *tlb = json_array();
    int rc = FL_EFORMAT;
    bool good = text && *text && strlen(text) < TEXT_MAX_BYTES;
    *out = NULL;
    for (unsigned level = 1; good && level <= LEVELS_MAX; level++)
        good = add_level(tlb, text, level);
    if (good)
        rc = machine_of_doc(json_pack("{s:s,s:s,s:s,s:i,s:i,s:O}", "name", "host", "summary",
                                      "the machine of the recording", "source",
                                      "CPUID, as the recording noted it (host.tlb)", "levels", 4,
                                      "asids", 6, "tlb", tlb),
                            out, &why);
    else if (text && *text)
        fl_fail(&why, rc, "it makes no sense");
    json_decref(tlb);
    if (rc == FL_EFORMAT)
        return fl_fail(err, FL_EDATA,
                       "what TLBs the machine of the recording has is not known (host.tlb: %s); "
                       "name another --machine, or describe it in a file",
                       why.msg);
    if (rc != FL_OK && err)
        *err = why;
    return rc;
}
