/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What systemd-oomd would do at this moment, by systemd-oomd.service(8), oomd.conf(5) and
 * systemd.resource-control(5), with its defaults. Which units are watched is in systemd alone.
 */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <faultline/oom_live.h>

#include "oom_file.h"

#define SWAP_LIMIT_BP 9000u     /* SwapUsedLimit=, of memory and of swap */
#define PRESSURE_LIMIT_BP 6000u /* DefaultMemoryPressureLimit= */
#define SWAP_SHARE_MIN 20u      /* a twentieth of all swap, or it is not worth killing */

struct walk {
    const char *root; /* where the hierarchy is mounted */
    uint64_t swap_bytes;
    struct fl_oom_oomd *out;
    bool victim_avoided;
};

static _Thread_local struct walk *walk; /* nftw() has no argument for it */

static uint64_t number_at(const char *dir, const char *name)
{
    char *text = oom_file(dir, name);
    uint64_t n = text ? strtoull(text, NULL, 10) : 0;
    free(text);
    return n;
}

static uint32_t stalled_bp(const char *dir)
{
    char *text = oom_file(dir, "memory.pressure");
    const char *full = text ? strstr(text, "full avg10=") : NULL;
    double percent = full ? strtod(full + strlen("full avg10="), NULL) : 0;
    free(text);
    return percent > 0 && percent <= 100 ? (uint32_t)(percent * 100 + 0.5) : 0;
}

static bool has_children(const char *dir)
{
    struct dirent *e;
    bool has = false;
    DIR *d = opendir(dir);
    if (!d)
        return false;
    while (!has && (e = readdir(d)))
        has = e->d_type == DT_DIR && e->d_name[0] != '.';
    closedir(d);
    return has;
}

static bool is_marked(const char *dir, const char *user, const char *trusted)
{
    char value[8];
    return (getxattr(dir, user, value, sizeof value) == 1 && *value == '1') ||
           (getxattr(dir, trusted, value, sizeof value) == 1 && *value == '1');
}

static void note(struct fl_oomd_group *g, const char *dir)
{
    snprintf(g->path, sizeof g->path, "%s", dir + strlen(walk->root));
}

static int take_group(const char *dir, const struct stat *st, int kind, struct FTW *where)
{
    struct fl_oom_oomd *out = walk->out;
    (void)st;
    if (kind != FTW_D || where->level == 0)
        return 0;
    uint32_t bp = stalled_bp(dir);
    if (bp > out->pressed.bp) {
        out->pressed.bp = bp;
        note(&out->pressed, dir);
    }
    uint64_t swap = number_at(dir, "memory.swap.current");
    if (swap <= walk->swap_bytes / SWAP_SHARE_MIN ||
        (has_children(dir) && number_at(dir, "memory.oom.group") != 1) ||
        is_marked(dir, "user.oomd_omit", "trusted.oomd_omit"))
        return 0;
    bool avoided = is_marked(dir, "user.oomd_avoid", "trusted.oomd_avoid");
    bool better = !*out->swap_victim.path || (walk->victim_avoided && !avoided) ||
                  (walk->victim_avoided == avoided && swap > out->swap_victim.bytes);
    if (better) {
        out->swap_victim.bytes = swap;
        walk->victim_avoided = avoided;
        note(&out->swap_victim, dir);
    }
    return 0;
}

static void decide(struct fl_oom_oomd *out)
{
    if (!out->swap_met && !out->pressure_met)
        snprintf(out->why, sizeof out->why,
                 "neither are memory and swap both used above 90 %%, nor does any group stall for "
                 "more than 60 %% of the time.");
    else if (out->pressure_met)
        snprintf(
            out->why, sizeof out->why,
            "a group stalls for more than 60 %%; whether it has for 30 s, which group below it "
            "reclaims most, and whether its unit has ManagedOOMMemoryPressure=kill (oomctl "
            "shows it), one look at files does not tell.");
    else if (!*out->swap_victim.path)
        snprintf(out->why, sizeof out->why,
                 "memory and swap are both used above 90 %%, but no group that may be chosen has "
                 "more than 5 %% of the swap.");
    else
        snprintf(
            out->why, sizeof out->why,
            "memory and swap are both used above 90 %%: it kills that group if a unit above it "
            "has ManagedOOMSwap=kill, which oomctl shows and no file tells.");
    bool nothing = (!out->swap_met && !out->pressure_met) ||
                   (!out->pressure_met && !*out->swap_victim.path);
    out->act = nothing ? FL_OOM_NOTHING : FL_OOM_UNDECIDED;
}

static uint32_t used_bp(uint64_t left, uint64_t all)
{
    return all > left ? (uint32_t)((unsigned __int128)(all - left) * 10000 / all) : 0;
}

void fl_oom_oomd(const char *root, const struct fl_oom *oom, struct fl_oom_oomd *out)
{
    const struct fl_meminfo *m = &oom->machine;
    struct oom_mounts mounts;
    *out = (struct fl_oom_oomd){
        .memory_used_bp = used_bp(m->available_bytes, m->ram_bytes),
        .swap_used_bp = used_bp(m->swap_free_bytes, m->swap_bytes),
    };
    for (size_t i = 0; i < oom->n; i++)
        out->is_running |= !strcmp(oom->process[i].memory.comm, "systemd-oomd");
    oom_mounts(root, &mounts);
    char *controllers = *mounts.v2 ? oom_file(mounts.v2, "cgroup.controllers") : NULL;
    out->is_possible = controllers && strstr(controllers, "memory");
    free(controllers);
    if (!out->is_possible) {
        snprintf(out->why, sizeof out->why,
                 "it needs control groups of version 2 with the memory controller, and here %s.",
                 *mounts.v1 ? "that is in version 1" : "there are none to be seen");
        return;
    }
    struct walk w = { .root = mounts.v2, .swap_bytes = m->swap_bytes, .out = out };
    walk = &w;
    nftw(mounts.v2, take_group, 16, FTW_PHYS);
    walk = NULL;
    out->swap_met = m->swap_bytes && out->memory_used_bp > SWAP_LIMIT_BP &&
                    out->swap_used_bp > SWAP_LIMIT_BP;
    out->pressure_met = out->pressed.bp > PRESSURE_LIMIT_BP;
    decide(out);
}
