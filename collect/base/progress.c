/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <time.h>

#include <faultline/cmd.h>

enum { QUIET_NS = 1000000000 };

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fl_progress_begin(struct fl_progress *p, const char *what, FILE *out)
{
    *p = (struct fl_progress){ .what = what, .out = out, .shown_percent = UINT32_MAX };
    p->from_ns = now_ns() + QUIET_NS;
}

void fl_progress_step(void *arg, unsigned done_bp)
{
    struct fl_progress *p = arg;
    unsigned percent = done_bp / 100;
    if (!p->out || percent == p->shown_percent)
        return;
    if (!p->visible && now_ns() < p->from_ns)
        return;
    p->visible = true;
    p->shown_percent = percent;
    fprintf(p->out, "\r%s: %3u %%", p->what, percent);
    fflush(p->out);
}

void fl_progress_end(struct fl_progress *p)
{
    if (!p->visible)
        return;
    fputs("\r\033[K", p->out); /* back, and clear the line */
    fflush(p->out);
    p->visible = false;
}
