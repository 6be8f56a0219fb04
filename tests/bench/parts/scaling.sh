# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# scaling: time and memory, one thing growing at a time: references, distinct pages, sizes, processors.
#   SCALE_RUNS=1   rounds, of this part alone: its traces are long
#   SCALE_REFS SCALE_PAGES SCALE_SIZES SCALE_JOBS   lists of how much
SCALE_REFS=${SCALE_REFS:-"1000000 10000000 100000000"}
SCALE_PAGES=${SCALE_PAGES:-"16384 65536 262144 1048576 4194304"}
SCALE_SIZES=${SCALE_SIZES:-"1 4 16 64 256"}
SCALE_JOBS=${SCALE_JOBS:-"1 2"}

scale_trace() { # scale_trace REFS PAGES: writes scale.flt
    ./pages mix "$1" "$2" 1 | "$faultline" import --from pages - -o scale.flt 2>/dev/null
}
scale_row() { # scale_row REFS PAGES: what grows, for each thing one may ask
    local all=$(($2 * 4096)) policy
    race_begin
    contestant "replay lru, a quarter of the pages" "" "$faultline" replay scale.flt --frames $(($2 / 4)) --no-tlb --no-thrash -o s.json
    for policy in lru clock opt linux; do
        contestant "replay $policy, default options" "" "$faultline" replay scale.flt --ram $((all / 4)) --policy $policy -o s.json
    done
    contestant "sweep lru, 64 sizes" "" "$faultline" sweep scale.flt --ram "$((all / 64))..$all/64" -j1 -o s.json
    contestant "info" "" "$faultline" info scale.flt
    race "$1" "$1 references, $2 pages"
}

part_scaling() {
    local RUNS=${SCALE_RUNS:-1} n policy
    echo "## Scaling: $RUNS rounds"
    table references "references grow, 20,000 pages"
    for n in $SCALE_REFS; do scale_trace "$n" 20000; scale_row "$n" 20000; done
    table references "pages grow, $((REFS / 2)) references"
    for n in $SCALE_PAGES; do scale_trace $((REFS / 2)) "$n"; scale_row $((REFS / 2)) "$n"; done
    rm -f scale.flt
    make_tenth
    table references "sizes grow, a tenth of page20m"
    for policy in lru fifo clock opt linux; do
        for n in $SCALE_SIZES; do
            race_begin
            contestant "sizes: $n" "" "$faultline" sweep tenth.flt --ram "$(curve_sizes "$n")" --policy $policy -j1 -o s.json
            race "$TENTH" "sweep $policy"
        done
    done
    table references "processors grow"
    race_begin
    for n in $SCALE_JOBS; do
        contestant "-j$n" "sha256sum <s.$n.json | cut -c1-8" "$faultline" sweep tenth.flt --ram "$(curve_sizes 16)" --policy fifo,lru,clock,opt "-j$n" -o "s.$n.json"
    done
    race $((TENTH * 4)) "sweep of 4 policies, 16 sizes"
}
