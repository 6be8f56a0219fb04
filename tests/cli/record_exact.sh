#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record --mode exact from outside. Usage: record_exact.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this build has no exact tracer.
set -u
faultline=$1
workloads=$2
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

record() { "$faultline" record -q "$@"; }
sound() { "$faultline" check "$1" >check.out 2>&1; }
events() { "$faultline" dump "$1" | grep -v ' user mm=\| kernel mm='; }
count() { events "$1" | grep -c -- "$2"; }
# tally FILE FIRST_ADDRESS PAGES [THREAD]: "pages reads writes" of user runs there
tally() {
    "$faultline" dump "$1" | awk -v first="$2" -v n="$3" -v thread="${4:-}" '
        function hex(s,  i, v) {
            v = 0; s = tolower(s); sub(/^0x/, "", s)
            for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
            return v
        }
        BEGIN { low = hex(first) / 4096 }
        $2 == "user" && (thread == "" || $1 == thread) {
            page = hex(substr($4, 6))
            if (page < low || page >= low + n) next
            seen[page] = 1; r += substr($6, 3); w += substr($7, 3)
        }
        END { for (p in seen) k++; print k + 0, r + 0, w + 0 }'
}

if ! record -o probe.flt -- true 2>why; then
    if grep -q 'no exact tracer' why; then
        echo "skipped: $(cat why)"
        exit 77
    fi
    cat why
    exit 1
fi

# ---- nothing ran -----------------------------------------------------------------
FAULTLINE_LIBEXEC=$dir/nowhere exits 125 "$faultline" record -q -o none.flt -- true
ok "without a tracer no file is left" test ! -e none.flt

# ---- exact counts --------------------------------------------------------------
at=$(record -o pages.flt -- "$workloads/exact_pages")
same "1009 pages written three times and read once" "$(tally pages.flt "$at" 1009)" "1009 1009 3027"
ok "the trace is sound" sound pages.flt

record -o cow.flt -- "$workloads/exact_cow" >cow.out
read -r own common <cow.out
same "fork: the child writes 101 private pages" "$(tally cow.flt "$own" 503 t1)" "101 0 101"
same "fork: the parent writes and reads 503 private pages" "$(tally cow.flt "$own" 503 t0)" "503 503 503"
same "fork: the child writes 251 shared pages" "$(tally cow.flt "$common" 251 t1)" "251 0 251"
same "fork: the child has a copy of the parent's space" "$(count cow.flt 'copied-mm=0')" 1
ok "fork: sound" sound cow.flt

at=$(record -o threads.flt -- "$workloads/exact_threads")
same "8 threads write 127 pages 7 times each" "$(tally threads.flt "$at" 1016)" "1016 0 7112"
for t in 1 2 3 4 5 6 7 8; do
    same "thread $t wrote 127 pages" "$(tally threads.flt "$at" 1016 t$t)" "127 0 889"
done
same "9 threads appear and end" "$(count threads.flt ' thread pid')$(count threads.flt thread-exit)" 99

at=$(record -o segv.flt -- "$workloads/exact_segv")
same "31 repaired faults: each write counts once" "$(tally segv.flt "$at" 31)" "31 0 31"
same "31 repaired faults: 31 signals" "$(count segv.flt 'signal signo=11')" 31
ok "31 repaired faults: sound" sound segv.flt
segv_of() { "$faultline" replay "$1" --frames 9999 --no-tlb --json | sed -n 's/.*"segv": \([0-9]*\).*/\1/p'; }
same "31 repaired faults: the replay has 31 invalid accesses" "$(segv_of segv.flt)" 31
record -o died.flt -- "$workloads/exact_segv" and-die >/dev/null
same "died of a 32nd: the replay has it too" "$(segv_of died.flt)" 32
record -o sent.flt -- sh -c 'kill -SEGV $$' >/dev/null
same "a SIGSEGV that was sent is no invalid access" "$(segv_of sent.flt)" 0

