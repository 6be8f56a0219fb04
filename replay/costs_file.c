/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Costs as JSON, "faultline.costs/1": what `faultline calibrate` writes and --costs reads. */
#include <string.h>

#include <jansson.h>

#include <faultline/costs.h>
#include <faultline/units.h>

#define SCHEMA "faultline.costs/1"

static const struct {
    const char *name;
    size_t at;
} tlb_keys[] = {
    { "entries", offsetof(struct fl_tlb_kept, entries) },
    { "per_fault", offsetof(struct fl_tlb_kept, per_fault) },
    { "per_page_out", offsetof(struct fl_tlb_kept, per_page_out) },
};

static const char *const done_names[] = { "together", "singly" }; /* by disk_singly */

/* ---- writing ---------------------------------------------------------------------- */

json_t *fl_tlb_kept_json(const struct fl_tlb_kept *tlb)
{
    json_t *o = json_object();
    for (size_t i = 0; i < FL_COUNT(tlb_keys); i++) {
        uint32_t number;
        memcpy(&number, (const char *)tlb + tlb_keys[i].at, sizeof number);
        json_object_set_new(o, tlb_keys[i].name, json_integer(number));
    }
    return o;
}

json_t *fl_costs_json(const struct fl_costs *costs)
{
    json_t *ps = json_object(), *spread = json_object(), *defaults = json_array();
    for (int c = 0; c < FL_COST_COUNT; c++) {
        const char *name = fl_cost_name((enum fl_cost)c);
        json_object_set_new(ps, name, json_integer((json_int_t)costs->ps[c]));
        if (costs->high_ps[c])
            json_object_set_new(
                spread, name,
                json_pack("[I,I]", (json_int_t)costs->low_ps[c], (json_int_t)costs->high_ps[c]));
        if (!costs->given[c])
            json_array_append_new(defaults, json_string(name));
    }
    json_t *all = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "schema", SCHEMA, "source", costs->source,
                            "swap_device", fl_swap_device_name(costs->swap_device), "ps", ps,
                            "spread_ps", spread, "defaults", defaults);
    if (all)
        json_object_set_new(all, "disk_done", json_string(done_names[costs->disk_singly]));
    if (all && costs->tlb.entries)
        json_object_set_new(all, "tlb", fl_tlb_kept_json(&costs->tlb));
    return all;
}

