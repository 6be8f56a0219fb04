#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# replay --allocator of a machine that reads files and maps and frees much, beside
# what its /proc said at the end. Usage: allocator.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this machine has no tracepoints for us.
set -u
faultline=$1
workloads=$(realpath "$2")
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

"$faultline" record -q --mode events -o plain.flt -- true
"$faultline" replay plain.flt --allocator 2>why
same "a trace without kernel events: 4" $? 4
ok "it says what to record" grep -q -- '--kernel' why
"$faultline" replay plain.flt --allocator --ram 1M 2>why
same "--allocator with --ram: 2" $? 2

[ "$(id -u)" = 0 ] || { echo "skipped: kernel tracepoints need root"; exit 77; }
[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
if ! "$faultline" record --kernel-groups alloc -q -o probe.flt -- true 2>why; then
    grep -q 'tracefs\|perf_event\|not allowed' why && { echo "skipped: $(cat why)"; exit 77; }
    cat why
    exit 1
fi

"$faultline" record -a --mode events --kernel-groups alloc -q -o live.flt -- sh -c "
    find /usr/include /usr/lib -type f 2>/dev/null | head -n 8000 | xargs cat >/dev/null 2>&1
    for i in 1 2 3; do $workloads/known_faults 30011 >/dev/null; done"
"$faultline" replay live.flt --allocator -o r.json
same "replayed" $? 0
"$faultline" replay live.flt --allocator --json >again.json
ok "the same bytes again" cmp -s r.json again.json
"$faultline" replay live.flt --allocator >table
ok "a table beside it" grep -q 'free pages are off by' table
lost=$("$faultline" info --json live.flt | jq .lost_events)
echo "$(jq .buddy.events r.json) events, $lost records lost"
ok "schema and source" holds r.json '.schema == "faultline.replay/1" and .source == "observed"'
ok "enough events" holds r.json '.buddy.events > 100000'
ok "11 orders" holds r.json '.buddy.orders | length == 11 and all(has("free") and has("allocs"))'
ok "a timeline of free blocks" holds r.json '.timeline | (.rows | length) > 20 and (.columns | length) == 14'
if [ "$lost" = 0 ]; then
    jq -r '.buddy.zones[] | "\(.zone): \(.predicted.free_pages) of \(.recorded_end.free_pages)"' r.json
    ok "free pages within 2 % in every zone" holds r.json '.buddy.zones | all(
        (.predicted.free_pages - .recorded_end.free_pages | fabs) <= .recorded_end.free_pages * 0.02 + 64)'
    ok "fragmentation index at order 9 within 0.05" holds r.json '.buddy.zones | all(
        (.predicted.fragmentation_index - .recorded_end.fragmentation_index | fabs) <= 50)'
    ok "unusable index within 0.1" holds r.json '.buddy.zones | all(
        (.predicted.unusable_index - .recorded_end.unusable_index | fabs) <= 100)'
fi

"$faultline" report r.json -o out >/dev/null
same "a report" $? 0
ok "free blocks in the report" has 'Free blocks of the page allocator' out/index.html
if command -v gnuplot >/dev/null; then
    exits 0 "$faultline" plot buddy r.json --term
    ok "the chart's title" has 'in blocks of 2 MiB or more' out/index.html
fi
jq '.buddy.orders[3] = 5' r.json >hostile.json
exits 1 "$faultline" report hostile.json -o none
exit $failed