# ---- mappings --------------------------------------------------------------------
record -o maps.flt -- "$workloads/exact_maps" >maps.out
address() { sed -n "s/^$1 //p" maps.out; }
mapped() { # mapped NAME LENGTH FLAGS: such an event
    ok "$1 is mapped with flags $3" \
        test "$(count maps.flt "map mm=0 start=$(address "$1") length=$2 .*flags=$3 ")" -ge 1
}
mapped anon 0xd000 anon
mapped shared 0x5000 shared,anon
mapped file-shared 0x7000 shared
mapped file-private 0x3000 -
mapped zero 0x2000 anon
mapped shm 0x6000 shared
mapped heap 0x9000 anon,heap,grow
same "file offsets are kept" "$(count maps.flt "start=$(address file-shared) .*offset=0x2000")" 1
same "a memfd is named" "$(count maps.flt 'path="memfd:exact-maps"')" 1
same "mremap is a remap" "$(count maps.flt "remap .*start=$(address moved) length=0x4000 .*new-length=0x190000")" 1
same "madvise is there" "$(count maps.flt 'advise .*length=0x3000 advice=4')" 1
same "brk shrinks" "$(count maps.flt 'unmap .*length=0x4000')" 1
ok "the stack grows" test "$(count maps.flt 'flags=anon,stack,grow')" -ge 7
kernel=$("$faultline" dump maps.flt | grep -c " kernel mm=0 page=0x$(printf %x $(($(address buffer) / 4096 + 3))) ")
same "system calls touch each page of a buffer" "$kernel" 2
same "nothing of the tracer's own is mapped" "$(count maps.flt 'fltrace\|vgpreload\|valgrind')" 0

# ---- what the program sees ----------------------------------------------------------
env -i PATH="$PATH" A=1 env | sort >env.native
env -i PATH="$PATH" A=1 "$faultline" record -q -o env.flt -- env | sort >env.recorded
ok "the environment is the program's own" cmp env.native env.recorded
# What the shell passes and adds (PWD, SHLVL, _) natively and recorded, two programs deep.
sh -c 'sh -c env' | grep -v '^_=' | sort >env.native
record -o env.flt -- sh -c 'sh -c env' | grep -v '^_=' | sort >env.recorded
ok "so is its children's" cmp env.native env.recorded
same "argv[0] survives exec" "$(record -o a.flt -- bash -c 'exec -a other sh -c "echo \$0 \$(cat /proc/\$\$/comm)"')" \
    "other sh"
same "the lowest free descriptor is the same" \
    "$(record -o a.flt -- bash -c 'exec {fd}<.; echo $fd')" "$(bash -c 'exec {fd}<.; echo $fd')"
record -o a.flt -- sh -c 'echo out; echo err >&2; exit 7' >out.txt 2>err.txt
same "exit status" $? 7
same "output and errors" "$(cat out.txt)/$(cat err.txt)" "out/err"
record -o a.flt -- sh -c 'kill -USR1 $$' 2>/dev/null
same "a fatal signal" $? $((128 + 10))
record -o a.flt -- "$workloads/exact_segv" x >/dev/null 2>&1
same "a fatal fault" $? $((128 + 11))
record -o a.flt -- ./no-such-command 2>/dev/null
same "not found" $? 127
touch plain
record -o a.flt -- ./plain 2>/dev/null
same "not executable" $? 126

# ---- process trees --------------------------------------------------------------------
same "a pipeline" "$(record -o tree.flt -- sh -c 'seq 100 | sort -n | tail -1; (exit 3) || true')" 100
same "a pipeline: five processes, three programs" \
    "$(count tree.flt ' process pid')$(count tree.flt ' exec pid')" 53
