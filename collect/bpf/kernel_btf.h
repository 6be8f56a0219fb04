/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kernel_btf.h - where a kernel's structs have their members, as it says itself (BTF). */
#ifndef COLLECT_KERNEL_BTF_H
#define COLLECT_KERNEL_BTF_H

#include <stdint.h>

#include <bpf/btf.h>

/** kernel_btf_offset - of @member in struct @name, in bytes; -1: there is none. Cost: looks at all types. */
int32_t kernel_btf_offset(const struct btf *b, const char *name, const char *member);

#endif
