#!/usr/bin/env bash
# Runs of earlier versions (tests/old_runs/COMMIT) still work with generate, evaluate, --init and --resume.
. "$(dirname "$0")/program_helpers.sh"

for old in "$root"/tests/old_runs/*/; do
    cp -r "$old" "$work/old" && cd "$work/old" || exit 1 # the folder in which the runs were made: their data.path is relative
    runs "$generate" gan -n 4 --out samples.png
    check "a grid" has_size samples.png 22x22
    runs "$evaluate" gan --classifier classifier -n 200
    check "shares of both classes" grep -qE '"shares": \[[0-9.]+, [0-9.]+\]' out
    runs "$train" gan.json --init gan/checkpoint.safetensors --out begun --steps 1
    differ begun/samples/step_000000.png gan/samples/step_000000.png
    # A GPU run with TF32 continues on a CPU in fp32 with a warning.
    cp -r gan tf32 && sed -i -E 's/("precision\\?": \\?")fp32/\1tf32/' tf32/config.json tf32/checkpoint.safetensors
    check "a run with the old key" grep -qE '"precision\\": \\"tf32' tf32/checkpoint.safetensors
    runs "$generate" tf32 -n 4 --device cpu --out tf32.png
    check "generate warns about fp32" grep -qE "warning: compute.precision tf32 is not available on cpu .*fp32" err
    check "the same samples" cmp -s samples.png tf32.png
    runs "$evaluate" tf32 --device cpu --classifier classifier -n 200
    check "evaluate warns about fp32" grep -q "compute.precision tf32 is not available on cpu" out
    runs "$train" --resume tf32 --device cpu --steps $(($(step_of tf32) + 1))
    check "train warns about fp32" grep -q "warning: compute.precision tf32 is not available on cpu" err
    check "config.json has the new key" grep -q '"compute": {"precision": "tf32", "storage": "fp32"}' tf32/config.json
    refuses "'compute.precision' differs from the run's configuration" "$train" --resume tf32 --set cuda.precision=fp32 --set compute.precision=null
    refuses "'cuda.precision' and 'compute.precision' are both given.*remove it, or set it to null" "$train" --resume gan --set compute.precision=tf32
    for run in gan classifier; do
        steps=$(($(step_of $run) + 3))
        runs "$train" --resume $run --steps $steps
        check "$run is resumed" test "$(step_of $run)" -eq $steps
        check "the log continues" test "$(grep -c "\"step\": $steps, \"epoch\"" $run/log.jsonl)" -eq 1
    done
    cd "$root" && rm -r "$work/old"
done

counts
