/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * ring_protocol.h - what the tracer (producer, one per traced process) and the
 * recorder (consumer) share.
 *
 * One memory file: a control page, FLR_SLOTS slot pages, then a ring of
 * FLR_RING_BYTES per slot. A process owns one slot. It writes segments into its
 * ring; each begins with a struct flr_segment whose ticket orders it among the
 * segments of all processes. A producer takes its ticket when it opens a
 * segment and has none open while it is inside a system call, so "everything
 * up to ticket T has been published" can be seen from the slots.
 *
 * Plain fixed-width types and __atomic builtins only: one side has no libc.
 */
#ifndef FAULTLINE_RING_PROTOCOL_H
#define FAULTLINE_RING_PROTOCOL_H

typedef unsigned char flr_u8;
typedef unsigned short flr_u16;
typedef unsigned int flr_u32;
typedef unsigned long long flr_u64;

#define FLR_MAGIC 0x31474e4952544c46ULL /* "FLTRING1" */
#define FLR_VERSION 4u
#define FLR_PAGE 4096u
#define FLR_SLOTS 1024u
#define FLR_RING_BYTES (2u << 20)
#define FLR_SEGMENT_BYTES (128u << 10) /* most a segment takes, header included */
#define FLR_SLACK_BYTES (24u << 10)    /* of those, kept for the superblock being run */
#define FLR_SUPERBLOCK_WORDS 2048u     /* most words one superblock records */

#define FLR_SLOT_OFFSET(i) (FLR_PAGE + (flr_u64)(i)*FLR_PAGE)
#define FLR_RING_OFFSET(i) (FLR_SLOT_OFFSET(FLR_SLOTS) + (flr_u64)(i)*FLR_RING_BYTES)
#define FLR_CONTROL_BYTES FLR_SLOT_OFFSET(FLR_SLOTS)
#define FLR_FILE_BYTES FLR_RING_OFFSET(FLR_SLOTS)

struct flr_control {
    flr_u64 magic;
    flr_u32 version, consumer_pid;
    flr_u8 pad0[48];
    flr_u64 next_ticket; /* fetch_add by producers; 1 is the first */
    flr_u8 pad1[56];
    flr_u32 activity; /* futex: raised when something was published */
    flr_u32 sleeping; /* the consumer waits on it */
    flr_u8 pad2[56];
    flr_u32 unrecorded; /* processes that found no slot */
    flr_u32 slots_used; /* slots from this one on were never claimed */
};

enum flr_slot_state {
    FLR_FREE = 0,
    FLR_LIVE = 1,    /* a producer writes here */
    FLR_EXECING = 2, /* between execve and the new image's first word */
    FLR_ENDED = 3,   /* nothing more will come */
    FLR_CLAIMED = 4, /* taken, not filled in yet */
};

#define FLR_OPENING 0ULL       /* open_ticket: a ticket is being taken */
#define FLR_IDLE (~0ULL)       /* open_ticket: no segment open */
#define FLR_SKIP (~0ULL)       /* flr_segment.ticket: unused room at the ring's end */
#define FLR_NO_ADDRESS (~0ULL) /* of a signal that was sent, not a fault */
#define FLR_EXEC_NAME 3000u

struct flr_slot {
    flr_u32 state; /* enum flr_slot_state */
    flr_u32 pid;
    flr_u8 pad0[56];
    flr_u64 head;        /* bytes published; written by the producer */
    flr_u64 open_ticket; /* of the segment being written */
    flr_u8 pad1[48];
    flr_u64 tail;    /* bytes consumed; written by the consumer */
    flr_u32 space;   /* futex: raised when room was made */
    flr_u32 waiting; /* the producer waits on it */
    flr_u8 pad2[48];
    char exec_argv0[FLR_EXEC_NAME]; /* execve's argv[0], left for the new image */
};

struct flr_segment {
    flr_u64 ticket;
    flr_u64 bytes; /* header and padding included; a multiple of 16 */
};

/*
 * The content of a segment is 64-bit words. A control word has its top bit set:
 * 7 bits of type, 56 bits of payload. Every other word is the address of a data
 * access, or 0 for a guarded access that did not happen. Accesses whose address differs
 * from an earlier one's of the superblock by a constant have no word of their own.
 */
#define FLR_CONTROL_BIT (1ULL << 63)
#define FLR_WORD(type, payload) \
    (FLR_CONTROL_BIT | ((flr_u64)(type) << 56) | ((flr_u64)(payload)&0xffffffffffffffULL))
#define FLR_WORD_TYPE(word) (((word) >> 56) & 0x7f)
#define FLR_WORD_PAYLOAD(word) ((word)&0xffffffffffffffULL)

enum flr_type {
    FLR_END = 0,      /* end of the segment */
    FLR_SUPERBLOCK,   /* payload: id; its addresses follow */
    FLR_EXIT,         /* after a superblock's addresses: index of the exit taken */
    FLR_PARTIAL,      /* a superblock cut by a fault: id | ops << 32 | fetches << 48 */
    FLR_THREAD,       /* payload: kernel tid that runs from here on */
    FLR_KERNEL_READ,  /* payload: bytes; one word: address */
    FLR_KERNEL_WRITE, /* as above */
    FLR_DESCRIBE,     /* payload: words that follow; see struct flr_description */
    FLR_RECORD,       /* payload: words that follow | enum flr_record << 32 */
};

