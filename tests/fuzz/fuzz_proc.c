/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a text of proc; the first byte picks the text. None may break what proc.h promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int check_map(void *ctx, const struct fl_proc_map *m, struct fl_err *err)
{
    uint64_t *covered = ctx;
    struct fl_proc_stack sp = { m->start, 7 };
    const struct fl_proc_stacks stacks = { &sp, 1, 0 };
    char label[32];
    (void)err;
    must(m->start >= *covered && m->start < m->end && !((m->start | m->end) & 4095));
    must(m->has_file != ((m->flags & FL_MAP_ANON) != 0) && (!m->is_deleted || m->has_file));
    must(m->prot <= 7 && m->name &&
         (m->has_file || !*m->name || *m->name == '[' || *m->name == '/'));
    must(strlen(fl_proc_map_label(m, &stacks, label, sizeof label)) < sizeof label && *label);
    *covered = m->end;
    return FL_OK;
}

static void maps(const char *text, size_t len)
{
    uint64_t covered = 0;
    size_t malformed;
    must(fl_proc_maps_parse(text, len, check_map, &covered, &malformed, NULL) == FL_OK);
    must(malformed <= len);
}

static void stat(const char *text, size_t len)
{
    struct text_stat s;
    if (text_stat(text, len, &s))
        must(memchr(s.comm, 0, sizeof s.comm) != NULL && (s.state == '?' || s.state >= 'A'));
}

static void fields(const char *text, size_t len)
{
    uint64_t n;
    (void)len;
    text_field(text, "VmRSS", &n);
    text_field(text, "Tgid", &n);
}

static void stack_pointer(const char *text, size_t len)
{
    text_stack_pointer(text, len);
}

static void pressure(const char *text, size_t len)
{
    struct fl_proc_pressure p;
    (void)len;
    if (text_pressure(text, &p))
        must(p.some_avg10_bp <= 10099 && p.full_avg10_bp <= 10099);
}

struct joined {
    const char *text;
    size_t at, len;
};

static int follow(void *ctx, const struct fl_event *e, struct fl_err *err)
{
    struct joined *j = ctx;
    size_t n = strlen(e->snapshot.text);
    (void)err;
    must(n <= 65536 && n >= 5 && memcmp(e->snapshot.text, "stat\n", 5) == 0);
    for (size_t i = 5; i < n; i++, j->at++)
        must(j->at < j->len && e->snapshot.text[i] == (j->text[j->at] ? j->text[j->at] : '?'));
    return FL_OK;
}

static void pieces(const char *text, size_t len)
{
    static const char *const names[] = { "status", "stat", "slabinfo", "vmstat" };
    struct joined j = { text, 0, len };
    must(text_pieces("stat", text, len, 1, 0, follow, &j, NULL) == FL_OK && j.at == len);
    for (size_t i = 0; i < 4; i++) {
        char *copy = malloc(len + 1);
        if (!copy)
            return;
        memcpy(copy, text, len);
        must(text_redact(names[i], copy, len) <= len);
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const char *, size_t) = { maps,          stat,     fields,
                                                             stack_pointer, pressure, pieces };
    if (size < 1)
        return 0;
    char *text = malloc(size); /* a NUL instead of the first byte, and no room more */
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    targets[data[0] % (sizeof targets / sizeof targets[0])](text, size - 1);
    free(text);
    return 0;
}
