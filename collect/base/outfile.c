/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/cmd.h>

static void vsay(const char *prefix, const char *fmt, va_list ap)
{
    char line[1024];
    vsnprintf(line, sizeof line, fmt, ap);
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = '?';
    fprintf(stderr, "faultline: %s%s\n", prefix, line);
}

void fl_put_clean(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

void fl_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsay("warning: ", fmt, ap);
    va_end(ap);
}

void fl_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsay("", fmt, ap);
    va_end(ap);
}

static bool is_stdout(const char *path)
{
    return !path || !strcmp(path, "-");
}

/* A device, pipe, link or the like is written as it is: a rename would replace it. */
static bool replaceable(const char *path)
{
    struct stat st;
    return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

int fl_outfile_apart(const char *path, const char *input, struct fl_err *err)
{
    struct stat a, b;
    if (is_stdout(path) || stat(path, &a) != 0 || stat(input, &b) != 0 || !S_ISREG(a.st_mode) ||
        a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        return FL_OK;
    return fl_fail(err, FL_EUSAGE, "%s is the input itself: name another file to write", path);
}

int fl_outfile_open(struct fl_outfile *out, const char *path, struct fl_err *err)
{
    *out = (struct fl_outfile){ 0 };
    if (is_stdout(path)) {
        out->stream = stdout;
        return FL_OK;
    }
    if (!(out->path = strdup(path)))
        return fl_nomem(err, "output path");
    int fd;
    if (replaceable(path)) {
        if (asprintf(&out->tmp_path, "%s.XXXXXX", path) < 0) {
            out->tmp_path = NULL;
            fl_outfile_abort(out);
            return fl_nomem(err, "output path");
        }
        fd = mkostemp(out->tmp_path, O_CLOEXEC);
        if (fd >= 0) {
            mode_t mask = umask(0);
            umask(mask);
            fchmod(fd, 0666 & ~mask);
        }
    } else {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (fd < 0 || !(out->stream = fdopen(fd, "w"))) {
        int rc = fl_fail_errno(err, "cannot create %s", path);
        if (fd >= 0)
            close(fd);
        fl_outfile_abort(out);
        return rc;
    }
    return FL_OK;
}

static void forget(struct fl_outfile *out)
{
    free(out->path);
    free(out->tmp_path);
    *out = (struct fl_outfile){ 0 };
}

int fl_outfile_commit(struct fl_outfile *out, struct fl_err *err)
{
    const char *name = out->path ? out->path : "standard output";
    bool failed = ferror(out->stream) != 0;
    int rc = FL_OK;

    errno = failed ? EIO : 0;
    if (out->stream == stdout)
        failed = fflush(stdout) != 0 || failed;
    else
        failed = fclose(out->stream) != 0 || failed;
    out->stream = NULL;
    if (!failed && out->tmp_path)
        failed = rename(out->tmp_path, out->path) != 0;
    if (failed) {
        rc = fl_fail_errno(err, "cannot write %s", name);
        fl_outfile_abort(out);
        return rc;
    }
    forget(out);
    return FL_OK;
}

void fl_outfile_abort(struct fl_outfile *out)
{
    if (out->stream && out->stream != stdout)
        fclose(out->stream);
    if (out->tmp_path)
        unlink(out->tmp_path);
    forget(out);
}
