#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Locks and advice of a recorded program, replayed under limits that it does not fit into.
# Usage: advice.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 no jq here, or this build has no exact tracer.
set -u
faultline=$1
advised=$2/advised
command -v jq >/dev/null || { echo "skipped: no jq here"; exit 77; }
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

if ! "$faultline" record -q -o probe.flt -- true 2>why; then
    cat why
    grep -q 'no exact tracer' why && exit 77
    exit 1
fi
# between DESCRIPTION LOW VALUE HIGH
between() {
    if [ "$3" -ge "$2" ] && [ "$3" -le "$4" ]; then
        echo "ok: $1 ($3)"
    else
        echo "not ok: $1: $3 is not in $2 to $4"
        failed=1
    fi
}
# replayed WHAT MIB LIMIT: makes its recording and r.json
replayed() {
    "$faultline" record -q -o "$1.flt" -- "$advised" "$1" "$2" &&
        "$faultline" replay "$1.flt" --ram "$3" --policy linux --memcg v1 --swap-device zram \
            --no-tlb --json >r.json || failed=1
}
value() { jq -r "$1 | floor" r.json; }

# 512 pages locked, 2048 touched in turn three times, then the 512. In 10 MiB each touch of the 2048
# is a miss, and some of the program's own pages; of the 512 none, which would be 512 more.
replayed lock 2 10M
between "a cycle beside locked pages misses at each page" 6144 "$(value .faults.by_cause.swap_in)" 6250
between "locked pages have a fault each" 2560 "$(value .faults.by_cause.anon_write)" 2800

# 2048 pages out, in again; the second area of 2048 fits.
replayed pageout 8 64M
between "pages out as told" 2048 "$(value .swap.pages_out)" 2048
between "and in again" 2048 "$(value .swap.pages_in)" 2048

# 1024 pages, given up, not written again: new ones, of zeros, when read at last
replayed free 8 10M
between "pages given up come back as zeros" 1024 "$(value .faults.by_cause.anon_zero)" 1030
exit $failed
