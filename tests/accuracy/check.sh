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
    case $name in common | check | run | table) continue ;; esac
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
[ $workloads -ge 13 ] || fail "only $workloads workloads found"
echo "$workloads workloads, $failures failures"
[ $failures = 0 ]
