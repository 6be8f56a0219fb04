# SPDX-License-Identifier: GPL-2.0-or-later
# A scan repeated, the worst case for lists in order of use: 64 MiB eight times. Contents compress to about half.
. "$(dirname "$0")/common.sh"
workload() {
    program=$(program cyclic)
    echo "$program 16384 8"
}
main
