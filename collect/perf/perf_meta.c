/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_meta.h"

#include <faultline/command.h>
#include <faultline/hostinfo.h>

static int quality_keys(struct fl_meta *meta, const struct fl_perf_set *set, struct fl_err *err)
{
    int rc = FL_OK;
    if (set->exclude_kernel && set->plan.faults)
        rc = fl_meta_set(meta, "quality.kernel_faults",
                         "faults taken by system calls are missing: recorded without CAP_PERFMON "
                         "and kernel.perf_event_paranoid above 1",
                         err);
    if (rc == FL_OK && set->plan.faults && !set->have[FL_SRC_TP_USER])
        rc = fl_meta_setf(meta, err, "quality.fault_access",
                          "faults do not tell read, write or fetch: %s", set->no_access);
    return rc;
}

int fl_perf_meta(struct fl_meta *meta, const struct fl_record_opts *opts, const char *mode,
                 const struct fl_perf_set *set, struct fl_err *err)
{
    int rc = fl_command_meta(meta, opts->argv, opts->redact, mode, err);
    if (rc == FL_OK && opts->pid)
        rc = fl_meta_setf(meta, err, "record.pid", "%u", opts->pid);
    if (rc == FL_OK && opts->machine)
        rc = fl_meta_set(meta, "record.machine", "1", err);
    if (rc == FL_OK)
        rc = fl_meta_setf(meta, err, "record.ring_bytes", "%zu", set->ring_bytes);
    if (rc == FL_OK)
        rc = fl_host_meta(meta, err);
    return rc == FL_OK ? quality_keys(meta, set, err) : rc;
}
