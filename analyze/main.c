/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of commands, and all that the process itself owns: exit status and standard streams. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/cmd.h>
#include <faultline/units.h>

/* One row a command; help, completion and man pages walk it. */
#define COMMANDS(X) \
    X(record)       \
    X(info)         \
    X(dump)         \
    X(check)        \
    X(reduce)       \
    X(compress)     \
    X(replay)       \
    X(sweep)        \
    X(report)       \
    X(gate)         \
    X(diff)         \
    X(advise)       \
    X(validate)     \
    X(top)          \
    X(plot)         \
    X(import)       \
    X(policies)     \
    X(machines)     \
    X(oom)          \
    X(calibrate)

#define DECLARE(name) extern const struct fl_cmd fl_cmd_##name;
COMMANDS(DECLARE)

#define ROW(name) &fl_cmd_##name,
static const struct fl_cmd *const commands[] = { COMMANDS(ROW) };

static const struct fl_cmd *find_command(const char *name)
{
    for (size_t i = 0; i < FL_COUNT(commands); i++)
        if (!strcmp(commands[i]->name, name))
            return commands[i];
    return NULL;
}

static void print_overview(FILE *out)
{
    fputs("Usage: faultline COMMAND [options]\n\n"
          "Records what a process does to memory, replays it under any RAM and swap,\n"
          "and reports faults, thrashing and who would be killed.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < FL_COUNT(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n'faultline help COMMAND' or 'faultline COMMAND --help' says more.\n"
          "Exit status: 0 done, 1 failed, 2 usage, 3 over budget, 4 data not good enough,\n"
          "5 not possible on this machine.\n",
          out);
}

static void print_synopsis(const struct fl_cmd *cmd, FILE *out)
{
    const char *prefix = "Usage:";
    for (const char *line = cmd->synopsis; line && *line; prefix = "      ") {
        size_t len = strcspn(line, "\n");
        int column = fprintf(out, "%s faultline %s ", prefix, cmd->name);
        fl_wrap(line, len, (size_t)column, (size_t)column, out);
        line += len + (line[len] == '\n');
    }
}

static void print_description(const char *text, FILE *out)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t len = end ? (size_t)(end - text) : strlen(text);
        fputc('\n', out);
        fl_wrap(text, len, 0, 0, out);
        text += len + strspn(text + len, "\n");
    }
}

/* A line each, however far in the command's source has it. */
static void print_examples(const char *text, const char *indent,
                           void (*print)(const char *line, FILE *out), FILE *out)
{
    while (*text) {
        char line[256];
        text += strspn(text, " \n");
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof line, "%s%.*s", indent, (int)len, text);
        if (len)
            print(line, out);
        text += len;
    }
}

static void plain_line(const char *line, FILE *out)
{
    fprintf(out, "%s\n", line);
}

static void print_help(const struct fl_cmd *cmd, FILE *out)
{
    print_synopsis(cmd, out);
    fprintf(out, "\n%s.\n", cmd->summary);
    if (cmd->description)
        print_description(cmd->description, out);
    fputs("\nOptions:\n", out);
    fl_opts_help(cmd->opts, out);
    fputs("  -h, --help                this text\n", out);
    if (cmd->examples) {
        fputs("\nExamples:\n", out);
        print_examples(cmd->examples, "  ", plain_line, out);
    }
}

/* ---- man pages, from the same rows -------------------------------------------- */

static void roff_text(const char *text, FILE *out)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\n' && text[1] == '\n')
            fputs("\n.PP", out);
        else
            fputc(*text, out);
        line_start = *text == '\n';
    }
    fputc('\n', out);
}

static void man_options(const struct fl_opt *opts, FILE *out)
{
    for (const struct fl_opt *o = opts; o->name; o++) {
        fputs(".TP\n.B ", out);
        if (o->letter)
            fprintf(out, "\\-%c, ", o->letter);
        fputs("\\-\\-", out);
        for (const char *p = o->name; *p; p++)
            fputs(*p == '-' ? "\\-" : (char[]){ *p, '\0' }, out);
        if (o->arg)
            fprintf(out, " \\fI%s\\fR", o->arg);
        fputc('\n', out);
        char help[FL_OPT_HELP_BYTES];
        roff_text(fl_opt_help(o, help), out);
    }
}

