/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody reads the events: each processor's buffer says how many there were. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/tlb_flushes.h>

#include "smallfile.h"
#include "tracing.h"

struct fl_tlb_flushes {
    char dir[FL_GUARD_PATH_BYTES];
};

int fl_tlb_flushes_open(struct fl_guard *guard, struct fl_tlb_flushes **out, struct fl_err *err)
{
    /* TLB_LOCAL_SHOOTDOWN of TLB_FLUSH_ALL: the processor's own part of a flush of several */
    static const struct tracing_event event = {
        .dir = "events/tlb/tlb_flush",
        .field = " reason;",
        .filter = "reason == 2 && pages == 0xffffffffffffffff",
        .purpose = "counting TLB flushes needs root and a kernel with tracefs and the tracepoint "
                   "tlb:tlb_flush (x86)"
    };
    struct fl_tlb_flushes *f = calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return fl_nomem(err, "TLB flushes");
    int rc = tracing_start(guard, "-tlb", &event, f->dir, err);
    if (rc == FL_OK)
        *out = f;
    else
        free(f);
    return rc;
}

void fl_tlb_flushes_close(struct fl_tlb_flushes *f)
{
    free(f);
}

static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

int fl_tlb_flushes_count(const struct fl_tlb_flushes *f, uint64_t *out, struct fl_err *err)
{
    char name[64], *stats;
    int cpu = 0;
    *out = 0;
    for (;; cpu++) {
        snprintf(name, sizeof name, "per_cpu/cpu%d/stats", cpu);
        if (!(stats = smallfile_read_at(f->dir, name)))
            break;
        *out += number_after(stats, "entries: ") + number_after(stats, "\noverrun: ");
        free(stats);
    }
    return cpu ? FL_OK : fl_fail_errno(err, "cannot read the kernel's trace");
}
