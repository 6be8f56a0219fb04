# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# import: making and reading traces.

part_import() {
    echo "## Traces: $REFS references, $(stat -c %s trace.flt) bytes, $(calc %.3f "$(stat -c %s trace.flt) / $REFS") a reference"
    table references
    race_begin
    contestant "import --from pages" "" "$faultline" import --from pages refs -o again.flt
    contestant "info" "" "$faultline" info trace.flt
    contestant "check" "" "$faultline" check trace.flt
    race "$REFS" "page20m"
}
