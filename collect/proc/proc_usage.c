/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/proc.h>

#include "proc_file.h"
#include "proc_text.h"

static int read_stat(const char *root, uint32_t pid, uint32_t tid, struct text_stat *out,
                     struct fl_err *err)
{
    size_t len;
    char *text = proc_read((struct proc_at){ root, pid, tid, "stat" }, PROC_SMALL_BYTES, &len);
    if (!text)
        return proc_fail(err, pid, errno);
    bool ok = text_stat(text, len, out);
    free(text);
    return ok ? FL_OK
              : fl_fail(err, FL_EIO,
                        "/proc/%" PRIu32 "/stat is not as proc(5) says; is that a proc file "
                        "system?",
                        pid);
}

int fl_proc_usage(const char *root, uint32_t pid, struct fl_proc_usage *out, struct fl_err *err)
{
    struct text_stat stat;
    *out = (struct fl_proc_usage){ 0 };
    int rc = read_stat(root, pid, 0, &stat, err);
    if (rc != FL_OK)
        return rc;
    char *status = proc_read((struct proc_at){ root, pid, 0, "status" }, PROC_SMALL_BYTES, NULL);
    if (!status)
        return proc_fail(err, pid, errno);
    uint64_t rss_kib = 0, swap_kib = 0; /* a zombie has neither line */
    text_field(status, "VmRSS", &rss_kib);
    text_field(status, "VmSwap", &swap_kib);
    free(status);
    *out = (struct fl_proc_usage){ .minor_faults = stat.minor_faults,
                                   .major_faults = stat.major_faults,
                                   .threads = stat.threads,
                                   .state = stat.state };
    if (__builtin_mul_overflow(rss_kib, 1024, &out->resident_bytes) ||
        __builtin_mul_overflow(swap_kib, 1024, &out->swapped_bytes))
        out->resident_bytes = out->swapped_bytes = 0;
    memcpy(out->comm, stat.comm, sizeof out->comm);
    return FL_OK;
}

int fl_proc_faults(const char *root, uint32_t pid, uint32_t tid, uint64_t *minor, uint64_t *major,
                   struct fl_err *err)
{
    struct text_stat stat;
    int rc = read_stat(root, pid, tid, &stat, err);
    *minor = rc == FL_OK ? stat.minor_faults : 0;
    *major = rc == FL_OK ? stat.major_faults : 0;
    return rc;
}

int fl_proc_pressure(const char *root, struct fl_proc_pressure *out, struct fl_err *err)
{
    char *text =
        proc_read((struct proc_at){ root, 0, 0, "pressure/memory" }, PROC_SMALL_BYTES, NULL);
    bool ok = text && text_pressure(text, out);
    free(text);
    if (ok)
        return FL_OK;
    *out = (struct fl_proc_pressure){ 0 };
    return fl_fail(err, FL_EMACHINE,
                   "this kernel does not tell memory pressure; boot it with psi=1 (it needs "
                   "CONFIG_PSI)");
}
