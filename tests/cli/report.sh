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
check "the page has one script, which its policy names" test "$(grep -c '<script>' out/index.html)" -eq 1
check "the page loads nothing" lacks 'src="' out/index.html
check "the JSON says its schema" has '"faultline.report/1"' out/report.json
check "the JSON says its source" has '"source": "model"' out/report.json
check "the Markdown has a table" has '| Major faults | 360 |' out/report.md
check "no temporary file is left" test -z "$(find out -name '*.svg.*' -o -name '*.html.*' -o -name '*.json.*')"
if command -v xmllint >/dev/null; then
    check "the page is well-formed" xmllint --noout out/index.html
fi
if command -v gnuplot >/dev/null; then
    check "six charts" test "$(ls out/charts)" = "$(printf 'curve.svg\nfaults.svg\nheat.svg\nresident.svg\ntlb-reach.svg\nworking-set.svg')"
    check "charts are in the page" has '<svg' out/index.html
    status 0 "$faultline" plot curve out/report.json -o curve.svg
    check "plot draws what the report has" cmp -s <(sed s/curve//g curve.svg) <(sed s/curve//g out/charts/curve.svg)
    status 0 "$faultline" plot resident out/report.json --term
    check "a terminal gets the finding" has "resident set" out.txt
    for chart in curve faults resident; do
        status 0 "$faultline" plot $chart out/report.json --term
        check "$chart: characters alone" test -z "$(tr -d '\n -~' <out.txt)"
        check "$chart: no line is wider than a terminal" test -z "$(grep -E '.{79}' out.txt)"
        check "$chart: fidelity and quality are there" has "modelled from exact trace; quality" out.txt
        check "$chart: it ends with its last line" test "$(tail -c 2 out.txt | tr -d '\n' | wc -c)" -eq 1
    done
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

# Policy linux: its answer beside lru's, in the curve, and as the one that is asked.
check "the summary has linux's answer" has "Policy linux at 80.0 KiB of RAM" <("$faultline" report loop.flt --ram 80K -o out)
python3 - out/report.json <<'P' || { echo "not so: linux is in the curve, at the asked size too"; bad=$((bad + 1)); }
import json, sys
report = json.load(open(sys.argv[1]))
sizes = {}
for p in report['sweeps'][0]['points']:
    sizes.setdefault(p['policy'], []).append(p['ram_bytes'])
assert set(sizes) == {'lru', 'clock', 'opt', 'linux'}, sizes.keys()
assert 81920 in sizes['linux'] and 4 < len(sizes['linux']) < len(sizes['lru']), sizes
P
status 0 "$faultline" report loop.flt --ram 80K --policy linux --policies lru -o linux
check "the asked policy is in the curve" has '"policy": "linux"' <(sed -n '/"sweeps"/,$p' linux/report.json)
check "the page is linux's" has "under linux" out.txt
status 0 "$faultline" report loop.flt --ram 80K --policy mglru --policies lru --swap-device ssd -o mglru
# Five pages: too few for a group of the kernel's at most sizes, which is no reason to have no report.
python3 -c "
import struct
for p in [1,2,3,4,1,2,5,1,2,3,4,5]: open('b.pages', 'ab').write(struct.pack('<Q', p))"
status 0 "$faultline" import --from pages b.pages -o b.flt
status 0 "$faultline" report b.flt -o small
check "it has the textbook's curve" has '"policy": "clock"' small/report.json
"$faultline" policies >policies.txt
check "linux has its source" grep -q '^linux .*\[Linux 6' policies.txt
check "mglru has its source" grep -q '^mglru .*\[Linux 6' policies.txt

# What validate measured: chart, section, and points on the curve of the same program. Below, a
# program called like the trace's, whose kernel is killed at 60 KiB.
python3 - out/report.json <<'P' || exit 77
import json, sys
trace = json.load(open(sys.argv[1]))['results'][0]['trace']
def said(n, oom, agrees, error):
    counts = {k: n for k in ('minor', 'major', 'swap_in', 'swap_out')}
    return dict(counts, oom=oom, error_pct={k: error for k in counts},
                predicted_runs=dict({k: [n, n + 4] for k in counts}, oom=[oom, oom]),
                in_range={k: False for k in counts}, outcome={'agrees': agrees, 'comparable': agrees})
def point(kib, median, killed, linux, lru):
    spread = {k: {'min': median - 5, 'median': median, 'max': median + 5} for k in ('minor', 'major', 'swap_in', 'swap_out')}
    return {'ram_bytes': kib << 10, 'kernel': {'oom': [killed] * 3}, 'spread': spread,
            'policies': {'lru': lru, 'linux': linux}}
json.dump({'schema': 'faultline.validate/1', 'command': 'loop <b>', 'policy': 'linux', 'runs': 3,
           'trace': trace, 'host': {'kernel': '6.18.1'}, 'swap': {'kind': 'zram'},
           'points': [point(120, 200, 0, said(202, 0, True, 1.0), said(300, 0, True, 50.0)),
                      point(60, 100, 1, said(300, 0, False, None), said(300, 0, False, None)),
                      point(90, 300, 0, said(297, 0, True, -1.0), said(360, 0, True, 20.0))],
           'quality': [{'flag': 'damon', 'detail': 'd', 'remedy': 'r'}]}, open('v.json', 'w'))
P
status 0 "$faultline" report loop.flt v.json --ram 80K -o both
check "the section is in the page" has "Against the real kernel" both/index.html
check "and in the Markdown" has '| 90.0 KiB | major faults | 300 \[295 .. 305\] | 297 \[297 .. 301\] | -1.0 % |' both/report.md
check "who was killed" has '| 60.0 KiB | killed in | 3 of 3 runs | 0 of 2 | differs |' both/report.md
check "the summary says it" has "linux is 1.0 % off the kernel's major faults, lru 35 %" out.txt
check "wrong about a kill" has "wrong about kills at 1 of them" out.txt
check "its flags are listed" has "| damon |" both/report.md
check "its command is text" lacks "<b>" both/index.html
check "it is in the JSON" has '"validations"' both/report.json
check "the curve has the kernel's points" has "| kernel | kernel, least | kernel, most |" both/report.md
sed 's/"sha256": *"./"sha256": "x/' v.json >strange.json
status 0 "$faultline" report loop.flt strange.json --ram 80K -o strange
check "but only its own program's" lacks "| kernel, least |" strange/report.md
status 0 "$faultline" report v.json -o alone
check "alone it is a report too" has "loop" alone/report.md
status 0 "$faultline" report both/report.json -o again2
check "a report brings it along" has "Against the real kernel" again2/report.md
if command -v gnuplot >/dev/null; then
    check "the chart is in its section" test -s both/charts/accuracy.svg
    for f in accuracy.svg accuracy.png accuracy.pdf; do
        status 0 "$faultline" plot accuracy v.json -o $f
        check "$f is there" test -s $f
    done
    check "the kernel's release is in the footer" has "Linux 6.18.1" accuracy.svg
    check "the killed are marked" has "kernel kills" accuracy.svg
    status 0 "$faultline" plot accuracy both/report.json --term --count swap_out
    check "another count" has "pages swapped out" out.txt
    status 2 "$faultline" plot accuracy v.json --count oom
    status 2 "$faultline" plot curve both/report.json --count minor -o no.svg
fi
status 4 "$faultline" plot accuracy r.json
sed 's/"median": *[0-9]*/"median": "many"/' v.json >badv.json
status 1 "$faultline" report badv.json -o no

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
