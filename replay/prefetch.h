/* SPDX-License-Identifier: GPL-2.0-or-later */
/** prefetch.h - for functions that do nothing but ask for memory ahead of its use. */
#ifndef REPLAY_PREFETCH_H
#define REPLAY_PREFETCH_H

/* GCC takes such a function for one without effects, and leaves out the calls that it did not
   inline before it noticed. */
#define PREFETCHES inline __attribute__((always_inline))

#endif
