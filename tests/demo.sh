#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh [DIR] - from a fresh clone to a report: install, build, record a real program, replay, report, advise.
set -eu
cd "$(dirname "$0")/.."
out=${1:-report}

sh tests/install-deps.sh
cmake --preset release -DFAULTLINE_TESTS=OFF >/dev/null
echo "building" >&2
cmake --build --preset release >/dev/null
faultline=$PWD/build/release/bin/faultline

work=$PWD/build/demo # the recording stays there, for more questions
mkdir -p "$work"
# 100,000 numbers, shuffled by a fixed rule: 590 kB, the same on every machine.
awk 'BEGIN { for (i = 0; i < 100000; i++) print (i * 179424673) % 100003 }' >"$work/numbers"

echo "recording: sort of 100,000 numbers, access by access" >&2
"$faultline" record -o "$work/sort.flt" -- sort -n -o "$work/sorted" "$work/numbers"
"$faultline" replay "$work/sort.flt" --ram 50% --policy clock -o "$work/clock.json"
"$faultline" report "$work/sort.flt" -o "$out"
"$faultline" advise "$work/sort.flt" --slowdown 10
