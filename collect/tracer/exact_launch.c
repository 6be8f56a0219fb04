/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding, checking and starting the command, and the signals meanwhile. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <faultline/command.h>

#include "exact.h"

/* ---- the command ----------------------------------------------------------------- */

#define MAX_INTERPRETERS 5

/* The interpreter that a script's first line @head names, in place; NULL: @head is no script's. */
static char *interpreter_of(char *head)
{
    if (strncmp(head, "#!", 2) != 0)
        return NULL;
    char *name = head + 2 + strspn(head + 2, " \t");
    name[strcspn(name, " \t\r\n")] = 0;
    return *name != 0 ? name : NULL;
}

/* Can the tracer run @path, one program? Its first bytes go to @head. @whose: before the name. */
static int check_program(const char *whose, const char *path, char head[256], struct fl_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fl_fail(err, FL_EMACHINE,
                       "%s%s: cannot be read, so the exact tracer cannot run it; record it with "
                       "--mode events",
                       whose, path);
    ssize_t n = read(fd, head, 255);
    int rc = fstat(fd, &st);
    bool has_capabilities = fgetxattr(fd, "security.capability", NULL, 0) > 0;
    close(fd);
    memset(head + (n > 0 ? n : 0), 0, 256 - (size_t)(n > 0 ? n : 0));
    if (rc == 0 && ((st.st_mode & (S_ISUID | S_ISGID)) != 0 || has_capabilities))
        return fl_fail(err, FL_EMACHINE,
                       "%s%s: is %s, which the exact tracer cannot run; record it with --mode "
                       "events",
                       whose, path,
                       has_capabilities ? "given file capabilities"
                                        : "set-user-id or set-group-id");
    if (memcmp(head, ELFMAG, SELFMAG) == 0 &&
        (head[EI_CLASS] != ELFCLASS64 || head[18] != EM_X86_64 || head[19] != 0))
        return fl_fail(err, FL_EMACHINE,
                       "%s%s: is not a 64-bit x86 program; the exact tracer runs no other, record "
                       "it with --mode events",
                       whose, path);
    return FL_OK;
}

/* @path and, of a script, its interpreters. */
static int check_machine(const char *path, struct fl_err *err)
{
    char heads[2][256], whose[FL_COMMAND_PATH_BYTES + 32] = "";
    int rc = check_program("", path, heads[0], err);
    const char *next = interpreter_of(heads[0]);
    if (next != NULL)
        snprintf(whose, sizeof whose, "%s: its interpreter ", path);
    for (int i = 1; rc == FL_OK && next != NULL && i < MAX_INTERPRETERS; i++) {
        rc = access(next, X_OK) == 0 ? check_program(whose, next, heads[i % 2], err) : FL_OK;
        next = interpreter_of(heads[i % 2]);
    }
    return rc;
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

static const int handled[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCONT };
#define N_HANDLED (sizeof handled / sizeof handled[0])

static struct sigaction before[N_HANDLED];
static sigset_t mask_before;
static volatile sig_atomic_t target, undelivered, asked;

static bool is_terminals(int signo)
{
    return signo == SIGINT || signo == SIGQUIT;
}

/* The terminal's signals reach the program without us, and what continued it did so. */
static void note(int signo)
{
    asked = signo;
}

static void pass_on(int signo)
{
    int saved = errno;
    asked = signo;
    if (target > 0)
        kill((pid_t)target, signo);
    else
        undelivered = signo;
    errno = saved;
}

void fl_exact_signals_take(void)
{
    target = undelivered = asked = 0;
    sigprocmask(SIG_SETMASK, NULL, &mask_before);
    for (size_t i = 0; i < N_HANDLED; i++) {
        struct sigaction act = { .sa_flags = SA_RESTART };
        act.sa_handler = is_terminals(handled[i]) || handled[i] == SIGCONT ? note : pass_on;
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

int fl_exact_signals_asked(void)
{
    int signo = asked;
    asked = 0;
    return signo;
}

static bool is_stopped(pid_t pid)
{
    char path[64], text[512], *after;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    after = strrchr(text, ')'); /* the name may hold anything */
    return after != NULL && strncmp(after, ") T", 3) == 0;
}

void fl_exact_signals_continue(pid_t pid, int signo)
{
    bool reached = is_terminals(signo) ? getpgid(pid) == getpgrp() : pid == target;
    if (reached && is_stopped(pid))
        kill(pid, SIGCONT);
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
