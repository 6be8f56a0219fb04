/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and descriptors. A regular file is announced before its first use in this
 * program image, together with what the page cache has of it; the recorder, which
 * sees all processes, keeps the first announcement.
 */
#include "fltrace.h"

#include "faultline_map_flags.h"
#include "residency.h"

extern Int VG_(fcntl)(Int fd, Int cmd, Addr arg); /* Valgrind's own, not in its public headers */

enum { GET_FLAGS = 3 };

#define MAX_FDS (1u << 16)

enum { UNKNOWN = 0, OTHER, REGULAR };

static struct tr_descriptor *fds;
static UInt n_fds;

/* A file that has lost its last name, or is about to, by ThreadId. */
static struct flr_identity *losing;

void tr_file_init(void)
{
    losing = VG_(calloc)("fltrace.losing", VG_N_THREADS, sizeof *losing);
}

/* ---- files -------------------------------------------------------------------------- */

static struct flr_identity *seen; /* open addressing; ino 0 and dev 0: free */
static UInt n_seen, cap_seen;

static struct flr_identity *seen_slot(const struct flr_identity *id)
{
    ULong hash = (id->dev * 0x9e3779b97f4a7c15ULL ^ id->ino) * 0x9e3779b97f4a7c15ULL;
    UInt i = (UInt)(hash >> 32) & (cap_seen - 1);
    while ((seen[i].dev | seen[i].ino) != 0 && (seen[i].dev != id->dev || seen[i].ino != id->ino))
        i = (i + 1) & (cap_seen - 1);
    return &seen[i];
}

static Bool is_seen(const struct flr_identity *id)
{
    struct flr_identity *at = cap_seen ? seen_slot(id) : NULL;
    return at != NULL && (at->dev | at->ino) != 0 && at->birth_ns == id->birth_ns;
}

static void note_seen(const struct flr_identity *id)
{
    if (2 * n_seen >= cap_seen) {
        struct flr_identity *old = seen;
        UInt old_cap = cap_seen;
        cap_seen = cap_seen ? 2 * cap_seen : 256;
        seen = VG_(calloc)("fltrace.seen", cap_seen, sizeof *seen);
        for (UInt i = 0; i < old_cap; i++)
            if ((old[i].dev | old[i].ino) != 0)
                *seen_slot(&old[i]) = old[i];
        VG_(free)(old);
    }
    struct flr_identity *at = seen_slot(id);
    n_seen += (at->dev | at->ino) == 0;
    *at = *id;
}

static const struct flr_device *device_of(Int fd, const struct flr_identity *id)
{
    static struct {
        ULong dev;
        struct flr_device device;
    } known[64];
    static UInt n_known;
    UInt i = 0;
    while (i < n_known && known[i].dev != id->dev)
        i++;
    if (i == n_known) {
        if (n_known < 64)
            n_known++;
        else
            i = 63;
        known[i].dev = id->dev;
        flr_device(fd, id, &known[i].device);
    }
    return &known[i].device;
}

/* Announce @fd's file, once. False: it has no pages in the cache, ever. */
static Bool announce(Int fd, const struct flr_identity *id)
{
    static struct flr_range ranges[FLR_RANGES];
    static HChar path[FLR_PATH];
    if (!id->is_regular)
        return False;
    if (is_seen(id))
        return True;
    const struct flr_device *device = device_of(fd, id);
    if (!device->is_cached)
        return False;
    Int n = flr_residency(fd, id, ranges);
    flr_path_of(fd, path);
    struct flr_file file = { id->dev,
                             id->ino,
                             id->size_bytes,
                             id->birth_ns,
                             device->read_ahead_pages,
                             n < 0 ? ~0ULL : (ULong)n };
    tr_put_record(FLR_REC_FILE, &file, sizeof file / 8, path);
    for (Int i = 0; i < n; i++)
        tr_put_record(FLR_REC_RESIDENT, &ranges[i], 2, NULL);
    note_seen(id);
    return True;
}

/* The same for a file that the program names. Returns it open, or negative. */
Int tr_file_announce_path(Int dirfd, const HChar *path)
{
    struct flr_identity id;
    if (flr_identify(dirfd, path, 1, &id) < 0 || !id.is_regular)
        return -1;
    Int fd = flr_open(dirfd, path);
    if (fd >= 0)
        announce(fd, &id);
    return fd;
}

