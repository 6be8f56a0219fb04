#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Machine profiles from outside: listed, printed, edited, loaded back; tables of 5 levels; the host's.
# Usage: machines.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
for tool in perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

fl() { "$faultline" "$@" </dev/null; }
json() { # json DESCRIPTION FILE FILTER: is FILTER true of FILE?
    ok "$1" test "$(jq "$3" "$2")" = true
}
refused() { # refused STATUS TEXT ARG...: that exit status, and TEXT in the one line on stderr
    local want=$1 text=$2 got
    shift 2
    fl "$@" >out 2>err
    got=$?
    ok "exit $want, '$text': $*" test $got = "$want" -a ! -s out -a "$(grep -cF -- "$text" err)" = 1
}

# ---- every profile, there and back
for m in skylake-sp icelake-sp sapphire-rapids zen3 zen4 zen5 neoverse-n1 skylake-sp-la57; do
    fl machines $m >line
    ok "$m: one line with a source" test "$(grep -c '\[.*\]$' line)" = 1
    fl machines $m --json >$m.json
    fl machines $m.json --json >again.json
    ok "$m: its JSON loads back as the same" cmp -s $m.json again.json
done
ok "what nobody documents says so" test "$(jq -r .walk_source skylake-sp.json | grep -c '^assumption')" = 1

# ---- an edited one: a data level of 3 entries, fully associative, and 5 pages in a circle
perl -e 'for (1 .. 20) { print pack "Q<", 1 + $_ % 5 }' >refs.u64
fl import --from pages refs.u64 -o refs.flt
jq '.name = "mine" | .tlb = [.tlb[0], (.tlb[2] | .entries = 3 | .ways = 3)] | del(.walk_caches, .walk_flush, .walk_source)' \
    skylake-sp.json >mine.json
fl replay refs.flt --frames 9 --machine mine.json --json >r.json
json "LRU misses all of a circle of 5 in 3 entries" r.json \
    '.machine.name == "mine" and .tlb.walks == 20 and .tlb.walk_refs == 80'
jq '.tlb[1].ways = 2' mine.json >bad.json
refused 1 "must divide 'entries'" machines bad.json
refused 1 "must divide 'entries'" replay refs.flt --frames 9 --machine bad.json
refused 2 "is no file and not one of" machines nosuch
refused 2 "is no file and not one of" replay refs.flt --frames 9 --machine nosuch

# ---- pages from 0 to above 2^47, far apart: 3 tables each below the root, or below the one table
# that the root of 5 levels has. The PML5E is the same for all: the walks after the first save it.
perl -e 'print pack "Q<*", 1, 1 << 35, (1 << 36) - 1' >high.u64
fl import --from pages high.u64 -o high.flt
fl replay high.flt --frames 9 --machine skylake-sp --json >r.json
json "4 levels" r.json '.machine.levels == 4 and .page_table.tables_peak == 10 and .tlb.walk_refs == 12'
for m in skylake-sp-la57 sapphire-rapids-la57; do
    fl replay high.flt --frames 9 --machine $m --json >r.json
    json "5 levels of $m" r.json '.machine.levels == 5 and .page_table.tables_peak == 11 and .tlb.walk_refs == 13
        and .page_table.flat_bytes_avoided == 281474976710656 - 11 * 4096 and .faults.minor == 3'
done

# ---- the host: what CPUID told the recorder, or a remedy
refused 4 "name another --machine" replay refs.flt --frames 9 --machine host
if fl machines host --json >host.json 2>err; then
    ok "this machine's profile loads back" test "$(fl machines host.json --json | jq -S .)" = "$(jq -S . host.json)"
else
    ok "a machine that tells no TLBs has a remedy" grep -q 'describe it in a file' err
fi

exit $failed
