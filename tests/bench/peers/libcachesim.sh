# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# libCacheSim's cachesim: textbook policies, one size a pass. Its command line takes its faster hash setting, 2^16
# buckets instead of 2^24, only for a trace whose path contains "data/trace."; that one is the fair opponent.
# CLOCK loads a page with its bit at 0, ours at 1. Next uses, which belady needs, are in the trace, and
# are not in its time. It maps its trace, 24 bytes a reference, which is part of its peak.
peer CACHESIM cachesim "libCacheSim's cachesim, textbook policies; options \`--ignore-obj-size 1 --num-thread 1\`, trace named \`data/trace.*\`"

libcachesim_prepare() { # writes data/trace.oracleGeneral
    mkdir -p data
    [ -s data/trace.oracleGeneral ] || ./peer_trace libcachesim <refs >data/trace.oracleGeneral
}

libcachesim_enter() { # libcachesim_enter POLICY FRAMES
    local policy=$1
    [ "$policy" != opt ] || policy=belady
    libcachesim_prepare
    contestant "libCacheSim $policy" "libcachesim_misses $policy $2" \
        "$CACHESIM" data/trace.oracleGeneral oracleGeneral "$policy" "$2" --ignore-obj-size 1 --num-thread 1
    [ "$policy" != clock ] || forgive "its bit is 0 at load"
}

# It prints ratios of four digits: of every 10,000 references they are counts. REFS is a multiple.
libcachesim_misses() {
    "$CACHESIM" data/trace.oracleGeneral oracleGeneral "$1" "$2" --ignore-obj-size 1 --num-thread 1 \
        --report-interval 10000 2>&1 |
        awk '/interval miss ratio/ { sum += $NF * 10000 } END { printf "%.0f\n", sum }'
}
