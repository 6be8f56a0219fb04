/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Separate debug files, where GDB's manual, "Separate Debug Files", says that they are. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gelf.h>

#include "functions.h"

#define BUILD_ID_MAX 64u

struct build_id {
    uint8_t bytes[BUILD_ID_MAX];
    size_t n; /* 0: none */
};

struct link {
    char name[NAME_MAX + 1]; /* "" for none */
    uint32_t crc;
};

static void id_from_notes(Elf_Data *data, struct build_id *id)
{
    GElf_Nhdr note;
    size_t at = 0, name_at, desc_at;
    while (id->n == 0 && (at = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
        const uint8_t *bytes = data->d_buf;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || note.n_descsz == 0 ||
            note.n_descsz > BUILD_ID_MAX || memcmp(bytes + name_at, "GNU", 4) != 0)
            continue;
        memcpy(id->bytes, bytes + desc_at, note.n_descsz);
        id->n = note.n_descsz;
    }
}

static void find_id(Elf *elf, struct build_id *id)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr header;
    id->n = 0;
    while (id->n == 0 && (scn = elf_nextscn(elf, scn)) != NULL) {
        Elf_Data *data = gelf_getshdr(scn, &header) && header.sh_type == SHT_NOTE
                             ? elf_getdata(scn, NULL)
                             : NULL;
        if (data)
            id_from_notes(data, id);
    }
}

/* .gnu_debuglink: a file name, padding to four bytes, a checksum. */
static void find_link(Elf *elf, struct link *link)
{
    Elf_Scn *scn = NULL;
    GElf_Shdr header;
    size_t strings;
    link->name[0] = '\0';
    if (elf_getshdrstrndx(elf, &strings) != 0)
        return;
    while ((scn = elf_nextscn(elf, scn)) != NULL) {
        const char *is = gelf_getshdr(scn, &header) ? elf_strptr(elf, strings, header.sh_name)
                                                    : NULL;
        if (!is || strcmp(is, ".gnu_debuglink") != 0)
            continue;
        Elf_Data *data = elf_getdata(scn, NULL);
        const char *name = data ? data->d_buf : NULL;
        size_t len = name ? strnlen(name, data->d_size) : 0, crc_at = (len + 4) / 4 * 4;
        /* A name without folders: the file is looked for in ours. */
        if (len == 0 || len > NAME_MAX || data->d_size < 4 || crc_at > data->d_size - 4 ||
            memchr(name, '/', len) != NULL)
            return;
        memcpy(link->name, name, len);
        link->name[len] = '\0';
        const uint8_t *crc = (const uint8_t *)name + crc_at;
        link->crc = crc[0] | (uint32_t)crc[1] << 8 | (uint32_t)crc[2] << 16 |
                    (uint32_t)crc[3] << 24;
        return;
    }
}

/* CRC-32 as zlib and .gnu_debuglink have it, of the whole file. */
static bool crc_is(int fd, uint32_t want)
{
    uint8_t buf[16384];
    uint32_t table[16], crc = UINT32_MAX;
    off_t at = 0;
    ssize_t n;
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int k = 0; k < 4; k++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
    }
    while ((n = pread(fd, buf, sizeof buf, at)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            crc ^= buf[i];
            crc = crc >> 4 ^ table[crc & 15];
            crc = crc >> 4 ^ table[crc & 15];
        }
        at += n;
    }
    return n == 0 && ~crc == want;
}

/* @path, when it is the debug file of the file with @id; @link: its checksum counts, or NULL. */
static Elf *try_open(const char *path, const struct build_id *id, const struct link *link, int *fd)
{
    struct stat st;
    struct build_id its;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return NULL;
    bool regular = fstat(*fd, &st) == 0 && S_ISREG(st.st_mode);
    Elf *elf = regular ? elf_begin(*fd, ELF_C_READ, NULL) : NULL;
    if (elf && elf_kind(elf) == ELF_K_ELF) {
        find_id(elf, &its);
        if (its.n > 0 && id->n > 0 ? its.n == id->n && memcmp(its.bytes, id->bytes, id->n) == 0
                                   : link != NULL && crc_is(*fd, link->crc))
            return elf;
    }
    if (elf)
        elf_end(elf);
    close(*fd);
    *fd = -1;
    return NULL;
}

static Elf *try_id(const struct build_id *id, const char *root, int *fd)
{
    char path[PATH_MAX], hex[2 * BUILD_ID_MAX + 1];
    if (id->n < 2)
        return NULL;
    for (size_t i = 0; i < id->n; i++)
        snprintf(hex + 2 * i, 3, "%02x", id->bytes[i]);
    int n = snprintf(path, sizeof path, "%s/.build-id/%.2s/%s.debug", root, hex, hex + 2);
    return n > 0 && (size_t)n < sizeof path ? try_open(path, id, NULL, fd) : NULL;
}

static Elf *try_link(const struct link *link, const struct build_id *id, const char *of,
                     const char *root, int *fd)
{
    const char *slash = strrchr(of, '/');
    int dir = slash ? (int)(slash - of) : 0;
    Elf *elf = NULL;
    for (int k = 0; k < 3 && !elf && slash && *link->name; k++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s%.*s/%s%s", k == 2 ? root : "", dir, of,
                         k == 1 ? ".debug/" : "", link->name);
        if (n > 0 && (size_t)n < sizeof path)
            elf = try_open(path, id, link, fd);
    }
    return elf;
}

Elf *debug_file_open(Elf *elf, const char *path, const char *debug_root, int *fd)
{
    struct build_id id;
    struct link link;
    find_id(elf, &id);
    find_link(elf, &link);
    Elf *debug = try_id(&id, debug_root, fd);
    return debug ? debug : try_link(&link, &id, path, debug_root, fd);
}
