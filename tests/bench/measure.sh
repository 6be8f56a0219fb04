# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# measure.sh - sourced: a race runs its contestants in turn, RUNS rounds, and prints a row of each.
#   race_begin
#   contestant NAME ANSWER COMMAND...   ANSWER: shell command that prints what it found, run once
#                                       after the times; $N is the contestant's number; "" for none
#   race UNITS QUESTION                 UNITS: references or accesses of the work
# The first contestant is what the others are compared with, in time and in answer.
TIMEFORMAT='%3U %3S %3R'
failed=0

race_begin() {
    NAMES=() ANSWERS=() COMMANDS=() FORGIVEN=() SLOW=()
}
contestant() {
    NAMES+=("$1")
    ANSWERS+=("$2")
    COMMANDS+=("$(printf '%q ' "${@:3}")")
    FORGIVEN+=("")
    SLOW+=("")
}
# Of the contestant before: its answer may differ, for this reason; one round of it is enough.
forgive() { FORGIVEN[-1]=$1; }
once() { SLOW[-1]=1; }

# Runs contestant N: appends "CPU-ms ELAPSED-ms PEAK-KiB" to times.N, leaves out.N and err.N.
sample() {
    local command
    eval "command=(${COMMANDS[$1]})"
    if ! { time /usr/bin/time -o peak -f %M "${command[@]}" >"out.$1" 2>"err.$1"; } 2>clock; then
        echo "run.sh: failed: ${command[*]}: $(tail -n1 "err.$1")" >&2
        exit 1
    fi
    echo "$(tail -n1 clock) $(tail -n1 peak)" |
        awk '{ printf "%.0f %.0f %d\n", ($1 + $2) * 1000, $3 * 1000, $4 }' >>"times.$1"
}

# column N FIELD: that contestant's median; range N FIELD: its extremes, in seconds
column() {
    cut -d' ' -f"$2" "times.$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
range() {
    cut -d' ' -f"$2" "times.$1" | sort -n |
        awk 'NR == 1 { a = $1 } { b = $1 } END { printf "%.2f-%.2f", a / 1000, b / 1000 }'
}

table() { # table UNIT [FIRST-COLUMN]
    echo
    echo "| ${2:-question} | by | CPU s, median | range | elapsed s | M $1/s | peak MiB | CPU, times the first | answer |"
    echo "|---|---|---:|---|---:|---:|---:|---:|---|"
}

answers() { # what each found, beside the first; sets VERDICTS
    local i found first=
    VERDICTS=()
    for i in "${!NAMES[@]}"; do
        N=$i
        found=
        [ -z "${ANSWERS[$i]}" ] || found=$(eval "${ANSWERS[$i]}")
        if [ "$i" = 0 ]; then
            first=$found
            VERDICTS+=("$found")
        elif [ -z "${ANSWERS[$i]}" ]; then
            VERDICTS+=("")
        elif [ "$found" = "$first" ]; then
            VERDICTS+=("equal")
        elif [ -n "${FORGIVEN[$i]}" ]; then
            VERDICTS+=("$found: ${FORGIVEN[$i]}")
        else
            VERDICTS+=("**$found: DIFFERENT**")
            failed=1
        fi
    done
}

race() {
    local units=$1 question=$2 round i base
    rm -f times.*
    for ((round = 0; round < RUNS; round++)); do
        for i in "${!NAMES[@]}"; do
            if [ $round = 0 ] || [ -z "${SLOW[$i]}" ]; then sample "$i"; fi
        done
    done
    answers
    base=$(column 0 1)
    for i in "${!NAMES[@]}"; do
        awk -v question="$question" -v name="${NAMES[$i]}" -v cpu="$(column "$i" 1)" -v range="$(range "$i" 1)" \
            -v wall="$(column "$i" 2)" -v units="$units" -v kib="$(column "$i" 3)" -v base="$base" \
            -v first="$i" -v answer="${VERDICTS[$i]}" 'BEGIN {
                printf "| %s | %s | %.3f | %s | %.2f | %s | %.1f | %s | %s |\n", question, name, cpu / 1000, range,
                    wall / 1000, cpu ? sprintf("%.3g", units / cpu / 1000) : "-", kib / 1024,
                    first == 0 || !base ? "" : sprintf("%.2f", cpu / base), answer }'
    done
}
