# SPDX-License-Identifier: GPL-2.0-or-later
# A radix sort: two arrays of 40 MiB, each pass reads one in order and writes 256 streams into the
# other. Random numbers: not compressible.
. "$(dirname "$0")/../common.sh"

workload() {
    program=$(program radix)
    echo "$program 5242880"
}
main
