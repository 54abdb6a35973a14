#!/bin/sh
# Runs every suite of a build folder and adds their counts up: the last line is `N passed, N failed, N skipped`.
build=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0
suite() { # name, command ...
    name=$1
    shift
    echo "== $name"
    "$@" >"$log" 2>&1
    status=$?
    cat "$log"
    counts=$(tail -n 1 "$log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    set -- $counts
    if [ $# -ne 3 ]; then # it died before it counted
        set -- 0 1 0
    elif [ $status -ne 0 ] && [ "$2" -eq 0 ]; then
        set -- "$1" 1 "$3"
    fi
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
suite "engine, real = float" "$build/float/run_tests"
suite "engine, real = double" "$build/double/run_tests"
suite "programs" tests/test_programs.sh
suite "traces recomputed in PyTorch" tests/test_traces.sh
echo "== all suites"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
