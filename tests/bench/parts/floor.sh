# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# floor: what this machine allows, and what that makes of page20m.

part_floor() {
    "${CC:-cc}" -std=gnu17 -O3 -march=native "$here/floor.c" -o floor
    ./floor 2>/dev/null >floor.txt
    echo "## The floor"
    echo
    echo "| memory | in order, GB/s | a dependent load, ns |"
    echo "|---:|---:|---:|"
    awk '{ v[$1, $2] = $3; if (!seen[$2]++) order[++n] = $2 }
        END { for (i = 1; i <= n; i++) { b = order[i]
            printf "| %g MiB | %s | %s |\n", b / 1048576, v["read", b], v["chase", b] } }' floor.txt | sort -t'|' -k2 -n
    local bytes
    bytes=$(stat -c %s trace.flt)
    echo
    awk -v bytes="$bytes" -v refs="$REFS" -v pages="$(trace_key trace.flt distinct_pages)" '
        $1 == "read" { gbs = $3 } $1 == "chase" { ns = $3 } END {
            read = bytes / refs / gbs; cold = pages * ns / refs
            printf "page20m: %.2f bytes a reference, %.3f ns; one dependent miss of %.0f ns for each of %d cold pages, %.3f ns a reference; ", \
                bytes / refs, read, ns, pages, cold
            printf "together %.3f ns, %.0f M references/s.\n", read + cold, 1000 / (read + cold) }' floor.txt
}
