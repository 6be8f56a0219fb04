/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_in(int at, const char *cache, const char *name, int flags)
{
    char path[512];
    if (snprintf(path, sizeof path, "%s/%s", cache, name) >= (int)sizeof path)
        return -1;
    return openat(at, path, flags | O_CLOEXEC);
}

static bool read_line(int fd, char text[SLAB_VALUE_BYTES])
{
    ssize_t n = fd >= 0 ? pread(fd, text, SLAB_VALUE_BYTES - 1, 0) : -1;
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return n > 0;
}

static void close_file(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct slab_folder slab_folder_open(int at, const char *name)
{
    static const char *const files[SLAB_VALUES] = {
        "total_objects", "objects", "slabs", "partial", "slabs_cpu_partial", "cpu_slabs"
    };
    char text[SLAB_VALUE_BYTES];
    struct slab_folder f = { .shrink = open_in(at, name, "shrink", O_WRONLY) };
    int sheaves = open_in(at, name, "sheaf_capacity", O_RDONLY);
    f.sheaves = read_line(sheaves, text) && strcmp(text, "0") != 0;
    close_file(sheaves);
    for (int i = 0; i < SLAB_VALUES; i++) {
        f.value[i] = open_in(at, name, files[i], O_RDONLY);
        (void)read_line(f.value[i], text);
    }
    return f;
}

void slab_folder_close(struct slab_folder *f)
{
    close_file(f->shrink);
    for (int i = 0; i < SLAB_VALUES; i++)
        close_file(f->value[i]);
}

bool slab_folder_read(const struct slab_folder *f, struct slab_values *out)
{
    bool all = true;
    for (int i = 0; i < SLAB_VALUES; i++)
        all = read_line(f->value[i], out->text[i]) && all;
    return all;
}

/* The kernel keeps a copy of what is written until it has done: not in the cache that it shrinks. */
bool slab_folder_shrink(const struct slab_folder *f, const char *name)
{
    static const char one[64] = "1";
    size_t n = strcmp(name, "kmalloc-8") == 0 ? sizeof one : 1;
    return f->shrink >= 0 && write(f->shrink, one, n) == (ssize_t)n;
}

/* "0" and "0(0)" */
bool slab_values_idle(const struct slab_values *v)
{
    return slab_values_sum(v, SLAB_CPU_SLABS) == 0 && strstr(v->text[SLAB_CPU_PARTIAL], "(0)");
}

unsigned long long slab_values_sum(const struct slab_values *v, enum slab_value which)
{
    return strtoull(v->text[which], NULL, 10);
}

char *slab_values_line(const struct slab_values *v)
{
    char *line;
    const char *cpus = v->text[SLAB_CPU_PARTIAL];
    int n = asprintf(&line, "%llu %llu%s", slab_values_sum(v, SLAB_PARTIAL),
                     slab_values_sum(v, SLAB_CPU_SLABS), cpus + strcspn(cpus, " "));
    return n < 0 ? NULL : line;
}
