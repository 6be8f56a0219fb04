#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record --mode events from outside. Usage: record_events.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this machine does not let us record at all.
set -u
faultline=$1
workloads=$2
. "$(dirname "$0")/common.sh"

record() { "$faultline" record --mode events "$@"; }
dump() { "$faultline" dump "$1"; }
count() { dump "$1" | grep -c -- "$2"; }
# faults FILE START PAGES: faults on that range of addresses
faults() {
    dump "$1" | sed -n 's/.* fault address=\(0x[0-9a-f]*\) .*/\1/p' | {
        local n=0 a
        while read -r a; do
            if ((a >= $2 && a < $2 + $3 * 4096)); then n=$((n + 1)); fi
        done
        echo "$n"
    }
}

if ! record -q -o "$dir/probe.flt" -- true 2>"$dir/why"; then
    if grep -q 'perf_event' "$dir/why"; then
        echo "skipped: $(cat "$dir/why")"
        exit 77
    fi
    cat "$dir/why"
    exit 1
fi
kernel_mode=1 # are faults taken in kernel mode seen here?
record -o "$dir/probe.flt" -- true 2>&1 | grep -q 'system calls took' && kernel_mode=0

# key FILE KEY: the number stored under KEY; in the file a byte of length stands between them
key() { LC_ALL=C grep -a -o "$2.[0-9]*" "$1" | LC_ALL=C sed "s/^$2.//" | tail -1; }
# ---- counts -----------------------------------------------------------------
# What getrusage counts and no event reports: the page that each exec puts the arguments on.
# A small environment makes it one page.
small() { env -i PATH="$PATH" "$faultline" record --mode events "$@"; }
agrees() { # agrees WHAT FILE: trace and getrusage
    local all execs min maj unreported
    all=$(count "$2" ' fault ')
    unreported=$(count "$2" ' fault .*unreported')
    execs=$(count "$2" ' exec ')
    min=$(key "$2" record.rusage_minflt)
    maj=$(key "$2" record.rusage_majflt)
    if ((kernel_mode)); then
        ok "$1: the $unreported unreported faults are those of $execs programs' arguments" \
            test "$unreported" = "$execs"
    fi
    ok "$1: its $all faults are getrusage's $min minor and $maj major" test "$all" = $((min + maj))
    ok "$1: as many reported as the kernel's own event counts" test $((all - unreported)) = \
        $(($(key "$2" record.perf_minflt) + $(key "$2" record.perf_majflt)))
    ok "$1: nothing lost" test "$(count "$2" ' lost ')" = 0
}
for pages in 1009 20011; do
    line=$(small -q -o "$dir/k.flt" -- "$workloads/known_faults" $pages)
    read -r _ start _ _ _ minor _ <<<"$line"
    ok "known_faults $pages: getrusage counts $pages" test "$minor" = "$pages"
    ok "known_faults $pages: the trace has each of them" \
        test "$(faults "$dir/k.flt" "$start" "$pages")" = "$pages"
    agrees "known_faults $pages" "$dir/k.flt"
done
small -q -o "$dir/l.flt" -- ls / >/dev/null
agrees ls "$dir/l.flt"

# ---- children ------------------------------------------------------------------
small -q -o "$dir/c.flt" -- sh -c "'$workloads/known_faults' 503; '$workloads/known_faults' 701; :" \
    >"$dir/out"
while read -r _ start _ pages _ minor _; do
    # both may have had the same addresses: then the range holds both children's
    echo "$start $pages $minor"
done <"$dir/out" >"$dir/ranges"
ok "children: both counted right themselves" \
    test "$(cut -d' ' -f3 "$dir/ranges" | tr '\n' ' ')" = "503 701 "
# thread 1 is the first child, thread 2 the second
for child in 1 2; do
    read -r start pages _ < <(sed -n "${child}p" "$dir/ranges")
    dump "$dir/c.flt" | grep " t$child fault " >"$dir/child" || :
    n=$(sed -n 's/.* fault address=\(0x[0-9a-f]*\) .*/\1/p' "$dir/child" | while read -r a; do
        if ((a >= start && a < start + pages * 4096)); then echo x; fi
    done | wc -l)
    ok "children: thread $child has its $pages faults" test "$n" = "$pages"
