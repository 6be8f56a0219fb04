# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# Increment-and-Freeze: the LRU curve at all sizes. It is a library whose own program runs made-up traces only, so
# IAF is a program of yours over it, `IAF PAGES OUT`: each u64 of PAGES without its bit 63 to
# memory_access() of an IncrementAndFreeze, then dump_success_function() of get_success_function() to
# OUT. Compiled as its fast32bit is: 32-bit counts, -O3 for this processor. IAF_BOUNDED is the same
# with a BoundedIAF and 64-bit counts. One thread.
peer IAF iaf "Increment-and-Freeze, 32-bit, the LRU curve at all sizes; \`OMP_NUM_THREADS=1\`"
peer IAF_BOUNDED iaf_bounded "Increment-and-Freeze, bounded, 64-bit"

iaf_enter() {
    if have IAF; then
        contestant "Increment-and-Freeze, 32-bit" "iaf_curve iaf.out" env OMP_NUM_THREADS=1 "$IAF" refs iaf.out
    fi
    if have IAF_BOUNDED; then
        contestant "Increment-and-Freeze, bounded, 64-bit" "iaf_curve iaf_bounded.out" \
            env OMP_NUM_THREADS=1 "$IAF_BOUNDED" refs iaf_bounded.out
    fi
}

iaf_curve() { # lines "size hits ratio"
    awk -v refs="$REFS" -v pages="$PAGES" '$1 ~ /^[0-9]+$/ { hits[$1 + 0] = $2; last = $1 + 0 }
        END { for (i = 1; i <= pages; i++) print i, refs - hits[i < last ? i : last] }' "$1" | curve_answer
}
