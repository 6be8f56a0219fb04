/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The producer's side of the shared file: slots, segments, tickets. */
#include "fltrace.h"

/* Valgrind's own, not in its public headers. */
extern SysRes VG_(am_shared_mmap_file_float_valgrind)(SizeT length, UInt prot, Int fd,
                                                      Off64T offset);
extern Int VG_(safe_fd)(Int oldfd);
extern Int VG_(fcntl)(Int fd, Int cmd, Addr arg);

/* F_WRLCK, F_UNLCK and ETIMEDOUT, which Valgrind's headers lack. */
enum { LOCK_WRITE = 1, LOCK_NONE = 2, TIMED_OUT = 110 };

/* What generated code fills: as much as a segment takes whose words are all new. */
#define RAW_WORDS ((FLR_SEGMENT_BYTES - sizeof(struct flr_segment)) / 8 - 2)

struct flr_control *tr_control;
struct flr_slot *tr_slot;
ULong *tr_next, *tr_limit;

static Int ring_fd = -1;
static UChar *ring;                 /* this slot's */
static struct flr_segment *segment; /* the open one, or NULL */
static ULong raw[RAW_WORDS]; /* its words so far; once the recorder is gone they are forgotten */

static long sys_futex(UInt *word, Int op, UInt value, const struct vki_timespec *timeout)
{
    long result;
    register const struct vki_timespec *r10 __asm__("r10") = timeout;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)__NR_futex), "D"(word), "S"((long)op), "d"((long)value), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static struct flr_slot *slot_at(UInt i)
{
    return (struct flr_slot *)((UChar *)tr_control + FLR_SLOT_OFFSET(i));
}

/* The recorder holds a lock on the file for as long as it lives, zombies excluded. */
static Bool recorder_lives(void)
{
    struct vki_flock lock;
    VG_(memset)(&lock, 0, sizeof lock);
    lock.l_type = LOCK_WRITE;
    lock.l_whence = VKI_SEEK_SET;
    lock.l_start = 0;
    lock.l_len = 1;
    if (VG_(fcntl)(ring_fd, VKI_F_GETLK, (Addr)&lock) != 0)
        return False;
    return lock.l_type != LOCK_NONE;
}

static void begin_words(void)
{
    tr_next = raw;
    tr_limit = raw + RAW_WORDS - FLR_SLACK_BYTES / 8;
}

/* From here on the program runs unrecorded. */
static void detach(void)
{
    tr_control = NULL;
    tr_slot = NULL;
    segment = NULL;
    begin_words();
}

static Bool map_ring(UInt slot)
{
    SysRes r = VG_(am_shared_mmap_file_float_valgrind)(
        FLR_RING_BYTES, VKI_PROT_READ | VKI_PROT_WRITE, ring_fd, (Off64T)FLR_RING_OFFSET(slot));
    if (sr_isError(r))
        return False;
    ring = (UChar *)sr_Res(r);
    return True;
}

static void raise_slots_used(UInt to)
{
    UInt seen = __atomic_load_n(&tr_control->slots_used, __ATOMIC_RELAXED);
    while (seen < to && !__atomic_compare_exchange_n(&tr_control->slots_used, &seen, to, 0,
                                                     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        ;
}

static Bool claim_slot(void)
{
    for (UInt i = 0; i < FLR_SLOTS; i++) {
        UInt expected = FLR_FREE;
        struct flr_slot *slot = slot_at(i);
        if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) != FLR_FREE)
            continue;
        if (!__atomic_compare_exchange_n(&slot->state, &expected, FLR_CLAIMED, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        slot->pid = (UInt)VG_(getpid)();
        slot->exec_argv0[0] = 0;
        __atomic_store_n(&slot->open_ticket, FLR_IDLE, __ATOMIC_RELEASE);
        raise_slots_used(i + 1);
        __atomic_store_n(&slot->state, FLR_LIVE, __ATOMIC_RELEASE);
        tr_slot = slot;
        return map_ring(i);
    }
    __atomic_fetch_add(&tr_control->unrecorded, 1, __ATOMIC_RELAXED);
    return False;
}

static Bool find_exec_slot(void)
{
    UInt pid = (UInt)VG_(getpid)();
    UInt used = __atomic_load_n(&tr_control->slots_used, __ATOMIC_ACQUIRE);
    for (UInt i = 0; i < used; i++) {
        struct flr_slot *slot = slot_at(i);
        if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != FLR_EXECING || slot->pid != pid)
            continue;
        tr_slot = slot;
        __atomic_store_n(&slot->open_ticket, FLR_IDLE, __ATOMIC_SEQ_CST);
        __atomic_store_n(&slot->state, FLR_LIVE, __ATOMIC_RELEASE);
        return map_ring(i);
    }
    return False;
}

void tr_ring_attach(const HChar *path, Bool *continues)
{
    *continues = False;
    Int fd = path ? VG_(fd_open)(path, VKI_O_RDWR, 0) : -1;
    if (fd < 0) {
        detach();
        return;
    }
    ring_fd = VG_(safe_fd)(fd);
    SysRes r = VG_(am_shared_mmap_file_float_valgrind)(FLR_CONTROL_BYTES,
                                                       VKI_PROT_READ | VKI_PROT_WRITE, ring_fd, 0);
    if (sr_isError(r)) {
        detach();
        return;
    }
    tr_control = (struct flr_control *)sr_Res(r);
    if (tr_control->magic != FLR_MAGIC || tr_control->version != FLR_VERSION || !recorder_lives()) {
        detach();
        return;
    }
    *continues = find_exec_slot();
    if (!*continues && !claim_slot())
        detach();
}

void tr_ring_refork(void)
{
    if (tr_control == NULL)
        return;
    segment = NULL;
    tr_slot = NULL;
    VG_(am_munmap_valgrind)((Addr)ring, FLR_RING_BYTES);
    ring = NULL;
    if (!claim_slot())
        detach();
}

static void wake_recorder(void)
{
    __atomic_fetch_add(&tr_control->activity, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&tr_control->sleeping, __ATOMIC_SEQ_CST))
        sys_futex(&tr_control->activity, VKI_FUTEX_WAKE, 1, NULL);
}

