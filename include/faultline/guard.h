/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * guard.h - what a command changed on the machine, undone whatever becomes of it.
 *
 * A guard is a list of things to undo and a small process beside the caller. Each
 * step is put on the list before the thing itself is made. The caller undoes them
 * one by one or all together; should it die without that, by SIGKILL even, the
 * guard process does the same in its place. At most one guard is held on a machine.
 */
#ifndef FAULTLINE_GUARD_H
#define FAULTLINE_GUARD_H

#include <stddef.h>

#include <faultline/err.h>

#define FL_GUARD_PATH_BYTES 512

/* How each step is undone. What is gone already counts as undone. */
enum fl_undo {
    FL_UNDO_GROUP,       /* path: a control group; its processes are killed, it is removed */
    FL_UNDO_SWAP,        /* path: swapped off */
    FL_UNDO_ZRAM,        /* path: /sys/block/zramN; its contents are dropped */
    FL_UNDO_ZRAM_DEVICE, /* path: /sys/block/zramN; the device itself is removed */
    FL_UNDO_FILE,        /* path: unlinked */
    FL_UNDO_MOUNT,       /* path: unmounted, and the folder removed */
    FL_UNDO_FOLDER,      /* path: an empty folder, or a tracing instance; removed */
};

struct fl_guard;

/**
 * fl_guard_start - take the machine-wide lock and start the guard process.
 * The lock is on /run/lock/faultline.lock (or /tmp, where there is no such folder)
 * and lasts until caller and guard process have both let go.
 * Errors: FL_EMACHINE when somebody else holds a guard; FL_EIO, FL_ENOMEM.
 * @out: the caller ends with fl_guard_end().
 */
int fl_guard_start(struct fl_guard **out, struct fl_err *err);

/**
 * fl_guard_add - put a step on the list; call it before making the thing.
 * Errors: FL_EINTERNAL when the list (32 steps) is full or @path is too long.
 */
int fl_guard_add(struct fl_guard *g, enum fl_undo what, const char *path, struct fl_err *err);

/** fl_guard_mark - how many steps are on the list. */
unsigned fl_guard_mark(const struct fl_guard *g);

/**
 * fl_guard_undo - undo the last steps, last first, until @mark are left.
 * Returns: FL_OK, also when there is nothing to do. Errors: FL_EIO with what the
 * first failing step leaves behind; the steps are taken off all the same.
 * Cost: waits at most 10 s a step.
 */
int fl_guard_undo(struct fl_guard *g, unsigned mark, struct fl_err *err);

/**
 * fl_guard_end - undo every step, last first, stop the guard process, free @g.
 * NULL is fine. Errors: as fl_guard_undo().
 */
int fl_guard_end(struct fl_guard *g, struct fl_err *err);

#endif
