/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pmu_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool fl_pmu_device_text(const struct fl_pmu_device *dev, const char *file, char *buf, size_t size)
{
    char path[768];
    buf[0] = 0;
    snprintf(path, sizeof path, "%s/%s", dev->dir, file);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool got = fgets(buf, (int)size, f) != NULL;
    fclose(f);
    if (!got)
        buf[0] = 0;
    buf[strcspn(buf, "\n")] = 0;
    return got;
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && *end == 0;
}

uint64_t fl_pmu_device_number(const struct fl_pmu_device *dev, const char *file, uint64_t fallback)
{
    char text[64];
    uint64_t v;
    return fl_pmu_device_text(dev, file, text, sizeof text) && number(text, &v) ? v : fallback;
}

bool fl_pmu_device_find(const char *sysfs, const char *name, struct fl_pmu_device *out)
{
    int n = snprintf(out->dir, sizeof out->dir, "%s/bus/event_source/devices/%s", sysfs, name);
    if (n < 0 || (size_t)n >= sizeof out->dir)
        return false;
    uint64_t type = fl_pmu_device_number(out, "type", UINT64_MAX);
    out->type = (uint32_t)type;
    return type <= UINT32_MAX;
}

static __u64 *word_of(struct perf_event_attr *attr, const char *text, size_t n)
{
    if (n == 6 && memcmp(text, "config", n) == 0)
        return &attr->config;
    if (n == 7 && memcmp(text, "config1", n) == 0)
        return &attr->config1;
    if (n == 7 && memcmp(text, "config2", n) == 0)
        return &attr->config2;
    return NULL; /* config3 and later: nothing we set is there */
}

/* One "7" or "0-7" of a list; false at anything else. */
static bool next_range(const char **at, unsigned *low, unsigned *high)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    unsigned long a = strtoul(*at, &end, 10), b = a;
    if (*end == '-')
        b = strtoul(end + 1, &end, 10);
    if (a > b || b > 63 || (*end && *end != ','))
        return false;
    *low = (unsigned)a;
    *high = (unsigned)b;
    *at = *end ? end + 1 : end;
    return true;
}

bool fl_pmu_device_set(const struct fl_pmu_device *dev, struct perf_event_attr *attr,
                       const char *term, uint64_t value)
{
    char file[128], format[128];
    snprintf(file, sizeof file, "format/%s", term);
    if (!fl_pmu_device_text(dev, file, format, sizeof format))
        return false;
    const char *colon = strchr(format, ':');
    __u64 *word = colon ? word_of(attr, format, (size_t)(colon - format)) : NULL;
    if (!word)
        return false;
    uint64_t set = *word;
    const char *at = colon + 1;
    unsigned low, high;
    do { /* the value's low bits go to the first range, the next ones to the second */
        if (!next_range(&at, &low, &high))
            return false;
        unsigned bits = high - low + 1;
        uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        set = (set & ~(mask << low)) | (value & mask) << low;
        value = bits == 64 ? 0 : value >> bits;
    } while (*at);
    if (value)
        return false;
    *word = set;
    return true;
}

bool fl_pmu_device_event(const struct fl_pmu_device *dev, const char *name,
                         struct perf_event_attr *attr)
{
    char file[128], terms[256], *save = NULL;
    snprintf(file, sizeof file, "events/%s", name);
    if (!fl_pmu_device_text(dev, file, terms, sizeof terms))
        return false;
    for (char *term = strtok_r(terms, ",", &save); term; term = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(term, '=');
        uint64_t value = 1; /* a term alone is a bit */
        if (equals) {
            *equals = 0;
            if (!number(equals + 1, &value))
                return false;
        }
        if (!fl_pmu_device_set(dev, attr, term, value))
            return false;
    }
    attr->type = dev->type;
    return true;
}
