/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * exact.h - the recorder's half of the exact mode: what its files share.
 *
 * exact_launch.c starts the program, exact_consumer.c merges the processes' rings,
 * exact_decode.c turns words into runs, exact_process.c keeps the process tree,
 * exact_mapping.c files and mappings, exact_code.c the functions code is in, exact_program.c the program's own files, record_exact.c holds them together.
 */
#ifndef FAULTLINE_EXACT_H
#define FAULTLINE_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <faultline/err.h>
#include <faultline/event.h>
#include <faultline/record.h>
#include <faultline/trace.h>

#include "ring_protocol.h"

/* One of each in a run's counts, and the top bits: half full, time to write the run. */
#define EXACT_READ UINT64_C(1)
#define EXACT_WRITE (UINT64_C(1) << FL_COUNT_BITS)
#define EXACT_FETCH (UINT64_C(1) << 2 * FL_COUNT_BITS)
#define EXACT_HALF_FULL ((EXACT_READ | EXACT_WRITE | EXACT_FETCH) << (FL_COUNT_BITS - 1))

/* Operations of a superblock that are on one page, unless an address crosses into the next. */
struct exact_step {
    uint64_t vpn;    /* of a fetch */
    uint64_t counts; /* as fl_writer_runs() takes them */
    uint32_t page;   /* of a fetch, once it is known */
    uint32_t code;   /* id in the trace of where it begins, or FL_NO_CODE */
    uint32_t word;   /* whose accesses they are, or EXACT_FETCHED */
};
#define EXACT_FETCHED UINT32_MAX

/* Bytes [low, high] from a word on are accessed. */
struct exact_reach {
    int64_t low, high;
    uint64_t first_before; /* of the range before this one, which may come again, */
    uint32_t page_before;  /* where that was */
    uint32_t page;         /* where they are, while the word is in its range */
};

/* Values of a word with all its accesses on the same page as last time: @first and following. */
struct exact_range {
    uint64_t first, n;
};

/*
 * One way through a superblock, to its end or to a side exit; and the runs that it is while its
 * words, and the one behind them, are in their ranges, which last time's were. What each execution
 * reads is in front.
 */
struct exact_path {
    uint32_t n_words, n_taken; /* taken: with FLR_EXIT, if that is behind */
    uint32_t n_runs;
    uint32_t mm;              /* of the pages that are known */
    struct fl_page_run *runs; /* room for EXACT_AT_ONCE more; behind the ranges */
    struct exact_step *steps;
    struct exact_reach *reaches; /* by word */
    uint32_t n_steps;
    uint64_t ranges[]; /* where each begins, n_words + 1 of them; then how many values each has */
};
#define EXACT_AT_ONCE 4u /* runs that are copied */

/* A superblock as the tracer described it; shared by a process and its forks. */
struct exact_block {
    uint32_t refs;
    uint16_t n_ops, n_exits, n_words;
    bool plain;                /* guarded accesses: operation by operation only */
    uint32_t *codes;           /* where each operation's code is; behind the paths */
    struct exact_path **paths; /* n_exits + 1, the last to the end; NULL: not made yet */
    uint64_t words[];          /* n_ops operations, n_exits exits */
};

struct exact_known {
    struct exact_block *block; /* NULL: not described */
    struct exact_path *likely; /* the one taken last; NULL: none yet */
};

struct exact_blocks {
    struct exact_known *at; /* by id */
    size_t n, cap;
};

struct exact_thread {
    uint32_t tid, index;
};

/* The main stack: its mapping, and how far down it may still grow. Page numbers. */
struct exact_stack {
    uint64_t low, floor;
};

struct exact_process {
    uint32_t pid, ppid, mm;
    uint32_t thread, tid; /* whose words are being read */
    bool ended;
    uint32_t fresh_file, read_ahead_pages; /* whose cached ranges are being told, or none */
    int32_t oom_score_adj;
    char comm[16];
    struct exact_stack stack;
    struct exact_blocks blocks;
    uint32_t space; /* of places, where its code is looked up */
    struct exact_thread *threads;
    size_t n_threads, cap_threads;
};

/* What a fork's child inherits, kept from the parent's last word before the fork. */
struct exact_fork {
    struct exact_fork *next;
    uint64_t token;
    struct exact_process inherited; /* blocks and space are owned; threads are not filled in */
};

struct exact_file {
    uint64_t dev, ino, birth_ns; /* birth 0: not known */
    uint32_t id;
};

/* A page that was looked up, where its number falls. */
struct exact_looked_up {
    uint64_t vpn;
    uint32_t mm, page;
};
#define EXACT_LOOKED_UP 512u

/* Room for a batch of runs, and for what one superblock adds to it. */
#define EXACT_BATCH 2048u
#define EXACT_BATCH_ROOM (EXACT_BATCH + FLR_SUPERBLOCK_WORDS + 72u)

