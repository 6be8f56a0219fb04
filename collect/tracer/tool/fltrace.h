/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * fltrace.h - the exact tracer, a Valgrind tool: what its files share.
 *
 * It runs inside the traced process without libc. One thread runs at a time
 * (Valgrind's big lock), so nothing here needs locks; only what is in the shared
 * file is touched by others.
 */
#ifndef FAULTLINE_FLTRACE_H
#define FAULTLINE_FLTRACE_H

#include "pub_tool_basics.h"
#include "pub_tool_vki.h"
#include "pub_tool_vkiscnums.h"
#include "pub_tool_aspacemgr.h"
#include "pub_tool_guest.h"
#include "pub_tool_libcassert.h"
#include "pub_tool_libcbase.h"
#include "pub_tool_libcfile.h"
#include "pub_tool_libcprint.h"
#include "pub_tool_libcproc.h"
#include "pub_tool_libcsignal.h"
#include "pub_tool_machine.h"
#include "pub_tool_mallocfree.h"
#include "pub_tool_options.h"
#include "pub_tool_threadstate.h"
#include "pub_tool_tooliface.h"

#include "ring_protocol.h"

/*
 * Where generated code keeps its place, in the first shadow of the guest state:
 * the next word to write, the word from which on the segment must be changed, the
 * first word of the superblock being run, and, where that has an instruction twice
 * (an unrolled loop), the side exits it has passed.
 */
enum { SHADOW_NEXT = 0, SHADOW_LIMIT = 8, SHADOW_BLOCK = 16, SHADOW_EXITS = 24, SHADOW_BYTES = 32 };
#define SHADOW_OFFSET ((Int)sizeof(VexGuestAMD64State))

/* ---- fltrace_ring.c: the shared file -------------------------------------- */

extern struct flr_control *tr_control; /* NULL: not recording */
extern struct flr_slot *tr_slot;
extern ULong *tr_next;  /* next word to write; stale while client code runs */
extern ULong *tr_limit; /* no superblock may begin at or after this word */

/* Attach to the recorder's file; the slot of the image before when it exec'ed. */
void tr_ring_attach(const HChar *path, Bool *continues);
/* In a fork's child: leave the parent's slot, claim one of our own. */
void tr_ring_refork(void);
/* Publish what was written and hold no ticket: before anything that can block. */
void tr_ring_idle(void);
/* Have a segment open with room for @n_words. */
void tr_ring_need(UInt n_words);
/* Publish and open the next, without going idle. */
void tr_ring_turn(void);
/* The process will write nothing more. */
void tr_ring_end(void);
void tr_put_record(enum flr_record kind, const void *words, UInt n_words, const HChar *text);
void tr_put_kernel(Bool is_write, Addr address, SizeT bytes);
void tr_put_thread(UInt kernel_tid);

/* ---- fltrace_instrument.c -------------------------------------------------- */

IRSB *tr_instrument(VgCallbackClosure *closure, IRSB *in, const VexGuestLayout *layout,
                    const VexGuestExtents *extents, const VexArchInfo *arch, IRType guest_word,
                    IRType host_word);
/*
 * The superblock whose first word is @block was cut by a fault at instruction @ip,
 * after @exits side exits if that is known: turn it into FLR_PARTIAL. Returns where the
 * next word goes.
 */
ULong *tr_cut_block(ULong *block, ULong *committed, Addr ip, ULong exits);

/* ---- fltrace_bases.c -------------------------------------------------------- */

/* An address: the root's value plus the offset. Root IRTemp_INVALID: a constant. */
struct tr_base {
    IRTemp root;
    Long offset;
};
void tr_bases_begin(const IRTypeEnv *types);
void tr_bases_note(const IRStmt *st); /* once for each statement, in order */
struct tr_base tr_base_of(const IRExpr *address);

/* ---- fltrace_syscall.c ------------------------------------------------------ */

void tr_syscall_init(void);  /* once options are known */
void tr_syscall_track(void); /* register the callbacks */
void tr_syscall_before(ThreadId tid, UInt number, UWord *args, UInt n_args);
void tr_syscall_after(ThreadId tid, UInt number, UWord *args, UInt n_args, SysRes result);

/* Reads of a string at @copy are of @original instead. */
void tr_syscall_stands_for(Addr copy, Addr original);

/* ---- fltrace_map.c ---------------------------------------------------------- */

void tr_map_after(ThreadId tid, UInt number, const UWord *args, SysRes result);
Bool tr_map_concerns(UInt number);
void tr_map_forked(void); /* in a fork's child: mlockall is not inherited */
/* Valgrind's code that is mapped as if it were the program's. */
Bool tr_is_trampoline(Addr a);
/* The path of the program that runs, "" when it has none. */
void tr_image_path(HChar path[VKI_PATH_MAX]);
/* Tell the recorder about the program that is about to run; tid: its main thread. */
void tr_image_begin(ThreadId tid, Bool is_exec, const HChar *comm);

/* ---- fltrace_file.c --------------------------------------------------------- */

#define TR_AT_CWD (-100)

/* What is known of a descriptor; forgotten when its number is closed. */
struct tr_descriptor {
    ULong dev, ino;
    UInt open_flags;
    UChar state;
    Bool is_shared; /* a fork's other side has it too */
};
void tr_file_init(void); /* once options are known */
/* @fd when it is one of a regular file, which is then announced; or NULL. */
struct tr_descriptor *tr_file_look(UWord fd);
/* These numbers mean something else now. */
void tr_file_forget(UInt first, UInt last);
/* Announce what the program names. Returns it open, or negative. */
Int tr_file_announce_path(Int dirfd, const HChar *path);
/* Announce what exec of @path is about to read. */
void tr_file_announce_program(Int dirfd, const HChar *path);
/* A descriptor, a name is about to go; what came of it. */
void tr_file_before_close(ThreadId tid, UWord fd);
void tr_file_before_unlink(ThreadId tid, Int dirfd, const HChar *path);
void tr_file_settle(ThreadId tid, Bool succeeded);
void tr_file_fork(void); /* before a fork: descriptors are shared from here on */
void tr_file_end(void);  /* the process ends and closes all */
void tr_put_file_io(ULong dev, ULong ino, UInt op, UInt flags, ULong offset, ULong length);

/* ---- fltrace_io.c ----------------------------------------------------------- */

/* Before a call: files it is about to use are announced. */
void tr_file_before(ThreadId tid, UInt number, const UWord *args);
/* After it: what it transferred. */
void tr_file_after(ThreadId tid, UInt number, const UWord *args, SysRes result);

/* ---- fltrace_env.c ---------------------------------------------------------- */

/* Take what Valgrind added out of the new program's environment; put back argv[0]. */
void tr_env_restore(Addr stack_pointer, const HChar *argv0);

/* ---- fltrace_main.c --------------------------------------------------------- */

/* What is written next belongs to @tid. */
void tr_thread_is(ThreadId tid);

#endif
