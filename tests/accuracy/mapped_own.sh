# SPDX-License-Identifier: GPL-2.0-or-later
# A mapped file of 40 MiB beside a heap of 56 MiB, the file written at the start of the run and on the
# disk before it is mapped: its pages are the run's own, clean, and read again once reclaimed.
# Contents compress to about half.
. "$(dirname "$0")/common.sh"

workload() {
    program=$(program mapped)
    echo "$program both $dir/file 10240 14336 80000"
}
main
