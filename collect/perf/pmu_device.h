/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmu_device.h - a PMU as sysfs describes it: its type, how its configuration bits
 * are named, and the events the kernel has names for.
 */
#ifndef FL_PERF_PMU_DEVICE_H
#define FL_PERF_PMU_DEVICE_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_pmu_device {
    char dir[512]; /* SYSFS/bus/event_source/devices/NAME */
    uint32_t type; /* perf_event_attr.type */
};

/** fl_pmu_device_find - PMU @name below @sysfs. Returns: false when there is none. */
bool fl_pmu_device_find(const char *sysfs, const char *name, struct fl_pmu_device *out);

/**
 * fl_pmu_device_text - first line of @file (as "caps/max_precise") of @dev.
 * @buf: @size bytes, always ended. Returns: false, with "" in @buf, when it is not there.
 */
bool fl_pmu_device_text(const struct fl_pmu_device *dev, const char *file, char *buf, size_t size);

/** fl_pmu_device_number - the same as a number; @fallback when it is not there or is none. */
uint64_t fl_pmu_device_number(const struct fl_pmu_device *dev, const char *file, uint64_t fallback);

/**
 * fl_pmu_device_set - put @value where format/@term says it belongs.
 * Returns: false, with @attr as it was, when this PMU has no such term, its place is not
 * understood, or @value does not fit there.
 */
bool fl_pmu_device_set(const struct fl_pmu_device *dev, struct perf_event_attr *attr,
                       const char *term, uint64_t value);

/**
 * fl_pmu_device_event - the terms of events/@name ("event=0xcd,umask=0x1,ldlat=3") into @attr,
 * and the type of @dev.
 * Returns: false when the kernel has no such event or a term of it is not understood.
 */
bool fl_pmu_device_event(const struct fl_pmu_device *dev, const char *name,
                         struct perf_event_attr *attr);

#endif