struct exact_recorder {
    struct fl_writer *writer;
    bool redact;
    uint64_t start_ns;
    uint32_t next_mm, next_thread, next_space;
    struct exact_fork *forks;
    struct exact_file *files;             /* open addressing, cap_files a power of two */
    size_t n_files, n_defined, cap_files; /* ids given; (device, inode) pairs known */
    struct fl_places *places;             /* NULL: nobody asks where code is */
    struct exact_program *program;        /* noted files of the first program, or NULL */
    char **redacted;                      /* names seen, by number */
    size_t n_redacted, cap_redacted;
    /* Runs of run_process' own instructions that are not written yet: 1 to last_run, the
       last of them under construction. Entry 0 is on no page. */
    struct exact_process *run_process;
    struct fl_page_run *runs;
    size_t last_run;
    struct exact_looked_up *looked_up; /* EXACT_LOOKED_UP of them */
    bool wide;                         /* the processor can compare eight words at once */
    /* Found out on the way; become quality.* keys. */
    uint64_t n_processes, n_killed, n_native, n_vfork, n_brk, n_threads_started;
    uint64_t n_damaged; /* segments with words that mean nothing */
    int first_rc;       /* the writer's first error, or FL_OK */
    struct fl_err err;
};

/* ---- exact_decode.c --------------------------------------------------------- */

/* One segment's words of @p. Damage is counted and ends the segment. */
void fl_exact_decode(struct exact_recorder *x, struct exact_process **p, const uint64_t *words,
                     size_t n_words);
/* Id of a page in the trace; FL_NO_PAGE: the writer has failed. */
uint32_t fl_exact_page(struct exact_recorder *x, uint32_t mm, uint64_t vpn);
/* Is @vpn below @p's stack, where that may grow? */
static inline bool fl_exact_grows_stack(const struct exact_process *p, uint64_t vpn)
{
    return vpn < p->stack.low && vpn >= p->stack.floor;
}
/* Before it: room for runs. False: out of memory. */
bool fl_exact_decode_open(struct exact_recorder *x);
/* Write all runs there are. */
void fl_exact_flush(struct exact_recorder *x);

/* ---- exact_block.c ---------------------------------------------------------- */

/* Make @b out of the words of a description. NULL: malformed, or out of memory. */
struct exact_block *fl_exact_block(const uint64_t *words, size_t n_words);
/* Make the path to exit @i (n_exits: to the end), once all its code is defined. */
struct exact_path *fl_exact_path(const struct exact_recorder *x, struct exact_block *b, size_t i);
/* The path's words in @p are now those at @w. False: it does not serve them. */
bool fl_exact_path_follow(struct exact_recorder *x, const struct exact_process *p,
                          struct exact_path *path, const uint64_t *w);
void fl_exact_block_drop(struct exact_block *b); /* NULL is fine */

/* ---- exact_process.c -------------------------------------------------------- */

/* A record of @p (NULL: its first); may create the process. False: damaged. */
bool fl_exact_record(struct exact_recorder *x, struct exact_process **p, enum flr_record kind,
                     const uint64_t *words, size_t n_words);
bool fl_exact_describe(struct exact_recorder *x, struct exact_process *p, const uint64_t *words,
                       size_t n_words);
/* The words that follow are of thread @tid. */
void fl_exact_switch(struct exact_recorder *x, struct exact_process *p, uint32_t tid);
/* Has the oom_score_adj of @p been set since? Programs set it with a plain write, which is not
   told; this looks at /proc, so the event is late by as long as nobody looked. */
void fl_exact_look_at_adj(struct exact_recorder *x, struct exact_process *p);
/* The process is gone; @status as waitpid tells it. */
void fl_exact_ended(struct exact_recorder *x, struct exact_process *p, int status);
/* The main stack now reaches down to @vpn. */
void fl_exact_grow_stack(struct exact_recorder *x, struct exact_process *p, uint64_t vpn);
void fl_exact_process_free(struct exact_process *p); /* NULL is fine */
void fl_exact_recorder_free(struct exact_recorder *x);
/* Write @ev, now. */
void fl_exact_put(struct exact_recorder *x, struct fl_event *ev);
/* Keep the first failure; nothing is written after it. */
void fl_exact_fail(struct exact_recorder *x, int rc, const struct fl_err *err);
void fl_exact_nomem(struct exact_recorder *x);

/* ---- exact_mapping.c -------------------------------------------------------- */

/* FLR_REC_MAP: @words is a struct flr_map. */
void fl_exact_map(struct exact_recorder *x, struct exact_process *p, const uint64_t *words,
                  const char *path);
