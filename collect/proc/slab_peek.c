/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "slab_peek.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <faultline/units.h>

#include "kernel_btf.h"

#define NAME_BYTES 48
#define MAP_BYTES 4096

/* What the first program writes of each cache. */
struct named {
    uint64_t node; /* address of its kmem_cache_node */
    char name[NAME_BYTES];
};

/* What the second one leaves in the map. */
struct walked {
    uint64_t n, whole;
    struct {
        uint64_t at, counters;
    } v[SLAB_PEEK_MAX];
};

_Static_assert(sizeof(struct walked) == MAP_BYTES, "one page");

struct slab_peek {
    int map, walk;
    int32_t list_at; /* of kmem_cache_node */
    const struct walked *seen;
    struct named *caches;
    size_t n;
};

struct offsets {
    int32_t node, name, list, slab_list, freelist;
    uint32_t iterator;
};

static long sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
    return syscall(SYS_bpf, cmd, attr, sizeof *attr);
}

/* ---- programs ------------------------------------------------------------------------- */

#define OP(op, d, s, o, i) ((struct bpf_insn){ (op), (d), (s), (int16_t)(o), (int32_t)(i) })
#define MOV(d, s) OP(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i) OP(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, s) OP(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define ADDI(d, i) OP(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define SHLI(d, i) OP(BPF_ALU64 | BPF_LSH | BPF_K, d, 0, 0, i)
#define LOAD(d, s, o) OP(BPF_LDX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STORE(d, o, s) OP(BPF_STX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STOREI(d, o, i) OP(BPF_ST | BPF_MEM | BPF_DW, d, 0, o, i)
#define IF_EQI(d, i, o) OP(BPF_JMP | BPF_JEQ | BPF_K, d, 0, o, i)
#define IF_NEI(d, i, o) OP(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define IF_EQ(d, s, o) OP(BPF_JMP | BPF_JEQ | BPF_X, d, s, o, 0)
#define GOTO(o) OP(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define CALL(f) OP(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int load(uint32_t type, const struct bpf_insn *insns, size_t n, uint32_t iterator)
{
    union bpf_attr attr = { .prog_type = type };
    attr.insns = (uint64_t)(uintptr_t)insns;
    attr.insn_cnt = (uint32_t)n;
    attr.license = (uint64_t)(uintptr_t) "GPL";
    attr.attach_btf_id = iterator;
    attr.expected_attach_type = iterator ? BPF_TRACE_ITER : 0;
    return (int)sys_bpf(BPF_PROG_LOAD, &attr);
}

/* Of each cache: the address of its node, and its name. */
static int load_names(const struct offsets *o)
{
    enum { BUF = -64, PTR = -72 };
    const struct bpf_insn code[] = {
        MOV(6, 1),
        LOAD(7, 6, 8), /* the cache; none: it is over */
        IF_NEI(7, 0, 2),
        MOVI(0, 0),
        EXIT,
        MOV(1, 10),
        ADDI(1, BUF),
        MOVI(2, 8),
        MOV(3, 7),
        ADDI(3, o->node),
        CALL(BPF_FUNC_probe_read_kernel),
        MOV(1, 10),
        ADDI(1, PTR),
        MOVI(2, 8),
        MOV(3, 7),
        ADDI(3, o->name),
        CALL(BPF_FUNC_probe_read_kernel),
        MOV(1, 10),
        ADDI(1, BUF + 8),
        MOVI(2, NAME_BYTES),
        LOAD(3, 10, PTR),
        CALL(BPF_FUNC_probe_read_kernel_str),
        LOAD(1, 6, 0),
        LOAD(1, 1, 0), /* where to write */
        MOV(2, 10),
        ADDI(2, BUF),
        MOVI(3, sizeof(struct named)),
        CALL(BPF_FUNC_seq_write),
        MOVI(0, 0),
        EXIT,
    };
    return load(BPF_PROG_TYPE_TRACING, code, FL_COUNT(code), o->iterator);
}

/*
 * From the head whose address it is given along the list, into the map. Returns 0 when all could be read. Where jumps go is
 * counted in instructions from the first; the map's address takes two.
 */
