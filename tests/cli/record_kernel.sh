#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record --kernel from outside: tracepoints against what perf stat counts of the same program, and
# what was lost. Usage: record_kernel.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this machine has no tracepoints for us.
set -u
faultline=$1
workloads=$(realpath "$2")
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

[ "$(id -u)" = 0 ] || { echo "skipped: kernel tracepoints need root"; exit 77; }
[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
if ! "$faultline" record --kernel-groups alloc -q -o probe.flt -- true 2>why; then
    grep -q 'tracefs\|perf_event\|not allowed' why && { echo "skipped: $(cat why)"; exit 77; }
    cat why
    exit 1
fi

# ---- the page allocator and the slabs, against perf stat ---------------------------------------
events=kmem:mm_page_alloc,kmem:mm_page_free,kmem:kmem_cache_alloc,kmem:kmem_cache_free,kmem:kmalloc,kmem:kfree
if perf stat -x, -e "$events" -o /dev/null true 2>/dev/null; then
    "$faultline" record -q --kernel-groups alloc,slab -o k.flt -- \
        perf stat -x, -e "$events" -o stat.txt -- "$workloads/known_faults" 5003 >line
    "$faultline" dump k.flt >k.txt
    thread=$(sed -n 's/^[0-9]* \(t[0-9]*\) exec .*known_faults.*/\1/p' k.txt)
    for event in ${events//,/ }; do
        kernel=$(awk -F, -v e="$event" '$3 == e { print $1 }' stat.txt)
        traced=$(awk -v t="$thread" -v e="probe=$event" '
            $2 == t && $3 == "exec" && /known_faults/ { on = 1 }
            on && $2 == t && $3 == "hit" && $4 == e { n++ }
            END { print n + 0 }' k.txt)
        same "$event: the trace has what perf stat counted" "$traced" "$kernel"
    done
    ok "every touched page came out of the allocator" test "$traced" -gt 0 -a \
        "$(awk -v t="$thread" '$2 == t && /probe=kmem:mm_page_alloc .*order=0 / { n++ } END { print n }' k.txt)" -ge 5003
else
    echo "perf is not here: counts are not compared"
fi

# ---- everything --kernel takes -------------------------------------------------------------------
"$faultline" record -q --kernel -o all.flt -- "$workloads/known_faults" 1009 >/dev/null
same "--kernel: the command's status" $? 0
ok "--kernel: sound" "$faultline" check all.flt >/dev/null
"$faultline" info --json all.flt >info.json
for event in kmem:mm_page_alloc kmem:kmem_cache_alloc kmem:kmalloc sched:sched_switch pagemap:mm_lru_insertion; do
    ok "--kernel: $event" holds info.json ".kernel_events | any(.name == \"$event\" and .count > 0)"
done
for name in meminfo zoneinfo buddyinfo pagetypeinfo slabinfo vmstat; do
    ok "--kernel: $name at start and end" \
        holds info.json "[.snapshots[] | select(.name == \"$name\")] | length == 2"
done
ok "--kernel: caches have their names" \
    grep -q 'probe=kmem:kmem_cache_alloc .* name="[a-z_]' <("$faultline" dump all.flt)
told=0
for event in kmem:kvfree_call_rcu kmem:kmem_cache_free_bulk; do
    holds info.json ".kernel_events | any(.name == \"$event\" and .count > 0)" && told=$((told + 1))
done
if "$faultline" info all.flt | grep -q quality.slab_frees; then
    same "--kernel: frees without a tracepoint: none, and it is said" $told 0
else
    same "--kernel: frees without a tracepoint are events too" $told 2
fi
ok "--kernel alone implies events" holds info.json '.fidelity == "events"'

# ---- object caches: from events, and as processes imply them ---------------------------------------
"$faultline" report all.flt -o report >/dev/null
ok "report: object caches, predicted beside recorded" holds report/report.json \
    '.results[0].slab | .source == "events" and (.caches | any(.name == "filp" and .allocs > 0 and .recorded_end.objects > 0))'
ok "report: as a table" has "Object caches of the kernel" report/report.md
ok "report: free blocks, with those over time" holds report/report.json \
    '.results[0].buddy | (.orders | length) == 11 and (.timeline.rows | length) > 0 and .events > 0'
ok "report: as a table" has "Free blocks of the page allocator" report/report.md
if command -v gnuplot >/dev/null; then
    ok "report: as charts" test -s report/charts/buddy.svg -a -s report/charts/fragmentation.svg
fi
"$faultline" record -q -o exact.flt -- "$workloads/known_faults" 101 >/dev/null
"$faultline" replay exact.flt --ram 1M --kernel-objects --json >replayed.json
ok "replay --kernel-objects: one task, its mappings" holds replayed.json \
    '.slab | .source == "implied" and (.caches | any(.name == "task_struct" and .objects == 1))
     and (.caches | any(.name == "vm_area_struct" and .objects > 10))'

# ---- object caches, settled at start and end ---------------------------------------------------------
if [ -w /sys/kernel/slab/filp/shrink ]; then
    "$faultline" record -q -a --kernel-groups alloc,slab --settle-slabs -o settled.flt -- \
        bash -c 'for ((i = 0; i < 300; i++)); do : >f$i; done; rm f*'
    same "--settle-slabs: the command's status" $? 0
    "$faultline" report settled.flt -o report >/dev/null
    ok "settled at the end: what is in use, predicted beside recorded" holds report/report.json \
        '.results[0].slab.caches | any(.name == "filp" and .recorded_end.objects > 0 and .recorded_settled.objects > 0
            and .recorded_settled.objects <= .recorded_end.objects
            and (.settled.objects - .recorded_settled.objects | fabs) <= 0.05 * .recorded_settled.objects + 16)'
    ok "settled: slabs of the caches that changed are as many as the kernel has" holds report/report.json \
        '[.results[0].slab.caches[:10][] | .settled.slabs - .recorded_settled.slabs | fabs] | add < 20'
    ok "settled: as a table" has "In use, predicted" report/report.md
    "$faultline" replay settled.flt --allocator --json >buddy.json
    ok "settled: free pages are compared as of when they were read" holds buddy.json '.buddy.events > 0'
else
    echo "no /sys/kernel/slab to write to: caches are not settled"
fi

# ---- lost records are never silent ------------------------------------------------------------------
coproc target { exec "$workloads/live_target"; }
read -r _ pid _ <&"${target[0]}"
"$faultline" record -p "$pid" --strict -o lost.flt 2>lost.txt &
recorder=$!
sleep 1
kill -STOP $recorder # nobody empties the buffers now
echo "touch 300000" >&"${target[1]}"
read -r _ _ _ minor _ <&"${target[0]}"
kill -CONT $recorder
sleep 0.5
kill -INT $recorder
wait $recorder
same "--strict: 4 when records were lost" $? 4
exec {target[1]}>&-
ok "lost: one warning says how many" grep -q 'records were lost' lost.txt
"$faultline" info --json lost.flt >info.json
lost=$(jq .lost_events info.json)
seen=$(jq '.faults_minor // 0' info.json)
"$faultline" info lost.flt >info.txt
ok "lost: info says of which events ($(grep -m1 quality.lost info.txt))" \
    grep -q 'quality.lost .*minor [0-9]' info.txt
ok "lost: $lost lost" test "$lost" -gt 0
ok "lost: still a sound trace" "$faultline" check lost.flt >/dev/null
faults=$("$faultline" dump lost.flt | grep -c ' fault ')
by=$(grep -o 'minor [0-9]*' info.txt | grep -o '[0-9]*' | head -1)
ok "lost: $faults recorded and $by lost minor faults are the $minor that happened" \
    test $((faults + by)) -ge "$minor" -a $((faults + by)) -le $((minor + 60))
"$faultline" report lost.flt -o report >/dev/null 2>&1
ok "lost: the report says so" grep -q 'lost' report/report.md

# ---- refusals --------------------------------------------------------------------------------------
exits 125 "$faultline" record --kernel-groups alloc,nonsense -o x.flt -- true
exits 125 "$faultline" record --mode exact --kernel -o x.flt -- true
if id nobody >/dev/null 2>&1; then
    chmod 755 "$dir"
    exits 5 setpriv --reuid=nobody --clear-groups "$faultline" record --kernel -o x.flt -- true
fi
exit $failed
