/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What earlyoom would do at this moment, by its manual: earlyoom(1). */
#include <regex.h>
#include <string.h>

#include <faultline/oom_live.h>

#define TERM_BP 1000u /* -m and -s: 10 %, and half of it for SIGKILL */
#define KILL_BP 500u
#define SCORE_STEP 300                          /* --prefer, --avoid */
#define RSS_STEP_KIB (INT64_C(3) * 1024 * 1024) /* with --sort-by-rss */

struct patterns {
    regex_t re[3];
    bool has[3];
};

static int compile(const struct fl_oom_earlyoom_opts *o, struct patterns *p, struct fl_err *err)
{
    const char *const text[3] = { o->prefer, o->avoid, o->ignore };
    for (int i = 0; i < 3; i++) {
        int rc = text[i] ? regcomp(&p->re[i], text[i], REG_EXTENDED | REG_NOSUB) : 0;
        if (rc) {
            char why[128];
            regerror(rc, &p->re[i], why, sizeof why);
            return fl_fail(err, FL_EUSAGE, "'%s' is no extended regular expression: %s", text[i],
                           why);
        }
        p->has[i] = text[i] != NULL;
    }
    return FL_OK;
}

static bool matches(const struct patterns *p, int which, const char *comm)
{
    return p->has[which] && regexec(&p->re[which], comm, 0, NULL, 0) == 0;
}

static bool is_eligible(const struct fl_proc_memory *m, const struct patterns *p)
{
    return m->pid > 2 && !m->is_kernel_thread && m->oom_score >= 0 &&
           m->oom_score_adj != FL_OOM_ADJ_MIN && !matches(p, 2, m->comm);
}

static int64_t rss_kib(const struct fl_proc_memory *m)
{
    return (int64_t)((m->anon_bytes + m->file_bytes + m->shmem_bytes) / 1024);
}

/* It walks /proc by pid, and another has to be larger to take the first's place. */
static bool is_larger(int64_t score, int64_t tie, uint32_t pid, int64_t best, int64_t best_tie,
                      uint32_t best_pid)
{
    if (score != best)
        return score > best;
    return tie != best_tie ? tie > best_tie : pid < best_pid;
}

static void choose(const struct fl_oom *oom, const struct patterns *p, bool by_rss,
                   struct fl_oom_earlyoom *out)
{
    int64_t best_tie = 0;
    for (size_t i = 0; i < oom->n; i++) {
        const struct fl_proc_memory *m = &oom->process[i].memory;
        int64_t step = by_rss ? RSS_STEP_KIB : SCORE_STEP;
        if (!is_eligible(m, p))
            continue;
        int64_t add = matches(p, 0, m->comm) * step - matches(p, 1, m->comm) * step;
        int64_t rss = rss_kib(m), score = (by_rss ? rss : m->oom_score) + add;
        int64_t tie = by_rss ? m->oom_score : rss;
        if (out->victim != SIZE_MAX && !is_larger(score, tie, m->pid, out->victim_score, best_tie,
                                                  oom->process[out->victim].memory.pid))
            continue;
        out->victim = i;
        out->victim_score = score;
        best_tie = tie;
    }
}

static uint32_t share_bp(uint64_t part, uint64_t whole)
{
    return whole ? (uint32_t)((unsigned __int128)part * 10000 / whole) : 0;
}

static bool is_running(const struct fl_oom *oom, const char *comm)
{
    for (size_t i = 0; i < oom->n; i++)
        if (!strcmp(oom->process[i].memory.comm, comm))
            return true;
    return false;
}

int fl_oom_earlyoom(const struct fl_oom *oom, const struct fl_oom_earlyoom_opts *opts,
                    struct fl_oom_earlyoom *out, struct fl_err *err)
{
    const struct fl_meminfo *m = &oom->machine;
    struct patterns p = { .has = { false, false, false } };
    *out =
        (struct fl_oom_earlyoom){ .victim = SIZE_MAX, .is_running = is_running(oom, "earlyoom") };
    int rc = compile(opts, &p, err);
    if (rc == FL_OK) {
        out->available_bp = share_bp(m->available_bytes, m->available_bytes + m->anon_bytes);
        out->swap_free_bp = share_bp(m->swap_free_bytes, m->swap_bytes);
        uint32_t worst = out->available_bp > out->swap_free_bp ? out->available_bp
                                                               : out->swap_free_bp;
        out->act = worst <= KILL_BP ? FL_OOM_KILL : worst <= TERM_BP ? FL_OOM_TERM : FL_OOM_NOTHING;
        choose(oom, &p, opts->by_rss, out);
    }
    for (int i = 0; i < 3; i++)
        if (p.has[i])
            regfree(&p.re[i]);
    return rc;
}