done
agrees children "$dir/c.flt"
ok "children: three processes" test "$(count "$dir/c.flt" ' process ')" = 3
ok "children: three programs" test "$(count "$dir/c.flt" ' exec ')" = 3
ok "children: all three ended" test "$(count "$dir/c.flt" ' exit pid=')" = 3
ok "children: the last known_faults is named" \
    test "$(count "$dir/c.flt" ' exec .*known_faults')" = 2

# what a command leaves running is waited for
record -q -o "$dir/d.flt" -- sh -c "(sleep 0.3; exec '$workloads/known_faults' 307) >'$dir/late' & exit 4"
ok "left behind: status is the command's" test $? = 4
read -r _ start _ <"$dir/late"
ok "left behind: recorded to its end" test "$(faults "$dir/d.flt" "$start" 307)" = 307

# ---- exit status -----------------------------------------------------------------
status_of() { record -q -o "$dir/s.flt" -- "$@" >/dev/null 2>"$dir/err"; echo $?; }
ok "status 0" test "$(status_of true)" = 0
ok "status 37" test "$(status_of sh -c 'exit 37')" = 37
ok "ended by SIGTERM: 143" test "$(status_of sh -c 'kill -TERM $$')" = 143
ok "ended by SIGKILL: 137" test "$(status_of sh -c 'kill -KILL $$')" = 137
ok "the exit status is in the trace" grep -q 'exit pid=.* status=9$' <(dump "$dir/s.flt")
rm -f "$dir/s.flt"
ok "not found: 127" test "$(status_of no-such-command-anywhere)" = 127
ok "not found: says so" grep -q 'no-such-command-anywhere' "$dir/err"
ok "not found: no trace" test ! -e "$dir/s.flt"
: >"$dir/plain"
ok "no permission: 126" test "$(status_of "$dir/plain")" = 126
printf '#!/no/such/interpreter\n' >"$dir/bad"
chmod +x "$dir/bad"
bad=$(status_of "$dir/bad")
ok "missing interpreter: 126 or 127" test "$bad" = 126 -o "$bad" = 127
ok "missing interpreter: no trace" test ! -e "$dir/s.flt"
printf 'exit 5\n' >"$dir/script"
chmod +x "$dir/script"
ok "script without a first line runs" test "$(status_of "$dir/script")" = 5
record -q -o "$dir/no/such/dir.flt" -- touch "$dir/ran" 2>/dev/null
ok "output that cannot be created: 125" test $? = 125
ok "output that cannot be created: nothing ran" test ! -e "$dir/ran"
ok "unknown mode: 125" test "$("$faultline" record --mode nonsense -- true 2>/dev/null; echo $?)" = 125

# ---- what the program sees ----------------------------------------------------------
ok "stdout is the command's alone" test "$(record -q -o "$dir/o.flt" -- echo hello)" = hello
ok "stdin is the command's" test "$(echo typed | record -q -o "$dir/o.flt" -- cat)" = typed
quiet=$(record -q -o "$dir/o.flt" -- true 2>&1)
ok "--quiet says nothing" test -z "$quiet"
ok "the summary names the trace" grep -q "o.flt" <(record -o "$dir/o.flt" -- true 2>&1)
ok "the trace is its owner's alone" test "$(stat -c %a "$dir/o.flt")" = 600
yes_status=$(record -q -o "$dir/o.flt" -- sh -c 'yes | head -1 >/dev/null; echo ok')
ok "a broken pipe ends a child as ever" test "$yes_status" = ok

"$faultline" record --mode events -q -o "$dir/t.flt" -- sh -c 'trap "exit 9" TERM; sleep 5 & wait' &
pid=$!
sleep 0.5
kill -TERM $pid
wait $pid
ok "SIGTERM is passed on, and the trace finished" test $? = 9
ok "after SIGTERM the trace is whole" "$faultline" check "$dir/t.flt" >/dev/null

