/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd_oom_whatif.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/cmd.h>
#include <faultline/oom_live.h>
#include <faultline/units.h>

static bool one(const char **p, struct fl_oom_adj *out)
{
    char *end;
    errno = 0;
    unsigned long pid = **p >= '0' && **p <= '9' ? strtoul(*p, &end, 10) : 0;
    if (!pid || pid > UINT32_MAX || errno || *end != '=')
        return false;
    const char *value = end + 1;
    long adj = *value == '-' || (*value >= '0' && *value <= '9') ? strtol(value, &end, 10) : 0;
    if (end == value || (end - 1 < value) || errno || adj < FL_OOM_ADJ_MIN ||
        adj > FL_OOM_ADJ_MAX || (*end && *end != ','))
        return false;
    *out = (struct fl_oom_adj){ .pid = (uint32_t)pid, .value = (int32_t)adj };
    *p = end;
    return true;
}

int cmd_oom_adj(const char *text, struct fl_oom_adj **out, size_t *n, struct fl_err *err)
{
    *out = NULL, *n = 0;
    for (const char *p = text; p; p++) {
        struct fl_oom_adj *more = reallocarray(*out, *n + 1, sizeof *more);
        if (!more)
            return fl_nomem(err, "--oom-score-adj");
        *out = more;
        if (!one(&p, &more[*n]))
            return fl_fail(err, FL_EUSAGE,
                           "--oom-score-adj: '%s' is not PID=VALUE[,PID=VALUE...] with values from "
                           "-1000 to 1000",
                           text);
        for (size_t i = 0; i < *n; i++)
            if (more[i].pid == more[*n].pid)
                return fl_fail(err, FL_EUSAGE,
                               "--oom-score-adj: process %" PRIu32 " is there twice", more[i].pid);
        ++*n;
        if (!*p)
            break;
    }
    return FL_OK;
}

int cmd_oom_adj_known(const struct fl_result *result, struct fl_err *err)
{
    return result->oom_adj_unknown ? fl_fail(err, FL_EUSAGE,
                                             "--oom-score-adj: the trace has no process %" PRIu32
                                             "; 'faultline dump FILE | grep process' shows them",
                                             result->oom_adj_unknown)
                                   : FL_OK;
}

void cmd_saved_print(const struct fl_result *result, FILE *out)
{
    const struct fl_saved_by *s = result->saved_by;
    char buf[FL_FORMAT_BYTES], all[FL_FORMAT_BYTES];
    if (!s)
        return;
    if (!s->pid) {
        fputs("  nobody is killed: there is nobody to save\n", out);
        return;
    }
    fprintf(out, "  %s (pid %" PRIu32 ") would have lived with any one of (%u replays):\n",
            result->oom_kills[0].comm, s->pid, s->replays);
    if (s->frames)
        fprintf(out, "    RAM            %s   (%" PRIu64 " bytes; %s more)\n",
                fl_format_bytes(all, s->frames * FL_PAGE_BYTES), s->frames * FL_PAGE_BYTES,
                fl_format_bytes(buf, (s->frames - result->opts.frames) * FL_PAGE_BYTES));
    else
        fputs("    RAM            none that was tried\n", out);
    if (s->swap_pages != UINT64_MAX)
        fprintf(out, "    swap           %s   (%" PRIu64 " bytes; %s more)\n",
                fl_format_bytes(all, s->swap_pages * FL_PAGE_BYTES), s->swap_pages * FL_PAGE_BYTES,
                fl_format_bytes(buf, (s->swap_pages - result->opts.swap_pages) * FL_PAGE_BYTES));
    else
        fputs("    swap           no amount\n", out);
    if (s->oom_score_adj != FL_SAVED_NO_ADJ)
        fprintf(out, "    oom_score_adj  %" PRId32 " or less   (it had %" PRId32 ")\n",
                s->oom_score_adj, result->oom_kills[0].oom_score_adj);
    else
        fputs("    oom_score_adj  none: there is nobody else to kill\n", out);
}
