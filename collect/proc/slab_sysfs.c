/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /sys/kernel/slab: a folder for each object cache, and links to it by the names of those that share it. */
#include <dirent.h>
#include <stdlib.h>

#include <faultline/proc.h>

#include "proc_text.h"
#include "slab_folder.h"

static void put_line(FILE *out, int at, const char *cache)
{
    struct slab_folder f = slab_folder_open(at, cache);
    struct slab_values v;
    char *line = slab_folder_read(&f, &v) ? slab_values_line(&v) : NULL;
    if (line)
        fprintf(out, "%s %s\n", cache, line);
    free(line);
    slab_folder_close(&f);
}

int fl_slab_lists(const char *root, uint32_t moment, fl_proc_emit_fn *emit, void *ctx,
                  struct fl_err *err)
{
    DIR *caches = opendir(root);
    struct dirent *d;
    struct text_lines lines;
    if (!caches)
        return FL_OK;
    text_lines_open(&lines);
    while (lines.out && (d = readdir(caches)))
        if (slab_folder_named(d->d_name))
            put_line(lines.out, dirfd(caches), d->d_name);
    closedir(caches);
    return text_lines_emit(&lines, "slab_lists", moment, emit, ctx, err);
}
