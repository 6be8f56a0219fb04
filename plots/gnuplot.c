/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gnuplot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <faultline/plot.h>

#define TIMEOUT_MS 60000
#define OUTPUT_MAX (64u << 20)

int gp_workdir_make(struct gp_workdir *dir, struct fl_err *err)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(dir->path, sizeof dir->path, "%s/faultline-plot-XXXXXX",
                     tmp && *tmp ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof dir->path)
        return fl_fail(err, FL_EIO, "TMPDIR is too long a name");
    if (!mkdtemp(dir->path)) {
        int rc = fl_fail_errno(err, "cannot create a temporary folder %s (set TMPDIR)", dir->path);
        dir->path[0] = '\0';
        return rc;
    }
    return FL_OK;
}

FILE *gp_workdir_create(const struct gp_workdir *dir, const char *name, struct fl_err *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    FILE *file = fopen(path, "wxe");
    if (!file)
        fl_fail_errno(err, "%s", path);
    return file;
}

int gp_workdir_finish(FILE *file, const char *name, struct fl_err *err)
{
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return fl_fail_errno(err, "writing %s for gnuplot", name);
    return FL_OK;
}

int gp_workdir_slurp(const struct gp_workdir *dir, const char *name, char **bytes, size_t *len,
                     struct fl_err *err)
{
    char path[600];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return fl_fail_errno(err, "gnuplot drew nothing: %s", path);
    if (fstat(fileno(file), &st) != 0 || st.st_size <= 0 || st.st_size > (off_t)OUTPUT_MAX) {
        fclose(file);
        return fl_fail(err, FL_EIO, "gnuplot drew nothing that can be used");
    }
    size_t size = (size_t)st.st_size;
    char *buf = malloc(size + 1);
    size_t got = buf ? fread(buf, 1, size, file) : 0;
    fclose(file);
    if (!buf)
        return fl_nomem(err, "reading a chart");
    if (got != size) {
        free(buf);
        return fl_fail(err, FL_EIO, "%s: cannot read it back", path);
    }
    buf[size] = '\0';
    *bytes = buf;
    *len = size;
    return FL_OK;
}

void gp_workdir_remove(struct gp_workdir *dir)
{
    if (!dir->path[0])
        return;
    DIR *d = opendir(dir->path);
    if (d) {
        struct dirent *e;
        while ((e = readdir(d)))
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                unlinkat(dirfd(d), e->d_name, 0);
        closedir(d);
    }
    rmdir(dir->path);
    dir->path[0] = '\0';
}

bool fl_plot_available(void)
{
    const char *path = getenv("PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path) {
        size_t len = strcspn(path, ":");
        char candidate[4096];
        int n = len > 0 ? snprintf(candidate, sizeof candidate, "%.*s/gnuplot", (int)len, path)
                        : snprintf(candidate, sizeof candidate, "gnuplot");
        struct stat st;
        if (n > 0 && (size_t)n < sizeof candidate && stat(candidate, &st) == 0 &&
            S_ISREG(st.st_mode) && access(candidate, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

/* In the child: everything that could make two runs differ, or ask a display, is set aside. */
static void child_exec(const struct gp_workdir *dir)
{
    static const char *const unset[] = { "GNUPLOT_LIB", "GNUPLOT_DEFAULT_GDFONT",
                                         "GNUTERM",     "GNUPLOT_DRIVER_DIR",
                                         "DISPLAY",     "GDFONTPATH" };
    if (chdir(dir->path) != 0)
        _exit(126);
    int in = open("/dev/null", O_RDONLY);
    int out = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++)
        unsetenv(unset[i]);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TZ", "UTC", 1);
    execlp("gnuplot", "gnuplot", "-d", "main.gp", (char *)NULL);
    _exit(127);
}

/* Wait at most TIMEOUT_MS, then kill. Returns waitpid's status; *timed_out tells which. */
static int wait_limited(pid_t pid, bool *timed_out)
{
    int status = 0;
    int fd = pidfd_open(pid, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int ready = 0;
    if (fd >= 0) {
        struct timespec start, now;
        int left = TIMEOUT_MS;
        clock_gettime(CLOCK_MONOTONIC, &start);
        while ((ready = poll(&p, 1, left)) < 0 && errno == EINTR) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            left = TIMEOUT_MS - (int)(now.tv_sec - start.tv_sec) * 1000;
            if (left < 0)
                left = 0;
        }
        close(fd);
    } else
        ready = 1; /* no pidfd on this kernel: wait without a limit */
    *timed_out = ready <= 0;
    if (*timed_out)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* The first line of gnuplot's log that says something. */
static void first_complaint(const struct gp_workdir *dir, char *line, size_t size)
{
    char path[600];
    snprintf(path, sizeof path, "%s/log", dir->path);
    snprintf(line, size, "no message");
    FILE *log = fopen(path, "re");
    if (!log)
        return;
    char buf[256];
    while (fgets(buf, sizeof buf, log)) {
        buf[strcspn(buf, "\n")] = '\0';
        if (strstr(buf, "line ") || strstr(buf, "annot")) {
            char *clean = fl_text_clean(buf, 200);
            if (clean)
                snprintf(line, size, "%s", clean);
            free(clean);
            break;
        }
    }
    fclose(log);
}

int gp_run(const struct gp_workdir *dir, struct fl_err *err)
{
    if (!fl_plot_available())
        return fl_fail(err, FL_EMACHINE, FL_PLOT_REMEDY);
    pid_t pid = fork();
    if (pid < 0)
        return fl_fail_errno(err, "cannot start gnuplot");
    if (pid == 0)
        child_exec(dir);
    bool timed_out;
    int status = wait_limited(pid, &timed_out);
    if (timed_out)
        return fl_fail(err, FL_EIO, "gnuplot took longer than %d s and was stopped",
                       TIMEOUT_MS / 1000);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char line[256];
        first_complaint(dir, line, sizeof line);
        return fl_fail(err, FL_EIO, "gnuplot failed: %s", line);
    }
    return FL_OK;
}

int gp_share(char *out, size_t size, struct fl_err *err)
{
    const char *env = getenv("FAULTLINE_SHARE");
    int n;
    if (env && *env)
        n = snprintf(out, size, "%s", env);
    else {
        char exe[2048];
        ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
        if (len <= 0)
            return fl_fail_errno(err, "/proc/self/exe (set FAULTLINE_SHARE)");
        exe[len] = '\0';
        for (int up = 0; up < 2; up++) {
            char *slash = strrchr(exe, '/');
            if (slash)
                *slash = '\0';
        }
        n = snprintf(out, size, "%s/share/faultline", exe);
    }
    if (n < 0 || (size_t)n >= size)
        return fl_fail(err, FL_EMACHINE, "the name of the chart scripts' folder is too long");
    return FL_OK;
}

void gp_quote(FILE *out, const char *text)
{
    char *clean = fl_text_clean(text, 0);
    /*
     * Single quotes: no escape, no variable, no back-tick command. A quote itself
     * stands alone between strings; the doubling that gnuplot's manual offers is
     * misread at the beginning of a string.
     */
    fputc('\'', out);
    for (const char *p = clean ? clean : ""; *p; p++) {
        if (*p == '\'')
            fputs("'.\"\\047\".'", out);
        else
            fputc(*p, out);
    }
    fputc('\'', out);
    free(clean);
}
