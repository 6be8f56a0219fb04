#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record -p, record -a and --duration from outside. Usage: record_live.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this machine does not let us record at all.
set -u
faultline=$1
workloads=$(realpath "$2")
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

if ! "$faultline" record --mode events -q -o probe.flt -- true 2>why; then
    grep -q 'perf_event' why && { echo "skipped: $(cat why)"; exit 77; }
    cat why
    exit 1
fi
dump() { "$faultline" dump "$1"; }
count() { dump "$1" | grep -c -- "$2"; }

# ---- a program to attach to: coproc's descriptors are target[0] and target[1] --------------
coproc target { exec "$workloads/live_target"; }
read -r _ pid start held <&"${target[0]}"
say() { # say WHAT N: have the target do it; its own counts are in $minor and $major
    echo "$1 $2" >&"${target[1]}"
    read -r _ _ _ minor _ major <&"${target[0]}"
}
recorder=
attach() { # attach FILE OPTION...: begin to record the target, and wait until it has begun
    local file=$1
    shift
    rm -f "$file"
    "$faultline" record -p "$pid" -o "$file" "$@" 2>note &
    recorder=$!
    for _ in $(seq 100); do
        [ -s "$file" ] && break
        sleep 0.05
    done
    sleep 0.2
}
detach() { # detach: end it as Ctrl-C does; its status is in $status
    kill -INT "$recorder" 2>/dev/null
    wait "$recorder"
    status=$?
}

attach a.flt
say touch 5003
detach
same "attached: exits with 0 when it is ended" "$status" 0
same "attached: the target still runs" "$(kill -0 "$pid" && echo yes)" yes
seen=$(count a.flt ' fault ')
ok "attached: the $seen faults are the $minor that /proc/PID/stat counted, and at most a few of reading it" \
    test "$seen" -ge 5003 -a "$seen" -le $((minor + 60))
ok "attached: none lost" test "$(count a.flt ' lost ')" = 0
ok "attached: sound" "$faultline" check a.flt >/dev/null
dump a.flt >a.txt
ok "attached: both threads were there at the start" test "$(grep -c "^0 t[0-9]* thread pid=$pid " a.txt)" = 2
ok "attached: its name is known" grep -q "process pid=$pid .*comm=\"live_target\"" a.txt
ok "attached: what it had mapped is known" grep -q "map .*start=$start .*" a.txt
ok "attached: what of it was resident is known" \
    grep -q "present .*start=$start length=$(printf '0x%x' $((held * 4096))) flags=resident" a.txt
ok "attached: its program's file is known" grep -q 'file .*live_target"' a.txt
ok "attached: /proc/PID/status at start and end" \
    test "$(grep -c "snapshot pid=$pid moment=\(start\|end\) text=\"status" a.txt)" = 2
worker=$(sed -n 's/^[0-9]* \(t[0-9]*\) fault .*/\1/p' a.txt | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
ok "attached: the faults are those of the second thread" test "$worker" = t1

attach b.flt
say spawn 12
detach
seen=$(count b.flt ' fault ')
ok "threads started while attached: $seen faults, /proc/PID/stat has $minor" \
    test "$seen" -ge 1200 -a "$seen" -le $((minor + 60)) -a "$minor" -ge 1200
ok "threads started while attached: all 12" test "$(grep -c . < <(dump b.flt | grep "thread pid=$pid"))" = 14

attach c.flt
say fork 7
detach
ok "children started while attached: all 7" test "$(count c.flt " process pid=.* ppid=$pid ")" = 7
seen=$(count c.flt ' fault ')
ok "children started while attached: their 700 faults are there ($seen)" test "$seen" -ge 700

"$faultline" record -p "$pid" --duration 300ms -o d.flt 2>note
same "--duration: exits with 0" $? 0
ok "--duration: the target still runs" kill -0 "$pid"

for i in 1 2 3 4 5 6 7 8 9 10; do
    attach e.flt -q
    say touch 101
    detach
    seen=$(count e.flt ' fault ')
    [ "$status" = 0 ] && [ "$seen" -ge 101 ] && [ "$seen" -le $((minor + 60)) ] || { ok "attach number $i ($seen of $minor)" false; }
done
ok "attached ten times more: the target still runs" kill -0 "$pid"

attach g.flt
say touch 400
exec {target[1]}>&-
wait "$recorder"
same "the recording ends with what it records" $? 0
ok "... and has its end" grep -q "exit pid=$pid" <(dump g.flt)

# ---- the whole machine ----------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then
    line=$("$faultline" record -a -o m.flt -- "$workloads/known_faults" 3001 2>note)
    same "-a with a command: its status" $? 0
    read -r _ start _ _ _ minor _ <<<"$line"
    dump m.flt >m.txt
    ok "-a: the command's faults are there" test "$(grep -c ' fault address=' m.txt)" -ge 3001
    ok "-a: and others' processes" test "$(grep -c ' process pid=' m.txt)" -gt 3
    ok "-a: this shell among them" grep -q " process pid=$$ " m.txt
    # two recordings watch the same faults: the kernel may give both the id of one of them
    "$faultline" record -a --duration 2s -q -o older.flt &
    older=$!
    sleep 0.5
    "$faultline" record --mode events -q -o newer.flt -- "$workloads/known_faults" 5003 >/dev/null
    minor=$("$faultline" info newer.flt | awk '$1 == "record.rusage_minflt" { print $2 }')
    wait "$older"
    for which in older newer; do
        ok "two at a time, the $which: nothing damaged" eval '! "$faultline" info '"$which"'.flt | grep -q damaged'
    done
    same "two at a time, the newer: the command's minor faults" "$(count newer.flt ' fault .*flags=minor')" "$minor"
    ok "two at a time, the older: has them" test "$(count older.flt ' fault .*flags=minor')" -ge "$minor"
    "$faultline" record -a --duration 200ms -q -o n.flt
    same "-a --duration without a command" $? 0
    ok "-a: sound" "$faultline" check n.flt >/dev/null
    ok "-a: the machine's memory at start and end" \
        test "$(dump n.flt | grep -c 'snapshot pid=0 moment=\(start\|end\) text="meminfo')" = 2
fi

# ---- refusals: one line each -----------------------------------------------------------------
exits 2 "$faultline" record -p 2147483646 -o x.flt
exits 2 "$faultline" record -p 1 -a -o x.flt
exits 125 "$faultline" record -p 1 -o x.flt -- true
exits 2 "$faultline" record -p 1 --mode exact -o x.flt
exits 125 "$faultline" record -o x.flt
exits 125 "$faultline" record --duration 1 -o x.flt -- true
ok "no trace is left by what was refused" test ! -e x.flt
exit $failed
