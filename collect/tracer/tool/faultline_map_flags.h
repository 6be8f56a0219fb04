/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * faultline_map_flags.h - FL_MAP_*, FL_IO_* and FL_LOCK_* of <faultline/event.h>, which
 * needs libc. exact_decode.c asserts that both are the same.
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

#define IO_READ 1u
#define IO_WRITE 2u
#define IO_TRUNCATE 3u
#define IO_SYNC 4u
#define IO_DONTNEED 5u
#define IO_WILLNEED 6u
#define IO_NORMAL 7u
#define IO_RANDOM 8u
#define IO_SEQUENTIAL 9u
#define IO_UNLINK 10u
#define IO_FLAG_DIRECT 1u
#define IO_FLAG_DURABLE 2u
#define IO_TO_END (~0ULL)

#define LOCK_OFF 0u
#define LOCK_NOW 1u
#define LOCK_ON_FAULT 2u
#define LOCK_ALL (~0ULL - 4095)

#endif
