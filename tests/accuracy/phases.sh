# SPDX-License-Identifier: GPL-2.0-or-later
# A working set that moves: a third of 120 MiB at a time, eight thirds that overlap. Contents compress to about half.
. "$(dirname "$0")/common.sh"
workload() {
    program=$(program phases)
    echo "$program 30720 4"
}
main
