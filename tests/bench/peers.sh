# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # run.sh sources it: variables are shared
# peers.sh - sourced: which of the programs in peers/ are here.

# peer VARIABLE PROGRAM ABOUT: VARIABLE becomes the path of the program, from the environment or the
# PATH, or empty. Each file in peers/ calls it.
peer() {
    local path=${!1:-$2}
    path=$(command -v "$path" || true)
    [ -z "$path" ] || path=$(realpath "$path")
    printf -v "$1" %s "$path"
    PEERS+=("$1|$2|$3")
}
have() { [ -n "${!1}" ]; }

peer_version() { # of VARIABLE: as VARIABLE_VERSION says, or the commit of the git checkout it is in
    local said=$1_VERSION
    if [ -n "${!said:-}" ]; then
        echo "${!said}"
    else
        git -C "$(dirname "${!1}")" rev-parse --short HEAD 2>/dev/null || echo "version not known"
    fi
}

peer_list() {
    local row variable program about
    echo
    echo "| peer | what | here |"
    echo "|---|---|---|"
    for row in "${PEERS[@]}"; do
        IFS='|' read -r variable program about <<<"$row"
        if have "$variable"; then
            echo "| \`$variable\` | $about | $(peer_version "$variable") |"
        else
            echo "| \`$variable\` | $about | left out: no \`$program\` on the PATH, and $variable names none |"
        fi
    done
}
