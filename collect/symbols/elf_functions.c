/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of an ELF file. Symbols have virtual addresses; the loaded segments of
 * the file itself (a debug file's have no contents) say where in the file those are.
 */
#include <string.h>
#include <unistd.h>

#include <gelf.h>

#include "functions.h"

#define SEGMENTS_MAX 64u
#define PLT_ENTRY 16u /* bytes, on x86-64 */

struct segment {
    uint64_t address, offset, bytes;
};

struct reading {
    struct functions *out;
    struct segment segments[SEGMENTS_MAX];
    size_t n_segments;
    uint64_t shift; /* from the addresses of the symbols that are read to the segments' */
    bool oom;
};

/* The lowest address of what is loaded. */
static uint64_t load_address(Elf *elf)
{
    size_t n = 0;
    GElf_Phdr p;
    if (elf_getphdrnum(elf, &n) != 0)
        return 0;
    for (size_t i = 0; i < n && i < 4096; i++)
        if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD)
            return p.p_vaddr;
    return 0;
}

static void read_segments(struct reading *r, Elf *elf)
{
    size_t n = 0;
    if (elf_getphdrnum(elf, &n) != 0)
        return;
    for (size_t i = 0; i < n && i < 4096 && r->n_segments < SEGMENTS_MAX; i++) {
        GElf_Phdr p;
        if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && p.p_filesz > 0)
            r->segments[r->n_segments++] = (struct segment){ p.p_vaddr, p.p_offset, p.p_filesz };
    }
}

/* Where in the file @address is; *@left: bytes from there to the segment's end. */
static bool file_offset(const struct reading *r, uint64_t address, uint64_t *offset, uint64_t *left)
{
    for (size_t i = 0; i < r->n_segments; i++) {
        const struct segment *s = &r->segments[i];
        if (address < s->address || address - s->address >= s->bytes)
            continue;
        *left = s->bytes - (address - s->address);
        *offset = s->offset + (address - s->address);
        return *offset + *left >= *offset; /* no file is that large */
    }
    return false;
}

static uint8_t rank_of(unsigned char info)
{
    return GELF_ST_BIND(info) == STB_GLOBAL ? 0 : GELF_ST_BIND(info) == STB_WEAK ? 1 : 2;
}

/* One symbol, when it is code. */
static void add_symbol(struct reading *r, Elf *elf, const GElf_Sym *sym, const char *name)
{
    unsigned type = GELF_ST_TYPE(sym->st_info);
    GElf_Shdr section;
    uint64_t offset, left;
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym->st_shndx == SHN_UNDEF ||
        sym->st_shndx >= SHN_LORESERVE)
        return;
    Elf_Scn *scn = elf_getscn(elf, sym->st_shndx);
    if (!scn || !gelf_getshdr(scn, &section) || !(section.sh_flags & SHF_EXECINSTR) ||
        sym->st_value < section.sh_addr || sym->st_value - section.sh_addr >= section.sh_size ||
        !file_offset(r, sym->st_value + r->shift, &offset, &left))
        return;
    uint64_t rest = section.sh_size - (sym->st_value - section.sh_addr);
    rest = rest < left ? rest : left;
    struct function f = { .start = offset,
                          .end = offset + (sym->st_size < rest ? sym->st_size : rest),
                          .limit = offset + rest,
                          .rank = rank_of(sym->st_info) };
    r->oom |= !functions_add(r->out, &f, name, "");
}

/* The first section of @type, with its header; NULL: none. */
static Elf_Scn *section_of_type(Elf *elf, unsigned type, GElf_Shdr *header)
{
    Elf_Scn *scn = NULL;
    while ((scn = elf_nextscn(elf, scn)) != NULL)
        if (gelf_getshdr(scn, header) && header->sh_type == type)
            return scn;
    return NULL;
}

static Elf_Scn *section_named(Elf *elf, const char *name, GElf_Shdr *header)
{
    Elf_Scn *scn = NULL;
    size_t strings;
    if (elf_getshdrstrndx(elf, &strings) != 0)
        return NULL;
    while ((scn = elf_nextscn(elf, scn)) != NULL) {
        const char *is = gelf_getshdr(scn, header) ? elf_strptr(elf, strings, header->sh_name)
                                                   : NULL;
        if (is && strcmp(is, name) == 0)
            return scn;
    }
    return NULL;
}

