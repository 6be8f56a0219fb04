#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: locality.sh FAULTLINE WORKLOADS. What does not depend on RAM, from outside.
set -u
faultline=${1:?usage: locality.sh FAULTLINE WORKLOADS}
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

# Thirds of 25,600 references each: 600 pages in turn, 50 others in turn, the 600 again. The
# pages lie in one anonymous mapping, of which 2 MiB are whole.
python3 - <<'P' || exit 77
import struct
with open('thirds.pages', 'wb') as f:
    for first, pages in ((0, 600), (1000, 50), (0, 600)):
        for i in range(25600):
            f.write(struct.pack('<Q', first + i % pages | 1 << 63))
P
status 0 "$faultline" import --from pages thirds.pages -o thirds.flt
status 0 "$faultline" replay thirds.flt --ram 50% --locality -o r.json
status 0 "$faultline" replay thirds.flt --ram 50% --locality -o again.json
check "same bytes again" cmp -s r.json again.json
status 0 "$faultline" replay thirds.flt --ram 50% -o plain.json
status 0 "$faultline" replay thirds.flt --ram 10% --policy clock --locality -o small.json
check "what the numbers say" python3 - <<'P'
import json
r = json.load(open('r.json'))
l, t = r['locality'], r['tlb_reach']
assert 'locality' not in json.load(open('plain.json'))
small = json.load(open('small.json'))
assert small['locality'] == l and small['tlb_reach'] == t  # whatever the RAM and policy
assert l['accesses'] == 76800 and l['sets']['distinct_pages'] == 650
assert [w['accesses'] for w in l['windows']] == [300 << k for k in range(7)]
assert l['windows'][0]['peak_pages'] == 300 and l['windows'][1]['peak_pages'] == 600
means = [w['mean_pages'] for w in l['windows']]
assert means == sorted(means)
rows, columns = l['timeline']['rows'], l['timeline']['columns']
assert len(rows) == 256 and rows[-1][columns.index('access')] == 76800
assert sum(row[columns.index('new_pages')] for row in rows) == 650
phases = l['phases']
assert [p['label'] for p in phases] == ['steady', 'steady', 'revisits phase 1'], phases
for p, at in zip(phases[1:], (25600, 51200)):
    assert abs(p['from_access'] - at) <= 600, p
assert phases[2]['new_pages'] == 0 and phases[1]['pages'] == 50
heat = l['heat'][0]
assert heat['columns'] == 128 and all(len(row) == 128 for row in heat['rows'])
assert all(0 <= cell <= 100 for row in heat['rows'] for cell in row)
assert t['saved'] == t['walks'] - t['walks_huge'] > 0
assert sum(m['walks'] for m in t['mappings']) == t['walks']
assert 'MADV_HUGEPAGE' in t['mappings'][0]['advice']
P
check "a row is a line" test "$(grep -c '^ *\[[0-9, ]*\],\?$' r.json)" -gt 256
status 0 "$faultline" replay thirds.flt --ram 50% --locality
check "the table has the phases" has "revisits phase 1" out.txt
check "the table has the advice" has "MADV_HUGEPAGE" out.txt
status 0 "$faultline" replay thirds.flt --ram 50% --locality --no-tlb --json
check "without a TLB there is no reach" test "$(grep -c '"tlb_reach"' out.txt)" -eq 0

status 0 "$faultline" report thirds.flt --policies lru -o out
check "a report has the working set" has "Working set: " out.txt
check "a report has the phases" has "Phases: 3" out/report.md
check "a report has the advice" has "MADV_HUGEPAGE" out/index.html
if command -v gnuplot >/dev/null; then
    for chart in working-set heat tlb-reach; do
        status 0 "$faultline" plot $chart r.json -o $chart.svg
        check "$chart is small" test "$(stat -c %s $chart.svg)" -lt 200000
        check "$chart needs nothing else" test "$(grep -o 'href=.[^#]\{5\}' $chart.svg | grep -cv 'data:')" -eq 0
        status 0 "$faultline" plot $chart r.json -o $chart.png
        status 0 "$faultline" plot $chart r.json --term
        check "$chart in a terminal says what it is of" grep -q "accesses\|page walks" out.txt
        status 4 "$faultline" plot $chart plain.json -o none.svg
        check "$chart says what is missing" has "--locality" err.txt
        check "no picture is left" test ! -e none.svg
    done
    check "the page has the heat map in itself" has 'xlink:href="data:image/png;base64,' out/index.html
fi

# What is read is checked.
hostile() { # hostile PYTHON: a change of r.json that must be refused
    python3 -c "
import json
r = json.load(open('r.json'))
$1
json.dump(r, open('hostile.json', 'w'))"
    status 1 "$faultline" plot heat hostile.json -o none.svg
}
hostile "r['locality']['heat'][0]['rows'][0][0] = 101"
hostile "r['locality']['heat'][0]['rows'][0] = 5"
hostile "r['locality']['heat'][0]['rows'] *= 2; r['locality']['heat'][0]['rows'] *= 2"
hostile "r['locality']['heat'] = {}"
hostile "r['locality']['phases'] = [1]"
hostile "r['locality']['timeline']['rows'][3] = [1]"
hostile "r['tlb_reach'] = []"

exit $((bad > 0))
