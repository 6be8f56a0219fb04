#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: diff.sh FAULTLINE WORKLOADS. Two versions of a program, compared from outside.
set -u
faultline=$(realpath "${1:?usage: diff.sh FAULTLINE WORKLOADS}")
workloads=$(realpath "${2:?usage: diff.sh FAULTLINE WORKLOADS}")
command -v jq >/dev/null || { echo "skipped: no jq here"; exit 77; }
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1
status() { # status WANT COMMAND...: the command must exit so; if not 0 with one line on stderr, nothing on stdout
    exits "$@"
    [ "$1" -eq 0 ] || [ ! -s out.txt ] || { echo "$*: something on stdout"; failed=1; }
}

# ---- one allocation made four times as large between two versions ----------------------
status 0 "$faultline" record -o before.flt -- "$workloads/grown"
status 0 "$faultline" record -o after.flt -- "$workloads/scaled/grown"
for policy in lru linux; do
    for v in before after; do
        status 0 "$faultline" replay $v.flt --ram 8M --policy $policy -o $v.$policy.json
    done
    status 0 "$faultline" diff before.$policy.json after.$policy.json -o d.json
    # The table is 2 MiB, then 8 MiB: 1,536 pages more, and nothing else to speak of.
    for list in by_mapping by_process; do
        ok "$policy: $list is there" holds d.json ".results[0].$list.rows[0]"
    done
    ok "$policy: the table is the mapping named first" holds d.json \
        '.results[0].by_mapping.rows[0].name_b | test("build_table|^anonymous, 8.0 MiB$")'
    ok "$policy: it is paired with what it was" holds d.json \
        '.results[0].by_mapping.rows[0].name_a | test("build_table|^anonymous, 2.0 MiB$")'
    ok "$policy: nine tenths of the change are its" holds d.json '.results[0].by_mapping.rows[0].share_bp > 9000'
    ok "$policy: 1,536 pages more" holds d.json '.results[0].by_mapping.rows[0].pages.change == 1536'
    ok "$policy: the verdict names it" holds d.json \
        '.verdict | test("; anonymous[ ,(]+(build_table|8.0 MiB).* of grown.* is responsible for (9[0-9]|100) % ")'
    ok "$policy: the process is the same" holds d.json \
        '.results[0].by_process.rows[0] | .match == "same" and .name_a == "grown"'
done
# Where the table is only streamed through, the faults are the index's, which it evicts: it is to blame still.
status 0 "$faultline" record -o before.stream.flt -- "$workloads/grown" stream
status 0 "$faultline" record -o after.stream.flt -- "$workloads/scaled/grown" stream
for policy in lru linux; do
    status 0 "$faultline" diff before.stream.flt after.stream.flt --ram 6M --policy $policy --json
    ok "$policy, streamed: the table is named first" holds out.txt \
        '.results[0].by_mapping.rows[0].name_b | test("build_table|^anonymous, 8.0 MiB$")'
    ok "$policy, streamed: the faults are the index's" holds out.txt '.results[0].by_mapping.rows
        | map(select(.name_b | test("build_index|^anonymous, 3.0 MiB$")))[0].taken_bp > 9000'
done
# Under a build of another name: the program, its file and the table are still themselves.
cp "$workloads/scaled/grown" grown-next
status 0 "$faultline" record -o renamed.flt -- ./grown-next
status 0 "$faultline" diff before.flt renamed.flt --ram 8M -o d.json
ok "a renamed process is paired" holds d.json '.results[0].by_process.rows[0] | .name_a == "grown" and .name_b == "grown-next"'
ok "and its file with its old one" holds d.json \
    '[.results[0].by_mapping.rows[] | select((.name_a // "" | endswith("/grown")) and (.name_b // "" | endswith("/grown-next")))] | length == 1'

# ---- traces: the same bytes of RAM, the same sizes ---------------------------------------
status 0 "$faultline" diff before.flt after.flt
ok "the verdict comes first" test "$(head -c 7 out.txt)" = "B takes"
ok "the curve is in the text" has "Major faults against RAM under lru" out.txt
status 0 "$faultline" diff before.flt after.flt --policy clock --swap 64M --json
mv out.txt d.json
ok "schema" holds d.json '.schema == "faultline.diff/1"'
ok "RAM is half of A's peak" holds d.json '.results[0].machine.ram_bytes == (.peak_resident_pages.a / 2 | floor) * 4096'
ok "lru and the policy asked for" holds d.json '[.curves[].policy] | sort == ["clock", "lru"]'
ok "24 common sizes, none apart" holds d.json '.curves | all((.points | length) == 24 and .only_a == 0 and .only_b == 0)'
ok "up to 105 % of the larger peak" holds d.json \
    '.curves[0].points[-1].ram_bytes == (.peak_resident_pages.b * 10500 + 9999) / 10000 * 4096 - (.peak_resident_pages.b * 10500 + 9999) % 10000 * 4096 / 10000'
