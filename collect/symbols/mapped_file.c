/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a file that a process has mapped can still be read. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "functions.h"

bool file_id_is(const struct file_id *id, const struct stat *st)
{
    return st->st_ino == id->ino &&
           (st->st_dev == id->dev || (major(st->st_dev) == 0 && major(id->dev) == 0));
}

static int try_open(const char *path, const struct file_id *id, struct stat *st)
{
    /* O_NONBLOCK: the path may lead to a FIFO by now. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && file_id_is(id, st))
        return fd;
    close(fd);
    return -1;
}

/* Through the first mapping of the file that the process has. */
static int open_mapping(uint32_t pid, const struct file_id *id, struct stat *st)
{
    char path[80], *line = NULL;
    size_t room = 0;
    int fd = -1;
    snprintf(path, sizeof path, "/proc/%" PRIu32 "/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && fd < 0 && getline(&line, &room, maps) > 0) {
        uint64_t start, end, ino;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64, &start, &end, &ino) != 3 ||
            ino != id->ino)
            continue;
        snprintf(path, sizeof path, "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64, pid, start,
                 end);
        fd = try_open(path, id, st);
    }
    if (maps)
        fclose(maps);
    free(line);
    return fd;
}

int mapped_file_open(const char *path, const struct file_id *id, uint32_t pid, struct stat *st)
{
    char other[PATH_MAX];
    int fd = try_open(path, id, st);
    if (fd >= 0 || pid == 0)
        return fd;
    int n = snprintf(other, sizeof other, "/proc/%" PRIu32 "/root%s", pid, path);
    if (*path == '/' && n > 0 && (size_t)n < sizeof other)
        fd = try_open(other, id, st);
    if (fd < 0) {
        snprintf(other, sizeof other, "/proc/%" PRIu32 "/exe", pid);
        fd = try_open(other, id, st);
    }
    return fd < 0 ? open_mapping(pid, id, st) : fd;
}

char *vdso_image(size_t *bytes)
{
    uint64_t want = getauxval(AT_SYSINFO_EHDR), start, end;
    char line[512], *image = NULL;
    FILE *maps = want ? fopen("/proc/self/maps", "re") : NULL;
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && start == want &&
            strstr(line, "[vdso]")) {
            *bytes = end - start;
            if ((image = malloc(*bytes)) != NULL)
                memcpy(image, (const void *)(uintptr_t)start, *bytes);
            break;
        }
    if (maps)
        fclose(maps);
    return image;
}
