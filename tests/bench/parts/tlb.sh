# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # run.sh sources it: variables are shared
# tlb: two levels of TLB with equal rules and geometry, on page20m and on a program that lackey traced.
#   LACKEY=FILE   a text of `valgrind --tool=lackey --trace-mem=yes`; without it sqlite3 is traced
GEOMETRIES=${GEOMETRIES:-"32 32 1024 4;64 4 2048 8"}

our_tlb() { # hits and misses of L1I, L1D and L2
    jq -r '[.tlb.levels[] | "\(.name) \(.hits)/\(.misses)"] | join(", ")' "$1"
}

tlb_race() { # tlb_race NAME TRACE PEER-TRACE ACCESSES PAGES
    local name=$1 trace=$2 peer_trace=$3 accesses=$4 pages=$5 size ways size2 ways2
    while read -r size ways size2 ways2; do
        race_begin
        contestant "faultline" "our_tlb tlb.json" "$faultline" replay "$trace" --frames "$pages" --policy fifo \
            --no-thrash --machine "$here/machines/tlb-${size}x$ways-${size2}x$ways2.json" -o tlb.json
        if have DYNAMORIO; then
            dynamorio_enter "$peer_trace" "$size" "$ways" "$size2" "$ways2"
            dynamorio_reader_enter "$peer_trace"
        fi
        race "$accesses" "$name, $size in $ways ways, $size2 in $ways2"
    done < <(tr ';' '\n' <<<"$GEOMETRIES")
}

lackey_text() { # writes a traced program's accesses to lackey.txt
    if [ -n "${LACKEY:-}" ]; then
        cp "$LACKEY" lackey.txt
        return
    fi
    command -v valgrind >/dev/null || return 1
    command -v sqlite3 >/dev/null || return 1
    {
        echo "create table t(a integer primary key, b text); begin;"
        for i in $(seq "${LACKEY_ROWS:-1500}"); do echo "insert into t values($i, 'row$((i * 7919 % 20011))');"; done
        echo "commit; create index i on t(b);"
        echo "select count(*), max(x.b) from t x join t y on x.a = y.a + 1; update t set b = b || 'x' where a % 2;"
    } >q.sql
    valgrind --tool=lackey --trace-mem=yes --log-file=lackey.txt sqlite3 :memory: '.read q.sql' >/dev/null 2>&1
}

part_tlb() {
    echo "## TLB: hits/misses"
    table accesses "trace, geometry"
    if have DYNAMORIO; then ./peer_trace dynamorio <refs >pages.drmem; fi
    tlb_race page20m trace.flt pages.drmem "$REFS" "$PAGES"
    rm -f pages.drmem
    if ! lackey_text; then
        echo "| a program's trace | left out: needs valgrind and sqlite3, or LACKEY=FILE | | | | | | | |"
        return
    fi
    "$faultline" import --from lackey lackey.txt -o lackey.flt 2>/dev/null
    if have DYNAMORIO; then ./peer_trace lackey <lackey.txt >lackey.drmem; fi
    rm lackey.txt
    tlb_race "lackey" lackey.flt lackey.drmem "$(trace_key lackey.flt accesses)" "$PAGES"
    rm -f lackey.drmem
}
