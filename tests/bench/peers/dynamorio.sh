# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# DynamoRIO's TLB simulator, over a trace of its own format. Its default policy is LFU, so LRU is said; the second
# level is looked up on a miss of the first only, both are filled, nothing is taken out of the first for
# the second; an access that crosses a page counts on both; a page walk and address spaces it has not.
# Its reader queues what lies before the next instruction: a trace without any, such as page20m, is 12 bytes a reference
# of its peak (with some in between 12 MiB, the time is the same). The machines tlb-* of ours have the same rules. basic_counts is its reader without a simulator.
peer DYNAMORIO drmemtrace_launcher "DynamoRIO's drmemtrace \`-tool TLB -cores 1 -TLB_replace_policy LRU\`"

dynamorio_enter() { # dynamorio_enter TRACE L1-ENTRIES L1-WAYS L2-ENTRIES L2-WAYS
    contestant "DynamoRIO TLB" dynamorio_tlb "$DYNAMORIO" -infile "$1" -tool TLB -cores 1 -TLB_replace_policy LRU \
        -TLB_L1I_entries "$2" -TLB_L1I_assoc "$3" -TLB_L1D_entries "$2" -TLB_L1D_assoc "$3" \
        -TLB_L2_entries "$4" -TLB_L2_assoc "$5"
}
dynamorio_reader_enter() {
    contestant "DynamoRIO's reader alone (basic_counts)" "" "$DYNAMORIO" -infile "$1" -tool basic_counts
}

dynamorio_tlb() { # hits and misses of L1I, L1D and L2
    awk '/ stats:/ { level = $1 == "LL" ? "L2" : $1 }
        $1 == "Hits:" { hits = $2 }
        $1 == "Misses:" { printf "%s%s %s/%s", gap, level, hits, $2; gap = ", " }' "err.$N"
}
