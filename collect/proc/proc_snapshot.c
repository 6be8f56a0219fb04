/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/proc.h>
#include <faultline/units.h>

#include "proc_file.h"
#include "proc_text.h"

/*
 * In this order at the start and the other way round at the end: what the replay of events begins and ends with is
 * then next to them. Reading pagetypeinfo takes milliseconds, in which others allocate.
 */
static const struct {
    const char *name;
    bool of_machine;
    bool names; /* has little but names and paths: not taken when those are left out */
} files[] = {
    { "meminfo", true, false },        { "vmstat", true, false },
    { "swaps", true, true },           { "pressure/memory", true, false },
    { "zoneinfo", true, false },       { "pagetypeinfo", true, false },
    { "buddyinfo", true, false },      { "slabinfo", true, false },
    { "status", false, false },        { "stat", false, false },
    { "smaps_rollup", false, false },  { "oom_score", false, false },
    { "oom_score_adj", false, false }, { "limits", false, false },
    { "cgroup", false, true },         { "maps", false, true },
};

/* Is "@name (why)" in @names? */
static bool is_listed(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)) != NULL; at += n)
        if ((at == names || at[-1] == ' ') && strncmp(at + n, " (", 2) == 0)
            return true;
    return false;
}

static void skip(struct fl_proc_skipped *s, const char *name, int number)
{
    size_t used = strlen(s->names);
    s->n++;
    if (is_listed(s->names, name))
        return; /* of another process, or at the start: once is enough */
    int n = snprintf(s->names + used, sizeof s->names - used, "%s%s (%s)", used ? ", " : "", name,
                     strerror(number));
    if (n < 0 || (size_t)n >= sizeof s->names - used)
        s->names[used] = 0;
}

void fl_proc_rehearse(const char *root, const char *name)
{
    free(proc_read((struct proc_at){ root, 0, 0, name }, PROC_LARGE_BYTES, NULL));
}

int fl_proc_snapshot(const char *root, uint32_t pid, uint32_t moment, bool redact,
                     fl_proc_emit_fn *emit, void *ctx, struct fl_proc_skipped *skipped,
                     struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t k = 0; k < FL_COUNT(files) && rc == FL_OK; k++) {
        size_t len, i = pid == 0 && moment == FL_SNAPSHOT_END ? FL_COUNT(files) - 1 - k : k;
        if (files[i].of_machine != (pid == 0) || (redact && files[i].names))
            continue;
        char *text =
            proc_read((struct proc_at){ root, pid, 0, files[i].name }, PROC_LARGE_BYTES, &len);
        if (!text && errno == ENOMEM)
            return fl_nomem(err, "a snapshot of /proc");
        if (!text) {
            skip(skipped, files[i].name, errno);
            continue;
        }
        if (redact)
            len = text_redact(files[i].name, text, len);
        rc = text_pieces(files[i].name, text, len, pid, moment, emit, ctx, err);
        free(text);
    }
    return rc;
}