same "a pipeline: all end" "$(count tree.flt ' exit pid')" 5
ok "a pipeline: sound" sound tree.flt
printf '#!/bin/sh\necho "$0 $1"\n' >script
chmod +x script
same "a script" "$(record -o a.flt -- ./script x)" "./script x"
record -o killed.flt -- sh -c 'sleep 9 & kill -9 $!; wait $!; exit 0'
same "a killed process is there" "$(count killed.flt 'exit pid=[0-9]* status=9')" 1
ok "a killed process is told of" grep -q 'quality.killed' <("$faultline" info killed.flt)
ok "a killed process: sound" sound killed.flt
record -o many.flt -- sh -c 'i=0; while [ $i -lt 40 ]; do (sleep 0.1; exit 0) & i=$((i+1)); done; wait'
same "40 processes at a time end" "$(count many.flt 'exit pid=[0-9]* status=0$')" 81
ok "40 processes at a time: sound" sound many.flt

at=$(record -o turns.flt -- "$workloads/exact_turns")
order=$("$faultline" dump turns.flt | awk -v first="$at" '
    function hex(s,  i, v) {
        v = 0; s = tolower(s); sub(/^0x/, "", s)
        for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
        return v
    }
    BEGIN { low = hex(first) / 4096 }
    $2 == "user" && $7 != "w=0" {
        page = hex(substr($4, 6)) - low
        if (page < 0 || page >= 211) next
        wrong += page != int(n / 2) || $1 != (n % 2 ? "t1" : "t0"); n++
    }
    END { print n + 0, wrong + 0 }')
same "422 turns of two processes are in their order" "$order" "422 0"

# ---- ends from outside -----------------------------------------------------------------
set -m
record -o int.flt -- sh -c 'trap "exit 9" INT; echo ready >ready; while :; do sleep 0.05; done' &
while [ ! -s ready ]; do sleep 0.05; done
kill -INT -- -$!
wait $!
same "Ctrl-C is the program's" $? 9
ok "Ctrl-C leaves a whole trace" sound int.flt
rm -f ready survived
record -o gone.flt -- sh -c 'echo $PPID >ready; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; expr 6 "*" 7 >survived' \
    2>/dev/null &
while [ ! -s ready ]; do sleep 0.05; done
kill -KILL "$(cat ready)"
wait $! 2>/dev/null
for _ in $(seq 100); do [ -s survived ] && break; sleep 0.1; done
same "the program and what it starts outlive the recorder" "$(cat survived 2>/dev/null)" 42
set +m

# ---- redaction ---------------------------------------------------------------------------
cp "$(type -P true)" secret-name
record --redact -o secret.flt -- ./secret-name secret-argument
same "--redact: nothing tells the name" \
    "$({ "$faultline" dump secret.flt; "$faultline" info secret.flt; } | grep -v '^trace ' | grep -c 'secret-\(name\|arg\)')" 0

# ---- another tool -------------------------------------------------------------------------
if valgrind --tool=lackey --log-file=lackey.log true 2>/dev/null; then
    seq 20000 | sort -R --random-source="$faultline" >numbers
    LC_ALL=C valgrind --tool=lackey --detailed-counts=yes --log-file=lackey.log sort numbers >lackey.out
    LC_ALL=C record -o sort.flt -- sort numbers >recorded.out
    ok "sort: the same output" cmp lackey.out recorded.out
    read -r loads stores < <(awk '$2 ~ /^[IFVD][0-9]+$/ { gsub(",", ""); l += $3; s += $4 }
                                  END { print l, s }' lackey.log)
    read -r reads writes < <("$faultline" info sort.flt | awk '{ gsub(",", "", $2) }
        $1 == "reads" { r = $2 } $1 == "writes" { w = $2 } END { print r, w }')
    near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a > b ? a - b : b - a; exit !(b > 0 && d / b < 0.005) }'; }
    ok "sort: $reads reads are lackey's $loads loads to 0.5 %" near "$reads" "$loads"
    ok "sort: $writes writes are lackey's $stores stores to 0.5 %" near "$writes" "$stores"
fi
exit $failed