if env --default-signal=INT true 2>/dev/null && command -v setsid >/dev/null; then
    env --default-signal=INT setsid "$faultline" record --mode events -q -o "$dir/i.flt" -- \
        sh -c 'trap "exit 7" INT; sleep 5 & wait' &
    sleep 0.5
    kill -INT -- "-$(cut -d' ' -f5 /proc/$!/stat)" # as the terminal does: the whole group
    wait $!
    ok "Ctrl-C is the command's business, and the trace finished" test $? = 7
    ok "after Ctrl-C the trace is whole" "$faultline" check "$dir/i.flt" >/dev/null
else
    echo "skipped: Ctrl-C (needs env --default-signal and setsid)"
fi

# ---- redacted ------------------------------------------------------------------------
record -q --redact -o "$dir/r.flt" -- "$workloads/known_faults" 11 >/dev/null
ok "--redact: no path in the dump" test "$(count "$dir/r.flt" known_faults)" = 0
ok "--redact: a path would be seen" test "$(grep -c "$workloads" "$dir/k.flt")" -gt 0
ok "--redact: no path in the file" test "$(grep -c "$workloads" "$dir/r.flt")" = 0
ok "--redact: the events are there" test "$(count "$dir/r.flt" ' fault ')" -ge 11

# ---- without privilege ------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$dir"
    mkdir -m 777 "$dir/pub"
    cp "$faultline" "$dir/pub/faultline"
    cp "$workloads/known_faults" "$dir/pub/"
    line=$(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all \
        "$dir/pub/faultline" record --mode events -o "$dir/pub/n.flt" -- \
        "$dir/pub/known_faults" 1009 2>"$dir/err")
    status=$?
    if [ $status = 0 ]; then
        read -r _ start _ <<<"$line"
        ok "unprivileged: its own faults are all there" \
            test "$(faults "$dir/pub/n.flt" "$start" 1009)" = 1009
        # A recorder that is stopped loses what its small buffers do not hold, and says how much:
        # faults in the trace and lost records are all the faults, and a few other records.
        (
            ulimit -l 0
            exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
                --bounding-set=-all "$dir/pub/faultline" record --mode events \
                -o "$dir/pub/l.flt" -- sh -c "sleep 0.4; exec '$dir/pub/known_faults' 100003" \
                >/dev/null 2>"$dir/err-lost"
        ) &
        sleep 0.2
        kill -STOP $!
        sleep 1.5
        kill -CONT $!
        wait $!
        lost=$(dump "$dir/pub/l.flt" | sed -n 's/.* lost count=//p' | paste -sd+ | sed 's/^$/0/')
        lost=$((lost))
        all=$(count "$dir/pub/l.flt" ' fault ')
        total=$(key "$dir/pub/l.flt" record.perf_minflt)
        if ((lost)); then
            ok "lost records: $all faults + $lost lost are the $total there were" \
                test $((all + lost - total)) -ge 0 -a $((all + lost - total)) -le 20
            ok "lost records: said on standard error" grep -q "$lost records were lost" \
                "$dir/err-lost"
            ok "lost records: said in the trace" test "$(key "$dir/pub/l.flt" quality.lost)" = "$lost"
        else
            echo "skipped: lost records (none were lost)"
        fi
        if [ "$(cat /proc/sys/kernel/perf_event_paranoid)" -ge 2 ]; then
            ok "unprivileged: says what is missing" grep -q 'system calls took' "$dir/err"
            ok "unprivileged: those in kernel mode are only counted" \
                test "$(count "$dir/pub/n.flt" 'flags=.*kernel')" = \
                "$(count "$dir/pub/n.flt" 'flags=.*unreported')"
        fi
    else
        ok "unprivileged: refused with the remedy" grep -q 'sysctl kernel.perf_event_paranoid' \
            "$dir/err"
    fi
else
    echo "skipped: unprivileged run (needs root and setpriv to step down)"
fi

# ---- access bits, where tracefs is readable ------------------------------------------------
if [ -r /sys/kernel/tracing/events/exceptions/page_fault_user/format ]; then
    line=$(record -q -o "$dir/a.flt" -- "$workloads/known_faults" 101)
    read -r _ start _ <<<"$line"
    n=$(dump "$dir/a.flt" | grep 'fault .*flags=minor,write,has-access' | wc -l)
    ok "access bits: the writes are known as writes" test "$n" -ge 101
else
    echo "skipped: access bits (no readable tracefs at /sys/kernel/tracing)"
fi

exit $failed
