/* SPDX-License-Identifier: GPL-2.0-or-later */
/** oomlog.h - whom the kernel killed in a group, from its log; where that can be read. */
#ifndef CGROUP_OOMLOG_H
#define CGROUP_OOMLOG_H

#include <faultline/cgroup.h>

/** oomlog_open - the log from here on. Returns a descriptor, -1 when it cannot be read. */
int oomlog_open(void);

/**
 * oomlog_parse - is @line the kernel's summary of a kill for want of memory in the group whose
 * folder is @dir? Source: Linux mm/oom_kill.c, dump_oom_victim(): "oom-kill:constraint=...,
 * oom_memcg=PATH,task_memcg=PATH,task=COMM,pid=PID,uid=UID".
 */
bool oomlog_parse(const char *line, const char *dir, struct fl_run_victim *out);

/** oomlog_take - read @fd to its end, put the victims in @dir's group into @run, close @fd. */
void oomlog_take(int fd, const char *dir, struct fl_run *run);

#endif
