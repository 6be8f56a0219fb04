# SPDX-License-Identifier: GPL-2.0-or-later
# Read by every workload with its verb and folder as $1 and $2. A workload defines `prepare`, which
# makes what it needs in $dir, and `workload`, which prints its command as one line of plain words.
#   sh NAME.sh prepare DIR    make the inputs, once
#   sh NAME.sh command DIR    print the command, for `faultline record -- …` or `validate -- …`
#   sh NAME.sh run DIR        run it, with addresses that do not change from run to run
# FAULTLINE_ACCURACY_BIN: where the build has put the programs (build/NAME/accuracy).
set -eu
verb=${1:-}
dir=${2:-}
[ -n "$dir" ] && [ -d "$dir" ] || { echo "usage: $0 prepare|command|run DIR (an existing folder)" >&2; exit 2; }
dir=$(cd "$dir" && pwd)

program() { # program NAME: the path of one of the programs built with the tests
    [ -x "${FAULTLINE_ACCURACY_BIN:-}/$1" ] ||
        { echo "$0: set FAULTLINE_ACCURACY_BIN to the build's folder with the program $1" >&2; exit 77; }
    echo "$FAULTLINE_ACCURACY_BIN/$1"
}
installed() { # installed NAME: the path of a program of the system
    command -v "$1" || { echo "$0: $1 is not installed" >&2; exit 77; }
}
prepare() { :; }
main() {
    case $verb in
    prepare) prepare ;;
    command) workload ;;
    run)
        line=$(workload)
        # shellcheck disable=SC2086
        exec setarch "$(uname -m)" -R $line
        ;;
    *) echo "usage: $0 prepare|command|run DIR" >&2; exit 2 ;;
    esac
}
