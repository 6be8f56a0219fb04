/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attr.h"

#include <inttypes.h>
#include <perfmon/pfmlib_perf_event.h>
#include <string.h>
#include <time.h>

#include <faultline/units.h>

#include "tracepoint.h"

static const struct {
    const char *name;
    const char *pfm_event; /* NULL: not an event libpfm4 encodes */
    uint64_t sample_type;
} sources[FL_SRC_COUNT] = {
    [FL_SRC_TRACK] = { "track", NULL, FL_SAMPLE_FAULT },
    [FL_SRC_MINOR] = { "minor", "perf::MINOR-FAULTS", FL_SAMPLE_FAULT },
    [FL_SRC_MAJOR] = { "major", "perf::MAJOR-FAULTS", FL_SAMPLE_MAJOR },
    [FL_SRC_TP_USER] = { "page_fault_user", NULL, FL_SAMPLE_TRACEPOINT },
    [FL_SRC_TP_KERNEL] = { "page_fault_kernel", NULL, FL_SAMPLE_TRACEPOINT },
    [FL_SRC_TP_NEWTASK] = { "task_newtask", NULL, FL_SAMPLE_TRACEPOINT },
    [FL_SRC_PROBE] = { "probe", NULL, FL_SAMPLE_TRACEPOINT },
    [FL_SRC_SAMPLE] = { "sample", NULL, 0 /* its plan says */ },
};

const char *fl_perf_source_name(enum fl_perf_source source)
{
    return (unsigned)source < FL_SRC_COUNT ? sources[source].name : "?";
}

static int encode_named(const char *event, struct perf_event_attr *attr, struct fl_err *err)
{
    pfm_perf_encode_arg_t arg = { .attr = attr, .size = sizeof arg };
    int rc = pfm_initialize();
    if (rc == PFM_SUCCESS)
        rc = pfm_get_os_event_encoding(event, PFM_PLM0 | PFM_PLM3, PFM_OS_PERF_EVENT, &arg);
    if (rc != PFM_SUCCESS)
        return fl_fail(err, FL_EINTERNAL, "libpfm4 cannot encode %s: %s", event, pfm_strerror(rc));
    return FL_OK;
}

static int choose_event(const struct fl_attr_request *req, struct perf_event_attr *attr,
                        struct fl_err *err)
{
    if (req->source == FL_SRC_PROBE && req->tracepoint_id == FL_TP_ID_BPF) {
        attr->type = PERF_TYPE_SOFTWARE;
        attr->config = PERF_COUNT_SW_BPF_OUTPUT;
    } else if (req->source >= FL_SRC_TP_USER) {
        attr->type = PERF_TYPE_TRACEPOINT;
        attr->config = req->tracepoint_id;
    } else if (sources[req->source].pfm_event) {
        return encode_named(sources[req->source].pfm_event, attr, err);
    } else {
        attr->type = PERF_TYPE_SOFTWARE;
        attr->config = PERF_COUNT_SW_DUMMY; /* libpfm4 has no name for it */
    }
    return FL_OK;
}

/* Planned and settled by pmu.h: nothing is added to what the kernel has agreed to. */
static int build_sampled(const struct fl_attr_request *req, struct perf_event_attr *attr,
                         struct fl_err *err)
{
    if (!req->sampled)
        return fl_fail(err, FL_EINTERNAL, "a sampled event that is none");
    *attr = *req->sampled;
    attr->enable_on_exec = !req->running;
    attr->inherit = !req->machine;
    return FL_OK;
}

