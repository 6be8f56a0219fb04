/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * hostinfo.h - the facts about this machine that a model needs.
 */
#ifndef FAULTLINE_HOSTINFO_H
#define FAULTLINE_HOSTINFO_H

#include <faultline/err.h>
#include <faultline/trace.h>

/**
 * fl_host_meta - add every "host.*" key docs/trace-format.md lists to @meta: kernel
 * release, RAM, CPU model and its TLBs by CPUID, huge pages, swappiness, swap devices
 * and their read-ahead, watermarks, multi-generation LRU, DAMON, memory controller. A fact this machine does not tell is left out.
 * Errors: FL_ENOMEM.
 */
int fl_host_meta(struct fl_meta *meta, struct fl_err *err);

#endif
