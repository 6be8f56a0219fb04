#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: report.sh FAULTLINE WORKLOADS. Reports and charts, from outside.
set -u
faultline=${1:?usage: report.sh FAULTLINE WORKLOADS}
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

# 40 pages around and around, ten times: LRU with fewer frames misses every time.
python3 - <<'P' || exit 77
import struct
with open('loop.pages', 'wb') as f:
    for turn in range(10):
        for page in range(40):
            f.write(struct.pack('<Q', page | 1 << 63))
P
exits 0 "$faultline" import --from pages loop.pages -o loop.flt
exits 0 "$faultline" report loop.flt --ram 80K -o out
ok "stdout names the page" test "$(head -1 out.txt)" = out/index.html
ok "20 frames of LRU: 40 first touches, 360 misses" has "40 minor, 360 major" out.txt
ok "the curve ends at 160 KiB" has "160 KiB" out.txt
ok "the page has one script, which its policy names" test "$(grep -c '<script>' out/index.html)" -eq 1
ok "the page loads nothing" lacks 'src="' out/index.html
ok "the JSON says its schema" has '"faultline.report/1"' out/report.json
ok "the JSON says its source" has '"source": "model"' out/report.json
ok "the Markdown has a table" has '| Major faults | 360 |' out/report.md
ok "no temporary file is left" test -z "$(find out -name '*.svg.*' -o -name '*.html.*' -o -name '*.json.*')"
if command -v xmllint >/dev/null; then
    ok "the page is well-formed" xmllint --noout out/index.html
