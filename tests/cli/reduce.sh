#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The reduced layer from outside: who writes it, who reads it, what is refused without the rest.
# Usage: reduce.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
for tool in perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1
fl() { "$faultline" "$@" </dev/null; }
# counts A B ARG...: both traces give the same answer, but for the trace and the ends of rows
counts() {
    local a=$1 b=$2
    shift 2
    for t in "$a" "$b"; do
        fl "$@" "$t" --json >"$t.json" 2>err || cat err
        jq 'del(.trace, .timeline, .quality, .thrash, .oom.candidates, .oom.candidates_at_access)' "$t.json" >"$t.counts"
    done
    ok "$b answers as $a: $*" cmp -s "$a.counts" "$b.counts"
}

# A loop over 40 pages that moves on through 4000, and some far away; every third reference a write.
perl -e 'srand(3); for my $i (0 .. 299999) {
    my $p = $i % 50 == 0 ? int(rand(4000)) : $i / 75 + $i % 40;
    print pack("Q<", int($p) | ($i % 3 ? 0 : 1 << 63)); }' >refs
exits 0 fl import --from pages refs -o with.flt
exits 0 fl import --from pages refs -o without.flt --no-layer
fl info --json with.flt >with.info
fl info --json without.flt >without.info
ok "an import has a layer for 256 frames" holds with.info '.layer | .floor_frames == 256 and
    .only == false and .blocks == .of_blocks and .runs * 8 < .of_runs and .policies == ["lru", "opt"]'
ok "--no-layer leaves it out" holds without.info 'has("layer") | not'
ok "and nothing else" test "$(jq -S 'del(.layer, .path, .sha256, .recorded)' with.info)" = "$(jq -S 'del(.path, .sha256, .recorded)' without.info)"
fl info with.flt >out
ok "info tells it to people" grep -q '^reduced layer  *[0-9,]* runs, 1 of ' out
exits 0 fl check with.flt
fl dump --layer with.flt | grep -c '^t0 user' >n
ok "dump --layer has its runs" test "$(cat n)" = "$(jq .layer.runs with.info)"
exits 4 fl dump --layer without.flt

for policy in lru opt; do
    for frames in 256 257 1000; do
        counts without.flt with.flt replay --policy $policy --frames $frames --no-tlb
    done
    counts without.flt with.flt replay --policy $policy --frames 100 --no-tlb
    counts without.flt with.flt sweep --policy $policy --ram 1M..12M/5
done
counts without.flt with.flt replay --policy lru --frames 300 --swap 4M --no-tlb
counts without.flt with.flt replay --policy fifo --frames 300
counts without.flt with.flt replay --policy clock --ram 50% --no-tlb

# ---- reduce -----------------------------------------------------------------------
exits 0 fl reduce without.flt -o again.flt
ok "reduce gives an old trace the same layer" \
    test "$(fl dump --layer with.flt | md5sum)" = "$(fl dump --layer again.flt | md5sum)"
exits 0 fl reduce with.flt -o only.flt --only
ok "--only makes it small" test "$(stat -c %s only.flt)" -lt "$(stat -c %s with.flt)"
exits 0 fl check only.flt
fl info --json only.flt >only.info
ok "... with the totals of the whole" test "$(jq -S 'del(.layer, .path, .sha256, .recorded)' only.info)" = \
    "$(jq -S 'del(.path, .sha256, .recorded)' without.info)"
counts without.flt only.flt replay --policy lru --frames 256 --no-tlb
counts without.flt only.flt sweep --policy opt --ram 1M,8M
for refused in "replay --policy lru --frames 256" "replay --policy lru --frames 255 --no-tlb" \
    "replay --policy fifo --frames 256 --no-tlb" "replay --policy linux --ram 4M --no-tlb" \
    "sweep --ram 512K,4M" "reduce -o x.flt" "dump"; do
    # shellcheck disable=SC2086 # words
    exits 4 fl $refused only.flt
done
exits 0 fl dump --layer only.flt
exits 0 fl reduce without.flt -o floor.flt --floor 64
counts without.flt floor.flt replay --policy lru --frames 64 --no-tlb
exits 2 fl reduce without.flt
exits 2 fl reduce without.flt -o x.flt --floor 0
exits 2 fl reduce without.flt -o without.flt

# ---- compress ---------------------------------------------------------------------
for t in with only; do
    exits 0 fl compress $t.flt -o $t.small.flt
    ok "compress: $t is smaller" test "$(stat -c %s $t.small.flt)" -lt "$(stat -c %s $t.flt)"
    exits 0 fl check $t.small.flt
    ok "... and has the same layer" \
        test "$(fl dump --layer $t.flt | md5sum)" = "$(fl dump --layer $t.small.flt | md5sum)"
    fl info --json $t.small.flt >small.info
    ok "... and totals" test "$(jq -S 'del(.path, .sha256, .layer.bytes)' small.info)" = \
        "$(jq -S 'del(.path, .sha256, .layer.bytes)' $t.info)"
done
ok "... and runs and events" test "$(fl dump with.flt | md5sum)" = "$(fl dump with.small.flt | md5sum)"
counts with.flt with.small.flt replay --policy lru --frames 300
exits 0 fl compress with.flt -o one.flt -j 1
ok "as many threads as one likes" cmp -s one.flt with.small.flt
exits 0 fl compress with.small.flt -o again.flt --level 1
ok "a block that would grow stays as it is" cmp -s again.flt with.small.flt
exits 2 fl compress with.flt
exits 2 fl compress with.flt -o with.flt
exits 2 fl compress with.flt -o x.flt --level 23
ok "nothing is left of what was refused" test ! -e x.flt

# ---- no locality, damage ------------------------------------------------------------
perl -e 'srand(5); print pack("Q<", int(rand(20000))) for 1 .. 100000' >random
exits 0 fl import --from pages random -o random.flt
fl info --json random.flt >random.info
ok "without locality there is none, and the trace says so" holds random.info '.layer.blocks == 0'
fl info random.flt >out
ok "info says so, too" grep -q '^reduced layer  *none' out
exits 0 fl reduce random.flt -o x.flt --only
exits 0 fl replay x.flt --policy fifo --frames 100
head -c $(($(stat -c %s only.flt) - 40)) only.flt >cut.flt
exits 1 fl replay cut.flt --policy lru --frames 256 --no-tlb
exits 1 fl compress cut.flt -o x.small.flt
ok "of a damaged trace nothing is left" test ! -e x.small.flt
fl check --salvage saved.flt cut.flt 2>err
same "salvage" $? 1
exits 0 fl check saved.flt
counts only.flt saved.flt replay --policy lru --frames 256 --no-tlb
exit $failed
