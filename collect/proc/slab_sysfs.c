/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /sys/kernel/slab: a folder for each object cache, and links to it by the names of those that share it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/proc.h>

#include "proc_text.h"

#define VALUE_BYTES 4096 /* of a file there: a page at most */

static bool shrink(int at, const char *cache)
{
    int folder = openat(at, cache, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int file = folder >= 0 ? openat(folder, "shrink", O_WRONLY | O_CLOEXEC) : -1;
    bool done = file >= 0 && write(file, "1", 1) == 1;
    if (file >= 0)
        close(file);
    if (folder >= 0)
        close(folder);
    return done;
}

int fl_slab_settle(const char *root, struct fl_err *err)
{
    DIR *caches = opendir(root);
    struct dirent *d;
    size_t done = 0;
    if (!caches)
        return fl_fail(err, FL_EMACHINE,
                       "%s is not there: the kernel has no SLUB_DEBUG; leave out --settle-slabs",
                       root);
    while ((d = readdir(caches)))
        if (d->d_name[0] != '.' && d->d_type != DT_LNK)
            done += shrink(dirfd(caches), d->d_name);
    closedir(caches);
    return done ? FL_OK
                : fl_fail(err, FL_EMACHINE, "caches in %s cannot be shrunk; run as root", root);
}

/* ---- where slabs wait ------------------------------------------------------------------ */

static bool read_value(int at, const char *cache, const char *name, char text[VALUE_BYTES])
{
    char path[512];
    if (snprintf(path, sizeof path, "%s/%s", cache, name) >= (int)sizeof path)
        return false;
    int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, VALUE_BYTES - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return n > 0;
}

/* "filp 12 8 C0=42(4) C1=21(2)": slabs on the node's list; at CPUs; on each CPU's list, in parentheses. */
static void put_line(FILE *out, int at, const char *cache)
{
    char node[VALUE_BYTES], all[VALUE_BYTES], cpus[VALUE_BYTES];
    if (!read_value(at, cache, "partial", node) || !read_value(at, cache, "cpu_slabs", all) ||
        !read_value(at, cache, "slabs_cpu_partial", cpus))
        return;
    fprintf(out, "%s %.*s %.*s%s\n", cache, (int)strcspn(node, " "), node, (int)strcspn(all, " "),
            all, cpus + strcspn(cpus, " "));
}

int fl_slab_lists(const char *root, uint32_t moment, fl_proc_emit_fn *emit, void *ctx,
                  struct fl_err *err)
{
    DIR *caches = opendir(root);
    struct dirent *d;
    char *text = NULL;
    size_t len = 0;
    int rc = FL_OK;
    FILE *out = caches ? open_memstream(&text, &len) : NULL;
    while (out && (d = readdir(caches)))
        if (d->d_name[0] != '.' && d->d_name[0] != ':') /* these have a link of their name */
            put_line(out, dirfd(caches), d->d_name);
    if (caches)
        closedir(caches);
    if (caches && (!out || fclose(out) != 0))
        rc = fl_nomem(err, "a snapshot of " FL_SLAB_ROOT);
    else if (len)
        rc = text_pieces("slab_lists", text, len, 0, moment, emit, ctx, err);
    free(text);
    return rc;
}
