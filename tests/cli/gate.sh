#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# CI's verdict from outside: exit statuses, files written whole or not at all, hostile names.
# Usage: gate.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
for tool in perl jq xmllint; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

# gate N ARG...: exit status N; a verdict on stdout for 0 and 3, else one line on stderr alone
gate() {
    local want=$1 got
    shift
    "$faultline" gate "$@" >out 2>err </dev/null
    got=$?
    case $want in
    0 | 3) ok "exit $want: $* ($got, $(tail -1 out))" test $got = "$want" -a -s out -a ! -s err ;;
    *) ok "exit $want: $* ($got, $(head -1 err))" test $got = "$want" -a ! -s out -a "$(wc -l <err)" = 1 ;;
    esac
}
budget() { printf '%s\n' '[[budget]]' "$@" >b.toml; }

# ---- results to hold against: 40 pages around and around ---------------------------------
loop() { # loop TURNS FILE
    perl -e 'for (1 .. shift) { print pack("Q<*", map { $_ | 1 << 63 } 0 .. 39) }' "$1" >pages.u64
    "$faultline" import --from pages pages.u64 -o "$2" 2>/dev/null
}
loop 10 main.flt
loop 11 now.flt
"$faultline" replay main.flt --ram 80K -o main.json >/dev/null 2>&1
"$faultline" replay now.flt --ram 80K -o now.json >/dev/null 2>&1
"$faultline" replay now.flt --ram 120K -o more.json >/dev/null 2>&1
"$faultline" replay now.flt --ram 80K --policy opt -o opt.json >/dev/null 2>&1
"$faultline" replay now.flt --ram 80K --no-tlb -o notlb.json >/dev/null 2>&1
"$faultline" sweep main.flt --ram 40K,80K,160K --policy lru,opt -o mains.json >/dev/null 2>&1
"$faultline" sweep now.flt --ram 40K,80K,160K --policy lru,opt -o nows.json >/dev/null 2>&1
"$faultline" report main.flt --ram 80K -o report >/dev/null 2>&1
"$faultline" replay now.flt --ram 80K --swap 16K -o killed.json >/dev/null 2>&1
ok "40 first touches and 400 refaults" holds now.json '.faults.minor == 40 and .faults.major == 400'

# ---- every exit status ------------------------------------------------------------------
budget 'key = "faults.major"' 'max = 400'
gate 0 now.json --budget b.toml
budget 'key = "faults.major"' 'max = 399'
gate 3 now.json --budget b.toml
ok "one line a budget: value and limit" grep -qE '^FAIL  faults.major +400  at most 399' out
budget 'key = "faults.major"' 'max_increase = "12%"'
gate 0 now.json --baseline main.json --budget b.toml
budget 'key = "faults.major"' 'max_increase = "11%"'
gate 3 now.json --baseline main.json --budget b.toml
ok "baseline and change" grep -qE 'up at most 11 % +360  \+40 \(\+11\.11 %\)' out
gate 2 now.json --budget b.toml
ok "a relative rule needs a baseline" has --baseline err
gate 4 more.json --baseline main.json --budget b.toml
ok "other RAM is another question" has "has no result for 120K of RAM" err
gate 4 opt.json --baseline main.json --budget b.toml
gate 4 now.json --baseline notlb.json --budget b.toml
ok "another machine is another question" has "machine.tlb" err
budget 'key = "faults.major"' 'at = "160K"' 'policy = "lru"' 'max_increase = "0%"'
gate 0 nows.json --baseline mains.json --budget b.toml
budget 'key = "faults.major"' 'at = "80K"' 'policy = "lru"' 'max_increase = "0%"'
gate 3 nows.json --baseline mains.json --budget b.toml
budget 'key = "faults.major"' 'at = "96K"' 'max = 1'
gate 4 nows.json --budget b.toml
ok "the sizes it has are named" has "40K, 80K, 160K" err
budget 'key = "faults.major"' 'at = "80K"' 'max = 1'
gate 2 nows.json --budget b.toml
ok "the policies it has are named" has "policy lru, swap max; policy opt" err
gate 3 report/report.json --budget b.toml
budget 'key = "tlb.walks"' 'max = 999999'
gate 0 now.json --budget b.toml
gate 4 notlb.json --budget b.toml
budget 'key = "tlb.levels.L1D.misses"' 'max = 1000'
gate 0 now.json --budget b.toml
budget 'key = "faults"' 'max = 1'
gate 2 now.json --budget b.toml
budget 'key = "faults.major"' 'max = 1' 'maxx = 2'
gate 2 now.json --budget b.toml
ok "the nearest key is named" has "is 'max' meant?" err
budget 'key = "faults.major'
gate 2 now.json --budget b.toml
ok "line and column" has "b.toml:2:" err
gate 2 now.json
gate 1 now.json --budget nothing.toml
budget 'key = "faults.major"' 'max = 400'
gate 1 nothing.json --budget b.toml
head -c 99 now.json >cut.json
gate 1 cut.json --budget b.toml
gate 1 now.json --baseline cut.json --budget b.toml
gate 1 b.toml --budget b.toml
ok "a relative rule, JSON, from a pipe" "$faultline" gate now.json --baseline main.json \
    --budget <(echo '{"budget":[{"key":"minor","max_increase":0}]}') >/dev/null
jq '.trace.lost_events = 7' now.json >lost.json
gate 4 lost.json --budget b.toml
ok "lost events are named" has "7 events were lost" err

# A run that ends in a kill keeps nothing but budgets on kills.
ok "it is killed" holds killed.json '.oom.kills | length == 1'
budget 'key = "faults.major"' 'max = 400'
gate 3 killed.json --budget b.toml --markdown k.md --json
ok "it says why" holds out '.budgets[0].reason | contains("out-of-memory kill")'
budget 'key = "oom_kills"' 'max = 1'
gate 0 killed.json --budget b.toml

