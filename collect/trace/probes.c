/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probes.c - tracepoints and names as a trace defines them. */
#include <stdlib.h>
#include <string.h>

#include <faultline/kernel_events.h>

#define NAMES_MAX_BYTES (UINT64_C(64) << 20)
#define PROBES_MAX 65536u

/* The next word of *@at into @out, of @room bytes; the separator stays. */
static bool take_word(const char **at, const char *separators, char *out, size_t room)
{
    size_t len = strcspn(*at, separators);
    if (len == 0 || len >= room)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((*at)[i] <= ' ' || (*at)[i] >= 0x7f)
            return false;
    memcpy(out, *at, len);
    out[len] = 0;
    *at += len;
    return true;
}

static bool parse(const char *at, struct fl_probe *out)
{
    if (!take_word(&at, " ", out->name, sizeof out->name) || !strchr(out->name, ':'))
        return false;
    for (; *at; out->n_fields++) {
        if (out->n_fields == FL_HIT_VALUES || *at++ != ' ')
            return false;
        char *name = out->fields[out->n_fields].name;
        if (!take_word(&at, " :", name, sizeof out->fields[0].name) || *at++ != ':')
            return false;
        if (*at != 'u' && *at != 'i' && *at != 's')
            return false;
        out->fields[out->n_fields].type = *at++;
    }
    return true;
}

bool fl_probe_parse(const char *signature, struct fl_probe *out)
{
    *out = (struct fl_probe){ 0 };
    bool good = parse(signature, out);
    if (!good)
        *out = (struct fl_probe){ 0 };
    return good;
}

int fl_probe_field(const struct fl_probe *probe, const char *name)
{
    for (uint32_t i = 0; i < probe->n_fields; i++)
        if (strcmp(probe->fields[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* ---- a table of them ------------------------------------------------------------- */

struct fl_probes {
    struct fl_probe *probes; /* name "": the signature was none */
    uint32_t n_probes, room_probes;
    uint64_t *names; /* where the text of each begins */
    uint32_t n_names, room_names;
    char *text;
    uint64_t text_bytes, text_room;
};

struct fl_probes *fl_probes_new(void)
{
    return calloc(1, sizeof(struct fl_probes));
}

void fl_probes_free(struct fl_probes *p)
{
    if (!p)
        return;
    free(p->probes);
    free(p->names);
    free(p->text);
    free(p);
}

/* An array for one element more; false: out of memory. */
static bool room_for_one(void *array, uint32_t n, uint32_t *room, size_t size)
{
    void **at = array;
    if (n < *room)
        return true;
    uint32_t want = *room ? *room * 2 : 64;
    void *grown = want > n ? reallocarray(*at, want, size) : NULL;
    if (!grown)
        return false;
    *at = grown;
    *room = want;
    return true;
}

static int add_name(struct fl_probes *p, const char *name, struct fl_err *err)
{
    size_t len = strlen(name) + 1;
    if (len > NAMES_MAX_BYTES - p->text_bytes || p->n_names == NAMES_MAX_BYTES / 8)
        return FL_OK; /* it stays unknown, and so do those after it: ids go on */
    if (!room_for_one(&p->names, p->n_names, &p->room_names, sizeof *p->names))
        return fl_nomem(err, "names of the trace");
    while (len > p->text_room - p->text_bytes) {
        uint64_t want = p->text_room ? p->text_room * 2 : 4096;
        char *grown = realloc(p->text, want);
        if (!grown)
            return fl_nomem(err, "names of the trace");
        p->text = grown;
        p->text_room = want;
    }
    memcpy(p->text + p->text_bytes, name, len);
    p->names[p->n_names++] = p->text_bytes;
    p->text_bytes += len;
    return FL_OK;
}

int fl_probes_event(struct fl_probes *p, const struct fl_event *ev, struct fl_err *err)
{
    if (ev->kind == FL_EV_NAME && ev->name.name == p->n_names)
        return add_name(p, ev->name.text, err);
    if (ev->kind != FL_EV_PROBE || ev->probe.probe != p->n_probes || p->n_probes == PROBES_MAX)
        return FL_OK;
    if (!room_for_one(&p->probes, p->n_probes, &p->room_probes, sizeof *p->probes))
        return fl_nomem(err, "tracepoints of the trace");
    (void)fl_probe_parse(ev->probe.signature, &p->probes[p->n_probes++]);
    return FL_OK;
}

const struct fl_probe *fl_probes_at(const struct fl_probes *p, uint32_t id)
{
    return id < p->n_probes && p->probes[id].name[0] ? &p->probes[id] : NULL;
}

uint32_t fl_probes_count(const struct fl_probes *p)
{
    return p->n_probes;
}

const char *fl_probes_name(const struct fl_probes *p, uint64_t id)
{
    return id < p->n_names ? p->text + p->names[id] : NULL;
}
