/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of quality flags, each with its remedy. */
#include <stddef.h>
#include <string.h>

#include <faultline/quality.h>
#include <faultline/units.h>

static const struct {
    const char *flag, *remedy;
} flags[] = {
    /* any trace */
    { "partial", "record again; counts are lower bounds" },
    { "incomplete", "record again with more disk space; counts are lower bounds" },
    { "lost", "record again on a quieter machine; counts are lower bounds" },
    { "outside", "none is needed: kernel addresses are not the program's memory" },
    /* exact recordings */
    { "cpuid", "compare with a native run on a machine without AVX-512, if it matters" },
    { "threads", "record several times to see other interleavings" },
    { "brk", "none is needed: the memory is the same, at other addresses" },
    { "vfork", "none is needed; page tables and sharing count a copy more than natively" },
    { "native", "record those programs by themselves, without set-user-id" },
    { "unrecorded", "record with fewer processes at a time" },
    { "mlock", "record again: locks are events now" },
    { "killed", "let the program end by itself" },
    { "damaged", "record again; this is a bug worth reporting" },
    /* recordings of events */
    { "throttled", "raise kernel.perf_event_max_sample_rate" },
    { "out_of_order", "record again on a quieter machine" },
    { "damaged_records", "record again; this is a bug worth reporting" },
    { "shared_ids",
      "none is needed; where order in time matters, let no other program watch faults" },
    { "unknown_records", "record from the program's start" },
    { "forks_unsure", "make /sys/kernel/tracing readable, or record as root" },
    { "counts_differ", "record again; compare record.perf_minflt and record.rusage_minflt" },
    { "present_unread", "attach to a process with less address space, or a kernel from 6.7 on" },
    { "proc_unread", "record as root, so that all of /proc can be read" },
    { "unfinished", "wait for background processes before the command ends" },
    { "kernel_faults", "sysctl kernel.perf_event_paranoid=1, CAP_PERFMON, or record as root" },
    { "kernel_missing", "record on a kernel that has these tracepoints; the others are whole" },
    { "slab_frees",
      "as root, on a kernel with BTF, BPF and a function tracer; the other events of slabs are whole" },
    { "kernel_cut", "record again; this is a bug worth reporting" },
    { "kernel_names", "record fewer groups of kernel events; counts are whole" },
    { "multiplexed", "end other users of the processor's counters; estimates allow for it" },
    { "sample_phys", "record as root or with CAP_PERFMON, if physical addresses matter" },
    { "sample_kernel", "sysctl kernel.perf_event_paranoid=1, CAP_PERFMON, or record as root" },
    { "sample_fields", "record on a newer kernel, if they matter" },
    { "sample_collisions", "record with a longer --period; estimates are lower bounds" },
    { "fault_access", "make /sys/kernel/tracing readable, or record as root" },
    { "unreported", "none is needed for totals" },
    { "unknown_faults", "record as root, so that both counters are read" },
    /* validations */
    { "damon", "stop DAMON, if it may be stopped, and validate again" },
    { "thp_always", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled" },
    { "mglru", "read the errors of policy mglru, or echo 0 > /sys/kernel/mm/lru_gen/enabled" },
    { "zswap", "echo N > /sys/module/zswap/parameters/enabled" },
    { "swap_was_on", "swapoff -a, so that validate uses a device of its own" },
    { "swap_devices", "leave one swap device on, or none" },
    { "foreign_swap", "validate again on a quieter machine" },
    { "zero_pages", "none is needed: they are counted; the model cannot know contents" },
    { "unaligned",
      "run as root, without --no-align, on a kernel that has tracefs (6.13 or later)" },
    { "oom_by_chance",
      "look at the runs one by one in the JSON; those killed have smaller counts" },
    { "outlived", "let the command wait for its children" },
    { "other_status", "see with --show-output what the command complains of" },
    { "timeout", "give a longer --timeout or larger limits" },
    { "failed_command", "see with --show-output what the command complains of" },
    { "other_command", "leave out --trace, or give the command that was recorded" },
    /* replays */
    { "oom", "give more --ram or --swap" },
};

const char *fl_quality_remedy(const char *flag)
{
    for (size_t i = 0; i < FL_COUNT(flags); i++)
        if (!strcmp(flags[i].flag, flag))
            return flags[i].remedy;
    return NULL;
}

/* Something is missing or was another program. `oom` is not among them: what came before the kill
   is exact. */
static const char *const spoiling[] = {
    "partial",         "incomplete",        "lost",
    "native",          "unrecorded",        "killed",
    "damaged",         "throttled",         "damaged_records",
    "unknown_records", "counts_differ",     "unfinished",
    "unknown_faults",  "kernel_faults",     "foreign_swap",
    "outlived",        "other_status",      "timeout",
    "failed_command",  "other_command",     "multiplexed",
    "sample_kernel",   "sample_collisions",
};

bool fl_quality_spoils_counts(const char *flag)
{
    for (size_t i = 0; i < FL_COUNT(spoiling); i++)
        if (!strcmp(spoiling[i], flag))
            return true;
    return !fl_quality_remedy(flag);
}
