/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "md_text.h"

#include <string.h>

void md_text(FILE *out, const char *s)
{
    for (; s && *s; s++) {
        if (*s == '&')
            fputs("&amp;", out);
        else if (*s == '<')
            fputs("&lt;", out);
        else if (*s == '>')
            fputs("&gt;", out);
        else if (*s == '@')
            fputs("&#64;", out);
        else if (*s == '|')
            fputs("&#124;", out);
        else if (s[0] == ':' && s[1] == '/' && s[2] == '/')
            fputs("&#58;", out);
        else if (strncasecmp(s, "www.", 4) == 0) {
            fprintf(out, "%.3s&#46;", s);
            s += 3;
        } else if (strchr("\\`*_{}[]#~$!", *s))
            fprintf(out, "\\%c", *s);
        else
            fputc(*s, out);
    }
}
