/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <faultline/err.h>

static void fill(struct fl_err *err, int code, int sys_errno, const char *fmt, va_list ap)
{
    if (!err)
        return;
    *err = (struct fl_err){ .code = code, .sys_errno = sys_errno };
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    if (sys_errno && n >= 0 && (size_t)n < sizeof err->msg)
        snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", strerror(sys_errno));
    for (char *p = err->msg; *p; p++) /* names from traces and paths may hold anything */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

int fl_fail(struct fl_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

int fl_fail_errno(struct fl_err *err, const char *fmt, ...)
{
    int saved = errno, code = saved == ENOMEM ? FL_ENOMEM : FL_EIO;
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, saved, fmt, ap);
    va_end(ap);
    return code;
}

int fl_nomem(struct fl_err *err, const char *what)
{
    return fl_fail(err, FL_ENOMEM, "out of memory (%s)", what);
}

int fl_exit_code(int code)
{
    switch (code) {
    case FL_OK: return 0;
    case FL_EUSAGE: return 2;
    case FL_EBUDGET: return 3;
    case FL_EDATA: return 4;
    case FL_EMACHINE: return 5;
    default: return 1;
    }
}
