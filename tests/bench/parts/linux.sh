# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# linux: the kernel's policies on page20m, with memory enough and while it thrashes.

part_linux() {
    local policy runs all=$((PAGES * 4096))
    runs=$(trace_key trace.flt runs)
    echo "## The kernel's policies: $runs runs over $PAGES pages, \`--no-tlb --no-thrash\`"
    table runs
    for policy in linux mglru; do
        race_begin
        contestant "memory enough" "" "$faultline" replay trace.flt --ram $((all * 2)) --policy $policy --no-tlb --no-thrash -o k.json
        contestant "a quarter of it" "" "$faultline" replay trace.flt --ram $((all / 4)) --policy $policy --no-tlb --no-thrash -o k.json
        race "$runs" $policy
    done
}
