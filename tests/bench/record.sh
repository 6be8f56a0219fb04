#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record.sh FAULTLINE: what recording costs, for programs that are installed: wall seconds, medians of 3.
set -eu
faultline=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

awk 'BEGIN { for (i = 0; i < 100000; i++) print (i * 179424673) % 100003 }' >numbers
for i in $(seq 400); do
    echo "int f$i(int a, int b) { int s = 0; for (int i = 0; i < a; i++) s += (i * b) ^ $i; return s; }"
done >big.c
{
    echo "create table t(a integer primary key, b text); begin;"
    for i in $(seq 20000); do echo "insert into t values($i, 'row$((i * 7919 % 20011))');"; done
    echo "commit; create index i on t(b); select count(*), max(b) from t;"
} >q.sql

seconds() { # seconds COMMAND...: median wall time of 3 runs
    local start end
    for _ in 1 2 3; do
        start=$(date +%s%N)
        "$@" >/dev/null 2>&1
        end=$(date +%s%N)
        echo $(((end - start) / 10000000))
    done | sort -n | sed -n 2p | awk '{ printf "%.2f", $1 / 100 }'
}
cost() { # cost NAME COMMAND...
    local name=$1
    shift
    command -v "$1" >/dev/null || { echo "$name: not installed"; return; }
    local native events exact data
    native=$(seconds "$@")
    events=$(seconds "$faultline" record -q --mode events -o events.flt -- "$@")
    exact=$(seconds "$faultline" record -q -o exact.flt -- "$@")
    data=$("$faultline" info --json exact.flt | sed -n 's/^ "\(reads\|writes\)": \([0-9]*\).*/\2/p' |
        awk '{ n += $1 } END { print n }')
    printf '%-10s native %6s  events %6s  exact %6s  %12d data accesses  %10d bytes  %.3f bytes each\n' \
        "$name" "$native" "$events" "$exact" "$data" "$(stat -c %s exact.flt)" \
        "$(awk -v b="$(stat -c %s exact.flt)" -v n="$data" 'BEGIN { print b / n }')"
}
cost ls ls -lR /usr/share/doc
cost sort sort -n -o /dev/null numbers
cost gcc gcc -O1 -c big.c -o big.o
cost python3 /usr/bin/python3 -c 'd = {i: str(i) for i in range(100000)}'
cost sqlite3 sqlite3 :memory: '.read q.sql'
