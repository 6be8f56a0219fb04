#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: calibrate.sh FAULTLINE WORKLOADS. Costs of this host: shape and order, not their sizes.
set -u
faultline=$(realpath "$1")
command -v jq >/dev/null || { echo "skipped: no jq here"; exit 77; }
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

ok "it measures" "$faultline" calibrate --dir . -o costs.json
ok "nothing of it is left in the folder" test "$(ls)" = costs.json
ok "schema and source" holds costs.json '.schema == "faultline.costs/1" and (.source | test("calibrate"))'
ok "whole numbers" holds costs.json '[.ps[] | . == floor and . >= 0] | all'
ok "minor faults are measured" holds costs.json \
    '["fault_anon_zero", "fault_anon_write", "fault_cow", "fault_shmem"] - .defaults | length == 4'
ok "quartiles enclose the median" holds costs.json \
    '. as $c | [.spread_ps | to_entries[] | .value[0] <= $c.ps[.key] and $c.ps[.key] <= .value[1]] | all'
ok "what has no spread is a default" holds costs.json '(.ps | keys) - (.spread_ps | keys) - .defaults == []'
ok "how a disk tells of its writes" holds costs.json '.disk_done == "together" or .disk_done == "singly"'
ok "a fault costs more than an access" holds costs.json '.ps.fault_anon_write > 10 * .ps.access'
ok "a table" grep -q "fault: first write, new page" <("$faultline" calibrate --dir .)
ok "a folder that is not there" test "$("$faultline" calibrate --dir ./none 2>&1 >/dev/null | wc -l)" = 1

# The estimate: of the costs that are given, and never in a count.
perl -e 'for (1 .. 3) { print pack("Q<", $_ | 1 << 63) for 1 .. 50 }' >p.pages
ok "a trace" "$faultline" import --from pages p.pages -o p.flt
ok "a replay with them" "$faultline" replay p.flt --frames 20 --costs costs.json -o a.json
ok "and without" "$faultline" replay p.flt --frames 20 -o b.json
ok "marked as an estimate" holds a.json '.time.estimated == true'
ok "of these costs" holds a.json '.time.costs_source | test("calibrate")'
ok "counts are the same" cmp -s <(jq 'del(.time)' a.json) <(jq 'del(.time)' b.json)
ok "parts sum up" holds a.json \
    '.time | .total_ns == .user_ns + .minor_fault_ns + .swap_in_ns + .swap_out_ns + .file_read_ns + .tlb_walk_ns'
echo '{"source": "mine", "ps": {"swap_in_sync": 5000000, "fault_anon_write": 1000000}}' >mine.json
ok "my own costs" "$faultline" replay p.flt --frames 20 --costs mine.json -o c.json
ok "100 swap-ins of 5 us" holds c.json '.swap.pages_in == 100 and .time.swap_in_ns == 500000'
ok "50 new pages of 1 us" holds c.json '.time.minor_fault_ns == 50000'
ok "text says estimate" grep -q "time (estimate)" <("$faultline" replay p.flt --frames 20)
ok "so does a report" grep -q "stimated" <("$faultline" report a.json -o out >/dev/null && cat out/report.md)
echo '{"source": "mine", "ps": {"swapin": 1}}' >wrong.json
"$faultline" replay p.flt --frames 20 --costs wrong.json >out.txt 2>err.txt
ok "a wrong name is refused" test $? = 1 -a ! -s out.txt
ok "by name, in one line" test "$(grep -c "ps.swapin" err.txt)" = 1 -a "$(wc -l <err.txt)" = 1

# What the TLB loses, of swap made for it: where that can be measured.
if [ "$(id -u)" = 0 ] && [ "$(nproc)" -gt 1 ] && [ "$(wc -l </proc/swaps)" = 1 ] &&
    "$faultline" calibrate --swap zram --dir . -o tlb.json 2>err.txt && ! [ -s err.txt ] &&
    jq -e .tlb tlb.json >/dev/null; then
    ok "of a TLB's entries a fault displaces few" holds tlb.json \
        '.tlb | .entries >= 32 and .per_fault < .entries / 8 and .per_page_out < .entries / 2'
    ok "policy linux takes them" "$faultline" replay p.flt --frames 60 --policy linux --costs tlb.json -o d.json
    ok "and --seed draws" "$faultline" replay p.flt --frames 60 --policy linux --costs tlb.json --seed 2 -o e.json
else
    echo "skipped: what the TLB loses: needs root, two processors, zram, no swap on, and CPUID's word: $(tr '\n' ' ' <err.txt)"
fi
exit $failed
