/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process maps: at its start, and by each system call. */
#include "fltrace.h"

#include "faultline_map_flags.h"

/* Valgrind's own, not in its public headers. */
extern Addr VG_(brk_base), VG_(clstk_end);
extern Int VG_(cl_exec_fd);
extern const UChar VG_(trampoline_stuff_start), VG_(trampoline_stuff_end);

extern void VG_(discard_translations)(Addr start, ULong length, const HChar *who);
extern SysRes VG_(mk_SysRes_Error)(UWord error);
extern Int VG_(clo_smc_check); /* an enum there */
enum { SMC_ALL = 2 };

#define PAGE_UP(a) (((a) + 4095) & ~(Addr)4095)
#define MAX_SEGMENTS 65536

static Addr heap_start, heap_end; /* of the brk area as the kernel would have it */
static UInt lock_future;          /* mlockall(MCL_FUTURE): LOCK_NOW or LOCK_ON_FAULT */

static void put_lock(Addr start, ULong length, UInt mode)
{
    ULong words[3] = { start, length, mode };
    tr_put_record(FLR_REC_LOCK, words, 3, NULL);
}

static void put_map(struct flr_map *m, const HChar *path)
{
    if (lock_future == LOCK_NOW)
        m->flags |= MAP_FLAG_LOCKED;
    tr_put_record(FLR_REC_MAP, m, sizeof *m / 8, path);
    if (lock_future == LOCK_ON_FAULT)
        put_lock(m->start, m->length, LOCK_ON_FAULT);
}

static void put_range(enum flr_record kind, Addr start, SizeT length, ULong extra, Bool has_extra)
{
    ULong words[3] = { start, PAGE_UP(length), extra };
    tr_put_record(kind, words, has_extra ? 3 : 2, NULL);
}

/* @fd's identity into @m and its name into @path; as /proc/self/maps would name it. */
static void identify(Int fd, struct flr_map *m, HChar path[VKI_PATH_MAX])
{
    struct vg_stat st;
    HChar link[64];
    VG_(sprintf)(link, "/proc/self/fd/%d", fd);
    SSizeT n = VG_(readlink)(link, path, VKI_PATH_MAX - 1);
    path[n > 0 ? n : 0] = 0;
    if (VG_(fstat)(fd, &st) == 0) {
        m->dev = st.dev;
        m->ino = st.ino;
        m->size_bytes = (ULong)st.size;
        if ((st.mode & VKI_S_IFMT) == VKI_S_IFCHR && st.rdev == 0x105 /* /dev/zero */)
            m->flags |= MAP_FLAG_ANON;
    }
}

/*
 * Valgrind looks for changed code in anonymous memory only. A file's pages that another mapping,
 * or a write to this one, changes under the code make it look everywhere, from then on.
 */
static void code_may_change(void)
{
    VG_(clo_smc_check) = SMC_ALL;
}

static void after_mprotect(Addr start, SizeT length, UWord prot)
{
    const NSegment *seg = VG_(am_find_nsegment)(start);
    put_range(FLR_REC_PROTECT, start, length, prot & 7, True);
    if ((prot & VKI_PROT_EXEC) && seg != NULL && seg->kind == SkFileC) {
        code_may_change();
        VG_(discard_translations)(start, PAGE_UP(length), "fltrace");
    }
}

/* What the kernel then brings in at once, as mm_populate() does; a locked mapping says so itself. */
static void after_populate(const struct flr_map *m, UWord flags)
{
    enum { POPULATE = 0x8000, NONBLOCK = 0x10000, MADV_READ = 22, MADV_WRITE = 23 };
    Bool by_write = (m->prot & VKI_PROT_WRITE) && !(m->flags & MAP_FLAG_SHARED);
    if ((flags & (POPULATE | NONBLOCK)) == POPULATE && m->prot != 0 &&
        !(m->flags & MAP_FLAG_LOCKED))
        put_range(FLR_REC_ADVISE, m->start, m->length, by_write ? MADV_WRITE : MADV_READ, True);
}

