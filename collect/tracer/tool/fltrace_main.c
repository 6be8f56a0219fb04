/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tool's registration with Valgrind, and processes, threads and signals. */
#include "fltrace.h"

/* Valgrind's own, not in its public headers. */
extern HChar *VG_(args_the_exename);

static const HChar *ring_path;
static Bool continues; /* this image replaces one that was already recorded */
static ULong fork_token;

static UInt *kernel_tid; /* by ThreadId */
static UInt current_tid; /* kernel tid the last words belong to */

static Bool client_runs; /* the next word is in the running thread's shadow state */
static UInt last_fault_signo;

void tr_thread_is(ThreadId tid)
{
    if (kernel_tid[tid] == current_tid)
        return;
    current_tid = kernel_tid[tid];
    tr_put_thread(current_tid);
}

static void set_shadow(ThreadId tid, Int at, ULong value)
{
    VG_(set_shadow_regs_area)(tid, 1, at, 8, (const UChar *)&value);
}

static ULong get_shadow(ThreadId tid, Int at)
{
    ULong value;
    VG_(get_shadow_regs_area)(tid, (UChar *)&value, 1, at, 8);
    return value;
}

static void start_client_code(ThreadId tid, ULong n_blocks)
{
    tr_ring_need(0);
    tr_thread_is(tid);
    set_shadow(tid, SHADOW_NEXT, (ULong)tr_next);
    set_shadow(tid, SHADOW_LIMIT, (ULong)tr_limit);
    set_shadow(tid, SHADOW_BLOCK, 0);
    client_runs = True;
}

static void put_signal(UInt signo, Addr address)
{
    ULong words[2] = { signo, address };
    tr_put_record(FLR_REC_SIGNAL, words, 2, NULL);
}

static void stop_client_code(ThreadId tid, ULong n_blocks)
{
    if (client_runs)
        tr_next = (ULong *)get_shadow(tid, SHADOW_NEXT);
    client_runs = False;
}

/* A fault in generated code: this thread's superblock ends here and now. */
static void interrupt_client_code(ThreadId tid)
{
    if (!client_runs)
        return;
    stop_client_code(tid, 0);
    ULong *block = (ULong *)get_shadow(tid, SHADOW_BLOCK);
    if (block != NULL)
        tr_next = tr_cut_block(block, tr_next, VG_(get_IP)(tid), get_shadow(tid, SHADOW_EXITS));
}

/* Called for every signal Valgrind is about to deliver; we want the CPU's faults. */
Bool __real_vgPlain_gdbserver_report_signal(vki_siginfo_t *info, ThreadId tid);
Bool __wrap_vgPlain_gdbserver_report_signal(vki_siginfo_t *info, ThreadId tid);
Bool __wrap_vgPlain_gdbserver_report_signal(vki_siginfo_t *info, ThreadId tid)
{
    UInt signo = (UInt)info->si_signo;
    Bool is_fault = info->si_code > 0 &&
                    (signo == VKI_SIGSEGV || signo == VKI_SIGBUS || signo == VKI_SIGILL ||
                     signo == VKI_SIGFPE || signo == VKI_SIGTRAP);
    if (is_fault && tid != VG_INVALID_THREADID && kernel_tid != NULL) {
        interrupt_client_code(tid);
        tr_thread_is(tid);
        put_signal(signo, (Addr)info->_sifields._sigfault._addr);
        last_fault_signo = signo;
    }
    return __real_vgPlain_gdbserver_report_signal(info, tid);
}

static void put_ended(UInt wait_status)
{
    ULong word = wait_status;
    tr_file_end();
    tr_put_record(FLR_REC_ENDED, &word, 1, NULL);
    tr_ring_end();
}

/* The two ways out of Valgrind: exit, and the signal that ended the program. */
void __real_vgPlain_client_exit(Int status);
void __wrap_vgPlain_client_exit(Int status);
void __wrap_vgPlain_client_exit(Int status)
{
    put_ended(((UInt)status & 0xff) << 8);
    __real_vgPlain_client_exit(status);
}

void __real_vgPlain_kill_self(Int signo);
void __wrap_vgPlain_kill_self(Int signo);
void __wrap_vgPlain_kill_self(Int signo)
{
    if ((UInt)signo != last_fault_signo)
        put_signal((UInt)signo, FLR_NO_ADDRESS);
    put_ended((UInt)signo);
    __real_vgPlain_kill_self(signo);
}

