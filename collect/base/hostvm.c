/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory management of this machine's kernel, from /proc and /sys. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "hostvm.h"

#define MM "/sys/kernel/mm/"

bool fl_first_line(const char *path, char *line, int cap)
{
    FILE *f = fopen(path, "re");
    bool ok = f != NULL && fgets(line, cap, f) != NULL;
    if (f != NULL)
        fclose(f);
    if (ok)
        line[strcspn(line, "\n")] = 0;
    return ok;
}

/* ---- swap devices ------------------------------------------------------------------- */

void fl_swap_device_words(const char *name, const char *rotational, char *words, size_t cap)
{
    static const char *const synchronous[] = { "zram", "ram", "pmem" };
    const char *how = "queued";
    for (size_t i = 0; i < sizeof synchronous / sizeof synchronous[0]; i++)
        if (strncmp(name, synchronous[i], strlen(synchronous[i])) == 0)
            how = "synchronous";
    const char *turns = rotational == NULL ? "-" : *rotational == '1' ? "rotational" : "solid";
    snprintf(words, cap, "%s %s", turns, how);
}

/* The words of what the swap file or device @path is on. */
static void device_words(const char *path, char *words, size_t cap)
{
    char link[64], dir[PATH_MAX], attribute[PATH_MAX + 32], value[16];
    struct stat st;
    snprintf(words, cap, "- -");
    if (stat(path, &st) != 0)
        return;
    dev_t dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(dev), minor(dev));
    if (realpath(link, dir) == NULL)
        return;
    snprintf(attribute, sizeof attribute, "%s/queue/rotational", dir);
    bool known = fl_first_line(attribute, value, sizeof value);
    if (!known) { /* a partition has its disk's queue */
        snprintf(attribute, sizeof attribute, "%s/../queue/rotational", dir);
        known = fl_first_line(attribute, value, sizeof value);
    }
    fl_swap_device_words(strrchr(dir, '/') + 1, known ? value : NULL, words, cap);
}

/* "/dev/vdb 1073741824 -2 solid queued; ...": name, bytes, priority, kind. */
static int set_swaps(struct fl_meta *meta, struct fl_err *err)
{
    char line[512], text[4096] = "", name[256], type[32], words[64];
    unsigned long long kib, used_kib;
    int priority;
    FILE *f = fopen("/proc/swaps", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        size_t n = strlen(text);
        if (sscanf(line, "%255s %31s %llu %llu %d", name, type, &kib, &used_kib, &priority) != 5)
            continue;
        device_words(name, words, sizeof words);
        snprintf(text + n, sizeof text - n, "%s%s %llu %d %s", n ? "; " : "", name, kib * 1024,
                 priority, words);
    }
    if (f != NULL)
        fclose(f);
    return fl_meta_set(meta, "host.swaps", text, err);
}

/* ---- what else looks after memory ----------------------------------------------------- */

static bool damon_module_on(const char *name)
{
    char path[128], value[8];
    snprintf(path, sizeof path, "/sys/module/%s/parameters/enabled", name);
    return fl_first_line(path, value, sizeof value) && *value == 'Y';
}

/* "on" when anything of DAMON runs, "off", or left out on a kernel without it. */
static int set_damon(struct fl_meta *meta, struct fl_err *err)
{
    const char *root = MM "damon/admin/kdamonds";
    char path[PATH_MAX], state[16];
    DIR *dir = opendir(root);
    bool on = damon_module_on("damon_reclaim") || damon_module_on("damon_lru_sort");
    if (dir == NULL && !on)
        return FL_OK;
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s/state", root, d->d_name);
        on |= fl_first_line(path, state, sizeof state) && strcmp(state, "on") == 0;
    }
    if (dir != NULL)
        closedir(dir);
    return fl_meta_set(meta, "host.damon", on ? "on" : "off", err);
}

/* Bits as the kernel shows them, 0x0000 being off; "none" on a kernel without it. */
static int set_mglru(struct fl_meta *meta, struct fl_err *err)
{
    char value[32];
    struct stat st;
    if (fl_first_line(MM "lru_gen/enabled", value, sizeof value))
        return fl_meta_set(meta, "host.mglru", value, err);
    if (stat(MM "transparent_hugepage", &st) != 0 && stat(MM "swap", &st) != 0)
        return FL_OK; /* sysfs is not there to tell */
    return fl_meta_set(meta, "host.mglru", "none", err);
}

const char *fl_memory_controller(const char *proc_cgroup, const char *controllers)
{
    for (const char *line = proc_cgroup; line != NULL && *line != 0;) {
        const char *end = strchr(line, '\n'), *names = strchr(line, ':');
        const char *path = names != NULL ? strchr(names + 1, ':') : NULL;
        for (const char *at = names; at != NULL && at < path;) {
            at++;
            size_t n = strcspn(at, ",:");
            if (n == 6 && strncmp(at, "memory", 6) == 0)
                return "v1";
            at += n;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    for (const char *at = controllers; at != NULL && *at != 0;) {
        size_t n = strcspn(at, " \n");
        if (n == 6 && strncmp(at, "memory", 6) == 0)
            return "v2";
        at += n + (at[n] != 0);
    }
    return "none";
}

static int set_memory_controller(struct fl_meta *meta, struct fl_err *err)
{
    char text[8192] = "", controllers[512] = "";
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL)
        return FL_OK;
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    if (!fl_first_line("/sys/fs/cgroup/cgroup.controllers", controllers, sizeof controllers))
        fl_first_line("/sys/fs/cgroup/unified/cgroup.controllers", controllers, sizeof controllers);
    return fl_meta_set(meta, "host.memcg", fl_memory_controller(text, controllers), err);
}

int fl_host_vm_meta(struct fl_meta *meta, struct fl_err *err)
{
    static const struct {
        const char *key, *path;
    } files[] = {
        { "host.thp", MM "transparent_hugepage/enabled" },
        { "host.thp_defrag", MM "transparent_hugepage/defrag" },
        { "host.thp_shmem", MM "transparent_hugepage/shmem_enabled" },
        { "host.khugepaged_defrag", MM "transparent_hugepage/khugepaged/defrag" },
        { "host.swappiness", "/proc/sys/vm/swappiness" },
        { "host.page_cluster", "/proc/sys/vm/page-cluster" },
        { "host.swap_vma_readahead", MM "swap/vma_ra_enabled" },
        { "host.zswap", "/sys/module/zswap/parameters/enabled" },
        { "host.min_free_kbytes", "/proc/sys/vm/min_free_kbytes" },
        { "host.watermark_scale_factor", "/proc/sys/vm/watermark_scale_factor" },
        { "host.watermark_boost_factor", "/proc/sys/vm/watermark_boost_factor" },
    };
    int rc = FL_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == FL_OK; i++) {
        char line[256];
        if (fl_first_line(files[i].path, line, sizeof line))
            rc = fl_meta_set(meta, files[i].key, line, err);
    }
    if (rc == FL_OK)
        rc = set_swaps(meta, err);
    if (rc == FL_OK)
        rc = set_mglru(meta, err);
    if (rc == FL_OK)
        rc = set_damon(meta, err);
    return rc == FL_OK ? set_memory_controller(meta, err) : rc;
}
