/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "name value" lines: /proc/vmstat, memory.stat, memory.events. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/cgroup.h>

#include "smallfile.h"

#define NAME(name) #name,
static const char *const names[] = { FL_VM_COUNTS(NAME) };

const char *fl_vm_count_name(unsigned i)
{
    return i < FL_VM_COUNT ? names[i] : NULL;
}

bool fl_cgroup_field(const char *text, const char *name, uint64_t *value)
{
    size_t len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) != 0 || line[len] != ' ')
            continue;
        char *end;
        *value = strtoull(line + len + 1, &end, 10);
        return end != line + len + 1;
    }
    return false;
}

void fl_vm_counts_parse(const char *text, struct fl_vm_counts *out)
{
    *out = (struct fl_vm_counts){ 0 };
    for (unsigned i = 0; i < FL_VM_COUNT; i++)
        if (fl_cgroup_field(text, names[i], &out->count[i]))
            out->present |= UINT64_C(1) << i;
}

int fl_vm_counts_read(struct fl_vm_counts *out, struct fl_err *err)
{
    char *text = smallfile_read("/proc/vmstat");
    if (!text)
        return fl_fail_errno(err, "cannot read /proc/vmstat; mount /proc");
    fl_vm_counts_parse(text, out);
    free(text);
    return FL_OK;
}

struct fl_vm_counts fl_vm_counts_since(const struct fl_vm_counts *after,
                                       const struct fl_vm_counts *before)
{
    struct fl_vm_counts d = { .present = after->present & before->present };
    for (unsigned i = 0; i < FL_VM_COUNT; i++)
        if (d.present >> i & 1 && after->count[i] > before->count[i])
            d.count[i] = after->count[i] - before->count[i];
    return d;
}

uint64_t fl_vm_swap_in(const struct fl_vm_counts *c)
{
    return c->count[FL_VM_pswpin] + c->count[FL_VM_swpin_zero] + c->count[FL_VM_zswpin];
}

uint64_t fl_vm_swap_out(const struct fl_vm_counts *c)
{
    uint64_t all = c->count[FL_VM_pswpout] + c->count[FL_VM_swpout_zero] + c->count[FL_VM_zswpout];
    uint64_t twice = c->count[FL_VM_zswpwb];
    return all > twice ? all - twice : 0;
}
