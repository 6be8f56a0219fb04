#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source-path=SCRIPTDIR disable=SC2016 # Markdown's quotes
# record.sh FAULTLINE [programs] [workloads] [faults]: what recording costs, as Markdown tables; all
# three unless said. Medians of RUNS (default 3) rounds; a round runs every variant once, in turn.
set -eu
faultline=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
shift
RUNS=${RUNS:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
. "$here/workloads.sh"
TIMEFORMAT='%U %S %R'

# The modes: name, then the options of record. A new mode is a new line.
MODES=(
    "events --mode events"
    "exact --mode exact"
)

need() { # need NAME PROGRAM...: say why NAME is left out, and fail, when a program is missing
    local name=$1 program
    shift
    for program; do
        command -v "$program" >/dev/null && continue
        echo "$name: left out, $program is not installed"
        return 1
    done
}

once() { # once VARIANT COMMAND...: append "CPU WALL" seconds of a run to VARIANT.times
    local variant=$1
    shift
    { time "$@" >out 2>err; } 2>time.txt || { echo "failed: $*" >&2; cat err >&2; }
    tail -n1 time.txt | awk '{ print $1 + $2, $3 }' >>"$variant.times"
}
median() { # median VARIANT FIELD
    awk -v f="$2" '{ print $f }' "$1.times" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
key() { # key TRACE NAME: a total
    "$faultline" info --json "$1" | sed -n "s/^ *\"$2\": \([0-9]*\).*/\1/p" | head -n1
}
calc() { awk "BEGIN { printf \"$1\", $2 }"; }

machine() {
    echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1), $(nproc) processors," \
        "Linux $(uname -r); $("$faultline" --version | head -n1); medians of $RUNS, $(date +%F)"
}

make_programs() {
    awk 'BEGIN { for (i = 0; i < 100000; i++) print (i * 179424673) % 100003 }' >numbers
    for i in $(seq 100); do
        echo "int f$i(int a, int b) { int s = 0; for (int i = 0; i < a; i++) s += (i * b) ^ $i; return s; }"
    done >functions.c
    echo "create table t(a integer primary key, b text); begin;" >q.sql
    for i in $(seq 20000); do echo "insert into t values($i, 'row$((i * 7919 % 20011))');"; done >>q.sql
    echo "commit; create index i on t(b); select count(*), max(b) from t;" >>q.sql
}

program() { # program NAME COMMAND...: a row for each mode
    local name=$1 mode label options
    shift
    need "$name" "$1" || return 0
    rm -f ./*.times
    for _ in $(seq "$RUNS"); do
        once native "$@"
        if command -v valgrind >/dev/null; then
            once none valgrind -q --tool=none --trace-children=yes "$@"
        fi
        for mode in "${MODES[@]}"; do
            read -r label options <<<"$mode"
            # shellcheck disable=SC2086 # options are words
            once "$label" "$faultline" record -q $options -o "$label.flt" -- "$@"
        done
    done
    for mode in "${MODES[@]}"; do
        row "$name" "${mode%% *}"
    done
}

row() { # row NAME MODE
    local trace=$2.flt bytes accesses size none=-
    bytes=$(stat -c %s "$trace")
    accesses=$(($(key "$trace" reads) + $(key "$trace" writes) + $(key "$trace" fetches)))
    if [ "$accesses" -gt 0 ]; then
        size="$(calc %.0f "$bytes / $accesses * 1e6") a million accesses"
    else
        size="$(calc %.0f "$bytes / $(key "$trace" events) * 1e3") a thousand events"
    fi
    [ -f none.times ] && none=$(calc %.2f "$(median "$2" 1) / $(median none 1)")
    printf '| %s | %s | %.2f | %.2f | %.1f | %.1f | %s | %s | %s |\n' "$1" "$2" "$(median native 1)" \
        "$(median "$2" 1)" "$(calc %f "$(median "$2" 1) / ($(median native 1) + 1e-3)")" \
        "$(calc %f "$(median "$2" 2) / ($(median native 2) + 1e-3)")" "$none" "$size" "$(key "$trace" lost_events)"
}

programs() {
    make_programs
    echo "| program | mode | native, CPU s | recorded, CPU s | CPU, times native | elapsed, times native | CPU, times \`valgrind --tool=none\` | trace bytes | lost |"
    echo "|---|---|---|---|---|---|---|---|---|"
    program ls ls -lR /usr/share/doc
    program sort sort -n -o /dev/null numbers
    program gcc gcc -O1 -c functions.c -o functions.o
    program python3 /usr/bin/python3 -c 'd = {i: str(i) for i in range(100000)}'
    program sqlite3 sqlite3 :memory: '.read q.sql'
}

workloads() {
    need workloads valgrind || return 0
    make_workloads "$here"
    echo "| workload | native, CPU s | \`--tool=none\`, CPU s | exact, CPU s | times none | data accesses | bytes each |"
    echo "|---|---|---|---|---|---|---|"
    local name data all_data=0 all_bytes=0
    for name in ${WORKLOAD:-$WORKLOADS}; do
        # shellcheck disable=SC2046 # a list
        need "$name" $(workload_needs "$name") || continue
        rm -f ./*.times
        for _ in $(seq "$RUNS"); do
            once native workload "$name"
            once none workload "$name" valgrind -q --tool=none --trace-children=yes
            once exact workload "$name" "$faultline" record -q -o w.flt --
        done
        data=$(($(key w.flt reads) + $(key w.flt writes)))
        all_data=$((all_data + data))
        all_bytes=$((all_bytes + $(stat -c %s w.flt)))
        printf '| %s | %.2f | %.2f | %.2f | %.2f | %s | %s |\n' "$name" "$(median native 1)" "$(median none 1)" \
            "$(median exact 1)" "$(calc %f "$(median exact 1) / $(median none 1)")" "$data" \
            "$(calc %.4f "$(stat -c %s w.flt) / $data")"
    done
    echo
    echo "All together: $(calc %.3f "$all_bytes / $all_data") bytes a data access. Scale 1/$SCALE."
}

# First touch of 1 GiB page by page, beside perf.
faults() {
    need faults perf "${CC:-cc}" || return 0
    "${CC:-cc}" -O2 -o known_faults "$here/../workload/known_faults.c"
    rm -f ./*.times
    for _ in $(seq "$RUNS"); do
        once perf perf record -q -e page-faults -c 1 -d -o perf.data ./known_faults 262144
        once events "$faultline" record -q --mode events -o f.flt -- ./known_faults 262144
    done
    printf 'First touch of 1 GiB: `perf record -e page-faults -c 1 -d` %.2f CPU s, %d bytes; ' \
        "$(median perf 1)" "$(stat -c %s perf.data)"
    printf '`record --mode events` %.2f CPU s, %d bytes, %d minor faults, %d lost: CPU %.2f times, size %.3f times.\n' \
        "$(median events 1)" "$(stat -c %s f.flt)" "$(key f.flt minor)" "$(key f.flt lost_events)" \
        "$(calc %f "$(median events 1) / $(median perf 1)")" \
        "$(calc %f "$(stat -c %s f.flt) / $(stat -c %s perf.data)")"
}

machine
[ $# -gt 0 ] || set -- programs workloads faults
for part; do
    echo
    "$part"
done
