# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# real: a recording of a program with a thousand million accesses, and questions about it beside the program's own time.
#   TRACE=FILE NATIVE=SECONDS   a recording of yours and its program's CPU time; otherwise `sort --parallel=1` of REAL_MB
REAL_MB=${REAL_MB:-50}

real_record() { # writes real.flt; prints what recording took; sets native
    awk -v bytes=$((REAL_MB * 1000000)) 'BEGIN {
        srand(7); for (n = 0; n < bytes; n += 26) printf "%010.0f row %010.0f\n", rand() * 1e10, rand() * 1e10 }' >lines
    local sort=(env LC_ALL=C sort --parallel=1 -S 200M -o sorted lines)
    table bytes
    race_begin
    contestant "natively" "cksum <sorted" "${sort[@]}"
    contestant "record" "cksum <sorted" "$faultline" record -q -o real.flt -- "${sort[@]}"
    once
    race "$(stat -c %s lines)" "sort of $REAL_MB MB"
    native=$(calc %.2f "$(column 0 1) / 1000")
    rm -f lines sorted
}

real_questions() { # real_questions TRACE ACCESSES: of half and all of its pages
    local all options="--no-tlb --no-thrash"
    all=$(($(trace_key "$1" peak_resident_pages) * 4096))
    table accesses
    race_begin
    contestant "replay lru, half, \`$options\`" "" "$faultline" replay "$1" --ram 50% --no-tlb --no-thrash -o s.json
    contestant "replay lru, half" "" "$faultline" replay "$1" --ram 50% -o s.json
    contestant "replay opt, half, \`$options\`" "" "$faultline" replay "$1" --ram 50% --policy opt --no-tlb --no-thrash -o s.json
    contestant "replay linux, half, \`$options\`" "" "$faultline" replay "$1" --ram 50% --policy linux --no-tlb --no-thrash -o s.json
    contestant "sweep lru, 64 sizes" "" "$faultline" sweep "$1" --ram "$((all / 64))..$all/64" -j1 -o s.json
    contestant "sweep opt, 64 sizes" "" "$faultline" sweep "$1" --ram "$((all / 64))..$all/64" --policy opt -j1 -o s.json
    contestant "info" "" "$faultline" info "$1"
    race "$2" "the recording"
}

part_real() {
    local trace=real.flt native=${NATIVE:-} data accesses bytes i
    echo "## A real program"
    if [ -n "${TRACE:-}" ]; then trace=$TRACE; else real_record; fi
    data=$(($(trace_key "$trace" reads) + $(trace_key "$trace" writes)))
    accesses=$(trace_key "$trace" accesses)
    bytes=$(stat -c %s "$trace")
    echo
    echo "$accesses accesses, $data of them data, $(trace_key "$trace" runs) runs, $(trace_key "$trace" distinct_pages) pages;" \
        "$bytes bytes, $(calc %.4f "$bytes / $data") a data access. Natively ${native:-?} CPU s."
    real_questions "$trace" "$accesses"
    [ -n "$native" ] || return 0
    echo
    for i in "${!NAMES[@]}"; do
        echo "- ${NAMES[$i]}: $(calc %.2f "$(column "$i" 1) / 1000 / $native") of the program's own time"
    done
}
