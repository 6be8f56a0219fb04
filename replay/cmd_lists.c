/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `policies` and `machines`: what is built in, with its source. */
#include <string.h>

#include <jansson.h>

#include <faultline/hostinfo.h>

#include "cmd_common.h"

struct list_cfg {
    bool json;
};

static const struct fl_opt list_opts[] = { { "json", 0, FL_OPT_FLAG,
                                             offsetof(struct list_cfg, json), NULL, NULL,
                                             "print JSON instead of a table", NULL },
                                           FL_OPT_END };

static int run_policies(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct list_cfg *cfg = arg;
    const struct fl_policy_ops *ops;
    json_t *list = json_array();
    (void)n_operands;
    (void)operands;
    for (size_t i = 0; (ops = fl_policy_at(i)); i++) {
        if (!cfg->json)
            printf("%-8s %s [%s]\n", ops->name, ops->summary, ops->source);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", ops->name, "summary",
                                              ops->summary, "source", ops->source));
    }
    if (cfg->json)
        return cmd_write_json(list, NULL, err);
    json_decref(list);
    return FL_OK;
}

static void print_machine(const struct fl_machine *m)
{
    printf("%-20s %s;", m->name, m->summary);
    for (uint32_t t = 0; t < m->n_tlb; t++)
        printf(" %s %u/%u", m->tlb[t].name, m->tlb[t].entries, m->tlb[t].ways);
    printf("; %u levels", m->levels);
    for (uint32_t w = 0; w < m->n_walk; w++)
        printf("%s %s %u/%u", w ? "" : "; walk caches", fl_walk_cache_name(m->walk[w].level),
               m->walk[w].entries, m->walk[w].ways);
    printf(" [%s%s%s]\n", m->source, m->n_walk ? "; walk caches: " : "",
           m->n_walk ? m->walk_source : "");
}

/* This machine's, as a recording made here would note it. */
static int this_host(struct fl_machine **out, struct fl_err *err)
{
    struct fl_meta *meta = fl_meta_new();
    int rc = meta ? fl_host_meta(meta, err) : fl_nomem(err, "host");
    if (rc == FL_OK)
        rc = fl_machine_host(fl_meta_get(meta, "host.tlb"), out, err);
    fl_meta_free(meta);
    return rc;
}

static int one_machine(const char *name, bool json, struct fl_err *err)
{
    const struct fl_machine *m = NULL;
    struct fl_machine *loaded = NULL;
    int rc = strcmp(name, "host") == 0 ? this_host(&loaded, err)
                                       : cmd_machine(NULL, name, &m, &loaded, err);
    if (loaded)
        m = loaded;
    if (rc == FL_OK && json)
        rc = cmd_write_json(fl_machine_json(m), NULL, err);
    else if (rc == FL_OK)
        print_machine(m);
    fl_machine_free(loaded);
    return rc;
}

static int run_machines(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct list_cfg *cfg = arg;
    const struct fl_machine *m;
    json_t *list = json_array();
    if (n_operands) {
        json_decref(list);
        return one_machine(operands[0], cfg->json, err);
    }
    for (size_t i = 0; (m = fl_machine_at(i)); i++) {
        if (!cfg->json)
            print_machine(m);
        json_array_append_new(list, fl_machine_json(m));
    }
    if (cfg->json)
        return cmd_write_json(list, NULL, err);
    json_decref(list);
    return FL_OK;
}

const struct fl_cmd fl_cmd_policies = {
    .name = "policies",
    .summary = "List the replacement policies, with their sources",
    .synopsis = "[--json]",
    .opts = list_opts,
    .cfg_size = sizeof(struct list_cfg),
    .run = run_policies,
};

const struct fl_cmd fl_cmd_machines = {
    .name = "machines",
    .summary = "List the machine profiles: TLBs and page-table depth, with their sources",
    .synopsis = "[NAME|FILE] [--json]",
    .description =
        "With a name, a profile's file or `host`, which is this machine as far as CPUID\n"
        "tells, that one alone; its JSON can be edited and given to replay --machine.",
    .opts = list_opts,
    .cfg_size = sizeof(struct list_cfg),
    .max_operands = 1,
    .run = run_machines,
};
