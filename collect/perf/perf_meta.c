/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <faultline/hostinfo.h>

static void quote_word(const char *word, FILE *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-./=:,+@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

char *fl_shell_quote(char *const *argv)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    for (size_t i = 0; argv[i]; i++) {
        if (i)
            fputc(' ', out);
        quote_word(argv[i], out);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int command_keys(struct fl_meta *meta, const struct fl_record_opts *opts, struct fl_err *err)
{
    char cwd[4096];
    if (opts->redact)
        return fl_meta_set(meta, "record.redacted", "1", err);
    char *line = fl_shell_quote(opts->argv);
    if (!line)
        return fl_nomem(err, "command line");
    int rc = fl_meta_set(meta, "command.argv", line, err);
    free(line);
    if (rc == FL_OK && getcwd(cwd, sizeof cwd))
        rc = fl_meta_set(meta, "command.cwd", cwd, err);
    return rc;
}

static int record_keys(struct fl_meta *meta, const struct fl_perf_set *set, struct fl_err *err)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;
    int rc = fl_meta_set(meta, "record.mode", "events", err);
    if (rc == FL_OK && gmtime_r(&now, &tm) &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        rc = fl_meta_set(meta, "record.time", text, err);
#ifdef FAULTLINE_VERSION
    if (rc == FL_OK)
        rc = fl_meta_set(meta, "record.tool", FAULTLINE_VERSION, err);
#endif
    if (rc == FL_OK)
        rc = fl_meta_setf(meta, err, "record.ring_bytes", "%zu", set->ring_bytes);
    return rc;
}

static int quality_keys(struct fl_meta *meta, const struct fl_perf_set *set, struct fl_err *err)
{
    int rc = FL_OK;
    if (set->exclude_kernel)
        rc = fl_meta_set(meta, "quality.kernel_faults",
                         "faults taken by system calls are missing: recorded without CAP_PERFMON "
                         "and kernel.perf_event_paranoid above 1",
                         err);
    if (rc == FL_OK && !set->have[FL_SRC_TP_USER])
        rc = fl_meta_setf(meta, err, "quality.fault_access",
                          "faults do not tell read, write or fetch: %s", set->no_access);
    return rc;
}

int fl_perf_meta(struct fl_meta *meta, const struct fl_record_opts *opts,
                 const struct fl_perf_set *set, struct fl_err *err)
{
    int rc = command_keys(meta, opts, err);
    if (rc == FL_OK)
        rc = record_keys(meta, set, err);
    if (rc == FL_OK)
        rc = fl_host_meta(meta, err);
    return rc == FL_OK ? quality_keys(meta, set, err) : rc;
}
