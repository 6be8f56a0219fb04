#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh BIN [all]: every workload of the suite keeps common.sh's interface, and the programs in BIN
# do the same twice, small. With `all`, every workload is run twice at its own size as well (a minute).
set -u
here=$(cd "$(dirname "$0")" && pwd)
FAULTLINE_ACCURACY_BIN=$(cd "${1:?usage: check.sh BIN [all]}" && pwd) || exit 2
export FAULTLINE_ACCURACY_BIN
all=${2:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0
fail() {
    echo "FAIL $*"
    failures=$((failures + 1))
}

same() { # same NAME ARG...: the program prints the same twice, and not nothing
    local first second
    first=$("$FAULTLINE_ACCURACY_BIN/$@") || fail "$*: status $?"
    second=$("$FAULTLINE_ACCURACY_BIN/$@") || fail "$*: status $?"
    [ -n "$first" ] && [ "$first" = "$second" ] || fail "$*: printed '$first', then '$second'"
}
same random 300 2000
same cyclic 300 3
same zipf 300 2000
same phases 300 2
same forking 300 2000
same mapped both "$dir/file" 200 300 2000
same mapped use "$dir/file" 300 2000
same radix 50000
[ "$("$FAULTLINE_ACCURACY_BIN/shared" 200 300 4 | sort | uniq | wc -l)" = 2 ] || fail "shared: not two sums"
[ "$(stat -c %s "$dir/file")" = $((200 * 4096)) ] || fail "mapped: the file has not the size asked for"
# Another seed or pattern is another sum: the sums do depend on what is done.
[ "$("$FAULTLINE_ACCURACY_BIN/random" 300 2000)" != "$("$FAULTLINE_ACCURACY_BIN/random" 300 2001)" ] ||
    fail "random: one more access does not change the sum"

workloads=0
for script in "$here"/*.sh "$here"/heldout/*.sh; do
    name=$(basename "$script" .sh)
    case $name in common | check | run | table | vm) continue ;; esac
    workloads=$((workloads + 1))
    mkdir "$dir/$name"
    line=$(sh "$script" command "$dir/$name")
    status=$?
    [ $status = 77 ] && continue # what is missing has been said
    [ $status = 0 ] || fail "$name: command ended with $status"
    [ -n "$line" ] && [ "$(echo "$line" | wc -l)" = 1 ] || fail "$name: the command is not one line: $line"
    [ -x "${line%% *}" ] || fail "$name: ${line%% *} is not a program"
    sh "$script" run "$dir/none" 2>/dev/null
    [ $? = 2 ] || fail "$name: takes a folder that is not there"
    if [ "$all" = all ]; then
        sh "$script" prepare "$dir/$name" || fail "$name: prepare ended with $?"
        sh "$script" run "$dir/$name" >"$dir/first" 2>&1 || fail "$name: run ended with $?"
        sh "$script" run "$dir/$name" >"$dir/second" 2>&1 || fail "$name: second run ended with $?"
        cmp "$dir/first" "$dir/second" || fail "$name: two runs print different things"
        rm -rf "${dir:?}/$name"
    fi
done
# The tables: one limit at half of the peak, 10 % too many majors, swap-ins in range, no lru, one kill.
if command -v jq >/dev/null; then
    mkdir "$dir/out"
    jq -n '{minor: 0, major: 10, swap_in: -20} as $error |
        {kernel_runs: 3, kernel_killed: 1, predicted_runs: 3, predicted_killed: 0, agrees: true, comparable: true} as $outcome |
        {minor: true, major: false, swap_in: true} as $in |
        {min: 9, median: 1000, max: 1234567, runs: 2} as $spread |
        {native: {peak_bytes: 2000}, policy: "linux", quality: [{flag: "damon"}], points: [{ram_bytes: 1000,
            $outcome, spread: {minor: $spread, major: $spread, swap_in: $spread}, in_range: $in,
            predicted: {minor: 1000, major: 1100, swap_in: 800},
            policies: {linux: {$outcome, error_pct: $error, in_range: $in}}}]}' >"$dir/out/made.zram.json"
    echo "no time" >"$dir/out/made.file.skipped"
    bash "$here/table.sh" "$dir/out" >"$dir/tables"
    for line in '### Swap: zram' '| major | linux | 1 | 10.0 % | 10.0 % (made, 50 %) | 10.0 % (made, 50 %) |' \
        '| swap_in | linux | 1 | 20.0 % | 20.0 % (made, 50 %) | – |' '| major | lru | 0 | – | – | – |' \
        '| made | 50 % | 1,000 [9 .. 1,234,567] | 1,100 (+10.0 %) | – | – | 1,000 [9 .. 1,234,567] | 800 (in range) | – | – | 1,000 [9 .. 1,234,567] | 1,000 (in range) | 1/3 | 0/3 |' \
        'OOM kills: foretold as the kernel did at 1 of 1 limits. At 1 the kernel killed in some runs only.' \
        '- made.file: no time' '- made.zram: damon'; do
        grep -qFx -- "$line" "$dir/tables" || fail "the tables lack: $line"
    done
fi
[ $workloads -ge 13 ] || fail "only $workloads workloads found"
echo "$workloads workloads, $failures failures"
[ $failures = 0 ]
