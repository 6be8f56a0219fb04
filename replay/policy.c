/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of replacement policies. */
#include <string.h>

#include <faultline/units.h>

#include "policies.h"

static const struct fl_policy_ops *const policies[] = {
    &fl_policy_fifo, &fl_policy_lru,   &fl_policy_clock, &fl_policy_random,
    &fl_policy_opt,  &fl_policy_linux, &fl_policy_mglru,
};

const struct fl_policy_ops *fl_policy_at(size_t i)
{
    return i < FL_COUNT(policies) ? policies[i] : NULL;
}

const char *fl_policy_name_at(size_t i)
{
    return i < FL_COUNT(policies) ? policies[i]->name : NULL;
}

const struct fl_policy_ops *fl_policy_find(const char *name)
{
    for (size_t i = 0; i < FL_COUNT(policies); i++)
        if (!strcmp(policies[i]->name, name))
            return policies[i];
    return NULL;
}
