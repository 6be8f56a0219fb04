/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * advise.h - the smallest memory that holds a slowdown budget.
 *
 * advise.c searches and knows no trace, advise_model.c answers its questions by replays,
 * advise_measured.c reads what the kernel did, advise_doubts.c says how far to trust it all,
 * advise_text.c, advise_json.c and advise_snippets.c write it down. docs/advise.md is the method.
 */
#ifndef FAULTLINE_ADVISE_H
#define FAULTLINE_ADVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <faultline/replay.h>
#include <faultline/report.h>

/* ---- the search ------------------------------------------------------------------ */

enum { ADVISE_SIZES_MAX = 256 };

/**
 * The smallest of the sizes 1 .. top that is good, asking about few of them. Goodness need not be
 * monotone: the answer is the smallest size above every size seen to be bad, and sizes above it are
 * looked at before it is one. All fields but the first five are the search's own.
 */
struct advise_search {
    uint32_t top;        /* 1 .. ADVISE_SIZES_MAX; taken for good unless told otherwise */
    uint32_t guess;      /* where to look first; 0: no idea, begin at the top */
    uint32_t tolerance;  /* how far below the answer the next bad size may be, >= 1 */
    unsigned probes_max; /* ask about so many at most */
    bool look_above;     /* ask about sizes 5, 10 and 25 % above the answer too */

    char seen[ADVISE_SIZES_MAX + 2]; /* by size: 0 not yet, 'g' good, 'b' bad */
    unsigned asked;
    uint32_t reach;
    bool guessed;
};

struct advise_answer {
    bool found;        /* some size is good */
    uint32_t size;     /* the smallest one, with all seen above it good */
    bool exact;        /* the size below it is known to be bad, or there is none */
    bool non_monotone; /* a smaller one was good too, but one between them bad */
};

/**
 * advise_search_next - what to ask next, at most two different sizes at a time.
 * Returns: how many are in @ask; 0 when the search has ended. It depends on nothing but what the
 * search was told.
 */
size_t advise_search_next(struct advise_search *s, uint32_t ask[2]);
/** advise_search_told - @size is good, or not; also sizes it never asked for. */
void advise_search_told(struct advise_search *s, uint32_t size, bool good);
/** advise_search_answer - the best there is so far. */
struct advise_answer advise_search_answer(const struct advise_search *s);

/** advise_step_pages - the step between sizes for a peak of @peak_pages: a power of two, one 256th of
 * it or more; 64 KiB at least from 2 MiB on. */
uint64_t advise_step_pages(uint64_t peak_pages);
/** advise_round_pages - @pages rounded up to a size for people: whole MiB from 64 MiB on, else
 * multiples of 64 KiB, of a page below 2 MiB. */
uint64_t advise_round_pages(uint64_t pages);
/** advise_with_margin - @pages and @margin_bp of them, rounded up. Saturates. */
uint64_t advise_with_margin(uint64_t pages, uint64_t margin_bp);
/** advise_slowdown_bp - 10000 x @ns / @base_ns, rounded up; 10000 when @base_ns is 0. */
uint64_t advise_slowdown_bp(uint64_t ns, uint64_t base_ns);

/* ---- what the kernel did ------------------------------------------------------------ */

/** From a "faultline.validate/1". */
struct advise_measured {
    bool given;
    unsigned limits;         /* how many */
    unsigned n_errors;       /* at how many of them an error of major faults is known */
    uint64_t error_bp;       /* the median of these errors' sizes */
    uint64_t killed_bytes;   /* largest limit at which the kernel killed in any run; 0: none */
    uint64_t survived_bytes; /* smallest one above that; 0: none */
    bool with_swap;          /* the limits were with swap */
    uint64_t
        swap_cost_bp; /* processor time of swapping by the costs' own, 10000: as they say; 0: unknown */
    uint64_t native_ns; /* processor time without limit; 0: not told */
};

/**
 * advise_measured_load - what the file @path says of policy @policy and the trace of @r.
 * @sha256: of the trace. Errors: as fl_document_load(); FL_EUSAGE when it is no validation, FL_EDATA
 * when it is of another program.
 */
int advise_measured_load(const char *path, const struct fl_reader *r, const char *sha256,
                         const char *policy, const struct fl_costs *costs,
                         struct advise_measured *out, struct fl_err *err);
/** advise_measured_of - the same of a document that was checked. */
void advise_measured_of(const struct json_t *doc, const char *policy, const struct fl_costs *costs,
                        struct advise_measured *out);

/* ---- the model ------------------------------------------------------------------------ */

/** One replay: the question, and what came out. */
struct advise_probe {
    uint64_t ram_pages, swap_pages; /* UINT64_MAX: no limit */
    uint32_t first_flush_ms;
    bool killed; /* for want of memory: nothing below holds then */
    uint64_t minor, major, swap_in, swap_out, swap_peak_pages, stat_flushes;
    uint64_t slowdown_bp; /* of the time without limit; 10000 = as fast */
};

