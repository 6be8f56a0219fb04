/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about this machine, from /proc, /sys and CPUID. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <faultline/hostinfo.h>

#include "hostvm.h"

/* Value of "name : value" in /proc/cpuinfo, or of "Name: N kB" in /proc/meminfo. */
static bool field(const char *path, const char *name, char *value, size_t cap)
{
    char line[512];
    bool found = false;
    size_t len = strlen(name);
    FILE *f = fopen(path, "re");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, name, len) != 0 || colon == NULL ||
            strspn(line + len, " \t") != (size_t)(colon - line) - len)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = 0;
        snprintf(value, cap, "%s", colon);
        found = true;
    }
    if (f != NULL)
        fclose(f);
    return found;
}

static int set_kib_field(struct fl_meta *meta, const char *key, const char *name,
                         struct fl_err *err)
{
    char value[64];
    if (!field("/proc/meminfo", name, value, sizeof value))
        return FL_OK;
    return fl_meta_setf(meta, err, key, "%llu", strtoull(value, NULL, 10) * 1024);
}

static int set_kernel(struct fl_meta *meta, struct fl_err *err)
{
    struct utsname u;
    if (uname(&u) != 0)
        return FL_OK;
    int rc = fl_meta_set(meta, "host.kernel", u.release, err);
    return rc == FL_OK ? fl_meta_set(meta, "host.arch", u.machine, err) : rc;
}

static int set_cpu(struct fl_meta *meta, struct fl_err *err)
{
    char model[256];
    int rc = FL_OK;
    if (field("/proc/cpuinfo", "model name", model, sizeof model))
        rc = fl_meta_set(meta, "host.cpu", model, err);
    return rc == FL_OK ? fl_meta_setf(meta, err, "host.cpus", "%d", get_nprocs()) : rc;
}

/* Intel: leaf 18H lists each TLB. Appends "L1d 4K 64x4 " and the like. */
static void tlbs_of_leaf_18(char *text, size_t cap)
{
    static const char *const types[] = { NULL, "d", "i", "u", "load", "store" };
    unsigned a, b, c, d, max, sub;
    __cpuid_count(0x18, 0, max, b, c, d);
    if (max > 32)
        max = 32;
    for (sub = 0; sub <= max; sub++) {
        size_t n = strlen(text);
        __cpuid_count(0x18, sub, a, b, c, d);
        unsigned type = d & 31, ways = b >> 16;
        if (type == 0 || type > 5)
            continue;
        snprintf(text + n, cap - n, "%sL%u%s%s%s%s%s %ux%u", n ? "; " : "", (d >> 5) & 7,
                 types[type], b & 1 ? " 4K" : "", b & 2 ? " 2M" : "", b & 4 ? " 4M" : "",
                 b & 8 ? " 1G" : "", (unsigned)((unsigned long long)ways * c),
                 (d >> 8) & 1 ? 0 : ways);
    }
}

/* AMD's encoding of associativity in leaf 80000006H. */
static unsigned amd_ways(unsigned code)
{
    static const unsigned char ways[16] = { 0, 1, 2, 3, 4, 6, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0 };
    return ways[code & 15];
}

static void tlbs_of_amd(char *text, size_t cap)
{
    unsigned a, b, c, d, a2, b2;
    if (!__get_cpuid(0x80000005, &a, &b, &c, &d))
        return;
    int n = snprintf(text, cap, "L1i 4K %ux%u; L1d 4K %ux%u; L1i 2M %ux%u; L1d 2M %ux%u", b & 255,
                     ((b >> 8) & 255) == 255 ? 0 : (b >> 8) & 255, (b >> 16) & 255,
                     b >> 24 == 255 ? 0 : b >> 24, a & 255,
                     ((a >> 8) & 255) == 255 ? 0 : (a >> 8) & 255, (a >> 16) & 255,
                     a >> 24 == 255 ? 0 : a >> 24);
    if (n < 0 || (size_t)n >= cap || !__get_cpuid(0x80000006, &a2, &b2, &c, &d))
        return;
    snprintf(text + n, cap - (size_t)n, "; L2i 4K %ux%u; L2d 4K %ux%u; L2i 2M %ux%u; L2d 2M %ux%u",
             b2 & 0xfff, amd_ways(b2 >> 12), (b2 >> 16) & 0xfff, amd_ways(b2 >> 28), a2 & 0xfff,
             amd_ways(a2 >> 12), (a2 >> 16) & 0xfff, amd_ways(a2 >> 28));
}

/* "TLB PAGES ENTRIESxWAYS; ...", ways 0: fully associative. */
static int set_tlb(struct fl_meta *meta, struct fl_err *err)
{
    char text[1024] = "";
    unsigned max, vendor[4] = { 0 };
    if (!__get_cpuid(0, &max, &vendor[0], &vendor[2], &vendor[1]))
        return FL_OK;
    if (memcmp(vendor, "AuthenticAMD", 12) == 0 || memcmp(vendor, "HygonGenuine", 12) == 0)
        tlbs_of_amd(text, sizeof text);
    else if (max >= 0x18)
        tlbs_of_leaf_18(text, sizeof text);
    return *text ? fl_meta_set(meta, "host.tlb", text, err) : FL_OK;
}

int fl_host_meta(struct fl_meta *meta, struct fl_err *err)
{
    int rc = set_kernel(meta, err);
    if (rc == FL_OK)
        rc = set_kib_field(meta, "host.ram_bytes", "MemTotal", err);
    if (rc == FL_OK)
        rc = set_kib_field(meta, "host.swap_bytes", "SwapTotal", err);
    if (rc == FL_OK)
        rc = set_cpu(meta, err);
    if (rc == FL_OK)
        rc = set_tlb(meta, err);
    return rc == FL_OK ? fl_host_vm_meta(meta, err) : rc;
}
