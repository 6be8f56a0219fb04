/* SPDX-License-Identifier: GPL-2.0-or-later */
/** bpf_code.h - instructions of BPF programs, by hand: registers by number, jumps and offsets counted in instructions and bytes. */
#ifndef FL_BPF_CODE_H
#define FL_BPF_CODE_H

#include <bpf/bpf.h>

#define OP(op, d, s, o, i) ((struct bpf_insn){ (op), (d), (s), (int16_t)(o), (int32_t)(i) })
#define MOV(d, s) OP(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i) OP(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, s) OP(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define ADDI(d, i) OP(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define SUB(d, s) OP(BPF_ALU64 | BPF_SUB | BPF_X, d, s, 0, 0)
#define MOV32I(d, i) OP(BPF_ALU | BPF_MOV | BPF_K, d, 0, 0, i)
#define SHLI(d, i) OP(BPF_ALU64 | BPF_LSH | BPF_K, d, 0, 0, i)
#define LOAD(d, s, o) OP(BPF_LDX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STORE(d, o, s) OP(BPF_STX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STOREI(d, o, i) OP(BPF_ST | BPF_MEM | BPF_DW, d, 0, o, i)
#define IF_EQI(d, i, o) OP(BPF_JMP | BPF_JEQ | BPF_K, d, 0, o, i)
#define IF_NEI(d, i, o) OP(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define IF_GE(d, s, o) OP(BPF_JMP | BPF_JGE | BPF_X, d, s, o, 0)
#define IF_GEI(d, i, o) OP(BPF_JMP | BPF_JGE | BPF_K, d, 0, o, i)
#define IF_LEI(d, i, o) OP(BPF_JMP | BPF_JLE | BPF_K, d, 0, o, i)
#define IF_EQ(d, s, o) OP(BPF_JMP | BPF_JEQ | BPF_X, d, s, o, 0)
#define GOTO(o) OP(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define CALL(f) OP(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* A map's address: two instructions. */
#define LOAD_MAP(d, fd) \
    OP(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), OP(0, 0, 0, 0, 0)

#endif
