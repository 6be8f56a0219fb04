#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source-path=SCRIPTDIR
# run.sh FAULTLINE [PART...]: ours beside peers that are installed, as Markdown tables.
# Parts: floor textbook curve opt tlb linux sizes import scaling real; all unless said.
#   RUNS=5              rounds; a round runs every contestant once, in turn (A B A B), and medians count
#   REFS=20000000 PAGES=262144   the trace "page20m"; REFS is a multiple of 10,000
#   DIR=FOLDER          for traces, 4 GB of them; a new one in TMPDIR unless said, which is removed
# and what the files in parts/ and peers/ say at their tops: which peers, and where they are.
# CPU seconds are user + system. Exit 1 when an answer differs from a peer's.
set -eu -o pipefail
parts=(floor textbook curve opt tlb linux sizes import scaling real)
usage="usage: run.sh FAULTLINE [${parts[*]}]"
faultline=$(realpath "${1:?$usage}")
shift
here=$(dirname "$(realpath "$0")")
RUNS=${RUNS:-5} REFS=${REFS:-20000000} PAGES=${PAGES:-262144}
PEERS=()
. "$here/measure.sh"
. "$here/peers.sh"
for file in "$here"/peers/*.sh "$here"/parts/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done

need() {
    local program
    for program; do
        command -v "$program" >/dev/null || { echo "run.sh needs $program" >&2; exit 77; }
    done
}
# shellcheck disable=SC2317 # the parts call it
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
# shellcheck disable=SC2317 # the parts call it
trace_key() { "$faultline" info --json "$1" | jq -r ".$2"; } # trace_key FILE KEY

machine() {
    echo "$("$faultline" --version); $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) CPUs," \
        "Linux $(uname -r), $("${CC:-cc}" --version | head -1), load $(cut -d' ' -f1 /proc/loadavg)." \
        "Medians of $RUNS, contestants in turn."
}

prepare() { # builds the programs beside this file, and page20m
    rm -rf data refs.parda # of an earlier run in this folder
    "${CC:-cc}" -std=gnu17 -O2 -D_GNU_SOURCE -I "$here/../oracle" "$here/pages.c" "$here/../oracle/page_stream.c" -o pages
    "${CC:-cc}" -std=gnu17 -O2 -D_GNU_SOURCE "$here/peer_trace.c" -o peer_trace
    ./pages mix "$REFS" "$PAGES" 1 >refs
    "$faultline" import --from pages refs -o trace.flt 2>/dev/null
}

[ $# -gt 0 ] || set -- "${parts[@]}"
for part; do
    [[ " ${parts[*]} " == *" $part "* ]] || { echo "$usage" >&2; exit 2; }
done
for file in TRACE LACKEY; do
    [ -z "${!file:-}" ] || printf -v $file %s "$(realpath "${!file}")"
done
need /usr/bin/time jq "${CC:-cc}"
if [ -n "${DIR:-}" ]; then
    mkdir -p "$DIR"
else
    DIR=$(mktemp -d)
    trap 'rm -rf "$DIR"' EXIT
fi
cd "$DIR" # peers write files where they stand
machine
peer_list
prepare
for part; do
    echo
    "part_$part"
done
exit "$failed"
