#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quality.sh ROOT: every quality flag that the code writes is on the list of collect/base/quality.c.
set -u
cd "$1" || exit 1
status=0
written=$(grep -rhoE '"quality\.[a-z_]+"|fl_quality_add\([a-z]+, "[a-z_]+"' collect replay analyze --include=*.c |
    sed -E 's/.*"(quality\.)?([a-z_]+)"/\2/' | sort -u)
for flag in $written; do
    grep -q "{ \"$flag\"," collect/base/quality.c || { echo "not on the list: $flag"; status=1; }
done
[ "$(echo "$written" | wc -l)" -ge 20 ] || { echo "found too few flags: $written"; status=1; }
exit $status