static void after_mmap(const UWord *args, Addr result)
{
    static HChar path[VKI_PATH_MAX];
    UWord flags = args[3];
    struct flr_map m = { .start = result, .length = PAGE_UP(args[1]), .prot = args[2] & 7 };
    path[0] = 0;
    if ((flags & 0xf) == VKI_MAP_SHARED || (flags & 0xf) == 3 /* MAP_SHARED_VALIDATE */)
        m.flags |= MAP_FLAG_SHARED;
    if (flags & VKI_MAP_ANONYMOUS) {
        m.flags |= MAP_FLAG_ANON;
    } else {
        m.offset = args[5];
        identify((Int)args[4], &m, path);
    }
    if (flags & 0x20000 /* MAP_STACK */ || flags & 0x100 /* MAP_GROWSDOWN */)
        m.flags |= MAP_FLAG_STACK;
    if (flags & 0x2000 /* MAP_LOCKED */)
        m.flags |= MAP_FLAG_LOCKED;
    if (flags & 0x40000 /* MAP_HUGETLB */)
        m.flags |= MAP_FLAG_HUGETLB;
    if (!(m.flags & MAP_FLAG_ANON) && (m.prot & VKI_PROT_EXEC) &&
        ((m.flags & MAP_FLAG_SHARED) || (m.prot & VKI_PROT_WRITE)))
        code_may_change();
    put_map(&m, path);
    after_populate(&m, flags);
}

/* Valgrind takes MAP_FIXED_NOREPLACE for a hint. @start to @flags: as of mmap(2). */
SysRes __real_vgModuleLocal_generic_PRE_sys_mmap(ThreadId tid, UWord start, UWord length,
                                                 UWord prot, UWord flags, UWord fd, Off64T offset);
SysRes __wrap_vgModuleLocal_generic_PRE_sys_mmap(ThreadId tid, UWord start, UWord length,
                                                 UWord prot, UWord flags, UWord fd, Off64T offset);
SysRes __wrap_vgModuleLocal_generic_PRE_sys_mmap(ThreadId tid, UWord start, UWord length,
                                                 UWord prot, UWord flags, UWord fd, Off64T offset)
{
    enum { NOREPLACE = 0x100000, EXISTS = 17 };
    if (flags & NOREPLACE) {
        const NSegment *seg = VG_(am_find_nsegment)(start); /* NULL: free */
        for (Addr at = start; seg == NULL && at < start + length; at += 4096)
            seg = VG_(am_find_nsegment)(at);
        if (seg != NULL && seg->kind != SkResvn)
            return VG_(mk_SysRes_Error)(EXISTS);
        flags = (flags & ~(UWord)NOREPLACE) | VKI_MAP_FIXED;
    }
    return __real_vgModuleLocal_generic_PRE_sys_mmap(tid, start, length, prot, flags, fd, offset);
}

static void after_brk(Addr asked, Addr now)
{
    Addr end = PAGE_UP(now);
    if (asked > now) {
        ULong limit = FLR_LIMIT_BRK;
        tr_put_record(FLR_REC_LIMIT, &limit, 1, NULL);
    }
    if (end > heap_end) {
        struct flr_map m = { .start = heap_end,
                             .length = end - heap_end,
                             .prot = 3,
                             .flags = MAP_FLAG_ANON | MAP_FLAG_HEAP |
                                      (heap_end > heap_start ? MAP_FLAG_GROW : 0) };
        put_map(&m, NULL);
    } else if (end < heap_end) {
        put_range(FLR_REC_UNMAP, end, heap_end - end, 0, False);
    }
    heap_end = end;
}

static void after_mremap(const UWord *args, Addr result)
{
    ULong words[4] = { args[0], PAGE_UP(args[1]), result, PAGE_UP(args[2]) };
    tr_put_record(FLR_REC_REMAP, words, 4, NULL);
}

static UInt key_of(UWord id)
{
    union {
        UInt key; /* the first of struct ipc64_perm, the first of struct shmid64_ds */
        ULong room[32];
    } info = { 0 };
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)__NR_shmctl), "D"(id), "S"((long)VKI_IPC_STAT), "d"(&info)
                     : "rcx", "r11", "memory");
    return result == 0 ? info.key : 0;
}

/* The extent of a System V segment is known from the address space only. */
static void after_shmat(const UWord *args, Addr result)
{
    HChar name[32];
    const NSegment *seg = VG_(am_find_nsegment)(result);
    if (seg == NULL)
        return;
    struct flr_map m = { .start = result,
                         .length = seg->end + 1 - result,
                         .prot = args[2] & VKI_SHM_RDONLY ? 1 : 3,
                         .flags = MAP_FLAG_SHARED,
                         .ino = args[0],
                         .size_bytes = seg->end + 1 - result };
    VG_(sprintf)(name, "/SYSV%08x (deleted)", key_of(args[0])); /* as in /proc/self/maps */
    put_map(&m, name);
}

