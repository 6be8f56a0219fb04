/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Swap: what is asked for, what is there, and what a swap area starts with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/swapdev.h>

static const char *const kinds[] = {
    [FL_SWAPDEV_AUTO] = "auto", [FL_SWAPDEV_NONE] = "none",           [FL_SWAPDEV_ZRAM] = "zram",
    [FL_SWAPDEV_FILE] = "file", [FL_SWAPDEV_PARTITION] = "partition",
};

const char *fl_swapdev_kind_name(enum fl_swapdev_kind kind)
{
    return kinds[kind];
}

int fl_swapdev_parse(const char *text, struct fl_swapdev_request *out, struct fl_err *err)
{
    size_t len = strcspn(text, ":");
    *out = (struct fl_swapdev_request){ 0 };
    for (enum fl_swapdev_kind k = FL_SWAPDEV_AUTO; k <= FL_SWAPDEV_FILE; k++) {
        struct fl_size size = { 0 };
        if (strlen(kinds[k]) != len || strncmp(kinds[k], text, len) != 0)
            continue;
        out->kind = k;
        if (!text[len])
            return FL_OK;
        if (k < FL_SWAPDEV_ZRAM)
            break;
        int rc = fl_parse_size(text + len + 1, &size, err);
        if (rc != FL_OK)
            return rc;
        if (size.percent_bp || size.bytes == FL_SIZE_MAX_BYTES || size.bytes < 16 * FL_PAGE_BYTES)
            break;
        out->bytes = size.bytes;
        return FL_OK;
    }
    return fl_fail(err, FL_EUSAGE,
                   "--swap '%s': write auto, none, zram, file, zram:SIZE or file:SIZE, at least "
                   "64K",
                   text);
}

unsigned fl_swapdev_scan(const char *text, struct fl_swapdev *out)
{
    int best = 0;
    *out = (struct fl_swapdev){ .kind = FL_SWAPDEV_NONE };
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char path[FL_GUARD_PATH_BYTES], type[32];
        unsigned long long kib, used_kib;
        int priority;
        if (sscanf(line + 1, "%511s %31s %llu %llu %d", path, type, &kib, &used_kib, &priority) !=
            5)
            continue;
        if (kib > used_kib)
            out->pages += (kib - used_kib) * 1024 >> FL_PAGE_SHIFT;
        if (out->devices++ && priority <= best)
            continue;
        best = priority;
        strcpy(out->path, path);
        out->kind = !strcmp(type, "file")                              ? FL_SWAPDEV_FILE
                    : !strncmp(path, "/dev/zram", strlen("/dev/zram")) ? FL_SWAPDEV_ZRAM
                                                                       : FL_SWAPDEV_PARTITION;
    }
    return out->devices;
}

static void put_u32(unsigned char *at, uint32_t v)
{
    memcpy(at, &v, sizeof v); /* in the machine's own order, as the kernel reads it */
}

void fl_swapdev_header(unsigned char page[FL_PAGE_BYTES], uint32_t pages)
{
    enum { VERSION = 1024, LAST_PAGE = 1028, BAD_PAGES = 1032, MAGIC_BYTES = 10 };
    memset(page, 0, FL_PAGE_BYTES);
    put_u32(page + VERSION, 1);
    put_u32(page + LAST_PAGE, pages - 1);
    put_u32(page + BAD_PAGES, 0);
    memcpy(page + FL_PAGE_BYTES - MAGIC_BYTES, "SWAPSPACE2", MAGIC_BYTES);
}
