/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

#define SIZES_MAX 65536u

int fl_parse_u64(const char *text, uint64_t *out, struct fl_err *err)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return fl_fail(err, FL_EUSAGE, "'%s' is not a number", text);
    unsigned long long v = strtoull(text, &end, 10);
    if (*end)
        return fl_fail(err, FL_EUSAGE, "'%s' is not a number", text);
    if (errno == ERANGE)
        return fl_fail(err, FL_EUSAGE, "'%s' does not fit in 64 bits", text);
    *out = v;
    return FL_OK;
}

/* digits[.digits] as value * 10^-decimals; at most 4 decimals kept, no more accepted. */
static bool parse_decimal(const char **text, uint64_t *value, unsigned *decimals)
{
    const char *p = *text;
    if (!isdigit((unsigned char)*p))
        return false;
    *value = 0;
    *decimals = 0;
    for (bool point = false;; p++) {
        if (*p == '.' && !point && isdigit((unsigned char)p[1])) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            break;
        if (point && ++*decimals > 4)
            return false;
        if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
            __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value))
            return false;
    }
    *text = p;
    return true;
}

static uint64_t pow10_u64(unsigned n)
{
    uint64_t v = 1;
    while (n--)
        v *= 10;
    return v;
}

/* Returns the shift for a unit suffix, or -1. */
static int unit_shift(const char *suffix)
{
    static const char letters[] = "KMGTPE";
    if (!*suffix || !strcmp(suffix, "B"))
        return 0;
    const char *at = strchr(letters, toupper((unsigned char)suffix[0]));
    if (!at)
        return -1;
    const char *rest = suffix + 1;
    if (*rest && strcmp(rest, "B") && strcmp(rest, "iB"))
        return -1;
    return (int)(at - letters + 1) * 10;
}

/* value * 10^-decimals percent in basis points; at most 1000000 %. */
static bool percent_bp(uint64_t value, unsigned decimals, uint32_t *out)
{
    unsigned __int128 scaled = (unsigned __int128)value * 100 / pow10_u64(decimals);
    *out = (uint32_t)scaled;
    return scaled <= 100000000;
}

int fl_parse_percent(const char *text, uint32_t *out_bp, struct fl_err *err)
{
    uint64_t value;
    unsigned decimals;
    const char *p = text;
    if (!parse_decimal(&p, &value, &decimals) || strcmp(p, "%") != 0)
        return fl_fail(err, FL_EUSAGE, "'%s' is not a percentage, like 5%% or 2.5%%", text);
    if (!percent_bp(value, decimals, out_bp) || (decimals > 2 && value % pow10_u64(decimals - 2)))
        return fl_fail(err, FL_EUSAGE, "'%s': at most 1000000%%, with at most two decimals", text);
    return FL_OK;
}

int fl_parse_size(const char *text, struct fl_size *out, struct fl_err *err)
{
    uint64_t value;
    unsigned decimals;
    const char *p = text;
    int shift;

    *out = (struct fl_size){ 0 };
    if (!strcmp(text, "max")) {
        out->bytes = FL_SIZE_MAX_BYTES;
        return FL_OK;
    }
    if (!parse_decimal(&p, &value, &decimals))
        goto bad;
    unsigned __int128 scaled = value;
    if (!strcmp(p, "%")) {
        if (!percent_bp(value, decimals, &out->percent_bp) || out->percent_bp == 0) {
            out->percent_bp = 0;
            return fl_fail(err, FL_EUSAGE, "'%s': a percentage from 0.01%% to 1000000%%", text);
        }
        return FL_OK;
    }
    shift = unit_shift(p);
    if (shift < 0 || (decimals && shift == 0))
        goto bad;
    scaled = (scaled << shift) / pow10_u64(decimals);
    if (scaled >= FL_SIZE_MAX_BYTES)
        return fl_fail(err, FL_EUSAGE, "size '%s' does not fit in 64 bits", text);
    out->bytes = (uint64_t)scaled;
    return FL_OK;
bad:
    return fl_fail(err, FL_EUSAGE, "'%s' is not a size: write 4096, 64K, 512M, 2G, 50%% or max",
                   text);
}

struct size_vec {
    struct fl_size *at;
    size_t n, room;
};

static int push_size(struct size_vec *v, struct fl_size s, struct fl_err *err)
{
    if (v->n == SIZES_MAX)
        return fl_fail(err, FL_EUSAGE, "more than %u sizes in one list", SIZES_MAX);
    if (v->n == v->room) {
        size_t room = v->room ? v->room * 2 : 16;
        struct fl_size *at = realloc(v->at, room * sizeof *at);
        if (!at)
            return fl_nomem(err, "size list");
        v->at = at;
        v->room = room;
    }
    v->at[v->n++] = s;
    return FL_OK;
}

