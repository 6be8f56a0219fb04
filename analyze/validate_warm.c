/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page cache that the recording started with, for every run of the kernel's. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "validate.h"

struct warm_range {
    size_t name; /* in names */
    uint64_t offset, length;
};

struct validate_warm {
    char **names; /* by the trace's file ids; NULL: no file to open */
    size_t n_names;
    struct warm_range *ranges;
    size_t n_ranges;
};

static int add_name(struct validate_warm *w, const char *name, struct fl_err *err)
{
    char **names = reallocarray(w->names, w->n_names + 1, sizeof *names);
    if (!names)
        return fl_nomem(err, "names of files");
    w->names = names;
    names[w->n_names] = name[0] == '/' ? strdup(name) : NULL;
    if (name[0] == '/' && !names[w->n_names])
        return fl_nomem(err, "names of files");
    w->n_names++;
    return FL_OK;
}

static int add_range(struct validate_warm *w, const struct fl_event *ev, struct fl_err *err)
{
    if (!ev->resident.length || ev->resident.file >= w->n_names || !w->names[ev->resident.file])
        return FL_OK;
    struct warm_range *ranges = reallocarray(w->ranges, w->n_ranges + 1, sizeof *ranges);
    if (!ranges)
        return fl_nomem(err, "ranges of files");
    w->ranges = ranges;
    ranges[w->n_ranges++] =
        (struct warm_range){ ev->resident.file, ev->resident.offset, ev->resident.length };
    return FL_OK;
}

int validate_warm_find(struct fl_reader *r, struct validate_warm **out, struct fl_err *err)
{
    struct validate_warm *w = calloc(1, sizeof *w);
    struct fl_item item;
    int rc = w ? fl_reader_rewind_reduced(r, UINT32_MAX, err) : fl_nomem(err, "names of files");
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT && item.event.kind == FL_EV_FILE)
            rc = add_name(w, item.event.file.path, err);
        else if (item.kind == FL_ITEM_EVENT && item.event.kind == FL_EV_RESIDENT)
            rc = add_range(w, &item.event, err);
    }
    if (rc == FL_OK)
        rc = fl_reader_rewind(r, err);
    *out = w;
    return rc;
}

static void read_range(const char *name, uint64_t offset, uint64_t length)
{
    static char buffer[256 << 10];
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    while (regular && length > 0) {
        size_t want = length < sizeof buffer ? length : sizeof buffer;
        ssize_t n = pread(fd, buffer, want, (off_t)offset);
        if (n <= 0)
            break;
        offset += (uint64_t)n;
        length -= (uint64_t)n;
    }
    close(fd);
}

void validate_warm_read(const struct validate_warm *w)
{
    for (size_t i = 0; w && i < w->n_ranges; i++)
        read_range(w->names[w->ranges[i].name], w->ranges[i].offset, w->ranges[i].length);
}

void validate_warm_free(struct validate_warm *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_names; i++)
        free(w->names[i]);
    free(w->names);
    free(w->ranges);
    free(w);
}
