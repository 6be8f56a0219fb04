/* SPDX-License-Identifier: GPL-2.0-or-later */
/** policies.h - the built-in policies, one in each policy_NAME.c. */
#ifndef REPLAY_POLICIES_H
#define REPLAY_POLICIES_H

#include <faultline/policy.h>

extern const struct fl_policy_ops fl_policy_fifo;
extern const struct fl_policy_ops fl_policy_lru;
extern const struct fl_policy_ops fl_policy_clock;
extern const struct fl_policy_ops fl_policy_random;
extern const struct fl_policy_ops fl_policy_opt;
extern const struct fl_policy_ops fl_policy_linux;
extern const struct fl_policy_ops fl_policy_mglru;

#endif
