/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <faultline/command.h>

/* 0: runnable; 126; 127. */
static int judge(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno == EACCES ? 126 : 127;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : 126;
}

int fl_command_find(const char *name, char path[FL_COMMAND_PATH_BYTES])
{
    snprintf(path, FL_COMMAND_PATH_BYTES, "%s", name);
    if (strchr(name, '/'))
        return judge(name);
    const char *dirs = getenv("PATH");
    char fallback[256];
    if (!dirs) {
        size_t n = confstr(_CS_PATH, fallback, sizeof fallback);
        dirs = n && n <= sizeof fallback ? fallback : "/bin:/usr/bin";
    }
    int verdict = 127;
    for (const char *dir = dirs; *name;) {
        size_t n = strcspn(dir, ":");
        snprintf(path, FL_COMMAND_PATH_BYTES, "%.*s%s%s", (int)n, dir, n ? "/" : "", name);
        int one = judge(path);
        if (one == 0)
            return 0;
        if (one == 126)
            verdict = 126;
        if (!dir[n])
            break;
        dir += n + 1;
    }
    return verdict;
}

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

char *fl_command_quote(char *const *argv)
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

static int line_keys(struct fl_meta *meta, char *const *argv, struct fl_err *err)
{
    char *line = fl_command_quote(argv), *cwd = getcwd(NULL, 0);
    int rc = line ? fl_meta_set(meta, "command.argv", line, err) : fl_nomem(err, "command line");
    if (rc == FL_OK && cwd)
        rc = fl_meta_set(meta, "command.cwd", cwd, err);
    free(line);
    free(cwd);
    return rc;
}

int fl_command_meta(struct fl_meta *meta, char *const *argv, bool redact, const char *mode,
                    struct fl_err *err)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;
    int rc = redact ? fl_meta_set(meta, "record.redacted", "1", err)
             : argv ? line_keys(meta, argv, err)
                    : FL_OK;
    if (rc == FL_OK)
        rc = fl_meta_set(meta, "record.mode", mode, err);
    if (rc == FL_OK && gmtime_r(&now, &tm) &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        rc = fl_meta_set(meta, "record.time", text, err);
    return rc == FL_OK ? fl_meta_set(meta, "record.tool", FAULTLINE_VERSION, err) : rc;
}
