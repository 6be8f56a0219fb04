#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/ci: the shell steps of the CI files, taken from them and run as a build server would, on the
# main branch, on a change that keeps the budgets, and on one with four times the data.
# Usage: ci.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
source=$(realpath "$(dirname "$0")/../..")
for tool in yq jq xmllint; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1
"$faultline" record -o none.flt -- true >/dev/null 2>err
grep -q 'no exact tracer' err && { echo "skipped: built without the exact tracer"; exit 77; }


# Found by the name the files use, and everything else a step may not do for real.
mkdir bin
ln -s "$faultline" bin/faultline
cat >bin/refuse <<'S'
#!/bin/sh
echo "a step called $(basename "$0") $*" >&2
exit 99
S
cat >bin/gh <<'S'
#!/bin/sh
# gh pr comment N --body-file FILE [--edit-last]: there is no comment to edit at first.
case "$*" in *--edit-last*) [ -e "$SERVER/comment" ] || exit 1 ;; esac
cp "$5" "$SERVER/comment"
S
cat >bin/curl <<'S'
#!/bin/sh
# A package registry of one file.
[ "${BASELINE#https://}" != "$BASELINE" ] || exit 98
while [ $# -gt 0 ]; do
    case $1 in
    --output) [ -e "$SERVER/package" ] || exit 22; cp "$SERVER/package" "$2" ;;
    --upload-file) cp "$2" "$SERVER/package" ;;
    esac
    shift
done
S
chmod +x bin/*
for name in apt-get git cmake; do ln -s refuse bin/$name; done
mkdir server
export PATH="$dir/bin:$PATH" SERVER="$dir/server"

# run_steps NAME: the steps in NAME.steps, one JSON a line, each in a shell of its own with -e; after
# a failure only those that run always. Their output is NAME.log; the status is the first failure's.
run_steps() {
    local step status=0 got
    : >"$1.log"
    while read -r step; do
        case $(jq -r .when <<<"$step") in
        *cancelled*) ;;
        *refs/heads/main*) [ "$branch" = main ] && [ $status = 0 ] || continue ;;
        null) [ $status = 0 ] || continue ;;
        *) echo "not ok: a condition this test does not know: $step"; failed=1 ;;
        esac
        jq -r .run <<<"$step" >step.sh
        (cd "$dir/work" && sh -e ../step.sh) >>"$1.log" 2>&1
        got=$?
        [ $status != 0 ] || status=$got
    done <"$1.steps"
    return $status
}
# checkout: a fresh work folder with what the repository has.
checkout() {
    rm -rf work
    mkdir work
    cp "$source/docs/ci/budget.toml" work
}
sorts() { export COMMAND="sort -n --parallel=1 $*"; }
want() { # want N WHAT NAME: run NAME's steps, which must exit N
    run_steps "$3"
    local got=$?
    ok "$2: exit $1 ($got)" test $got = "$1"
    [ $got = "$1" ] || cat "$3.log"
}
valid() { xmllint --noout --schema "$source/tests/golden/junit/junit.xsd" work/junit.xml 2>/dev/null; }

# ---- GitHub Actions -----------------------------------------------------------------------
file=$source/docs/ci/github-actions.yml
yq -c . "$file" >github.json
jq -c '.jobs.gate.steps[] | select(.run) | {run, when: .["if"]}' github.json >gate.steps
jq -c '.jobs.comment.steps[] | select(.run) | {run, when: .["if"]}' github.json >comment.steps
ok "six steps and a comment" test "$(cat gate.steps comment.steps | wc -l)" = 7
ok "no expression is pasted into a shell" test "$(jq -r .run gate.steps comment.steps | grep -c '\${{')" = 0
eval "$(jq -r '.env | to_entries[] | "export \(.key)=\(.value | tostring | @sh)"' github.json)"
export GITHUB_STEP_SUMMARY="$dir/summary" PULL_REQUEST=1
: >summary

branch=main
checkout
want 0 "GitHub: main, for the first time" gate
ok "it says there was no baseline" has "no baseline yet" gate.log
cp -r work/baseline saved
ok "a report is the baseline" test "$(jq -r .schema saved/report.json)" = faultline.report/1

branch=change
checkout
cp -r saved work/baseline
want 0 "GitHub: a change that keeps the budgets" gate
ok "compared with main's" grep -q 'major faults in 512 KiB .* none' gate.log
ok "its JUnit is valid" valid

checkout
cp -r saved work/baseline
sorts numbers.txt numbers.txt numbers.txt numbers.txt
: >summary
want 3 "GitHub: four times the data" gate
ok "its JUnit is valid" valid
ok "JUnit names the budgets" test "$(xmllint --xpath 'count(//testcase[failure])' work/junit.xml)" -ge 3
ok "the summary is there" has "### faultline gate: FAIL" summary
ok "the baseline is as it was" cmp -s saved/report.json work/baseline/report.json
want 0 "GitHub: the comment" comment
want 0 "GitHub: the comment again" comment
ok "the comment is the summary" cmp -s summary server/comment
rm work/budget.toml work/gate.md
sorts numbers.txt
: >summary
want 1 "GitHub: no budget, no verdict" gate
ok "the summary says so" has "no verdict" summary

# ---- GitLab CI -------------------------------------------------------------------------------
file=$source/docs/ci/gitlab-ci.yml
yq -c . "$file" >gitlab.json
# A job's lines are one script there.
jq -c '.memory | {run: (.before_script + .script | join("\n")), when: null}' gitlab.json >memory.steps
export CI_API_V4_URL=https://gitlab.example.org/api/v4 CI_PROJECT_ID=1 CI_JOB_TOKEN=secret CI_DEFAULT_BRANCH=main
eval "$(jq -r '.variables | to_entries[] | "export \(.key)=\"\(.value)\""' gitlab.json)"

export CI_COMMIT_BRANCH=main
checkout
want 0 "GitLab: main, for the first time" memory
ok "it says there was no baseline" has "no baseline yet" memory.log
ok "the report went to the registry" cmp -s work/report/report.json server/package
cp server/package before

export CI_COMMIT_BRANCH=
checkout
want 0 "GitLab: a change that keeps the budgets" memory
ok "compared with main's" grep -q 'major faults in 512 KiB .* none' memory.log
ok "its JUnit is valid" valid
checkout
sorts numbers.txt numbers.txt numbers.txt numbers.txt
want 3 "GitLab: four times the data" memory
ok "its JUnit is valid" valid
ok "the baseline is as it was" cmp -s before server/package
ok "every artifact is there" test -z "$(cd work && jq -r '.memory.artifacts.paths[]' ../gitlab.json | while read -r f; do [ -e "$f" ] || echo "$f"; done)"

# ---- both do the same, and docs/ci.md quotes them ------------------------------------------------
ok "both set the same" cmp -s <(jq -S '.env | map_values(tostring)' github.json) \
    <(jq -S '.variables | del(.BASELINE) | map_values(tostring)' gitlab.json)
sed -n '/^```sh quoted/,/^```$/p' "$source/docs/ci.md" | grep -v '^```' | sed 's/^ *//' >quoted
sed 's/^ *\(- \)*//' "$source/docs/ci/github-actions.yml" >unindented
ok "docs/ci.md quotes steps" test "$(wc -l <quoted)" -ge 6
ok "as they are" test -z "$(grep -vxFf unindented quoted)"
sed -n '/^```toml quoted/,/^```$/p' "$source/docs/ci.md" | grep -v '^```' >quoted
ok "docs/ci.md quotes the budget file" cmp -s quoted "$source/docs/ci/budget.toml"

[ $failed = 0 ] && echo "ci: all as it should be"
exit $failed
