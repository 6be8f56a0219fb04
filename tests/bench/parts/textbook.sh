# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# textbook: fixed-size replacement of page20m, decoding of our trace included.
FRAMES=${FRAMES:-"1024 4096 16384 65536 131072"}
POLICIES=${POLICIES:-"lru fifo clock opt"}

misses_of() { jq '.faults.minor + .faults.major' "$1"; }

part_textbook() {
    local frames policy
    echo "## Fixed-size replacement: $REFS references over $PAGES pages"
    table references "policy, frames"
    for policy in $POLICIES; do
        for frames in $FRAMES; do
            race_begin
            contestant "\`--no-tlb --no-thrash\`" "misses_of bare.json" "$faultline" replay trace.flt \
                --frames "$frames" --policy "$policy" --no-tlb --no-thrash -o bare.json
            if have CACHESIM; then libcachesim_enter "$policy" "$frames"; fi
            contestant "default options" "misses_of full.json" "$faultline" replay trace.flt \
                --frames "$frames" --policy "$policy" -o full.json
            race "$REFS" "$policy, $frames"
        done
    done
}