int fl_costs_write(const struct fl_costs *costs, FILE *out, struct fl_err *err)
{
    json_t *json = fl_costs_json(costs);
    if (!json)
        return fl_nomem(err, "costs");
    int rc = json_dumpf(json, out, JSON_INDENT(1)) == 0 && fputc('\n', out) != EOF
                 ? FL_OK
                 : fl_fail_errno(err, "cannot write the costs");
    json_decref(json);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------ */

/* For messages: no control characters, not too long. */
static const char *shown(char buf[41], const char *text)
{
    snprintf(buf, 41, "%s", text);
    for (char *p = buf; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return buf;
}

static int cost_named(const char *name)
{
    int c = 0;
    while (c < FL_COST_COUNT && strcmp(fl_cost_name((enum fl_cost)c), name) != 0)
        c++;
    return c;
}

static bool is_ps(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0 &&
           (uint64_t)json_integer_value(v) <= FL_COST_PS_MAX;
}

static int get_source(const json_t *v, struct fl_costs *out, struct fl_err *err)
{
    const char *text = json_string_value(v);
    size_t len = text ? strlen(text) : 0;
    if (len < 1 || len >= sizeof out->source)
        return fl_fail(err, FL_EFORMAT, "'source' must be a text of 1 to %zu bytes",
                       sizeof out->source - 1);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return fl_fail(err, FL_EFORMAT, "'source' has a control character");
    memcpy(out->source, text, len + 1);
    return FL_OK;
}

static int get_device(const json_t *v, struct fl_costs *out, struct fl_err *err)
{
    const char *text = json_string_value(v);
    for (int d = FL_SWAP_DEVICE_ZRAM; text && d <= FL_SWAP_DEVICE_DISK; d++)
        if (!strcmp(text, fl_swap_device_name((enum fl_swap_device)d))) {
            out->swap_device = (enum fl_swap_device)d;
            return FL_OK;
        }
    return fl_fail(err, FL_EFORMAT, "'swap_device' must be \"zram\" or \"disk\"");
}

static int get_done(const json_t *v, struct fl_costs *out, struct fl_err *err)
{
    const char *text = json_string_value(v);
    for (int singly = 0; text && singly < 2; singly++)
        if (!strcmp(text, done_names[singly])) {
            out->disk_singly = singly;
            return FL_OK;
        }
    return fl_fail(err, FL_EFORMAT, "'disk_done' must be \"together\" or \"singly\"");
}

static int get_ps(const json_t *ps, struct fl_costs *out, struct fl_err *err)
{
    const char *key;
    json_t *value;
    char name[41];
    if (!json_is_object(ps))
        return fl_fail(err, FL_EFORMAT, "'ps' must be an object of costs in picoseconds");
    json_object_foreach((json_t *)(uintptr_t)ps, key, value)
    {
        int c = cost_named(key);
        if (c == FL_COST_COUNT)
            return fl_fail(err, FL_EFORMAT, "unknown cost 'ps.%s'", shown(name, key));
        if (!is_ps(value))
            return fl_fail(err, FL_EFORMAT, "'ps.%s' must be a whole number from 0 to %llu", key,
                           (unsigned long long)FL_COST_PS_MAX);
        out->ps[c] = (uint64_t)json_integer_value(value);
        out->low_ps[c] = out->high_ps[c] = 0;
        out->given[c] = true;
    }
    return FL_OK;
}

static int get_spread(const json_t *spread, struct fl_costs *out, struct fl_err *err)
{
    const char *key;
    json_t *value;
    char name[41];
    if (!json_is_object(spread))
        return fl_fail(err, FL_EFORMAT, "'spread_ps' must be an object");
    json_object_foreach((json_t *)(uintptr_t)spread, key, value)
    {
        int c = cost_named(key);
        const json_t *low = json_array_get(value, 0), *high = json_array_get(value, 1);
        if (c == FL_COST_COUNT)
            return fl_fail(err, FL_EFORMAT, "unknown cost 'spread_ps.%s'", shown(name, key));
        if (json_array_size(value) != 2 || !is_ps(low) || !is_ps(high))
            return fl_fail(err, FL_EFORMAT, "'spread_ps.%s' must be two numbers, low and high",
                           key);
        out->low_ps[c] = (uint64_t)json_integer_value(low);
        out->high_ps[c] = (uint64_t)json_integer_value(high);
    }
    return FL_OK;
}

static int get_defaults(const json_t *defaults, struct fl_costs *out, struct fl_err *err)
{
    size_t i;
    json_t *v;
    if (!json_is_array(defaults))
        return fl_fail(err, FL_EFORMAT, "'defaults' must be an array of names");
    json_array_foreach((json_t *)(uintptr_t)defaults, i, v)
    {
        int c = json_is_string(v) ? cost_named(json_string_value(v)) : FL_COST_COUNT;
        if (c == FL_COST_COUNT)
            return fl_fail(err, FL_EFORMAT, "'defaults[%zu]' is no cost", i);
        out->given[c] = false;
    }
    return FL_OK;
}

int fl_tlb_kept_parse(const json_t *tlb, struct fl_tlb_kept *out, struct fl_err *err)
{
    struct fl_tlb_kept read;
    if (json_object_size(tlb) != FL_COUNT(tlb_keys))
        return fl_fail(err, FL_EFORMAT,
                       "'tlb' must be an object of entries, per_fault and per_page_out");
    for (size_t i = 0; i < FL_COUNT(tlb_keys); i++) {
        const json_t *v = json_object_get(tlb, tlb_keys[i].name);
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            json_integer_value(v) > FL_TLB_KEPT_MAX)
            return fl_fail(err, FL_EFORMAT, "'tlb.%s' must be a whole number from 0 to %u",
                           tlb_keys[i].name, FL_TLB_KEPT_MAX);
        uint32_t number = (uint32_t)json_integer_value(v);
        memcpy((char *)&read + tlb_keys[i].at, &number, sizeof number);
    }
    *out = read;
    return FL_OK;
}

static int get_tlb(const json_t *tlb, struct fl_costs *out, struct fl_err *err)
{
    return fl_tlb_kept_parse(tlb, &out->tlb, err);
}

static int get_schema(const json_t *v, struct fl_costs *out, struct fl_err *err)
{
    (void)out;
    const char *text = json_string_value(v);
    return text && !strcmp(text, SCHEMA)
               ? FL_OK
               : fl_fail(err, FL_EFORMAT, "'schema' must be \"" SCHEMA "\"");
}

/* In the order they are taken: `defaults` corrects what `ps` says. */
static const struct {
    const char *key;
    int (*get)(const json_t *v, struct fl_costs *out, struct fl_err *err);
} keys[] = {
    { "schema", get_schema },    { "source", get_source },     { "swap_device", get_device },
    { "disk_done", get_done },   { "tlb", get_tlb },           { "ps", get_ps },
    { "spread_ps", get_spread }, { "defaults", get_defaults },
};

int fl_costs_parse(const json_t *json, struct fl_costs *out, struct fl_err *err)
{
    const char *key;
    json_t *value;
    char name[41];
    int rc = FL_OK;
    if (!json_is_object(json))
        return fl_fail(err, FL_EFORMAT,
                       "costs must be one object, as 'faultline calibrate' writes");
    *out = *fl_costs_default();
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        size_t i = 0;
        while (i < FL_COUNT(keys) && strcmp(keys[i].key, key) != 0)
            i++;
        if (i == FL_COUNT(keys))
            return fl_fail(err, FL_EFORMAT, "unknown key '%s'", shown(name, key));
    }
    if (!json_object_get(json, "source"))
        return fl_fail(err, FL_EFORMAT, "'source' is missing: say where the costs are from");
    for (size_t i = 0; i < FL_COUNT(keys) && rc == FL_OK; i++)
        if ((value = json_object_get(json, keys[i].key)))
            rc = keys[i].get(value, out, err);
    return rc;
}

int fl_costs_load(const char *path, struct fl_costs *out, struct fl_err *err)
{
    struct fl_err bad = { .code = FL_OK };
    json_error_t why;
    FILE *f = fopen(path, "re");
    if (!f)
        return fl_fail_errno(err, "cannot read the costs %s", path);
    json_t *json = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
    fclose(f);
    if (!json) {
        for (char *p = why.text; *p; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                *p = ' ';
        if (json_error_code(&why) == json_error_out_of_memory)
            return fl_nomem(err, "costs");
        return fl_fail(err, FL_EFORMAT, "%s holds no costs: line %d: %s", path, why.line, why.text);
    }
    int rc = fl_costs_parse(json, out, &bad);
    json_decref(json);
    return rc == FL_OK ? rc : fl_fail(err, rc, "%s holds no costs: %s", path, bad.msg);
}
