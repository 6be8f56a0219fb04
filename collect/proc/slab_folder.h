/* SPDX-License-Identifier: GPL-2.0-or-later */
/** slab_folder.h - the files of one object cache in /sys/kernel/slab. */
#ifndef COLLECT_SLAB_FOLDER_H
#define COLLECT_SLAB_FOLDER_H

#include <stdbool.h>

#define SLAB_VALUE_BYTES 4096 /* of a file there: a page at most */

/* What is at CPUs comes last: if nothing is, nothing was handed out while the others were read. */
enum slab_value {
    SLAB_TOTAL,
    SLAB_ACTIVE,
    SLAB_SLABS,
    SLAB_PARTIAL,
    SLAB_CPU_PARTIAL,
    SLAB_CPU_SLABS,
    SLAB_VALUES
};

struct slab_folder {
    int shrink, value[SLAB_VALUES]; /* -1: there is none */
    bool sheaves;                   /* the cache has them */
};

struct slab_values {
    char text[SLAB_VALUES][SLAB_VALUE_BYTES];
};

/** slab_folder_named - is @name one that a cache goes by? Caches that may be shared have links of their names. */
static inline bool slab_folder_named(const char *name)
{
    return name[0] != '.' && name[0] != ':';
}

/** slab_folder_open - cache @name of the folder @at. Each file is read once: later reads take no memory. */
struct slab_folder slab_folder_open(int at, const char *name);
void slab_folder_close(struct slab_folder *f);

/** slab_folder_read - first lines. False: one cannot be read. */
bool slab_folder_read(const struct slab_folder *f, struct slab_values *out);

/** slab_folder_shrink - cache @name of it. False: that is not allowed. */
bool slab_folder_shrink(const struct slab_folder *f, const char *name);

/** slab_values_idle - nothing is at CPUs. */
bool slab_values_idle(const struct slab_values *v);

/** slab_values_line - "12 8 C0=42(4) C1=21(2)": docs/trace-format.md. NULL: out of memory. Freed by the caller. */
char *slab_values_line(const struct slab_values *v);

/** slab_values_sum - "12 N0=12 N1=0": the sum, which comes first. */
unsigned long long slab_values_sum(const struct slab_values *v, enum slab_value which);

#endif