fi
if command -v gnuplot >/dev/null; then
    ok "six charts" test "$(ls out/charts)" = "$(printf 'curve.svg\nfaults.svg\nheat.svg\nresident.svg\ntlb-reach.svg\nworking-set.svg')"
    ok "charts are in the page" has '<svg' out/index.html
    exits 0 "$faultline" plot curve out/report.json -o curve.svg
    ok "plot draws what the report has" cmp -s <(sed s/curve//g curve.svg) <(sed s/curve//g out/charts/curve.svg)
    exits 0 "$faultline" plot resident out/report.json --term
    ok "a terminal gets the finding" has "resident set" out.txt
    for chart in curve faults resident; do
        exits 0 "$faultline" plot $chart out/report.json --term
        ok "$chart: characters alone" test -z "$(tr -d '\n -~' <out.txt)"
        ok "$chart: no line is wider than a terminal" test -z "$(grep -E '.{79}' out.txt)"
        ok "$chart: fidelity and quality are there" has "modelled from exact trace; quality" out.txt
        ok "$chart: it ends with its last line" test "$(tail -c 2 out.txt | tr -d '\n' | wc -c)" -eq 1
    done
    exits 2 "$faultline" plot curve out/report.json -o curve.bmp
    exits 0 "$faultline" report loop.flt --ram 80K -o again
    sed 's/-o again/-o out/' again/index.html >again.html
    ok "same trace, same options, same bytes" cmp -s again.html out/index.html
fi

# Without gnuplot: all but the charts, one line that names the package.
mkdir empty
exits 0 env PATH="$dir/empty" "$faultline" report loop.flt --ram 80K -o bare
ok "one line on stderr" test "$(wc -l <err.txt)" -eq 1
ok "it names the package" has gnuplot-nox err.txt
ok "the page is there" test -s bare/index.html

# A replay's result finds its trace again; a changed trace gives no curve, and says so.
exits 0 "$faultline" replay loop.flt --ram 80K -o r.json
exits 0 "$faultline" report r.json --json
ok "the curve came from the trace" has '"faultline.sweep/1"' out.txt
sed 's/"sha256": *"./"sha256": "x/' r.json >changed.json
exits 0 "$faultline" report changed.json -o changed
ok "why there is no curve" has "has changed since the replay" changed/report.md

# Policy linux: its answer beside lru's, in the curve, and as the one that is asked.
ok "the summary has linux's answer" has "Policy linux at 80.0 KiB of RAM" <("$faultline" report loop.flt --ram 80K -o out)
python3 - out/report.json <<'P' || { echo "not ok: linux is in the curve, at the asked size too"; failed=1; }
import json, sys
report = json.load(open(sys.argv[1]))
sizes = {}
for p in report['sweeps'][0]['points']:
    sizes.setdefault(p['policy'], []).append(p['ram_bytes'])
assert set(sizes) == {'lru', 'clock', 'opt', 'linux'}, sizes.keys()
assert 81920 in sizes['linux'] and 4 < len(sizes['linux']) < len(sizes['lru']), sizes
P
exits 0 "$faultline" report loop.flt --ram 80K --policy linux --policies lru -o linux
ok "the asked policy is in the curve" has '"policy": "linux"' <(sed -n '/"sweeps"/,$p' linux/report.json)
ok "the page is linux's" has "under linux" out.txt
exits 0 "$faultline" report loop.flt --ram 80K --policy mglru --policies lru --swap-device ssd -o mglru
# Five pages: too few for a group of the kernel's at most sizes, which is no reason to have no report.
python3 -c "
import struct
for p in [1,2,3,4,1,2,5,1,2,3,4,5]: open('b.pages', 'ab').write(struct.pack('<Q', p))"
exits 0 "$faultline" import --from pages b.pages -o b.flt
exits 0 "$faultline" report b.flt -o small
ok "it has the textbook's curve" has '"policy": "clock"' small/report.json
"$faultline" policies >policies.txt
ok "linux has its source" grep -q '^linux .*\[Linux 6' policies.txt
ok "mglru has its source" grep -q '^mglru .*\[Linux 6' policies.txt

# What validate measured: chart, section, and points on the curve of the same program. Below, a
# program called like the trace's, whose kernel is killed at 60 KiB.
python3 - out/report.json <<'P' || exit 1
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
exits 0 "$faultline" report loop.flt v.json --ram 80K -o both
ok "the section is in the page" has "Against the real kernel" both/index.html
ok "and in the Markdown" has '| 90.0 KiB | major faults | 300 \[295 .. 305\] | 297 \[297 .. 301\] | -1.0 % |' both/report.md
ok "who was killed" has '| 60.0 KiB | killed in | 3 of 3 runs | 0 of 2 | differs |' both/report.md
ok "the summary says it" has "linux is 1.0 % off the kernel's major faults, lru 35 %" out.txt
ok "wrong about a kill" has "wrong about kills at 1 of them" out.txt
ok "its flags are listed" has "| damon |" both/report.md
ok "its command is text" lacks "<b>" both/index.html
ok "it is in the JSON" has '"validations"' both/report.json
ok "the curve has the kernel's points" has "| kernel | kernel, least | kernel, most |" both/report.md
sed 's/"sha256": *"./"sha256": "x/' v.json >strange.json
exits 0 "$faultline" report loop.flt strange.json --ram 80K -o strange
ok "but only its own program's" lacks "| kernel, least |" strange/report.md
exits 0 "$faultline" report v.json -o alone
ok "alone it is a report too" has "loop" alone/report.md
exits 0 "$faultline" report both/report.json -o again2
ok "a report brings it along" has "Against the real kernel" again2/report.md
if command -v gnuplot >/dev/null; then
    ok "the chart is in its section" test -s both/charts/accuracy.svg
    for f in accuracy.svg accuracy.png accuracy.pdf; do
        exits 0 "$faultline" plot accuracy v.json -o $f
        ok "$f is there" test -s $f
    done
    ok "the kernel's release is in the footer" has "Linux 6.18.1" accuracy.svg
    ok "the killed are marked" has "kernel kills" accuracy.svg
    exits 0 "$faultline" plot accuracy both/report.json --term --count swap_out
    ok "another count" has "pages swapped out" out.txt
    exits 2 "$faultline" plot accuracy v.json --count oom
    exits 2 "$faultline" plot curve both/report.json --count minor -o no.svg
fi
exits 4 "$faultline" plot accuracy r.json
sed 's/"median": *[0-9]*/"median": "many"/' v.json >badv.json
exits 1 "$faultline" report badv.json -o no

# A report that cannot be written whole leaves what was there, and no more: files of at most
# 128 KiB, which index.html with its charts is not; then something in its place.
if command -v gnuplot >/dev/null; then
    full() { (trap '' XFSZ && ulimit -f 128 && exec "$faultline" "$@"); }
    sums() { find "$1" -type f -exec md5sum {} + | sort; find "$1" -type d | sort; }
    exits 1 full report loop.flt --ram 80K -o fresh/deep
    ok "the message says why" has "File too large" err.txt
    ok "no new folder is left" test ! -e fresh
    mkdir mine
    exits 1 full report loop.flt --ram 80K -o mine
    ok "a folder that was there stays, empty" test -z "$(ls -A mine)"
    mkdir mine/index.html
    exits 1 "$faultline" report loop.flt --ram 80K -o mine
    ok "and so with a folder in the way" test "$(ls -A mine)" = index.html
    sums out >before.txt
    exits 1 full report loop.flt --ram 40K -o out
    ok "an older report stays whole" cmp -s before.txt <(sums out)
fi

# Damaged and foreign documents.
head -c 100 r.json >cut.json
echo '{"schema":"other/1"}' >foreign.json
sed 's/"minor": *[0-9]*/"minor": "many"/' r.json >typed.json
for f in cut.json foreign.json typed.json; do
    exits 1 "$faultline" report $f -o no
    ok "$f is named" has "$f" err.txt
    exits 1 "$faultline" plot faults $f -o no.svg
done
ok "nothing was written" test ! -e no -a ! -e no.svg
exits 1 "$faultline" report nothing.flt -o no
exits 2 "$faultline" report r.json
exits 2 "$faultline" plot pie r.json

[ $failed -eq 0 ] && echo "report: all as it should be"
[ $failed -eq 0 ]
