/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A staircase of a thousand steps is most of a chart's bytes: "L123.45,67.80" becomes "h1.2v-3". */
#include "svg_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point {
    long x, y; /* tenths */
};

struct shape {
    struct point *at;
    size_t n, cap;
    bool failed;
};

static bool between(long a, long b, long c)
{
    return (a <= b && b <= c) || (a >= b && b >= c);
}

/* Is the last point on the way from the one before it to @next, along an axis? */
static bool on_the_way(const struct shape *s, struct point next)
{
    const struct point *a = &s->at[s->n - 2], *b = &s->at[s->n - 1];
    return (a->x == b->x && b->x == next.x && between(a->y, b->y, next.y)) ||
           (a->y == b->y && b->y == next.y && between(a->x, b->x, next.x));
}

static void add_point(struct shape *s, struct point p)
{
    while (s->n >= 2 && on_the_way(s, p))
        s->n--;
    if (s->n > 0 && s->at[s->n - 1].x == p.x && s->at[s->n - 1].y == p.y)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct point *grown = reallocarray(s->at, cap, sizeof *grown);
        if (!grown) {
            s->failed = true;
            return;
        }
        s->at = grown;
        s->cap = cap;
    }
    s->at[s->n++] = p;
}

static bool has_area(const struct shape *s)
{
    bool wide = false, high = false;
    for (size_t i = 1; i < s->n; i++) {
        wide |= s->at[i].x != s->at[0].x;
        high |= s->at[i].y != s->at[0].y;
    }
    return wide && high;
}

static void put_number(FILE *out, long tenths, bool first)
{
    unsigned long size = (unsigned long)labs(tenths);
    if (tenths < 0)
        fputc('-', out);
    else if (!first)
        fputc(' ', out);
    if (size >= 10 || size == 0)
        fprintf(out, "%lu", size / 10);
    if (size % 10)
        fprintf(out, ".%lu", size % 10);
}

/* @area: leave it out when it has none; a flat outline may still have a stroke. */
static void put_shape(FILE *out, struct shape *s, bool close, bool area)
{
    char last = 'M';
    if (s->n > 0 && (!area || has_area(s))) {
        fputc('M', out);
        put_number(out, s->at[0].x, true);
        put_number(out, s->at[0].y, false);
        for (size_t i = 1; i < s->n; i++) {
            long dx = s->at[i].x - s->at[i - 1].x, dy = s->at[i].y - s->at[i - 1].y;
            char step = dy == 0 ? 'h' : dx == 0 ? 'v' : 'l';
            if (step != last)
                fputc(step, out);
            if (step != 'v')
                put_number(out, dx, step != last);
            if (step != 'h')
                put_number(out, dy, step != last && step == 'v');
            last = step;
        }
        if (close)
            fputc('z', out);
    }
    s->n = 0;
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n,");
}

/* The pair at *@p, which moves behind it. */
static bool read_pair(const char **p, struct point *out)
{
    double v[2];
    for (int i = 0; i < 2; i++) {
        char *end;
        *p = skip_space(*p);
        v[i] = strtod(*p, &end);
        if (end == *p || !(v[i] > -1e6 && v[i] < 1e6))
            return false;
        *p = end;
    }
    *out = (struct point){ (long)(v[0] * 10 + (v[0] < 0 ? -0.5 : 0.5)),
                           (long)(v[1] * 10 + (v[1] < 0 ? -0.5 : 0.5)) };
    return true;
}

char *svg_path_shorten(const char *data, bool polygon)
{
    struct shape s = { .at = NULL };
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    bool good = out != NULL, started = polygon;
    for (const char *p = skip_space(data); good && *p; p = skip_space(p)) {
        struct point at;
        if (!polygon && (*p == 'M' || *p == 'Z' || *p == 'z')) {
            put_shape(out, &s, *p != 'M', false);
            started = *p++ == 'M';
        } else if (!polygon && *p == 'L' && s.n > 0)
            p++;
        else if ((good = started && read_pair(&p, &at)))
            add_point(&s, at);
    }
    if (out) {
        put_shape(out, &s, polygon, polygon);
        good &= !s.failed;
        good &= fclose(out) == 0;
    }
    free(s.at);
    if (!good) {
        free(text);
        text = NULL;
    }
    return text;
}
