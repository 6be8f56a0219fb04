#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: report.sh FAULTLINE WORKLOADS. Reports and charts, from outside.
set -u
faultline=${1:?usage: report.sh FAULTLINE WORKLOADS}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0
check() { # check WHAT COMMAND...: the command must succeed
    local what=$1
    shift
    "$@" || { echo "not so: $what"; bad=$((bad + 1)); }
}
status() { # status WANT COMMAND...: the command must exit so, with one line on stderr if not 0
    local want=$1 got
    shift
    "$@" >out.txt 2>err.txt
    got=$?
    [ $got -eq "$want" ] || { echo "$*: exit $got, not $want"; cat err.txt; bad=$((bad + 1)); }
    [ "$want" -eq 0 ] || [ "$(wc -l <err.txt)" -eq 1 ] || { echo "$*: stderr:"; cat err.txt; bad=$((bad + 1)); }
}
has() { grep -qF -- "$1" "$2"; }
lacks() { [ -s "$2" ] && ! grep -qF -- "$1" "$2"; }

# 40 pages around and around, ten times: LRU with fewer frames misses every time.
python3 - <<'P' || exit 77
import struct
with open('loop.pages', 'wb') as f:
    for turn in range(10):
        for page in range(40):
            f.write(struct.pack('<Q', page | 1 << 63))
P
status 0 "$faultline" import --from pages loop.pages -o loop.flt
status 0 "$faultline" report loop.flt --ram 80K -o out
check "stdout names the page" test "$(head -1 out.txt)" = out/index.html
check "20 frames of LRU: 40 first touches, 360 misses" has "40 minor, 360 major" out.txt
check "the curve ends at 160 KiB" has "160 KiB" out.txt
check "the page has no script" lacks "<script" out/index.html
check "the page loads nothing" lacks 'src="' out/index.html
check "the JSON says its schema" has '"faultline.report/1"' out/report.json
check "the JSON says its source" has '"source": "model"' out/report.json
check "the Markdown has a table" has '| Major faults | 360 |' out/report.md
check "no temporary file is left" test -z "$(find out -name '*.svg.*' -o -name '*.html.*' -o -name '*.json.*')"
if command -v xmllint >/dev/null; then
    check "the page is well-formed" xmllint --noout out/index.html
fi
if command -v gnuplot >/dev/null; then
    check "three charts" test "$(ls out/charts)" = "$(printf 'curve.svg\nfaults.svg\nresident.svg')"
    check "charts are in the page" has '<svg' out/index.html
    status 0 "$faultline" plot curve out/report.json -o curve.svg
    check "plot draws what the report has" cmp -s <(sed s/curve//g curve.svg) <(sed s/curve//g out/charts/curve.svg)
    status 0 "$faultline" plot resident out/report.json --term
    check "a terminal gets the finding" has "resident set" out.txt
    status 2 "$faultline" plot curve out/report.json -o curve.bmp
    status 0 "$faultline" report loop.flt --ram 80K -o again
    sed 's/-o again/-o out/' again/index.html >again.html
    check "same trace, same options, same bytes" cmp -s again.html out/index.html
fi

# Without gnuplot: all but the charts, one line that names the package.
mkdir empty
status 0 env PATH="$dir/empty" "$faultline" report loop.flt --ram 80K -o bare
check "one line on stderr" test "$(wc -l <err.txt)" -eq 1
check "it names the package" has gnuplot-nox err.txt
check "the page is there" test -s bare/index.html

# A replay's result finds its trace again; a changed trace gives no curve, and says so.
status 0 "$faultline" replay loop.flt --ram 80K -o r.json
status 0 "$faultline" report r.json --json
check "the curve came from the trace" has '"faultline.sweep/1"' out.txt
sed 's/"sha256": *"./"sha256": "x/' r.json >changed.json
status 0 "$faultline" report changed.json -o changed
check "why there is no curve" has "has changed since the replay" changed/report.md

# A report that cannot be written whole leaves what was there, and no more: files of at most
# 128 KiB, which index.html with its charts is not; then something in its place.
if command -v gnuplot >/dev/null; then
    full() { (trap '' XFSZ && ulimit -f 128 && exec "$faultline" "$@"); }
    sums() { find "$1" -type f -exec md5sum {} + | sort; find "$1" -type d | sort; }
    status 1 full report loop.flt --ram 80K -o fresh/deep
    check "the message says why" has "File too large" err.txt
    check "no new folder is left" test ! -e fresh
    mkdir mine
    status 1 full report loop.flt --ram 80K -o mine
    check "a folder that was there stays, empty" test -z "$(ls -A mine)"
    mkdir mine/index.html
    status 1 "$faultline" report loop.flt --ram 80K -o mine
    check "and so with a folder in the way" test "$(ls -A mine)" = index.html
    sums out >before.txt
    status 1 full report loop.flt --ram 40K -o out
    check "an older report stays whole" cmp -s before.txt <(sums out)
fi

# Damaged and foreign documents.
head -c 100 r.json >cut.json
echo '{"schema":"other/1"}' >foreign.json
sed 's/"minor": *[0-9]*/"minor": "many"/' r.json >typed.json
for f in cut.json foreign.json typed.json; do
    status 1 "$faultline" report $f -o no
    check "$f is named" has "$f" err.txt
    status 1 "$faultline" plot faults $f -o no.svg
done
check "nothing was written" test ! -e no -a ! -e no.svg
status 1 "$faultline" report nothing.flt -o no
status 2 "$faultline" report r.json
status 2 "$faultline" plot pie r.json

[ $bad -eq 0 ] && echo "report: all as it should be"
[ $bad -eq 0 ]
