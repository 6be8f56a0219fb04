# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# libCacheSim's distUtil: LRU stack distances of all references. Known to be off by one at one size.
peer DISTUTIL distUtil "libCacheSim's distUtil \`stack_dist cntTxt\`, the LRU curve at all sizes"

distutil_enter() {
    libcachesim_prepare
    libcachesim_prepare
    contestant "libCacheSim distUtil" distutil_curve \
        "$DISTUTIL" data/trace.oracleGeneral oracleGeneral stack_dist cntTxt dist
    forgive "its last distance lacks one reference"
}

distutil_curve() { # "distance:count, ..." of references with an earlier one, distance 0 when next to it
    tr ',' '\n' <dist.STACK_DIST.cnt | awk -F: '$1 >= 0 && NF == 2 { print $1 + 0, $2 }' | curve_of_distances
}
