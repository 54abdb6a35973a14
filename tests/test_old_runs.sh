#!/usr/bin/env bash
# Runs of earlier programs (tests/old_runs/COMMIT) still serve generate, evaluate, --init and --resume.
. "$(dirname "$0")/program_helpers.sh"

for old in "$root"/tests/old_runs/*/; do
    cp -r "$old" "$work/old" && cd "$work/old" || exit 1 # the folder that the runs were made in: their data.path is relative
    runs "$generate" gan -n 4 --out samples.png
    check "a grid" has_size samples.png 22x22
    runs "$evaluate" gan --classifier classifier -n 200
    check "shares of both classes" grep -qE '"shares": \[[0-9.]+, [0-9.]+\]' out
    runs "$train" gan.json --init gan/checkpoint.safetensors --out begun --steps 1
    differ begun/samples/step_000000.png gan/samples/step_000000.png
    for run in gan classifier; do
        steps=$(($(step_of $run) + 3))
        runs "$train" --resume $run --steps $steps
        check "$run is resumed" test "$(step_of $run)" -eq $steps
        check "the log continues" test "$(grep -c "\"step\": $steps, \"epoch\"" $run/log.jsonl)" -eq 1
    done
    cd "$root" && rm -r "$work/old"
done

counts