/** A line of the answer. */
struct advise_option {
    bool found;
    bool exact, non_monotone; /* as advise_answer */
    uint64_t budget_bp;       /* slowdown allowed, over 10000 */
    struct advise_probe at;
    uint64_t swap_pages; /* that it needs there */
};

enum advise_row {
    ADVISE_PEAK,    /* no reclaim at all */
    ADVISE_ADVISED, /* the advice: margins and all */
    ADVISE_ASKED,   /* the asked budget, without margin */
    ADVISE_MORE,    /* 25 % */
    ADVISE_DOUBLE,  /* 100 % */
    ADVISE_NO_SWAP, /* the asked budget with no swap at all */
    ADVISE_ROWS
};
/** advise_row_name - "peak", "advised", "asked", "slowdown_25", "slowdown_100", "no_swap". */
const char *advise_row_name(enum advise_row row);

enum advise_confidence { ADVISE_LOW, ADVISE_MEDIUM, ADVISE_HIGH };
const char *advise_confidence_name(enum advise_confidence c);

enum { ADVISE_REASONS_MAX = 16, ADVISE_REASON_BYTES = 256 };

struct advise_reason {
    enum advise_confidence at_most; /* what this leaves possible */
    char text[ADVISE_REASON_BYTES];
};

struct advise {
    /* asked */
    const char *path; /* of the trace */
    unsigned read_flags;
    const struct fl_policy_ops *policy;
    uint64_t slowdown_bp, margin_bp; /* budget and margin: 1000 = 10 % */
    uint64_t native_ns;              /* processor time without limit; 0: not known */
    enum fl_swap_kind swap_kind;
    struct fl_costs costs;
    bool own_costs; /* not the built-in ones */
    struct advise_measured measured;
    void (*progress)(void *arg, unsigned done_bp);
    void *progress_arg;
    /* found */
    struct fl_kernel_opts kernel;
    bool is_kernel, fitted; /* policy of the kernel's; an access costs what the program's own do */
    uint64_t footprint_pages, peak_pages, kernel_pages, step_pages;
    uint64_t base_ns, walks_ns;    /* without limit, page walks included; and these alone */
    struct fl_curve_finding curve; /* of lru */
    struct advise_option rows[ADVISE_ROWS];
    uint64_t tight_pages;   /* RAM that holds the budget if the measured error adds to it */
    uint64_t no_swap_pages; /* NO_SWAP with its margin */
    uint64_t
        killed_pages;   /* largest size asked at which, swap or not, a process is killed; 0: none */
    uint64_t max_pages; /* the peak with its margin: no run like the recorded one needs more */
    struct advise_probe
        less;               /* 5 % less than ASKED, with .ram_pages 0 when there is no such size */
    unsigned raised;        /* how often the advice did not hold yet and was raised */
    bool raised_for_kernel; /* to a limit at which the kernel killed nobody */
    struct advise_probe *probes; /* in the order asked */
    size_t n_probes, cap_probes;
    struct advise_reason reasons[ADVISE_REASONS_MAX];
    size_t n_reasons;
    enum advise_confidence confidence;
    char verdict[512];
};

/**
 * advise_run - fill what is to be found but reasons and verdict. @r: the trace at a->path, open.
 * Replays run on as many threads as there are processors; the answer does not depend on that.
 * Errors: FL_EDATA when the trace cannot answer or touches nothing; FL_ENOMEM, FL_EIO, FL_EFORMAT.
 */
int advise_run(struct advise *a, struct fl_reader *r, struct fl_err *err);
void advise_free(struct advise *a);

/** advise_doubt - fill reasons and confidence. @quality: the trace's, as fl_quality_json(). */
void advise_doubt(struct advise *a, const struct fl_reader *r, const struct json_t *quality);
/** advise_verdict - fill the sentence. */
void advise_verdict(struct advise *a);

/* ---- saying it --------------------------------------------------------------------------- */

/** advise_name - what to call the trace: its file's name, clean, or "trace". The caller frees. */
char *advise_name(const struct advise *a);
/** advise_text - verdict, table, margin and confidence. */
void advise_text(const struct advise *a, FILE *out);
/** advise_json - "faultline.advise/1". @trace and @quality are stolen. NULL: out of memory. */
struct json_t *advise_json(const struct advise *a, struct json_t *trace, struct json_t *quality);
/** advise_systemd, advise_kubernetes, advise_docker - the advice as configuration. */
void advise_systemd(const struct advise *a, const char *name, FILE *out);
void advise_kubernetes(const struct advise *a, const char *name, FILE *out);
void advise_docker(const struct advise *a, const char *name, FILE *out);

#endif
