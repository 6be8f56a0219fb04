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

/* A superblock as the tracer described it; shared by a process and its forks. */
struct exact_block {
    uint32_t refs;
    uint16_t n_ops, n_exits;
    uint32_t *codes;  /* where each operation's code is; behind the words */
    uint64_t words[]; /* n_ops operations, n_exits exits */
};

struct exact_blocks {
    struct exact_block **at; /* by id; NULL: not described */
    size_t n, cap;
};

struct exact_thread {
    uint32_t tid, index;
};

#define EXACT_TOLD_NOTHING (FL_NO_CODE - 1) /* no place */

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
    /* The run under construction, of run_process' own instructions; none when the
       counts are 0. Three counts of 21 bits: reads, writes, fetches. */
    struct exact_process *run_process;
    uint64_t run_vpn, run_counts;
    uint32_t run_code;  /* where it began, as fl_exact_code_marks() numbers it */
    uint32_t told_code; /* where the writer has the thread whose words are being read */
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
/* Write the run under construction. */
void fl_exact_flush(struct exact_recorder *x);

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
/* @p's thread is in @place from here on. May write an event, but no run. */
void fl_exact_code_tell(struct exact_recorder *x, const struct exact_process *p, uint32_t place);

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
/* While a program runs: SIGINT, SIGQUIT are its own, SIGTERM and SIGHUP are passed on. */
void fl_exact_signals_take(void);
void fl_exact_signals_target(pid_t pid);
void fl_exact_signals_restore(void);

#endif
