/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What system calls do with regular files. */
#include "fltrace.h"

#include "faultline_map_flags.h"
#include "residency.h"

enum { OPEN_TRUNC = 01000, OPEN_APPEND = 02000, OPEN_DSYNC = 010000, OPEN_DIRECT = 040000 };
enum { RWF_DURABLE = 2 | 4, RWF_AT_END = 16, RWF_NOT_AT_END = 32 };
enum { SET_FLAGS = 4 }; /* of fcntl(2) */

/* ---- what was done -------------------------------------------------------------------- */

static void put_whole(const struct tr_descriptor *d, UInt op)
{
    tr_put_file_io(d->dev, d->ino, op, 0, 0, IO_TO_END);
}

/*
 * @bytes went from or to @fd. @offset: where the caller asked for, -1 for the
 * descriptor's position, which is behind the bytes now.
 */
static void put_transfer(UWord fd, UInt op, Long offset, ULong bytes, UInt rwf)
{
    const struct tr_descriptor *d = tr_file_look(fd);
    if (d == NULL || bytes == 0)
        return;
    Bool at_end = rwf & RWF_AT_END || (d->open_flags & OPEN_APPEND && !(rwf & RWF_NOT_AT_END));
    UInt flags = d->open_flags & OPEN_DIRECT ? IO_FLAG_DIRECT : 0;
    if (op == IO_WRITE && (d->open_flags & OPEN_DSYNC || rwf & RWF_DURABLE))
        flags |= IO_FLAG_DURABLE;
    if (offset == -1) {
        offset = VG_(lseek)((Int)fd, 0, VKI_SEEK_CUR) - (Long)bytes;
    } else if (op == IO_WRITE && at_end) {
        struct flr_identity id;
        if (flr_identify((Int)fd, "", 1, &id) < 0)
            return;
        offset = (Long)(id.size_bytes - bytes);
    }
    if (offset >= 0)
        tr_put_file_io(d->dev, d->ino, op, flags, (ULong)offset, bytes);
}

/* As above where the position is @at in the program's memory, moved on by the call, or NULL. */
static void put_transfer_at(UWord fd, UInt op, Addr at, ULong bytes)
{
    Long offset = -1;
    if (at != 0) {
        if (!VG_(am_is_valid_for_client)(at, 8, VKI_PROT_READ))
            return;
        offset = *(const Long *)at - (Long)bytes;
    }
    put_transfer(fd, op, offset, bytes, 0);
}

static void put_advice(const UWord *args)
{
    static const UChar ops[] = { IO_NORMAL, IO_RANDOM, IO_SEQUENTIAL, IO_WILLNEED, IO_DONTNEED };
    const struct tr_descriptor *d = tr_file_look(args[0]);
    if (d == NULL || args[3] >= sizeof ops)
        return;
    if (args[3] < 3)
        put_whole(d, ops[args[3]]);
    else
        tr_put_file_io(d->dev, d->ino, ops[args[3]], 0, args[1], args[2] ? args[2] : IO_TO_END);
}

static void put_msync(Addr start, SizeT length)
{
    Addr end = (start + length + 4095) & ~(Addr)4095;
    for (Addr a = start; a < end;) {
        const NSegment *seg = VG_(am_find_nsegment)(a);
        if (seg == NULL)
            return;
        Addr upto = seg->end + 1 < end ? seg->end + 1 : end;
        if (seg->kind == SkFileC)
            tr_put_file_io(seg->dev, seg->ino, IO_SYNC, 0, (ULong)seg->offset + (a - seg->start),
                           upto - a);
        a = upto;
    }
}

static void opened(UWord fd, UWord flags)
{
    tr_file_forget((UInt)fd, (UInt)fd);
    const struct tr_descriptor *d = tr_file_look(fd);
    if (d != NULL && flags & OPEN_TRUNC)
        tr_put_file_io(d->dev, d->ino, IO_TRUNCATE, 0, 0, 0);
}

/* ---- system calls ------------------------------------------------------------------------ */

void tr_file_before(ThreadId tid, UInt number, const UWord *args)
{
    enum { NOREPLACE_OR_EXCHANGE = 3, REMOVE_DIR = 0x200 };
    if (tr_slot == NULL)
        return;
    switch (number) {
    case __NR_read:
    case __NR_pread64:
    case __NR_readv:
    case __NR_preadv:
    case __NR_preadv2:
    case __NR_write:
    case __NR_pwrite64:
    case __NR_writev:
    case __NR_pwritev:
    case __NR_pwritev2:
    case __NR_ftruncate:
    case __NR_readahead: tr_file_look(args[0]); break;
    case __NR_sendfile:
        tr_file_look(args[0]);
        tr_file_look(args[1]);
        break;
    case __NR_splice:
    case __NR_copy_file_range:
        tr_file_look(args[0]);
        tr_file_look(args[2]);
        break;
    case __NR_mmap:
        if (!(args[3] & VKI_MAP_ANONYMOUS))
            tr_file_look(args[4]);
        break;
    case __NR_truncate: {
        Int fd = tr_file_announce_path(TR_AT_CWD, (const HChar *)args[0]);
        if (fd >= 0)
            flr_close(fd);
        break;
    }
    case __NR_execve: tr_file_announce_program(TR_AT_CWD, (const HChar *)args[0]); break;
    case __NR_execveat: tr_file_announce_program((Int)args[0], (const HChar *)args[1]); break;
    case __NR_close: tr_file_before_close(tid, args[0]); break;
    case __NR_dup2:
    case __NR_dup3:
        if (args[0] != args[1])
            tr_file_before_close(tid, args[1]);
        break;
    case __NR_unlink: tr_file_before_unlink(tid, TR_AT_CWD, (const HChar *)args[0]); break;
    case __NR_unlinkat:
        if (!(args[2] & REMOVE_DIR))
            tr_file_before_unlink(tid, (Int)args[0], (const HChar *)args[1]);
        break;
    case __NR_rename: tr_file_before_unlink(tid, TR_AT_CWD, (const HChar *)args[1]); break;
    case __NR_renameat2:
        if (args[4] & NOREPLACE_OR_EXCHANGE)
            break;
        /* fallthrough */
    case __NR_renameat: tr_file_before_unlink(tid, (Int)args[2], (const HChar *)args[3]); break;
    default: break;
    }
}

