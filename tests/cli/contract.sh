#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What users and scripts rely on: commands, sizes, exit statuses, result keys, same bytes.
# Usage: contract.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
workloads=$(realpath "$2")
for tool in perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

fl() { "$faultline" "$@" </dev/null; }
sound() { fl check "$1" >/dev/null; }
# status N ARG...: exit status N; with one line on stderr and nothing on stdout
status() {
    local want=$1 got lines
    shift
    fl "$@" >out 2>err
    got=$?
    mapfile -t lines <err
    ok "exit $want, one line: ${*:-no command} ($got, ${#lines[@]}: ${lines[0]-})" \
        test $got = "$want" -a ${#lines[@]} = 1 -a ! -s out
}
json() { # json FILE FILTER...: every filter is true of FILE
    local file=$1 filter
    shift
    for filter; do ok "${file##*/}: $filter" holds "$file" "$filter"; done
}
quiet() { # quiet ARG...: succeeds, and stderr (no terminal) stays empty
    fl "$@" >out 2>err
    ok "silent on stderr: $*" test $? = 0 -a ! -s err
}

# ---- help, version, man pages ---------------------------------------------------
fl --version >out 2>err
ok "--version is one line" grep -qxE 'faultline [0-9]+\.[0-9]+\.[0-9]+' out
ok "--version says nothing on stderr" test ! -s err
fl help >overview
mapfile -t commands < <(sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p' overview)
for c in record info dump check replay sweep report advise plot import policies machines; do
    ok "help lists $c" grep -q "^  $c " overview
done
for c in "${commands[@]}"; do
    fl help "$c" >h1 2>e1
    fl "$c" --help >h2 2>e2
    ok "help $c and $c --help are the same, on stdout" cmp -s h1 h2
    ok "help $c says nothing on stderr" test ! -s e1 -a ! -s e2 -a -s h1
    ok "help $c fits into 79 columns" test "$(awk 'length > 79' h1 | wc -l)" = 0
    ok "help $c: examples are indented alike" \
        test "$(sed '1,/^Examples:/d' h1 | grep -cvE '^  [^ ]')" = 0
    fl help --man "$c" >"$c.1"
    missing=$(grep -oE '^ +(-[a-z], )?--[a-z-]+' h1 | grep -oE -- '--[a-z-]+' | while read -r o; do
        sed 's/\\-/-/g' "$c.1" | grep -q -- "$o" || echo "$o"
    done)
    ok "the man page of $c has every option of its help" test -z "$missing"
done
fl help --man >faultline.1
if command -v man >/dev/null && command -v groff >/dev/null; then
    for page in *.1; do
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" >out 2>err
        ok "man $page: no warnings $(head -1 err)" test ! -s err -a -s out
    done
else
    echo "skipped: man page warnings (no man and groff)"
fi

# ---- import and info ----------------------------------------------------------------
# Belady's string; every third reference a write.
perl -e 'my @p = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5);
    print pack("Q<*", map { $p[$_] | ($_ % 3 ? 0 : 1 << 63) } 0 .. 11)' >belady.u64
fl import --from pages belady.u64 -o belady.flt >out 2>err
ok "import succeeds, with nothing on stdout" test $? = 0 -a ! -s out
ok "a trace is its owner's alone" test "$(stat -c %a belady.flt)" = 600
fl import --from pages - -o again.flt 2>err <belady.u64
"$faultline" import --from pages - -o piped.flt <belady.u64 2>err
ok "import of the same input gives the same bytes, also from a pipe" cmp -s belady.flt piped.flt
perl -e 'print "==1== x\nI  00001000,4\n S 00002ffe,4\n L 00005000,8\n M 00005008,8\n"' >l.txt
fl import --from lackey l.txt -o lackey.flt 2>err
fl info --json lackey.flt >lackey.json
json lackey.json '.fetches == 1' '.writes == 3' '.reads == 2' '.distinct_pages == 4'
quiet info belady.flt
ok "info says the fidelity" grep -qE '^fidelity +exact' out
quiet info --json belady.flt
cp out info.json
json info.json '.path == "belady.flt"' '.fidelity == "exact"' '.accesses == 12' '.writes == 4' \
    '.reads == 8' '.fetches == 0' '.runs == 12' '.processes == 1' '.distinct_pages == 5' \
    '.peak_resident_pages == 5' '.lost_events == 0'
ok "sha256 is the file's" test "$(jq -r .sha256 info.json)" = "$(sha256sum <belady.flt | cut -c1-64)"
quiet check belady.flt
quiet dump belady.flt
ok "dump has a line for each event and run" test "$(wc -l <out)" = "$(jq '.events + .runs' info.json)"

# ---- replay ------------------------------------------------------------------------
replay_keys='["trace","machine","faults","swap","reclaim","tlb","page_table","sharing","oom","timeline","quality"]'
quiet replay belady.flt --frames 3 --policy fifo
ok "the table says the fidelity" grep -q 'fidelity exact' out
quiet replay belady.flt --frames 3 --policy fifo --json
cp out r.json
quiet replay belady.flt --frames 3 --policy fifo -o r2.json
ok "-o prints nothing" test ! -s out
ok "--json and -o give the same bytes" cmp -s r.json r2.json
json r.json '.schema == "faultline.replay/1"' ". as \$r | $replay_keys | all(. as \$k | \$r | has(\$k))" \
    'has("buddy") or has("slab") | not' \
    '.faults.minor == 5 and .faults.minor + .faults.major == 9' \
    '(.faults.by_cause | add) == .faults.minor + .faults.major' \
    '.faults.by_cause | keys - ["anon_zero","anon_write","cow","file_map","file_around","file_read","shmem","swap_cache","swap_in","huge"] == []' \
    '.machine | .ram_bytes == 12288 and .frames == 3 and .page_bytes == 4096 and .policy == "fifo" and .levels == 4' \
    '.machine | has("scope") and has("swap_bytes") and has("tlb")' \
    '.swap | has("pages_in") and has("pages_out") and has("peak_pages")' \
    '.reclaim | keys - ["scanned","reclaimed","activated","deactivated","refaults","direct","background"] == []' \
    '[.tlb.levels[] | .lookups == .hits + .misses] | all' \
    '.tlb | has("walks") and has("walk_refs") and has("flushes")' \
    '.page_table | has("tables_peak") and has("flat_bytes_avoided")' \
    '.sharing | has("shared_pages") and has("saved_bytes")' '.oom.kills == []' \
    '(.timeline.columns | length) as $n | [.timeline.rows[] | length == $n] | all' \
    '(.timeline.columns | index("major")) as $i | ([.timeline.rows[][$i]] | add) == .faults.major' \
    '[.quality[] | has("flag") and has("detail") and has("remedy")] | all'
ok "trace in a result is what info --json prints" \
    test "$(jq -cS .trace r.json)" = "$(jq -cS . info.json)"
# misses of Belady's string, from the books
for case in fifo,3,9 fifo,4,10 lru,3,10 lru,4,8 opt,3,7 opt,4,6 clock,3,9; do
    IFS=, read -r policy frames misses <<<"$case"
    fl replay belady.flt --frames "$frames" --policy "$policy" --json >x.json
    json x.json ".machine.policy == \"$policy\" and .faults.minor + .faults.major == $misses"
done
same_frames() { # same_frames RAM FRAMES
    fl replay belady.flt --ram "$1" --json >x.json
    ok "--ram $1 is $2 frames" holds x.json ".machine.frames == $2"
}
same_frames 4096 1
same_frames 12K 3
same_frames 1M 256
same_frames 512M 131072
same_frames 2G 524288
same_frames 40% 2
same_frames 100% 5
fl replay belady.flt --frames 2 --swap max --json >x.json
fl replay belady.flt --frames 2 --json >y.json
ok "swap is as large as needed unless said" cmp -s x.json y.json
fl replay belady.flt --frames 2 --swap 8K --json >x.json
json x.json '.machine.swap_bytes == 8192' '.oom.kills | length == 1' \
    '.oom.kills[0] | has("pid") and has("comm") and has("badness") and has("rss_pages") and has("swap_pages") and has("at_access")'
for scope in memcg machine; do
    fl replay belady.flt --frames 2 --scope $scope --json >x.json
    json x.json ".machine.scope == \"$scope\" and .faults.major == $(jq .faults.major y.json)"
done
fl policies >out
for p in fifo lru clock random opt; do
    ok "policies lists $p with its source" grep -qE "^$p +.*\[.+\]$" out
    fl replay belady.flt --frames 3 --policy $p --json >x.json
    fl replay belady.flt --frames 3 --policy $p --json >y.json
    ok "replay with $p twice gives the same bytes" cmp -s x.json y.json
done
ok "policies: a line each" test "$(wc -l <out)" = "$(fl policies --json | jq length)"
fl machines >out
ok "machines: a line each, with a source" test "$(grep -c '\[.*\]$' out)" = "$(fl machines --json | jq length)"
for m in $(fl machines --json | jq -r '.[].name'); do
    fl replay belady.flt --frames 3 --machine "$m" --json >x.json
    json x.json '.tlb.levels | length >= 2' ".faults == $(jq -c .faults y.json) or true"
done
# a profile in a file is as good as the built-in it was printed from
fl machines --json | jq '.[2] | .name = "mine"' >mine.json
fl replay belady.flt --frames 3 --machine teaching --json | jq -S 'del(.machine.name)' >x.json
fl replay belady.flt --frames 3 --machine mine.json --json >y.json
ok "a profile from a file gives the built-in's result" test "$(jq -S 'del(.machine.name)' y.json)" = "$(cat x.json)"
json y.json '.machine.name == "mine"'
fl replay belady.flt --frames 3 --no-tlb --json >x.json
json x.json 'has("tlb") | not'

# ---- sweep --------------------------------------------------------------------------
perl -e 'srand 7; print pack("Q<*", map { int(rand(300) * rand()) | (rand() < 0.3 ? 1 << 63 : 0) } 1 .. 30000)' >many.u64
fl import --from pages many.u64 -o many.flt 2>err
quiet sweep many.flt --ram 64K..1M/16 --policy lru,clock
quiet sweep many.flt --ram 64K..1M/16 --policy fifo,lru,clock,random,opt --swap 512K,max -j1 --json
cp out j1.json
quiet sweep many.flt --ram 64K..1M/16 --policy fifo,lru,clock,random,opt --swap 512K,max -j2 -o j2.json
ok "the same bytes with -j1 and -j2" cmp -s j1.json j2.json
json j1.json '.schema == "faultline.sweep/1"' '.points | length == 160' \
    '[.points[] | keys - ["ram_bytes","frames","swap_bytes","policy","minor","major","swap_in","swap_out","oom_kills","seed"] == []] | all' \
    '[.points[] | length == (if .policy == "random" then 10 else 9 end)] | all' \
    '[.points[] | .ram_bytes == .frames * 4096] | all' \
    '[.points[:16][].ram_bytes] == [range(65536; 1048577; 65536)]' \
    '[.points[] | select(.policy == "lru" and .swap_bytes == null) | .major] | . == (sort | reverse)' \
    '.trace.path == "many.flt"'
fl sweep many.flt --ram 64K,128K,25%,50%..100%/2 --json >x.json
json x.json '[.points[:2][].frames] == [16, 32]' \
    ".points[3].frames == ($(jq .trace.peak_resident_pages j1.json) / 2 | floor)" \
    ".points[4].frames == $(jq .trace.peak_resident_pages j1.json)"
for i in 0 37 70 133; do
    read -r policy frames swap < <(jq -r ".points[$i] | \"\(.policy) \(.frames) \(.swap_bytes // \"max\")\"" j1.json)
    fl replay many.flt --frames "$frames" --policy "$policy" --swap "$swap" --json >x.json
    ok "sweep's answer is replay's: $policy, $frames frames, swap $swap" test \
        "$(jq -c "[.points[$i] | .minor, .major, .swap_in, .swap_out, .oom_kills]" j1.json)" = \
        "$(jq -c '[.faults.minor, .faults.major, .swap.pages_in, .swap.pages_out, (.oom.kills | length)]' x.json)"
done
fl sweep many.flt --ram 64K..1M/16 --policy linux,lru -j1 --dry-run --json >x.json
json x.json '.schema == "faultline.sweep-plan/1"' '.points == 32' '.to_do == 32' '.passes == 3' \
    '.traces == 1' '.threads == 1' '.memory_bytes > 1000000'
fl sweep many.flt --ram 64K,1M --machine teaching,zen4 --json >x.json
json x.json '[.points[] | [.machine, .frames]] == [["teaching", 16], ["teaching", 256], ["zen4", 16], ["zen4", 256]]' \
    '.points | all(.tlb | keys == ["flushes", "page_flushes", "walk_refs", "walks"])'
fl sweep many.flt --ram 64K,128K >out
ok "every figure with its fidelity: sweep's table says exact" grep -q exact out

# ---- usage: 2; data: 1 ---------------------------------------------------------------
status 2 frobnicate
status 2 --frobnicate
status 2 help frobnicate
fl >out 2>err
ok "no command: exit 2, help on stderr" test $? = 2 -a -s err -a ! -s out
for c in info dump check replay sweep plot import; do status 2 "$c"; done
status 2 report
status 2 info belady.flt belady.flt
status 2 info --frobnicate belady.flt
status 2 policies x
status 2 replay belady.flt
for bad in "--ram 8Q" "--ram -1" "--ram 0" "--frames 0" "--frames x" "--frames 2 --ram 8K" "--ram" \
    "--frames 2 --policy none" "--frames 2 --machine none" "--frames 2 --swap x" \
    "--frames 2 --scope x" "--ram 99999999999G" "--frames 4294967295"; do
    # shellcheck disable=SC2086
    status 2 replay belady.flt $bad
done
for bad in "" "--ram 8K..4K/3" "--ram 8K..16K" "--ram 8K,,16K" "--ram 8K --policy lru,none" "--ram 8K -j x" \
    "--ram 8K..50%/4" "--ram 1K"; do
    # shellcheck disable=SC2086
    status 2 sweep belady.flt $bad
done
status 2 report belady.flt
status 2 plot frobnicate r.json
status 2 plot faults r.json -o x.bmp
status 2 import belady.u64 -o x.flt
status 2 import --from frob belady.u64 -o x.flt
status 2 import --from pages belady.u64
status 1 replay belady.flt --frames 3 --machine belady.u64
status 1 replay belady.flt --frames 3 --machine .
# an output that is the input is a slip, and would lose the trace
cp belady.flt same.flt
ln -sf same.flt link.flt
status 2 replay same.flt --frames 3 -o same.flt
status 2 replay same.flt --frames 3 --machine mine.json -o mine.json
status 2 sweep same.flt --ram 8K -o link.flt
status 2 import --from pages same.flt -o ./same.flt
ok "and the input is as it was" cmp -s same.flt belady.flt
for c in info dump replay sweep report; do
    case $c in
    replay | sweep) status 1 $c nowhere.flt --ram 8K ;;
    report) status 1 $c nowhere.flt -o rep ;;
    *) status 1 $c nowhere.flt ;;
    esac
