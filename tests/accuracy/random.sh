# SPDX-License-Identifier: GPL-2.0-or-later
# Uniform access: 96 MiB, half of the uses write. Contents half random, half counting: swap compresses them to about half.
. "$(dirname "$0")/common.sh"
workload() {
    program=$(program random)
    echo "$program 24576 200000"
}
main