/* Wait until @bytes are free in the ring. False: the recorder is gone. */
static Bool wait_for_room(ULong bytes)
{
    struct flr_slot *slot = tr_slot;
    while (FLR_RING_BYTES - (slot->head - __atomic_load_n(&slot->tail, __ATOMIC_ACQUIRE)) < bytes) {
        struct vki_timespec patience = { 0, 20 * 1000 * 1000 };
        UInt seen = __atomic_load_n(&slot->space, __ATOMIC_SEQ_CST);
        __atomic_store_n(&slot->waiting, 1, __ATOMIC_SEQ_CST);
        if (FLR_RING_BYTES - (slot->head - __atomic_load_n(&slot->tail, __ATOMIC_SEQ_CST)) >= bytes)
            break;
        wake_recorder();
        if (sys_futex(&slot->space, VKI_FUTEX_WAIT, seen, &patience) == -TIMED_OUT &&
            !recorder_lives())
            return False;
    }
    __atomic_store_n(&slot->waiting, 0, __ATOMIC_RELAXED);
    return True;
}

/* Room for a whole segment in one piece; skips the end of the ring if it must. */
static Bool reserve(void)
{
    struct flr_slot *slot = tr_slot;
    ULong to_end = FLR_RING_BYTES - slot->head % FLR_RING_BYTES;
    ULong skip = to_end < FLR_SEGMENT_BYTES ? to_end : 0;
    if (!wait_for_room(skip + FLR_SEGMENT_BYTES))
        return False;
    if (skip) {
        struct flr_segment *hole = (struct flr_segment *)(ring + slot->head % FLR_RING_BYTES);
        hole->ticket = FLR_SKIP;
        hole->bytes = skip;
        __atomic_store_n(&slot->head, slot->head + skip, __ATOMIC_RELEASE);
    }
    return True;
}

static void open_segment(void)
{
    begin_words();
    if (tr_control == NULL)
        return;
    if (!reserve()) {
        detach();
        return;
    }
    __atomic_store_n(&tr_slot->open_ticket, FLR_OPENING, __ATOMIC_SEQ_CST);
    ULong ticket = __atomic_add_fetch(&tr_control->next_ticket, 1, __ATOMIC_SEQ_CST);
    segment = (struct flr_segment *)(ring + tr_slot->head % FLR_RING_BYTES);
    segment->ticket = ticket;
    __atomic_store_n(&tr_slot->open_ticket, ticket, __ATOMIC_SEQ_CST);
}

/* A string instruction: the processor need not fetch the lines that it fills. Returns where it ends. */
static ULong *copy_words(ULong *to, const ULong *from, const ULong *end)
{
    ULong n = (ULong)(end - from);
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return to;
}

/* Hand the open segment over; leaves none open, and the ticket as it was. */
static void publish(void)
{
    if (segment == NULL)
        return;
    if (tr_next != raw) {
        *tr_next++ = FLR_WORD(FLR_END, 0);
        ULong *end = copy_words((ULong *)(segment + 1), raw, tr_next);
        ULong bytes = ((ULong)((UChar *)end - (UChar *)segment) + 15) & ~15ULL;
        tl_assert(bytes <= FLR_SEGMENT_BYTES);
        segment->bytes = bytes;
        __atomic_store_n(&tr_slot->head, tr_slot->head + bytes, __ATOMIC_RELEASE);
    }
    segment = NULL;
}

void tr_ring_idle(void)
{
    if (segment == NULL)
        return;
    publish();
    __atomic_store_n(&tr_slot->open_ticket, FLR_IDLE, __ATOMIC_SEQ_CST);
    wake_recorder();
}

void tr_ring_turn(void)
{
    if (segment != NULL) {
        publish();
        wake_recorder();
    }
    open_segment();
}

void tr_ring_need(UInt n_words)
{
    if (tr_control != NULL && segment == NULL)
        open_segment();
    else if (tr_next + n_words >= tr_limit)
        tr_ring_turn();
}

void tr_ring_end(void)
{
    tr_ring_idle();
    if (tr_slot != NULL) {
        __atomic_store_n(&tr_slot->state, FLR_ENDED, __ATOMIC_SEQ_CST);
        wake_recorder();
    }
    detach();
}

void tr_put_record(enum flr_record kind, const void *words, UInt n_words, const HChar *text)
{
    UInt text_words = text ? ((UInt)VG_(strlen)(text) + 8) / 8 : 0;
    tr_ring_need(n_words + text_words + 2);
    *tr_next++ = FLR_WORD(FLR_RECORD, (ULong)kind << 32 | (n_words + text_words));
    VG_(memcpy)(tr_next, words, n_words * 8);
    tr_next += n_words;
    if (text_words) {
        tr_next[text_words - 1] = 0;
        VG_(memcpy)(tr_next, text, VG_(strlen)(text));
        tr_next += text_words;
    }
}

void tr_put_kernel(Bool is_write, Addr address, SizeT bytes)
{
    if (bytes == 0)
        return;
    tr_ring_need(4);
    *tr_next++ = FLR_WORD(is_write ? FLR_KERNEL_WRITE : FLR_KERNEL_READ, bytes);
    *tr_next++ = address;
}

void tr_put_thread(UInt kernel_tid)
{
    tr_ring_need(4);
    *tr_next++ = FLR_WORD(FLR_THREAD, kernel_tid);
}
