/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <faultline/cmd.h>
#include <faultline/json_write.h>
#include <faultline/oom_live.h>
#include <faultline/units.h>

#define ROWS_DEFAULT 20u

struct oom_cfg {
    const char *at, *cgroup, *out;
    uint64_t rows, pid;
    struct fl_oom_earlyoom_opts earlyoom;
    bool json;
};

static const struct fl_opt oom_opts[] = {
    { "at", 0, FL_OPT_STRING, offsetof(struct oom_cfg, at), "RAM[,SWAP]", NULL,
      "as if the machine, or the group's limit, were so large; without SWAP as much swap as there "
      "is",
      NULL },
    { "cgroup", 0, FL_OPT_STRING, offsetof(struct oom_cfg, cgroup), "PATH", NULL,
      "only the processes of this memory control group, which runs into its limit: its folder, or "
      "its path as /proc/PID/cgroup has it",
      NULL },
    { "pid", 'p', FL_OPT_UINT, offsetof(struct oom_cfg, pid), "PID", NULL,
      "explain this process instead of the first", NULL },
    { "rows", 'n', FL_OPT_UINT, offsetof(struct oom_cfg, rows), "ROWS", NULL,
      "how many processes to list; without it 20, and all with --json", NULL },
    { "prefer", 0, FL_OPT_STRING, offsetof(struct oom_cfg, earlyoom.prefer), "REGEX", NULL,
      "as earlyoom is given it: 300 more for these names", NULL },
    { "avoid", 0, FL_OPT_STRING, offsetof(struct oom_cfg, earlyoom.avoid), "REGEX", NULL,
      "as earlyoom is given it: 300 less", NULL },
    { "ignore", 0, FL_OPT_STRING, offsetof(struct oom_cfg, earlyoom.ignore), "REGEX", NULL,
      "as earlyoom is given it: never these", NULL },
    { "sort-by-rss", 0, FL_OPT_FLAG, offsetof(struct oom_cfg, earlyoom.by_rss), NULL, NULL,
      "as earlyoom is given it: the largest resident set", NULL },
    { "output", 'o', FL_OPT_STRING, offsetof(struct oom_cfg, out), "FILE", NULL,
      "write the result there as JSON", NULL },
    { "json", 0, FL_OPT_FLAG, offsetof(struct oom_cfg, json), NULL, NULL,
      "print JSON instead of a table", NULL },
    FL_OPT_END
};

/* ---- text ---------------------------------------------------------------------------------- */

static void print_size(uint64_t bytes)
{
    char buf[FL_FORMAT_BYTES];
    printf(" %10s", bytes ? fl_format_bytes(buf, bytes) : "-");
}

static void print_row(const struct fl_oom_process *p)
{
    const struct fl_proc_memory *m = &p->memory;
    printf("%7" PRIu32 " %6" PRId32 " %5" PRId32 " %12" PRId64, m->pid, p->score, m->oom_score_adj,
           p->badness);
    print_size(m->anon_bytes);
    print_size(m->file_bytes);
    print_size(m->shmem_bytes);
    print_size(m->swap_bytes);
    print_size(m->table_bytes);
    printf("  ");
    fl_put_clean(stdout, m->comm);
    printf("%s%s\n", m->is_dying ? " (dying)" : "",
           p->agrees ? "" : " (the kernel's score differs)");
}

static void print_wrapped(char *text)
{
    if (text && *text) {
        for (char *p = text; *p; p++)
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                *p = '?';
        fl_wrap(text, strlen(text), 0, 2, stdout);
    }
    free(text);
}

static void print_protected(const struct fl_oom *oom)
{
    size_t kernel = 0, ended = 0;
    bool head = false;
    for (size_t i = oom->n_candidates; i < oom->n; i++) {
        const struct fl_oom_process *p = &oom->process[i];
        kernel += p->guard == FL_OOM_KERNEL_THREAD;
        ended += p->guard == FL_OOM_ENDED;
        if (p->guard == FL_OOM_KERNEL_THREAD || p->guard == FL_OOM_ENDED)
            continue;
        printf("%s%7" PRIu32 "  ", head ? "" : "\nNever killed:\n", p->memory.pid);
        head = true;
        fl_put_clean(stdout, p->memory.comm);
        printf(": %s\n", fl_oom_guard_words(p->guard));
    }
    if (kernel || ended)
        printf("%s%zu threads of the kernel%s", head ? "  and " : "\nNever killed: ", kernel,
               ended ? "" : "\n");
    if (ended)
        printf(", %zu that %s ended\n", ended, ended == 1 ? "has" : "have");
}

