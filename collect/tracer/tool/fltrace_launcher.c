/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts the tracer that lies beside it. Valgrind runs this again, with the same
 * arguments, when the traced program calls execve.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Valgrind stops when it cannot open its log; without a recorder there is none to open. */
static void check_log(char **argv)
{
    static const char option[] = "--log-file=";
    char **first = argv;
    for (; *argv != NULL && (argv == first || **argv == '-'); argv++)
        if (strncmp(*argv, option, sizeof option - 1) == 0 &&
            access(*argv + sizeof option - 1, W_OK) != 0)
            *argv = "--log-file=/dev/null";
}

int main(int argc, char **argv)
{
    char self[4096], tool[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    (void)argc;
    if (n <= 0)
        return 125;
    self[n] = 0;
    snprintf(tool, sizeof tool, "%s", self);
    *strrchr(tool, '/') = 0;
    if (setenv("VALGRIND_LIB", tool, 1) != 0 || setenv("VALGRIND_LAUNCHER", self, 1) != 0)
        return 125;
    check_log(argv);
    strcat(tool, "/fltrace-amd64-linux");
    execv(tool, argv);
    return 125;
}
