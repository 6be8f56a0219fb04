# SPDX-License-Identifier: GPL-2.0-or-later
# Copy on write: 80 MiB of a parent, four children one after the other that write a sixth each. Contents compress to about half.
. "$(dirname "$0")/common.sh"
workload() {
    program=$(program forking)
    echo "$program 20480 40000"
}
main