/* FLR_REC_UNMAP, _PROTECT, _REMAP, _ADVISE, _LOCK; false for any other. */
bool fl_exact_range(struct exact_recorder *x, struct exact_process *p, enum flr_record kind,
                    const uint64_t *w);

/* FLR_REC_FILE: @words is a struct flr_file. */
void fl_exact_file(struct exact_recorder *x, struct exact_process *p, const uint64_t *words,
                   const char *path);
/* FLR_REC_RESIDENT: offset and length. */
void fl_exact_resident(struct exact_recorder *x, struct exact_process *p, const uint64_t *words);
/* FLR_REC_FILE_IO: @words is a struct flr_file_io. */
void fl_exact_file_io(struct exact_recorder *x, struct exact_process *p, const uint64_t *words);

/* ---- exact_code.c ----------------------------------------------------------- */

/* Say where runs begin from now on. False: out of memory. */
bool fl_exact_codes_open(struct exact_recorder *x);
void fl_exact_codes_close(struct exact_recorder *x); /* not open is fine */
/* Functions that were named in the trace so far. */
uint32_t fl_exact_functions(const struct exact_recorder *x);
/* @p's mappings change; @file: id in the trace, @path as the tracer told it. */
void fl_exact_code_map(struct exact_recorder *x, const struct exact_process *p,
                       const struct flr_map *m, uint32_t file, const char *path);
void fl_exact_code_unmap(struct exact_recorder *x, const struct exact_process *p, uint64_t start,
                         uint64_t length);
void fl_exact_code_remap(struct exact_recorder *x, const struct exact_process *p,
                         const uint64_t *w);
/* @p, which has its pid now, runs in its space. */
void fl_exact_code_begin(struct exact_recorder *x, const struct exact_process *p);
/* A new space, a copy of @parent's. */
uint32_t fl_exact_code_fork(struct exact_recorder *x, const struct exact_process *parent);
/* @p has left its space; the number stays its own. */
void fl_exact_code_drop(struct exact_recorder *x, const struct exact_process *p);
/* Fill in b->codes from @n code marks. */
void fl_exact_code_marks(struct exact_recorder *x, const struct exact_process *p,
                         struct exact_block *b, const uint64_t *marks, size_t n);
/*
 * The id in the trace of the code that fl_exact_code_marks() numbered @code, or FL_NO_CODE.
 * When nothing began there yet it is defined, by an event: runs must be written before.
 */
uint32_t fl_exact_code_id(struct exact_recorder *x, const struct exact_process *p, uint32_t code);
/* Is it defined? And its id, then. */
bool fl_exact_code_known(const struct exact_recorder *x, uint32_t code);
uint32_t fl_exact_code_traced(const struct exact_recorder *x, uint32_t code);

/* ---- exact_program.c -------------------------------------------------------- */

/*
 * Note what the page cache has of the program @name and its interpreters, before
 * anything reads them. fl_exact_program_put() writes it once the process exists.
 */
void fl_exact_program_note(struct exact_recorder *x, const char *name);
void fl_exact_program_put(struct exact_recorder *x, struct exact_process *p);
void fl_exact_program_free(struct exact_recorder *x);

/* ---- exact_consumer.c ------------------------------------------------------- */

struct exact_consumer;

/* Create the shared file. */
int fl_exact_consumer_open(struct exact_recorder *x, struct exact_consumer **out,
                           struct fl_err *err);
int fl_exact_consumer_fd(const struct exact_consumer *c);
/* Consume until every child of this process is gone. @main: whose status is wanted. */
int fl_exact_consume(struct exact_consumer *c, pid_t main, int *wait_status, struct fl_err *err);
/* Processes that found no slot and ran unrecorded. */
uint64_t fl_exact_unrecorded(const struct exact_consumer *c);
void fl_exact_consumer_close(struct exact_consumer *c); /* NULL is fine */

/* ---- exact_launch.c --------------------------------------------------------- */

/* Look @name up as execvp would and check that the tracer can run it. */
int fl_exact_check_command(const char *name, int *exec_status, struct fl_err *err);
/* Start @argv under the tracer. @ring_fd, @log_fd: memory files of ours. */
int fl_exact_launch(char **argv, int ring_fd, int log_fd, pid_t *pid, struct fl_err *err);
/*
 * While a program runs: SIGINT, SIGQUIT are its own, SIGTERM and SIGHUP are passed on. A program that
 * stopped itself would not act on them, so it is continued then, and on SIGCONT.
 */
void fl_exact_signals_take(void);
void fl_exact_signals_target(pid_t pid);
/* The signal that came since the last call, or 0. */
int fl_exact_signals_asked(void);
/* @signo came: continue @pid if it is stopped and that signal is for it. */
void fl_exact_signals_continue(pid_t pid, int signo);
void fl_exact_signals_restore(void);

#endif
