# SPDX-License-Identifier: GPL-2.0-or-later
# Few hot pages, many cold: 128 MiB, the k-th hottest page drawn with weight 1/k. Contents compress to about half.
. "$(dirname "$0")/common.sh"
workload() {
    program=$(program zipf)
    echo "$program 32768 300000"
}
main
