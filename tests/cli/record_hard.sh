#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The exact tracer's hard cases: each case of each program of tests/hard natively and recorded, and
# what it said (hard.h) against its own trace. Usage: record_hard.sh FAULTLINE WORKLOAD_DIR [PROGRAM [CASE]]
# Exit: 0 all hold, 1 one does not, 77 this build has no exact tracer.
set -u
faultline=$1
programs=$2/hard
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

record() { "$faultline" record -q "$@"; }
sound() { "$faultline" check "$1" >check.out 2>&1; }

if ! record -o probe.flt -- true 2>why; then
    if grep -q 'no exact tracer' why; then
        echo "skipped: $(cat why)"
        exit 77
    fi
    cat why
    exit 1
fi

# runs OUT: what the trace on stdin holds of the regions that OUT names, "KEY NAME N" and "... tK"
runs() {
    awk '
        function hex(s,  i, v) {
            v = 0; s = tolower(s); sub(/^0x/, "", s)
            for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
            return v
        }
        NR == FNR { if ($1 == "region") { low[$2] = hex($3) / 4096; n[$2] = $4 } next }
        $2 == "user" || $2 == "kernel" {
            page = hex(substr($4, 6))
            for (name in low) {
                if (page < low[name] || page >= low[name] + n[name]) continue
                if ($2 == "kernel") { kernel[name]++; continue }
                if (!seen[name, page]++) pages[name]++
                if (!seen[name, page, $1]++) pages[name, $1]++
                r[name] += substr($6, 3); w[name] += substr($7, 3); f[name] += substr($8, 3)
                r[name, $1] += substr($6, 3); w[name, $1] += substr($7, 3); f[name, $1] += substr($8, 3)
                threads[$1] = 1
            }
        }
        END {
            for (name in low) {
                print "pages", name, pages[name] + 0; print "kernel", name, kernel[name] + 0
                print "reads", name, r[name] + 0; print "writes", name, w[name] + 0
                print "fetches", name, f[name] + 0
                for (t in threads) {
                    print "pages", name, pages[name, t] + 0, t; print "reads", name, r[name, t] + 0, t
                    print "writes", name, w[name, t] + 0, t; print "fetches", name, f[name, t] + 0, t
                }
            }
        }' "$1" -
}

# faults POLICY FUNCTION: its minor faults with memory enough and no swap
faults() {
    [ -s "$1.json" ] || "$faultline" replay case.flt --policy "$1" --ram 4G --swap 0 --no-tlb -o "$1.json" || return
    jq --arg f "$2" '[.by_function[] | select(.function == $f) | .minor] | add // 0' "$1.json"
}

# got KEY REST...: what the trace says where the program said "expect KEY REST"
got() {
    local key=$1 name=${2:-} thread=${4:-}
    case $key in
        pages | reads | writes | fetches | kernel)
            awk -v k="$key" -v m="$name" -v t="$thread" '$1 == k && $2 == m && $4 == t { n = $3 } END { print n + 0 }' runs.txt ;;
        faults-lru | faults-linux) faults "${key#faults-}" "$name" ;;
        cause) faults lru main >/dev/null; jq --arg c "$name" '.faults.by_cause[$c]' lru.json ;;
        segv) faults lru main >/dev/null; jq .faults.segv lru.json ;;
        exit) echo "$status" ;;
        quality) grep -cE "^quality\.$name " info.txt ;;
        *) echo "no such key: $key" ;;
    esac
}

hold() { # hold CASE LINE: one expectation
    local what=$1 key name n regex thread
    read -r _ key name n thread <<<"$2"
    case $key in
        events)
            regex=${2#expect events "$name" }
            same "$what: $name events '$regex'" "$(grep -cE -- "$regex" events.txt)" "$name" ;;
        faults)
            hold "$what" "expect faults-lru $name $n"
            hold "$what" "expect faults-linux $name $n" ;;
        segv | exit) same "$what: $key" "$(got "$key")" "$name" ;;
        quality) same "$what: quality $name" "$(got quality "$name")" 1 ;;
        *) same "$what: $key $name $n $thread" "$(got "$key" "$name" "$n" "$thread")" "$n" ;;
    esac
}

