#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `cmake --install` puts under a prefix works from there, and from wherever that is moved.
# Usage: install.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
build=$(realpath "$(dirname "$1")/..")
workloads=$(realpath "$2")
for tool in cmake ninja pkg-config perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
[ -f "$build/CMakeCache.txt" ] || { echo "skipped: $1 is in no build folder"; exit 77; }
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cc=$(cached CMAKE_C_COMPILER)
cflags=$(cached CMAKE_C_FLAGS)
source=$(cached CMAKE_HOME_DIRECTORY)
. "$(dirname "$0")/common.sh"

ok() { # ok DESCRIPTION COMMAND...: does COMMAND succeed?
    local what=$1
    shift
    if "$@"; then echo "ok: $what"; else echo "not ok: $what ($*)"; failed=1; return 1; fi
}

cmake --install "$build" --prefix "$dir/first" >"$dir/log" 2>&1
ok "cmake --install" test $? = 0 || { cat "$dir/log"; exit 1; }
mv "$dir/first" "$dir/a place moved to"
prefix="$dir/a place moved to"
cd "$dir" || exit 1

# Run without the source and build folders, where we may hide them; in an empty environment.
hidden() { env -i PATH="$PATH" HOME="$dir" ASAN_OPTIONS="${ASAN_OPTIONS-}" "$@"; }
if unshare -m true 2>/dev/null; then
    hidden() {
        unshare -m env -i PATH="$PATH" HOME="$dir" ASAN_OPTIONS="${ASAN_OPTIONS-}" \
            SOURCE="$source" BUILD="$build" WORKLOADS="$workloads" sh -c '
            mkdir -p workloads && mount --bind "$WORKLOADS" workloads &&
            mount -t tmpfs none "$SOURCE" && { [ ! -d "$BUILD" ] || mount -t tmpfs none "$BUILD"; } &&
            exec "$@"' sh "$@"
    }
    ok "the source folder is hidden" test -z "$(hidden ls -A "$source")"
else
    echo "source and build folders stay in sight (unshare -m is not allowed)"
    ln -s "$workloads" workloads
fi
fl() { hidden "$prefix/bin/faultline" "$@" </dev/null; }
sound() { fl check "$1" >/dev/null; }

# ---- the program -----------------------------------------------------------------
perl -e 'my @p = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5); print pack("Q<*", @p)' >belady.u64
ok "faultline-mpi, and the script for Slurm" test -x "$prefix/bin/faultline-mpi" -a -x "$prefix/share/faultline/slurm/sweep.sbatch"
ok "--version" test "$(fl --version)" = "$("$build/bin/faultline" --version)"
fl import --from pages belady.u64 -o b.flt 2>err
ok "import" test $? = 0
fl replay b.flt --frames 3 --policy fifo -o r.json
ok "replay: Belady's 9 misses" test "$(jq '.faults.minor + .faults.major' r.json)" = 9
fl help >overview
if grep -q '^  report ' overview; then
    fl report b.flt -o rep >out 2>err
    ok "report" test -s rep/index.html -a -s rep/report.json
    if command -v gnuplot >/dev/null; then
        ok "report has charts" test -s rep/charts/curve.svg
        fl plot faults r.json -o p.svg
        ok "plot" grep -q '<svg' p.svg
    fi
fi
if [ "$(cached FAULTLINE_TRACER)" = ON ]; then
    fl record -o t.flt -- workloads/exact_pages >out 2>err
    status=$?
    ok "record --mode exact: $(tail -1 err)" test $status = 0
    ok "what it recorded is sound" sound t.flt
    fl replay t.flt --ram 50% -o t.json
    ln -s "$prefix/bin/faultline" linked
    hidden ./linked record -o t2.flt -- workloads/exact_pages >out 2>err
    status=$?
    ok "record through a link to the program: $(tail -1 err)" test $status = 0
    ok "and replays" test "$(jq .faults.major t.json)" -gt 0
else
    echo "skipped: record (built without the tracer)"
fi

# ---- man pages ------------------------------------------------------------------------
for c in '' $(sed -n 's/^  \([a-z]*\)  *[A-Z].*/-\1/p' overview); do
    ok "man page faultline$c" test -s "$prefix/share/man/man1/faultline$c.1"
done

# ---- the library ------------------------------------------------------------------------
cat >own.c <<'C'
#include <stdio.h>
#include <faultline/replay.h>
int main(int argc, char **argv)
{
    struct fl_err err = { 0 };
    struct fl_reader *r = NULL;
    struct fl_result *res = NULL;
    struct fl_replay_opts o = { .frames = 3, .swap_pages = UINT64_MAX, .policy = fl_policy_find("fifo") };
    if (argc != 2 || fl_reader_open_path(argv[1], 0, &r, &err) || fl_replay(r, &o, &res, &err))
        return fprintf(stderr, "%s\n", err.msg), 1;
    printf("%llu\n", (unsigned long long)(res->minor + res->major));
    fl_result_free(res);
    fl_reader_free(r);
    return 0;
}
C
lib=$(dirname "$(find "$prefix" -name libfaultline.so | head -1)")
export PKG_CONFIG_PATH="$lib/pkgconfig"
ok "pkg-config finds libfaultline" pkg-config --exists libfaultline
eval "flags=($(pkg-config --cflags --libs libfaultline))"
# shellcheck disable=SC2086
"$cc" $cflags -Wall -Wextra -Werror own.c -o own "${flags[@]}" 2>log
ok "a program builds with pkg-config $(head -1 log)" test -x own
ok "and runs: 9 misses" test "$(LD_LIBRARY_PATH=$lib ./own b.flt)" = 9
mkdir cmake && cp own.c cmake/
cat >cmake/CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.25)
project(own C)
find_package(faultline 0.1 REQUIRED)
add_executable(own own.c)
target_link_libraries(own PRIVATE faultline::faultline)
C
cmake -G Ninja -S cmake -B cmake/b -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$cflags" \
    -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1 && cmake --build cmake/b >>log 2>&1
ok "a program builds with find_package(faultline)" test -x cmake/b/own || tail -5 log
ok "and runs: 9 misses" test "$(cmake/b/own b.flt)" = 9
for header in "$prefix"/include/faultline/*.h; do
    echo "#include <faultline/${header##*/}>" >alone.c
    # shellcheck disable=SC2086
    "$cc" $cflags -std=gnu17 -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only alone.c 2>log
    ok "${header##*/} stands alone $(head -1 log)" test ! -s log
done
ok "the library shows nothing but fl_*" test -z "$(nm -D --defined-only "$lib/libfaultline.so" |
    awk '$2 ~ /[TDBR]/ && $3 !~ /^fl_/ && $3 !~ /^(_init|_fini|_edata|_end|__bss_start)/' | head -3)"

exit $failed
