/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose processor this is, from the text of /proc/cpuinfo. */
#include "pmu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/units.h>

/* The text behind "KEY<blanks>:" in the first block of lines; false when it is not there. */
static bool value_of(const char *text, const char *key, char *out, size_t size)
{
    size_t n = strlen(key);
    out[0] = 0;
    for (const char *line = text; *line && *line != '\n';) {
        const char *end = line + strcspn(line, "\n");
        const char *p = line + n;
        if ((size_t)(end - line) > n && memcmp(line, key, n) == 0) {
            p += strspn(p, " \t");
            if (*p == ':') {
                p++;
                p += strspn(p, " \t");
                int len = p < end ? (int)(end - p) : 0;
                snprintf(out, size, "%.*s", len, p);
                return true;
            }
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

static uint32_t number_of(const char *text, const char *key)
{
    char value[64];
    return value_of(text, key, value, sizeof value) ? (uint32_t)strtoul(value, NULL, 0) : 0;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
            return true;
    return false;
}

static void parse_arm(const char *text, struct fl_pmu_cpu *out)
{
    uint32_t maker = number_of(text, "CPU implementer"), part = number_of(text, "CPU part");
    out->vendor = FL_PMU_ARM;
    out->midr = (uint64_t)(maker & 0xff) << 24 | (number_of(text, "CPU variant") & 0xf) << 20 |
                0xfu << 16 | (part & 0xfff) << 4 | (number_of(text, "CPU revision") & 0xf);
    snprintf(out->name, sizeof out->name, "Arm, maker 0x%x part 0x%x", maker, part);
}

void fl_pmu_cpu_parse(const char *cpuinfo, struct fl_pmu_cpu *out)
{
    static const struct {
        const char *id, *name;
        enum fl_pmu_vendor vendor;
    } makers[] = {
        { "GenuineIntel", "Intel", FL_PMU_INTEL },
        { "AuthenticAMD", "AMD", FL_PMU_AMD },
        { "HygonGenuine", "Hygon", FL_PMU_AMD },
    };
    char text[64], flags[8192];
    *out = (struct fl_pmu_cpu){ .name = "unknown processor" };
    if (value_of(cpuinfo, "CPU implementer", text, sizeof text)) {
        parse_arm(cpuinfo, out);
        return;
    }
    if (!value_of(cpuinfo, "vendor_id", text, sizeof text))
        return;
    out->family = number_of(cpuinfo, "cpu family");
    out->model = number_of(cpuinfo, "model");
    out->stepping = number_of(cpuinfo, "stepping");
    if (value_of(cpuinfo, "flags", flags, sizeof flags))
        out->virtual_machine = has_word(flags, "hypervisor");
    for (size_t i = 0; i < FL_COUNT(makers); i++)
        if (strcmp(text, makers[i].id) == 0) {
            out->vendor = makers[i].vendor;
            snprintf(out->name, sizeof out->name, "%s family %u model %u", makers[i].name,
                     out->family, out->model);
            return;
        }
    snprintf(out->name, sizeof out->name, "%.32s family %u", text, out->family);
}
