# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# sizes: what many sizes cost beside few. The kernel's policies on a tenth of page20m.

sizes_race() { # sizes_race TRACE REFERENCES POLICY FEW MANY
    local n
    race_begin
    for n in "$4" "$5"; do
        contestant "sizes: $n" "" "$faultline" sweep "$1" --ram "$(curve_sizes "$n")" --policy "$3" -j1 -o s.json
    done
    race "$2" "sweep $3"
}

TENTH=$((REFS / 10))
make_tenth() { # writes tenth.flt, the first references of page20m
    head -c $((TENTH * 8)) refs | "$faultline" import --from pages - -o tenth.flt 2>/dev/null
}

part_sizes() {
    local policy
    make_tenth
    echo "## Many sizes beside few: the last row of a pair, times the first"
    table references
    sizes_race trace.flt "$REFS" lru 4 64
    for policy in fifo clock opt linux mglru; do
        sizes_race tenth.flt "$TENTH" "$policy" 1 64
    done
}
