/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a group, and what can be read of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/cgroup.h>
#include <faultline/units.h>

#include "cgroup_read.h"
#include "smallfile.h"

static int refused(struct fl_err *err, const char *what, const char *dir, int why)
{
    const char *remedy = "";
    if (why == EACCES || why == EPERM || why == EROFS)
        remedy = "; run as root, where control groups may be written";
    else if (why == EBUSY) /* version 2: no limits beside processes */
        remedy = "; it has processes of its own: start from a shell in a group below it";
    else if (why == ENOENT || why == EINVAL || why == EOPNOTSUPP)
        remedy = "; the memory controller is not to be had there: start from another group";
    return fl_fail(err, *remedy ? FL_EMACHINE : FL_EIO, "cannot %s below %s: %s%s", what, dir,
                   strerror(why), remedy);
}

/* Version 2 hands the controller to children only when told so. */
static int delegate(const struct fl_cgroup_site *site, struct fl_err *err)
{
    char *on = site->version == 2 ? smallfile_read_at(site->dir, "cgroup.subtree_control") : NULL;
    bool has = site->version == 1;
    for (char *save = NULL, *word = on ? strtok_r(on, " \n", &save) : NULL; word;
         word = strtok_r(NULL, " \n", &save))
        has = has || !strcmp(word, "memory");
    free(on);
    if (has)
        return FL_OK;
    int why = smallfile_write_at(site->dir, "cgroup.subtree_control", "+memory");
    return why ? refused(err, "limit memory", site->dir, why) : FL_OK;
}

static int set_limit(const struct fl_cgroup *g, uint64_t bytes, struct fl_err *err)
{
    char text[24];
    if (bytes == FL_CGROUP_NO_LIMIT)
        return FL_OK;
    snprintf(text, sizeof text, "%" PRIu64, bytes);
    int why =
        smallfile_write_at(g->dir, g->version == 1 ? "memory.limit_in_bytes" : "memory.max", text);
    return why ? refused(err, "set a memory limit", g->dir, why) : FL_OK;
}

int fl_cgroup_make(const struct fl_cgroup_site *site, const char *name, uint64_t limit_bytes,
                   struct fl_guard *guard, struct fl_cgroup *group, struct fl_err *err)
{
    group->version = site->version;
    int n = snprintf(group->dir, sizeof group->dir, "%s/%s", site->dir, name);
    if (n < 0 || (size_t)n >= sizeof group->dir)
        return fl_fail(err, FL_EINTERNAL, "%s: path is too long", site->dir);
    int rc = delegate(site, err);
    if (rc == FL_OK)
        rc = fl_guard_add(guard, FL_UNDO_GROUP, group->dir, err);
    if (rc == FL_OK && mkdir(group->dir, 0755) != 0)
        rc = refused(err, "make a control group", site->dir, errno);
    return rc == FL_OK ? set_limit(group, limit_bytes, err) : rc;
}

int fl_cgroup_join(const struct fl_cgroup *group, struct fl_err *err)
{
    int why = smallfile_write_at(group->dir, "cgroup.procs", "0");
    return why ? fl_fail(err, FL_EIO, "cannot enter %s: %s", group->dir, strerror(why)) : FL_OK;
}

int fl_cgroup_swappiness(const struct fl_cgroup *group)
{
    uint64_t n = UINT64_MAX;
    if (group->version == 1)
        n = smallfile_number_at(group->dir, "memory.swappiness", UINT64_MAX);
    if (n == UINT64_MAX)
        n = smallfile_number_at("/proc/sys/vm", "swappiness", UINT64_MAX);
    return n > 200 ? -1 : (int)n;
}

void cgroup_read(const struct fl_cgroup *g, struct fl_run *out)
{
    bool v1 = g->version == 1;
    char *stat = smallfile_read_at(g->dir, "memory.stat");
    char *events = smallfile_read_at(g->dir, v1 ? "memory.oom_control" : "memory.events");
    if (stat)
        fl_vm_counts_parse(stat, &out->group);
    if (!events || !fl_cgroup_field(events, "oom_kill", &out->oom_kills))
        out->oom_kills = 0;
    if (v1)
        out->limit_hits = smallfile_number_at(g->dir, "memory.failcnt", 0);
    else if (!events || !fl_cgroup_field(events, "max", &out->limit_hits))
        out->limit_hits = 0;
    out->peak_bytes =
        smallfile_number_at(g->dir, v1 ? "memory.max_usage_in_bytes" : "memory.peak", 0);
    free(stat);
    free(events);
}
