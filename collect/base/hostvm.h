/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * hostvm.h - how this machine's kernel is set up to manage memory.
 */
#ifndef FL_BASE_HOSTVM_H
#define FL_BASE_HOSTVM_H

#include <stdbool.h>

#include <faultline/err.h>
#include <faultline/trace.h>

/* First line of @path without its newline; false when there is none. */
bool fl_first_line(const char *path, char *line, int cap);

/* fl_host_meta()'s keys on virtual memory. */
int fl_host_vm_meta(struct fl_meta *meta, struct fl_err *err);

/*
 * How a block device takes swap, by its name as sysfs has it and its "rotational"
 * attribute (NULL: not known): "rotational", "solid" or "-", then "synchronous" or
 * "queued". Source: SWP_SYNCHRONOUS_IO, which zram, brd and pmem drivers ask for.
 */
void fl_swap_device_words(const char *name, const char *rotational, char *words, size_t cap);

/* "v1" or "v2" by a line of /proc/self/cgroup that names memory, and of v2's cgroup.controllers. */
const char *fl_memory_controller(const char *proc_cgroup, const char *controllers);

#endif
