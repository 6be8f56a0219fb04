#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record --mode sample from outside, by page faults, which every machine has. Usage: record_sample.sh
# FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 this machine does not let us record.
set -u
faultline=$(realpath "$1")
workloads=$(realpath "$2")
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1
faults=(--mode sample --event perf::PAGE-FAULTS)
pages=9973

if ! "$faultline" record "${faults[@]}" -q -o probe.flt -- true 2>why; then
    grep -q 'perf_event' why && { echo "skipped: $(cat why)"; exit 77; }
    cat why
    exit 1
fi
# Samples on the touched range of the program that printed "start ADDRESS pages N ...".
on_range() { # on_range FILE START
    "$faultline" dump "$1" | sed -n 's/.* sample .* address=\(0x[0-9a-f]*\) .*/\1/p' |
        while read -r a; do
            ((a >= $2 && a < $2 + pages * 4096)) && echo "$a"
        done
}
meta() { "$faultline" info --json "$1" | jq -r --arg k "$2" '.recorded[$k] // "none"'; }

# ---- every one of them, where they were -----------------------------------------------------------
record() { # record OPTION...: the program that touches, with what it prints
    read -r _ start _ _ _ minor _ <<<"$("$@" -- "$workloads/known_faults" $pages 2>note)"
}
record "$faultline" record "${faults[@]}" --period 1 -q -o all.flt
on_range all.flt "$start" >all.txt
same "period 1: a sample for each page fault" "$(wc -l <all.txt)" "$minor"
same "period 1: each at a page of its own" "$(while read -r a; do echo $((a >> 12)); done <all.txt | sort -u | wc -l)" $pages
ok "period 1: sound" "$faultline" check all.flt >/dev/null
"$faultline" info --json all.flt >all.json
taken=$(jq '.samples[0].samples' all.json)
ok "period 1: no estimate, the count ($taken)" holds all.json \
    '.samples[0].estimated | .low == .value and .high == .value'
ok "period 1: all that getrusage counted but those of exec itself" \
    test "$taken" -le "$(meta all.flt record.rusage_minflt)" -a "$taken" -ge $((pages + 20))
ok "info says so in text" grep -q "perf::PAGE-FAULTS .* 100.0 %" <("$faultline" info all.flt)

# ---- one in seven ------------------------------------------------------------------------------------
record "$faultline" record "${faults[@]}" --period 7 -q -o some.flt
some=$(on_range some.flt "$start" | wc -l)
ok "period 7: a seventh of $minor ($some)" test "$some" -ge $((pages / 7 - 2)) -a "$some" -le $((pages / 7 + 2))
"$faultline" info --json some.flt >some.json
ok "period 7: the interval holds the true number" \
    holds some.json ".samples[0].estimated | .low < $taken and .high > $taken and .low > $taken * 0.9"

# ---- moved from CPU to CPU, two processes ------------------------------------------------------------
if command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then
    "$faultline" record --mode sample --event perf::CPU-CLOCK --period 1000000 -q -o moved.flt -- bash -c '
        for c in 0 1 0 1; do
            taskset -pc $c $$ >/dev/null
            for ((i = 0; i < 30000; i++)); do :; done
        done'
    ran=$(meta moved.flt record.sample.0.running_ns) wanted=$(meta moved.flt record.sample.0.enabled_ns)
    ok "moved between CPUs: it had its counter all the time ($ran of $wanted ns)" \
        test "$ran" -gt 0 -a $((ran * 100)) -ge $((wanted * 99))
    same "moved between CPUs: nothing multiplexed" "$(meta moved.flt quality.multiplexed)" none
    ok "a millisecond apart: as many samples as milliseconds" \
        test $((ran / 1000000 - $(meta moved.flt record.sample.0.taken))) -le $((ran / 20000000 + 5))
fi

