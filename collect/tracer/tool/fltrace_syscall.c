/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What system calls touch in user memory. Reads are known before the call, but
 * belong to a segment that may only be opened after it: they wait in a list.
 */
#include "fltrace.h"

#define MAX_PENDING 4096u

struct pending {
    ThreadId tid;
    UInt is_argument; /* the buffer of a write(2): cut to what was written */
    Addr address;
    SizeT bytes;
};

static struct pending pending[MAX_PENDING];
static UInt n_pending;
static Addr string_copy, string_original;
static UChar *in_syscall; /* by ThreadId */
static UChar *in_exec;
static UChar *in_write;

void tr_syscall_init(void)
{
    in_syscall = VG_(calloc)("fltrace.in_syscall", VG_N_THREADS, 1);
    in_exec = VG_(calloc)("fltrace.in_exec", VG_N_THREADS, 1);
    in_write = VG_(calloc)("fltrace.in_write", VG_N_THREADS, 1);
}

static Bool is_write(UInt number)
{
    switch (number) {
    case __NR_write:
    case __NR_pwrite64:
    case __NR_writev:
    case __NR_pwritev:
    case __NR_sendto:
    case __NR_sendmsg: return True;
    default: return False;
    }
}

/* Emit @tid's pending reads; @limit: bytes of its data buffers that were really read. */
static void flush_pending(ThreadId tid, SizeT limit)
{
    UInt kept = 0;
    for (UInt i = 0; i < n_pending; i++) {
        struct pending p = pending[i];
        if (p.tid != tid) {
            pending[kept++] = p;
            continue;
        }
        if (p.is_argument) {
            p.bytes = p.bytes < limit ? p.bytes : limit;
            limit -= p.bytes;
        }
        tr_put_kernel(False, p.address, p.bytes);
    }
    n_pending = kept;
}

static void on_read(CorePart part, ThreadId tid, const HChar *what, Addr a, SizeT bytes)
{
    if (part == Vg_CoreTranslate || part == Vg_CoreStartup || part == Vg_CoreClientReq ||
        bytes == 0)
        return;
    if (part != Vg_CoreSysCall || !in_syscall[tid] || in_exec[tid]) {
        tr_thread_is(tid);
        tr_put_kernel(False, a, bytes);
        if (part == Vg_CoreSysCall)
            tr_ring_idle(); /* execve does not come back */
        return;
    }
    if (n_pending == MAX_PENDING)
        return;
    /* Valgrind names arguments: "write(buf)", "writev(vector[...])", "sendmsg(msg.msg_iov[0])". */
    Bool is_buffer = in_write[tid] && (VG_(strstr)(what, "(buf)") || VG_(strstr)(what, "[...]") ||
                                       VG_(strstr)(what, "(msg)") || VG_(strstr)(what, "msg_iov["));
    pending[n_pending++] = (struct pending){ tid, is_buffer, a, bytes };
}

void tr_syscall_stands_for(Addr copy, Addr original)
{
    string_copy = copy;
    string_original = original;
}

static void on_read_string(CorePart part, ThreadId tid, const HChar *what, Addr a)
{
    SizeT bytes = 0;
    if (a == string_copy && a != 0)
        a = string_original;
    /* The string is the program's claim: look only where it may be read. */
    while (bytes < VKI_PATH_MAX * 32u) {
        if ((bytes == 0 || ((a + bytes) & 4095) == 0) &&
            !VG_(am_is_valid_for_client)(a + bytes, 1, VKI_PROT_READ))
            break;
        if (((const HChar *)a)[bytes++] == 0)
            break;
    }
    on_read(part, tid, what, a, bytes);
}

static void on_written(CorePart part, ThreadId tid, Addr a, SizeT bytes)
{
    if (part != Vg_CoreSysCall && part != Vg_CoreSignal)
        return;
    tr_thread_is(tid);
    if (part == Vg_CoreSysCall)
        flush_pending(tid, ~(SizeT)0);
    tr_put_kernel(True, a, bytes);
}

static void note_exec(UInt number, const UWord *args)
{
    const UWord *argv = (const UWord *)(number == __NR_execve ? args[1] : args[2]);
    tr_slot->exec_argv0[0] = 0;
    if (argv != NULL && VG_(am_is_valid_for_client)((Addr)argv, 8, VKI_PROT_READ) && argv[0] != 0 &&
        VG_(am_is_valid_for_client)(argv[0], 1, VKI_PROT_READ)) {
        VG_(strncpy)(tr_slot->exec_argv0, (const HChar *)argv[0], FLR_EXEC_NAME - 1);
        tr_slot->exec_argv0[FLR_EXEC_NAME - 1] = 0;
    }
    __atomic_store_n(&tr_slot->state, FLR_EXECING, __ATOMIC_SEQ_CST);
}

static void note_clone(UInt number, const UWord *args)
{
    ULong limit = FLR_LIMIT_VFORK;
    Bool is_vfork =
        number == __NR_vfork ||
        (number == __NR_clone && (args[0] & (VKI_CLONE_VM | VKI_CLONE_THREAD)) == VKI_CLONE_VM);
    if (is_vfork)
        tr_put_record(FLR_REC_LIMIT, &limit, 1, NULL);
}

void tr_syscall_before(ThreadId tid, UInt number, UWord *args, UInt n_args)
{
    in_syscall[tid] = 1;
    in_write[tid] = (UChar)is_write(number);
    if (number == __NR_clone || number == __NR_vfork)
        note_clone(number, args);
    tr_file_before(tid, number, args);
    tr_ring_idle();
    if ((number == __NR_execve || number == __NR_execveat) && tr_slot != NULL) {
        in_exec[tid] = 1;
        note_exec(number, args);
    }
    if (number == __NR_rt_sigreturn) /* the frame is read back; it never "returns" */
        tr_put_kernel(False, VG_(get_SP)(tid), 512);
}

static void after_prctl(ThreadId tid, const UWord *args)
{
    HChar name[17] = "";
    ULong words[1] = { (ULong)VG_(gettid)() };
    if (args[0] != VKI_PR_SET_NAME || !VG_(am_is_valid_for_client)(args[1], 1, VKI_PROT_READ))
        return;
    VG_(strncpy)(name, (const HChar *)args[1], 15);
    tr_put_record(FLR_REC_COMM, words, 1, name);
}

void tr_syscall_after(ThreadId tid, UInt number, UWord *args, UInt n_args, SysRes result)
{
    in_syscall[tid] = 0;
    if (in_exec[tid] && tr_slot != NULL)
        __atomic_store_n(&tr_slot->state, FLR_LIVE, __ATOMIC_SEQ_CST); /* exec failed */
    in_exec[tid] = 0;
    tr_ring_need(0);
    tr_thread_is(tid);
    flush_pending(tid, !in_write[tid] ? ~(SizeT)0 : sr_isError(result) ? 0 : sr_Res(result));
    if (tr_map_concerns(number))
        tr_map_after(tid, number, args, result);
    else if (number == __NR_prctl && !sr_isError(result))
        after_prctl(tid, args);
    tr_file_after(tid, number, args, result);
}

void tr_syscall_track(void)
{
    VG_(track_pre_mem_read)(on_read);
    VG_(track_pre_mem_read_asciiz)(on_read_string);
    VG_(track_post_mem_write)(on_written);
}