static int load_walk(const struct offsets *o, int map)
{
    enum { KEY = -8, PTR = -16, LOOP = 19, DONE = 39, FAILED = 45 };
    const struct bpf_insn code[] = {
        LOAD(7, 1, 0), /* the head */
        STOREI(10, KEY, 0),
        OP(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
        OP(0, 0, 0, 0, 0),
        MOV(2, 10),
        ADDI(2, KEY),
        CALL(BPF_FUNC_map_lookup_elem),
        IF_NEI(0, 0, 2),
        MOVI(0, 1),
        EXIT,
        MOV(9, 0),
        MOV(1, 10),
        ADDI(1, PTR),
        MOVI(2, 8),
        MOV(3, 7),
        CALL(BPF_FUNC_probe_read_kernel),
        IF_NEI(0, 0, FAILED - 17),
        LOAD(8, 10, PTR), /* the first slab */
        MOVI(6, 0),
        /* LOOP */
        IF_EQ(8, 7, DONE - 20),
        IF_EQI(6, SLAB_PEEK_MAX, DONE - 21),
        MOV(1, 6),
        SHLI(1, 4),
        ADD(1, 9),
        ADDI(1, 16),
        MOVI(2, 16),
        MOV(3, 8),
        ADDI(3, o->freelist - o->slab_list),
        CALL(BPF_FUNC_probe_read_kernel),
        IF_NEI(0, 0, FAILED - 30),
        MOV(1, 10),
        ADDI(1, PTR),
        MOVI(2, 8),
        MOV(3, 8),
        CALL(BPF_FUNC_probe_read_kernel),
        IF_NEI(0, 0, FAILED - 36),
        LOAD(8, 10, PTR),
        ADDI(6, 1),
        GOTO(LOOP - 39),
        /* DONE */
        STORE(9, 0, 6),
        STOREI(9, 8, 1),
        IF_EQ(8, 7, 1),
        STOREI(9, 8, 0),
        MOVI(0, 0),
        EXIT,
        /* FAILED */
        MOVI(0, 1),
        EXIT,
    };
    return load(BPF_PROG_TYPE_RAW_TRACEPOINT, code, FL_COUNT(code), 0);
}

/* ---- caches ----------------------------------------------------------------------------- */

static bool find_offsets(struct offsets *o)
{
    struct kernel_btf *b = kernel_btf_open(KERNEL_BTF_PATH);
    if (!b)
        return false;
    *o = (struct offsets){ .node = kernel_btf_offset(b, "kmem_cache", "node"),
                           .name = kernel_btf_offset(b, "kmem_cache", "name"),
                           .list = kernel_btf_offset(b, "kmem_cache_node", "partial"),
                           .slab_list = kernel_btf_offset(b, "slab", "slab_list"),
                           .freelist = kernel_btf_offset(b, "slab", "freelist"),
                           .iterator = kernel_btf_function(b, "bpf_iter_kmem_cache") };
    int32_t counters = kernel_btf_offset(b, "slab", "counters");
    kernel_btf_free(b);
    return o->node >= 0 && o->name >= 0 && o->slab_list >= 0 && o->freelist >= 0 &&
           counters == o->freelist + 8 && o->list >= 0 && o->iterator;
}

static int open_iterator(int prog)
{
    union bpf_attr link = { .link_create = { .prog_fd = (uint32_t)prog,
                                             .attach_type = BPF_TRACE_ITER } };
    int fd = (int)sys_bpf(BPF_LINK_CREATE, &link);
    union bpf_attr iter = { .iter_create = { .link_fd = (uint32_t)fd } };
    int in = fd >= 0 ? (int)sys_bpf(BPF_ITER_CREATE, &iter) : -1;
    if (fd >= 0)
        close(fd);
    return in;
}

static bool read_caches(struct slab_peek *p, int in)
{
    size_t room = 0, bytes = 0;
    ssize_t n = 1;
    while (n > 0) {
        if (bytes + sizeof *p->caches > room) {
            room = room ? 2 * room : 512 * sizeof *p->caches;
            struct named *grown = realloc(p->caches, room);
            if (!grown)
                return false;
            p->caches = grown;
        }
        n = read(in, (char *)p->caches + bytes, room - bytes);
        bytes += n > 0 ? (size_t)n : 0;
    }
    p->n = bytes / sizeof *p->caches;
    return n == 0 && p->n;
}

static bool name_caches(struct slab_peek *p, const struct offsets *o)
{
    int prog = load_names(o), in = prog >= 0 ? open_iterator(prog) : -1;
    bool ok = in >= 0 && read_caches(p, in);
    if (prog >= 0)
        close(prog);
    if (in >= 0)
        close(in);
    for (size_t i = 0; ok && i < p->n; i++)
        p->caches[i].name[NAME_BYTES - 1] = 0;
    return ok;
}

static bool make_walk(struct slab_peek *p, const struct offsets *o)
{
    union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY,
                           .key_size = 4,
                           .value_size = MAP_BYTES,
                           .max_entries = 1,
                           .map_flags = BPF_F_MMAPABLE };
    p->map = (int)sys_bpf(BPF_MAP_CREATE, &map);
    p->walk = p->map >= 0 ? load_walk(o, p->map) : -1;
    void *seen = p->walk >= 0 ? mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, p->map, 0)
                              : MAP_FAILED;
    p->seen = seen == MAP_FAILED ? NULL : seen;
    return p->seen;
}

struct slab_peek *slab_peek_open(void)
{
    struct offsets o;
    struct slab_peek *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->map = p->walk = -1;
    if (find_offsets(&o) && name_caches(p, &o) && make_walk(p, &o)) {
        p->list_at = o.list;
        return p;
    }
    slab_peek_close(p);
    return NULL;
}

void slab_peek_close(struct slab_peek *p)
{
    if (!p)
        return;
    if (p->seen)
        munmap((void *)p->seen, MAP_BYTES);
    if (p->walk >= 0)
        close(p->walk);
    if (p->map >= 0)
        close(p->map);
    free(p->caches);
    free(p);
}

size_t slab_peek_caches(const struct slab_peek *p)
{
    return p->n;
}

const char *slab_peek_name(const struct slab_peek *p, size_t cache)
{
    return p->caches[cache].name;
}

bool slab_peek_read(const struct slab_peek *p, size_t cache, struct slab_peek_list *out)
{
    uint64_t head = p->caches[cache].node + (uint64_t)p->list_at;
    union bpf_attr run = { .test = { .prog_fd = (uint32_t)p->walk,
                                     .ctx_in = (uint64_t)(uintptr_t)&head,
                                     .ctx_size_in = sizeof head } };
    if (!p->caches[cache].node || sys_bpf(BPF_PROG_TEST_RUN, &run) < 0 || run.test.retval ||
        p->seen->n > SLAB_PEEK_MAX)
        return false;
    out->whole = p->seen->whole;
    out->n = (uint32_t)p->seen->n;
    for (uint32_t i = 0; i < out->n; i++) {
        uint64_t counters = p->seen->v[i].counters; /* in use: 16 bits, objects: 15, frozen: 1 */
        out->v[i] = (struct slab_peeked){ .at = p->seen->v[i].at,
                                          .in_use = counters & 0xffff,
                                          .objects = counters >> 16 & 0x7fff };
    }
    return true;
}
