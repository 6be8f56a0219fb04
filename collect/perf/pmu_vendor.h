/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmu_vendor.h - what pmu.c and the files of one processor maker each share.
 */
#ifndef FL_PERF_PMU_VENDOR_H
#define FL_PERF_PMU_VENDOR_H

#include "pmu.h"
#include "pmu_device.h"

/** Find the events of a maker's processors and add them to @plan. Errors: as fl_pmu_plan(). */
int fl_pmu_plan_intel(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                      struct fl_pmu_plan *plan, struct fl_err *err);
int fl_pmu_plan_amd(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                    struct fl_pmu_plan *plan, struct fl_err *err);
int fl_pmu_plan_arm(const struct fl_pmu_host *host, const struct fl_pmu_request *req,
                    struct fl_pmu_plan *plan, struct fl_err *err);

/** fl_pmu_add - a fresh event of @plan, zeroed but for these; NULL when the plan is full. */
struct fl_pmu_event *fl_pmu_add(struct fl_pmu_plan *plan, enum fl_pmu_kind kind, const char *name);

/**
 * fl_pmu_encode - @name by libpfm4 into type, config words, precise_ip and exclude bits.
 * Returns: FL_OK or FL_EUSAGE with libpfm4's reason.
 */
int fl_pmu_encode(const char *name, bool user_only, struct perf_event_attr *attr,
                  struct fl_err *err);

/** fl_pmu_sampling - fill in of @event->attr what all sampling events have in common. */
void fl_pmu_sampling(struct fl_pmu_event *event, const struct fl_pmu_request *req,
                     uint64_t usual_period);

/** fl_pmu_counting - the same for an event that only counts (a leader, a total). */
void fl_pmu_counting(struct perf_event_attr *attr, const struct fl_pmu_request *req);

/** fl_pmu_none - FL_EMACHINE: "cannot sample memory accesses here: WHY; record with ...". */
int fl_pmu_none(const struct fl_pmu_cpu *cpu, struct fl_err *err, const char *why);

#endif
