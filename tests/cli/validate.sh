#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# validate from outside: real limits, real swap, and nothing left behind, even by kill -9.
# Usage: validate.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this machine does not let us (the reason is printed).
set -u
faultline=$(realpath "$1")
workloads=$(realpath "$2")
command -v jq >/dev/null || { echo "skipped: no jq here"; exit 77; }
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

json() { # json FILE FILTER...: every filter is true of FILE
    local file=$1 filter
    shift
    for filter; do ok "$file: $filter" holds "$file" "$filter"; done
}
status() { # status N ARG...: exit status N, a line on stderr, nothing on stdout
    local want=$1 got
    shift
    "$faultline" validate "$@" >out 2>err
    got=$?
    ok "exit $want: $* ($got, $(head -1 err))" test $got = "$want" -a ! -s out -a "$(wc -l <err)" = 1
}

# ---- what needs no rights ----------------------------------------------------------
status 2 -- no-such-command-anywhere
status 2 --runs 0 -- true
status 2 --swap floppy -- true
status 2 --swap none:1M -- true
status 2 --cpus 3-1 -- true
status 2 --policy nosuch -- true
status 2 --timeout 0 -- true
status 2
status 2 --measured no.json
status 2 --measured no.json --trace no.flt -- true
status 1 --measured no.json --trace no.flt
status 1 --costs no-such-file -- true
if [ "$(id -u)" != 0 ]; then
    status 5 --runs 1 -- true
    echo "skipped: not root"
    [ $failed = 0 ] || exit 1
    exit 77
fi

# ---- can this machine do it? ----------------------------------------------------------
if [ "$(wc -l </proc/swaps)" -gt 1 ]; then
    echo "skipped: swap is on already: $(tail -1 /proc/swaps)"
    exit 77
fi
work=$workloads/thrash
"$faultline" validate --no-align --runs 1 --ram 4M --policy lru --json -- "$work" 2048 1 >probe.json 2>why
case $? in
0) ;;
5)
    echo "skipped: $(cat why)"
    exit 77
    ;;
*)
    cat why
    exit 1
    ;;
esac

# state: swap devices, zram devices, our groups, our files; pid $1's
state() {
    tail -n +2 /proc/swaps | sed 's/[[:space:]].*//'
    ls -d /sys/block/zram* 2>/dev/null
    find /sys/fs/cgroup -maxdepth 6 -type d -name "faultline-$1-*" 2>/dev/null
    ls -d /var/tmp/faultline-*"$1"* /tmp/faultline-*"$1"* 2>/dev/null | grep -v /faultline-plot- # charts of a test beside
    ls -d /run/faultline-cgroup-* /run/faultline-tracing-* 2>/dev/null
    ls -d /sys/kernel/tracing/instances/faultline-* 2>/dev/null
}
clean=$(state nobody)
no_zero='(.kernel.swap_in_zero + .kernel.swap_out_zero | add) == 0'

# ---- zram and a file: the kernel's counts hang together, and near what lru says ---------
for kind in auto file; do
    # 2048 pages in room for 1230 of them and their tables, and for 2048 and more
    "$faultline" validate --no-align --runs 2 --ram 5M,16M --swap $kind --policy lru,clock -o $kind.json -- \
        "$work" 2048 3 >out 2>err
    ok "--swap $kind: exit 0, silent" test $? = 0 -a ! -s out -a ! -s err
    json $kind.json '.schema == "faultline.validate/1"' \
        '[.points[].ram_bytes] == [5242880, 16777216]' \
        '.native.status == 0 and .native.minor > 2048 and .native.peak_bytes > 2048 * 4096' \
        '[.points[].kernel[("minor", "major", "swap_in", "swap_out", "oom")] | length] | unique == [2]' \
        '[.points[].kernel.oom[], .points[].kernel.outlived[], .points[].kernel.status[]] | unique == [0]' \
        '.points[0] | '"$no_zero" \
        '[.points[0].kernel.minor[] | . > 2048 and . < 3000] | all' \
        '[.points[0].kernel.major[] > 1000] | all' \
        '.points[0].kernel | [.swap_in[0] >= .major[0], .swap_out[0] >= 800] | all' \
        '.points[0].kernel.peak_bytes[0] <= 5242880' \
        '[.points[1].kernel[("major", "swap_in", "swap_out")][]] | unique == [0]' \
        '.points[1].error_pct.major == 0' \
        '.points[0].predicted == (.points[0].policies.lru | {minor, major, swap_in, swap_out, oom})' \
        '.points[0].policies.clock.major > 1000' \
        '.points[0].error_pct.major | fabs < 50' \
        '.swap.was_on == false and .swap.bytes >= 67108864 - 4096' \
        '.trace.fidelity == "exact" and .quality != null'
    ok "--swap $kind: nothing is left" test "$(state x)" = "$clean"