/*
 * Description of a superblock, in words:
 *   id | n_ops << 32 | n_exits << 48
 *   n_ops operations: FLR_OP_* << 60 | count << 52 | page number   for fetches
 *                     FLR_OP_* << 60 | bytes << 44 | word << 32 | offset
 *                       for accesses: at the address in that word (0 is the first
 *                       behind the header) plus the offset, 32 bits with a sign
 *   n_exits side exits: words before it | operations before it << 16
 *                       | fetches of the last fetch operation << 32 | marked << 40
 *   the rest    code marks: from this operation on << 48 | address of an instruction
 * A fetch operation stands before the accesses of the instructions it counts.
 * A marked exit, when taken, is followed by FLR_EXIT; an unmarked one is known
 * by the control word that follows its last address. Code marks are in order: one for
 * the first instruction, one wherever the next does not follow in memory (a superblock
 * goes on behind calls and jumps).
 */
enum flr_op {
    FLR_OP_FETCH = 1,
    FLR_OP_READ = 2,
    FLR_OP_WRITE = 3,
    FLR_OP_MODIFY = 4,  /* a read and a write */
    FLR_OP_GUARDED = 8, /* with one of the three: does not happen when its word is 0 */
};
#define FLR_OP(kind, low) (((flr_u64)(kind) << 60) | (flr_u64)(low))
#define FLR_OP_KIND(op) ((op) >> 60)
#define FLR_OP_COUNT(op) (((op) >> 52) & 0xff)
#define FLR_OP_PAGE(op) ((op)&0xfffffffffffffULL)
#define FLR_MARK(op, address) ((flr_u64)(op) << 48 | ((flr_u64)(address)&0xffffffffffffULL))
#define FLR_MARK_OP(mark) ((mark) >> 48)
#define FLR_MARK_ADDRESS(mark) ((mark)&0xffffffffffffULL)
#define FLR_OP_ACCESS(kind, bytes, word, offset) \
    FLR_OP(kind, (flr_u64)(bytes) << 44 | (flr_u64)(word) << 32 | (flr_u32)(offset))
#define FLR_OP_BYTES(op) (((op) >> 44) & 0xffff)
#define FLR_OP_INDEX(op) (((op) >> 32) & 0xfff)
#define FLR_OP_OFFSET(op) ((int)(flr_u32)(op))

enum flr_record {
    FLR_REC_IMAGE = 1,    /* a new program begins: struct flr_image, path */
    FLR_REC_FORKED,       /* first of a child: struct flr_forked */
    FLR_REC_FORKING,      /* token of the fork about to happen: one word */
    FLR_REC_THREAD_START, /* tid */
    FLR_REC_THREAD_END,   /* tid */
    FLR_REC_MAP,          /* struct flr_map, path */
    FLR_REC_UNMAP,        /* start, length */
    FLR_REC_PROTECT,      /* start, length, prot */
    FLR_REC_REMAP,        /* old start, old length, new start, new length */
    FLR_REC_ADVISE,       /* start, length, advice */
    FLR_REC_SIGNAL,       /* number, address of a fault or FLR_NO_ADDRESS */
    FLR_REC_COMM,         /* tid, name */
    FLR_REC_ENDED,        /* wait status */
    FLR_REC_LIMIT,        /* enum flr_limit: something the tracer does otherwise than the kernel */
    FLR_REC_FILE,         /* a regular file is about to be used: struct flr_file, path */
    FLR_REC_RESIDENT,     /* after FLR_REC_FILE, once a cached range of it: offset, length */
    FLR_REC_FILE_IO,      /* struct flr_file_io */
    FLR_REC_LOCK,         /* start, length, mode */
};

enum flr_limit {
    FLR_LIMIT_VFORK = 1, /* CLONE_VM was dropped: the child got a copy */
    FLR_LIMIT_BRK = 2,   /* brk refused what the kernel would have given */
};

struct flr_image {
    flr_u64 is_exec; /* 0: the first image of the recording */
    flr_u64 pid, ppid, tid;
    flr_u64 stack_pointer, stack_end, stack_limit_bytes;
    char comm[16];
};

struct flr_forked {
    flr_u64 token, pid, ppid, tid, is_vfork;
};

struct flr_map {
    flr_u64 start, length, offset;
    flr_u64 prot, flags; /* enum fl_map flags of event.h */
    flr_u64 dev, ino, size_bytes;
};

struct flr_file {
    flr_u64 dev, ino, size_bytes;
    flr_u64 birth_ns; /* 0: not known */
    flr_u64 read_ahead_pages;
    flr_u64 n_ranges; /* FLR_REC_RESIDENT that follow; all ones: not known */
};

struct flr_file_io {
    flr_u64 dev, ino;
    flr_u64 op, flags; /* enum fl_io_op and its flags in event.h */
    flr_u64 offset, length;
};

#endif