/* FIRST..LAST/STEPS: STEPS even steps with both ends among them. */
static int push_range(struct size_vec *v, char *item, char *dots, struct fl_err *err)
{
    struct fl_size first, last;
    uint64_t steps;
    char *slash = strchr(dots + 2, '/');

    if (!slash)
        return fl_fail(err, FL_EUSAGE, "range '%s': write FIRST..LAST/STEPS, like 64M..1G/16",
                       item);
    *dots = *slash = '\0';
    int rc = fl_parse_size(item, &first, err);
    if (rc == FL_OK)
        rc = fl_parse_size(dots + 2, &last, err);
    if (rc == FL_OK)
        rc = fl_parse_u64(slash + 1, &steps, err);
    if (rc != FL_OK)
        return rc;
    bool percent = first.percent_bp != 0;
    uint64_t lo = percent ? first.percent_bp : first.bytes;
    uint64_t hi = percent ? last.percent_bp : last.bytes;
    if (percent != (last.percent_bp != 0) || hi < lo || first.bytes == FL_SIZE_MAX_BYTES ||
        last.bytes == FL_SIZE_MAX_BYTES)
        return fl_fail(err, FL_EUSAGE,
                       "range %s..%s: both ends must be sizes of one kind, in order", item,
                       dots + 2);
    if (steps < 2 || steps > SIZES_MAX)
        return fl_fail(err, FL_EUSAGE, "range %s..%s/%s: between 2 and %u steps", item, dots + 2,
                       slash + 1, SIZES_MAX);
    for (uint64_t i = 0; i < steps && rc == FL_OK; i++) {
        uint64_t x = lo + (uint64_t)((unsigned __int128)(hi - lo) * i / (steps - 1));
        struct fl_size s = { .bytes = percent ? 0 : x, .percent_bp = percent ? (uint32_t)x : 0 };
        rc = push_size(v, s, err);
    }
    return rc;
}

int fl_parse_size_list(const char *text, struct fl_size **out, size_t *n, struct fl_err *err)
{
    struct size_vec v = { 0 };
    char *copy = strdup(text), *save = NULL;
    int rc = copy ? FL_OK : fl_nomem(err, "size list");

    *out = NULL;
    *n = 0;
    if (rc == FL_OK &&
        (!*text || text[strlen(text) - 1] == ',' || *text == ',' || strstr(text, ",,")))
        rc = fl_fail(err, FL_EUSAGE, "'%s' is not a list of sizes, like 64M,128M or 64M..1G/16",
                     text);
    for (char *item = copy; rc == FL_OK && (item = strtok_r(item, ",", &save)); item = NULL) {
        struct fl_size s;
        char *dots = strstr(item, "..");
        if (dots) {
            rc = push_range(&v, item, dots, err);
        } else {
            rc = fl_parse_size(item, &s, err);
            if (rc == FL_OK)
                rc = push_size(&v, s, err);
        }
    }
    free(copy);
    if (rc != FL_OK) {
        free(v.at);
        return rc;
    }
    *out = v.at;
    *n = v.n;
    return FL_OK;
}

int fl_parse_duration_ns(const char *text, uint64_t *out, struct fl_err *err)
{
    static const struct {
        const char *suffix;
        uint64_t ns;
    } units[] = { { "", 1000000000 }, { "s", 1000000000 },  { "ms", 1000000 },
                  { "us", 1000 },     { "m", 60000000000 }, { "h", 3600000000000 } };
    uint64_t value;
    unsigned decimals;
    const char *p = text;

    if (parse_decimal(&p, &value, &decimals))
        for (size_t i = 0; i < FL_COUNT(units); i++)
            if (!strcmp(p, units[i].suffix)) {
                unsigned __int128 ns = (unsigned __int128)value * units[i].ns / pow10_u64(decimals);
                if (ns > UINT64_MAX / 2)
                    break;
                *out = (uint64_t)ns;
                return FL_OK;
            }
    return fl_fail(err, FL_EUSAGE, "'%s' is not a duration: write 2, 1.5s, 250ms or 3m", text);
}

uint64_t fl_size_bytes(const struct fl_size *size, uint64_t peak_bytes)
{
    if (!size->percent_bp)
        return size->bytes;
    unsigned __int128 bytes = (unsigned __int128)peak_bytes * size->percent_bp / 10000;
    return bytes > UINT64_MAX ? UINT64_MAX : (uint64_t)bytes;
}

char *fl_format_bytes(char *buf, uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t u = 0;
    uint64_t unit = 1;
    unsigned __int128 all = bytes;
    /* to the nearest: 1,048,575 bytes are a MiB */
    while (u + 1 < FL_COUNT(units) && (all + unit / 2) / unit >= 1024) {
        unit *= 1024;
        u++;
    }
    uint64_t whole = (uint64_t)((all + unit / 2) / unit);
    uint64_t tenths = (uint64_t)((all * 10 + unit / 2) / unit);
    if (u == 0 || tenths >= 1000)
        snprintf(buf, FL_FORMAT_BYTES, "%" PRIu64 " %s", whole, units[u]);
    else
        snprintf(buf, FL_FORMAT_BYTES, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
                 units[u]);
    return buf;
}

char *fl_format_count(char *buf, uint64_t count)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *p = buf;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return buf;
}