static struct {
    Addr start;
    SizeT length;
} attached[256];

static void note_attached(Addr start)
{
    const NSegment *seg = VG_(am_find_nsegment)(start);
    for (UInt i = 0; seg != NULL && i < sizeof attached / sizeof attached[0]; i++)
        if (attached[i].start == 0 || attached[i].start == start) {
            attached[i].start = start;
            attached[i].length = seg->end + 1 - start;
            return;
        }
}

static void after_shmdt(Addr start)
{
    for (UInt i = 0; i < sizeof attached / sizeof attached[0]; i++)
        if (start != 0 && attached[i].start == start) {
            put_range(FLR_REC_UNMAP, start, attached[i].length, 0, False);
            attached[i].start = 0;
            return;
        }
}

static void after_mlock(const UWord *args, UInt mode)
{
    Addr start = args[0] & ~(Addr)4095;
    put_lock(start, PAGE_UP(args[0] + args[1]) - start, mode);
}

static void after_mlockall(UWord flags)
{
    enum { CURRENT = 1, FUTURE = 2, ON_FAULT = 4 };
    UInt mode = flags & ON_FAULT ? LOCK_ON_FAULT : LOCK_NOW;
    lock_future = flags & FUTURE ? mode : LOCK_OFF;
    if (flags & CURRENT)
        put_lock(0, LOCK_ALL, mode);
}

Bool tr_map_concerns(UInt number)
{
    switch (number) {
    case __NR_mmap:
    case __NR_munmap:
    case __NR_mprotect:
    case __NR_pkey_mprotect:
    case __NR_mremap:
    case __NR_brk:
    case __NR_madvise:
    case __NR_shmat:
    case __NR_shmdt:
    case __NR_mlock:
    case __NR_mlock2:
    case __NR_munlock:
    case __NR_mlockall:
    case __NR_munlockall: return True;
    default: return False;
    }
}

void tr_map_after(ThreadId tid, UInt number, const UWord *args, SysRes result)
{
    if (sr_isError(result))
        return;
    switch (number) {
    case __NR_mmap: after_mmap(args, sr_Res(result)); break;
    case __NR_munmap: put_range(FLR_REC_UNMAP, args[0], args[1], 0, False); break;
    case __NR_mprotect:
    case __NR_pkey_mprotect: after_mprotect(args[0], args[1], args[2]); break;
    case __NR_mremap: after_mremap(args, sr_Res(result)); break;
    case __NR_brk: after_brk(args[0], sr_Res(result)); break;
    case __NR_madvise: put_range(FLR_REC_ADVISE, args[0], args[1], args[2], True); break;
    case __NR_shmat:
        after_shmat(args, sr_Res(result));
        note_attached(sr_Res(result));
        break;
    case __NR_shmdt: after_shmdt(args[0]); break;
    case __NR_mlock: after_mlock(args, LOCK_NOW); break;
    case __NR_mlock2: after_mlock(args, args[2] & 1 ? LOCK_ON_FAULT : LOCK_NOW); break;
    case __NR_munlock: after_mlock(args, LOCK_OFF); break;
    case __NR_mlockall: after_mlockall(args[0]); break;
    case __NR_munlockall:
        lock_future = LOCK_OFF;
        put_lock(0, LOCK_ALL, LOCK_OFF);
        break;
    default: break;
    }
}

void tr_map_forked(void)
{
    lock_future = LOCK_OFF;
}

/* One page of the tool lends itself to the program: signal return and the like. */
Bool tr_is_trampoline(Addr a)
{
    return (a & ~(Addr)4095) >= ((Addr)&VG_(trampoline_stuff_start) & ~(Addr)4095) &&
           a <= (Addr)&VG_(trampoline_stuff_end);
}

/* Valgrind maps .bss executable; the kernel gives it the protection of the data before it. */
static UInt bss_protection(const NSegment *seg)
{
    const NSegment *data = VG_(am_find_nsegment)(seg->start - 1);
    Bool is_bss = seg->kind == SkAnonC && data != NULL && data->kind == SkFileC;
    return is_bss && !data->hasX ? 3 : 7;
}