done

# ---- report and plot -------------------------------------------------------------------
if grep -q '^  report ' overview; then
    quiet report many.flt --ram 50% -o rep
    for f in index.html report.md report.json; do ok "report writes $f" test -s rep/$f; done
    json rep/report.json '.schema == "faultline.report/1"' '.results | length == 1' \
        '.results[0].source == "model"' ".results[0] as \$r | $replay_keys | all(. as \$k | \$r | has(\$k))" \
        '.results[0] | has("buddy") or has("slab") | not'
    fl replay many.flt --ram 50% --json >x.json
    ok "the report's figures are replay's" test "$(jq -cS '.results[0] | .faults, .swap, .tlb' rep/report.json)" = \
        "$(jq -cS '.faults, .swap, .tlb' x.json)"
    ok "index.html loads nothing from elsewhere" test "$(grep -ciE '(src|href)="?(https?:)?//' rep/index.html)" = 0
    quiet report many.flt --ram 50% -o rep2
    ok "the same report twice" test "$(jq -cS 'del(.. | .reproduce? // empty)' rep/report.json | md5sum)" = \
        "$(jq -cS 'del(.. | .reproduce? // empty)' rep2/report.json | md5sum)"
    fl report r.json x.json -o rep3 >out 2>err
    ok "results can be reported, side by side" test $? = 0
    json rep3/report.json '.results | length == 2' '.results[0].faults.major == 4'
    status 2 report belady.flt -o rep4 --ram 100
    if command -v gnuplot >/dev/null; then
        for f in x.svg x.png x.pdf; do
            quiet plot faults x.json -o $f
            ok "plot -o $f" test -s $f
        done
        ok "a png is one" test "$(head -c 4 x.png | tail -c 3)" = PNG
        ok "a pdf is one" test "$(head -c 4 x.pdf)" = %PDF
        quiet plot curve j1.json
        ok "a chart goes to stdout unless said" grep -q '<svg' out
        quiet plot curve j1.json --term
        ok "a terminal's chart is text" test -s out -a "$(grep -c '<svg' out)" = 0
        quiet plot curve rep/report.json
    fi