static void thread_begins(ThreadId tid)
{
    ULong word;
    kernel_tid[tid] = (UInt)VG_(gettid)();
    word = kernel_tid[tid];
    static Bool image_known;
    if (!image_known) {
        image_known = True;
        tr_env_restore(VG_(get_SP)(tid), continues && tr_slot ? tr_slot->exec_argv0 : NULL);
        const HChar *comm = VG_(basename)(VG_(args_the_exename));
        HChar name[16];
        VG_(strncpy)(name, comm, 15);
        name[15] = 0;
        VG_(prctl)(VKI_PR_SET_NAME, (ULong)name, 0, 0, 0);
        tr_image_begin(tid, continues, name);
        current_tid = kernel_tid[tid];
        return;
    }
    tr_put_record(FLR_REC_THREAD_START, &word, 1, NULL);
}

static void thread_ends(ThreadId tid)
{
    ULong word = kernel_tid[tid];
    if (word != 0)
        tr_put_record(FLR_REC_THREAD_END, &word, 1, NULL);
    kernel_tid[tid] = 0;
    if (tr_slot != NULL && tr_slot->state == FLR_EXECING)
        tr_ring_idle(); /* ended by another thread's exec: nobody publishes later */
}

static void before_fork(ThreadId tid)
{
    if (tr_control == NULL)
        return;
    fork_token = __atomic_add_fetch(&tr_control->next_ticket, 1, __ATOMIC_SEQ_CST);
    tr_thread_is(tid);
    tr_file_fork();
    tr_put_record(FLR_REC_FORKING, &fork_token, 1, NULL);
    tr_ring_idle();
}

static void in_fork_child(ThreadId tid)
{
    if (tr_control == NULL)
        return;
    tr_ring_refork();
    tr_map_forked();
    kernel_tid[tid] = (UInt)VG_(gettid)();
    current_tid = kernel_tid[tid];
    struct flr_forked forked = { .token = fork_token,
                                 .pid = (ULong)VG_(getpid)(),
                                 .ppid = (ULong)VG_(getppid)(),
                                 .tid = current_tid };
    tr_put_record(FLR_REC_FORKED, &forked, sizeof forked / 8, NULL);
}

/* Symbols are the recorder's business: the core need not read them, program after program. */
ULong __wrap_vgPlain_di_notify_mmap(Addr a, Bool allow_file_v, Int use_fd);
ULong __wrap_vgPlain_di_notify_mmap(Addr a, Bool allow_file_v, Int use_fd)
{
    return 0;
}

static Bool process_option(const HChar *option)
{
    if VG_STR_CLO (option, "--fl-ring", ring_path) {
        return True;
    }
    return False;
}

static void print_usage(void)
{
    VG_(printf)("    --fl-ring=FILE   where the recorder waits; set by faultline record\n");
}

static void post_clo_init(void)
{
    kernel_tid = VG_(calloc)("fltrace.tids", VG_N_THREADS, sizeof *kernel_tid);
    tr_syscall_init();
    tr_file_init();
    tr_ring_attach(ring_path, &continues);
}

static void fini(Int exit_code)
{
}

static void pre_clo_init(void)
{
    VG_(details_name)("fltrace");
    VG_(details_version)(NULL);
    VG_(details_description)("the exact tracer of faultline");
    VG_(details_copyright_author)("GPL-2.0-or-later");
    VG_(details_bug_reports_to)("faultline's maintainers");
    VG_(details_avg_translation_sizeB)(330);
    VG_(basic_tool_funcs)(post_clo_init, tr_instrument, fini);
    VG_(needs_command_line_options)(process_option, print_usage, print_usage);
    VG_(needs_syscall_wrapper)(tr_syscall_before, tr_syscall_after);
    VG_(track_start_client_code)(start_client_code);
    VG_(track_stop_client_code)(stop_client_code);
    VG_(track_pre_thread_first_insn)(thread_begins);
    VG_(track_pre_thread_ll_exit)(thread_ends);
    VG_(atfork)(before_fork, NULL, in_fork_child);
    tr_syscall_track();
}

VG_DETERMINE_INTERFACE_VERSION(pre_clo_init)
