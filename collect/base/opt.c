/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/opt.h>
#include <faultline/units.h>

enum { OPTS_MAX = 64, VALUE_BASE = 1000, HELP_VALUE = 999 };
enum { HELP_COLUMNS = 79, HELP_INDENT = 28 };

static bool is_name(const struct fl_opt *opt, const char *text, size_t len)
{
    const char *name;
    for (size_t i = 0; (name = opt->names(i)); i++)
        if (strlen(name) == len && !memcmp(name, text, len))
            return true;
    return false;
}

static int bad_choice(const struct fl_opt *opt, const char *text, struct fl_err *err)
{
    char legal[256] = "";
    const char *name;
    for (size_t i = 0, used = 0; (name = opt->names(i)) && used < sizeof legal; i++)
        used += (size_t)snprintf(legal + used, sizeof legal - used, "%s%s", i ? ", " : "", name);
    return fl_fail(err, FL_EUSAGE, "--%s: '%s' is not one of %s", opt->name, text, legal);
}

static int store(const struct fl_opt *opt, void *cfg, const char *text, struct fl_err *err)
{
    void *at = (char *)cfg + opt->at;
    struct fl_err why = { 0 };
    int rc = FL_OK;

    switch (opt->kind) {
    case FL_OPT_FLAG: *(bool *)at = true; break;
    case FL_OPT_STRING: *(const char **)at = text; break;
    case FL_OPT_UINT: rc = fl_parse_u64(text, at, &why); break;
    case FL_OPT_SIZE: rc = fl_parse_size(text, at, &why); break;
    case FL_OPT_DURATION: rc = fl_parse_duration_ns(text, at, &why); break;
    case FL_OPT_SIZES: {
        struct fl_size *sizes;
        size_t n;
        rc = fl_parse_size_list(text, &sizes, &n, &why);
        free(sizes);
        *(const char **)at = text;
        break;
    }
    case FL_OPT_CHOICE:
        if (!is_name(opt, text, strlen(text)))
            return bad_choice(opt, text, err);
        *(const char **)at = text;
        break;
    case FL_OPT_CHOICES:
        for (const char *p = text;; p++) {
            size_t len = strcspn(p, ",");
            if (!is_name(opt, p, len))
                return bad_choice(opt, text, err);
            p += len;
            if (!*p)
                break;
        }
        *(const char **)at = text;
        break;
    }
    if (rc == FL_ENOMEM)
        return fl_nomem(err, "options");
    return rc == FL_OK ? FL_OK : fl_fail(err, rc, "--%s: %s", opt->name, why.msg);
}

static int set_defaults(const struct fl_opt *opts, void *cfg, struct fl_err *err)
{
    for (const struct fl_opt *o = opts; o->name; o++) {
        int rc = o->def ? store(o, cfg, o->def, err) : FL_OK;
        if (rc != FL_OK)
            return rc;
    }
    return FL_OK;
}

/* The getopt tables for @opts. Short letters map to the row's value as long ones do. */
static void build_tables(const struct fl_opt *opts, bool stop_at_operand, struct option *longs,
                         char *shorts)
{
    size_t n = 0;
    if (stop_at_operand)
        *shorts++ = '+';
    *shorts++ = ':';
    for (; opts[n].name && n + 2 < OPTS_MAX; n++) {
        bool takes = opts[n].kind != FL_OPT_FLAG;
        longs[n] = (struct option){ .name = opts[n].name,
                                    .has_arg = takes ? 1 : 0,
                                    .val = VALUE_BASE + (int)n };
        if (opts[n].letter) {
            *shorts++ = opts[n].letter;
            if (takes)
                *shorts++ = ':';
        }
    }
    longs[n++] = (struct option){ .name = "help", .val = HELP_VALUE };
    longs[n] = (struct option){ 0 };
    *shorts++ = 'h';
    *shorts = '\0';
}