# ---- call chains, other targets --------------------------------------------------------------------------
"$faultline" record "${faults[@]}" --period 1 --stacks -q -o stacks.flt -- "$workloads/known_faults" $pages >line
ok "--stacks: chains" test "$("$faultline" dump stacks.flt | grep -c ' sample .* stack=')" -ge $pages
coproc target { exec "$workloads/live_target"; }
read -r _ pid _ <&"${target[0]}"
"$faultline" record -p "$pid" "${faults[@]}" --period 1 -q -o live.flt &
recorder=$!
for _ in $(seq 100); do [ -s live.flt ] && break; sleep 0.05; done
sleep 0.2
echo "touch 3001" >&"${target[1]}"
read -r _ <&"${target[0]}"
kill -INT $recorder
wait $recorder
same "-p: exits with 0" $? 0
seen=$("$faultline" dump live.flt | grep -c ' sample ')
ok "-p: a sample for each fault ($seen)" test "$seen" -ge 3001 -a "$seen" -le 3100
exec {target[1]}>&-
if [ "$(id -u)" = 0 ]; then
    record "$faultline" record -a "${faults[@]}" --period 7 -q -o machine.flt
    seen=$(on_range machine.flt "$start" | wc -l)
    ok "-a: a seventh of the command's ($seen)" test "$seen" -ge $((pages / 8)) -a "$seen" -le $((pages / 6))
    ok "-a: all CPUs all the time" test "$(meta machine.flt quality.multiplexed)" = none
    if command -v setpriv >/dev/null && [ "$(cat /proc/sys/kernel/perf_event_paranoid)" = 2 ]; then
        chmod 777 .
        as_nobody() { setpriv --reuid=65534 --clear-groups "$@"; }
        record as_nobody "$faultline" record "${faults[@]}" --period 1 -o own.flt
        same "without privilege: every fault of one's own" "$(on_range own.flt "$start" | wc -l)" "$minor"
        ok "without privilege: says what is missing" grep -q "kernel mode" note
        ok "without privilege: and physical addresses" grep -q "physical addresses" note
        ok "without privilege: so does the trace" test "$(meta own.flt quality.sample_kernel)" != none
        exits 5 as_nobody "$faultline" record -a "${faults[@]}" -o x.flt -- true
        ok "without privilege: not the machine" grep -q "whole machine is not allowed" err.txt
    fi
fi

# ---- memory accesses: where there is a PMU, and where there is none ------------------------------------------
if "$faultline" record --mode sample -q -o loads.flt -- "$workloads/known_faults" 1009 >line 2>why; then
    ok "with a PMU: sampled" test "$(jq '.samples | length' <("$faultline" info --json loads.flt))" -ge 1
else
    status=$?
    same "without a PMU: exit 5" $status 5
    same "without a PMU: one line" "$(wc -l <why)" 1
    ok "without a PMU: says what does it instead" has "--mode exact" why
    ok "... at once and cheaply" has "--mode events" why
    ok "without a PMU: no trace" test ! -e loads.flt
fi

# ---- what a sampled trace answers, and what not ----------------------------------------------------------------
"$faultline" report some.flt --json >report.json
ok "report: source observed, estimates" holds report.json '.results[0] | .source == "observed" and
    .samples.estimated.low < .samples.estimated.value and (.by_mapping[0].estimated | has("high"))'
ok "report: the function that touches" holds report.json '.results[0].by_function[0].function == "main"'
ok "report: no fault counts" holds report.json '.results[0] | has("faults") | not'
"$faultline" report some.flt -o report >line
ok "report: in words" grep -q "samples of some.flt stand for about" line
printf '%s\n' '[[budget]]' 'key = "samples.samples"' 'max = 1' >budget.toml
"$faultline" report some.flt --json | jq '.results[0]' >result.json
for asked in "replay some.flt --ram 1M" "sweep some.flt --ram 1M,2M" "advise some.flt" \
    "diff some.flt some.flt" "diff result.json result.json" "validate --trace some.flt -- true" "gate result.json --budget budget.toml"; do
    # shellcheck disable=SC2086 # words of their own
    exits 4 "$faultline" $asked
    ok "$asked: names the recording that would do" has "--mode exact" err.txt
done
exits 125 "$faultline" record --mode sample --event no-such-event -o x.flt -- true
has "libpfm4 says" err.txt || { echo "not ok: an unknown event: who says so"; failed=1; }
exits 125 "$faultline" record --period 7 -o x.flt -- true
exit $failed