static void put_segment(const NSegment *seg)
{
    struct vg_stat st;
    const HChar *path = VG_(am_get_filename)(seg);
    struct flr_map m = { .start = seg->start,
                         .length = seg->end + 1 - seg->start,
                         .prot = (seg->hasR ? 1u : 0) | (seg->hasW ? 2u : 0) |
                                 (seg->hasX ? 4u : 0) };
    m.prot &= bss_protection(seg);
    if (seg->kind == SkFileC) {
        m.offset = (ULong)seg->offset;
        m.dev = seg->dev;
        m.ino = seg->ino;
        if (path != NULL && !sr_isError(VG_(stat)(path, &st)))
            m.size_bytes = (ULong)st.size;
    } else {
        m.flags |= seg->kind == SkShmC ? MAP_FLAG_SHARED : MAP_FLAG_ANON;
        path = NULL;
    }
    put_map(&m, path);
}

/*
 * The kernel makes the main stack 128 KiB larger than what it put there and then
 * grows it page by page; the recorder does the latter when it sees an access.
 */
static void put_stack(Addr stack_pointer)
{
    Addr low = (stack_pointer & ~(Addr)4095) - (128u << 10);
    struct flr_map m = { .start = low,
                         .length = VG_(clstk_end) + 1 - low,
                         .prot = 3,
                         .flags = MAP_FLAG_ANON | MAP_FLAG_STACK };
    put_map(&m, NULL);
}

static void put_segments(Addr stack_pointer)
{
    static Addr starts[4096];
    Int n = VG_(am_get_segment_starts)(SkFileC | SkAnonC | SkShmC, starts, 4096);
    for (Int i = 0; i < n; i++) {
        const NSegment *seg = VG_(am_find_nsegment)(starts[i]);
        Bool is_stack = stack_pointer >= seg->start && stack_pointer <= seg->end;
        if (is_stack)
            put_stack(stack_pointer);
        else if (!(seg->start <= VG_(brk_base) && VG_(brk_base) <= seg->end) &&
                 !tr_is_trampoline(seg->start))
            put_segment(seg);
    }
}

void tr_image_path(HChar path[VKI_PATH_MAX])
{
    HChar link[64];
    VG_(sprintf)(link, "/proc/self/fd/%d", VG_(cl_exec_fd));
    SSizeT n = VG_(readlink)(link, path, VKI_PATH_MAX - 1);
    path[n > 0 ? n : 0] = 0;
}

/*
 * Valgrind reserves 8 MiB for brk and then refuses; the kernel gives what is
 * free. Only its reservation for brk may shrink from below.
 */
Bool __real_vgPlain_am_create_reservation(Addr start, SizeT length, ShrinkMode mode, SSizeT extra);
Bool __wrap_vgPlain_am_create_reservation(Addr start, SizeT length, ShrinkMode mode, SSizeT extra);
Bool __wrap_vgPlain_am_create_reservation(Addr start, SizeT length, ShrinkMode mode, SSizeT extra)
{
    SizeT valgrinds_most = (8u << 20) - 4096;
    if (mode == SmLower && length == valgrinds_most)
        for (SizeT larger = 1u << 30; larger > length; larger /= 2)
            if (__real_vgPlain_am_create_reservation(start, larger, mode, extra))
                return True;
    return __real_vgPlain_am_create_reservation(start, length, mode, extra);
}

void tr_image_begin(ThreadId tid, Bool is_exec, const HChar *comm)
{
    static HChar path[VKI_PATH_MAX];
    Addr sp = VG_(get_SP)(tid);
    UInt pid = (UInt)VG_(getpid)();
    heap_start = heap_end = PAGE_UP(VG_(brk_base));
    tr_image_path(path);
    struct flr_image image = { .is_exec = is_exec,
                               .pid = pid,
                               .ppid = (ULong)VG_(getppid)(),
                               .tid = (ULong)VG_(gettid)(),
                               .stack_pointer = sp,
                               .stack_end = VG_(clstk_end) + 1,
                               .stack_limit_bytes = VG_(thread_get_stack_size)(tid) };
    VG_(strncpy)(image.comm, comm, sizeof image.comm - 1);
    tr_put_record(FLR_REC_IMAGE, &image, sizeof image / 8, path);
    put_segments(sp);
    tr_put_kernel(True, sp, VG_(clstk_end) + 1 - sp);
}
