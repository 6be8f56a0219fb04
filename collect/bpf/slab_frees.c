/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <faultline/slab_frees.h>

#include <stdlib.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include <faultline/units.h>

#include "bpf_code.h"
#include "kernel_btf.h"

#define CALL_MAX \
    1024 /* objects of a call that are told of; the kernel's own calls have up to 512 */

struct fl_slab_frees {
    int map[FL_SLAB_FREES_KINDS], prog[FL_SLAB_FREES_KINDS], link[FL_SLAB_FREES_KINDS];
};

static const char *const functions[FL_SLAB_FREES_KINDS] = { "kvfree_call_rcu",
                                                            "kmem_cache_free_bulk" };

static int load(const struct bpf_insn *code, size_t n, uint32_t function)
{
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .attach_btf_id = function,
                .expected_attach_type = BPF_TRACE_FENTRY);
    return bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", code, n, &opts);
}

/* kvfree_call_rcu(head, ptr) */
static int load_rcu(int map, uint32_t function)
{
    const struct bpf_insn code[] = {
        LOAD(7, 1, 8),    STORE(10, -8, 7),
        LOAD_MAP(2, map), MOV32I(3, -1), /* this CPU's */
        MOV(4, 10),       ADDI(4, -8),
        MOVI(5, 8),       CALL(BPF_FUNC_perf_event_output),
        MOVI(0, 0),       EXIT,
    };
    return load(code, FL_COUNT(code), function);
}

/* kmem_cache_free_bulk(s, size, p): a record for every so many of p. Jumps as in slab_peek.c. */
static int load_bulk(int map, uint32_t function, int32_t name)
{
    enum {
        PTR = -8,
        OBJECTS = PTR - 8 * FL_SLAB_FREES_OBJECTS,
        NAME = OBJECTS - FL_SLAB_FREES_NAME_BYTES,
        N = NAME - 8,
        SKIP = 25,
        LOOP = 26,
        DONE = 51
    };
    const struct bpf_insn code[] = {
        MOV(6, 1),
        LOAD(8, 6, 8),
        STOREI(10, PTR, 0),
        MOV(1, 6),
        MOVI(2, 2),
        MOV(3, 10),
        ADDI(3, PTR),
        CALL(BPF_FUNC_get_func_arg), /* p: pointers to pointers are not read otherwise */
        LOAD(9, 10, PTR),
        STOREI(10, NAME, 0),
        STOREI(10, NAME + 8, 0),
        STOREI(10, NAME + 16, 0),
        STOREI(10, NAME + 24, 0),
        LOAD(3, 6, 0),
        IF_EQI(3, 0, SKIP - 15), /* kfree_bulk() */
        ADDI(3, name),
        MOV(1, 10),
        ADDI(1, PTR),
        MOVI(2, 8),
        CALL(BPF_FUNC_probe_read_kernel),
        MOV(1, 10),
        ADDI(1, NAME),
        MOVI(2, FL_SLAB_FREES_NAME_BYTES),
        LOAD(3, 10, PTR),
        CALL(BPF_FUNC_probe_read_kernel_str),
        /* SKIP */
        MOVI(7, 0),
        /* LOOP */
        IF_GE(7, 8, DONE - 27),
        IF_GEI(7, CALL_MAX, DONE - 28),
        MOV(2, 8),
        SUB(2, 7),
        IF_LEI(2, FL_SLAB_FREES_OBJECTS, 1),
        MOVI(2, FL_SLAB_FREES_OBJECTS),
        SHLI(2, 3),
        STORE(10, N, 2),
        MOV(1, 10),
        ADDI(1, OBJECTS),
        MOV(3, 7),
        SHLI(3, 3),
        ADD(3, 9),
        CALL(BPF_FUNC_probe_read_kernel),
        MOV(1, 6),
        LOAD_MAP(2, map),
        MOV32I(3, -1),
        MOV(4, 10),
        ADDI(4, NAME),
        LOAD(5, 10, N),
        ADDI(5, FL_SLAB_FREES_NAME_BYTES),
        CALL(BPF_FUNC_perf_event_output),
        ADDI(7, FL_SLAB_FREES_OBJECTS),
        GOTO(LOOP - 51),
        /* DONE */
        MOVI(0, 0),
        EXIT,
    };
    return load(code, FL_COUNT(code), function);
}

static bool watch(struct fl_slab_frees *f, const struct btf *b, enum fl_slab_frees_kind kind,
                  int cpus)
{
    int32_t function = btf__find_by_name_kind(b, functions[kind], BTF_KIND_FUNC);
    int32_t name = kernel_btf_offset(b, "kmem_cache", "name");
    if (function <= 0 || name < 0)
        return false;
    int map = bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, NULL, 4, 4, (uint32_t)cpus, NULL);
    f->map[kind] = map;
    if (map >= 0)
        f->prog[kind] = kind == FL_SLAB_FREES_RCU ? load_rcu(map, (uint32_t)function)
                                                  : load_bulk(map, (uint32_t)function, name);
    if (f->prog[kind] >= 0)
        f->link[kind] = bpf_raw_tracepoint_open(NULL, f->prog[kind]);
    return f->link[kind] >= 0;
}

struct fl_slab_frees *fl_slab_frees_open(void)
{
    int cpus = libbpf_num_possible_cpus();
    struct fl_slab_frees *f = cpus > 0 ? calloc(1, sizeof *f) : NULL;
    struct btf *b = f ? btf__load_vmlinux_btf() : NULL;
    bool ok = b;
    for (int i = 0; f && i < FL_SLAB_FREES_KINDS; i++)
        f->map[i] = f->prog[i] = f->link[i] = -1;
    for (int i = 0; ok && i < FL_SLAB_FREES_KINDS; i++)
        ok = watch(f, b, (enum fl_slab_frees_kind)i, cpus);
    btf__free(b);
    if (ok)
        return f;
    fl_slab_frees_close(f);
    return NULL;
}

static void close_all(const int fd[FL_SLAB_FREES_KINDS])
{
    for (int i = 0; i < FL_SLAB_FREES_KINDS; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

void fl_slab_frees_close(struct fl_slab_frees *f)
{
    if (!f)
        return;
    close_all(f->link);
    close_all(f->prog);
    close_all(f->map);
    free(f);
}

bool fl_slab_frees_to(struct fl_slab_frees *f, enum fl_slab_frees_kind kind, int cpu, int fd)
{
    return bpf_map_update_elem(f->map[kind], &cpu, &fd, BPF_ANY) == 0;
}

uint64_t fl_slab_frees_missed(const struct fl_slab_frees *f)
{
    uint64_t n = 0;
    for (int i = 0; i < FL_SLAB_FREES_KINDS; i++) {
        struct bpf_prog_info info = { 0 };
        uint32_t bytes = sizeof info;
        if (bpf_obj_get_info_by_fd(f->prog[i], &info, &bytes) == 0)
            n += info.recursion_misses;
    }
    return n;
}
