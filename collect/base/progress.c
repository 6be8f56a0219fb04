/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <time.h>

#include <faultline/cmd.h>

enum {
    QUIET_NS = 1000000000,
    STEP_BP = 20,  /* shown anew */
    TELLS_BP = 100 /* less says little of what is left */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fl_progress_begin(struct fl_progress *p, const char *what, FILE *out)
{
    *p = (struct fl_progress){ .what = what, .out = out, .shown_bp = UINT32_MAX };
    p->begun_ns = now_ns();
    p->from_ns = p->begun_ns + QUIET_NS;
}

char *fl_progress_left(char buf[FL_PROGRESS_LEFT], uint64_t elapsed_ns, unsigned done_bp)
{
    buf[0] = '\0';
    if (done_bp < TELLS_BP || elapsed_ns < QUIET_NS)
        return buf;
    uint64_t s =
        (uint64_t)((unsigned __int128)elapsed_ns * (10000 - done_bp) / done_bp / 1000000000u);
    if (s < 60)
        snprintf(buf, FL_PROGRESS_LEFT, "%u s", (unsigned)s);
    else if (s < 3600)
        snprintf(buf, FL_PROGRESS_LEFT, "%u min", (unsigned)(s / 60));
    else
        snprintf(buf, FL_PROGRESS_LEFT, "%llu h %u min", (unsigned long long)(s / 3600),
                 (unsigned)(s / 60 % 60));
    return buf;
}

void fl_progress_step(void *arg, unsigned done_bp)
{
    struct fl_progress *p = arg;
    char left[FL_PROGRESS_LEFT];
    if (!p->out || done_bp / STEP_BP == p->shown_bp / STEP_BP)
        return;
    uint64_t now = now_ns();
    if (!p->visible && now < p->from_ns)
        return;
    p->visible = true;
    p->shown_bp = done_bp;
    fl_progress_left(left, now - p->begun_ns, done_bp);
    fprintf(p->out, "\r%s: %3u %%%s%s%s\033[K", p->what, done_bp / 100, *left ? ", " : "", left,
            *left ? " left" : "");
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
