/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The advice as configuration: docs/advise.md says why which number goes where. */
#include <inttypes.h>

#include <faultline/units.h>

#include "advise.h"

static uint64_t ram_bytes(const struct advise *a)
{
    return a->rows[ADVISE_ADVISED].at.ram_pages * FL_PAGE_BYTES;
}

static uint64_t swap_bytes(const struct advise *a)
{
    return a->rows[ADVISE_ADVISED].swap_pages * FL_PAGE_BYTES;
}

/* No run like the recorded one can need more. */
static uint64_t ceiling_bytes(const struct advise *a)
{
    uint64_t most = a->max_pages * FL_PAGE_BYTES;
    return most > ram_bytes(a) ? most : ram_bytes(a);
}

static uint64_t mib(uint64_t bytes)
{
    return (bytes >> 20) + ((bytes & 0xfffff) != 0);
}

static void heading(const struct advise *a, FILE *out)
{
    fprintf(out, "# %s\n# Confidence: %s; `faultline advise` as text has the reasons.\n",
            a->verdict, advise_confidence_name(a->confidence));
}

void advise_systemd(const struct advise *a, const char *name, FILE *out)
{
    fprintf(out, "# Drop-in: /etc/systemd/system/UNIT.service.d/50-memory.conf (%s)\n", name);
    heading(a, out);
    fputs(
        "# MemoryHigh= is where reclaim begins: the advised size. MemoryMax= is the peak with margin,\n"
        "# so a run unlike the recorded one is slowed down, not killed. Without cgroup v2 there is no\n"
        "# MemoryHigh=: give MemoryMax= its value there.\n"
        "[Service]\n",
        out);
    fprintf(out, "MemoryHigh=%" PRIu64 "\nMemoryMax=%" PRIu64 "\nMemorySwapMax=%" PRIu64 "\n",
            ram_bytes(a), ceiling_bytes(a), swap_bytes(a));
}

void advise_kubernetes(const struct advise *a, const char *name, FILE *out)
{
    uint64_t no_swap =
        mib(a->rows[ADVISE_NO_SWAP].found ? a->no_swap_pages * FL_PAGE_BYTES : ceiling_bytes(a));
    fprintf(out, "# For the container's entry in a pod's spec (%s)\n", name);
    heading(a, out);
    fputs("# The kubelet gives containers no swap unless the node has memorySwap.swapBehavior:\n"
          "# LimitedSwap, so this is the size that holds the budget without swap.\n",
          out);
    fprintf(out,
            "resources:\n  requests:\n    memory: %" PRIu64 "Mi\n  limits:\n    memory: %" PRIu64
            "Mi\n",
            no_swap, no_swap);
    if (!swap_bytes(a))
        return;
    uint64_t request = mib(ram_bytes(a));
    fprintf(out,
            "# With LimitedSwap a container whose request is below its limit may swap as much as\n"
            "# request / node memory x node swap. Enough is %" PRIu64
            "Mi: on a node whose swap is at\n"
            "# least %.2f times its memory, request %" PRIu64 "Mi and limit %" PRIu64 "Mi do.\n",
            mib(swap_bytes(a)), (double)mib(swap_bytes(a)) / (double)request, request, request + 1);
}

void advise_docker(const struct advise *a, const char *name, FILE *out)
{
    fprintf(out, "# %s\n", name);
    heading(a, out);
    fputs(
        "# --memory-swap is memory and swap together. Docker has no soft limit that slows down, so\n"
        "# the advised size is the hard one.\n",
        out);
    fprintf(out, "docker run --memory=%" PRIu64 " --memory-swap=%" PRIu64 " IMAGE\n", ram_bytes(a),
            ram_bytes(a) + swap_bytes(a));
}