static void print_earlyoom(const struct fl_oom_report *r)
{
    const struct fl_oom_earlyoom *e = r->earlyoom;
    const struct fl_oom_process *v = e->victim == SIZE_MAX ? NULL : &r->oom->process[e->victim];
    char *text = NULL;
    if (asprintf(&text,
                 "earlyoom (%s; by earlyoom(1)) goes by available memory, now %.2f %%, and free "
                 "swap, now %.2f %%: at 10 %% of both it sends SIGTERM, at 5 %% SIGKILL. Now it "
                 "would %s%s. %s%s (%" PRIu32 ") is whom it would choose.",
                 e->is_running ? "running" : "not running", e->available_bp / 100.0,
                 e->swap_free_bp / 100.0, e->act == FL_OOM_NOTHING ? "do " : "send ",
                 fl_oom_act_name(e->act), v ? "" : "Nobody: ", v ? v->memory.comm : "",
                 v ? v->memory.pid : 0) < 0)
        text = NULL;
    putchar('\n');
    print_wrapped(text);
}

static void print_oomd(const struct fl_oom_oomd *d)
{
    char *text = NULL;
    const char *would = d->act == FL_OOM_NOTHING ? "would do nothing" : "cannot be predicted";
    if (asprintf(
            &text, "systemd-oomd (%s; by systemd-oomd.service(8) and oomd.conf(5)) %s: %s%s%s%s%s",
            d->is_running ? "running" : "not running", would, d->why,
            *d->swap_victim.path ? " Most in swap: " : "", d->swap_victim.path,
            d->pressure_met ? " Most stalled: " : "", d->pressure_met ? d->pressed.path : "") < 0)
        text = NULL;
    print_wrapped(text);
}

static void print_report(const struct fl_oom_report *r)
{
    const struct fl_oom *oom = r->oom;
    size_t rows = r->rows ? r->rows : ROWS_DEFAULT;
    size_t n = rows < oom->n_candidates ? rows : oom->n_candidates;
    print_wrapped(fl_oom_pressure_sentence(oom, r->group));
    putchar('\n');
    print_wrapped(fl_oom_sentence(oom, r->explained));
    print_wrapped(fl_oom_change_sentence(oom, r->explained ? r->explained : 1));
    printf("\n%7s %6s %5s %12s %10s %10s %10s %10s %10s  %s\n", "pid", "score", "adj", "badness",
           "anonymous", "files", "shared", "in swap", "tables", "name");
    for (size_t i = 0; i < n; i++)
        print_row(&oom->process[i]);
    if (n < oom->n_candidates)
        printf("  and %zu more\n", oom->n_candidates - n);
    print_protected(oom);
    printf("\n%zu scores compared with the kernel's: %zu differ by more than 1%s.\n",
           oom->n_compared, oom->n_disagree, oom->n_disagree ? ", or changed while read" : "");
    if (oom->n_unread)
        printf("%zu processes may not be looked at; root sees them.\n", oom->n_unread);
    if (r->earlyoom) {
        print_earlyoom(r);
        print_oomd(r->oomd);
    }
}

/* ---- the command ------------------------------------------------------------------------------ */

static int one_size(const char *name, const char *text, uint64_t *bytes, struct fl_err *err)
{
    struct fl_size size;
    struct fl_err why;
    if (fl_parse_size(text, &size, &why) != FL_OK)
        return fl_fail(err, FL_EUSAGE, "--at: %s: %s", name, why.msg);
    if (size.percent_bp || size.bytes == FL_SIZE_MAX_BYTES || size.bytes > UINT64_C(1) << 56)
        return fl_fail(err, FL_EUSAGE, "--at: %s: '%s' is no size of a machine; give one like 8G",
                       name, text);
    *bytes = size.bytes;
    return FL_OK;
}

static int parse_at(const char *at, uint64_t swap_as_it_is, struct fl_oom_opts *opts,
                    struct fl_err *err)
{
    char ram[64];
    const char *comma = strchr(at, ',');
    size_t len = comma ? (size_t)(comma - at) : strlen(at);
    if (len >= sizeof ram)
        return fl_fail(err, FL_EUSAGE, "--at: '%s' is not RAM or RAM,SWAP; give sizes like 8G,2G",
                       at);
    memcpy(ram, at, len);
    ram[len] = 0;
    opts->has_at = true;
    opts->at_swap_bytes = swap_as_it_is;
    int rc = one_size("RAM", ram, &opts->at_ram_bytes, err);
    if (rc == FL_OK && comma)
        rc = one_size("SWAP", comma + 1, &opts->at_swap_bytes, err);
    if (rc == FL_OK && opts->at_ram_bytes < FL_PAGE_BYTES)
        rc = fl_fail(err, FL_EUSAGE, "--at: RAM: less than one page of %u bytes",
                     (unsigned)FL_PAGE_BYTES);
    return rc;
}