/* What exec opens and reads before the new image can tell. */
void tr_file_announce_program(Int dirfd, const HChar *path)
{
    static HChar names[2][FLR_PATH];
    struct flr_identity id, self;
    if (flr_identify(TR_AT_CWD, "/proc/self/exe", 1, &self) < 0)
        return;
    for (UInt depth = 0; depth < 5; depth++) {
        if (flr_identify(dirfd, path, 1, &id) == 0 && id.dev == self.dev && id.ino == self.ino)
            return; /* the tracer, not the program */
        Int fd = tr_file_announce_path(dirfd, path);
        if (fd < 0)
            return;
        HChar *next = names[depth & 1];
        Bool more = flr_interpreter(fd, next);
        flr_close(fd);
        if (!more)
            return;
        path = next;
        dirfd = TR_AT_CWD;
    }
}

/* ---- descriptors --------------------------------------------------------------------- */

static struct tr_descriptor *slot_of(UWord fd)
{
    if (fd >= MAX_FDS)
        return NULL;
    if (fd >= n_fds) {
        UInt grown = n_fds ? n_fds : 64;
        while (grown <= fd)
            grown *= 2;
        fds = VG_(realloc)("fltrace.fds", fds, grown * sizeof *fds);
        VG_(memset)(fds + n_fds, 0, (grown - n_fds) * sizeof *fds);
        n_fds = grown;
    }
    return &fds[fd];
}

/* @word's descriptor when it is one of a regular file, announced; or NULL. */
struct tr_descriptor *tr_file_look(UWord word)
{
    Int fd = (Int)word;
    struct tr_descriptor *d = fd >= 0 ? slot_of((UWord)fd) : NULL;
    if (d == NULL)
        return NULL;
    if (d->state == UNKNOWN) {
        struct flr_identity id;
        if (flr_identify(fd, "", 1, &id) < 0)
            return NULL;
        d->state = announce(fd, &id) ? REGULAR : OTHER;
        d->dev = id.dev;
        d->ino = id.ino;
        d->is_shared = False;
        d->open_flags = d->state == REGULAR ? (UInt)VG_(fcntl)(fd, GET_FLAGS, 0) : 0;
    }
    return d->state == REGULAR ? d : NULL;
}

void tr_file_forget(UInt first, UInt last)
{
    for (UInt fd = first; fd <= last && fd < n_fds; fd++)
        fds[fd].state = UNKNOWN;
}

static Bool is_open(ULong dev, ULong ino, UInt except_fd)
{
    for (UInt i = 0; i < n_fds; i++)
        if (i != except_fd && fds[i].state == REGULAR && fds[i].dev == dev && fds[i].ino == ino)
            return True;
    return False;
}

/* ---- the end of files ------------------------------------------------------------------- */

void tr_put_file_io(ULong dev, ULong ino, UInt op, UInt flags, ULong offset, ULong length)
{
    struct flr_file_io io = { dev, ino, op, flags, offset, length };
    tr_put_record(FLR_REC_FILE_IO, &io, sizeof io / 8, NULL);
}

/* @fd is about to be closed: is it the last that holds a file without a name? */
void tr_file_before_close(ThreadId tid, UWord fd)
{
    const struct tr_descriptor *d = fd < n_fds ? &fds[fd] : NULL;
    if (d == NULL || d->state != REGULAR || d->is_shared || is_open(d->dev, d->ino, (UInt)fd))
        return;
    if (flr_identify((Int)fd, "", 1, &losing[tid]) < 0 || losing[tid].n_links != 0)
        losing[tid].is_regular = 0;
}

/* The name is about to go: is it the last of a file that nobody here has open? */
void tr_file_before_unlink(ThreadId tid, Int dirfd, const HChar *path)
{
    struct flr_identity *id = &losing[tid];
    if (flr_identify(dirfd, path, 0, id) < 0 || id->n_links != 1 || is_open(id->dev, id->ino, ~0u))
        id->is_regular = 0;
}

void tr_file_settle(ThreadId tid, Bool succeeded)
{
    struct flr_identity *id = &losing[tid];
    if (succeeded && id->is_regular)
        tr_put_file_io(id->dev, id->ino, IO_UNLINK, 0, 0, 0);
    id->is_regular = 0;
}

void tr_file_fork(void)
{
    for (UInt i = 0; i < n_fds; i++)
        fds[i].is_shared = fds[i].state == REGULAR;
}

void tr_file_end(void)
{
    struct flr_identity id;
    if (tr_slot == NULL)
        return;
    for (UInt i = 0; i < n_fds; i++) {
        if (fds[i].state != REGULAR || fds[i].is_shared)
            continue;
        fds[i].state = UNKNOWN;
        if (!is_open(fds[i].dev, fds[i].ino, i) && flr_identify((Int)i, "", 1, &id) == 0 &&
            id.n_links == 0)
            tr_put_file_io(fds[i].dev, fds[i].ino, IO_UNLINK, 0, 0, 0);
    }
}
