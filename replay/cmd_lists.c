/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `policies` and `machines`: what is built in, with its source. */
#include <jansson.h>

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

static int run_machines(void *arg, int n_operands, char **operands, struct fl_err *err)
{
    const struct list_cfg *cfg = arg;
    const struct fl_machine *m;
    json_t *list = json_array();
    (void)n_operands;
    (void)operands;
    for (size_t i = 0; (m = fl_machine_at(i)); i++) {
        json_t *tlb = json_array();
        if (!cfg->json)
            printf("%-16s %s;", m->name, m->summary);
        for (uint32_t t = 0; t < m->n_tlb; t++) {
            if (!cfg->json)
                printf(" %s %u/%u", m->tlb[t].name, m->tlb[t].entries, m->tlb[t].ways);
            json_array_append_new(tlb, json_pack("{s:s,s:s,s:I,s:I}", "name", m->tlb[t].name,
                                                 "role", fl_tlb_role_name(m->tlb[t].role),
                                                 "entries", (json_int_t)m->tlb[t].entries, "ways",
                                                 (json_int_t)m->tlb[t].ways));
        }
        if (!cfg->json)
            printf("; %u levels [%s]\n", m->levels, m->source);
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:I,s:I,s:o}", "name", m->name,
                                              "summary", m->summary, "source", m->source, "levels",
                                              (json_int_t)m->levels, "asids", (json_int_t)m->asids,
                                              "tlb", tlb));
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
    .synopsis = "[--json]",
    .opts = list_opts,
    .cfg_size = sizeof(struct list_cfg),
    .run = run_machines,
};
