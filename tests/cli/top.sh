#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# top from outside. Usage: top.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this machine does not let us watch.
set -u
faultline=$1
workloads=$(realpath "$2")
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

coproc target { exec "$workloads/live_target"; }
read -r _ pid _ held <&"${target[0]}"
if ! "$faultline" top -p "$pid" --count 1 --interval 100ms >probe 2>why; then
    grep -q 'perf_event' why && { echo "skipped: $(cat why)"; exit 77; }
    cat why
    exit 1
fi

# ---- counts of all screens are what the target did ------------------------------------------
"$faultline" top -p "$pid" --count 8 --interval 250ms --json >screens.json 2>err.txt &
top=$!
sleep 0.7
total=0
for n in 3001 1009; do
    echo "touch $n" >&"${target[1]}"
    read -r _ _ _ minor _ <&"${target[0]}"
    total=$((total + minor))
    sleep 0.3
done
wait $top
same "--count 8: exits with 0" $? 0
same "--count 8: eight screens, a line each" "$(wc -l <screens.json)" 8
seen=$(jq -s '[.[].minor] | add' screens.json)
ok "all screens together have the $total faults that /proc/PID/stat counted ($seen)" \
    test "$seen" -ge 4010 -a "$seen" -le $((total + 60))
by() { jq -s "[.[].$1[] | .minor + .major] | add" screens.json; }
same "... by process" "$(by processes)" "$(jq -s '[.[] | .minor + .major] | add' screens.json)"
same "... by mapping" "$(by mappings)" "$(by processes)"
same "... by function" "$(by functions)" "$(by processes)"
ok "the function that touches is named" test "$(jq -s '[.[].functions[] | select(.function | startswith("touch")) | .minor] | add' screens.json)" -ge 4010
rss=$(tail -1 screens.json | jq ".processes[] | select(.pid == $pid) | .resident_bytes")
kb=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
ok "resident: $rss of $((kb * 1024)) bytes" \
    test $((rss * 10)) -ge $((kb * 1024 * 9)) -a $((rss * 9)) -le $((kb * 1024 * 10))
ok "resident: what it held from the start is in it" test "$rss" -ge $((held * 4096))

# ---- as text -----------------------------------------------------------------------------------
"$faultline" top -p "$pid" --count 2 --interval 100ms >text
same "piped: two screens" "$(grep -c '^faultline top ' text)" 2
ok "piped: no code for a terminal" lacks "$(printf '\033')" text
ok "piped: the process" grep -q "^ *$pid .* live_target$" text
"$faultline" top -p "$pid" --count 1 --interval 100ms --by function >text
ok "--by function: no other table" test "$(grep -c 'minor/s' text)" = 1

# ---- on a terminal ------------------------------------------------------------------------------
if command -v script >/dev/null; then
    script -qec "stty rows 20 cols 60; $faultline top -p $pid --count 3 --interval 100ms; stty -a" typed </dev/null >/dev/null
    enter=$(grep -c "$(printf '\033')\[?1049h" typed)
    leave=$(grep -c "$(printf '\033')\[?1049l" typed)
    same "terminal: the other screen is entered once, and left" "$enter $leave" "1 1"
    ok "terminal: three screens" test "$(grep -o "$(printf '\033')\[H" typed | wc -l)" = 3
    ok "terminal: echo and lines are back" grep -q ' icanon.* echo \| echo .* icanon\|[^-]echo ' typed
    # interrupted once it is on the other screen, whenever that is
    cat >interrupted.sh <<S
stty rows 20 cols 60
(for _ in \$(seq 100); do
    grep -q '\[?1049h' typed && break
    sleep 0.1
done
pkill -INT -P \$\$ -x "\$(basename "$faultline")") &
"$faultline" top -p $pid --interval 100ms
stty -a
S
    script -qefc "sh interrupted.sh" typed </dev/null >/dev/null
    ok "terminal: left on Ctrl-C too" grep -q "$(printf '\033')\[?1049l" typed
else
    echo "script is not here: the terminal is not tried"
fi

# ---- refusals -----------------------------------------------------------------------------------
exits 2 "$faultline" top -p 2147483646
exits 2 "$faultline" top -p "$pid" --interval 1ms
exits 2 "$faultline" top -p "$pid" --sort size
exits 1 sh -c "'$faultline' top -p $pid --count 1 --interval 100ms >/dev/full"

# ---- what is watched ends before the first screen --------------------------------------------------
"$faultline" top -p "$pid" --interval 30s --json >last.json 2>err.txt &
top=$!
sleep 0.7
echo "touch 2003" >&"${target[1]}"
read -r _ <&"${target[0]}"
exec {target[1]}>&-
wait $top
same "the end of what is watched is the end" $? 0
same "... with a screen of what happened until then" "$(wc -l <last.json)" 1
ok "... all of it" test "$(jq .minor last.json)" -ge 2003
ok "ends with what it watches" timeout 10 "$faultline" top -p "$$" --count 1 --interval 100ms >/dev/null
exit $failed
