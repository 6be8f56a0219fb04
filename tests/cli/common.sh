# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the executable share; sourced before anything changes folder. A test goes
# to $dir, which is removed when it ends, and exits with $failed.
# shellcheck shell=bash disable=SC2034 # the test that sources this uses them
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

ok() { # ok DESCRIPTION COMMAND...: does COMMAND succeed?
    local what=$1
    shift
    if "$@"; then echo "ok: $what"; else echo "not ok: $what ($*)"; failed=1; fi
}
same() { ok "$1" test "$2" = "$3"; } # same DESCRIPTION GOT WANTED
has() { grep -qF -- "$1" "$2"; }     # has TEXT FILE
lacks() { [ -s "$2" ] && ! grep -qF -- "$1" "$2"; }
holds() { jq -e "$2" "$1" >/dev/null; } # holds FILE FILTER

exits() { # exits STATUS COMMAND...: the command must exit so, with one line on stderr if not 0
    local want=$1 got
    shift
    "$@" >out.txt 2>err.txt
    got=$?
    [ $got -eq "$want" ] || { echo "not ok: $*: exit $got, not $want"; cat err.txt; failed=1; }
    [ "$want" -eq 0 ] || [ "$(wc -l <err.txt)" -eq 1 ] || { echo "not ok: $*: stderr:"; cat err.txt; failed=1; }
}
