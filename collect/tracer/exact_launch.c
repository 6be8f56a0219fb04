/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding, checking and starting the command, and the signals meanwhile. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/command.h>

#include "exact.h"

/* ---- the command ----------------------------------------------------------------- */

static int check_machine(const char *path, struct fl_err *err)
{
    unsigned char head[20] = { 0 };
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fl_fail(err, FL_EMACHINE,
                       "%s: cannot be read, so the exact tracer cannot run it; record it with "
                       "--mode events",
                       path);
    ssize_t n = read(fd, head, sizeof head);
    int rc = fstat(fd, &st);
    close(fd);
    if (rc == 0 && (st.st_mode & (S_ISUID | S_ISGID)) != 0)
        return fl_fail(err, FL_EMACHINE,
                       "%s: is set-user-id or set-group-id, which the exact tracer cannot run; "
                       "record it with --mode events",
                       path);
    if (n < (ssize_t)sizeof head || memcmp(head, ELFMAG, SELFMAG) != 0)
        return FL_OK; /* a script: its interpreter is checked by the tracer */
    if (head[EI_CLASS] != ELFCLASS64 || (head[18] | head[19] << 8) != EM_X86_64)
        return fl_fail(err, FL_EMACHINE,
                       "%s: is not a 64-bit x86 program; the exact tracer runs no other, record it "
                       "with --mode events",
                       path);
    return FL_OK;
}

int fl_exact_check_command(const char *name, int *exec_status, struct fl_err *err)
{
    char path[FL_COMMAND_PATH_BYTES];
    *exec_status = fl_command_find(name, path);
    if (*exec_status == 127)
        return fl_fail(err, FL_EUSAGE, "%s: command not found; give its path, or check PATH", name);
    if (*exec_status)
        return fl_fail(err, FL_EUSAGE, "%s: cannot be executed; check its permissions", name);
    return check_machine(path, err);
}

/* ---- the tracer -------------------------------------------------------------------- */

/* The folder with the tracer: beside the bin folder this program lies in. */
static int find_libexec(char dir[PATH_MAX], struct fl_err *err)
{
    char self[PATH_MAX], launcher[PATH_MAX + 32];
    const char *set = getenv("FAULTLINE_LIBEXEC");
    if (set != NULL && *set != 0) {
        snprintf(dir, PATH_MAX, "%s", set);
    } else {
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n <= 0)
            return fl_fail_errno(err, "cannot read /proc/self/exe; mount /proc");
        self[n] = 0;
        *strrchr(self, '/') = 0;
        if (strlen(self) + 32 > PATH_MAX)
            return fl_fail(err, FL_EUSAGE, "%s: path is too long", self);
        snprintf(dir, PATH_MAX, "%.*s/../libexec/faultline", PATH_MAX - 32, self);
    }
    char *real = realpath(dir, NULL);
    if (real != NULL) {
        snprintf(dir, PATH_MAX, "%s", real);
        free(real);
    }
    snprintf(launcher, sizeof launcher, "%s/fltrace-launch", dir);
    if (access(launcher, X_OK) != 0)
        return fl_fail(err, FL_EMACHINE,
                       "no exact tracer at %s; build with -DFAULTLINE_TRACER=ON, set "
                       "FAULTLINE_LIBEXEC, or use --mode events",
                       launcher);
    return FL_OK;
}

static void restore_in_child(void);

static char **tracer_argv(char **argv, const char *ring_option, const char *log_option)
{
    const char *const options[] = {
        "fltrace-launch",
        "-q",
        "--tool=fltrace",
        "--vgdb=no",
        "--trace-children=yes",
        "--child-silent-after-fork=yes",
        "--smc-check=all-non-file",
        "--run-libc-freeres=no",
        "--run-cxx-freeres=no",
        "--read-inline-info=no",
        "--fair-sched=try",
        "--vex-iropt-register-updates=allregs-at-mem-access",
        "--command-line-only=yes",
        ring_option,
        log_option,
        "--",
    };
    size_t n_options = sizeof options / sizeof options[0], n = 0;
    while (argv[n] != NULL)
        n++;
    char **all = calloc(n_options + n + 1, sizeof *all);
    if (all == NULL)
        return NULL;
    memcpy(all, options, sizeof options);
    memcpy(all + n_options, argv, n * sizeof *argv);
    return all;
}

int fl_exact_launch(char **argv, int ring_fd, int log_fd, pid_t *pid, struct fl_err *err)
{
    char dir[PATH_MAX], launcher[PATH_MAX + 32], ring_option[64], log_option[64];
    int rc = find_libexec(dir, err);
    if (rc != FL_OK)
        return rc;
    snprintf(launcher, sizeof launcher, "%s/fltrace-launch", dir);
    snprintf(ring_option, sizeof ring_option, "--fl-ring=/proc/%d/fd/%d", getpid(), ring_fd);
    snprintf(log_option, sizeof log_option, "--log-file=/proc/%d/fd/%d", getpid(), log_fd);
    char **all = tracer_argv(argv, ring_option, log_option);
    if (all == NULL)
        return fl_nomem(err, "the command line");
    *pid = fork();
    if (*pid == 0) {
        restore_in_child();
        execv(launcher, all);
        _exit(125);
    }
    free(all);
    if (*pid < 0)
        return fl_fail_errno(err, "cannot start a process");
    return FL_OK;
}

/* ---- signals -------------------------------------------------------------------------- */

static const int handled[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
#define N_HANDLED (sizeof handled / sizeof handled[0])

static struct sigaction before[N_HANDLED];
static sigset_t mask_before;
static volatile sig_atomic_t target, undelivered;

static void pass_on(int signo)
{
    int saved = errno;
    if (target > 0)
        kill((pid_t)target, signo);
    else
        undelivered = signo;
    errno = saved;
}

void fl_exact_signals_take(void)
{
    target = undelivered = 0;
    sigprocmask(SIG_SETMASK, NULL, &mask_before);
    for (size_t i = 0; i < N_HANDLED; i++) {
        bool terminal = handled[i] == SIGINT || handled[i] == SIGQUIT;
        struct sigaction act = { .sa_flags = SA_RESTART };
        act.sa_handler = terminal ? SIG_IGN : pass_on;
        sigaction(handled[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(handled[i], &act, NULL);
    }
}

void fl_exact_signals_target(pid_t pid)
{
    target = pid;
    if (undelivered != 0)
        kill(pid, undelivered);
}

void fl_exact_signals_restore(void)
{
    for (size_t i = 0; i < N_HANDLED; i++)
        sigaction(handled[i], &before[i], NULL);
}

/* Between fork and exec: the program gets the dispositions and the mask we were given. */
static void restore_in_child(void)
{
    fl_exact_signals_restore();
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}
