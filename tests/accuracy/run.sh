#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [OPTION...] FAULTLINE BIN OUT [WORKLOAD...]: validate every workload of the suite, the held-out
# ones included, or only those named. As root, with swap off; hours for all of it.
#   FAULTLINE  the program        BIN  the folder of the suite's programs (build/NAME/accuracy)
#   OUT        where WORKLOAD.SWAP.json go, with WORKLOAD.SWAP.log beside it; OUT/work has inputs
#              and recordings, one a workload, and may be deleted afterwards
#   --swap LIST     kinds of swap, one after the other (zram,file)
#   --runs N        kernel runs at each limit (5)
#   --ram LIST      limits, as validate takes them (five from 40 % to 95 % of the peak)
#   --cap TIME      give up a limit where one run takes longer (5m): it has no numbers then
#   --cap-all SECS  give up a workload that takes longer in all (3600)
#   --before CMD    words to put before each validate, as `flock FILE`; their waiting is not in SECS
#   --options WORDS more options for validate
# What faults and swapping cost this machine is measured first, once for each kind of swap, and told
# the model: OUT/costs.SWAP.
# What has its JSON already is left alone, so the same command goes on where it stopped; what was given
# up has OUT/WORKLOAD.SWAP.skipped with the reason, and is tried again when that file is deleted.
# Exit: 0 nothing failed (given up and not installed are no failures), 1 something did, 2 usage.
set -u
here=$(cd "$(dirname "$0")" && pwd)
swaps=zram,file runs=5 ram= cap=5m cap_all=3600 before= options=
usage() {
    sed -n '3,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --*) [ $# -ge 2 ] || usage ;;
    esac
    case $1 in
    --swap) swaps=$2 ;;
    --runs) runs=$2 ;;
    --ram) ram=$2 ;;
    --cap) cap=$2 ;;
    --cap-all) cap_all=$2 ;;
    --before) before=$2 ;;
    --options) options=$2 ;;
    -*) usage ;;
    *) break ;;
    esac
    shift 2
done
[ $# -ge 3 ] || usage
faultline=$(realpath "$1") FAULTLINE_ACCURACY_BIN=$(realpath "$2") out=$3
[ -x "$faultline" ] && [ -d "$FAULTLINE_ACCURACY_BIN" ] || usage
export FAULTLINE_ACCURACY_BIN
shift 3
mkdir -p "$out/work" || exit 2
out=$(realpath "$out")
failures=0

script_of() { # script_of WORKLOAD: its script
    local dir
    for dir in "$here" "$here/heldout"; do
        [ -f "$dir/$1.sh" ] && echo "$dir/$1.sh" && return
    done
    return 1
}
every() { # the names of all workloads
    local script
    for script in "$here"/*.sh "$here"/heldout/*.sh; do
        case $(basename "$script" .sh) in
        common | check | run | table | vm) ;;
        *) basename "$script" .sh ;;
        esac
    done
}
say() { echo "$(date +%H:%M:%S) $*"; }

# prepared WORKLOAD: its inputs are made and $line is its command; else $why says why not
prepared() {
    local dir=$out/work/$1 script status
    script=$(script_of "$1") || { why="no such workload"; return 1; }
    mkdir -p "$dir"
    if [ ! -e "$dir.prepared" ]; then
        sh "$script" prepare "$dir" 2>"$dir.why"
        status=$?
        [ $status = 0 ] || { why="prepare ended with $status: $(tail -1 "$dir.why")"; return $status; }
        touch "$dir.prepared"
    fi
    line=$(sh "$script" command "$dir" 2>"$dir.why")
    status=$?
    [ $status = 0 ] || why="no command: $(tail -1 "$dir.why")"
    return $status
}

# calibrated SWAP: OUT/costs.SWAP is there
calibrated() {
    [ -e "$out/costs.$1" ] || $before "$faultline" calibrate --swap "$1" -o "$out/costs.$1" >/dev/null
}

# point WORKLOAD SWAP: one validate, all limits
point() {
    local to=$out/$1.$2 trace=$out/work/$1.flt keep status start=$SECONDS
    [ -e "$to.json" ] && say "$1 $2: is there" && return
    [ -e "$to.skipped" ] && say "$1 $2: given up before: $(cat "$to.skipped")" && return
    calibrated "$2" || { failures=$((failures + 1)); return; }
    prepared "$1"
    status=$?
    if [ $status != 0 ]; then
        say "$1 $2: $why"
        [ $status = 77 ] && echo "$why" >"$to.skipped" || failures=$((failures + 1))
        return
    fi
    keep="--trace $trace"
    [ -e "$trace" ] || keep="--save-trace $trace.new"
    # shellcheck disable=SC2086
    $before timeout -k 60 "$cap_all" "$faultline" validate --swap "$2" --runs "$runs" --timeout "$cap" \
        --costs "$out/costs.$2" \
        ${ram:+--ram "$ram"} $options $keep -o "$to.json" -- $line >"$to.log" 2>&1 </dev/null
    status=$?
    [ -e "$trace.new" ] && "$faultline" check "$trace.new" >/dev/null 2>&1 && mv "$trace.new" "$trace"
    case $status in
    0) say "$1 $2: done in $((SECONDS - start)) s" ;;
    124 | 137)
        echo "not done within $cap_all s" >"$to.skipped"
        say "$1 $2: given up: not done within $cap_all s"
        ;;
    *)
        if grep -q -- '--timeout even without' "$to.log"; then
            echo "takes longer than $cap without a limit" >"$to.skipped"
        else
            failures=$((failures + 1))
        fi
        say "$1 $2: exit status $status: $(tail -1 "$to.log")"
        ;;
    esac
}

[ $# -gt 0 ] || set -- $(every)
for workload; do
    for swap in ${swaps//,/ }; do
        point "$workload" "$swap"
    done
done
say "$(find "$out" -maxdepth 1 -name '*.json' | wc -l) results in $out, $failures failures"
[ $failures = 0 ]
