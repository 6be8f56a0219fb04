/* SPDX-License-Identifier: GPL-2.0-or-later */
/** kernel_btf.h - what the running kernel says of its own types (BTF, Documentation/bpf/btf.rst). */
#ifndef COLLECT_KERNEL_BTF_H
#define COLLECT_KERNEL_BTF_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_BTF_PATH "/sys/kernel/btf/vmlinux"

struct kernel_btf;

/** kernel_btf_open - NULL: there is none at @path, an absolute one, or it is damaged. Cost: reads 5 MB. */
struct kernel_btf *kernel_btf_open(const char *path);
void kernel_btf_free(struct kernel_btf *b); /* NULL is fine */

/** kernel_btf_function - the id of function @name's type; 0: there is none. Cost: looks at all. */
uint32_t kernel_btf_function(const struct kernel_btf *b, const char *name);

/** kernel_btf_offset - of @member in struct @name, in bytes; -1: there is none. Cost: looks at all. */
int32_t kernel_btf_offset(const struct kernel_btf *b, const char *name, const char *member);

#endif
