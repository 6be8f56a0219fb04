#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Measures import, info, replay and sweep, and what replay needs of memory as traces grow.
# Usage: run.sh FAULTLINE [speed|memory]   (both unless said)
#   RUNS=5           runs of each, of which the median counts
#   REFS=20000000    references of the trace for speed
#   CACHESIM=path    libCacheSim's cachesim (or on the PATH): run in turn with ours, for ratios
# Prints Markdown tables. Figures are user + system CPU seconds; another day's are not comparable.
set -eu
faultline=$(realpath "${1:?usage: run.sh FAULTLINE [speed|memory]}")
what=${2:-both}
here=$(cd "$(dirname "$0")" && pwd)
runs=${RUNS:-5}
refs=${REFS:-20000000}
cachesim=${CACHESIM:-$(command -v cachesim || true)}
[ -x /usr/bin/time ] || { echo "run.sh needs GNU time: apt-get install time" >&2; exit 77; }
[ -z "$cachesim" ] || cachesim=$(realpath "$cachesim")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cc -std=gnu17 -O2 -D_GNU_SOURCE -I "$here/../oracle" "$here/pages.c" "$here/../oracle/page_stream.c" \
    -o "$dir/pages"
cd "$dir" # the peer writes a file where it stands

machine() {
    echo "$("$faultline" --version); $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
        "$(nproc) CPUs, Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg)"
}

# cpu COMMAND...: CPU milliseconds and peak KiB, "ms KiB"
cpu() {
    /usr/bin/time -o "$dir/time" -f '%U %S %M' "$@" >"$dir/out" 2>"$dir/err" || {
        echo "run.sh: failed: $*: $(tail -1 "$dir/err")" >&2
        exit 1
    }
    awk '{ printf "%d %d\n", ($1 + $2) * 1000, $3 }' "$dir/time"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# row NAME REFS COMMAND... [-- PEER...]: medians; with a peer, alternately, and the ratio
row() {
    local name=$1 n=$2 ours=() peer=() i ms kib peer_ms
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do ours+=("$1"); shift; done
    [ $# -eq 0 ] || { shift; peer=("$@"); }
    : >"$dir/ours"
    : >"$dir/peer"
    for ((i = 0; i < runs; i++)); do
        cpu "${ours[@]}" >>"$dir/ours"
        [ ${#peer[@]} -eq 0 ] || cpu "${peer[@]}" >>"$dir/peer"
    done
    ms=$(median <"$dir/ours")
    kib=$(cut -d' ' -f2 "$dir/ours" | median)
    peer_ms=$(median <"$dir/peer")
    awk -v name="$name" -v n="$n" -v ms="$ms" -v kib="$kib" -v peer="$peer_ms" \
        -v spread="$(sort -n "$dir/ours" | awk 'NR == 1 { a = $1 } { b = $1 } END { printf "%.2f-%.2f", a / 1000, b / 1000 }')" \
        'BEGIN { printf "| %s | %.2f | %s | %.1f | %.1f | %s |\n", name, ms / 1000, spread,
                 ms ? n / ms / 1000 : 0, kib / 1024,
                 peer && ms ? sprintf("%.2f s, %.1fx", peer / 1000, peer / ms) : "" }'
}

speed() {
    # Its command line takes its faster hash setting for traces of this name only.
    local frames policy sizes extra peer peer_trace=$dir/data/trace.oracleGeneral
    mkdir "$dir/data"
    "$dir/pages" mix "$refs" 262144 1 >"$dir/refs"
    [ -z "$cachesim" ] || PAGES_PEER=1 "$dir/pages" mix "$refs" 262144 1 >"$peer_trace"
    "$faultline" import --from pages "$dir/refs" -o "$dir/t.flt" 2>/dev/null
    echo "## Speed: $refs references over 262,144 pages, $(stat -c %s "$dir/t.flt") bytes of trace"
    echo
    echo "| | CPU s, median of $runs | range | M refs/s | peak MiB | peer: libCacheSim |"
    echo "|---|---:|---|---:|---:|---|"
    row import "$refs" "$faultline" import --from pages "$dir/refs" -o "$dir/x.flt"
    row info "$refs" "$faultline" info "$dir/t.flt"
    for frames in 1024 65536; do
        for policy in fifo lru clock random opt; do
            peer=()
            case $policy in
            opt) extra=belady ;;
            random) extra= ;;
            *) extra=$policy ;;
            esac
            [ -z "$cachesim" ] || [ -z "$extra" ] || peer=(-- "$cachesim" "$peer_trace" oracleGeneral \
                $extra $frames --ignore-obj-size 1 --num-thread 1)
            row "replay $policy, $frames frames, no TLB" "$refs" "$faultline" replay "$dir/t.flt" \
                --frames $frames --policy $policy --no-tlb "${peer[@]}"
        done
    done
    for policy in fifo lru clock random opt; do
        row "replay $policy, 65536 frames, TLB" "$refs" "$faultline" replay "$dir/t.flt" \
            --frames 65536 --policy $policy
    done
    for sizes in 4 64; do
        row "sweep lru, $sizes sizes" "$refs" "$faultline" sweep "$dir/t.flt" --ram 4M..1G/$sizes -j1
    done
    row "sweep clock, 4 sizes, -j1" "$refs" "$faultline" sweep "$dir/t.flt" --ram 4M..1G/4 --policy clock -j1
}

memory() {
    local n policy
    echo "## Memory: peak of replay, MiB, as the trace grows over the same 20,000 pages"
    echo
    echo "| references | trace, MiB | lru, no TLB | lru | clock | opt | info | sweep lru 64 |"
    echo "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for n in 1000000 10000000 100000000; do
        "$dir/pages" mix $n 20000 1 | "$faultline" import --from pages - -o "$dir/m.flt" 2>/dev/null
        {
            echo $n
            awk -v b="$(stat -c %s "$dir/m.flt")" 'BEGIN { printf "%.1f\n", b / 1048576 }'
            for policy in "lru --no-tlb" lru clock opt; do
                # shellcheck disable=SC2086
                cpu "$faultline" replay "$dir/m.flt" --frames 5000 --policy $policy
            done
            cpu "$faultline" info "$dir/m.flt"
            cpu "$faultline" sweep "$dir/m.flt" --ram 1M..64M/64 -j1
        } | awk 'NR <= 2 { printf "| %s ", $1; next } { printf "| %.1f ", $2 / 1024 } END { print "|" }'
    done
}

machine
echo
if [ "$what" != memory ]; then speed; echo; fi
if [ "$what" != speed ]; then memory; fi