natively() { # what the kernel counted is what is expected of the model
    "$1" "$2" >native.out 2>native.err
    same "$3: natively exits as expected" $? "$(sed -n 's/^expect exit //p' native.out | grep . || echo 0)"
    while read -r _ function n; do
        grep -qE "^expect faults(-linux)? $function " native.out || continue
        ok "$3: natively $n faults in $function" grep -qE "^expect faults(-linux)? $function $n\$" native.out
    done < <(grep '^measured ' native.out)
}

check_case() { # check_case PROGRAM CASE
    local name
    name="$(basename "$1" | sed s/hard_//) $2"
    rm -f ./*.json ./*.txt case.flt
    natively "$1" "$2" "$name"
    record -o case.flt -- "$1" "$2" >case.out 2>case.err
    status=$?
    ok "$name: sound" sound case.flt
    "$faultline" dump case.flt >dump.txt
    "$faultline" info case.flt >info.txt
    grep -v ' user mm=\| kernel mm=' dump.txt >events.txt
    runs case.out <dump.txt >runs.txt
    while IFS= read -r line; do
        hold "$name" "$line"
    done < <(grep '^expect ' case.out; grep -q '^expect exit' case.out || echo expect exit 0)
    [ "$failed" -eq 0 ] || cat native.err case.err
}

# refuses FILE WORDS: status 125, one line that says why and what to do, and no trace
refuses() {
    rm -f refused.flt
    record -o refused.flt -- "$1" 2>why
    same "$1: refused" $? 125
    same "$1: in one line" "$(wc -l <why)" 1
    ok "$1: says why ($2)" grep -q "$2.*record it with --mode events" why
    ok "$1: no trace is left" test ! -e refused.flt
}

refusals() {
    # The head of an ELF file is enough to tell: class 1 is 32-bit; machine 0xb7 is an arm64 one.
    printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0' >elf32
    printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0' >elf-arm
    cp "$(type -P true)" setuid
    cp "$(type -P true)" setgid
    printf '#! %s/elf32 -x\n' "$dir" >script32
    printf '#!%s/setuid\n' "$dir" >script-setuid
    printf '#!%s/script32\n' "$dir" >script-of-script
    chmod +x elf32 elf-arm script32 script-setuid script-of-script
    chmod u+s setuid
    chmod g+s setgid
    refuses ./elf32 'not a 64-bit x86'
    refuses ./elf-arm 'not a 64-bit x86'
    refuses ./setuid 'set-user-id'
    refuses ./setgid 'set-group-id'
    refuses ./script32 'interpreter .*elf32: is not a 64-bit x86'
    refuses ./script-setuid 'interpreter .*setuid: is set-user-id'
    refuses ./script-of-script 'interpreter .*elf32: is not a 64-bit x86'
    cp "$(type -P true)" capable
    if setcap cap_net_raw+ep capable 2>/dev/null; then refuses ./capable 'file capabilities'; fi
    # On the way they run natively, and the trace says how many.
    record -o native.flt -- sh -c './setuid; ./script-setuid; exec ./setuid'
    same "set-user-id on the way: runs" $? 0
    "$faultline" info native.flt >info.txt
    ok "set-user-id on the way: told of" grep -q 'quality.native .*(3)' info.txt
}

# A program that stops itself waits as natively; what would end or continue it does.
stopped() {
    local signal how pid
    for signal in TERM HUP CONT; do
        rm -f pid
        "$faultline" record -q -o stop.flt -- sh -c 'echo $$ >pid; kill -STOP $$; exit 5' 2>/dev/null &
        how=$!
        for _ in $(seq 200); do
            [ -s pid ] && read -r pid <pid && grep -q '^State:.T' "/proc/$pid/status" && break
            sleep 0.05
        done
        ok "stopped by itself: the recorder waits" kill -0 "$how"
        kill -$signal "$how"
        wait "$how" 2>/dev/null
        how=$?
        case $signal in TERM) pid=143 ;; HUP) pid=129 ;; CONT) pid=5 ;; esac
        same "stopped by itself: SIG$signal reaches it" "$how" "$pid"
        ok "stopped by itself: SIG$signal leaves a whole trace" sound stop.flt
    done
}

if [ $# -le 2 ]; then
    refusals
    stopped
fi
for program in "$programs"/${3:-hard_*}; do
    for case in ${4:-$("$program")}; do
        check_case "$program" "$case"
    done
done
exit $failed
