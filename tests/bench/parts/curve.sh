# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # run.sh sources it: variables are shared
# curve: LRU at all sizes at once. opt: OPT at 64 sizes; no peer does that in one pass.
#   CURVE_SIZES=65536   sizes of our large sweep: as many as a list may have
CURVE_SIZES=${CURVE_SIZES:-65536}

curve_sizes() { # curve_sizes N: a list of N even steps up to all pages
    local all=$((PAGES * 4096))
    if [ "$1" = 1 ]; then echo $all; else echo "$((all / $1))..$all/$1"; fi
}

# Lines "frames misses" on standard input beside the first contestant's, which are kept.
curve_answer() {
    if [ "$N" = 0 ]; then
        cat >curve.first
        echo "all sizes"
        return
    fi
    awk 'NR == FNR { first[$1] = $2; next }
        !($1 in first) { next }
        { sizes++; by = $2 - first[$1]; by = by < 0 ? -by : by }
        by { wrong++; most = by > most ? by : most }
        END { if (wrong || !sizes) printf "%d of %d sizes differ, by at most %d\n", wrong, sizes, most
              else print "all sizes" }' curve.first -
}
curve_of_distances() { # lines "distance references", 0 for the page that was just used
    awk -v refs="$REFS" -v pages="$PAGES" '{ at[$1] += $2 }
        END { for (i = 1; i <= pages; i++) print i, refs - (hits += at[i - 1]) }' | curve_answer
}
curve_of_sweep() { jq -r '.points[] | "\(.frames) \(.minor + .major)"' "$1" | curve_answer; }

part_curve() {
    local many=$((PAGES < CURVE_SIZES ? PAGES : CURVE_SIZES)) n
    echo "## The LRU curve: $REFS references over $PAGES pages; peers answer for every size"
    table references
    race_begin
    for n in "$many" 64; do
        contestant "sweep lru, $n sizes" "curve_of_sweep lru.$n.json" \
            "$faultline" sweep trace.flt --ram "$(curve_sizes "$n")" -j1 -o "lru.$n.json"
    done
    iaf_enter
    if have DISTUTIL; then distutil_enter; fi
    if have PARDA; then parda_enter; fi
    race "$REFS" "LRU at all sizes"
}

# Its misses at one size are checked beside a pass of libCacheSim at that one.
part_opt() {
    local frames=$((PAGES / 4))
    echo "## OPT at 64 sizes: $REFS references over $PAGES pages; misses at $frames frames"
    table references
    race_begin
    contestant "sweep opt, 64 sizes" "jq '.points[] | select(.frames == $frames) | .minor + .major' opt.json" \
        "$faultline" sweep trace.flt --ram "$(curve_sizes 64)" --policy opt -j1 -o opt.json
    if have CACHESIM; then libcachesim_enter opt "$frames"; fi
    contestant "replay opt, \`--no-tlb --no-thrash\`" "misses_of one.json" "$faultline" replay trace.flt \
        --frames "$frames" --policy opt --no-tlb --no-thrash -o one.json
    race "$REFS" "64 sizes, beside one"
}