fi

# ---- record, exact -----------------------------------------------------------------------
rec() { "$faultline" record -o t.flt "$@"; }
tracer=1
if ! rec -- true >out 2>err; then
    echo "skipped: record --mode exact ($(head -1 err))"
    tracer=0
fi
records() { # records MODE: what any recording does
    local mode=$1
    run() { "$faultline" record --mode "$mode" -o t.flt -- "$@"; }
    ok "$mode: stdout is the command's alone" test "$(run echo hello 2>err)" = hello
    ok "$mode: stdin is the command's" test "$(echo typed | run cat 2>err)" = typed
    ok "$mode: the trace is its owner's alone" test "$(stat -c %a t.flt)" = 600
    ok "$mode: the trace is sound" sound t.flt
    fl info --json t.flt >t.json
    run sh -c 'exit 37' 2>err
    ok "$mode: the command's status" test $? = 37
    run sh -c 'kill -TERM $$' 2>err
    ok "$mode: 128 + the signal" test $? = 143
    "$faultline" record --mode "$mode" -o t.flt sh -c 'exit 3' -o x 2>err
    ok "$mode: without -- the options after the command are the command's" test $? = 3 -a ! -e x
    rm -f t.flt
    run ./no-such-command 2>err
    ok "$mode: not found is 127" test $? = 127
    ok "$mode: not found is said in one line" test "$(wc -l <err)" = 1
    ok "$mode: not found leaves no trace" test ! -e t.flt
    cp belady.flt t.flt
    run ./no-such-command 2>err
    ok "$mode: not found leaves an older trace alone" cmp -s t.flt belady.flt
    rm -f t.flt
    : >plain
    run ./plain 2>err
    ok "$mode: not executable is 126" test $? = 126
    "$faultline" record --mode "$mode" -o nowhere/t.flt -- touch ran 2>err
    ok "$mode: no place for the trace is 125" test $? = 125
    ok "$mode: no place for the trace is said in one line" test "$(wc -l <err)" = 1
    ok "$mode: and nothing ran" test ! -e ran
    # a name with a line break and a byte that is no UTF-8
    cp "$workloads/exact_pages" $'odd\nname\xff'
    run ./$'odd\nname\xff' >out 2>err
    fl info --json t.flt >odd.json
    ok "$mode: odd names: info --json is JSON" holds odd.json ".processes == 1"
    ok "$mode: odd names: JSON is UTF-8" iconv -f utf-8 -t utf-8 -o /dev/null odd.json
    fl dump t.flt >odd.dump
    ok "$mode: odd names: dump has a line for each event and run" \
        test "$(wc -l <odd.dump)" = "$(jq '.events + .runs' odd.json)"
}
if [ $tracer = 1 ]; then
    records exact
    json t.json '.fidelity == "exact"' '.accesses > 1000' '.fetches > .reads' '.distinct_pages > 10' \
        '.accesses == .reads + .writes + .fetches' '.peak_resident_pages > 10'
    ok "exact is the mode unless said" test "$("$faultline" record -o t.flt -- true 2>err; fl info --json t.flt | jq -r .fidelity)" = exact
    fl replay t.flt --ram 50% --json >x.json
    json x.json '.faults.major > 0' '.faults.segv == 0'
    "$faultline" record -o kids.flt -- sh -c 'true & wait; exit 3' 2>err
    ok "children: the command's status" test $? = 3
    fl info --json kids.flt >x.json
    json x.json '.processes >= 2'
fi

# ---- record, events: what happened, no what-if ------------------------------------------------
if "$faultline" record --mode events -o ev.flt -- "$workloads/known_faults" 307 >out 2>err; then
    records events
    fl info --json ev.flt >x.json
    json x.json '.fidelity == "events"' '.accesses == 0'
    status 4 replay ev.flt --frames 10
    ok "the refusal names the fidelity and the recording to make" \
        test "$(grep -c "events.*record.*exact" err)" = 1
    status 4 replay ev.flt --ram 50%
    status 4 sweep ev.flt --ram 1M
    status 4 sweep ev.flt --ram 50%
    fl report ev.flt -o evrep >out 2>err
    ok "an events trace can be reported" test $? = 0
    json evrep/report.json '.results[0].source == "observed"' '.results[0].trace.fidelity == "events"' \
        '.results[0].faults.minor >= 307'
else
    echo "skipped: record --mode events ($(head -1 err))"
fi
status 125 record
status 125 record --mode frobnicate -- true
status 125 record --frobnicate -- true

exit $failed
