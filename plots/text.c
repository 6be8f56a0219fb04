/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names come from traced programs: any bytes. What leaves here is safe to print anywhere. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/table.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define ELLIPSIS "\xE2\x80\xA6"    /* U+2026 */

/* Length of the well-formed UTF-8 character at @s of at most @n bytes (RFC 3629), 0 if none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t want;
    unsigned char low = 0x80, high = 0xBF; /* bounds of the second byte */
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        want = 2;
    else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        want = 3;
        low = s[0] == 0xE0 ? 0xA0 : 0x80;
        high = s[0] == 0xED ? 0x9F : 0xBF;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        want = 4;
        low = s[0] == 0xF0 ? 0x90 : 0x80;
        high = s[0] == 0xF4 ? 0x8F : 0xBF;
    } else
        return 0;
    if (n < want || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < want; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return want;
}

/* Characters that would reorder or hide the text around them, or that XML has no place for. */
static bool forbidden(const unsigned char *s, size_t len)
{
    if (len == 2)
        return (s[0] == 0xC2 && s[1] < 0xA0) || (s[0] == 0xD8 && s[1] == 0x9C); /* C1, U+061C */
    if (len != 3)
        return false;
    uint32_t c = ((uint32_t)(s[0] & 0x0Fu) << 12) | ((uint32_t)(s[1] & 0x3Fu) << 6) |
                 (uint32_t)(s[2] & 0x3Fu);
    return c == 0xFFFE || c == 0xFFFF || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 || c == 0x200E || c == 0x200F;
}

static char *put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

char *fl_text_clean(const char *text, size_t max_bytes)
{
    if (!text)
        text = "";
    size_t n = strlen(text), i = 0;
    bool cut = max_bytes > 0 && n > max_bytes;
    if (cut)
        n = max_bytes;
    if (n > (SIZE_MAX - 8) / 3)
        return NULL;
    char *clean = malloc(n * 3 + 8); /* one bad byte becomes three */
    if (!clean)
        return NULL;
    char *out = clean;
    while (i < n) {
        const unsigned char *s = (const unsigned char *)text + i;
        size_t len = utf8_length(s, n - i);
        if (len == 0 && cut && n - i < 4 && s[0] >= 0xC2)
            break; /* a character the cut went through */
        if (len == 0 || forbidden(s, len)) {
            out = put(out, REPLACEMENT, 3);
            i += len ? len : 1;
            continue;
        }
        if (len == 1 && (s[0] < 0x20 || s[0] == 0x7F)) {
            char picture[3] = { '\xE2', '\x90', (char)(s[0] == 0x7F ? 0xA1 : 0x80 + s[0]) };
            out = put(out, picture, 3);
        } else
            out = put(out, (const char *)s, len);
        i += len;
    }
    if (cut)
        out = put(out, ELLIPSIS, 3);
    *out = '\0';
    return clean;
}
