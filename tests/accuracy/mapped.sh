# SPDX-License-Identifier: GPL-2.0-or-later
# A mapped file of 48 MiB beside a heap of 64 MiB. The file is made, and in memory, before the run:
# its pages are charged to whoever made it. Contents compress to about half.
. "$(dirname "$0")/common.sh"

prepare() {
    program=$(program mapped)
    "$program" make "$dir/file" 12288
}
workload() {
    program=$(program mapped)
    echo "$program use $dir/file 16384 120000"
}
main