static void print_man(const struct fl_cmd *cmd, FILE *out)
{
    fprintf(out, ".TH FAULTLINE\\-%s 1 \"\" \"faultline " FAULTLINE_VERSION "\"\n", cmd->name);
    fprintf(out, ".SH NAME\nfaultline\\-%s \\- ", cmd->name);
    roff_text(cmd->summary, out);
    fputs(".SH SYNOPSIS\n.nf\n", out);
    for (const char *line = cmd->synopsis; line && *line;) {
        int len = (int)strcspn(line, "\n");
        char form[512];
        snprintf(form, sizeof form, "%.*s", len, line);
        fprintf(out, "\\fBfaultline %s\\fR ", cmd->name);
        roff_text(form, out);
        line += len + (line[len] == '\n');
    }
    fputs(".fi\n.SH DESCRIPTION\n", out);
    roff_text(cmd->description ? cmd->description : cmd->summary, out);
    fputs(".SH OPTIONS\n", out);
    man_options(cmd->opts, out);
    fputs(".TP\n.B \\-h, \\-\\-help\nprint a summary of this page\n", out);
    if (cmd->examples) {
        fputs(".SH EXAMPLES\n.nf\n", out);
        print_examples(cmd->examples, "", roff_text, out);
        fputs(".fi\n", out);
    }
    fputs(
        ".SH EXIT STATUS\n0 done; 1 failed; 2 usage; 3 a budget is exceeded; 4 the data is not good\n"
        "enough for the question; 5 not possible on this machine.\n.SH SEE ALSO\n",
        out);
    fputs(".BR faultline (1)", out);
    for (size_t i = 0; i < FL_COUNT(commands); i++)
        if (commands[i] != cmd)
            fprintf(out, ",\n.BR faultline\\-%s (1)", commands[i]->name);
    fputc('\n', out);
}

static void print_man_overview(FILE *out)
{
    fputs(
        ".TH FAULTLINE 1 \"\" \"faultline " FAULTLINE_VERSION "\"\n"
        ".SH NAME\nfaultline \\- trace-driven performance toolkit for Linux virtual memory\n"
        ".SH SYNOPSIS\n.B faultline\n.I COMMAND\n[\\fIoptions\\fR]\n"
        ".SH DESCRIPTION\nRecords what a process does to memory, replays it under any RAM and swap,\n"
        "and reports faults, thrashing and who would be killed.\n.SH COMMANDS\n",
        out);
    for (size_t i = 0; i < FL_COUNT(commands); i++) {
        fprintf(out, ".TP\n.BR faultline\\-%s (1)\n", commands[i]->name);
        roff_text(commands[i]->summary, out);
    }
    fputs(
        ".SH EXIT STATUS\n0 done; 1 failed; 2 usage; 3 a budget is exceeded; 4 the data is not good\n"
        "enough for the question; 5 not possible on this machine.\n",
        out);
}

/* ---- the process ---------------------------------------------------------------- */

static int finish_stdout(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "faultline: cannot write standard output%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return status ? status : 1;
}

static int complain(const struct fl_cmd *cmd, int code, const struct fl_err *err)
{
    fprintf(stderr, "faultline%s%s: %s\n", cmd ? " " : "", cmd ? cmd->name : "", err->msg);
    if (err->exit_status)
        return err->exit_status;
    return cmd && cmd->fail_status ? cmd->fail_status : fl_exit_code(code);
}

static int run_command(const struct fl_cmd *cmd, int argc, char **argv)
{
    struct fl_err err = { 0 };
    void *cfg = calloc(1, cmd->cfg_size ? cmd->cfg_size : 1);
    int first = 0, rc, status;

    if (!cfg) {
        fl_nomem(&err, "options");
        return complain(cmd, FL_ENOMEM, &err);
    }
    rc = fl_opts_parse(cmd->opts, cfg, argc, argv, cmd->takes_command, &first, &err);
    if (rc == 1) {
        print_help(cmd, stdout);
        free(cfg);
        return finish_stdout(0);
    }
    int operands = argc - first;
    if (rc == FL_OK && operands < cmd->min_operands)
        rc = fl_fail(&err, FL_EUSAGE, "too few operands; see 'faultline %s --help'", cmd->name);
    if (rc == FL_OK && cmd->max_operands >= 0 && operands > cmd->max_operands)
        rc = fl_fail(&err, FL_EUSAGE, "unexpected operand '%s'; see 'faultline %s --help'",
                     argv[first + cmd->max_operands], cmd->name);
    if (rc == FL_OK)
        rc = cmd->run(cfg, operands, argv + first, &err);
    status = rc < 0 ? complain(cmd, rc, &err) : rc;
    free(cfg);
    return rc < 0 ? status : finish_stdout(status);
}

static int run_help(int argc, char **argv)
{
    bool man = argc > 1 && !strcmp(argv[1], "--man");
    const char *name = argc > 1 + man ? argv[1 + man] : NULL;
    const struct fl_cmd *cmd = name ? find_command(name) : NULL;

    if (name && !cmd) {
        fprintf(stderr, "faultline help: no command '%s'; 'faultline help' lists them\n", name);
        return 2;
    }
    if (!cmd)
        (man ? print_man_overview : print_overview)(stdout);
    else
        (man ? print_man : print_help)(cmd, stdout);
    return finish_stdout(0);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
        puts("faultline " FAULTLINE_VERSION);
        return finish_stdout(0);
    }
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return run_help(argc - 1, argv + 1);
    const struct fl_cmd *cmd = find_command(argv[1]);
    if (!cmd) {
        fprintf(stderr, "faultline: no command '%s'; 'faultline help' lists them\n", argv[1]);
        return 2;
    }
    return run_command(cmd, argc - 1, argv + 1);
}
