/* SPDX-License-Identifier: GPL-2.0-or-later */
/** replay_priv.h - one run of the model; between replay*.c. */
#ifndef REPLAY_REPLAY_PRIV_H
#define REPLAY_REPLAY_PRIV_H

#include "digest.h"
#include "fault_owners.h"
#include "future.h"
#include "linux/linux_mm.h"
#include "paging.h"
#include "reached.h"
#include "run_code.h"
#include "timeline.h"
#include "tlb_follow.h"
#include "vm.h"

struct replay {
    struct fl_replay_opts opts;
    struct vm vm;
    struct paging paging; /* not in use when the kernel's model takes its place */
    struct linux_mm kernel;
    bool has_kernel;
    struct reached reached; /* by runs; of the kernel's model only */
    struct tlb tlb;
    bool has_tlb;
    struct tlb_follow follow; /* its event also without a TLB */
    struct future *future;    /* NULL unless the policy needs it */
    uint64_t *next_use;       /* of the runs under way, with a future */
    size_t next_use_room;
    uint32_t contents[PAGING_BATCH]; /* of a stretch of them: replay_batch.c */
    uint8_t info[PAGING_BATCH], need[PAGING_BATCH];
    uint32_t reduced; /* floor of the reduced layer that the pass is over; 0: over the stream */
    struct timeline timeline;
    struct regions regions;
    struct attribution attribution;
    bool has_attribution;
    uint64_t candidates_pages;   /* in RAM and swap when the result's candidates were noted */
    struct run_codes codes;      /* of attribution */
    int attribution_rc;          /* of a hook, which cannot fail */
    uint32_t process;            /* of the runs under way, or the last */
    const struct digest *digest; /* of the runs under way, or NULL */
    bool windowed;               /* they were taken as one window */
    uint64_t accesses;
    int kill_rc; /* of the last call for a victim, and why it failed */
    struct fl_err kill_err;
    uint64_t runs, runs_to_tell; /* done; at which progress() is called next */
    struct fl_result *result;
};

/* replay.c: fl_replay() in steps, so that several replays can share a pass over the trace */
/* reads @r as it likes; rewound after. @reduced: the pass will be over the reduced layer */
int replay_new(struct fl_reader *r, const struct fl_replay_opts *opts, uint32_t reduced,
               struct replay **out, struct fl_err *err);
/* @digest: of the item's runs; NULL: there is none */
int replay_item(struct replay *rp, const struct fl_item *item, const struct digest *digest,
                struct fl_err *err);
/* once, after the last item. The caller frees @out. May read @r again */
int replay_result(struct replay *rp, struct fl_reader *r, struct fl_result **out,
                  struct fl_err *err);
void replay_free(struct replay *rp); /* NULL is fine */

/* replay_batch.c */
/* the runs of rp->process, under a textbook policy */
int replay_runs(struct replay *rp, const struct fl_runs *runs, struct fl_err *err);
/* runs [from, to) of rp->process in the TLB, as what their pages are mapped as now */
void replay_look_up(struct replay *rp, const struct fl_runs *runs, size_t from, size_t to);

/* replay_kill.c */
/* the OOM killer gets somebody; FL_EDATA: nobody may be killed */
int kill_someone(struct replay *rp, struct fl_err *err);
/* the same as the kernel's model calls it */
bool kernel_kill(void *arg);

/* a row of the timeline has ended: are there candidates to note? */
void note_candidates(struct replay *rp);
/* a row of the timeline ends here */
void replay_end_row(struct replay *rp);

/* replay_kernel.c */
/* each run need be told to the kernel's model alone: for one replay no dearer than a digest */
bool replay_run_by_run(const struct replay *rp);
/* the runs of rp->process, under the kernel's model */
int kernel_runs(struct replay *rp, const struct fl_runs *runs, struct fl_err *err);
/* the most frames that it had to have at any time; UINT64_MAX: that is not all that size is */
uint64_t replay_wanted(const struct replay *rp);
/* @rc of the kernel's model, unless it was that nobody could be killed */
int kernel_rc(const struct replay *rp, int rc, struct fl_err *err);

/* replay_window.c */
/* all of @runs at once, by rp->digest; false: something in them faults, or may, and nothing has
   been done */
bool replay_window(struct replay *rp, const struct fl_runs *runs, int *rc, struct fl_err *err);

/* replay_owners.c */
int owners_begin(struct replay *rp, struct fl_err *err);
int owners_end(struct replay *rp, struct fl_err *err);
/* what an event brings in is its thread's, which is where it was last */
void owners_event(struct replay *rp, const struct fl_event *ev);
/* the process of the runs under way took a fault on @page, after @accesses */
void owners_fault(struct replay *rp, uint32_t page, enum fl_cause cause, uint64_t accesses);
/* hook of the kernel's model */
void owners_evicted(void *arg, uint32_t c);

#endif
