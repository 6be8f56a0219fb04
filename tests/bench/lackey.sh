#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lackey.sh FAULTLINE: reads, writes and instructions of exact recordings beside those of
# `valgrind --tool=lackey --trace-mem=yes` in the same environment, in parts per million. lackey's lines
# are counted once for each page they touch, as docs/exact-mode.md says the tracer does. Exit 1
# when reads or writes differ by more than 100 ppm.
set -eu
faultline=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
failed=0
awk 'BEGIN { for (i = 0; i < 20000; i++) print (i * 179424673) % 100003 }' >numbers
echo 'int f(int a, int b) { int s = 0; for (int i = 0; i < a; i++) s += i * b; return s; }' >one.c
cc1=$(gcc -print-prog-name=cc1 2>/dev/null || true)

# What Valgrind adds to a program's environment: the tracer takes it out again, so that our side gets it.
mapfile -t added < <(env -i PATH="$PATH" valgrind -q --tool=lackey --basic-counts=no env 2>/dev/null | grep ^LD_)

lackey_counts() { # of the command: reads writes instructions
    rm -f log
    mkfifo log
    awk '/^(I | L| S| M)/ {
            split($2, a, ","); n = length(a[1])
            low = 0
            for (i = n > 3 ? n - 2 : 1; i <= n; i++) low = low * 16 + index("0123456789abcdef", substr(a[1], i, 1)) - 1
            times = 1 + (low + a[2] > 4096)
            if ($1 == "I") fetches += times
            if ($1 == "L" || $1 == "M") reads += times
            if ($1 == "S" || $1 == "M") writes += times
        } END { printf "%d %d %d\n", reads, writes, fetches }' log >counts &
    env -i PATH="$PATH" LC_ALL=C valgrind --tool=lackey --trace-mem=yes --log-file=log "$@" >/dev/null 2>&1
    wait
    cat counts
}
compare() { # compare NAME COMMAND...
    local name=$1 theirs ours
    shift
    command -v "$1" >/dev/null || { echo "$name: left out, not installed"; return 0; }
    theirs=$(lackey_counts "$@")
    env -i PATH="$PATH" LC_ALL=C "${added[@]}" "$faultline" record -q -o t.flt -- "$@" >/dev/null
    ours=$("$faultline" info --json t.flt | sed -n 's/^ *"\(reads\|writes\|fetches\)": \([0-9]*\).*/\2/p' | head -n3 | tr '\n' ' ')
    echo "$name $theirs $ours" | awk '{
        printf "| %s |", $1
        for (i = 2; i <= 4; i++) { ppm = ($(i + 3) - $i) / $i * 1e6; printf " %d | %+.1f |", $i, ppm
            if (i < 4 && (ppm > 100 || ppm < -100)) bad = 1 }
        print ""; exit bad }' || failed=1
}
echo "| program | reads | ppm | writes | ppm | instructions | ppm |"
echo "|---|---|---|---|---|---|---|"
compare true /bin/true
compare ls ls -l /usr/share
compare sort sort -n --parallel=1 -o /dev/null numbers
compare cc1 "${cc1:-cc1}" -quiet -O1 one.c -o one.s
exit $failed
