/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where memory control groups can be made here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <faultline/cgroup.h>

#include "smallfile.h"

/* One line of mountinfo: ID PARENT DEV ROOT DIR OPTIONS [TAGS...] - TYPE SOURCE SUPEROPTIONS */
struct mount_line {
    char root[FL_GUARD_PATH_BYTES], dir[FL_GUARD_PATH_BYTES], type[32], super[1024];
};

/* The kernel writes blanks and backslashes in names as \ooo. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; to++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *to = *s++;
        }
    }
    *to = 0;
}

static bool parse_mount(const char *line, struct mount_line *m)
{
    const char *dash = strstr(line, " - ");
    if (!dash || dash > strchrnul(line, '\n') ||
        sscanf(line, "%*s %*s %*s %511s %511s", m->root, m->dir) != 2 ||
        sscanf(dash, " - %31s %*s %1023s", m->type, m->super) != 2)
        return false;
    unescape(m->root);
    unescape(m->dir);
    return true;
}

/* Is @word in the comma-separated list at @list, which ends at @end? */
static bool in_list(const char *list, const char *end, const char *word)
{
    size_t len = strlen(word);
    while (list < end) {
        size_t n = strcspn(list, ",:\n");
        if (n == len && !strncmp(list, word, len))
            return true;
        list += n + 1;
    }
    return false;
}

/* Our own group's path: of hierarchy "memory" (version 1) or of number 0 (version 2). */
static bool own_path(const char *self, int version, char path[FL_GUARD_PATH_BYTES])
{
    for (const char *line = self; *line; line = strchrnul(line, '\n')) {
        line += *line == '\n';
        const char *list = strchr(line, ':'), *end = list ? strchr(list + 1, ':') : NULL;
        if (!end)
            continue;
        bool ours = version == 1 ? in_list(list + 1, end, "memory") : !strncmp(line, "0::", 3);
        size_t len = strcspn(end + 1, "\n");
        if (!ours || len >= FL_GUARD_PATH_BYTES)
            continue;
        memcpy(path, end + 1, len);
        path[len] = 0;
        return true;
    }
    return false;
}

/* Where our group lies below a mount of @root: as seen there, or the mount itself. */
static void place(const struct mount_line *m, const char *self, struct fl_cgroup_site *site)
{
    char own[FL_GUARD_PATH_BYTES] = "", *rest = own;
    size_t root = strcmp(m->root, "/") ? strlen(m->root) : 0;
    if (!own_path(self, site->version, own))
        own[0] = 0;
    if (root && !strncmp(own, m->root, root) && (own[root] == '/' || !own[root]))
        rest = own + root;
    else if (root || strstr(own, "/.."))
        rest[0] = 0; /* a group outside of what is mounted */
    if (site->version == 2) {
        char *slash = strrchr(rest, '/');
        if (slash)
            *slash = 0;
    }
    if (!strcmp(rest, "/"))
        rest[0] = 0;
    snprintf(site->dir, sizeof site->dir, "%.255s%.255s", m->dir, rest);
}

bool fl_cgroup_site_parse(const char *mountinfo, const char *self, struct fl_cgroup_site *site)
{
    *site = (struct fl_cgroup_site){ 0 };
    for (const char *line = mountinfo; *line; line = strchrnul(line, '\n')) {
        struct mount_line m;
        line += *line == '\n';
        if (!*line || !parse_mount(line, &m))
            continue;
        bool v1 = !strcmp(m.type, "cgroup") &&
                  in_list(m.super, m.super + strlen(m.super), "memory");
        bool v2 = !strcmp(m.type, "cgroup2");
        if (!v1 && (!v2 || site->version))
            continue;
        site->version = v1 ? 1 : 2;
        place(&m, self, site);
        if (v1)
            break;
    }
    return site->version != 0;
}

/* ---- this machine -------------------------------------------------------------------- */

static bool usable(struct fl_cgroup_site *site)
{
    if (site->version == 1)
        return true;
    char *controllers = smallfile_read_at(site->dir, "cgroup.controllers");
    bool memory = false;
    for (char *save = NULL, *word = controllers ? strtok_r(controllers, " \n", &save) : NULL; word;
         word = strtok_r(NULL, " \n", &save))
        memory = memory || !strcmp(word, "memory");
    free(controllers);
    return memory;
}

static bool look(struct fl_cgroup_site *site)
{
    char *mounts = smallfile_read("/proc/self/mountinfo"),
         *self = smallfile_read("/proc/self/cgroup");
    bool found = mounts && self && fl_cgroup_site_parse(mounts, self, site) && usable(site);
    /* In another namespace our own path may mean nothing below the mount. */
    if (found && access(site->dir, F_OK) != 0) {
        found = mounts && fl_cgroup_site_parse(mounts, "", site) && usable(site);
    }
    free(mounts);
    free(self);
    return found;
}

static int mount_own(struct fl_guard *guard, struct fl_err *err)
{
    char dir[] = "/run/faultline-cgroup-XXXXXX";
    if (!mkdtemp(dir))
        return fl_fail(err, FL_EMACHINE, "no memory control groups are mounted; run as root");
    int rc = fl_guard_add(guard, FL_UNDO_MOUNT, dir, err);
    if (rc != FL_OK) {
        rmdir(dir);
        return rc;
    }
    if (mount("faultline", dir, "cgroup", 0, "memory") == 0 ||
        mount("faultline", dir, "cgroup2", 0, NULL) == 0)
        return FL_OK;
    return fl_fail(err, FL_EMACHINE,
                   "no memory control groups are mounted, and mounting them failed: %s; run as "
                   "root, on a kernel with CONFIG_MEMCG and without cgroup_disable=memory",
                   strerror(errno));
}

int fl_cgroup_find(struct fl_guard *guard, struct fl_cgroup_site *site, struct fl_err *err)
{
    if (look(site))
        return FL_OK;
    int rc = mount_own(guard, err);
    if (rc != FL_OK || look(site))
        return rc;
    return fl_fail(err, FL_EMACHINE,
                   "this kernel offers no memory control groups; it needs CONFIG_MEMCG, and no "
                   "cgroup_disable=memory on its command line");
}
