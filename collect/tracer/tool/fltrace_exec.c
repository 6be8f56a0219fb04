/* SPDX-License-Identifier: GPL-2.0-or-later */
/* execve: which programs run under the tracer, and the program that starts itself again. */
#include "fltrace.h"

/* Valgrind's own, not in its public headers. */
extern Int VG_(cl_exec_fd);
extern Int VG_(check_executable)(Bool *is_setuid, const HChar *path, Bool allow_setuid);

enum { MAX_INTERPRETERS = 5, X86_64 = 62, RED_ZONE = 128 };

/* ---- what can be traced ------------------------------------------------------------ */

/* The interpreter that a script's first line @head names, in place; NULL: it names none. */
static HChar *interpreter_of(HChar *head)
{
    HChar *p = head + 2, *end;
    while (*p == ' ' || *p == '\t')
        p++;
    for (end = p; *end > ' ';)
        end++;
    *end = 0;
    return end > p ? p : NULL;
}

/*
 * What Valgrind cannot run (set-user-id, file capabilities, 32-bit; a script of such an
 * interpreter) runs natively. The recorder sees that its slot never wakes up from the
 * exec, and the trace says so.
 */
static Bool can_be_traced(const HChar *path)
{
    static HChar heads[2][256]; /* the interpreter's name is in the last one */
    for (UInt i = 0; i < MAX_INTERPRETERS && path != NULL; i++) {
        struct vg_stat st;
        HChar *head = heads[i % 2];
        Bool is_setuid = False;
        if (sr_isError(VG_(stat)(path, &st)))
            return True; /* exec fails, as it should */
        (void)VG_(check_executable)(&is_setuid, path, False);
        if (is_setuid)
            return False;
        Int fd = VG_(fd_open)(path, VKI_O_RDONLY, 0);
        if (fd < 0)
            return False; /* may be executed, but not read */
        Int n = VG_(read)(fd, head, 255);
        VG_(close)(fd);
        head[n > 0 ? n : 0] = 0;
        if (n >= 20 && VG_(memcmp)(head, "\177ELF", 4) == 0)
            return head[4] == 2 && head[18] == X86_64 && head[19] == 0;
        if (n < 3 || head[0] != '#' || head[1] != '!')
            return True;
        path = interpreter_of(head);
    }
    return True;
}

Bool __real_vgPlain_should_we_trace_this_child(const HChar *path, const HChar **argv);
Bool __wrap_vgPlain_should_we_trace_this_child(const HChar *path, const HChar **argv);
Bool __wrap_vgPlain_should_we_trace_this_child(const HChar *path, const HChar **argv)
{
    if (!VG_(am_is_valid_for_client)((Addr)path, 1, VKI_PROT_READ) || can_be_traced(path))
        return __real_vgPlain_should_we_trace_this_child(path, argv);
    return False;
}

/* ---- /proc/self/exe ------------------------------------------------------------------- */

static Bool is_own_image(const HChar *path)
{
    HChar own[64];
    VG_(sprintf)(own, "/proc/%d/exe", VG_(getpid)());
    return VG_(strcmp)(path, "/proc/self/exe") == 0 ||
           VG_(strcmp)(path, "/proc/thread-self/exe") == 0 || VG_(strcmp)(path, own) == 0;
}

/*
 * For the kernel this link is the tracer. Where the program means itself, the call gets the
 * program's own path, put where a thread's stack has nothing: below its red zone. Valgrind's
 * handler reads its arguments from @args, a number and then the six.
 */
void __real_vgSysWrap_generic_sys_execve_before(ThreadId tid, void *layout, UWord *args,
                                                void *status, UWord *flags);
void __wrap_vgSysWrap_generic_sys_execve_before(ThreadId tid, void *layout, UWord *args,
                                                void *status, UWord *flags);
void __wrap_vgSysWrap_generic_sys_execve_before(ThreadId tid, void *layout, UWord *args,
                                                void *status, UWord *flags)
{
    static HChar path[VKI_PATH_MAX];
    struct vg_stat named, image;
    Addr room = VG_(get_SP)(tid) - RED_ZONE - VKI_PATH_MAX;
    if (VG_(am_is_valid_for_client)(args[1], sizeof "/proc/self/exe", VKI_PROT_READ) &&
        is_own_image((const HChar *)args[1])) {
        tr_image_path(path);
        if (!sr_isError(VG_(stat)(path, &named)) && VG_(fstat)(VG_(cl_exec_fd), &image) == 0 &&
            named.dev == image.dev && named.ino == image.ino &&
            VG_(am_is_valid_for_client)(room, VKI_PATH_MAX, VKI_PROT_READ | VKI_PROT_WRITE)) {
            VG_(strcpy)((HChar *)room, path);
            tr_syscall_stands_for(room, args[1]);
            args[1] = room;
        }
    }
    __real_vgSysWrap_generic_sys_execve_before(tid, layout, args, status, flags);
    tr_syscall_stands_for(0, 0);
}
