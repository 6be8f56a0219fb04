/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_terminal.c - a screen that is redrawn in place, and the terminal as it was afterwards. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "top.h"

/* Codes of ECMA-48 and xterm that every terminal of today has. */
#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_BELOW "\033[J"

static bool is_open, has_keys;
static struct termios before;

static bool write_all(const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

void top_terminal_open(void)
{
    struct termios keys;
    if (is_open)
        return;
    is_open = write_all(ENTER, sizeof ENTER - 1);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return;
    keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* signals of keys stay */
    has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
}

void top_terminal_close(void)
{
    if (has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    if (is_open)
        (void)write_all(LEAVE, sizeof LEAVE - 1);
    is_open = has_keys = false;
}

void top_terminal_size(unsigned *columns, unsigned *lines)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    *columns = known ? size.ws_col : 80;
    *lines = known ? size.ws_row : 24;
}

bool top_terminal_show(const char *text, size_t len)
{
    size_t room = len + sizeof HOME + sizeof CLEAR_BELOW;
    char *all = malloc(room);
    if (!all)
        return false;
    /* The last line has no break: it would scroll a full screen. */
    int n = snprintf(all, room, HOME "%.*s" CLEAR_BELOW, (int)(len ? len - 1 : 0), text);
    bool ok = write_all(all, (size_t)n);
    free(all);
    return ok;
}

bool top_terminal_quit(void)
{
    struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
    char key;
    while (has_keys && poll(&keys, 1, 0) > 0 && read(STDIN_FILENO, &key, 1) == 1)
        if (key == 'q' || key == 'Q')
            return true;
    return false;
}
