/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostile FILE: processes whose names are markup, and memory of a file of any name. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 160, TURNS = 3 };

/* At most 15 bytes each: what a process may be called. */
static const char *const names[] = {
    "<script>alert(1", "</script>", "\"><img src=x>",      "]]><!--<b>",
    "a\nb\r\tc",       "{&lt;}'`",  "\xE2\x80\xAEgpj\xFF", "\xC0\xAF\x7F\x1B[31m",
};

static void touch(char *area)
{
    for (int turn = 0; turn < TURNS; turn++)
        for (size_t page = 0; page < PAGES; page++)
            area[page << 12] = (char)(turn + 1);
}

int main(int argc, char **argv)
{
    char *area =
        mmap(NULL, PAGES << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    if (area == MAP_FAILED)
        return 1;
    if (fd >= 0) {
        const volatile char *file = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file == MAP_FAILED || file[0] == '\0')
            return 1;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return 1;
        if (pid == 0) {
            prctl(PR_SET_NAME, names[i]);
            touch(area);
            _exit(0);
        }
        if (waitpid(pid, NULL, 0) != pid)
            return 1;
    }
    prctl(PR_SET_NAME, "<img src=x>");
    touch(area);
    return 0;
}
