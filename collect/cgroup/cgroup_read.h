/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CGROUP_CGROUP_READ_H
#define CGROUP_CGROUP_READ_H

#include <faultline/cgroup.h>

/** cgroup_read - peak, limit hits, kills and counters of @g, now; 0 for what it does not tell. */
void cgroup_read(const struct fl_cgroup *g, struct fl_run *out);

#endif
