/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would have saved the first that is killed: replays by bisection. */
#include <stdlib.h>
#include <string.h>

#include <faultline/oom_live.h>
#include <faultline/replay.h>

struct search {
    struct fl_reader *r;
    struct fl_replay_opts opts; /* of the next replay */
    struct fl_oom_adj *adj;     /* opts.oom_adj, the victim's first, which counts */
    void (*vary)(struct search *s, int64_t value);
    uint32_t pid;
    unsigned replays;
    int rc;
    struct fl_err *err;
};

/* With this value, does it live? False also when the replay failed: see rc. */
static bool is_saved(struct search *s, int64_t value)
{
    struct fl_result *res = NULL;
    bool killed = false;
    if (s->rc != FL_OK)
        return false;
    s->vary(s, value);
    int rc = fl_replay(s->r, &s->opts, &res, s->err);
    s->replays++;
    if (rc == FL_EDATA) /* nobody may be killed, and nobody can go on */
        return false;
    s->rc = rc;
    for (size_t i = 0; rc == FL_OK && i < res->n_oom_kills; i++)
        killed |= res->oom_kills[i].pid == s->pid;
    fl_result_free(res);
    return rc == FL_OK && !killed;
}

/* Between a value that kills and one that saves: the neighbours. Returns the one that saves. */
static int64_t bisect(struct search *s, int64_t kills, int64_t saves)
{
    while (s->rc == FL_OK && (saves > kills ? saves - kills : kills - saves) > 1) {
        int64_t mid = kills + (saves - kills) / 2;
        if (is_saved(s, mid))
            saves = mid;
        else
            kills = mid;
    }
    return saves;
}

/* The least above @kills that saves; -1: none up to @most. */
static int64_t least(struct search *s, int64_t kills, int64_t step, int64_t most)
{
    while (s->rc == FL_OK && kills < most) {
        int64_t next = step < most - kills ? kills + step : most;
        if (is_saved(s, next))
            return bisect(s, kills, next);
        kills = next;
        step *= 2;
    }
    return -1;
}

static void vary_ram(struct search *s, int64_t value)
{
    s->opts.frames = (uint32_t)value;
}

static void vary_swap(struct search *s, int64_t value)
{
    s->opts.swap_pages = (uint64_t)value;
}

static void vary_adj(struct search *s, int64_t value)
{
    s->adj[0].value = (int32_t)value;
}

static int32_t highest_adj(struct search *s, int32_t now)
{
    s->vary = vary_adj;
    s->opts.oom_adj = s->adj;
    s->opts.n_oom_adj++;
    if (now == FL_OOM_ADJ_MIN || !is_saved(s, FL_OOM_ADJ_MIN))
        return FL_SAVED_NO_ADJ;
    /* what it had when it was killed need not be what it had before */
    if (is_saved(s, now))
        return is_saved(s, FL_OOM_ADJ_MAX) ? FL_OOM_ADJ_MAX
                                           : (int32_t)bisect(s, FL_OOM_ADJ_MAX, now);
    return (int32_t)bisect(s, now, FL_OOM_ADJ_MIN);
}

static void find_all(struct search *s, const struct fl_replay_opts *opts,
                     const struct fl_result *result, struct fl_saved_by *out)
{
    int64_t step = opts->frames / 16 + 1;
    /* nobody is killed where everything fits, with what the kernel needs for it */
    int64_t enough = (int64_t)result->unlimited_peak_pages * 4 + 4 * (int64_t)opts->frames + 65536;
    int64_t most = enough < FL_FRAMES_UNLIMITED - 1 ? enough : FL_FRAMES_UNLIMITED - 1;
    s->vary = vary_ram;
    int64_t frames = opts->frames < most ? least(s, opts->frames, step, most) : -1;
    out->frames = frames > 0 ? (uint64_t)frames : 0;
    s->opts.frames = opts->frames;
    s->vary = vary_swap;
    int64_t swap = opts->swap_pages < (uint64_t)enough
                       ? least(s, (int64_t)opts->swap_pages, step, enough)
                       : -1;
    out->swap_pages = swap >= 0 ? (uint64_t)swap : UINT64_MAX;
    s->opts.swap_pages = opts->swap_pages;
    out->oom_score_adj = highest_adj(s, result->oom_kills[0].oom_score_adj);
}

int fl_saved_by(struct fl_reader *r, const struct fl_replay_opts *opts,
                const struct fl_result *result, struct fl_saved_by *out, struct fl_err *err)
{
    *out = (struct fl_saved_by){ .swap_pages = UINT64_MAX, .oom_score_adj = FL_SAVED_NO_ADJ };
    if (!result->n_oom_kills)
        return FL_OK;
    struct search s = { .r = r, .opts = *opts, .pid = result->oom_kills[0].pid, .err = err };
    s.opts.no_tlb = s.opts.no_owners = s.opts.no_peak = true;
    s.adj = calloc(opts->n_oom_adj + 1, sizeof *s.adj);
    if (!s.adj)
        return fl_nomem(err, "what would have saved it");
    s.adj[0].pid = s.pid;
    if (opts->n_oom_adj)
        memcpy(s.adj + 1, opts->oom_adj, opts->n_oom_adj * sizeof *s.adj);
    find_all(&s, opts, result, out);
    out->pid = s.pid;
    out->replays = s.replays;
    free(s.adj);
    return s.rc;
}
