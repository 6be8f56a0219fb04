/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * faultline_map_flags.h - FL_MAP_* of <faultline/event.h>, which needs libc.
 * exact_decode.c asserts that both are the same.
 */
#ifndef FAULTLINE_MAP_FLAGS_H
#define FAULTLINE_MAP_FLAGS_H

#define MAP_FLAG_SHARED 1u
#define MAP_FLAG_ANON 2u
#define MAP_FLAG_STACK 4u
#define MAP_FLAG_HEAP 8u
#define MAP_FLAG_SPECIAL 16u
#define MAP_FLAG_GROW 32u
#define MAP_FLAG_LOCKED 64u
#define MAP_FLAG_HUGETLB 128u

#endif