/* All of the symbol table of @type. Returns false when there is none. */
static bool read_symbols(struct reading *r, Elf *elf, unsigned type)
{
    GElf_Shdr header;
    Elf_Scn *scn = section_of_type(elf, type, &header);
    Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
    size_t one = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
    if (!data || one == 0)
        return false;
    for (size_t i = 1; i < data->d_size / one && i < INT32_MAX && !r->oom; i++) {
        GElf_Sym sym;
        if (!gelf_getsym(data, (int)i, &sym))
            break;
        const char *name = elf_strptr(elf, header.sh_link, sym.st_name);
        if (name && *name)
            add_symbol(r, elf, &sym, name);
    }
    return true;
}

static const char *relocated_name(Elf *elf, const GElf_Shdr *symbols, Elf_Data *data, uint64_t info)
{
    GElf_Sym sym;
    uint64_t i = GELF_R_SYM(info);
    if (i == 0 || i > INT32_MAX || !gelf_getsym(data, (int)i, &sym))
        return NULL;
    return elf_strptr(elf, symbols->sh_link, sym.st_name);
}

/*
 * Entries of the procedure linkage table: linkers write one for each relocation of
 * .rela.plt, in order, into .plt.sec or, behind an entry of its own, into .plt.
 */
static void read_plt(struct reading *r, Elf *elf)
{
    GElf_Shdr plt, relocations, symbols;
    bool plain = !section_named(elf, ".plt.sec", &plt);
    if (plain && !section_named(elf, ".plt", &plt))
        return;
    Elf_Scn *scn = section_named(elf, ".rela.plt", &relocations);
    Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
    Elf_Scn *symbol_scn = scn ? elf_getscn(elf, relocations.sh_link) : NULL;
    Elf_Data *symbol_data =
        symbol_scn && gelf_getshdr(symbol_scn, &symbols) ? elf_getdata(symbol_scn, NULL) : NULL;
    size_t one = gelf_fsize(elf, ELF_T_RELA, 1, EV_CURRENT);
    if (!data || !symbol_data || one == 0)
        return;
    uint64_t at = plt.sh_addr + (plain ? PLT_ENTRY : 0), end = plt.sh_addr + plt.sh_size;
    for (size_t i = 0; i < data->d_size / one && i < INT32_MAX && !r->oom; i++, at += PLT_ENTRY) {
        GElf_Rela rela;
        uint64_t offset, left;
        if (at >= end || end - at < PLT_ENTRY || !gelf_getrela(data, (int)i, &rela))
            break;
        const char *name = relocated_name(elf, &symbols, symbol_data, rela.r_info);
        if (!name || !file_offset(r, at, &offset, &left) || left < PLT_ENTRY)
            continue;
        struct function f = { offset, offset + PLT_ENTRY, offset + PLT_ENTRY, 0, 0, 3 };
        r->oom |= !functions_add(r->out, &f, name, "@plt");
    }
}

static void read_elf(struct reading *r, Elf *elf, const char *path, const char *debug_root)
{
    read_segments(r, elf);
    if (!read_symbols(r, elf, SHT_SYMTAB)) {
        int fd = -1;
        Elf *debug = debug_file_open(elf, path, debug_root, &fd);
        if (debug) /* prelinking moves the file, but not its debug file */
            r->shift = load_address(elf) - load_address(debug);
        bool found = debug && read_symbols(r, debug, SHT_SYMTAB);
        r->shift = 0;
        if (!found)
            read_symbols(r, elf, SHT_DYNSYM);
        if (debug)
            elf_end(debug);
        if (fd >= 0)
            close(fd);
    }
    read_plt(r, elf);
}

static bool read_all(struct functions *f, Elf *elf, const char *path, const char *debug_root)
{
    struct reading r = { .out = f };
    if (elf && elf_kind(elf) == ELF_K_ELF)
        read_elf(&r, elf, path, debug_root);
    if (elf)
        elf_end(elf);
    functions_sort(f);
    return !r.oom;
}

bool functions_read(struct functions *f, int fd, const char *path, const char *debug_root)
{
    if (elf_version(EV_CURRENT) == EV_NONE)
        return true;
    /* Read, not mapped: files shrink. */
    return read_all(f, elf_begin(fd, ELF_C_READ, NULL), path, debug_root);
}

bool functions_read_memory(struct functions *f, char *image, size_t bytes, const char *debug_root)
{
    if (elf_version(EV_CURRENT) == EV_NONE)
        return true;
    return read_all(f, elf_memory(image, bytes), "", debug_root);
}
