# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# PARDA, its sequential algorithm: LRU stack distances. Up to its compiled-in number of buckets.
peer PARDA parda.x "PARDA, sequential, \`--fileformat=binary\`, the LRU curve at all sizes; one round, it is slow"

parda_enter() {
    [ -s refs.parda ] || ./peer_trace parda <refs >refs.parda
    contestant "PARDA, sequential" parda_curve "$PARDA" --fileformat=binary --input=refs.parda "--lines=$REFS"
    once
}

parda_curve() { awk '$1 ~ /^[0-9]+$/ && NF == 5 { print $1, $2 }' "out.$N" | curve_of_distances; }
