#!/bin/sh
# Every model of tests/preflight says in its first line what ./apps/summary must say of it: `// expect: ERROR`, with exit status 1,
# or `// warn: WARNING`, with 0. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
summary=${GANNET_APPS:-apps}/summary
export GANNET_DATA="$PWD/data"
passed=0 failed=0
err=$(mktemp)
trap 'rm -f "$err"' EXIT
for model in tests/preflight/*.json; do
    line=$(head -n 1 "$model")
    kind=${line%%: *} text=${line#*: }
    "$summary" "$model" --no-estimate >/dev/null 2>"$err"
    status=$?
    case $kind in
        "// expect") wanted=1 start='gannet: ' ;;
        "// warn") wanted=0 start='gannet: warning: ' ;;
        *) wanted=none start= ;;
    esac
    if [ "$status" = $wanted ] && grep "^$start" "$err" | grep -qF -- "$text"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $model: status $status, wanted: $text"
        sed 's/^/    stderr: /' "$err"
    fi
done
# The models that are shipped warn of nothing.
for model in models/*.json; do
    if "$summary" "$model" --no-estimate 2>&1 >/dev/null | grep 'warning'; then
        failed=$((failed + 1))
        echo "FAILED: $model warns"
    else
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
