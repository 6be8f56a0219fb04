#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh [DIR] - from a fresh clone to a report: install, build, record a real program, replay, report.
set -eu
cd "$(dirname "$0")/.."
out=${1:-report}

sh tests/install-deps.sh
cmake --preset release >/dev/null
cmake --build --preset release
faultline=$PWD/build/release/bin/faultline

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# 400,000 numbers, shuffled by a fixed rule: 2.7 MB, the same on every machine.
awk 'BEGIN { for (i = 0; i < 400000; i++) print (i * 179424673) % 400009 }' >"$work/numbers"

echo "recording: sort of 400,000 numbers, access by access" >&2
"$faultline" record -o "$work/sort.flt" -- sort -n -o "$work/sorted" "$work/numbers"
"$faultline" replay "$work/sort.flt" --ram 50% --policy clock -o "$work/clock.json"
"$faultline" report "$work/sort.flt" -o "$out"
