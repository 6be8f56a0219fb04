/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/slab_peek.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <faultline/units.h>

#include "bpf_code.h"
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
    } v[FL_SLAB_PEEK_MAX];
};

_Static_assert(sizeof(struct walked) == MAP_BYTES, "one page");

struct fl_slab_peek {
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

/* ---- programs ------------------------------------------------------------------------- */

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
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .attach_btf_id = o->iterator,
                .expected_attach_type = BPF_TRACE_ITER);
    return bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", code, FL_COUNT(code), &opts);
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
        LOAD_MAP(1, map),
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
        IF_EQI(6, FL_SLAB_PEEK_MAX, DONE - 21),
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
    return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", code, FL_COUNT(code), NULL);
}

/* ---- caches ----------------------------------------------------------------------------- */

static bool find_offsets(struct offsets *o)
{
    struct btf *b = btf__load_vmlinux_btf();
    if (!b)
        return false;
    int32_t iterator = btf__find_by_name_kind(b, "bpf_iter_kmem_cache", BTF_KIND_FUNC);
    *o = (struct offsets){ .node = kernel_btf_offset(b, "kmem_cache", "node"),
                           .name = kernel_btf_offset(b, "kmem_cache", "name"),
                           .list = kernel_btf_offset(b, "kmem_cache_node", "partial"),
                           .slab_list = kernel_btf_offset(b, "slab", "slab_list"),
                           .freelist = kernel_btf_offset(b, "slab", "freelist"),
                           .iterator = iterator > 0 ? (uint32_t)iterator : 0 };
    int32_t counters = kernel_btf_offset(b, "slab", "counters");
    btf__free(b);
    return o->node >= 0 && o->name >= 0 && o->slab_list >= 0 && o->freelist >= 0 &&
           counters == o->freelist + 8 && o->list >= 0 && o->iterator;
}

static int open_iterator(int prog)
{
    int fd = bpf_link_create(prog, 0, BPF_TRACE_ITER, NULL);
    int in = fd >= 0 ? bpf_iter_create(fd) : -1;
    if (fd >= 0)
        close(fd);
    return in;
}

static bool read_caches(struct fl_slab_peek *p, int in)
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

static bool name_caches(struct fl_slab_peek *p, const struct offsets *o)
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

static bool make_walk(struct fl_slab_peek *p, const struct offsets *o)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
    p->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, MAP_BYTES, 1, &opts);
    p->walk = p->map >= 0 ? load_walk(o, p->map) : -1;
    void *seen = p->walk >= 0 ? mmap(NULL, MAP_BYTES, PROT_READ, MAP_SHARED, p->map, 0)
                              : MAP_FAILED;
    p->seen = seen == MAP_FAILED ? NULL : seen;
    return p->seen;
}

struct fl_slab_peek *fl_slab_peek_open(void)
{
    struct offsets o;
    struct fl_slab_peek *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->map = p->walk = -1;
    if (find_offsets(&o) && name_caches(p, &o) && make_walk(p, &o)) {
        p->list_at = o.list;
        return p;
    }
    fl_slab_peek_close(p);
    return NULL;
}

void fl_slab_peek_close(struct fl_slab_peek *p)
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

size_t fl_slab_peek_caches(const struct fl_slab_peek *p)
{
    return p->n;
}

const char *fl_slab_peek_name(const struct fl_slab_peek *p, size_t cache)
{
    return p->caches[cache].name;
}

bool fl_slab_peek_read(const struct fl_slab_peek *p, size_t cache, struct fl_slab_peek_list *out)
{
    uint64_t head = p->caches[cache].node + (uint64_t)p->list_at;
    LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &head, .ctx_size_in = sizeof head);
    if (!p->caches[cache].node || bpf_prog_test_run_opts(p->walk, &run) < 0 || run.retval ||
        p->seen->n > FL_SLAB_PEEK_MAX)
        return false;
    out->whole = p->seen->whole;
    out->n = (uint32_t)p->seen->n;
    for (uint32_t i = 0; i < out->n; i++) {
        uint64_t counters = p->seen->v[i].counters; /* in use: 16 bits, objects: 15, frozen: 1 */
        out->v[i] = (struct fl_slab_peeked){ .at = p->seen->v[i].at,
                                             .in_use = counters & 0xffff,
                                             .objects = counters >> 16 & 0x7fff };
    }
    return true;
}