static const struct fl_opt *row_of(const struct fl_opt *opts, int value)
{
    if (value >= VALUE_BASE)
        return &opts[value - VALUE_BASE];
    for (const struct fl_opt *o = opts; o->name; o++)
        if (o->letter == value)
            return o;
    return NULL;
}

int fl_opts_parse(const struct fl_opt *opts, void *cfg, int argc, char **argv, bool stop_at_operand,
                  int *first_operand, struct fl_err *err)
{
    struct option longs[OPTS_MAX];
    char shorts[3 * OPTS_MAX];
    int value, rc = set_defaults(opts, cfg, err);

    if (rc != FL_OK)
        return rc;
    build_tables(opts, stop_at_operand, longs, shorts);
    opterr = 0;
    optind = 0; /* GNU: start anew */
    while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (value == HELP_VALUE || value == 'h')
            return 1;
        const char *given = argv[optind - 1];
        if (value == ':')
            return fl_fail(err, FL_EUSAGE, "option '%s' needs a value", given);
        if (value == '?') {
            if (optopt && optopt < VALUE_BASE && optopt != HELP_VALUE)
                return fl_fail(err, FL_EUSAGE, "unknown option '-%c'", optopt);
            if (optopt)
                return fl_fail(err, FL_EUSAGE, "option '%s' takes no value", given);
            return fl_fail(err, FL_EUSAGE, "unknown or ambiguous option '%s'", given);
        }
        rc = store(row_of(opts, value), cfg, optarg, err);
        if (rc != FL_OK)
            return rc;
    }
    *first_operand = optind;
    return FL_OK;
}

/* A word, or words in brackets: "[--ram SIZE]" is not torn apart. */
static size_t word_length(const char *text, size_t len)
{
    size_t n = 0;
    for (int depth = 0; n < len && (depth > 0 || !strchr(" \n", text[n])); n++)
        depth += text[n] == '[' ? 1 : text[n] == ']' ? -1 : 0;
    return n;
}

void fl_wrap(const char *text, size_t len, size_t column, size_t indent, FILE *out)
{
    bool first = true, line_start = true;
    while (len > 0) {
        size_t n;
        if (line_start && *text == ' ') { /* set by hand */
            n = strcspn(text, "\n");
            n = n < len ? n : len;
            fprintf(out, "%s%.*s", first ? "" : "\n", (int)n, text);
            column = HELP_COLUMNS; /* whatever follows has a line of its own */
        } else if (*text == ' ' || *text == '\n') {
            line_start = *text == '\n';
            text++;
            len--;
            continue;
        } else {
            n = word_length(text, len);
            bool fits = column + !first + n <= HELP_COLUMNS;
            if (!first && !fits) {
                fprintf(out, "\n%*s", (int)indent, "");
                column = indent;
            } else if (!first) {
                fputc(' ', out);
                column++;
            }
            fprintf(out, "%.*s", (int)n, text);
            column += n;
        }
        first = line_start = false;
        text += n;
        len -= n;
    }
    fputc('\n', out);
}

const char *fl_opt_help(const struct fl_opt *opt, char buf[FL_OPT_HELP_BYTES])
{
    if (!opt->def)
        return opt->help;
    snprintf(buf, FL_OPT_HELP_BYTES, "%s (default: %s)", opt->help, opt->def);
    return buf;
}

void fl_opts_help(const struct fl_opt *opts, FILE *out)
{
    for (const struct fl_opt *o = opts; o->name; o++) {
        char left[80];
        int n = o->letter ? snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name)
                          : snprintf(left, sizeof left, "      --%s", o->name);
        if (o->arg && n > 0 && (size_t)n < sizeof left)
            snprintf(left + n, sizeof left - (size_t)n, " %s", o->arg);
        fprintf(out, "%-*s", HELP_INDENT, left);
        if (strlen(left) >= HELP_INDENT)
            fprintf(out, "\n%*s", HELP_INDENT, "");
        char help[FL_OPT_HELP_BYTES];
        const char *text = fl_opt_help(o, help);
        fl_wrap(text, strlen(text), HELP_INDENT, HELP_INDENT, out);
    }
}