int fl_attr_build(const struct fl_attr_request *req, struct perf_event_attr *attr,
                  struct fl_err *err)
{
    memset(attr, 0, sizeof *attr);
    if ((unsigned)req->source >= FL_SRC_COUNT)
        return fl_fail(err, FL_EINTERNAL, "no perf event source %d", (int)req->source);
    if (req->source == FL_SRC_SAMPLE)
        return build_sampled(req, attr, err);
    int rc = choose_event(req, attr, err);
    if (rc != FL_OK)
        return rc;
    attr->size = sizeof *attr;
    attr->sample_period = 1;
    attr->sample_type |= sources[req->source].sample_type;
    attr->read_format |= req->old_kernel ? 0 : FL_PERF_FORMAT_LOST;
    attr->read_format |= req->times ? FL_PERF_FORMAT_TIMES : 0;
    attr->disabled = 1;
    attr->enable_on_exec = !req->running;
    attr->inherit = !req->machine;
    attr->exclude_kernel = req->exclude_kernel;
    if (req->stacks && (attr->sample_type & PERF_SAMPLE_IP)) {
        attr->sample_type |= PERF_SAMPLE_CALLCHAIN;
        attr->exclude_callchain_kernel = 1;
    }
    attr->exclude_hv = 1;
    attr->exclude_guest = 0;
    attr->sample_id_all = 1;
    attr->use_clockid = 1;
    attr->clockid = CLOCK_MONOTONIC;
    attr->watermark = 1;
    attr->wakeup_watermark = req->wakeup_bytes;
    if (req->source == FL_SRC_TRACK) {
        attr->mmap = 1;
        attr->mmap2 = 1;
        attr->mmap_data = 1;
        attr->comm = 1;
        attr->comm_exec = 1;
        attr->task = 1;
    }
    return FL_OK;
}

static void dump_bits(uint64_t bits, const char *const *names, size_t n, FILE *out)
{
    const char *sep = "";
    for (size_t i = 0; i < n; i++)
        if (bits >> i & 1) {
            fprintf(out, "%s%s", sep, names[i]);
            sep = "|";
        }
    if (n < 64 && bits >> n)
        fprintf(out, "%s0x%" PRIx64, sep, bits >> n << n);
    fputc('\n', out);
}

/* Bit by bit, as linux/perf_event.h numbers them. */
static const char *const sample_names[] = { "IP",
                                            "TID",
                                            "TIME",
                                            "ADDR",
                                            "READ",
                                            "CALLCHAIN",
                                            "ID",
                                            "CPU",
                                            "PERIOD",
                                            "STREAM_ID",
                                            "RAW",
                                            "BRANCH_STACK",
                                            "REGS_USER",
                                            "STACK_USER",
                                            "WEIGHT",
                                            "DATA_SRC",
                                            "IDENTIFIER",
                                            "TRANSACTION",
                                            "REGS_INTR",
                                            "PHYS_ADDR",
                                            "AUX",
                                            "CGROUP",
                                            "DATA_PAGE_SIZE",
                                            "CODE_PAGE_SIZE",
                                            "WEIGHT_STRUCT" };
static const char *const read_names[] = {
    "TOTAL_TIME_ENABLED", "TOTAL_TIME_RUNNING", "ID", "GROUP", "LOST",
};

void fl_attr_dump(const struct perf_event_attr *attr, FILE *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } flags[] = {
        { "config1", attr->config1 },
        { "config2", attr->config2 },
        { "disabled", attr->disabled },
        { "inherit", attr->inherit },
        { "exclude_user", attr->exclude_user },
        { "exclude_kernel", attr->exclude_kernel },
        { "exclude_hv", attr->exclude_hv },
        { "exclude_guest", attr->exclude_guest },
        { "exclude_callchain_kernel", attr->exclude_callchain_kernel },
        { "mmap", attr->mmap },
        { "mmap_data", attr->mmap_data },
        { "mmap2", attr->mmap2 },
        { "comm", attr->comm },
        { "comm_exec", attr->comm_exec },
        { "task", attr->task },
        { "freq", attr->freq },
        { "precise_ip", attr->precise_ip },
        { "enable_on_exec", attr->enable_on_exec },
        { "sample_id_all", attr->sample_id_all },
        { "watermark", attr->watermark },
        { "use_clockid", attr->use_clockid },
        { "clockid", (uint64_t)attr->clockid },
        { "wakeup_watermark", attr->wakeup_watermark },
    };
    fprintf(out, "type %" PRIu32 "\nconfig %" PRIu64 "\nsample_period %" PRIu64 "\n",
            (uint32_t)attr->type, (uint64_t)attr->config, (uint64_t)attr->sample_period);
    if (attr->sample_type) {
        fputs("sample_type ", out);
        dump_bits(attr->sample_type, sample_names, FL_COUNT(sample_names), out);
    }
    if (attr->read_format) {
        fputs("read_format ", out);
        dump_bits(attr->read_format, read_names, FL_COUNT(read_names), out);
    }
    for (size_t i = 0; i < FL_COUNT(flags); i++)
        if (flags[i].value)
            fprintf(out, "%s %" PRIu64 "\n", flags[i].name, flags[i].value);
}
