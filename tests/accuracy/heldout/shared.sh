# SPDX-License-Identifier: GPL-2.0-or-later
# Two processes that take turns: shared memory of 40 MiB used by both, a heap of 30 MiB each.
# Contents compress to about half.
. "$(dirname "$0")/../common.sh"

workload() {
    program=$(program shared)
    echo "$program 10240 7680 30"
}
main