/* Calls that move data; @n bytes of it. */
static void after_transfer(UInt number, const UWord *args, ULong n)
{
    switch (number) {
    case __NR_read:
    case __NR_readv: put_transfer(args[0], IO_READ, -1, n, 0); break;
    case __NR_pread64:
    case __NR_preadv: put_transfer(args[0], IO_READ, (Long)args[3], n, 0); break;
    case __NR_preadv2: put_transfer(args[0], IO_READ, (Long)args[3], n, (UInt)args[5]); break;
    case __NR_write:
    case __NR_writev: put_transfer(args[0], IO_WRITE, -1, n, 0); break;
    case __NR_pwrite64:
    case __NR_pwritev: put_transfer(args[0], IO_WRITE, (Long)args[3], n, 0); break;
    case __NR_pwritev2: put_transfer(args[0], IO_WRITE, (Long)args[3], n, (UInt)args[5]); break;
    case __NR_sendfile:
        put_transfer_at(args[1], IO_READ, args[2], n);
        put_transfer_at(args[0], IO_WRITE, 0, n);
        break;
    case __NR_splice:
    case __NR_copy_file_range:
        put_transfer_at(args[0], IO_READ, args[1], n);
        put_transfer_at(args[2], IO_WRITE, args[3], n);
        break;
    default: break;
    }
}

static void after_truncate(UInt number, const UWord *args)
{
    struct flr_identity id;
    const struct tr_descriptor *d = number == __NR_ftruncate ? tr_file_look(args[0]) : NULL;
    if (d != NULL)
        tr_put_file_io(d->dev, d->ino, IO_TRUNCATE, 0, args[1], 0);
    else if (number == __NR_truncate &&
             flr_identify(TR_AT_CWD, (const HChar *)args[0], 1, &id) == 0 && id.is_regular)
        tr_put_file_io(id.dev, id.ino, IO_TRUNCATE, 0, args[1], 0);
}

/* Calls that say what to do with cached pages. */
static void after_cache_call(UInt number, const UWord *args)
{
    enum { MSYNC_SYNC = 4 };
    const struct tr_descriptor *d;
    switch (number) {
    case __NR_fsync:
    case __NR_fdatasync:
        if ((d = tr_file_look(args[0])) != NULL)
            put_whole(d, IO_SYNC);
        break;
    case __NR_sync_file_range:
        if ((d = tr_file_look(args[0])) != NULL)
            tr_put_file_io(d->dev, d->ino, IO_SYNC, 0, args[1], args[2] ? args[2] : IO_TO_END);
        break;
    case __NR_readahead:
        if ((d = tr_file_look(args[0])) != NULL)
            tr_put_file_io(d->dev, d->ino, IO_WILLNEED, 0, args[1], args[2]);
        break;
    case __NR_fadvise64: put_advice(args); break;
    case __NR_msync:
        if (args[2] & MSYNC_SYNC)
            put_msync(args[0], args[1]);
        break;
    default: break;
    }
}

static void after_descriptor_call(UInt number, const UWord *args, UWord result)
{
    switch (number) {
    case __NR_open: opened(result, args[1]); break;
    case __NR_creat: opened(result, OPEN_TRUNC); break;
    case __NR_openat: opened(result, args[2]); break;
    case __NR_close: tr_file_forget((UInt)args[0], (UInt)args[0]); break;
    case __NR_dup2:
    case __NR_dup3:
        if (args[0] != args[1])
            tr_file_forget((UInt)args[1], (UInt)args[1]);
        break;
    case __NR_close_range: tr_file_forget((UInt)args[0], (UInt)args[1]); break;
    case __NR_fcntl:
        if (args[1] == SET_FLAGS)
            tr_file_forget((UInt)args[0], (UInt)args[0]);
        break;
    default: break;
    }
}

void tr_file_after(ThreadId tid, UInt number, const UWord *args, SysRes result)
{
    if (tr_slot == NULL)
        return;
    tr_file_settle(tid, !sr_isError(result));
    if (sr_isError(result))
        return;
    after_transfer(number, args, sr_Res(result));
    if (number == __NR_ftruncate || number == __NR_truncate)
        after_truncate(number, args);
    else
        after_cache_call(number, args);
    after_descriptor_call(number, args, sr_Res(result));
}