static int write_json(const struct fl_oom_report *r, const char *path, struct fl_err *err)
{
    struct fl_outfile out;
    json_t *doc = fl_oom_json(r);
    int rc = doc ? fl_outfile_open(&out, path, err) : fl_nomem(err, "result");
    if (rc != FL_OK) {
        json_decref(doc);
        return rc;
    }
    int written = fl_json_write(doc, out.stream, 0);
    fputc('\n', out.stream);
    json_decref(doc);
    if (written == 0)
        return fl_outfile_commit(&out, err);
    rc = fl_fail_errno(err, "cannot write the result");
    fl_outfile_abort(&out);
    return rc;
}

static int tell(const struct oom_cfg *cfg, const struct fl_oom *oom,
                const struct fl_oom_group *group, struct fl_err *err)
{
    struct fl_oom_earlyoom earlyoom;
    struct fl_oom_oomd oomd;
    struct fl_oom_report r = { .oom = oom, .group = group, .rows = cfg->rows };
    r.explained = cfg->pid ? fl_oom_find(oom, (uint32_t)cfg->pid) : 0;
    if (r.explained == SIZE_MAX)
        return fl_fail(err, FL_EUSAGE, "no process has the pid %" PRIu64 "%s; ps -e lists them",
                       cfg->pid, group ? " in that group" : "");
    int rc = fl_oom_earlyoom(oom, &cfg->earlyoom, &earlyoom, err);
    if (rc != FL_OK)
        return rc;
    if (!group && !oom->is_asked_of_other) { /* they go by the machine as it is */
        fl_oom_oomd(FL_PROC_ROOT, oom, &oomd);
        r.earlyoom = &earlyoom;
        r.oomd = &oomd;
    }
    if (cfg->json || cfg->out)
        return write_json(&r, cfg->out, err);
    print_report(&r);
    return FL_OK;
}

static int run_oom(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct oom_cfg *cfg = arg;
    struct fl_oom_opts opts = { .root = FL_PROC_ROOT, .without_pid = (uint32_t)getpid() };
    struct fl_oom_group group = { .version = 0 };
    struct fl_meminfo info;
    struct fl_oom oom = { .process = NULL };
    (void)n_operands;
    (void)operands;

    if (cfg->pid > FL_PROC_PID_MAX)
        return fl_fail(err, FL_EUSAGE, "--pid: no pid is above %u", FL_PROC_PID_MAX);
    int rc = fl_proc_meminfo(opts.root, &info, err);
    if (rc == FL_OK && cfg->cgroup)
        rc = fl_oom_group_open(opts.root, cfg->cgroup, &info, &group, err);
    opts.group = cfg->cgroup ? &group : NULL;
    if (rc == FL_OK && cfg->at)
        rc = parse_at(cfg->at, cfg->cgroup ? group.swap_bytes : info.swap_bytes, &opts, err);
    if (rc == FL_OK)
        rc = fl_oom_look(&opts, &oom, err);
    if (rc == FL_OK)
        rc = tell(cfg, &oom, opts.group, err);
    fl_oom_free(&oom);
    fl_oom_group_close(&group);
    return rc;
}

const struct fl_cmd fl_cmd_oom = {
    .name = "oom",
    .summary = "Say whom the kernel would kill here for want of memory, and why",
    .synopsis = "[--at RAM[,SWAP]] [--cgroup PATH] [-p PID] [-n ROWS] [--json]",
    .description =
        "Ranks the processes of this machine as the OOM killer would, by the kernel's own\n"
        "formula, checked against /proc/PID/oom_score; says who is never killed, what makes\n"
        "up the score of the first, and what would make another the first. Nothing is\n"
        "changed, and no privilege is needed.\n\n"
        "Beside it stands what earlyoom and systemd-oomd would do at this moment, by their\n"
        "documented rules and defaults.",
    .examples = "  faultline oom\n"
                "  faultline oom --at 4G,1G -n 5\n"
                "  faultline oom --cgroup /sys/fs/cgroup/system.slice/db.service --json",
    .opts = oom_opts,
    .cfg_size = sizeof(struct oom_cfg),
    .max_operands = 0,
    .run = run_oom,
};