ok "the knee moves up" holds d.json '.curves[] | select(.policy == "lru") | .a.vanish_ram_bytes < .b.vanish_ram_bytes'
status 0 "$faultline" diff before.flt after.flt --policy clock --swap 64M --json
ok "same traces, same options: same bytes" cmp -s out.txt d.json
status 0 "$faultline" diff after.flt before.flt --ram 8M --json
mv out.txt back.json
status 0 "$faultline" diff before.flt after.flt --ram 8M --json
ok "exchanged, the changes have the other sign" test \
    "$(jq -c '[.results[0].figures[].change, (.curves[0].points[] | .major.change)]' out.txt)" = \
    "$(jq -c '[.results[0].figures[].change, (.curves[0].points[] | .major.change)] | map(if . == null then . else -. end)' back.json | sed 's/-0\b/0/g')"

# ---- nothing changed -----------------------------------------------------------------------
status 0 "$faultline" diff before.flt before.flt
ok "a trace is itself" has "Nothing changed:" out.txt
status 0 "$faultline" diff before.lru.json before.lru.json --json
ok "a result is itself" holds out.txt '.changed == false and (.results[0].figures | all(.change == 0))'

# ---- sweeps, reports -------------------------------------------------------------------------
for v in before after; do
    status 0 "$faultline" sweep $v.flt --ram 2M..12M/6 -o $v.sweep.json
    status 0 "$faultline" sweep $v.flt --ram 10%..100%/5 -o $v.share.json
    status 0 "$faultline" report $v.flt --ram 8M --json
    mv out.txt $v.report.json
done
status 0 "$faultline" diff before.sweep.json after.sweep.json --markdown d.md
ok "the sweeps' verdict" has "where the curves differ most" out.txt
ok "the Markdown has it" has "where the curves differ most" d.md
ok "and a table" has '| RAM | A | B |' d.md
status 4 "$faultline" diff before.share.json after.share.json
ok "shares of two peaks: no common size, and how to get one" has "--ram " err.txt
status 0 "$faultline" diff before.report.json after.report.json --json
ok "a report's results are compared, its curves cannot be" holds out.txt \
    '(.results | length == 1) and (.notes | any(test("no size in common")))'

# ---- what cannot be compared ----------------------------------------------------------------
status 2 "$faultline" diff before.flt
status 2 "$faultline" diff before.flt after.lru.json
ok "it says which is which" has "after.lru.json is a result and before.flt a trace" err.txt
status 2 "$faultline" diff before.lru.json after.lru.json --ram 4M
status 2 "$faultline" diff before.flt after.flt --ram lots
status 2 "$faultline" diff before.flt after.flt --json --markdown -
status 1 "$faultline" diff before.lru.json missing.json
status 1 "$faultline" diff before.lru.json <(echo '{}')
echo '{"schema": "faultline.replay/1", "trace"' >damaged.json
status 1 "$faultline" diff before.lru.json damaged.json
head -c 3000 after.flt >damaged.flt
status 1 "$faultline" diff before.flt damaged.flt
status 4 "$faultline" diff before.lru.json after.linux.json
ok "it says what differs" has "policy lru and linux" err.txt
status 0 "$faultline" diff before.lru.json after.linux.json --force
ok "forced, it says so" has "different questions: policy lru and linux" out.txt
status 4 "$faultline" diff before.lru.json after.sweep.json
status 2 "$faultline" diff before.lru.json after.lru.json -o after.lru.json
ok "the input is whole" holds after.lru.json '.schema == "faultline.replay/1"'

# ---- hostile names ------------------------------------------------------------------------------
jq '.by_process[0].comm = "\u001b[31m<b>|`$(id)`" | .by_mapping[0].mapping = "/x/\u0007|\n# h" | .faults.major += 9 |
    .by_mapping[0].major += 9 | .by_process[0].major += 9' before.lru.json >hostile.json
status 0 "$faultline" diff before.lru.json hostile.json --markdown h.md
ok "no control character gets through" test -z "$(tr -d '\n' <out.txt | tr -cd '\000-\037')"
ok "nor into the Markdown" test -z "$(tr -d '\n' <h.md | tr -cd '\000-\037')"
ok "no raw HTML" test -z "$(grep -F '<b>' h.md)"

[ $failed -eq 0 ] && echo "diff: all checks hold"
[ $failed -eq 0 ]
