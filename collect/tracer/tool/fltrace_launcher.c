/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts the tracer that lies beside it. Valgrind runs this again, with the same
 * arguments, when the traced program calls execve.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    strcat(tool, "/fltrace-amd64-linux");
    execv(tool, argv);
    return 125;
}