done
json file.json '.swap.kind == "file"' '.aligned == false' '[.quality[].flag] | index("unaligned")'

# ---- the kernel's own policy, runs at phases of the kernel's flushes: bounds no noise can reach ----
phases='.points[0].kernel.first_flush_ns | (.[0] - .[1]) > 3e8 and .[0] < 4e9'
for _ in 1 2 3; do # a busy machine may start a run too late for its phase
    "$faultline" validate --runs 2 --ram 5M --save-trace linux.flt -o linux.json -- "$work" 2048 3 >out 2>err
    status=$?
    holds linux.json "(.aligned | not) or ($phases)" && break
done
ok "policy linux: exit 0, silent" test $status = 0 -a ! -s out -a ! -s err
json linux.json '.policy == "linux" and .access_ps >= 20 and .native.cpu_ns > 0' \
    '.points[0] | .predicted == (.policies.linux | {minor, major, swap_in, swap_out, oom})' \
    '.points[0].predicted_runs[("minor", "major", "swap_in", "swap_out", "oom", "first_flush_ms")] | length == 2' \
    '.points[0].outcome | .agrees and .comparable and .kernel_killed == 0 and .predicted_killed == 0' \
    '[.points[0].error_pct[("minor", "major", "swap_in", "swap_out")] | fabs < 50] | all'
if holds linux.json .aligned; then # at 0.5 and 1.5 s, so flushed 1.5 and 0.5 s later
    json linux.json "$phases" \
        '.points[0] | [.kernel.first_flush_ns[] / 1e6 | floor] == .predicted_runs.first_flush_ms' \
        '.points[0].kernel | [.flushes[] | length > 0 and .[0].moved < 1e6 or length == 0] | all' \
        '.points[0].kernel | [.moved, .major, .swap_in, .swap_out] | transpose |
             map(.[0] >= .[1] + .[2] + .[3]) | all'
else
    echo "not tried: phases: $(jq -r '.quality[] | select(.flag == "unaligned").detail' linux.json)"
    json linux.json '.points[0].predicted_runs.first_flush_ms == [500, 1500]'
fi
"$faultline" validate --measured linux.json --trace linux.flt -o again.json
ok "--measured gives the same result again" test "$(jq -S . linux.json)" = "$(jq -S . again.json)"
"$faultline" validate --measured linux.json --trace linux.flt --policy lru >again.txt
ok "--measured with another policy: a table of it" grep -qE '^5.0 MiB +minor' again.txt
ok "--measured with another policy: that one in its head" \
    test "$(grep -c '^RAM .* lru' again.txt) $(grep -c '^RAM .* linux' again.txt)" = "1 0"
ok "policy linux: nothing is left" test "$(state x)" = "$clean"

# ---- out of memory, processes left behind, a time limit -----------------------------------
"$faultline" validate --no-align --runs 1 --ram 2M --swap none --json -- "$work" 2048 1 >oom.json
json oom.json '.swap.kind == "none"' '.points[0].kernel.oom == [1] and .points[0].predicted.oom == 1' \
    '.points[0].kernel.status == [137] and .points[0].error_pct.oom == 0' \
    '[.points[0].kernel.oom_victims[].comm] == ["thrash"]'