# ---- the forms ----------------------------------------------------------------------------
cat >names.toml <<'T'
[[budget]]
name = "<script>alert(1)</script> | `x` [a](b) @all #1 www.a.b http://c.d ]]> &amp; \u202Eleft\n\u0007"
key = "faults.major"
max = 1
max_increase = "5%"

[[budget]]
key = "faults.minor"
max = 100

[[budget]]
key = "resident.peak_pages"
max = 10
min = 1
T
all="--junit j.xml --markdown m.md --bench bench.json"
# shellcheck disable=SC2086
gate 3 now.json --baseline main.json --budget names.toml $all
cp out first.txt
mkdir first
mv j.xml m.md bench.json first
# shellcheck disable=SC2086
gate 3 now.json --baseline main.json --budget names.toml $all
ok "again, the same bytes" cmp out first.txt
for f in j.xml m.md bench.json; do ok "again, the same $f" cmp $f first/$f; done
ok "JUnit is valid" xmllint --noout --schema "$source/tests/golden/junit/junit.xsd" j.xml
ok "JUnit counts" test "$(xmllint --xpath 'concat(//testsuite/@tests, " ", //testsuite/@failures, " ", count(//failure))' j.xml)" = "3 2 2"
ok "JUnit has the reason" test "$(xmllint --xpath 'string(//testcase[3]/failure/@message)' j.xml)" = "20 is more than 10"
ok "the schema refuses what it should" \
    test "$(sed 's/ hostname="[a-z]*"//' j.xml | xmllint --noout --schema "$source/tests/golden/junit/junit.xsd" - 2>&1 | grep -c hostname)" = 1
ok "Markdown fits a screen" test "$(wc -l <m.md)" -le 40
ok "the verdict comes first" test "$(head -1 m.md)" = "### faultline gate: FAIL"
ok "kept budgets are folded" has "<details><summary>1 kept" m.md
# Of HTML there is what we write, and nothing of a name's.
ok "no markup of a name's" test "$(grep -oE '</?[a-z]+' m.md | sort -u | tr '\n' ' ')" = "</details </summary <details <summary "
for text in ' `x' '[a]' '@all' ' #1' '| `' 'www.a' 'http://' $'\u202e' $'\a'; do
    ok "in Markdown '$text' does nothing" lacks "$text" m.md
done
ok "a name is one line of the table" test "$(grep -c 'alert(1)' first.txt)" = 1
ok "the dashboard's form" holds bench.json 'length == 3 and all(.[]; (keys | sort) == ["extra", "name", "range", "unit", "value"])
    and .[1] == (.[1] + {name: "faults.minor", unit: "faults", value: 40, range: "0"})'
"$faultline" gate now.json --baseline main.json --budget names.toml --json >v.json
ok "--json" holds v.json '.schema == "faultline.gate/1" and .verdict == "fail" and .failed == 2
    and [.budgets[].verdict] == ["fail", "pass", "fail"] and .budgets[0].baseline == 360 and .budgets[0].change == 40
    and .budgets[0].rules == [{rule: "max", limit: 1, kept: false}, {rule: "max_increase", limit_bp: 500, kept: false}]'
"$faultline" gate now.json --budget names.toml --markdown - >out 2>err
ok "without a baseline, names.toml is refused" test $? = 2
"$faultline" gate now.json --baseline main.json --budget names.toml --markdown - >out 2>err
ok "a form on stdout is there alone" cmp out m.md
gate 2 now.json --baseline main.json --budget names.toml --markdown - --json
gate 2 now.json --baseline main.json --budget names.toml --markdown same --junit same

# A hundred failing budgets still fit a screen.
perl -e 'print "[[budget]]\nname = \"$_\"\nkey = \"faults.major\"\nm", ($_ % 2 ? "ax" : "in"), " = 1\n" for 1 .. 100' >many.toml
gate 3 now.json --budget many.toml --markdown many.md --junit many.xml
ok "50 failed and 50 kept fit a screen" test "$(wc -l <many.md)" -le 40
ok "it says how many are left out" has "and 34 more" many.md
ok "JUnit has them all" test "$(xmllint --xpath 'count(//testcase)' many.xml)" = 100

# ---- files appear whole or not at all ----------------------------------------------------
mkdir w
none() { ok "$1: nothing was written" test -z "$(ls -A w)"; }
outs="--junit w/j.xml --markdown w/m.md --bench w/b.json"
# shellcheck disable=SC2086
gate 4 lost.json --baseline main.json --budget names.toml $outs
none "no verdict"
# shellcheck disable=SC2086
gate 2 now.json --budget names.toml $outs
none "usage"
gate 1 now.json --baseline main.json --budget names.toml --junit w/j.xml --markdown /dev/full
none "a full disk"
gate 1 now.json --baseline main.json --budget names.toml --junit w/j.xml --markdown w/no/m.md
none "a folder that is not there"
mkdir w/dir
gate 1 now.json --baseline main.json --budget names.toml --junit w/j.xml --markdown w/dir
rmdir w/dir
none "a folder in the way"
for input in now.json main.json names.toml; do
    cp $input before
    gate 2 now.json --baseline main.json --budget names.toml --junit $input
    ok "$input is as it was" cmp $input before
done
"$faultline" gate now.json --baseline main.json --budget names.toml >/dev/full 2>err
ok "a full stdout is a failure, and said" test $? != 0 -a "$(wc -l <err)" = 1

[ $failed = 0 ] && echo "gate: all as it should be"
exit $failed
