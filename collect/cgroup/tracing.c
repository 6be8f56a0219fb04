/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/units.h>

#include "smallfile.h"

int tracing_refused(struct fl_err *err, const char *what, int why, const char *purpose)
{
    return fl_fail(err, FL_EMACHINE, "%s: %s; %s", what, strerror(why), purpose);
}

static bool has_event(const char *root, const struct tracing_event *event)
{
    char name[128];
    snprintf(name, sizeof name, "%s/format", event->dir);
    char *format = smallfile_read_at(root, name);
    bool has = format && strstr(format, event->field);
    free(format);
    return has;
}

static int mount_own(struct fl_guard *guard, const char *purpose, char root[FL_GUARD_PATH_BYTES],
                     struct fl_err *err)
{
    char dir[] = "/run/faultline-tracing-XXXXXX";
    if (!mkdtemp(dir))
        return tracing_refused(err, dir, errno, purpose);
    int rc = fl_guard_add(guard, FL_UNDO_MOUNT, dir, err);
    if (rc != FL_OK) {
        rmdir(dir);
        return rc;
    }
    snprintf(root, FL_GUARD_PATH_BYTES, "%s", dir);
    return mount("faultline", dir, "tracefs", 0, NULL) == 0
               ? FL_OK
               : tracing_refused(err, "tracefs", errno, purpose);
}

static int find_root(struct fl_guard *guard, const struct tracing_event *event,
                     char root[FL_GUARD_PATH_BYTES], struct fl_err *err)
{
    static const char *const usual[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
    for (size_t i = 0; i < FL_COUNT(usual); i++)
        if (has_event(usual[i], event)) {
            snprintf(root, FL_GUARD_PATH_BYTES, "%s", usual[i]);
            return FL_OK;
        }
    int rc = mount_own(guard, event->purpose, root, err);
    if (rc == FL_OK && !has_event(root, event))
        rc = tracing_refused(err, event->dir, ENOENT, event->purpose);
    return rc;
}

static int set(const char *dir, const struct tracing_event *event, struct fl_err *err)
{
    char filter[160], enable[160];
    snprintf(filter, sizeof filter, "%s/filter", event->dir);
    snprintf(enable, sizeof enable, "%s/enable", event->dir);
    const struct {
        const char *file, *text;
    } settings[] = { { "trace_clock", "mono" }, { filter, event->filter }, { enable, "1" } };
    for (size_t i = 0; i < FL_COUNT(settings); i++) {
        int why = smallfile_write_at(dir, settings[i].file, settings[i].text);
        if (why)
            return tracing_refused(err, settings[i].file, why, event->purpose);
    }
    return FL_OK;
}

int tracing_start(struct fl_guard *guard, const char *suffix, const struct tracing_event *event,
                  char dir[FL_GUARD_PATH_BYTES], struct fl_err *err)
{
    char root[FL_GUARD_PATH_BYTES];
    int rc = find_root(guard, event, root, err);
    if (rc != FL_OK)
        return rc;
    int n = snprintf(dir, FL_GUARD_PATH_BYTES, "%.400s/instances/faultline-%d%s", root, getpid(),
                     suffix);
    if (n < 0 || n >= FL_GUARD_PATH_BYTES)
        return fl_fail(err, FL_EINTERNAL, "%s: path is too long", root);
    rc = fl_guard_add(guard, FL_UNDO_FOLDER, dir, err);
    if (rc == FL_OK && mkdir(dir, 0700) != 0)
        rc = tracing_refused(err, dir, errno, event->purpose);
    return rc == FL_OK ? set(dir, event, err) : rc;
}
