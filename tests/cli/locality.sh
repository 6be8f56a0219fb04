#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: locality.sh FAULTLINE WORKLOADS. What does not depend on RAM, from outside.
set -u
faultline=${1:?usage: locality.sh FAULTLINE WORKLOADS}
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

# Thirds of 25,600 references each: 600 pages in turn, 50 others in turn, the 600 again. The
# pages lie in one anonymous mapping, of which 2 MiB are whole.
python3 - <<'P' || exit 77
import struct
with open('thirds.pages', 'wb') as f:
    for first, pages in ((0, 600), (1000, 50), (0, 600)):
        for i in range(25600):
            f.write(struct.pack('<Q', first + i % pages | 1 << 63))
P
exits 0 "$faultline" import --from pages thirds.pages -o thirds.flt
exits 0 "$faultline" replay thirds.flt --ram 50% --locality -o r.json
exits 0 "$faultline" replay thirds.flt --ram 50% --locality -o again.json
ok "same bytes again" cmp -s r.json again.json
exits 0 "$faultline" replay thirds.flt --ram 50% -o plain.json
exits 0 "$faultline" replay thirds.flt --ram 10% --policy clock --locality -o small.json
ok "what the numbers say" python3 - <<'P'
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
ok "a row is a line" test "$(grep -c '^ *\[[0-9, ]*\],\?$' r.json)" -gt 256
exits 0 "$faultline" replay thirds.flt --ram 50% --locality
ok "the table has the phases" has "revisits phase 1" out.txt
ok "the table has the advice" has "MADV_HUGEPAGE" out.txt
exits 0 "$faultline" replay thirds.flt --ram 50% --locality --no-tlb --json
ok "without a TLB there is no reach" test "$(grep -c '"tlb_reach"' out.txt)" -eq 0

exits 0 "$faultline" report thirds.flt --policies lru -o out
ok "a report has the working set" has "Working set: " out.txt
ok "a report has the phases" has "Phases: 3" out/report.md
ok "a report has the advice" has "MADV_HUGEPAGE" out/index.html
if command -v gnuplot >/dev/null; then
    for chart in working-set heat tlb-reach; do
        exits 0 "$faultline" plot $chart r.json -o $chart.svg
        ok "$chart is small" test "$(stat -c %s $chart.svg)" -lt 200000
        ok "$chart needs nothing else" test "$(grep -o 'href=.[^#]\{5\}' $chart.svg | grep -cv 'data:')" -eq 0
        exits 0 "$faultline" plot $chart r.json -o $chart.png
        exits 0 "$faultline" plot $chart r.json --term
        ok "$chart in a terminal says what it is of" grep -q "accesses\|page walks" out.txt
        exits 4 "$faultline" plot $chart plain.json -o none.svg
        ok "$chart says what is missing" has "--locality" err.txt
        ok "no picture is left" test ! -e none.svg
    done
    ok "the page has the heat map in itself" has 'xlink:href="data:image/png;base64,' out/index.html
fi

# What is read is checked.
hostile() { # hostile PYTHON: a change of r.json that must be refused
    python3 -c "
import json
r = json.load(open('r.json'))
$1
json.dump(r, open('hostile.json', 'w'))"
    exits 1 "$faultline" plot heat hostile.json -o none.svg
}
hostile "r['locality']['heat'][0]['rows'][0][0] = 101"
hostile "r['locality']['heat'][0]['rows'][0] = 5"
hostile "r['locality']['heat'][0]['rows'] *= 2; r['locality']['heat'][0]['rows'] *= 2"
hostile "r['locality']['heat'] = {}"
hostile "r['locality']['phases'] = [1]"
hostile "r['locality']['timeline']['rows'][3] = [1]"
hostile "r['tlb_reach'] = []"

exit $failed