"$faultline" validate --no-align --runs 1 --ram 16M --swap none --save-trace kept.flt --json -- \
    sh -c 'sleep 1 & exit 3' >left.json
json left.json '[.quality[].flag] | index("outlived") and index("failed_command")' \
    '.native.status == 3 and .points[0].kernel.outlived == [1]'
ok "--save-trace keeps the recording" "$faultline" check kept.flt
# without swapping it takes some 20 ms, with more than a million swap-ins seconds, if it is not killed
# for want of memory after some tenths of one
"$faultline" validate --no-align --runs 2 --ram 4M --swap auto --timeout 150ms --trace kept.flt --json -- \
    "$work" 4096 400 >time.json 2>err
case $? in
0) json time.json '.points[0].kernel | .timeouts == 1 and .major == []' '.points[0].error_pct.major == null' \
    '[.quality[].flag] | index("timeout") and index("other_command")' ;;
*) ok "--timeout: too slow here even without a limit" grep -q -- --timeout err ;;
esac
ok "all of that left nothing" test "$(state x)" = "$clean"

# ---- files that left the page cache since the recording are read again before each run -------------
head -c 1M /dev/urandom >input
sync input
cat input >/dev/null
"$faultline" record -o warm.flt -- cat input >/dev/null 2>&1
dropping='fincore --bytes --noheadings -o PAGES input >>found; dd if=input iflag=nocache count=0 status=none'
"$faultline" validate --no-align --trace warm.flt --ram 16M --runs 2 --policy lru -o warm.json -- sh -c "$dropping"
found=$(tr -d ' ' <found | tr '\n' ' ')
case $found in
"256 0 "*) ok "runs find the files that the recording did ($found)" test "$found" = "256 0 256 256 " ;;
*) echo "not tried: warm files: here they do not leave the page cache when asked to" ;;
esac

# ---- signals: nothing printed, nothing left ---------------------------------------------------
# begin: a validate far too long, in the background; returns when its swap is on
begin() {
    local i
    "$faultline" validate --runs 1000 --ram 4M --json -- "$work" 2048 20 >out 2>err &
    pid=$!
    for ((i = 0; i < 200; i++)); do
        [ "$(wc -l </proc/swaps)" -gt 1 ] && return 0
        sleep 0.05
    done
    return 1
}
# settled: waits until what validate PID made is gone; at most 10 s
settled() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ "$(state "$1")" = "$clean" ] && return 0
        sleep 0.1
    done
    state "$1"
    return 1
}
for signal in TERM KILL; do
    ok "$signal: runs" begin
    sleep 0.3
    status 5 --runs 1 -- true # only one at a time
    children=$(pgrep -P "$pid" | tr '\n' ' ')
    kill -$signal $pid
    wait $pid 2>/dev/null
    code=$?
    ok "$signal: nothing on stdout" test ! -s out
    ok "$signal: swap, groups and files are gone" settled $pid
    sleep 0.1
    for child in $children; do
        ok "$signal: process $child is gone" \
            test "$(ps -o stat= -p "$child" | tr -d ' ' | cut -c1)" = "" -o \
            "$(ps -o stat= -p "$child" | cut -c1)" = Z
    done
    [ $signal = KILL ] || ok "$signal: exit status 1, with a reason" test $code = 1 -a -s err
done
"$faultline" validate --no-align --runs 1 --ram 4M --policy lru -- "$work" 2048 1 >table 2>err
ok "the next one works" test $? = 0
ok "a table with both" grep -qE '^4.0 MiB +minor +[0-9,]+ +[0-9,]+ \.\. [0-9,]+ +[0-9,]+ +[-+][0-9.]+ %' table
echo "took $SECONDS s"
exit $failed
